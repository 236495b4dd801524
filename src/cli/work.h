// Working off the runs of a plan, each trained by a `goalpost train` process, several side by side: what `goalpost
// work`, `goalpost reproduce` and `goalpost train --seed 1-5` have in common. Processes on any machines may work at the
// same runs: each run is claimed (run/claim.h).
#pragma once

#include <limits>
#include <vector>

#include "run/plan.h"

namespace goalpost {

struct WorkOptions {
  int jobs = 1;
  double limit_s = std::numeric_limits<double>::infinity();  ///< then the runs are asked to save, and no other begins
  bool waits = true;       ///< for runs that others work at, to go on with those that they leave
  bool retries = false;    ///< runs that failed earlier
  bool any_build = false;  ///< also goes on with runs of other builds
  bool quiet = false;      ///< no progress
  bool told = false;       ///< what there is to say of earlier and unfinished runs has been said
};

/// How many runs are what, in the end.
struct WorkResult {
  int done = 0, failed = 0;
  int left = 0;          ///< unfinished, or others work at them
  bool stopped = false;  ///< interrupted, or the time is up
};

/// Works until every run is done or has failed, or until it is told to stop.
/// @throws std::runtime_error if no process can be started
WorkResult work_off(std::vector<PlannedRun> runs, const WorkOptions& options);

}  // namespace goalpost
