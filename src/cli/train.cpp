// goalpost train: trains one run of an experiment, or goes on with an unfinished one, and tells how it ended.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <vector>

#include "algos/registry.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/planned_runs.h"
#include "cli/train_progress.h"
#include "cli/work.h"
#include "core/check.h"
#include "core/communicator.h"
#include "core/number.h"
#include "core/processors.h"
#include "core/text.h"
#include "envs/registry.h"
#include "report/collect.h"
#include "report/figure_config.h"
#include "report/group.h"
#include "report/tables.h"
#include "run/experiment.h"
#include "run/pair.h"
#include "run/plan.h"
#include "run/resume.h"
#include "run/run_result.h"
#include "run/runner.h"
#include "storage/file.h"
#include "storage/run_directory.h"
#include "storage/toml.h"
#include "train/callback.h"
#include "train/state.h"

namespace goalpost {
namespace {

void print_result(const RunResult& r, const std::filesystem::path& directory) {
  const std::string where = as_word(directory.string());
  const Experiment e = make_experiment(TomlValues::from_file(directory / kConfigFile));
  const std::string more = e.measures_return() ? ""
                                               : fmt::format(", at any step {:.3f}, return {:.2f}", r.final.success_any,
                                                             r.final.mean_return);
  const std::string text =
      fmt::format("{}{}, length {:.1f} over {} episodes, after {} steps and {} updates ({}); saved in {}",
                  final_text(e, r.final), more, r.final.length, r.final.episodes, r.progress.step, r.progress.updates,
                  r.end == "success" ? "stopped at train.stop_success" : "all steps done", where);
  fmt::print("{}",
             as_typed(fmt::format("{}\nnext: `goalpost evaluate {}`,\nor `goalpost report {} --out DIR` for a page\n",
                                  wrapped(text, output_width(), 2), where, where)));
}

int tell(const std::optional<RunResult>& r, const std::filesystem::path& directory, bool quiet) {
  if (!r) {
    if (!std::filesystem::exists(directory / kConfigFile))
      print_error("interrupted before the first step: nothing was written, and the same command begins anew");
    else if (can_be_resumed(directory))
      print_error(fmt::format("interrupted; saved in {0}. Continue with `goalpost train --resume {0}`",
                              as_word(directory.string())));
    else
      print_error(fmt::format(
          "interrupted; its curves and its policy as of now are in {0}. It cannot go on: it was trained without "
          "checkpoints (train.checkpoint_every = 0)",
          directory.string()));
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

RunOptions run_options(bool quiet) {
  RunOptions options{.stop = interrupted};
  if (const char* pipe = std::getenv(kProgressPipe); pipe != nullptr)
    options.progress = [descriptor = std::atoi(pipe)](const Experiment& e, const TrainProgress&) {
      return std::make_unique<TrainProgressPipe>(e, descriptor);
    };
  else if (!quiet)
    options.progress = [](const Experiment& e, const TrainProgress& begin) -> std::unique_ptr<TrainCallback> {
      return std::make_unique<TrainProgressBar>(e, begin);
    };
  return options;
}

struct TrainOptions {
  std::string what, env, seed, seeds, steps, threads, video_every, out, resumed;
  std::vector<std::string> set;
  int jobs = 0;
  bool her = false, no_her = false, any_build = false, quiet = false;
};

// @throws UsageError for names that are known, but that do not belong where they stand
void check_names(const TrainOptions& o) {
  const auto is_in = [](const auto& entries, const std::string& name) {
    return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
  };
  const bool algorithm = is_in(algorithms(), o.what), environment = is_in(environments(), o.what);
  if (o.env.empty() && algorithm)
    throw UsageError(fmt::format(
        "train: {0} is an algorithm; expected an environment after it, `goalpost train {0} ENVIRONMENT` (`goalpost "
        "list envs` shows them all)",
        o.what));
  if (o.env.empty() && environment)
    throw UsageError(fmt::format(
        "train: {0} is an environment; expected an algorithm before it, `goalpost train ALGORITHM {0}` (`goalpost list "
        "algos` shows them all)",
        o.what));
  const std::vector<std::string> experiments = experiment_names();
  const bool experiment =
      o.what.ends_with(".toml") || std::find(experiments.begin(), experiments.end(), o.what) != experiments.end();
  if (!experiment && is_figure(o.what))
    throw UsageError(fmt::format(
        "train: {0} is a figure of several experiments: `goalpost reproduce {0}` trains and draws them all, `goalpost "
        "describe {0}` names them",
        o.what));
  if (o.env.empty()) return;
  if (environment && is_in(algorithms(), o.env))
    throw UsageError(
        fmt::format("train: the algorithm comes before the environment: `goalpost train {} {}`", o.env, o.what));
  if (experiment)
    throw UsageError(fmt::format(
        "train: {0} is an experiment, which names its own environment; expected `goalpost train {0}`, or an algorithm "
        "before {1}",
        o.what, o.env));
}

// @param note set to what an algorithm's run on an environment begins with; empty for an experiment
TomlValues load(const TrainOptions& o, std::string& note) {
  check_names(o);
  if (o.env.empty()) {
    if (o.her || o.no_her)
      throw UsageError(
          "--her and --no-her are for `train ALGORITHM ENVIRONMENT`; of an experiment use --set "
          "agent.her.strategy=future, or none");
    return load_experiment(o.what);
  }
  PairExperiment pair =
      pair_experiment(o.what, o.env, o.her || o.no_her ? std::optional(o.her) : std::optional<bool>(), o.set);
  note = pair.note;
  // What an environment in Python is, follows from its settings.
  if (is_python_environment(o.env)) {
    std::vector<std::string> own;
    std::copy_if(o.set.begin(), o.set.end(), std::back_inserter(own),
                 [](const auto& s) { return s.starts_with("env."); });
    set_all(pair.values, own);
  }
  return std::move(pair.values);
}

// Several seeds, each in a process of its own. Finished runs of an earlier call are kept, unfinished ones go on.
int train_seeds(const TrainOptions& o, const TomlValues& values, const std::string& changed,
                const std::vector<std::int64_t>& seeds) {
  const Experiment e = make_experiment(values);
  const std::filesystem::path top =
      o.out.empty() ? default_directory(e, changed).parent_path() : std::filesystem::path(o.out);
  std::vector<PlannedRun> runs;
  for (const std::int64_t seed : seeds) {
    Experiment one = make_experiment(values);
    runs.push_back({.experiment = e.name,
                    .setting = "",
                    .seed = seed,
                    .directory = top / fmt::format("seed_{}", seed),
                    .config = one.to_toml(),
                    .keep_checkpoints = true});
  }
  make_directories(top);
  const DirectoryLock lock(top);
  int done = 0;
  for (PlannedRun& run : runs) done += finished_earlier(run, "this run", print_error);
  if (done < static_cast<int>(runs.size())) write_file_atomically(runs.front().config_file(), runs.front().config);
  const int jobs = o.jobs > 0 ? o.jobs : usable_processors();
  print_error(fmt::format("{}: {} runs, {} already finished, {} in parallel, in {}", e.name, runs.size(), done, jobs,
                          top.string()));
  const WorkResult work = work_off(runs, {.jobs = jobs, .retries = true, .quiet = o.quiet, .told = true});
  if (work.stopped) {
    print_error("interrupted; run the same command again to continue the unfinished runs");
    return interrupt_status();
  }
  std::vector<std::filesystem::path> finished;
  for (const PlannedRun& run : runs)
    if (std::filesystem::exists(run.directory / kResultFile)) finished.push_back(run.directory);
  if (!finished.empty()) fmt::print("{}", summary_table(summarize(find_runs(finished)), output_width()));
  if (work.failed > 0)
    print_error(
        fmt::format("{} of {} runs failed; run the same command again to try them again", work.failed, runs.size()));
  if (!finished.empty())
    print_line(fmt::format("next: `goalpost report {} --out DIR` for a page", as_word(top.string())));
  return work.failed > 0 ? 1 : 0;
}

// What is to be trained.
struct Training {
  TomlValues values;
  Experiment experiment;
  std::vector<std::int64_t> seeds;
  std::string note, changed;
};

Training training_of(const TrainOptions& o) {
  std::string note;
  TomlValues values = load(o, note);
  TomlValues without_flags = values;
  if (o.her || o.no_her) {
    TrainOptions plain = o;
    plain.her = plain.no_her = false;
    std::string ignored;
    without_flags = load(plain, ignored);
  }
  const Experiment plain = make_experiment(without_flags);
  set_all(values, o.set);
  const bool several = o.seed.find_first_of(",-", 1) != o.seed.npos && !exact_integer(o.seed);
  const std::vector<std::int64_t> seeds = several ? parse_seeds(o.seed) : parse_seed_count(o.seeds);
  if (seeds.size() == 1) set_all(values, {fmt::format("seed={}", seeds.front())});
  if (!several && !o.seed.empty()) set_all(values, {"seed=" + o.seed});
  Experiment e = make_experiment(values);
  if (seeds.size() > 1 && job().ranks() > 1)
    throw UsageError(
        fmt::format("mpirun trains one run at a time, by all of its {} processes; expected one seed", job().ranks()));
  std::string changed = changed_settings(e, plain);
  return {std::move(values), std::move(e), seeds, note, std::move(changed)};
}

int train(const TrainOptions& o) {
  std::optional<Training> training;
  together([&] {
    training = training_of(o);
    if (training->experiment.name.empty())
      throw UsageError(fmt::format("{}: name is empty; expected a name for the experiment", o.what));
  });
  auto& [values, e, seeds, note, changed] = *training;
  if (!o.quiet && !note.empty()) print_error(fmt::format("goalpost: {}", note));
  if (seeds.size() > 1) return train_seeds(o, values, changed, seeds);
  const std::filesystem::path directory = o.out.empty() ? default_directory(e, changed) : std::filesystem::path(o.out);
  return tell(train_in_directory(e, directory, run_options(o.quiet)), directory, o.quiet);
}

int resume(const TrainOptions& o) {
  together([&] {
    if (!o.what.empty())
      throw UsageError(
          fmt::format("--resume {} goes on with the experiment that is there; expected no {}", o.resumed, o.what));
    if (!o.env.empty() || o.her || o.no_her || o.jobs > 0)
      throw UsageError(
          "--resume goes on with one run as it is; expected none of ENVIRONMENT, --her, --no-her and --jobs");
  });
  std::vector<std::string> set = o.set;
  if (!o.seed.empty()) set.push_back("seed=" + o.seed);
  return tell(resume_in_directory(o.resumed, set, o.any_build, run_options(o.quiet)), o.resumed, o.quiet);
}

// A message that names, in place of the settings that options stand for, the options that were typed.
std::string as_options(std::string text, const TrainOptions& o) {
  const std::array<std::tuple<const std::string*, const char*, const char*>, 4> all = {
      {{&o.steps, "--set train.total_steps=", "--steps "},
       {&o.threads, "--set train.threads=", "--threads "},
       {&o.video_every, "--set train.video_every=", "--video-every "},
       {&o.seed, "--set seed=", "--seed "}}};
  for (const auto& [typed, setting, option] : all)
    if (const std::size_t at = text.find(std::string(setting) + *typed + ")"); !typed->empty() && at != text.npos)
      text.replace(at, std::string_view(setting).size(), option);
  return text;
}

}  // namespace

void add_train_command(CLI::App& app, int& status) {
  CLI::App* train_command =
      app.add_subcommand("train", "train an experiment, or an algorithm on an environment; several seeds at once");
  const auto o = std::make_shared<TrainOptions>();
  train_command->add_option("EXPERIMENT|ALGORITHM", o->what,
                            "a name of `goalpost list experiments` or a TOML file; before an environment an algorithm "
                            "of `goalpost list algos`");
  train_command->add_option("ENVIRONMENT", o->env, "a name of `goalpost list envs`, for an algorithm");
  CLI::Option* resume_option =
      train_command->add_option("--resume", o->resumed,
                                "run directory: continue this run from its checkpoint; the results equal those of an "
                                "uninterrupted run");
  CLI::Option* her =
      train_command->add_flag("--her", o->her,
                              "relabel transitions (hindsight experience replay); on by default where the "
                              "reward is sparse and no experiment says otherwise");
  train_command->add_flag("--no-her", o->no_her, "do not relabel transitions")->excludes(her);
  train_command->add_flag("--any-build", o->any_build, "resume with another revision, compiler or processor too")
      ->needs(resume_option);
  CLI::Option* seed =
      train_command->add_option("--seed", o->seed, "random seed; a range or list, 1-5 or 1,4,7, trains several runs");
  train_command->add_option("--seeds", o->seeds, "how many runs, with the seeds 1, 2, ..., or a range or list")
      ->excludes(seed)
      ->excludes(resume_option);
  train_command
      ->add_option("--jobs", o->jobs, "runs in parallel, of several seeds; 0: one per processor that may be used")
      ->transform(integer(0, 1024));
  train_command->add_option("--steps", o->steps, "transitions; short for --set train.total_steps=N");
  train_command->add_option("--threads", o->threads, "for environments and updates; short for --set train.threads=T");
  train_command->add_option("--video-every,--film-every", o->video_every,
                            "transitions between two videos of an episode; short for --set train.video_every=N");
  train_command
      ->add_option(
          "--out", o->out,
          "run directory, or that of all seeds; must be new. Default: runs/<experiment>/seed_<seed>, with changed "
          "settings in between")
      ->excludes(resume_option);
  add_set_option(*train_command, o->set, "override a setting, e.g. env.bits=20");
  train_command->add_flag("--quiet", o->quiet, "no progress");
  train_command->callback([o, &status] {
    together([&] {
      if (o->what.empty() && o->resumed.empty())
        throw UsageError(
            "train: nothing to train; expected an experiment, ALGORITHM ENVIRONMENT, or --resume RUN; `goalpost train "
            "--help` "
            "shows what is possible");
    });
    catch_interrupts();
    outlive_readers();
    if (!o->steps.empty()) o->set.push_back("train.total_steps=" + o->steps);
    if (!o->threads.empty()) o->set.push_back("train.threads=" + o->threads);
    if (!o->video_every.empty()) o->set.push_back("train.video_every=" + o->video_every);
    try {
      status = o->resumed.empty() ? train(*o) : resume(*o);
    } catch (const UsageError& e) {
      throw UsageError(as_options(e.what(), *o));
    }
  });
}

}  // namespace goalpost
