// What the workers of a run (core/worker.h) tell each other in the training loop, so that all of them decide alike.
#pragma once

#include <cstdint>
#include <vector>

#include "core/worker.h"
#include "envs/step.h"

namespace goalpost {

class StepExchange {
 public:
  /// What a step was in one environment, and its worker's answers.
  struct Lane {
    float reward = 0;
    std::uint8_t success = 0, ended = 0, unstable = 0;
    std::uint8_t asked_to_stop : 1 = 0, ready : 1 = 0;
  };

  /// @param worker null: there is only one
  explicit StepExchange(Worker* worker) : worker_(worker) {}
  /// All workers call it together. @param step null: between two steps, where there is none @alloc none after the first
  void share(bool asked_to_stop, bool ready, const StepBatch* step);
  bool stop() const { return stop_; }                        ///< whether one of them is asked to stop
  bool ready() const { return ready_; }                      ///< whether each of them is ready to learn
  const std::vector<Lane>& lanes() const { return lanes_; }  ///< of the step in all workers, in their order

 private:
  Worker* worker_;
  std::vector<Lane> mine_, lanes_;
  bool stop_ = false, ready_ = true;
};

}  // namespace goalpost
