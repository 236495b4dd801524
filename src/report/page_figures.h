// The figures of a report's page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report/collect.h"
#include "report/comparison.h"
#include "report/method_runs.h"
#include "report/plot.h"

namespace goalpost {

/// A plot with the data that it draws, <plot.name>.csv, and a caption in HTML.
struct Figure {
  Plot plot;
  std::string csv, caption;
};

/// Interquartile mean over seeds, with its interval, against environment steps or wall time.
Figure learning_figure(const EnvGroup& env_group, const Panel& panel, const std::vector<const MethodRuns*>& method_runs,
                       const std::string& title, bool by_time);
/// The same of another measure, against steps, for the methods that have it. Without a name if none has.
Figure measure_figure(const Measure& measure, const Panel& panel, const std::vector<const MethodRuns*>& method_runs,
                      const std::string& name, const std::string& title);
/// Every seed as a line.
Figure seeds_figure(const EnvGroup& env_group, const Panel& panel, const std::vector<const MethodRuns*>& method_runs,
                    const std::string& title);
/// The final evaluation of every seed, with mean, interval and what is expected. Without a name if there is nothing.
Figure final_figure(const EnvGroup& env_group, const Panel& panel, const std::string& name);
Figure improvement_figure(const std::vector<Comparison>& comparisons, const std::string& name);

/// A text as a cell of a data file: cells have no quotes, and so no commas and line ends.
std::string csv_cell(std::string text);

/// "1 seed", "2 seeds"
std::string plural(std::size_t n, std::string_view what);

}  // namespace goalpost
