// goalpost reproduce: trains all runs of a paper's figure, then draws it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "report/plot.h"

namespace goalpost {

struct ReproduceOptions {
  std::string figure;
  std::vector<std::int64_t> seeds;  ///< empty: as the figure says
  int jobs = 0;                     ///< processes side by side; 0: one per processor that may be used
  bool quick = false;
  bool quiet = false;               ///< no progress
  bool draw_only = false;           ///< trains nothing, and takes finished runs of any build, or recorded ones
  std::vector<std::string> set;     ///< assignments put over every experiment
  std::vector<std::string> values;  ///< instead of the figure's
  std::filesystem::path out;        ///< empty: runs/reproduce/<figure>, or <figure>-quick
  bool record = false;              ///< also into src/experiments/results
  std::optional<PdfFormat> pdf;     ///< if given, the figures are also drawn as PDF
};

/// Trains what is missing (finished runs of an earlier call are kept), then draws the figure from all finished runs of
/// its settings. Configurations are read once, at the start, and kept as setting.toml beside the runs.
/// Returns the exit status: 0, 1 if a run failed or cannot be read, 130 if interrupted.
/// @throws UsageError before any training if the directory holds a run of another configuration or build, a run is
/// under way in it, or options set what the figure sets
int reproduce(const ReproduceOptions& options);

}  // namespace goalpost
