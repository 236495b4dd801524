// What a training run is told from outside.
#pragma once

#include <functional>
#include <memory>

#include "run/experiment.h"
#include "train/callback.h"

namespace goalpost {

struct RunOptions {
  std::function<bool()> stop = [] { return false; };  ///< asked often; when true the run saves what it has and returns
  /// Makes what shows the progress of a run that begins, or goes on, at a step. Empty: nothing is shown.
  std::function<std::unique_ptr<TrainCallback>(const Experiment& e, const TrainProgress& begin)> progress = {};
};

}  // namespace goalpost
