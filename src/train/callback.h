// The one interface to what attaches to the training loop: logs, recorded episodes, videos, checkpoints, progress.
#pragma once

#include <cstddef>
#include <string>

#include "core/metrics.h"
#include "core/state.h"
#include "envs/vector_env.h"
#include "train/evaluation.h"
#include "train/state.h"

namespace goalpost {

/// Told what the training loop does; callbacks are called in the order in which they were attached. None of them
/// changes a result. @alloc none where steps are told of
class TrainCallback {
 public:
  virtual ~TrainCallback() = default;
  /// Before every step of all environments, when the updates of the last one are done.
  virtual void on_step(const TrainProgress&) {}
  virtual void on_training_step(const StepBatch&, const TrainProgress&) {}
  /// @param most it runs so many episodes; fewer where chains of sub-tasks break
  virtual void on_evaluation_begin(int /*most*/) {}
  virtual void on_evaluation_step(const StepBatch&, std::size_t /*lane*/, const TrainProgress&) {}
  virtual void on_evaluation_stopped() {}  ///< it does not count, and will be done again
  /// After every evaluation. @param metrics means since the last one
  virtual void on_evaluation(const TrainProgress&, const Evaluation&, const Metrics& /*metrics*/) {}
  /// Every TrainConfig::checkpoint_every transitions, at the end, and when the run is stopped.
  virtual void on_checkpoint(const TrainProgress&) {}
  /// Of the first unstable simulation of training or evaluations since train() was called: what went wrong.
  virtual void on_unstable(const std::string& /*sentence*/) {}
  /// Under which name the run's state holds what visit_state visits; null: the callback has no state.
  virtual const char* state_name() const { return nullptr; }
  virtual void visit_state(StateVisitor&) {}
};

}  // namespace goalpost
