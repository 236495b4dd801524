// The report as a page: learning curves, final performance and comparisons, with the data of every figure.
#pragma once

#include <filesystem>
#include <vector>

#include "report/group.h"

namespace goalpost {

/// Writes index.html, which needs no other file, and every figure as .svg, .png and .csv beside it. Files of an earlier
/// report are replaced. Returns where the page lies.
/// @throws UsageError if gnuplot is missing, the directory cannot be written, or its index.html is no report
std::filesystem::path write_report_page(const std::vector<Summary>& summaries, const std::filesystem::path& directory);

}  // namespace goalpost
