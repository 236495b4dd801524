// A callback of the training loop made of functions, for tests.
#pragma once

#include <functional>
#include <string>

#include "train/callback.h"

namespace goalpost {

struct FunctionCallback final : TrainCallback {
  std::function<void(const TrainProgress&)> step, checkpoint;
  std::function<void(const TrainProgress&, const Evaluation&, const Metrics&)> evaluation;
  std::function<void(const std::string&)> unstable;

  void on_step(const TrainProgress& p) override {
    if (step) step(p);
  }
  void on_checkpoint(const TrainProgress& p) override {
    if (checkpoint) checkpoint(p);
  }
  void on_evaluation(const TrainProgress& p, const Evaluation& e, const Metrics& m) override {
    if (evaluation) evaluation(p, e, m);
  }
  void on_unstable(const std::string& sentence) override {
    if (unstable) unstable(sentence);
  }
};

}  // namespace goalpost
