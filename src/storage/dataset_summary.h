// Reads and checks every recorded episode, and counts what it finds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "storage/episode_format.h"

namespace goalpost {

/// Counts over all episodes of a file, of the parts of a run, or of a run directory.
struct DatasetSummary {
  EpisodeHeader header;
  std::uint64_t files = 0, episodes = 0, steps = 0, successes = 0;  ///< successes: episodes whose last step is one
  std::uint64_t by_purpose[3] = {0, 0, 0};
  double mean_return = 0;
  std::uint64_t bytes = 0;
};
/// Reads every episode, and so checks it. @throws std::runtime_error with file, dataset, episode and difference
DatasetSummary check_dataset(const std::filesystem::path& path);

/// The same within this process, which a damaged file may crash; call try_reading() first.
DatasetSummary read_recorded(const std::filesystem::path& path);

/// Sum of an episode's rewards, in double precision.
double sum(const std::vector<float>& values);

}  // namespace goalpost
