#include "run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <vector>

#include "core/parallel.h"
#include "run/film.h"
#include "run/initial_policy.h"
#include "run/interrupt.h"
#include "run/progress.h"
#include "storage/checkpoint.h"
#include "storage/dataset.h"
#include "storage/episodes.h"
#include "storage/file.h"
#include "storage/run_log.h"

namespace goalpost {

nlohmann::ordered_json to_json(const std::vector<Evaluation::Kind>& kinds) {
  nlohmann::ordered_json j = nlohmann::ordered_json::object();
  for (const Evaluation::Kind& k : kinds)
    j[k.name] = {{"episodes", k.episodes}, {"success", k.success}};  // NaN is written as null
  return j;
}

std::vector<Evaluation::Kind> kinds_of(const nlohmann::ordered_json& evaluation) {
  std::vector<Evaluation::Kind> kinds;
  if (!evaluation.contains("kinds")) return kinds;
  for (const auto& [name, kind] : evaluation.at("kinds").items())
    kinds.push_back({.name = name,
                     .episodes = kind.at("episodes"),
                     .success = kind.at("success").is_null() ? std::nan("") : kind.at("success").get<double>()});
  return kinds;
}

int evaluation_lanes(int episodes) { return std::min(episodes, 100); }

namespace {

constexpr char kPolicyFile[] = "policy.h5", kPolicyKind[] = "goalpost policy", kResultFile[] = "result.json";
constexpr char kConfigFile[] = "config.toml", kCheckpointKind[] = "goalpost run";

// Turns a progress into the rows of train.csv and eval.csv. The tags are those of Stable-Baselines3.
class RunRecorder {
 public:
  /// @param begin where this process takes the run up; rates are taken from there on
  RunRecorder(RunLog& log, const TrainProgress& begin) : log_(log), last_(begin) {}

  void write(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) {
    const double episodes = static_cast<double>(p.episodes), updates = static_cast<double>(p.updates);
    std::vector<RunLog::Column> evaluation = {{"updates", updates, ""},
                                              {"episodes", episodes, ""},
                                              {"wall_seconds", p.wall_seconds, ""},
                                              {"success", e.success, "eval/success_rate"},
                                              {"success_any", e.success_any, "eval/success_any_rate"},
                                              {"return", e.reward, "eval/mean_reward"},
                                              {"length", e.length, "eval/mean_ep_length"}};
    std::deque<std::string> names;
    for (const Evaluation::Kind& k : e.kinds)
      evaluation.push_back(
          {names.emplace_back("success_" + k.name), k.success, names.emplace_back("eval/success_rate_" + k.name)});
    log_.write("eval", p.step, evaluation);
    std::vector<RunLog::Column> row = {
        {"updates", updates, ""}, {"episodes", episodes, ""}, {"wall_seconds", p.wall_seconds, ""}};
    if (p.episodes > 0) {
      row.push_back({"success", p.success, "rollout/success_rate"});
      row.push_back({"success_any", p.success_any, "rollout/success_any_rate"});
      row.push_back({"return", p.reward, "rollout/ep_rew_mean"});
      row.push_back({"length", p.length, "rollout/ep_len_mean"});
    }
    const double seconds = p.wall_seconds - last_.wall_seconds;
    if (p.step > last_.step && seconds > 0) {
      row.push_back({"steps_per_second", static_cast<double>(p.step - last_.step) / seconds, "time/fps"});
      row.push_back(
          {"updates_per_second", static_cast<double>(p.updates - last_.updates) / seconds, "time/updates_per_second"});
    }
    // Columns are train/loss -> loss, but lo/loss -> lo_loss: two levels have one each.
    for (const Metrics::Slot& m : metrics) {
      const std::size_t slash = m.name().find('/');
      const std::string_view group = m.name().substr(0, slash);
      std::string name(m.name());
      if (slash != std::string::npos) name[slash] = '_';
      if (group == "train" || group == "rollout") name = name.substr(slash + 1);
      row.push_back({names.emplace_back(name), m.mean(), m.name()});
    }
    log_.write("train", p.step, row);
    last_ = p;
  }

 private:
  RunLog& log_;
  TrainProgress last_;
};

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}

// For TensorBoard's HPARAMS tab; runs that differ in nothing but the seed form a group.
void log_hparams(Experiment& e, RunLog& log) {
  std::vector<EventFile::Hparam> hparams;
  std::string group;
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { e.visit(v); })) {
    if (!f.path.starts_with("env.") && !f.path.starts_with("train.") && !f.path.starts_with("agent.") &&
        f.path != "seed")
      continue;
    if (f.is_number && !f.value.empty())
      hparams.push_back({f.path, std::stod(f.value)});
    else if (f.value == "true" || f.value == "false")
      hparams.push_back({f.path, f.value == "true"});
    else
      hparams.push_back({f.path, without_quotes(f.value)});
    if (f.path != "seed") group += f.path + "=" + f.value + " ";
  }
  const std::vector<std::string> metrics = {"eval/success_rate", "eval/mean_reward"};
  log.events().add_hparams(hparams, metrics, fmt::format("{} {:016x}", e.name, std::hash<std::string>()(group)));
}

void write_histograms(Agent& agent, std::int64_t step, RunLog& log) {
  for (const Distribution& d : agent.distributions()) {
    const std::vector<double> values(d.values.data(), d.values.data() + d.values.size());
    log.events().add_histogram(step, d.name, values);
  }
}

nlohmann::ordered_json to_json(const RunResult& r) {
  return {{"experiment", r.experiment},
          {"seed", r.seed},
          {"end", r.end},
          {"steps", r.progress.step},
          {"episodes", r.progress.episodes},
          {"updates", r.progress.updates},
          {"wall_seconds", r.progress.wall_seconds},
          {"final",
           {{"episodes", r.final.episodes},
            {"success", r.final.success},
            {"success_any", r.final.success_any},
            {"return", r.final.reward},
            {"length", r.final.length},
            {"kinds", to_json(r.final.kinds)}}},
          {"revision", r.revision},
          {"cpu", r.cpu}};
}

// Records the episodes that train.record asks for. Before an evaluation and before a checkpoint all parts are sealed,
// so that those behind it can be taken away.
class RunEpisodes final : public RunObserver {
 public:
  RunEpisodes(const std::filesystem::path& directory, Experiment& e, const EnvSpec& spec)
      : mode_(e.train.record),
        training_(spec, e.train.lanes, EpisodePurpose::training),
        evaluation_(spec, evaluation_lanes(e.train.eval_episodes), EpisodePurpose::evaluation),
        recorder_(directory, spec, EpisodeHeader::of(spec, static_cast<std::uint64_t>(e.seed), e.to_toml()),
                  {.compressed = e.train.record_compressed,
                   .on_failure = [](const std::string& sentence) { fmt::print(stderr, "goalpost: {}\n", sentence); }}) {
  }

  void on_training_step(const StepBatch& step, const TrainProgress& p) override {
    if (mode_ == RecordMode::eval) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(step.reward.cols()); ++i)
      recorder_.append(training_, step, i, static_cast<std::uint64_t>(p.step));
  }
  void on_evaluation_begin() override {
    if (mode_ == RecordMode::train) return;
    recorder_.seal();
    before_evaluation_ = recorder_.episodes();
  }
  void on_evaluation_step(const StepBatch& step, std::size_t lane, const TrainProgress& p) override {
    if (mode_ != RecordMode::train) recorder_.append(evaluation_, step, lane, static_cast<std::uint64_t>(p.step));
  }
  void on_evaluation_stopped() override {
    if (mode_ == RecordMode::train) return;
    evaluation_.clear();
    recorder_.cut_back(before_evaluation_);
  }
  void visit_state(StateVisitor& v) override {
    visit_part(v, "training", training_);
    visit_part(v, "recorder", recorder_);
  }
  void seal() { recorder_.seal(); }
  void finish() { recorder_.finish(); }

 private:
  RecordMode mode_;
  EpisodeStage training_, evaluation_;
  EpisodeRecorder recorder_;
  std::uint64_t before_evaluation_ = 0;
};

// The films of train.film_every: always the same start and goal, of an environment and with random numbers that the run
// does not share.
class RunFilms {
 public:
  /// @throws UsageError if nothing can be filmed here
  RunFilms(const EnvFactory& make_env, std::int64_t every, Rng rng)
      : every_(every), rng_(rng), env_(make_env, 1, rng), film_(env_.spec(), {}, 1) {
    Scene scene;
    env_.lane(0).draw(scene);
    if (scene.shapes.empty())
      throw UsageError(
          fmt::format("train.film_every = {}, but {} does not draw itself; expected 0", every, env_.spec().name));
  }

  /// @param begin where this process takes the run up: what is filmed by then is not filmed again
  void record_in(const std::filesystem::path& run_directory, std::int64_t begin) {
    directory_ = run_directory / "films";
    std::filesystem::create_directories(directory_);
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      std::int64_t step = -1;
      if (entry.path().extension() == ".mp4" &&
          std::sscanf(entry.path().filename().c_str(), "step_%" SCNd64 ".mp4", &step) == 1 && step <= begin)
        last_ = std::max(last_, step);
    }
  }

  void on_evaluation(Agent& agent, std::int64_t step) {
    if (last_ >= 0 && step / every_ == last_ / every_) return;
    last_ = step;
    film_.note = fmt::format("after {} steps of training", step);
    env_.reset(rng_);
    try {
      film_episode(film_, agent, env_, file(step), interrupted);
    } catch (const std::exception& e) {  // e.g. a full disk; the run is worth more
      fmt::print(stderr, "goalpost: {}\n", e.what());
    }
  }

 private:
  std::filesystem::path file(std::int64_t step) const { return directory_ / fmt::format("step_{}.mp4", step); }

  std::int64_t every_, last_ = -1;
  Rng rng_;
  VectorEnv env_;
  Film film_;
  std::filesystem::path directory_;
};

// What a run is made of, before anything is written: what can fail without leaving something behind fails here.
struct RunParts {
  Experiment& experiment;
  Rng rng;
  EnvFactory make_eval_env;
  VectorEnv env, eval_env;
  std::unique_ptr<Agent> agent;
  Run run;
  std::unique_ptr<RunEpisodes> episodes;
  std::unique_ptr<RunFilms> films;

  explicit RunParts(Experiment& e)
      : experiment(e),
        rng(static_cast<std::uint64_t>(e.seed)),
        make_eval_env(e.eval_env_factory()),
        env(e.env_factory(), e.train.lanes, rng.stream("train"), e.train.threads),
        eval_env(make_eval_env, evaluation_lanes(e.train.eval_episodes), rng.stream("eval"), e.train.threads),
        agent(e.make_agent(env.spec(), e.train.lanes, rng.stream("agent"))),
        run{.agent = *agent, .env = env, .eval_env = eval_env, .rng = rng.stream("run"), .on_evaluation = {}} {
    set_compute_threads(e.train.threads);
    set_precision(e.train.precision);
    if (e.train.film_every > 0)
      films = std::make_unique<RunFilms>(make_eval_env, e.train.film_every, rng.stream("film"));
  }

  void record_in(const std::filesystem::path& directory) {
    if (experiment.train.record == RecordMode::none) return;
    episodes = std::make_unique<RunEpisodes>(directory, experiment, env.spec());
    run.observer = episodes.get();
  }
  StateTraversal state(bool memory) {
    return [this, memory](StateVisitor& v) { run.visit_state(v, memory); };
  }
};

// A run that exists goes on in spite of problems that were not known when it began.
void check_before_training(const Experiment& e, bool resumed) {
  const TrainingCheck check = check_training(e);
  if (!resumed && !check.problems.empty()) throw UsageError(fmt::format("{}", fmt::join(check.problems, "\n")));
  check_memory(e, resumed);
  for (const auto* sentences : {&check.problems, &check.warnings})
    for (const std::string& sentence : *sentences) fmt::print(stderr, "goalpost: warning: {}\n", sentence);
}

// Puts the episodes of agent.replay.dataset into the memory, one lane after the other.
void fill_memory(RunParts& parts) {
  const OffPolicyConfig* c = find_algorithm(parts.experiment.algorithm).off_policy(*parts.experiment.agent_settings);
  if (c == nullptr || c->replay.dataset.empty()) return;
  int lane = 0;
  try {
    replay_dataset(c->replay.dataset, parts.env.spec(), [&](const StepBatch& step) {
      parts.agent->remember(step, lane);
      if (step.ended(0)) lane = (lane + 1) % parts.env.lanes();
    });
  } catch (const std::runtime_error& e) {
    throw UsageError(fmt::format("agent.replay.dataset: {}", e.what()));
  }
}

std::optional<RunResult> train_to_the_end(RunParts& parts, RunLog& log, bool quiet) {
  Experiment& e = parts.experiment;
  Run& run = parts.run;
  Agent& agent = *parts.agent;
  const TrainConfig& c = e.train;
  const std::filesystem::path& directory = log.directory();
  const TrainProgress begin = run.progress();
  const std::string config = e.to_toml();
  RunRecorder recorder(log, begin);
  if (parts.films) parts.films->record_in(directory, begin.step);
  CheckpointSeries checkpoints(directory, c.checkpoints_kept);
  checkpoints.continue_from(begin.step);
  const bool by_episodes = c.total_episodes > 0;
  Progress bar(fmt::format("{} seed {}", e.name, e.seed), by_episodes ? c.total_episodes : c.total_steps,
               by_episodes ? "episode" : "step",
               {.first = by_episodes ? begin.episodes : begin.step, .quiet = quiet, .descriptor = 2});
  Evaluation last;
  const auto start = std::chrono::steady_clock::now();
  const auto save_policy = [&] {
    save_state(directory / kPolicyFile, kPolicyKind, [&](StateVisitor& v) { agent.visit_policy(v); });
  };
  run.on_evaluation = [&](const TrainProgress& p, const Evaluation& evaluation, const Metrics& metrics) {
    last = evaluation;
    save_policy();
    recorder.write(p, evaluation, metrics);
    if (c.histograms) write_histograms(agent, p.step, log);
    if (parts.films) parts.films->on_evaluation(agent, p.step);
  };
  int calls = 0;
  run.on_step = [&](const TrainProgress& p) {
    if (quiet || ++calls % 16 != 0) return;  // reading the clock and formatting cost more than a small step
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto rate = [&](std::int64_t now, std::int64_t before) {
      return format_count(static_cast<std::int64_t>(static_cast<double>(now - before) / seconds));
    };
    bar.update(by_episodes ? p.episodes : p.step,
               fmt::format("steps={} steps/s={} updates/s={} success={:.2f} train_success={:.2f}", format_count(p.step),
                           rate(p.step, begin.step), rate(p.updates, begin.updates), last.success, p.success));
  };
  run.stop = interrupted;
  run.on_checkpoint = [&] {
    if (parts.episodes) parts.episodes->seal();
    if (c.checkpoint_every > 0)
      checkpoints.save(run.progress().step, kCheckpointKind, parts.state(c.checkpoint_replay), config);
  };

  TrainEnd end;
  try {
    end = train(run, c);
  } catch (const NumericsError&) {
    log.events().add_hparams_end(false);
    throw;
  }
  if (end == TrainEnd::interrupted) {
    bar.finish();
    return std::nullopt;
  }
  save_policy();
  if (parts.episodes) parts.episodes->finish();
  VectorEnv final_env(parts.make_eval_env, evaluation_lanes(c.final_eval_episodes), parts.rng.stream("final"),
                      c.threads);
  RunResult result{.experiment = e.name,
                   .seed = e.seed,
                   .revision = e.build.revision,
                   .cpu = e.build.cpu,
                   .end = end == TrainEnd::success ? "success" : "budget",
                   .progress = run.progress(),
                   .final = evaluate(agent, final_env, c.final_eval_episodes, parts.rng.stream("final"), interrupted)};
  bar.finish();
  if (result.final.episodes < c.final_eval_episodes) return std::nullopt;
  write_file_atomically(directory / kResultFile, to_json(result).dump(2) + "\n");
  log.events().add_hparams_end(true);
  CheckpointSeries::remove_older(directory);
  return result;
}

// Settings that a resumed run may change: where it ends, and what leaves its state alone.
bool matters_to_resume(const std::string& path) {
  static const std::set<std::string> free = {"name",
                                             "label",
                                             "description",
                                             "train.total_steps",
                                             "train.total_episodes",
                                             "train.threads",
                                             "train.final_eval_episodes",
                                             "train.stop_success",
                                             "train.stop_evals",
                                             "train.checkpoint_every",
                                             "train.checkpoints_kept",
                                             "train.checkpoint_replay",
                                             "train.histograms",
                                             "train.film_every"};
  return !path.starts_with("source.") && !free.contains(path);
}

BuildInfo build_of(const TomlValues& values) {
  const auto text = [&](const char* path) {
    const TomlValues::Value* v = values.find(path);
    const std::string* s = v == nullptr ? nullptr : std::get_if<std::string>(&v->value);
    return s == nullptr ? std::string("unknown") : *s;
  };
  return {text("build.revision"), text("build.compiler"), text("build.flags"), text("build.cpu"),
          text("build.libraries")};
}

// Empty, or the sentence why the checkpoint's run is not this experiment's.
std::string checkpoint_problem(const std::filesystem::path& file, Experiment& e, bool any_build) {
  const std::string name = file.string();
  const TomlValues values = TomlValues::from_text(read_state_config(file, kCheckpointKind), name);
  if (!any_build) {
    const BuildInfo then = build_of(values), now = BuildInfo::current();
    for (const auto& [what, a, b] :
         {std::tuple{"revision", then.revision, now.revision}, std::tuple{"compiler", then.compiler, now.compiler},
          std::tuple{"flags", then.flags, now.flags}, std::tuple{"processor", then.cpu, now.cpu},
          std::tuple{"libraries", then.libraries, now.libraries}})
      if (a != b)
        return fmt::format(
            "{}: build {} = {}; expected {}, this program's; --any-build goes on all the same, with "
            "results that no single build repeats",
            name, what, a, b);
  }
  Experiment saved = make_experiment(values);
  const std::vector<std::string> found = differences(saved, name, e, "the run to go on", matters_to_resume);
  return fmt::format("{}", fmt::join(found, "\n"));
}

// @throws UsageError
void load_checkpoint(RunParts& parts, const std::filesystem::path& directory, bool any_build) {
  const std::filesystem::path file = CheckpointSeries::newest(directory);
  try {
    if (const std::string problem = checkpoint_problem(file, parts.experiment, any_build); !problem.empty())
      throw UsageError(problem);
    const TomlValues saved = TomlValues::from_text(read_state_config(file, kCheckpointKind), file.string());
    load_state(file, kCheckpointKind, parts.state(make_experiment(saved).train.checkpoint_replay));
  } catch (const UsageError&) {
    throw;
  } catch (const std::runtime_error& e) {
    std::string advice;
    if (const auto older = CheckpointSeries::older(directory); !older.empty())
      advice = fmt::format("; copy {} over it to go on from there", older.back().string());
    throw UsageError(std::string(e.what()) + advice);
  }
}

Experiment load_config(const std::filesystem::path& directory, const std::vector<std::string>& set) {
  const std::filesystem::path config = directory / kConfigFile;
  if (!std::filesystem::is_regular_file(config))
    throw UsageError(fmt::format("{} is not a run directory: it holds no {}", directory.string(), kConfigFile));
  TomlValues values = TomlValues::from_file(config);
  for (const std::string& s : set) values.set(s);
  return make_experiment(values);
}

}  // namespace

std::filesystem::path default_directory(const Experiment& e) {
  return std::filesystem::path("runs") / e.name / fmt::format("seed_{}", e.seed);
}

std::optional<RunResult> train_in_directory(Experiment& e, const std::filesystem::path& directory, bool quiet) {
  RunLog::check_unused(directory);
  check_before_training(e, false);
  RunParts parts(e);
  load_initial_policies(*parts.agent, e.seed);
  fill_memory(parts);
  const std::string config = e.to_toml();
  RunLog log(directory, config);
  const DirectoryLock lock(directory);
  log.note("config", "```toml\n" + config + "```");
  log_hparams(e, log);
  parts.record_in(directory);
  return train_to_the_end(parts, log, quiet);
}

std::optional<RunResult> resume_in_directory(const std::filesystem::path& directory,
                                             const std::vector<std::string>& set, bool any_build, bool quiet) {
  Experiment e = load_config(directory, set);
  const DirectoryLock lock(directory);
  const bool finished = std::filesystem::exists(directory / kResultFile);
  const bool saved = std::filesystem::exists(CheckpointSeries::newest(directory));
  if (finished && (set.empty() || !saved))
    throw UsageError(fmt::format("{} has finished{}", directory.string(),
                                 saved ? "; to train on, give it more, e.g. --set train.total_steps=N"
                                       : " and holds no checkpoint to train on from"));
  // Without a checkpoint the run begins again, which is the same only with the same configuration.
  Experiment before = load_config(directory, {});
  if (const auto found = differences(before, kConfigFile, e, "--set", matters_to_resume); !found.empty())
    throw UsageError(fmt::format("{}", fmt::join(found, "\n")));
  check_before_training(e, true);
  RunParts parts(e);
  if (!saved) {
    std::filesystem::remove_all(episode_parts(directory));
    std::filesystem::remove(episode_file(directory));
  }
  if (!saved) load_initial_policies(*parts.agent, e.seed);
  if (!saved || !e.train.checkpoint_replay) fill_memory(parts);
  parts.record_in(directory);
  if (saved) load_checkpoint(parts, directory, any_build);
  // A checkpoint is saved behind the rows of its step, unless it was taken on the way to them.
  const TrainState& state = parts.run.state;
  std::filesystem::remove(directory / kResultFile);
  write_file_atomically(directory / kConfigFile, e.to_toml());
  RunLog log = RunLog::resume(directory, state.progress.step - (state.evaluation_due ? 1 : 0));
  return train_to_the_end(parts, log, quiet);
}

std::string resume_problem(const std::filesystem::path& directory, Experiment& experiment) {
  try {
    Experiment there = load_config(directory, {});
    const auto found = differences(there, (directory / kConfigFile).string(), experiment, "the run that is wanted",
                                   [](const std::string&) { return true; });
    if (!found.empty()) return found.front();
    const std::filesystem::path file = CheckpointSeries::newest(directory);
    return std::filesystem::exists(file) ? checkpoint_problem(file, experiment, false) : "";
  } catch (const std::exception& e) {  // not readable: a kill may have left half a file
    return e.what();
  }
}

void remove_checkpoints(const std::filesystem::path& directory) {
  CheckpointSeries::remove_older(directory);
  std::filesystem::remove(CheckpointSeries::newest(directory));
}

std::optional<RunResult> read_result(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kResultFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    std::ifstream in(file);
    const nlohmann::ordered_json j = nlohmann::ordered_json::parse(in);
    RunResult r;
    r.experiment = j.at("experiment");
    r.seed = j.at("seed");
    r.end = j.at("end");
    r.progress.step = j.at("steps");
    r.progress.episodes = j.at("episodes");
    r.progress.updates = j.at("updates");
    r.progress.wall_seconds = j.at("wall_seconds");
    const nlohmann::ordered_json& f = j.at("final");
    r.final = {.episodes = f.at("episodes"),
               .success = f.at("success"),
               .success_any = f.at("success_any"),
               .reward = f.at("return"),
               .length = f.at("length")};
    r.final.kinds = kinds_of(f);
    r.revision = j.at("revision");
    r.cpu = j.at("cpu");
    return r;
  } catch (const nlohmann::json::exception& e) {
    throw std::runtime_error(fmt::format("{}: not a result of a run: {}", file.string(), e.what()));
  }
}

LoadedRun load_run(const std::filesystem::path& directory, const std::vector<std::string>& set) {
  for (const std::string& change : set)
    if (!change.starts_with("env.") || change.starts_with("env.name"))
      throw UsageError(
          fmt::format("--set {}: of a trained policy only settings of its environment can be changed; "
                      "expected env.<setting>=<value>",
                      change));
  const std::filesystem::path policy = directory / kPolicyFile;
  Experiment experiment = load_config(directory, {});
  experiment.train.eval_env.insert(experiment.train.eval_env.end(), set.begin(), set.end());
  if (!std::filesystem::is_regular_file(policy))
    throw UsageError(
        fmt::format("{} holds no {}: the run ended before its first evaluation", directory.string(), kPolicyFile));
  LoadedRun run;
  run.experiment = std::move(experiment);
  const EnvFactory make_env = run.experiment.eval_env_factory();
  run.spec = make_env()->spec();
  run.agent = run.experiment.make_agent(run.spec, 0, Rng(0));
  try {
    load_state(policy, kPolicyKind, [&](StateVisitor& v) { run.agent->visit_policy(v); });
  } catch (const std::runtime_error& e) {
    throw UsageError(e.what());
  }
  return run;
}

}  // namespace goalpost
