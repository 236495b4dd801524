// Options of a training run that are not settings.
#pragma once

#include <functional>
#include <memory>

#include "run/experiment.h"
#include "train/callback.h"

namespace goalpost {

struct RunOptions {
  std::function<bool()> stop = [] { return false; };  ///< called often; when true the run saves its state and returns
  /// Makes the display of progress, for a run that starts or resumes at `begin`. Empty: no display.
  std::function<std::unique_ptr<TrainCallback>(const Experiment& e, const TrainProgress& begin)> progress = {};
};

}  // namespace goalpost
