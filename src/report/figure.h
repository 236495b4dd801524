// The figure of a paper: curves of experiments over the values of one setting, a bar for each experiment, or learning
// curves.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "report/plot.h"
#include "report/report.h"

namespace goalpost {

/// src/experiments/figures/<name>.toml
struct FigureConfig {
  std::string title, claim;
  std::string key, x_label;
  std::vector<int> values, quick_values;
  int seeds = 1;
  std::vector<std::string> experiments, quick_set, measures;
  std::vector<int> paper_limit;
};
constexpr auto fields(const FigureConfig*) {
  return std::tuple{
      field("title", &FigureConfig::title, "of the figure"),
      field("claim", &FigureConfig::claim, "what the paper says"),
      field("key", &FigureConfig::key,
            "the setting along the x axis; empty: a bar for each experiment, or its learning curve"),
      field("x_label", &FigureConfig::x_label, "of the x axis"),
      field("values", &FigureConfig::values, "of the setting"),
      field("quick_values", &FigureConfig::quick_values, "of the setting with --quick"),
      field("seeds", &FigureConfig::seeds, "runs per point, seeds 1, 2, ...", 1, 1000),
      field("experiments", &FigureConfig::experiments, "one curve each"),
      field("quick_set", &FigureConfig::quick_set, "assignments put over every experiment with --quick"),
      field("measures", &FigureConfig::measures,
            "a figure of learning curves for each: success, return, train_success, train_return, lo_reward (HIRO's "
            "intrinsic one)"),
      field("paper_limit", &FigureConfig::paper_limit, "per curve: the largest value that the paper reports as solved"),
  };
}
static_assert(complete<FigureConfig>);

/// All figures by name. One whose file is wrong is left out, with a sentence on stderr; the files are read once.
const std::map<std::string, FigureConfig>& figures();
/// The names of figures(), sorted.
std::vector<std::string> figure_names();
/// @throws UsageError for an unknown name or a wrong file
FigureConfig load_figure(const std::string& name);

/// A figure over measured results.
struct MeasuredFigure {
  Plot plot;                        ///< draws <name>.csv
  std::string csv;                  ///< the data
  std::vector<std::string> labels;  ///< one per experiment of the figure
  /// Per experiment the largest value of the key with success >= 0.99, 0 if no value has; none if nothing was measured.
  std::vector<std::optional<double>> solved;
};
/// @param name of the plot and its data
MeasuredFigure measured_figure(const FigureConfig& figure, const std::vector<Summary>& summaries,
                               const std::string& name);

/// Learning curves of all experiments, a plot for each of the figure's measures, <name>_<measure>.
/// @throws UsageError if they are not all of one environment
std::vector<MeasuredFigure> learning_curves(const FigureConfig& figure, const std::vector<Summary>& summaries,
                                            const std::string& name);

struct ReproduceOptions {
  std::string figure;
  int seeds = 0;  ///< 0: as the figure says
  int jobs = 0;   ///< processes side by side; 0: one per processor that may be used
  bool quick = false;
  std::vector<std::string> set;  ///< assignments put over every experiment
  std::vector<int> values;       ///< instead of the figure's
  std::filesystem::path out;     ///< empty: runs/reproduce/<figure>, or <figure>-quick
  bool record = false;           ///< also into src/experiments/results
};

/// Trains what is missing (finished runs of an earlier call are kept), then draws the figure from all finished runs of
/// its settings. Configurations are read once, at the start, and kept as setting.toml beside the runs.
/// Returns the exit status: 0, 1 if a run failed or cannot be read, 130 if interrupted.
/// @throws UsageError before any training if the directory holds a run of another configuration or build, a run is
/// under way in it, or options set what the figure sets
int reproduce(const ReproduceOptions& options);

}  // namespace goalpost
