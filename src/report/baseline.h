// Comparing all settings of a report with a baseline: another build, or other runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/group.h"
#include "report/statistics.h"

namespace goalpost {

/// A setting and one of the baseline's, by one quantity of their runs.
struct BaselineComparison {
  const Summary *of, *baseline;
  std::string quantity;  ///< "success", "return", or "area" under the learning curve (report/learning_speed.h)
  double difference;     ///< of the interquartile means: what is compared less the baseline
  /// 95 % bootstrap intervals. Unknown (NaN) unless both have several seeds, and then the probability is, too.
  Interval interval;
  double probability;  ///< that a run is better than one of the baseline (probability_of_improvement)
  Interval probability_interval;
};

/// The summaries that are the baseline: of the runs below the directory, which find_runs was given, too, or else of a
/// revision, its first characters, or a name that git knows it by, e.g. HEAD~1.
/// @throws UsageError if there is none, no run has finished, or runs of several revisions begin with these characters
std::vector<const Summary*> baseline_of(const std::vector<Summary>& summaries, const std::string& baseline);

/// Every finished setting outside of the baseline beside that of the baseline with equal settings, or where there is
/// none beside all of the baseline's on the same task (environment, its settings, and measure).
std::vector<BaselineComparison> compare_with_baseline(const std::vector<Summary>& summaries,
                                                      const std::vector<const Summary*>& baseline);
/// As text (text_table); says so if nothing can be compared.
std::string baseline_table(const std::vector<BaselineComparison>& comparisons, const std::string& baseline,
                           std::size_t width = 0);

}  // namespace goalpost
