// One training run with its files, in a run directory (storage/run_directory.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "run/experiment.h"
#include "run/run_options.h"
#include "run/run_result.h"

namespace goalpost {

/// The settings in which an experiment differs from the unchanged one of its name, as a directory name: "bits=40";
/// several settings are joined by ",", with full paths if their last parts are equal; a hash if that is too long. Empty
/// if no setting that affects results differs, except the seed.
std::string changed_settings(const Experiment& experiment, const Experiment& plain);

/// The default directory of a run: runs/<name>/seed_<seed>, or runs/<name>/<changed>/seed_<seed>.
std::filesystem::path default_directory(const Experiment& experiment, const std::string& changed);

/// Trains, and writes all files into a new directory. Returns nothing if interrupted; the files saved so far stay. If
/// interrupted before the first step, there is no directory.
/// @throws UsageError if the directory is used or cannot be created; no files are left
/// @throws NumericsError if training yields NaN; the files saved so far stay
std::optional<RunResult> train_in_directory(Experiment& experiment, const std::filesystem::path& directory,
                                            const RunOptions& options = {});

}  // namespace goalpost
