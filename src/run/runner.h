// One training run with its files, in a run directory (storage/run_directory.h).
#pragma once

#include <filesystem>
#include <optional>

#include "run/experiment.h"
#include "run/run_options.h"
#include "run/run_result.h"

namespace goalpost {

/// The directory of a run when none is asked for: runs/<name>/seed_<seed>.
std::filesystem::path default_directory(const Experiment& experiment);

/// Trains, with everything written into a new directory. Returns nothing if interrupted; what was saved until then
/// stays. There is no directory if that was before the first step.
/// @throws UsageError if the directory is already used or cannot be created; nothing is left behind then
/// @throws NumericsError if training yields NaN; what was saved until then stays
std::optional<RunResult> train_in_directory(Experiment& experiment, const std::filesystem::path& directory,
                                            const RunOptions& options = {});

}  // namespace goalpost
