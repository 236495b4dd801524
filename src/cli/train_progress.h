// The progress bar of a training run, with one below for the evaluation that is under way.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/progress.h"
#include "run/experiment.h"
#include "train/callback.h"

namespace goalpost {

/// The last evaluation as the first number of a bar: "success=0.71", or "return=-151.3" for a task of return.
std::string evaluation_text(const Experiment& e, double success, double mean_return);
/// What a run is measured by, in its final evaluation: "success 0.710", or "return -151.30".
std::string final_text(const Experiment& e, const Evaluation& final);

/// How far a run has come, for the process that shows it: a number of 8 bytes, of transitions or episodes, to a pipe.
/// What the pipe has no room for is left out.
class TrainProgressPipe final : public TrainCallback {
 public:
  TrainProgressPipe(const Experiment& e, int descriptor)
      : by_episodes_(e.ends_by_episodes()), descriptor_(descriptor) {}
  void on_step(const TrainProgress& p) override;

 private:
  bool by_episodes_;
  int descriptor_;
  std::int64_t calls_ = 0;
  std::chrono::steady_clock::time_point told_ = {};
};
/// The variable of the environment that names the pipe.
inline constexpr char kProgressPipe[] = "GOALPOST_PROGRESS_PIPE";

class TrainProgressBar final : public TrainCallback {
 public:
  /// @param begin where this process takes the run up
  TrainProgressBar(const Experiment& e, const TrainProgress& begin);
  void on_step(const TrainProgress& p) override;
  void on_evaluation_begin(int most) override;
  void on_evaluation_step(const StepBatch& step, std::size_t lane, const TrainProgress& p) override;
  void on_evaluation(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) override;
  void on_checkpoint(const TrainProgress& p) override;

 private:
  void show(const TrainProgress& p);

  const Experiment& e_;
  TrainProgress begin_;
  bool by_episodes_;
  Progress bar_;
  std::int64_t calls_ = 0, evaluated_ = 0, to_evaluate_ = 0;  // episodes of the evaluation
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), evaluation_start_ = start_;
};

}  // namespace goalpost
