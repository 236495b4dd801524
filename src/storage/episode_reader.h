// EpisodeReader: reads and checks the episodes of a file, of the parts of a run, or of a run directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "storage/episode_format.h"
#include "storage/hdf5_file.h"

namespace goalpost {

/// Reads episodes from a file, from the directory of a run's parts, or from a run directory that holds either.
///
/// @throws std::runtime_error with file, dataset and difference if something violates the format
class EpisodeReader {
 public:
  explicit EpisodeReader(const std::filesystem::path& path);

  const EpisodeHeader& header() const { return header_; }
  std::uint64_t episodes() const { return episodes_; }
  std::uint64_t steps() const { return steps_; }
  /// Appends episode `index` to the block, and checks it: finite numbers, actions in range, flags 0 or 1 and ends only
  /// on the last step. @pre index < episodes()
  void read(std::uint64_t index, EpisodeBlock& block) const;
  const std::vector<std::filesystem::path>& files() const { return files_; }

 private:
  struct Part {
    bool has_failed;
    std::uint64_t first;             // index of its first episode
    std::vector<std::uint64_t> end;  // of its episodes, in steps of the file
  };
  void add(const std::filesystem::path& file);
  const Hdf5File& open_part(std::size_t part) const;

  std::vector<std::filesystem::path> files_;
  EpisodeHeader header_;
  std::vector<Part> parts_;
  std::uint64_t episodes_ = 0, steps_ = 0;
  mutable std::optional<Hdf5File> open_;  // one at a time: a long run has more parts than a process may have files
  mutable std::size_t open_index_ = 0;
};

}  // namespace goalpost
