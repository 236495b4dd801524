// What is done with recorded episodes besides recording: checking, repairing, and exchanging them with other libraries.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
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

/// Checks whatever goalpost writes in HDF5: episodes, a policy or checkpoint, a run directory with all of these, and
/// with `spec`, the environment's, a Minari or D4RL dataset. Says in a sentence each what was found.
/// @throws std::runtime_error with file, dataset and difference
std::vector<std::string> check_files(const std::filesystem::path& path, const std::optional<EnvSpec>& spec);

/// Copies the longest prefix of whole, valid episodes into a new file, and says in a sentence what is left out; empty
/// if nothing is. @throws std::runtime_error if not even the header can be read, or out cannot be written
std::string repair_dataset(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);

/// Writes a directory that Minari 0.4 to 0.5 loads: data/main_data.hdf5 and data/metadata.json. It appears only when it
/// is complete. Actions are in the environment's unit.
/// @throws std::runtime_error, also if the directory exists or its name is no dataset name (it ends in -v and a number)
void export_minari(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);
/// Writes one flat file as D4RL's loader reads it. Goals go to infos/goal and infos/achieved_goal.
/// @throws std::runtime_error
void export_d4rl(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);

/// Reads a Minari dataset (the directory that holds data/, or data itself) or a D4RL file into a file of episodes.
/// What these formats do not say (goal radius, time limit and action range of D4RL) is taken from the environment.
/// @throws std::runtime_error naming what does not fit the environment
void import_dataset(const std::filesystem::path& path, const EnvSpec& spec, const std::filesystem::path& out,
                    bool compressed);

/// Every episode of a dataset as steps of one lane, in order: what fills a replay buffer.
/// @throws std::runtime_error naming the difference if the spaces are not those of the environment
void replay_dataset(const std::filesystem::path& path, const EnvSpec& spec,
                    const std::function<void(const StepBatch&)>& observe);

}  // namespace goalpost
