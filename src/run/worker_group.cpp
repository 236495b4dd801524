#include "run/worker_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/communicator.h"
#include "core/text.h"
#include "run/build_info.h"
#include "run/policy_file.h"
#include "run/remote_state.h"
#include "storage/checkpoint.h"
#include "train/trainer.h"

namespace goalpost {
namespace {

constexpr std::string BuildInfo::*kBuildFields[] = {
    &BuildInfo::revision, &BuildInfo::compiler, &BuildInfo::flags,   &BuildInfo::instructions,
    &BuildInfo::cpu,      &BuildInfo::features, &BuildInfo::kernels, &BuildInfo::libraries};

// Rank 0 asks the other processes for their state while it saves a checkpoint; this is the end of that.
struct EndOfCheckpoint final : TrainCallback {
  void on_checkpoint(const TrainProgress&) override { end_remote_visits(job()); }
};

struct StateServer final : TrainCallback {
  std::function<void(StateVisitor& v, bool memory)> visit;
  void on_checkpoint(const TrainProgress&) override { serve_state(job(), visit); }
};

}  // namespace

// Sums are equal in all processes, but everything else that a worker computes is its process's own.
void expect_equal_processes(const Experiment& e) {
  if (job().ranks() == 1) return;
  std::vector<BuildInfo> builds(static_cast<std::size_t>(job().ranks()));
  for (const auto field : kBuildFields) {
    const std::vector<std::string> texts = gather_texts(BuildInfo::current().*field);
    for (std::size_t r = 0; r < builds.size(); ++r) builds[r].*field = texts[r];
  }
  std::string text;
  for (const auto& [path, value] : e.settings()) text += fmt::format("{} = {}\n", path, value);
  const std::vector<std::string> settings = gather_texts(text);
  together([&] {
    if (e.train.workers < job().ranks())
      throw UsageError(
          fmt::format("train.workers = {}, but mpirun has started {} processes; expected at least a worker for each",
                      e.train.workers, job().ranks()));
    for (std::size_t r = 1; r < builds.size(); ++r)
      if (const auto found = build_differences(builds[0], builds[r]); !found.empty())
        throw UsageError(fmt::format(
            "mpirun's process {} has {} = {}, process 0 {}: their bits would differ; expected one build and equal "
            "processors (GOALPOST_KERNELS chooses kernels that all of them have)",
            r, found.front().what, found.front().b, found.front().a));
    if (std::any_of(settings.begin(), settings.end(), [&](const std::string& s) { return s != settings[0]; }))
      throw UsageError("the processes of mpirun have read different settings; expected the same files everywhere");
  });
}

WorkerGroup::WorkerGroup(Experiment& e, const RunOptions& options)
    : experiment_(e), team_(e.train.workers, e.train.threads) {
  for (int k = 0; k < team_.hosted(); ++k)
    parts_.push_back(
        std::make_unique<RunParts>(e, options, team_.first() + k, team_.hosted() == 1 ? e.train.threads : 1));
  if (e.train.workers == 1 || first().worker != 0) return;
  first().run.visit_other_workers = [this](StateVisitor& v, bool memory) {
    visit_hosted(v, memory);
    for (int rank = 1; rank < job().ranks() && !loads_; ++rank) visit_remote_state(job(), rank, v, memory);
  };
}

void WorkerGroup::visit_hosted(StateVisitor& v, bool memory) {
  for (const auto& parts : parts_) {
    if (parts->worker == 0) continue;
    const StateVisitor::Scope scope(v, fmt::format("worker{}", parts->worker));
    visit_part(v, "env", parts->env);
    visit_agent(v, *parts->agent, memory);
    visit_part(v, "warmup_rng", parts->run.state.warmup_rng);
  }
}

void WorkerGroup::load(const std::filesystem::path& file, bool memory, bool successes) {
  Run& run = first().run;
  loads_ = true;
  const StateTraversal visit = [&](StateVisitor& v) {
    if (first().worker == 0) return run.visit_state(v, memory);
    visit_part(v, "train", run.state);
    visit_hosted(v, memory);
  };
  if (job().ranks() == 1)
    load_state(file, kCheckpointKind, visit);
  else
    load_part_of_state(file, kCheckpointKind, visit);
  loads_ = false;
  if (!successes) run.state.successes_in_a_row = 0;
  for (std::size_t k = 1; k < parts_.size(); ++k) {
    TrainState& state = parts_[k]->run.state;
    const Rng own = state.warmup_rng;
    state = run.state;
    state.warmup_rng = own;
  }
}

std::optional<RunResult> WorkerGroup::train_to_the_end(RunLog* log, std::optional<RunResult> earlier) {
  std::optional<RunResult> result;
  team_.run([&](Worker& worker) {
    RunParts& parts = *parts_[static_cast<std::size_t>(worker.index() - team_.first())];
    std::optional<RunResult> own = parts.worker == 0 ? lead(parts, *log, std::move(earlier)) : follow(parts);
    if (&parts == &first()) result = std::move(own);
  });
  return result;
}

// @param progress null but in the run's first worker
std::optional<RunResult> WorkerGroup::train_and_evaluate(RunParts& parts, TrainCallback* progress) {
  Experiment& e = experiment_;
  Run& run = parts.run;
  const TrainConfig& c = e.train;
  const TrainEnd end = train(run, c);
  if (end == TrainEnd::interrupted) return std::nullopt;
  if (parts.episodes) parts.episodes->finish();
  const Rng final_rng = parts.rng.stream("final");
  const auto on_final_step = [&](const StepBatch& step, std::size_t lane) {
    if (progress != nullptr) progress->on_evaluation_step(step, lane, run.progress());
  };
  VectorEnv final_env = make_evaluation_env(parts.make_eval_env, c.final_eval_episodes, final_rng, parts.threads,
                                            parts.worker, c.workers);
  if (progress != nullptr)
    progress->on_evaluation_begin((most_evaluation_episodes(c.final_eval_episodes, final_env.spec()) + c.workers - 1) /
                                  c.workers);
  return RunResult{.experiment = e.name,
                   .seed = e.seed,
                   .revision = e.build.revision,
                   .cpu = e.build.cpu,
                   .identity = e.identity(),
                   .end = end == TrainEnd::success ? "success" : "budget",
                   .progress = run.progress(),
                   .final = evaluate_with(this_worker(), run.agent, final_env, c.final_eval_episodes, final_rng,
                                          parts.options.stop, on_final_step)};
}

std::optional<RunResult> WorkerGroup::lead(RunParts& parts, RunLog& log, std::optional<RunResult> earlier) {
  Experiment& e = experiment_;
  Run& run = parts.run;
  RunFiles files(e, run, log, std::move(earlier));
  EndOfCheckpoint end_of_checkpoint;
  run.callbacks.push_back(&files);  // after the recorder of episodes, whose state is in a checkpoint
  run.callbacks.push_back(&end_of_checkpoint);
  if (parts.videos) {
    parts.videos->record_in(log.directory(), run.progress().step);
    run.callbacks.push_back(parts.videos.get());
  }
  std::unique_ptr<TrainCallback> progress;
  if (parts.options.progress) progress = parts.options.progress(e, run.progress());
  if (progress) run.callbacks.push_back(progress.get());

  std::optional<RunResult> result;
  try {
    result = train_and_evaluate(parts, progress.get());
  } catch (...) {
    try {  // the last evaluation's policy stays if this one is not to be used
      if (is_finite(run.agent)) files.save_last_policy();
      log.events().add_hparams_end(false);
    } catch (const std::exception&) {  // e.g. a full disk; the first error is reported
    }
    throw;
  }
  if (!result) return result;
  progress.reset();  // its last line precedes further output
  if (result->final.unstable > 0) files.on_unstable(result->final.instability);
  if (!result->final.complete) {
    files.save_for_final_evaluation();
    end_remote_visits(job());
    print_error(
        fmt::format("goalpost: training is done and saved; its final evaluation was interrupted after {} of {} "
                    "episodes; only the final evaluation remains",
                    result->final.episodes, e.train.final_eval_episodes));
    return std::nullopt;
  }
  files.finish(*result);
  return result;
}

std::optional<RunResult> WorkerGroup::follow(RunParts& parts) {
  StateServer server;
  server.visit = [this](StateVisitor& v, bool memory) { visit_hosted(v, memory); };
  const bool serves = &parts == &first();  // the first of a process, but not of the run
  if (serves) parts.run.callbacks.push_back(&server);
  std::optional<RunResult> result = train_and_evaluate(parts, nullptr);
  if (!result || result->final.complete) return result;
  if (serves) server.on_checkpoint(parts.run.progress());
  return std::nullopt;
}

}  // namespace goalpost
