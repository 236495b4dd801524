// Schedules: numbers that change over training (exploration, learning rates), and when updates are due.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <tuple>

#include "core/config.h"

namespace goalpost {

/// Updates that are due after some more: fractions add up to whole numbers without the rounding of sums, so that ten
/// times 0.1 is one.
inline double add_due(double due, double more) {
  const double sum = due + more, whole = std::round(sum);
  return std::abs(sum - whole) < 1e-9 * std::max(1.0, sum) ? whole : sum;
}

/// A number that moves linearly from one value to another over the first steps and then stays: DQN's epsilon, the
/// learning rate of Adam (nn/optimizer.h).
struct LinearSchedule {
  double from = 0;
  double to = 0;
  std::int64_t steps = 0;

  double at(std::uint64_t step) const {
    if (steps <= 0) return to;
    return from + (to - from) * std::min(1.0, static_cast<double>(step) / static_cast<double>(steps));
  }
};
constexpr auto fields(const LinearSchedule*) {
  return std::tuple{
      field("from", &LinearSchedule::from, "value at the start", 0, 1),
      field("to", &LinearSchedule::to, "value from the end of the ramp on", 0, 1),
      field("steps", &LinearSchedule::steps, "transitions from the first value to the second; 0: at once", 0, 1e18),
  };
}
static_assert(complete<LinearSchedule>);

}  // namespace goalpost
