// Which runs a figure, or experiments with lists of settings, consist of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "report/figure_config.h"
#include "run/plan.h"

namespace goalpost {

/// What is asked for of a figure or an experiment.
struct RunRequest {
  std::vector<std::int64_t> seeds;  ///< empty: 1 to as many as the figure says, or 1 to 5
  std::vector<std::string> set;     ///< assignments put over every experiment
  /// Settings of which every value is tried, each with every one of the others: {"agent.batch_size=64",
  /// "agent.batch_size=256"}.
  std::vector<std::vector<std::string>> lists;
  std::vector<std::string> values;  ///< of the figure's x axis, instead of its own
  bool quick = false;               ///< a small part of the figure
};

/// The runs of a figure, in <out>/<experiment>/<setting>/seed_<seed>; those with larger values on the x axis come
/// first, so that no long run is left for the end.
/// @param name for messages
/// @throws UsageError for wrong settings, before anything is written
std::vector<PlannedRun> figure_runs(const FigureConfig& figure, const std::string& name, const RunRequest& request,
                                    const std::filesystem::path& out);
/// The same of an experiment. @param name one of experiment_names(), or a TOML file
std::vector<PlannedRun> experiment_runs(const std::string& name, const RunRequest& request,
                                        const std::filesystem::path& out);

/// "3", "1-5" or "1,4,7". @throws UsageError
std::vector<std::int64_t> parse_seeds(const std::string& text);
/// The same, but a number alone says how many: "3" is 1, 2, 3. Empty for 0 and an empty text.
std::vector<std::int64_t> parse_seed_count(const std::string& text);

}  // namespace goalpost
