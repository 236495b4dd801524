// Comparing methods: the probability of improvement of one over another.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/method_runs.h"
#include "report/statistics.h"

namespace goalpost {

/// Probability of improvement of one method over another, on the tasks that both have several seeds of.
struct Comparison {
  std::string x, y;  ///< labels
  std::size_t tasks, runs_x, runs_y;
  double probability;
  Interval interval;
};

/// Of every two experiments, then of every change over its experiment.
std::vector<Comparison> comparisons(const EnvGroup& env_group);

}  // namespace goalpost
