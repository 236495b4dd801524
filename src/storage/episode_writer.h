// EpisodeFileWriter: writes one file of episodes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "storage/episode_format.h"
#include "storage/hdf5_file.h"

namespace goalpost {

/// Writes one file of episodes, many at a time: equal episodes make equal files, however they were appended. The file
/// appears only with close(); before, and on failure, it does not exist.
/// @throws std::runtime_error with path and reason from every member function
class EpisodeFileWriter {
 public:
  EpisodeFileWriter(std::filesystem::path path, const EpisodeHeader& header, bool compressed);
  ~EpisodeFileWriter();
  void append(const EpisodeBlock& block);
  void close();

 private:
  void create_columns();
  void write_pending();

  std::filesystem::path path_;
  Hdf5File file_;
  EpisodeHeader header_;
  bool compressed_;
  EpisodeBlock pending_;
  std::uint64_t steps_ = 0;  // written
  bool created_ = false, closed_ = false;
};

}  // namespace goalpost
