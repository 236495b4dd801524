// Going on with a run from its checkpoint.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "run/run_options.h"
#include "run/run_result.h"

namespace goalpost {

/// Goes on with an unfinished run from its checkpoint, or from its beginning if it was killed before the first one, so
/// that everything it writes but wall-clock times is as if it had never stopped. A run without checkpoints is refused,
/// since beginning again would delete what it has reported. Returns as train_in_directory.
/// A finished run that `set` gives more to do stays finished, with its config.toml and result.json, until its first new
/// checkpoint is saved; then its result is kept as result_<n>.json.
/// Where eval.csv or train.csv lacks rows up to the checkpoint, it goes on from the newest checkpoint whose rows are
/// all there, with a sentence on stderr.
/// @param set "key=value" put over the run's configuration: where training ends, and what does not affect it
/// @param any_build accept a checkpoint of another revision, compiler, library or processor, whose bits may differ
/// @throws UsageError naming what differs if the directory is no run, has finished, or its checkpoint is damaged, of
/// another build, or of a configuration that differs in what matters; or if rows are missing for every checkpoint
std::optional<RunResult> resume_in_directory(const std::filesystem::path& directory,
                                             const std::vector<std::string>& set, bool any_build,
                                             const RunOptions& options = {});

/// Whether an interrupted run can go on: it has a checkpoint, or would have had one, and begins again.
bool can_be_resumed(const std::filesystem::path& directory);

/// Why resume_in_directory could not go on with this run as a run of this experiment; empty if it could.
std::string resume_problem(const std::filesystem::path& directory, const Experiment& experiment);

/// Removes what only resuming needs.
void remove_checkpoints(const std::filesystem::path& directory);

}  // namespace goalpost
