#include "run/run_parts.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>
#include <vector>

#include "core/text.h"
#include "core/thread_pool.h"
#include "run/policy_file.h"
#include "run/run_files.h"
#include "run/training_check.h"
#include "run/warm_start.h"
#include "storage/dataset.h"
#include "storage/dataset_task.h"
#include "storage/file.h"

namespace goalpost {

RunParts::RunParts(Experiment& e, const RunOptions& run_options)
    : experiment(e),
      options(run_options),
      rng(static_cast<std::uint64_t>(e.seed)),
      make_eval_env(e.eval_env_factory()),
      env(e.env_factory(), e.train.num_envs, rng.stream("train"), e.train.threads),
      eval_env(make_evaluation_env(make_eval_env, e.train.eval_episodes, rng.stream("eval"), e.train.threads)),
      agent(e.make_agent(env.spec(), e.train.num_envs, rng.stream("agent"))),
      run{.agent = *agent, .env = env, .eval_env = eval_env, .rng = rng.stream("run"), .stop = options.stop} {
  set_compute_threads(e.train.threads);
  set_precision(e.train.precision);
  if (e.train.video_every > 0)
    videos =
        std::make_unique<VideoCallback>(make_eval_env, *agent, e.train.video_every, rng.stream("film"), options.stop);
}

void RunParts::record_in(const std::filesystem::path& directory) {
  if (experiment.train.record == RecordMode::none) return;
  episodes = std::make_unique<EpisodeCallback>(directory, experiment, env, eval_env);
  run.callbacks.push_back(episodes.get());
}

namespace {

// What a dataset adds to BuildInfo::inputs.
std::string dataset_input(const std::string& dataset) { return "agent.replay.dataset " + dataset_digest(dataset); }

}  // namespace

void check_before_training(const Experiment& e, bool resumed) {
  const TrainingCheck check = check_training(e);
  if (!resumed && !check.problems.empty()) throw UsageError(fmt::format("{}", fmt::join(check.problems, "\n")));
  check_memory(e, resumed);
  for (const auto* sentences : {&check.problems, &check.warnings})
    for (const std::string& sentence : *sentences) fmt::print(stderr, "goalpost: warning: {}\n", sentence);
}

std::optional<std::string> fill_memory(RunParts& parts) {
  const OffPolicyConfig* c = find_algorithm(parts.experiment.algorithm).off_policy(*parts.experiment.agent_settings);
  if (c == nullptr || c->replay.dataset.empty()) return "";
  int lane = 0;
  try {
    const auto remember = [&](const StepBatch& step) {
      parts.agent->add_offline_transition(step, lane);
      if (step.ended(0)) lane = (lane + 1) % parts.env.lanes();
    };
    if (!replay_dataset(c->replay.dataset, parts.env.spec(), remember, parts.options.stop)) return std::nullopt;
    if (parts.env.spec().can_fail && dataset_identity(c->replay.dataset).guesses_failures)
      fmt::print(stderr, "goalpost: agent.replay.dataset: {}: {}\n", c->replay.dataset, kGuessedFailures);
    if (c->replay.dataset_check) expect_same_task(c->replay.dataset, parts.env.spec(), parts.experiment.to_toml());
    return dataset_input(c->replay.dataset);
  } catch (const DatasetMismatch& e) {
    throw UsageError(fmt::format("agent.replay.dataset: {} (agent.replay.dataset_check=false accepts it)", e.what()));
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(fmt::format("agent.replay.dataset: {}", e.what()));
  }
}

bool begin_agent(RunParts& parts) {
  load_warm_starts(*parts.agent, parts.experiment);
  std::vector<std::string> inputs = warm_start_digests(*parts.agent);
  const std::optional<std::string> dataset = fill_memory(parts);
  if (!dataset) return false;
  if (!dataset->empty()) inputs.push_back(*dataset);
  parts.experiment.build.inputs = fmt::format("{}", fmt::join(inputs, ", "));
  return true;
}

std::string inputs_of(const Experiment& e) {
  const std::unique_ptr<Agent> agent = e.make_agent(e.env_factory()()->spec(), 0, Rng(0));
  std::vector<std::string> inputs = warm_start_digests(*agent);
  const OffPolicyConfig* c = find_algorithm(e.algorithm).off_policy(*e.agent_settings);
  if (c != nullptr && !c->replay.dataset.empty()) inputs.push_back(dataset_input(c->replay.dataset));
  return fmt::format("{}", fmt::join(inputs, ", "));
}

std::optional<RunResult> train_to_the_end(RunParts& parts, RunLog& log, std::optional<RunResult> earlier) {
  Experiment& e = parts.experiment;
  Run& run = parts.run;
  const TrainConfig& c = e.train;
  RunFiles files(e, run, log, std::move(earlier));
  run.callbacks.push_back(&files);  // after the recorder of episodes, whose state is in a checkpoint
  if (parts.videos) {
    parts.videos->record_in(log.directory(), run.progress().step);
    run.callbacks.push_back(parts.videos.get());
  }
  std::unique_ptr<TrainCallback> progress;
  if (parts.options.progress) progress = parts.options.progress(e, run.progress());
  if (progress) run.callbacks.push_back(progress.get());

  TrainEnd end;
  try {
    end = train(run, c);
  } catch (const std::exception&) {
    try {  // the last evaluation's policy stays if this one is not to be used
      if (is_finite(run.agent)) files.save_last_policy();
      log.events().add_hparams_end(false);
    } catch (const std::exception&) {  // e.g. a full disk; the first error is reported
    }
    throw;
  }
  if (end == TrainEnd::interrupted) return std::nullopt;
  if (parts.episodes) parts.episodes->finish();
  const Rng final_rng = parts.rng.stream("final");
  const auto on_final_step = [&](const StepBatch& step, std::size_t lane) {
    if (progress) progress->on_evaluation_step(step, lane, run.progress());
  };
  VectorEnv final_env = make_evaluation_env(parts.make_eval_env, c.final_eval_episodes, final_rng, c.threads);
  if (progress) progress->on_evaluation_begin(most_evaluation_episodes(c.final_eval_episodes, final_env.spec()));
  const RunResult result{
      .experiment = e.name,
      .seed = e.seed,
      .revision = e.build.revision,
      .cpu = e.build.cpu,
      .identity = e.identity(),
      .end = end == TrainEnd::success ? "success" : "budget",
      .progress = run.progress(),
      .final = evaluate(run.agent, final_env, c.final_eval_episodes, final_rng, parts.options.stop, on_final_step)};
  progress.reset();  // its last line precedes further output
  if (result.final.unstable > 0) files.on_unstable(result.final.instability);
  if (!result.final.complete) {
    files.save_for_final_evaluation();
    print_error(
        fmt::format("goalpost: training is done and saved; its final evaluation was interrupted after {} of {} "
                    "episodes; only the final evaluation remains",
                    result.final.episodes, c.final_eval_episodes));
    return std::nullopt;
  }
  files.finish(result);
  return result;
}

}  // namespace goalpost
