// Recording results below src/experiments/results: a summary of each experiment, and the curve of each seed.
#pragma once

#include <filesystem>
#include <vector>

#include "report/group.h"

namespace goalpost {

/// src/experiments/results
std::filesystem::path results_directory();

/// Writes <experiment>[/<variant>]/seed_<s>.csv below the directory, and one summary.json per experiment. Settings and
/// seeds that were recorded earlier stay; if they are of another build, a note on stderr says so.
/// Returns false, and writes nothing, if all of them are recorded already.
/// @throws UsageError before anything is written if a run is of a source revision with uncommitted changes, or is
/// recorded already and others are not, if its experiment has no file, if its variant does not read back to its
/// settings or has no directory of its own, or if runs of one setting are of several builds
bool record(const std::vector<Summary>& summaries, const std::filesystem::path& directory = results_directory());

}  // namespace goalpost
