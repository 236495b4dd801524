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
#include <vector>

#include "core/parallel.h"
#include "core/text.h"
#include "render/film.h"
#include "run/initial_policy.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
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

VectorEnv make_evaluation_env(const EnvFactory& make, int episodes, Rng rng, int threads) {
  return VectorEnv(make, evaluation_lanes(episodes, make()->spec()), rng, threads);
}

namespace {

constexpr char kPolicyFile[] = "policy.h5", kResultFile[] = "result.json";
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
    if (e.unstable > 0)
      evaluation.push_back({"unstable_episodes", static_cast<double>(e.unstable), "eval/unstable_episodes"});
    log_.write("eval", p.step, evaluation);
    std::vector<RunLog::Column> row = {
        {"updates", updates, ""}, {"episodes", episodes, ""}, {"wall_seconds", p.wall_seconds, ""}};
    if (p.episodes > 0) {
      row.push_back({"success", p.success, "rollout/success_rate"});
      row.push_back({"success_any", p.success_any, "rollout/success_any_rate"});
      row.push_back({"return", p.reward, "rollout/ep_rew_mean"});
      row.push_back({"length", p.length, "rollout/ep_len_mean"});
    }
    if (p.unstable_episodes > 0)
      row.push_back({"unstable_episodes", static_cast<double>(p.unstable_episodes), "rollout/unstable_episodes"});
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
    if (f.affects_results && f.path != "seed") group += f.path + "=" + f.value + " ";
  }
  log.events().add_hparams(hparams, fmt::format("{} {:016x}", e.name, std::hash<std::string>()(group)));
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
            {"kinds", to_json(r.final.kinds)},
            {"unstable", r.final.unstable}}},
          {"revision", r.revision},
          {"cpu", r.cpu},
          {"identity", r.identity}};
}

// Records the episodes that train.record asks for. Before an evaluation and before a checkpoint all parts are sealed,
// so that those behind it can be taken away.
class RunEpisodes final : public RunObserver {
 public:
  /// Evaluations may have another time limit (train.eval_env): the file's is the longer one.
  RunEpisodes(const std::filesystem::path& directory, Experiment& e, const VectorEnv& env, const VectorEnv& eval_env)
      : mode_(e.train.record),
        training_(env.spec(), env.lanes(), EpisodePurpose::training),
        evaluation_(eval_env.spec(), eval_env.lanes(), EpisodePurpose::evaluation),
        recorder_(
            directory, longer(env.spec(), eval_env.spec()),
            EpisodeHeader::of(longer(env.spec(), eval_env.spec()), static_cast<std::uint64_t>(e.seed), e.to_toml()),
            {.compressed = e.train.record_compressed,
             .on_failure = [](const std::string& sentence) { print_error(fmt::format("goalpost: {}", sentence)); }}) {}

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
  static EnvSpec longer(EnvSpec spec, const EnvSpec& other) {
    spec.max_steps = std::max(spec.max_steps, other.max_steps);
    return spec;
  }

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
      print_error(fmt::format("goalpost: {}", e.what()));
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
        eval_env(make_evaluation_env(make_eval_env, e.train.eval_episodes, rng.stream("eval"), e.train.threads)),
        agent(e.make_agent(env.spec(), e.train.lanes, rng.stream("agent"))),
        run{.agent = *agent, .env = env, .eval_env = eval_env, .rng = rng.stream("run"), .on_evaluation = {}} {
    set_compute_threads(e.train.threads);
    set_precision(e.train.precision);
    if (e.train.film_every > 0)
      films = std::make_unique<RunFilms>(make_eval_env, e.train.film_every, rng.stream("film"));
  }

  void record_in(const std::filesystem::path& directory) {
    if (experiment.train.record == RecordMode::none) return;
    episodes = std::make_unique<RunEpisodes>(directory, experiment, env, eval_env);
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

// Puts the episodes of agent.replay.dataset into the memory, one lane after the other. Returns nothing if interrupted;
// otherwise what the dataset adds to BuildInfo::inputs, which is empty without one.
std::optional<std::string> fill_memory(RunParts& parts) {
  const OffPolicyConfig* c = find_algorithm(parts.experiment.algorithm).off_policy(*parts.experiment.agent_settings);
  if (c == nullptr || c->replay.dataset.empty()) return "";
  int lane = 0;
  try {
    const auto remember = [&](const StepBatch& step) {
      parts.agent->remember(step, lane);
      if (step.ended(0)) lane = (lane + 1) % parts.env.lanes();
    };
    if (!replay_dataset(c->replay.dataset, parts.env.spec(), remember, interrupted)) return std::nullopt;
    if (parts.env.spec().can_fail && dataset_identity(c->replay.dataset).guesses_failures)
      fmt::print(stderr, "goalpost: agent.replay.dataset: {}: {}\n", c->replay.dataset, kGuessedFailures);
    if (c->replay.dataset_check) expect_same_task(c->replay.dataset, parts.env.spec(), parts.experiment.to_toml());
    return "agent.replay.dataset " + dataset_digest(c->replay.dataset);
  } catch (const DatasetMismatch& e) {
    throw UsageError(
        fmt::format("agent.replay.dataset: {} (agent.replay.dataset_check=false takes it all the same)", e.what()));
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(fmt::format("agent.replay.dataset: {}", e.what()));
  }
}

// Gives a new agent what its run begins with, and notes it in BuildInfo::inputs. Returns false if interrupted.
bool begin_agent(RunParts& parts) {
  std::vector<std::string> inputs = load_initial_policies(*parts.agent, parts.experiment);
  const std::optional<std::string> dataset = fill_memory(parts);
  if (!dataset) return false;
  if (!dataset->empty()) inputs.push_back(*dataset);
  parts.experiment.build.inputs = fmt::format("{}", fmt::join(inputs, ", "));
  return true;
}

// @param earlier the result of the finished run that goes on
std::optional<RunResult> train_to_the_end(RunParts& parts, RunLog& log, bool quiet,
                                          std::optional<RunResult> earlier = std::nullopt) {
  Experiment& e = parts.experiment;
  Run& run = parts.run;
  Agent& agent = *parts.agent;
  TrainConfig& c = e.train;
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
  const auto save_last_policy = [&] { save_policy(directory / kPolicyFile, e, run.env.spec(), run.progress(), agent); };
  run.on_evaluation = [&](const TrainProgress& p, const Evaluation& evaluation, const Metrics& metrics) {
    last = evaluation;
    save_last_policy();
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
  run.on_unstable = [&](const std::string& sentence) {
    print_error(fmt::format(
        "goalpost: {}; the episode is cut, counted in rollout/unstable_episodes, and the run goes on", sentence));
  };
  run.on_checkpoint = [&] {
    if (parts.episodes) parts.episodes->seal();
    log.sync();
    save_last_policy();
    // A run that was resumed from a checkpoint leaves one, or what it reports from here on could not be gone on with.
    if (c.checkpoint_every > 0 || std::filesystem::exists(CheckpointSeries::newest(directory)))
      checkpoints.save(run.progress().step, kCheckpointKind, parts.state(c.checkpoint_replay), config);
    if (!earlier) return;
    // What the run has become is saved: from here on it is unfinished. If the second of these is not reached, it goes
    // on by its configuration, which leaves it something to do.
    write_file_atomically(directory / kConfigFile, config);
    std::filesystem::rename(directory / kResultFile, directory / fmt::format("result_{}.json", earlier->progress.step));
    earlier.reset();
  };

  TrainEnd end;
  try {
    end = train(run, c);
  } catch (const std::exception&) {
    try {  // the last evaluation's policy stays if this one is not to be used
      if (is_finite(agent)) save_last_policy();
      log.events().add_hparams_end(false);
    } catch (const std::exception&) {  // e.g. a full disk; the first error is told
    }
    throw;
  }
  if (end == TrainEnd::interrupted) {
    bar.finish();
    return std::nullopt;
  }
  if (parts.episodes) parts.episodes->finish();
  VectorEnv final_env =
      make_evaluation_env(parts.make_eval_env, c.final_eval_episodes, parts.rng.stream("final"), c.threads);
  RunResult result{.experiment = e.name,
                   .seed = e.seed,
                   .revision = e.build.revision,
                   .cpu = e.build.cpu,
                   .identity = e.identity(),
                   .end = end == TrainEnd::success ? "success" : "budget",
                   .progress = run.progress(),
                   .final = evaluate(agent, final_env, c.final_eval_episodes, parts.rng.stream("final"), interrupted)};
  bar.finish();
  if (result.final.unstable > 0) run.on_unstable(result.final.instability);
  if (!result.final.complete) {  // the training is done: what a resumed run needs to do this evaluation again
    if (!std::filesystem::exists(CheckpointSeries::newest(directory))) {
      c.checkpoint_replay = false;
      checkpoints.save(run.progress().step, kCheckpointKind, parts.state(false), e.to_toml());
    }
    return std::nullopt;
  }
  log.events().add_hparams_end(true);
  log.sync();
  write_file_atomically(directory / kResultFile, to_json(result).dump(2) + "\n");
  CheckpointSeries::remove_older(directory);
  return result;
}

// Where training ends, and what leaves its state alone, may be changed.
bool fixed_on_resume(const FieldText& f) { return !f.changeable; }

// Empty, or the sentence why the checkpoint's run is not this experiment's.
std::string checkpoint_problem(const std::filesystem::path& file, const Experiment& e, bool any_build) {
  const std::string name = file.string();
  const TomlValues values = TomlValues::from_text(read_state_config(file, kCheckpointKind), name);
  if (!any_build) {
    const BuildInfo then = BuildInfo::recorded(values), now = BuildInfo::current();  // without inputs
    const auto found = build_differences(then, now);
    for (const auto& [what, a, b] : found)
      if (what != "resumed")
        return fmt::format(
            "{}: build {} = {}; expected {}, this program's; --any-build goes on all the same, with "
            "results that no single build repeats",
            name, what, a, b);
    if (const std::string unknown = unknown_of(then); !unknown.empty())
      fmt::print(stderr, "goalpost: {} is of an earlier version and does not say its build's {}; not compared\n", name,
                 unknown);
  }
  Experiment saved = make_experiment(values);
  const std::vector<std::string> found = differences(saved, name, e, "the run to go on", fixed_on_resume);
  return fmt::format("{}", fmt::join(found, "\n"));
}

// The settings that a checkpoint was saved with. @throws std::runtime_error if it cannot be read
TrainConfig settings_of(const std::filesystem::path& checkpoint) {
  const std::string config = read_state_config(checkpoint, kCheckpointKind);
  return make_experiment(TomlValues::from_text(config, checkpoint.string())).train;
}

// A checkpoint without the replay buffer is completed by the dataset, if the run has one. Returns false if interrupted.
// @throws UsageError
bool load_checkpoint(RunParts& parts, const std::filesystem::path& directory, bool any_build) {
  const std::filesystem::path file = CheckpointSeries::newest(directory);
  try {
    if (const std::string problem = checkpoint_problem(file, parts.experiment, any_build); !problem.empty())
      throw UsageError(problem);
    const TrainConfig saved = settings_of(file);  // not what --set has made of them
    if (!saved.checkpoint_replay) {
      const std::optional<std::string> dataset = fill_memory(parts);
      if (!dataset) return false;
      std::string& inputs = parts.experiment.build.inputs;
      if (!inputs.empty() && inputs.find(*dataset) == inputs.npos) {
        if (!any_build)
          throw UsageError(
              fmt::format("{}: build inputs = {}; expected {}, the dataset as it is now; --any-build goes on all the "
                          "same, with results that no single dataset repeats",
                          file.string(), inputs, *dataset));
        inputs += ", then " + *dataset;
      }
    }
    load_state(file, kCheckpointKind, parts.state(saved.checkpoint_replay));
    // Evaluations that count toward stopping early had the success that was asked for then.
    if (const double now = parts.experiment.train.stop_success; now == 0 || now > saved.stop_success)
      parts.run.state.successes_in_a_row = 0;
    return true;
  } catch (const UsageError&) {
    throw;
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    std::string advice;
    if (const auto older = CheckpointSeries::older(directory); !older.empty())
      advice = fmt::format("; copy {} over it to go on from there", older.back().string());
    throw UsageError(std::string(e.what()) + advice);
  }
}

// What a run that has ended needs to be trained on, e.g. "--set train.total_steps=N"; empty if its settings leave
// something to do.
std::string needed_to_go_on(const TrainProgress& p, std::int64_t successes_in_a_row, const TrainConfig& c) {
  if (c.stop_success > 0 && successes_in_a_row >= c.stop_evals) return "--set train.stop_success=0";
  if (c.total_episodes > 0 && p.episodes >= c.total_episodes)
    return fmt::format("--set train.total_episodes=N, more than {}, or 0", p.episodes);
  if (p.step >= c.total_steps) return fmt::format("--set train.total_steps=N, more than {}", p.step);
  return "";
}

std::string no_checkpoint(const std::filesystem::path& directory) {
  return fmt::format(
      "{0} was trained without checkpoints (train.checkpoint_every = 0) and cannot go on; what it holds stays. "
      "`goalpost "
      "train {0}/{1} --out DIR --set train.checkpoint_every=N` trains it again in another directory",
      directory.string(), kConfigFile);
}

// A checkpoint is saved after the rows of its evaluations. Where a power failure has taken some of them nevertheless,
// the run goes on from the newest checkpoint whose rows are all there, and writes the others again: a curve has no
// hole.
// @throws UsageError if there is none
void go_back_to_whole_curve(const std::filesystem::path& directory) {
  const auto missing = [&](const std::filesystem::path& checkpoint) -> std::string {
    const auto n = read_state_counters(checkpoint, kCheckpointKind,
                                       {"train/progress/step", "train/evaluation_due", "train/evaluations"});
    for (const char* stream : {"eval", "train"}) {
      const std::uint64_t rows = RunLog::rows(directory, stream, static_cast<std::int64_t>(n[0] - (n[1] != 0 ? 1 : 0)));
      if (rows < n[2])
        return fmt::format("{} holds {} of the {} rows up to step {} of {}",
                           (directory / fmt::format("{}.csv", stream)).string(), rows, n[2], n[0],
                           checkpoint.filename().string());
    }
    return "";
  };
  const std::filesystem::path newest = CheckpointSeries::newest(directory);
  std::string lost;
  try {
    lost = missing(newest);
  } catch (const std::runtime_error&) {  // damaged: load_checkpoint says what is wrong
    return;
  }
  if (lost.empty()) return;
  const std::vector<std::filesystem::path> older = CheckpointSeries::older(directory);
  for (auto file = older.rbegin(); file != older.rend(); ++file) {
    std::string problem;
    try {
      problem = missing(*file);
    } catch (const std::runtime_error& e) {
      problem = e.what();
    }
    if (!problem.empty()) continue;
    fmt::print(stderr, "goalpost: {}; going on from {}, whose rows are all there\n", lost, file->string());
    CheckpointSeries::go_back_to(directory, *file);
    return;
  }
  throw UsageError(
      fmt::format("{}: the others are lost, and no older checkpoint has all of its rows; restore the file, or train "
                  "anew with another --out",
                  lost));
}

// What resuming from the checkpoint adds to BuildInfo::resumed.
std::string traces_of_resuming(const std::filesystem::path& directory) {
  const std::filesystem::path file = CheckpointSeries::newest(directory);
  const TomlValues values = TomlValues::from_text(read_state_config(file, kCheckpointKind), file.string());
  BuildInfo then = BuildInfo::recorded(values);
  std::string traces = then.resumed == BuildInfo::kUnknown ? "" : then.resumed;
  const auto add = [&](const std::string& trace) {
    if (traces.find(trace) == traces.npos) traces += (traces.empty() ? "" : ", ") + trace;
  };
  then.resumed.clear();
  for (const auto& [what, a, b] : build_differences(then, BuildInfo::current()))
    add(fmt::format("from {} {} with {}", what, a, b));
  if (!make_experiment(values).train.checkpoint_replay) add("without its replay buffer");
  return traces;
}

Experiment load_config(const std::filesystem::path& directory, const std::vector<std::string>& set) {
  const std::filesystem::path config = directory / kConfigFile;
  expect_no_stream(config);
  if (!std::filesystem::is_regular_file(config))
    throw UsageError(fmt::format("{} is not a run directory: it holds no {}", directory.string(), kConfigFile));
  TomlValues values = TomlValues::from_file(config);
  for (const std::string& s : set) values.set(s);
  Experiment e = make_experiment(values);
  e.build.inputs = BuildInfo::recorded(values).inputs;  // what the run began with, whatever has become of the files
  return e;
}

}  // namespace

std::filesystem::path default_directory(const Experiment& e) {
  return std::filesystem::path("runs") / e.name / fmt::format("seed_{}", e.seed);
}

std::optional<RunResult> train_in_directory(Experiment& e, const std::filesystem::path& directory, bool quiet) {
  RunLog::check_unused(directory);
  check_before_training(e, false);
  RunParts parts(e);
  if (!begin_agent(parts)) return std::nullopt;
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
  const std::optional<RunResult> result = read_result(directory);
  const bool saved = std::filesystem::exists(CheckpointSeries::newest(directory));
  Experiment before = load_config(directory, {});
  if (result && !saved)
    throw UsageError(fmt::format("{} has finished and holds no checkpoint to train on from", directory.string()));
  // Without a checkpoint the run begins again, which is the same only with the same configuration.
  if (const auto found = differences(before, kConfigFile, e, "--set", fixed_on_resume); !found.empty())
    throw UsageError(fmt::format("{}", fmt::join(found, "\n")));
  check_before_training(e, true);
  const bool other_evaluation = e.train.final_eval_episodes != before.train.final_eval_episodes;
  if (result) {  // looked at before anything is touched
    const bool counts = e.train.stop_success > 0 && e.train.stop_success <= before.train.stop_success;
    const std::string more =
        needed_to_go_on(result->progress, result->end == "success" && counts ? before.train.stop_evals : 0, e.train);
    if (set.empty() && !more.empty())
      throw UsageError(fmt::format("{} has finished; to train on, give it more: {}", directory.string(), more));
    if (!more.empty() && !other_evaluation)
      throw UsageError(fmt::format("{} has finished, and with these settings nothing is left to train; expected {}",
                                   directory.string(), more));
  }
  if (!saved && before.train.checkpoint_every == 0) throw UsageError(no_checkpoint(directory));
  if (saved) go_back_to_whole_curve(directory);
  RunParts parts(e);
  if (!saved) {
    print_error(fmt::format("goalpost: {} was ended before its first checkpoint; it begins again, to the same bits",
                            directory.string()));
    std::filesystem::remove_all(episode_parts(directory));
    std::filesystem::remove(episode_file(directory));
    if (!begin_agent(parts)) return std::nullopt;
  }
  parts.record_in(directory);
  if (saved && !load_checkpoint(parts, directory, any_build)) return std::nullopt;
  if (saved) e.build.resumed = traces_of_resuming(directory);
  // A checkpoint is saved behind the rows of its step, unless it was taken on the way to them.
  const TrainState& state = parts.run.state;
  RunLog log = RunLog::resume(directory, state.progress.step - (state.evaluation_due ? 1 : 0));
  if (!result) write_file_atomically(directory / kConfigFile, e.to_toml());
  return train_to_the_end(parts, log, quiet, result);
}

bool can_be_resumed(const std::filesystem::path& directory) {
  return std::filesystem::exists(CheckpointSeries::newest(directory)) ||
         load_config(directory, {}).train.checkpoint_every > 0;
}

std::string resume_problem(const std::filesystem::path& directory, const Experiment& experiment) {
  try {
    Experiment there = load_config(directory, {});
    const auto found = differences(there, (directory / kConfigFile).string(), experiment, "the run that is wanted",
                                   [](const FieldText& f) { return f.affects_results || !f.changeable; });
    if (!found.empty()) return found.front();
    const std::filesystem::path file = CheckpointSeries::newest(directory);
    if (!can_be_resumed(directory)) return no_checkpoint(directory);
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
  expect_no_stream(file);
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
    r.final.unstable = f.value("unstable", 0);
    r.revision = j.at("revision");
    r.cpu = j.at("cpu");
    r.identity = j.value("identity", "");
    return r;
  } catch (const nlohmann::json::exception& e) {
    throw std::runtime_error(fmt::format("{}: not a result of a run: {}", file.string(), e.what()));
  }
}

}  // namespace goalpost
