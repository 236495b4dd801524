// D4RL's datasets: one flat HDF5 file.
#pragma once

#include <filesystem>

#include "envs/spec.h"
#include "storage/dataset_foreign.h"
#include "storage/hdf5_file.h"

namespace goalpost {

/// Writes one flat file that D4RL's loader reads. Goals go to infos/goal and infos/achieved_goal, successes and
/// failures to infos/success and infos/failed.
/// @throws std::runtime_error
void export_d4rl(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);

/// Every episode of a file. @param path for messages
void each_d4rl(const Hdf5File& file, const std::filesystem::path& path, const EnvSpec& spec, const EachEpisode& f);

}  // namespace goalpost
