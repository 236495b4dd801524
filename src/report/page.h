// The report as a page: learning curves, final performance and comparisons, with the data of every figure.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "report/group.h"
#include "report/plot.h"

namespace goalpost {

struct PageOptions {
  std::optional<double> threshold = {};  ///< as learning_speed's
  std::string baseline = {};             ///< as baseline_of's; empty: none
  std::optional<PdfFormat> pdf = {};     ///< if given, figures are also drawn as .pdf
};

/// Writes index.html, which needs no other file, and every figure as .svg, .png and .csv beside it. Files of an earlier
/// report are replaced. Returns where the page lies. Of summaries of unfinished runs it shows the curves only.
/// @throws UsageError if gnuplot is missing, the directory cannot be written, or its index.html is no report
std::filesystem::path write_report_page(const std::vector<Summary>& summaries, const std::filesystem::path& directory,
                                        const PageOptions& options = {});

}  // namespace goalpost
