// What a training run is made of, from its configuration to its last evaluation: what starting and resuming share.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "algos/agent.h"
#include "core/rng.h"
#include "envs/vector_env.h"
#include "run/episode_callback.h"
#include "run/experiment.h"
#include "run/run_options.h"
#include "run/run_result.h"
#include "run/video_callback.h"
#include "storage/run_log.h"
#include "train/trainer.h"

namespace goalpost {

/// Before anything is written: what can fail without leaving something behind fails here.
struct RunParts {
  Experiment& experiment;
  const RunOptions& options;
  Rng rng;
  EnvFactory make_eval_env;
  VectorEnv env, eval_env;
  std::unique_ptr<Agent> agent;
  Run run;
  std::unique_ptr<EpisodeCallback> episodes;
  std::unique_ptr<VideoCallback> videos;

  RunParts(Experiment& e, const RunOptions& options);
  void record_in(const std::filesystem::path& directory);
};

/// Warns of what keeps a run from learning, and refuses what cannot be done. A run that exists goes on in spite of
/// problems that were not known when it began. @throws UsageError
void check_before_training(const Experiment& e, bool resumed);

/// Puts the episodes of agent.replay.dataset into the memory, one lane after the other. Returns nothing if interrupted;
/// otherwise what the dataset adds to BuildInfo::inputs, which is empty without one. @throws UsageError
std::optional<std::string> fill_memory(RunParts& parts);

/// Gives a new agent what its run begins with, and notes it in BuildInfo::inputs. Returns false if interrupted.
bool begin_agent(RunParts& parts);

/// Training from where the run stands, and the final evaluation. Returns nothing if interrupted.
/// @param earlier the result of the finished run that goes on
std::optional<RunResult> train_to_the_end(RunParts& parts, RunLog& log,
                                          std::optional<RunResult> earlier = std::nullopt);

}  // namespace goalpost
