// Minari's datasets: a directory with data/main_data.hdf5 and data/metadata.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "envs/spec.h"
#include "storage/dataset_foreign.h"
#include "storage/dataset_task.h"

namespace goalpost {

/// Writes a directory that Minari 0.4 to 0.5 loads: data/main_data.hdf5 and data/metadata.json. It appears only when it
/// is complete. Actions are in the environment's unit.
/// @throws std::runtime_error, also if the directory exists or its name is not that of a dataset (ending in -v and a
/// number)
void export_minari(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);

/// The directory of a Minari dataset's files; nothing if the path is not a Minari dataset.
std::optional<std::filesystem::path> minari_data(const std::filesystem::path& path);

/// The contents of metadata.json.
struct MinariMetadata {
  std::uint64_t episodes = 0, steps = 0;
  DatasetIdentity identity = {};
};
MinariMetadata read_metadata(const std::filesystem::path& path);

/// Every episode of minari_data().
void each_minari(const std::filesystem::path& data, const EnvSpec& spec, const EachEpisode& f);

}  // namespace goalpost
