// The figure of a paper: curves of experiments over the values of one setting, a bar for each experiment, or learning
// curves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/figure_config.h"
#include "report/group.h"
#include "report/plot.h"

namespace goalpost {

/// A figure over measured results.
struct MeasuredFigure {
  Plot plot;                        ///< draws <name>.csv
  std::string csv;                  ///< the data
  std::vector<std::string> labels;  ///< one per experiment of the figure
  /// Per experiment the largest value of the key with success >= 0.99, 0 if no value has; none if nothing was measured.
  /// Empty where values are no numbers, and for returns and bars.
  std::vector<std::optional<double>> solved;
  std::vector<double> largest;  ///< per experiment, the largest value that was measured; empty as `solved`
};
/// @param name of the plot and its data
MeasuredFigure measured_figure(const FigureConfig& figure, const std::vector<Summary>& summaries,
                               const std::string& name);

/// Learning curves of all experiments, a plot for each of the figure's measures, <name>_<measure>.
/// @throws UsageError if they are not all of one environment
std::vector<MeasuredFigure> learning_curves(const FigureConfig& figure, const std::vector<Summary>& summaries,
                                            const std::string& name);

}  // namespace goalpost
