// What is done with recorded episodes besides recording: checking, repairing, and exchanging them with other libraries.
// What writes a file throws UsageError if one is there already (expect_new of storage/file.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "storage/episodes.h"

namespace goalpost {

/// Reads every episode of a file, of the parts of a run, or of a run directory, and so checks it.
struct DatasetSummary {
  EpisodeHeader header;
  std::uint64_t files = 0, episodes = 0, steps = 0, successes = 0;  ///< successes: episodes whose last step is one
  std::uint64_t by_purpose[3] = {0, 0, 0};
  double mean_return = 0;
  std::uint64_t bytes = 0;
};
/// @throws std::runtime_error with file, dataset, episode and difference
DatasetSummary check_dataset(const std::filesystem::path& path);

/// Said of files without failures (EpisodeHeader::has_failed).
inline constexpr char kGuessedFailures[] =
    "the file does not say which episodes failed: an end without success counts as a failure where there can be "
    "failures";

/// Checks whatever goalpost writes in HDF5: episodes, a policy or checkpoint, a run directory with all of these, and
/// with `spec`, the environment's, a Minari or D4RL dataset. Says in a sentence each what was found. With `spec`,
/// episodes, policies and checkpoints must be of this environment, and of the settings [env] of `config` (TOML) if that
/// is given. @throws std::runtime_error with file, dataset and difference
std::vector<std::string> check_files(const std::filesystem::path& path, const std::optional<EnvSpec>& spec,
                                     const std::string& config = "");

/// What a dataset says of the task that it is of: all for our own files and exports, nothing for others.
struct DatasetIdentity {
  std::string environment, config;
  std::optional<double> goal_radius = {}, dt = {};
  bool guesses_failures = false;  ///< an own file without failures: see kGuessedFailures
};
/// @throws std::runtime_error with file and reason
DatasetIdentity dataset_identity(const std::filesystem::path& path);
/// Thrown for a dataset of another task.
class DatasetMismatch : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// @param config TOML whose [env] the dataset's settings are compared with; empty: only the environment is compared
/// @throws DatasetMismatch naming what differs, with both values; std::runtime_error as dataset_identity
void expect_same_task(const std::filesystem::path& path, const EnvSpec& spec, const std::string& config);

/// Which episodes are kept.
struct EpisodeFilter {
  bool success = false;  ///< only those whose last step is a success
  bool failed = false;   ///< only those that ended by a failure
  std::optional<EpisodePurpose> purpose = {};
  std::optional<double> min_return = {}, max_return = {};             ///< undiscounted
  std::uint64_t first = 0;                                            ///< at most so many; 0: all
  std::optional<std::pair<std::uint64_t, std::uint64_t>> steps = {};  ///< transitions of the run at their end
};
/// Copies the episodes that pass into a new file, and says how many in a sentence.
/// @throws std::runtime_error with file and reason, also if none passes
std::string filter_dataset(const std::filesystem::path& path, const EpisodeFilter& filter,
                           const std::filesystem::path& out, bool compressed);
/// Copies the episodes of several files or run directories, one after the other, into a new file whose configuration
/// and seed are those of the first. @throws std::runtime_error naming what differs if they are of different tasks
std::string merge_datasets(const std::vector<std::filesystem::path>& paths, const std::filesystem::path& out,
                           bool compressed);

/// Copies the longest prefix of whole, valid episodes into a new file, and says in a sentence what is left out; empty
/// if nothing is. @throws std::runtime_error if not even the header can be read, or out cannot be written
std::string repair_dataset(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);

/// Writes a directory that Minari 0.4 to 0.5 loads: data/main_data.hdf5 and data/metadata.json. It appears only when it
/// is complete. Actions are in the environment's unit.
/// @throws std::runtime_error, also if the directory exists or its name is no dataset name (it ends in -v and a number)
void export_minari(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);
/// Writes one flat file as D4RL's loader reads it. Goals go to infos/goal and infos/achieved_goal, successes and
/// failures to infos/success and infos/failed.
/// @throws std::runtime_error
void export_d4rl(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);

/// Reads a Minari dataset (the directory that holds data/, or data itself) or a D4RL file into a file of episodes.
/// What these formats do not say (goal radius, time limit and action range of D4RL) is taken from the environment.
/// @param config TOML of the environment's settings, kept with the episodes unless the dataset has its own
/// @throws std::runtime_error naming what does not fit the environment
void import_dataset(const std::filesystem::path& path, const EnvSpec& spec, const std::filesystem::path& out,
                    bool compressed, const std::string& config = "");

/// 16 hexadecimal digits over what the files of a dataset hold. @throws std::runtime_error with path and reason
std::string dataset_digest(const std::filesystem::path& path);

/// Every episode of a dataset as steps of one lane, in order: what fills a replay buffer.
/// Which failed is guessed where the dataset does not say so.
/// @param stop asked now and then; when true, the rest is left out
/// @returns false if it was stopped
/// @throws std::runtime_error naming the difference if the spaces are not those of the environment
bool replay_dataset(
    const std::filesystem::path& path, const EnvSpec& spec, const std::function<void(const StepBatch&)>& observe,
    const std::function<bool()>& stop = [] { return false; });

}  // namespace goalpost
