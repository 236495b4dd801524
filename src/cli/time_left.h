// How long the runs of a plan still take, for `goalpost status` and for those that work at them.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>

namespace goalpost {

/// What is known of a run's time.
struct RunTime {
  std::string experiment = {}, setting = {};
  std::int64_t total = 0;      ///< transitions or episodes, at most
  double whole = 0;            ///< seconds that it took or will take; 0: not known
  double left = std::nan("");  ///< seconds; NaN: not known
};

/// Fills in what is not known: a run takes as long as the mean of those of its setting, or in proportion to its length
/// as those of its experiment, or as all.
void estimate(std::span<RunTime> runs);

/// Seconds until all is done with so many runs side by side: the longest alone, or all together. NaN: not known.
double seconds_left(std::span<const RunTime> runs, int side_by_side);

}  // namespace goalpost
