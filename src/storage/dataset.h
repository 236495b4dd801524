// Datasets of any format: recorded by goalpost, Minari's or D4RL's. Their identity, their integrity, and their episodes
// for a replay buffer or a file of episodes. Functions that write a file throw UsageError if it exists (expect_new of
// storage/file.h).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "envs/step.h"
#include "storage/dataset_task.h"

namespace goalpost {

/// The note on files without failures (EpisodeHeader::has_failed).
inline constexpr char kGuessedFailures[] =
    "the file does not say which episodes failed: an end without success counts as a failure where there can be "
    "failures";

/// Checks all HDF5 files of goalpost: episodes, a policy or checkpoint, a run directory with all of these, and, given
/// the environment's `spec`, a Minari or D4RL dataset. Returns a sentence on each file. With `spec`, episodes, policies
/// and checkpoints must be of this environment, and of the settings [env] of `config` (TOML) unless that is empty.
/// @throws std::runtime_error with file, dataset and difference
std::vector<std::string> check_files(const std::filesystem::path& path, const std::optional<EnvSpec>& spec,
                                     const std::string& config = "");

/// @throws std::runtime_error with file and reason
DatasetIdentity dataset_identity(const std::filesystem::path& path);

/// @param config TOML whose [env] the dataset's settings are compared with; empty: only the environment is compared
/// @throws DatasetMismatch naming what differs, with both values; std::runtime_error as dataset_identity
void expect_same_task(const std::filesystem::path& path, const EnvSpec& spec, const std::string& config);

/// Reads a Minari dataset (the directory that holds data/, or data itself) or a D4RL file into a file of episodes.
/// What these formats lack (goal radius, time limit and action range of D4RL) is taken from the environment.
/// @param config TOML of the environment's settings, stored with the episodes unless the dataset has its own
/// @throws std::runtime_error naming the difference to the environment
void import_dataset(const std::filesystem::path& path, const EnvSpec& spec, const std::filesystem::path& out,
                    bool compressed, const std::string& config = "");

/// Hash of the contents of a dataset's files, 16 hexadecimal digits. @throws std::runtime_error with path and reason
std::string dataset_digest(const std::filesystem::path& path);

/// Passes every episode of a dataset to `observe` as steps of one lane, in order, e.g. to fill a replay buffer.
/// Failures are guessed if the dataset does not have them.
/// @param stop called regularly; when true, the rest is left out
/// @returns false if it was stopped
/// @throws std::runtime_error naming the difference if the spaces are not those of the environment
bool replay_dataset(
    const std::filesystem::path& path, const EnvSpec& spec, const std::function<void(const StepBatch&)>& observe,
    const std::function<bool()>& stop = [] { return false; });

}  // namespace goalpost
