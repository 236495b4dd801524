// Renders an evaluation episode every train.video_every transitions: videos/step_<n>.mp4.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "algos/agent.h"
#include "core/rng.h"
#include "envs/vector_env.h"
#include "render/video_recorder.h"
#include "train/callback.h"

namespace goalpost {

/// The start and goal are always the same. Environment and random numbers are separate from those of the run.
class VideoCallback final : public TrainCallback {
 public:
  /// @param stop called regularly; when true a video ends early
  /// @throws UsageError if the environment cannot be rendered, or videos cannot be written
  VideoCallback(const EnvFactory& make_env, Agent& agent, std::int64_t every, Rng rng, std::function<bool()> stop);

  /// @param begin the step at which this process starts or resumes the run; earlier videos are not made again
  void record_in(const std::filesystem::path& run_directory, std::int64_t begin);
  void on_evaluation(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) override;

 private:
  Agent& agent_;
  std::int64_t every_, last_ = -1;
  Rng rng_;
  std::function<bool()> stop_;
  VectorEnv env_;
  VideoRecorder recorder_;
  std::filesystem::path directory_;
};

}  // namespace goalpost
