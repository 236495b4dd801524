// goalpost: the command line. Parses, calls, and turns exceptions into sentences and exit statuses:
// 0 success, 1 something asked for did not hold or could not be written, 2 a usage or configuration error, interrupted:
// 130 by Ctrl-C (SIGINT), 75 by SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 or SIGXCPU, where the same command with --resume goes
// on. Commands that take no notice of them (list, describe, report, dataset, benchmark) are ended by these signals.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "core/data_path.h"
#include "core/memory.h"
#include "core/suggest.h"
#include "core/number.h"
#include "core/parallel.h"
#include "core/text.h"
#include "run/experiment.h"
#include "report/figure.h"
#include "render/film.h"
#include "run/fixed_policy.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "report/report.h"
#include "report/report_page.h"
#include "run/rollout.h"
#include "run/runner.h"
#include "storage/dataset.h"
#include "storage/file.h"

namespace goalpost {
namespace {

int list(const std::string& what) {
  const auto heading = [&](const char* name) {
    if (what.empty()) fmt::print("{}:\n", name);
    return what.empty() ? "  " : "";
  };
  if (what.empty() || what == "envs") {
    const char* indent = heading("envs");
    for (const EnvEntry& e : environments()) fmt::print("{}{:<28} {}\n", indent, e.name, e.doc);
  }
  if (what.empty() || what == "algos") {
    const char* indent = heading("algos");
    for (const AlgorithmEntry& a : algorithms()) fmt::print("{}{:<28} {}\n", indent, a.name, a.doc);
  }
  if (what.empty() || what == "experiments") {
    const char* indent = heading("experiments");
    for (const std::string& name : experiment_names()) {
      try {
        fmt::print("{}{:<28} {}\n", indent, name, make_experiment(load_experiment(name)).description);
      } catch (const UsageError& e) {
        fmt::print(stderr, "goalpost: {}: {}; left out\n", name, e.what());
      }
    }
  }
  if (what.empty() || what == "figures") {
    const char* indent = heading("figures");
    for (const std::string& name : figure_names()) fmt::print("{}{:<28} {}\n", indent, name, load_figure(name).title);
  }
  return 0;
}

void print_fields(const std::function<void(ConfigVisitor&)>& visit) {
  for (const FieldText& f : describe_fields(visit)) {
    std::string text = f.doc;
    if (!f.range.empty()) text += fmt::format("; {}", f.range);
    if (!f.source.empty()) text += fmt::format("  ({})", f.source);
    fmt::print("  {:<28} {:<16} {}\n", f.path, f.value, text);
  }
}

int describe(const std::string& name, const std::vector<std::string>& set) {
  std::vector<std::string_view> all;
  for (const EnvEntry& e : environments()) {
    if (e.name == name) {
      const std::unique_ptr<Settings> settings = e.settings();
      const EnvSpec spec = e.world(*settings)()->spec();
      fmt::print("{}: {}\n", e.name, e.doc);
      fmt::print("  observation {}, goal {}, action {}, time limit {} steps{}\n", spec.obs_dim,
                 spec.goal.dim == 0 ? "none" : std::to_string(spec.goal.dim),
                 spec.action.kind == ActionSpace::Kind::discrete ? fmt::format("one of {}", spec.action.choices)
                                                                 : fmt::format("{} numbers", spec.action.dim),
                 spec.max_steps, spec.dt > 0 ? fmt::format(" of {} s", spec.dt) : "");
      print_fields([&](ConfigVisitor& v) { settings->visit(v); });
      return 0;
    }
    all.push_back(e.name);
  }
  for (const AlgorithmEntry& a : algorithms()) {
    if (a.name == name) {
      fmt::print("{}: {}\nsettings below [agent]:\n", a.name, a.doc);
      const std::unique_ptr<Settings> settings = a.settings();
      print_fields([&](ConfigVisitor& v) { settings->visit(v); });
      return 0;
    }
    all.push_back(a.name);
  }
  const std::vector<std::string> experiments = experiment_names();
  if (name.ends_with(".toml") || std::find(experiments.begin(), experiments.end(), name) != experiments.end()) {
    TomlValues values = load_experiment(name);
    for (const std::string& s : set) values.set(s);
    Experiment e = make_experiment(values);
    fmt::print("{}: {}\n", e.name, e.description);
    print_fields([&](ConfigVisitor& v) { e.visit(v); });
    return 0;
  }
  const std::vector<std::string> figures = figure_names();
  if (std::find(figures.begin(), figures.end(), name) != figures.end()) {
    FigureConfig figure = load_figure(name);
    fmt::print("{}: {}\n", name, figure.title);
    print_fields([&](ConfigVisitor& v) { visit_fields(figure, v); });
    return 0;
  }
  all.insert(all.end(), experiments.begin(), experiments.end());
  all.insert(all.end(), figures.begin(), figures.end());
  std::string hint = did_you_mean(name, all);
  if (hint.empty()) hint = "; `goalpost list` shows everything that has a name";
  throw UsageError(fmt::format("nothing is called \"{}\"{}", name, hint));
}

// What was printed reaches standard output here. @throws std::system_error if it cannot be written
void flush_output() {
  const bool failed_before = std::ferror(stdout) != 0;
  std::cout.flush();
  errno = 0;
  if (std::fflush(stdout) == 0 && !failed_before && std::cout.good()) return;
  if (errno == 0 && ::write(STDOUT_FILENO, "\n", 1) == 1) errno = EIO;  // the reason of an earlier failure, if it lasts
  throw std::system_error(errno, std::generic_category(), "standard output cannot be written");
}
// Forgets what could not be written, so that it is not told of again.
void drop_output() {
  std::clearerr(stdout);
  std::cout.clear();
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
  if (nowhere > STDERR_FILENO) ::close(nowhere);
}

void print_result(const RunResult& r, const std::filesystem::path& directory) {
  const std::string where = directory.string();
  fmt::print(
      "success {:.3f}, at any step {:.3f}, return {:.2f}, length {:.1f} over {} episodes, after {} steps and {} "
      "updates ({}); saved in {}\nnext: `goalpost evaluate {}`, or `goalpost report {} --out DIR` for a page\n",
      r.final.success, r.final.success_any, r.final.reward, r.final.length, r.final.episodes, r.progress.step,
      r.progress.updates, r.end == "success" ? "stopped at train.stop_success" : "all steps done", where, where, where);
}

int tell(const std::optional<RunResult>& r, const std::filesystem::path& directory, bool quiet) {
  if (!r) {
    if (!std::filesystem::exists(directory / "config.toml"))
      print_error("interrupted before the first step: nothing was written, and the same command begins anew");
    else if (can_be_resumed(directory))
      print_error(fmt::format("interrupted; what was saved until now is in {0}; `goalpost train --resume {0}` goes on",
                              directory.string()));
    else
      fmt::print(stderr,
                 "interrupted; its curves and its policy as of now are in {0}. It cannot go on: it was trained without "
                 "checkpoints (train.checkpoint_every = 0)\n",
                 directory.string());
    return interrupt_status();
  }
  try {
    if (!quiet) print_result(*r, directory);
    flush_output();
  } catch (const std::system_error& e) {
    // Who reads the summary may have gone; the run is whole.
    if (e.code() != std::errc::broken_pipe && e.code() != std::errc::bad_file_descriptor) throw;
    print_error(fmt::format("goalpost: nobody reads the summary ({}); the run is in {}", e.code().message(),
                            directory.string()));
    drop_output();
  }
  return 0;
}

int train(const std::string& name, std::vector<std::string> set, const std::string& out, bool quiet) {
  TomlValues values = load_experiment(name);
  for (const std::string& s : set) values.set(s);
  Experiment e = make_experiment(values);
  const std::filesystem::path directory = out.empty() ? default_directory(e) : std::filesystem::path(out);
  return tell(train_in_directory(e, directory, quiet), directory, quiet);
}

int resume(const std::filesystem::path& directory, const std::vector<std::string>& set, bool any_build, bool quiet) {
  return tell(resume_in_directory(directory, set, any_build, quiet), directory, quiet);
}

struct EvaluateOptions {
  std::string what;  // run directory; an environment with random or scripted
  bool random = false, scripted = false;
  int episodes = 1000;
  std::int64_t seed = 0;
  std::vector<std::string> set;
  std::string env;  // another one than the policy was trained in
  bool as_json = false;
};

int evaluate(const EvaluateOptions& o) {
  const Rng rng = Rng(static_cast<std::uint64_t>(o.seed)).stream("evaluate");
  std::string name;
  EnvFactory make_env;
  std::unique_ptr<Agent> agent;
  std::optional<std::int64_t> step;
  if (o.random || o.scripted) {
    if (!o.env.empty()) throw UsageError("--env is for a trained policy; expected it without --random and --scripted");
    make_env = make_environment(o.what, o.set, static_cast<std::uint64_t>(o.seed));
    const EnvSpec spec = make_env()->spec();
    agent = o.random ? make_random_policy(spec, rng.stream("action")) : make_scripted_policy(spec);
    name = o.random ? "random" : "scripted";
  } else {
    LoadedRun run = load_run(o.what, o.set, o.env);
    step = run.step;
    make_env = run.experiment.eval_env_factory();
    agent = std::move(run.agent);
    name = run.experiment.name;
  }
  const int threads = usable_processors();  // results do not depend on it
  set_compute_threads(threads);
  VectorEnv env = make_evaluation_env(make_env, o.episodes, rng, threads);
  const Evaluation e = evaluate(*agent, env, o.episodes, rng, interrupted);
  if (!e.complete) return interrupt_status();
  if (e.unstable > 0)
    print_error(fmt::format("goalpost: {} of {} episodes were cut by an unstable simulation and count as failed: {}",
                            e.unstable, e.episodes, e.instability));
  const EvaluationIntervals intervals = evaluation_intervals(e);
  if (o.as_json) {
    const auto pair = [](const Interval& i) { return nlohmann::ordered_json{i.low, i.high}; };  // NaN: null
    nlohmann::ordered_json j = {{"experiment", name},     {"env", env.spec().name}, {"seed", o.seed},
                                {"episodes", e.episodes}, {"success", e.success},   {"success_any", e.success_any},
                                {"return", e.reward},     {"length", e.length},     {"kinds", to_json(e.kinds)}};
    j["interval"] = {{"success", pair(intervals.success)},
                     {"success_any", pair(intervals.success_any)},
                     {"return", pair(intervals.reward)},
                     {"length", pair(intervals.length)}};
    if (e.unstable > 0) j["unstable"] = e.unstable;
    if (agent && !o.random && !o.scripted)
      j["policy_step"] = step ? nlohmann::ordered_json(*step) : nlohmann::ordered_json();
    fmt::print("{}\n", j.dump());
  } else {
    const auto range = [](const Interval& i, int digits) {
      return std::isnan(i.low) ? "" : fmt::format(" [{:.{}f}, {:.{}f}]", i.low, digits, i.high, digits);
    };
    fmt::print(
        "{} episodes of {} (seed {}): success at the last step {:.4f}{}, at any step {:.4f}{}, return {:.3f}{}, length "
        "{:.1f}{}\n",
        e.episodes, env.spec().name, o.seed, e.success, range(intervals.success, 4), e.success_any,
        range(intervals.success_any, 4), e.reward, range(intervals.reward, 3), e.length, range(intervals.length, 1));
    if (step) fmt::print("  by the policy after {} environment steps of training\n", *step);
    for (const Evaluation::Kind& k : e.kinds)
      fmt::print("  {:<22} {} episodes{}\n", k.name, k.episodes,
                 k.episodes > 0 ? fmt::format(": success {:.4f}", k.success) : "");
  }
  return 0;
}

int report(const std::vector<std::string>& directories, const std::string& out, bool recorded) {
  if (recorded) writable_source_directory();
  std::vector<std::string> unreadable;
  const std::vector<FinishedRun> runs = find_runs({directories.begin(), directories.end()}, &unreadable);
  for (const std::string& sentence : unreadable) fmt::print(stderr, "goalpost: {}; left out\n", sentence);
  if (runs.empty()) return 1;
  const std::vector<Summary> summaries = summarise(runs);
  fmt::print("{}", summary_table(summaries));
  if (recorded) {
    record(summaries);
    renew_tables();
    fmt::print("recorded in {}\n", results_directory().string());
  }
  if (!out.empty()) fmt::print("page: {}\n", write_report_page(summaries, out).string());
  const bool met =
      std::all_of(summaries.begin(), summaries.end(), [](const Summary& s) { return s.meets_expectation; });
  return met && unreadable.empty() ? 0 : 1;
}

int dataset_info(const std::filesystem::path& path) {
  const DatasetSummary s = check_dataset(path);
  const EpisodeHeader& h = s.header;
  fmt::print("{}: {} episodes, {} steps, {} in {} file{}\n", path.string(), s.episodes, s.steps,
             fmt::format("{:.1f} MB", static_cast<double>(s.bytes) / 1e6), s.files, s.files == 1 ? "" : "s");
  fmt::print("  environment     {}, seed {}\n", h.environment, h.seed);
  fmt::print("  observation {}, goal {}, action {}, time limit {} steps\n", h.obs_dim,
             h.goal_dim == 0 ? "none" : std::to_string(h.goal_dim),
             h.choices > 0 ? fmt::format("one of {}", h.choices) : fmt::format("{} numbers", h.action_dim),
             h.max_steps);
  fmt::print("  of training {}, of evaluations {}, of rollouts {}\n", s.by_purpose[0], s.by_purpose[1],
             s.by_purpose[2]);
  const double episodes = static_cast<double>(std::max<std::uint64_t>(s.episodes, 1));
  fmt::print("  mean length {:.1f}, mean return {:.3f}, success at the last step {:.3f}\n",
             static_cast<double>(s.steps) / episodes, s.mean_return, static_cast<double>(s.successes) / episodes);
  if (!h.has_failed) fmt::print("  {}\n", kGuessedFailures);
  return 0;
}

struct DatasetOptions {
  std::string action, out, format = "minari", env, purpose, steps;
  std::vector<std::string> paths;
  std::vector<std::string> set;
  bool compressed = false;
  EpisodeFilter filter;
};

constexpr const char* kDatasetActions[] = {"info", "check", "repair", "filter", "merge", "export", "import"};
constexpr const char* kPurposes[] = {"train", "eval", "rollout"};  // in the order of EpisodePurpose

std::pair<std::uint64_t, std::uint64_t> parse_steps(const std::string& text) {
  std::pair<std::uint64_t, std::uint64_t> range;
  const char* const end = text.data() + text.size();
  const auto [dash, first_error] = std::from_chars(text.data(), end, range.first);
  if (first_error == std::errc() && dash != end && *dash == '-') {
    const auto [stop, last_error] = std::from_chars(dash + 1, end, range.second);
    if (last_error == std::errc() && stop == end && range.first <= range.second) return range;
  }
  throw UsageError(fmt::format("--steps {}; expected two counts A-B with A <= B, e.g. 0-50000", text));
}

int dataset(DatasetOptions o) {
  const auto need = [&](const std::string& value, const char* option) {
    if (value.empty()) throw UsageError(fmt::format("dataset {}: {} is missing", o.action, option));
  };
  for (const std::string& path : o.paths)
    if (!std::filesystem::exists(path)) throw UsageError(fmt::format("{}: there is no such file", path));
  if (o.action != "merge" && o.paths.size() > 1)
    throw UsageError(fmt::format("dataset {}: {} paths; expected one (merge takes several)", o.action, o.paths.size()));
  const std::string& path = o.paths.front();
  for (std::size_t i = 0; i < std::size(kPurposes); ++i)
    if (o.purpose == kPurposes[i]) o.filter.purpose = static_cast<EpisodePurpose>(i);
  if (!o.steps.empty()) o.filter.steps = parse_steps(o.steps);
  try {
    if (o.action == "info") return dataset_info(path);
    std::optional<EnvSpec> spec;
    std::string config;
    if (!o.env.empty()) {
      spec = make_environment(o.env, o.set, 0)()->spec();
      config = environment_toml(o.env, o.set);
    }
    if (o.action == "check") {
      for (const std::string& sentence : check_files(path, spec, config)) fmt::print("{}\n", sentence);
      return 0;
    }
    need(o.out, "--out");
    if (o.action == "repair") {
      const std::string dropped = repair_dataset(path, o.out, o.compressed);
      fmt::print("{}\n", dropped.empty() ? fmt::format("{}: nothing wrong; copied to {}", path, o.out) : dropped);
    } else if (o.action == "filter") {
      fmt::print("{}\n", filter_dataset(path, o.filter, o.out, o.compressed));
    } else if (o.action == "merge") {
      fmt::print("{}\n", merge_datasets({o.paths.begin(), o.paths.end()}, o.out, o.compressed));
    } else if (o.action == "import") {
      need(o.env, "--env");
      import_dataset(path, *spec, o.out, o.compressed, config);
    } else if (o.format == "minari") {
      export_minari(path, o.out, o.compressed);
    } else {
      export_d4rl(path, o.out, o.compressed);
    }
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(e.what());
  }
  return 0;
}

View find_view(const std::string& name) {
  return static_cast<View>(std::find(kViewNames.begin(), kViewNames.end(), name) - kViewNames.begin());
}

void parse_size(const std::string& text, FilmConfig& film) {
  constexpr int kMost = 4096;
  int end = 0;
  if (std::sscanf(text.c_str(), "%5dx%5d%n", &film.width, &film.height, &end) != 2 ||
      end != static_cast<int>(text.size()) || std::min(film.width, film.height) < 16 ||
      std::max(film.width, film.height) > kMost)
    throw UsageError(fmt::format("--size {}; expected WIDTHxHEIGHT, each 16 to {}, e.g. 640x480", text, kMost));
}

// The benchmarks are a program of their own beside this one, so that a build for training does not need them.
int benchmark(const std::string& filter) {
  const std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "goalpost-bench";
  if (!std::filesystem::exists(program))
    throw UsageError(fmt::format("{} is not built; `./goalpost benchmark` builds it, or `ninja goalpost-bench` in {}",
                                 program.string(), program.parent_path().string()));
  std::vector<std::string> words = {program.string(), "--benchmark_counters_tabular=true"};
  if (!filter.empty()) words.push_back("--benchmark_filter=" + filter);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  throw std::runtime_error(fmt::format("cannot run {}", program.string()));
}

// Integers in any notation, 1e6 and 1_000_000 too.
CLI::Validator integer(std::int64_t low, std::int64_t high) {
  CLI::Validator validator(
      [low, high](std::string& text) -> std::string {
        const std::optional<std::int64_t> value = exact_integer(text);
        if (!value || *value < low || *value > high)
          return fmt::format("{}; expected an integer {} to {}", text, low, high);
        text = std::to_string(*value);
        return "";
      },
      "");
  return validator;
}
// Numbers with a point, of which nan and inf are none.
CLI::Validator number(double low = std::numeric_limits<double>::lowest(),
                      double high = std::numeric_limits<double>::max()) {
  CLI::Validator validator(
      [low, high](std::string& text) -> std::string {
        double value = 0;
        const char *const begin = text.data() + text.starts_with('+'), *const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(begin, end, value);
        if (error == std::errc() && stop == end && value >= low && value <= high) return "";
        return low > std::numeric_limits<double>::lowest()
                   ? fmt::format("{}; expected a number {} to {}", text, low, high)
                   : fmt::format("{}; expected a finite number", text);
      },
      "");
  return validator;
}
// @throws UsageError for an empty word: as the value of an option it would count as an option that is left out
void expect_no_empty_words(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i], before = argv[i - 1];
    if (word.starts_with("--") && word.find('=') == word.size() - 1)
      throw UsageError(fmt::format("{} is empty; expected a value", word.substr(0, word.size() - 1)));
    if (!word.empty()) continue;
    throw UsageError(before.starts_with("--")
                         ? fmt::format("{} is empty; expected a value", before)
                         : fmt::format("word {} of the command is empty; expected a name, a path or an option", i));
  }
}

// @throws UsageError if the path is there and is no directory
void expect_directory(const std::string& out) {
  if (!out.empty() && std::filesystem::exists(out) && !std::filesystem::is_directory(out))
    throw UsageError(fmt::format("--out {}: this is a file; expected a directory, or a new name", out));
}

constexpr std::int64_t kMostSeed = 9'000'000'000'000'000, kMostCount = 1'000'000'000;

int run(int argc, char** argv) {
  expect_no_empty_words(argc, argv);
  CLI::App app("goalpost: goal-conditioned and hierarchical reinforcement learning, reproducibly.");
  app.require_subcommand(1);
  app.set_version_flag("--version", BuildInfo::current().revision);
  app.option_defaults()->always_capture_default();
  int status = 0;
  std::string name, out, filter;
  std::vector<std::string> set, directories;
  bool quiet = false;

  CLI::App* list_command = app.add_subcommand("list", "what there is, a line each");
  list_command->add_option("what", name, "envs, algos, experiments or figures; all if left out")
      ->check(CLI::IsMember({"envs", "algos", "experiments", "figures"}))
      ->default_str("");
  list_command->callback([&] { status = list(name); });

  CLI::App* describe_command =
      app.add_subcommand("describe", "every setting of an environment, algorithm, experiment or figure");
  describe_command->add_option("name", name, "its name, or a TOML file")->required();
  describe_command->add_option("--set", set, "put key=value over the file")->allow_extra_args(false);
  describe_command->callback([&] { status = describe(name, set); });

  CLI::App* train_command = app.add_subcommand("train", "train one run of an experiment");
  std::string train_seed, steps, threads, film_every, resumed;
  bool any_build = false;
  CLI::Option_group* which = train_command->add_option_group("run", "a new run or an unfinished one");
  which->add_option("experiment", name, "a name of `goalpost list experiments`, or a TOML file");
  CLI::Option* resume_option =
      which->add_option("--resume", resumed, "run directory: go on from its checkpoint, to the same bits");
  which->require_option(1);
  train_command->add_flag("--any-build", any_build, "resume with another revision, compiler or processor too")
      ->needs(resume_option);
  train_command->add_option("--seed", train_seed, "of all random numbers; short for --set seed=S");
  train_command->add_option("--steps", steps, "transitions; short for --set train.total_steps=N");
  train_command->add_option("--threads", threads, "for environments and updates; short for --set train.threads=T");
  train_command->add_option("--film-every", film_every,
                            "transitions between two films of an episode; short for --set train.film_every=N");
  train_command->add_option("--out", out, "run directory; must be new. Default: runs/<experiment>/seed_<seed>")
      ->excludes(resume_option);
  train_command->add_option("--set", set, "put key=value over the file, e.g. env.bits=40")->allow_extra_args(false);
  train_command->add_flag("--quiet", quiet, "no progress");
  train_command->callback([&] {
    catch_interrupts();
    outlive_readers();
    if (!train_seed.empty()) set.push_back("seed=" + train_seed);
    if (!steps.empty()) set.push_back("train.total_steps=" + steps);
    if (!threads.empty()) set.push_back("train.threads=" + threads);
    if (!film_every.empty()) set.push_back("train.film_every=" + film_every);
    status = resumed.empty() ? train(name, set, out, quiet) : resume(resumed, set, any_build, quiet);
  });

  CLI::App* evaluate_command =
      app.add_subcommand("evaluate", "measure a trained policy, without exploration: means with their 95 % intervals");
  EvaluateOptions v;
  evaluate_command
      ->add_option("run", v.what,
                   "run directory or policy.h5; with --random or --scripted a name of `goalpost list envs`")
      ->required();
  CLI::Option* random_option = evaluate_command->add_flag("--random", v.random, "uniform random actions instead");
  evaluate_command->add_flag("--scripted", v.scripted, "the task's hand-written policy instead")
      ->excludes(random_option);
  evaluate_command
      ->add_option("--episodes", v.episodes,
                   "how many; chains of sub-tasks are run whole, so there may be more, or fewer where chains break")
      ->transform(integer(1, kMostCount));
  evaluate_command->add_option("--seed", v.seed, "of starts and goals")->transform(integer(0, kMostSeed));
  evaluate_command->add_flag("--json", v.as_json, "print one JSON object");
  evaluate_command->add_option("--env", v.env,
                               "another environment for the policy, with its default settings: one with the same "
                               "observations, goals and actions");
  evaluate_command->add_option("--set", v.set, "another environment setting, e.g. env.goal_x=9")
      ->allow_extra_args(false);
  evaluate_command->callback([&] {
    catch_interrupts();
    status = evaluate(v);
  });

  CLI::App* reproduce_command = app.add_subcommand("reproduce", "all runs of a paper's figure, then the figure");
  ReproduceOptions r;
  reproduce_command->add_option("figure", r.figure, "a name of `goalpost list figures`")->required();
  reproduce_command->add_option("--seeds", r.seeds, "runs per point; 0: as the figure says")
      ->transform(integer(0, 1000));
  reproduce_command->add_option("--jobs", r.jobs, "runs side by side; 0: one per processor that may be used")
      ->transform(integer(0, 1024));
  reproduce_command->add_option("--values", r.values, "of the x axis, instead of the figure's, e.g. 10,20")
      ->delimiter(',')
      ->transform(integer(1, kMostCount));
  reproduce_command->add_option("--out", r.out,
                                "directory; finished runs in it are kept. Default: runs/reproduce/<figure>");
  reproduce_command->add_flag("--quick", r.quick, "a subset, in minutes");
  reproduce_command->add_option("--set", r.set, "put key=value over every experiment")->allow_extra_args(false);
  reproduce_command->add_flag("--record", r.record, "also write src/experiments/results and the README's table");
  reproduce_command->callback([&] {
    expect_directory(r.out.string());
    catch_interrupts();
    outlive_readers();
    status = reproduce(r);
  });

  CLI::App* report_command = app.add_subcommand("report", "summarise finished runs over their seeds");
  bool recorded = false;
  report_command->add_option("runs", directories, "run directories or recorded results, or directories above them")
      ->required();
  report_command->add_option("--out", out,
                             "directory: also write a page with curves and comparisons, index.html, in place of an "
                             "earlier page");
  report_command->add_flag("--record", recorded, "also write src/experiments/results and the README's table");
  report_command->callback([&] {
    expect_directory(out);
    status = report(directories, out, recorded);
  });

  CLI::App* rollout_command = app.add_subcommand("rollout", "step an environment and write a row per step");
  RolloutOptions o;
  rollout_command->add_option("env", o.env,
                              "a name of `goalpost list envs`; with --policy: another one than it was "
                              "trained in");
  CLI::Option_group* source = rollout_command->add_option_group("actions", "where actions come from: one of");
  source->add_option("--actions", o.actions,
                     "CSV file, columns a0, a1, ..., one row per step, in the environment's unit");
  source->add_option("--policy", o.policy, "run directory or policy.h5 of a trained policy");
  source->add_flag("--random", o.random, "uniform random actions");
  source->add_flag("--scripted", o.scripted, "the task's hand-written policy");
  source->require_option(1);
  rollout_command->add_option("--episodes", o.episodes, "unless actions are given")->transform(integer(1, kMostCount));
  rollout_command->add_option("--seed", o.seed, "of resets and random actions")->transform(integer(0, kMostSeed));
  rollout_command->add_option("--state", o.state,
                              "CSV file: a header and one row, the simulator state to start from (qpos0.., qvel0..)");
  rollout_command->add_flag("--with-state", o.with_state, "also write the simulator state after each step");
  rollout_command->add_flag("--with-actions", o.with_actions, "also write the actions, as --actions reads them");
  rollout_command->add_option("--out", o.out, "CSV file; must be new. Standard output if left out");
  rollout_command->add_option("--record", o.record, "also record the episodes in this HDF5 file; must be new");
  rollout_command->add_option("--set", o.set, "environment setting, e.g. env.bits=40")->allow_extra_args(false);
  rollout_command->callback([&] {
    if (o.env.empty() && o.policy.empty())
      throw UsageError("rollout: which environment? `goalpost list envs` shows them all");
    catch_interrupts();
    rollout(o);
    status = interrupted() ? interrupt_status() : 0;
  });

  CLI::App* render_command =
      app.add_subcommand("render", "film a trained policy, or an environment, or take a picture");
  RenderOptions p;
  std::string size = "640x480";
  render_command->add_option("what", p.what, "run directory or policy.h5, or a name of `goalpost list envs`")
      ->required();
  render_command->add_option("--out", p.out, "the film (.mp4), or its last picture (.png); must be new")->required();
  CLI::Option* given = render_command->add_option(
      "--actions", p.actions, "CSV file, columns a0, a1, ..., one row per step, in the environment's unit");
  CLI::Option* at_random = render_command->add_flag("--random", p.random, "uniform random actions")->excludes(given);
  render_command->add_flag("--scripted", p.scripted, "the task's hand-written policy")
      ->excludes(given)
      ->excludes(at_random);
  render_command->add_option("--episodes", p.episodes, "how many; 0: one per tile")->transform(integer(0, kMostCount));
  render_command->add_option("--tile", p.tiles, "so many side by side")->transform(integer(1, 100));
  render_command->add_option("--seed", p.seed, "of resets and random actions, as of rollout")
      ->transform(integer(0, kMostSeed));
  render_command->add_option("--step", p.step, "of a picture: the one after so many steps")
      ->transform(integer(0, kMostCount));
  render_command->add_option("--every", p.film.every, "steps between two pictures; 0: at most 30 pictures a second")
      ->transform(integer(0, kMostCount));
  render_command->add_option("--size", size, "points of one tile, WIDTHxHEIGHT");
  render_command
      ->add_option_function<std::string>(
          "--camera", [&](const std::string& name) { p.film.view = find_view(name); }, "overview, top or follow")
      ->check(CLI::IsMember(std::vector<std::string>(kViewNames.begin(), kViewNames.end())))
      ->default_str("overview");
  render_command->add_option("--azimuth", p.film.azimuth, "degrees, of the camera; 90 looks along +y")->check(number());
  render_command->add_option("--elevation", p.film.elevation, "degrees; -90 looks straight down")->check(number());
  render_command->add_option("--distance", p.film.distance, "m, of the camera")->check(number(1e-6, 1e6));
  render_command->add_flag("--trail", p.film.trail, "dots where goals were achieved on the way, and at sub-goals");
  render_command
      ->add_option("--relabelled", p.relabelled,
                   "a picture of the goals of the episodes (red), and of so many transitions that HER has relabelled "
                   "(orange)")
      ->transform(integer(1, 10'000))
      ->default_str("");
  render_command->add_option("--set", p.set, "environment setting, e.g. env.bits=40")->allow_extra_args(false);
  render_command->add_flag("--quiet", p.quiet, "no progress");
  render_command->callback([&] {
    parse_size(size, p.film);
    catch_interrupts();
    render(p);
    status = interrupted() ? interrupt_status() : 0;
  });

  CLI::App* dataset_command =
      app.add_subcommand("dataset", "look at, repair, filter, merge and exchange recorded episodes");
  DatasetOptions d;
  dataset_command->add_option("action", d.action, "info, check, repair, filter, merge, export or import")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kDatasetActions), std::end(kDatasetActions))));
  dataset_command
      ->add_option("path", d.paths,
                   "file of episodes, or run directory; merge: several; import: a Minari or D4RL dataset; check: "
                   "any of these, a policy or a checkpoint")
      ->required();
  dataset_command->add_option("--out", d.out, "what repair, filter, merge, export and import write; must be new");
  dataset_command->add_option("--format", d.format, "of an export")->check(CLI::IsMember({"minari", "d4rl"}));
  dataset_command->add_option("--env", d.env,
                              "the environment that the episodes are of: for an import, to check a Minari or D4RL "
                              "dataset, or to check that a file of episodes is of this one");
  dataset_command->add_option("--set", d.set, "environment setting, e.g. env.bits=40")->allow_extra_args(false);
  dataset_command->add_flag("--compressed", d.compressed, "shuffle and deflate what is written");
  std::vector<CLI::Option*> filters;
  const auto filter_option = [&](const char* option, auto& value, const char* doc) {
    filters.push_back(dataset_command->add_option(option, value, std::string("filter: ") + doc)->default_str(""));
    return filters.back();
  };
  filters.push_back(
      dataset_command->add_flag("--success", d.filter.success, "filter: only episodes whose last step is a success"));
  filters.push_back(
      dataset_command->add_flag("--failed", d.filter.failed, "filter: only episodes that ended by a failure"));
  filter_option("--purpose", d.purpose, "only episodes of training, of evaluations or of rollouts")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kPurposes), std::end(kPurposes))));
  filter_option("--min-return", d.filter.min_return, "only episodes with at least this undiscounted return")
      ->check(number());
  filter_option("--max-return", d.filter.max_return, "only episodes with at most this undiscounted return")
      ->check(number());
  filter_option("--first", d.filter.first, "at most so many of those left")->transform(integer(1, kMostCount));
  filter_option("--steps", d.steps, "only episodes that ended at these transitions of the run, A-B, both included");
  dataset_command->callback([&] {
    for (const CLI::Option* option : filters)
      if (option->count() > 0 && d.action != "filter")
        throw UsageError(fmt::format("dataset {}: {} is an option of filter", d.action, option->get_name()));
    status = dataset(d);
  });

  CLI::App* benchmark_command = app.add_subcommand("benchmark", "time the components");
  benchmark_command->add_option("filter", filter, "regular expression; all if left out")->default_str("");
  benchmark_command->callback([&] { status = benchmark(filter); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    print_error(fmt::format("goalpost: {}; `goalpost {}--help` shows what is possible", e.what(),
                            app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " "));
    return 2;
  }
  return status;
}

int out_of_memory() {
  const MemoryLimit left = memory_left();
  fmt::print(stderr, "goalpost: not enough memory for what was asked: {} are left ({})\n", format_bytes(left.bytes),
             left.source);
  return 1;
}

// A file that is opened later must not become standard input, output or error. A closed one stays one that cannot be
// read, or written, so that what is written to it is an error.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    while (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF)
      if (::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) std::_Exit(1);
}

}  // namespace
}  // namespace goalpost

int main(int argc, char** argv) {
  using namespace goalpost;
  open_standard_descriptors();
  prepare_signals();
  const auto say = [](const char* sentence, int status) {
    print_error(fmt::format("goalpost: {}", sentence));
    return status;
  };
  int status = 0;
  try {
    status = run(argc, argv);
  } catch (const UsageError& e) {
    status = say(e.what(), 2);
  } catch (const std::bad_alloc&) {
    status = out_of_memory();
  } catch (const std::length_error&) {  // more than a vector can hold
    status = out_of_memory();
  } catch (const std::exception& e) {
    status = say(e.what(), 1);
    if (std::ferror(stdout) != 0) drop_output();  // that was it
  }
  try {
    flush_output();
  } catch (const std::system_error& e) {
    say(e.what(), 1);
    drop_output();
    if (status == 0) status = 1;
  }
  return status;
}
