// One training run with its files, in a run directory (storage/run_directory.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "run/experiment.h"
#include "run/run_options.h"
#include "run/run_result.h"

namespace goalpost {

/// What sets an experiment apart from the plain one of its name, as the name of a directory: "bits=40", several
/// settings joined by ",", with their whole paths where the last parts are equal; a hash where that would be too long.
/// Empty if nothing does that affects results but the seed.
std::string changed_settings(const Experiment& experiment, const Experiment& plain);

/// The directory of a run when none is asked for: runs/<name>/seed_<seed>, or runs/<name>/<changed>/seed_<seed>.
std::filesystem::path default_directory(const Experiment& experiment, const std::string& changed);

/// Trains, with everything written into a new directory. Returns nothing if interrupted; what was saved until then
/// stays. There is no directory if that was before the first step.
/// @throws UsageError if the directory is already used or cannot be created; nothing is left behind then
/// @throws NumericsError if training yields NaN; what was saved until then stays
std::optional<RunResult> train_in_directory(Experiment& experiment, const std::filesystem::path& directory,
                                            const RunOptions& options = {});

}  // namespace goalpost
