#include "run/run_parts.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>
#include <vector>

#include "core/text.h"
#include "core/thread_pool.h"
#include "run/training_check.h"
#include "run/warm_start.h"
#include "storage/dataset.h"
#include "storage/dataset_task.h"
#include "storage/file.h"

namespace goalpost {

namespace {

Rng rng_of(const Experiment& e, int worker) {
  const Rng rng(static_cast<std::uint64_t>(e.seed));
  return worker == 0 ? rng : rng.stream("worker", static_cast<std::uint64_t>(worker));
}

}  // namespace

RunParts::RunParts(Experiment& e, const RunOptions& run_options, int worker_index, int env_threads)
    : experiment(e),
      options(run_options),
      worker(worker_index),
      threads(env_threads),
      rng(rng_of(e, worker)),
      make_eval_env(e.eval_env_factory()),
      env(e.env_factory(), e.train.num_envs, rng.stream("train"), threads),
      eval_env(make_evaluation_env(make_eval_env, e.train.eval_episodes, rng.stream("eval"), threads, worker,
                                   e.train.workers)),
      agent(e.make_agent(env.spec(), e.train.num_envs, rng_of(e, 0).stream("agent"))),
      run{.agent = *agent,
          .env = env,
          .eval_env = eval_env,
          .rng = rng.stream("run"),
          .stop = options.stop,
          .all_lanes = e.train.num_envs * e.train.workers} {
  if (e.train.workers > 1) agent->become_worker(rng.stream("agent"));
  set_compute_threads(e.train.threads);
  set_precision(e.train.precision);
  if (e.train.video_every > 0 && worker == 0)
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
    for (const std::string& sentence : *sentences) print_error(fmt::format("goalpost: warning: {}", sentence));
}

std::optional<std::string> fill_memories(HostedWorkers workers) {
  RunParts& parts = *workers.front();
  const OffPolicyConfig* c = find_algorithm(parts.experiment.algorithm).off_policy(*parts.experiment.agent_settings);
  if (c == nullptr || c->replay.dataset.empty()) return "";
  std::int64_t episode = 0;
  const std::int64_t all_workers = parts.experiment.train.workers;
  try {
    const auto remember = [&](const StepBatch& step) {
      const std::int64_t hosted = episode % all_workers - parts.worker;  // place of the worker that gets the episode
      if (hosted >= 0 && hosted < std::ssize(workers))
        workers[static_cast<std::size_t>(hosted)]->agent->add_offline_transition(
            step, static_cast<int>(episode / all_workers % parts.env.lanes()));
      if (step.ended(0)) ++episode;
    };
    if (!replay_dataset(c->replay.dataset, parts.env.spec(), remember, parts.options.stop)) return std::nullopt;
    if (parts.env.spec().can_fail && dataset_identity(c->replay.dataset).guesses_failures)
      print_error(fmt::format("goalpost: agent.replay.dataset: {}: {}", c->replay.dataset, kGuessedFailures));
    if (c->replay.dataset_check) expect_same_task(c->replay.dataset, parts.env.spec(), parts.experiment.to_toml());
    return dataset_input(c->replay.dataset);
  } catch (const DatasetMismatch& e) {
    throw UsageError(fmt::format("agent.replay.dataset: {} (agent.replay.dataset_check=false accepts it)", e.what()));
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(fmt::format("agent.replay.dataset: {}", e.what()));
  }
}

bool begin_agents(HostedWorkers workers) {
  RunParts& parts = *workers.front();
  for (const auto& worker : workers) load_warm_starts(*worker->agent, parts.experiment);
  std::vector<std::string> inputs = warm_start_digests(*parts.agent);
  const std::optional<std::string> dataset = fill_memories(workers);
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

}  // namespace goalpost
