// How fast a method learns: environment steps until a threshold is reached, and the area under the learning curve.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report/group.h"
#include "report/statistics.h"

namespace goalpost {

/// How fast the runs of a setting learned, where their final values no longer differ.
struct LearningSpeed {
  std::optional<double> threshold;  ///< of success or return; none if no return is expected
  std::size_t reached = 0;          ///< runs with an evaluation at the threshold
  /// Environment steps of the first evaluation at the threshold: interquartile mean and 95 % bootstrap interval over
  /// runs. Infinite where too many runs never reach it; the interval of one run is NaN.
  double steps, steps_low, steps_high;
  /// Area under the learning curve as its mean over the environment steps of the budget: interquartile mean and
  /// interval as above. A run that ended early keeps its last value.
  double area, area_low, area_high;
  std::vector<double> areas;  ///< of every run
};

/// Environment steps that the runs of a setting may take: train.total_steps, or train.total_episodes of full length.
double budget_of(const Summary& summary);

/// @param threshold none: 0.9 of a success rate, and of a return what its experiment expects
/// @throws UsageError if the evaluations of a run cannot be read
LearningSpeed learning_speed(const Summary& summary, std::optional<double> threshold);

/// "success 0.9", "return -150"; "-" without a threshold.
std::string threshold_text(const Summary& summary, const LearningSpeed& speed);
/// A number of steps, "never" if it is infinite.
std::string steps_text(double steps);
/// "[12,000, never]"; "-" if it is unknown (NaN), or never reached.
std::string steps_interval_text(double low, double high);

/// The table of how fast the settings learned, as text (text_table). @throws UsageError as learning_speed, and for a
/// threshold if both success and return are measured
std::string learning_table(const std::vector<Summary>& summaries, std::optional<double> threshold,
                           std::size_t width = 0);
/// @throws UsageError if a threshold is given although both success and return are measured
void check_threshold(const std::vector<Summary>& summaries, std::optional<double> threshold);

}  // namespace goalpost
