// Makes a new file of episodes from others: filtered, merged or repaired. Throws UsageError if the file exists
// (expect_new of storage/file.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/episode_format.h"

namespace goalpost {

/// Selects episodes; all conditions must hold.
struct EpisodeFilter {
  bool success = false;  ///< only those whose last step is a success
  bool failed = false;   ///< only those that ended by a failure
  std::optional<EpisodePurpose> purpose = {};
  std::optional<double> min_return = {}, max_return = {};  ///< undiscounted
  std::uint64_t first = 0;                                 ///< maximum number of episodes; 0: all
  /// range of the run's transitions at the end of the episode
  std::optional<std::pair<std::uint64_t, std::uint64_t>> steps = {};
};
/// Copies the selected episodes into a new file; returns a sentence with their number.
/// @throws std::runtime_error with file and reason, also if none passes
std::string filter_dataset(const std::filesystem::path& path, const EpisodeFilter& filter,
                           const std::filesystem::path& out, bool compressed);
/// Copies the episodes of several files or run directories, one after the other, into a new file whose configuration
/// and seed are those of the first. @throws std::runtime_error naming what differs if they are of different tasks
std::string merge_datasets(const std::vector<std::filesystem::path>& paths, const std::filesystem::path& out,
                           bool compressed);

/// Copies the longest prefix of complete, valid episodes into a new file; returns a sentence on what is left out, empty
/// if nothing is. @throws std::runtime_error if the header cannot be read, or out cannot be written
std::string repair_dataset(const std::filesystem::path& path, const std::filesystem::path& out, bool compressed);

}  // namespace goalpost
