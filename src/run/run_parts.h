// The parts of a training run, or of one of its workers: shared by starting and resuming.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "algos/agent.h"
#include "core/rng.h"
#include "envs/vector_env.h"
#include "run/episode_callback.h"
#include "run/experiment.h"
#include "run/run_options.h"
#include "run/video_callback.h"
#include "train/trainer.h"

namespace goalpost {

/// Made before anything is written, so that errors here leave no files.
struct RunParts {
  Experiment& experiment;
  const RunOptions& options;
  int worker, threads;
  Rng rng;  ///< worker 0 has the run's
  EnvFactory make_eval_env;
  VectorEnv env, eval_env;
  std::unique_ptr<Agent> agent;
  Run run;
  std::unique_ptr<EpisodeCallback> episodes;
  std::unique_ptr<VideoCallback> videos;

  /// @param worker of train.workers; all of them have equal networks @param threads for its environments
  RunParts(Experiment& e, const RunOptions& options, int worker, int threads);
  void record_in(const std::filesystem::path& directory);
};

/// Prints warnings about settings that prevent learning. A new run with problems is an error; a resumed run continues
/// in spite of them. @throws UsageError
void check_before_training(const Experiment& e, bool resumed);

/// Workers of a run that this process hosts.
using HostedWorkers = std::span<const std::unique_ptr<RunParts>>;

/// Adds the episodes of agent.replay.dataset to the replay buffer, one lane after the other; several workers share them
/// out. Returns nothing if interrupted; otherwise the dataset's entry of BuildInfo::inputs, which is empty without a
/// dataset. @throws UsageError
std::optional<std::string> fill_memories(HostedWorkers workers);

/// Loads warm starts and the dataset into new agents, and notes them in BuildInfo::inputs. Returns false if
/// interrupted.
bool begin_agents(HostedWorkers workers);

/// BuildInfo::inputs that a new run of the experiment would have. @throws std::runtime_error if a file cannot be read
std::string inputs_of(const Experiment& e);

}  // namespace goalpost
