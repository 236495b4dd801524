// The progress bar of a training run.
#pragma once

#include <chrono>
#include <cstdint>

#include "cli/progress.h"
#include "run/experiment.h"
#include "train/callback.h"

namespace goalpost {

class TrainProgressBar final : public TrainCallback {
 public:
  /// @param begin where this process takes the run up
  TrainProgressBar(const Experiment& e, const TrainProgress& begin);
  void on_step(const TrainProgress& p) override;
  void on_evaluation(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) override;

 private:
  TrainProgress begin_;
  bool by_episodes_;
  Progress bar_;
  double success_ = 0;  // of the last evaluation
  int calls_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace goalpost
