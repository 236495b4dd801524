// Resuming a run from its checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "run/run_options.h"
#include "run/run_result.h"

namespace goalpost {

/// Resumes an unfinished run from its checkpoint, or from its beginning if it was killed before the first one.
/// Everything that it writes, except wall-clock times, equals that of an uninterrupted run. A run without checkpoints
/// is an error, because starting again would delete its reports. Returns as train_in_directory. A finished run can be
/// continued with a later end in `set`: it stays finished, with its config.toml and result.json, until its first new
/// checkpoint is saved; then its result is kept as result_<n>.json. If eval.csv or train.csv lacks rows up to the
/// checkpoint, the run resumes from the newest checkpoint with all of its rows, with a sentence on stderr.
/// @param set "key=value", changes of the run's configuration: the end of training, and settings without effect on it
/// @param any_build accept a checkpoint of another revision, compiler, library or processor, whose bits may differ
/// @throws UsageError naming the difference if the directory is not a run, has finished, or its checkpoint is damaged,
/// of another build, or of a configuration that differs in a setting that affects results; or if every checkpoint lacks
/// rows
std::optional<RunResult> resume_in_directory(const std::filesystem::path& directory,
                                             const std::vector<std::string>& set, bool any_build,
                                             const RunOptions& options = {});

/// Whether an interrupted run can be resumed: it has a checkpoint, or was to write one and starts again.
bool can_be_resumed(const std::filesystem::path& directory);

/// How far the newest checkpoint of a run has come.
struct SavedProgress {
  std::int64_t steps, episodes;
};
/// None if there is no checkpoint, or if it cannot be read: resuming the run then says why.
std::optional<SavedProgress> saved_progress(const std::filesystem::path& directory);

/// Why resume_in_directory cannot resume this run as a run of this experiment; empty if it can.
std::string resume_problem(const std::filesystem::path& directory, const Experiment& experiment);

/// Removes the files that only resuming needs.
void remove_checkpoints(const std::filesystem::path& directory);

}  // namespace goalpost
