// The configurations of figures, src/experiments/figures/<name>.toml.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/config.h"

namespace goalpost {

/// src/experiments/figures/<name>.toml
struct FigureConfig {
  std::string title, claim;
  std::string key, x_label;
  std::vector<std::string> values, quick_values;  ///< as --set takes them: "40", "0.1", "future", "[64, 64]"
  int seeds = 1;
  std::vector<std::string> experiments, quick_set, measures;
  std::vector<double> paper_limit;
};
constexpr auto fields(const FigureConfig*) {
  return std::tuple{
      field("title", &FigureConfig::title, "of the figure"),
      field("claim", &FigureConfig::claim, "what the paper says"),
      field("key", &FigureConfig::key,
            "the setting along the x axis; empty: a bar for each experiment, or its learning curve"),
      field("x_label", &FigureConfig::x_label, "of the x axis"),
      field("values", &FigureConfig::values,
            "of the setting: numbers, or texts as --set takes them, a list too: \"[64, 64]\""),
      field("quick_values", &FigureConfig::quick_values, "of the setting with --quick"),
      field("seeds", &FigureConfig::seeds, "runs per point, seeds 1, 2, ...", 1, 1000),
      field("experiments", &FigureConfig::experiments, "one curve each"),
      field("quick_set", &FigureConfig::quick_set, "assignments put over every experiment with --quick"),
      field("measures", &FigureConfig::measures,
            "a figure of learning curves for each: success, return, train_success, train_return, lo_reward (HIRO's "
            "intrinsic one), her_reached, her_moved (HER's shares of train.csv)"),
      field("paper_limit", &FigureConfig::paper_limit, "per curve: the largest value that the paper reports as solved"),
  };
}
static_assert(complete<FigureConfig>);

/// All figures by name. One whose file is wrong is left out, with a sentence on stderr; the files are read once.
const std::map<std::string, FigureConfig>& figures();
/// The names of figures(), sorted.
std::vector<std::string> figure_names();
/// Whether it is a name of figure_names(), or a TOML file that lists experiments.
bool is_figure(const std::string& name_or_file);
/// A name of figure_names(), or the path of a TOML file. @throws UsageError for an unknown name or a wrong file
FigureConfig load_figure(const std::string& name_or_file);

/// The settings along the x axes of figures that show an experiment.
std::set<std::string> axes_of(const std::string& experiment);

}  // namespace goalpost
