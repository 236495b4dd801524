// The log files of a run:
//   <directory>/config.toml            the resolved configuration
//   <directory>/train.csv, eval.csv    one row per log line; first column `step`, environment steps
//   <directory>/events.out.tfevents.*  the same numbers for TensorBoard
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "storage/csv.h"
#include "storage/event_file.h"

namespace goalpost {

/// The logger of one run. Nothing is buffered. @throws std::runtime_error with path and reason if a write fails
class RunLog {
 public:
  struct Column {
    std::string_view name;  ///< in the CSV file
    double value;
    std::string_view tag = {};  ///< in TensorBoard, group/name; empty: not there
  };

  /// Creates the directory of a new run, and its parents, and writes config.toml. An empty directory may exist.
  /// Nothing is left behind on failure.
  /// @throws UsageError if the directory is not empty or cannot be created
  RunLog(const std::filesystem::path& directory, std::string_view config_toml);

  /// Continues in the directory of an earlier run from a checkpoint at this step. Rows of later steps are removed,
  /// because the run writes them again; a checkpoint must therefore be saved after the rows of its step.
  /// @throws UsageError if the directory holds no config.toml
  static RunLog resume(const std::filesystem::path& directory, std::int64_t step);

  /// Throws what the constructor would throw for a directory, as far as this can be checked without creating anything.
  static void check_unused(const std::filesystem::path& directory);

  /// Appends a row to train.csv or eval.csv, and its columns with tags to the event file. Steps do not decrease; a tag
  /// is written once per step. @throws std::invalid_argument if stream is neither "train" nor "eval"
  void write(std::string_view stream, std::int64_t step, std::span<const Column> columns);
  /// A Markdown text for TensorBoard; the same tag again replaces it.
  void note(std::string_view tag, std::string_view markdown) { events_.add_text(tag, markdown); }
  /// Returns when all of this is on the disk. Call it before saving what relies on it, e.g. a checkpoint on the rows up
  /// to its step.
  void sync();
  /// Number of rows of a stream, "train" or "eval", up to a step. @throws std::runtime_error if it cannot be read
  static std::uint64_t rows(const std::filesystem::path& directory, std::string_view stream, std::int64_t last_step);

  const std::filesystem::path& directory() const { return directory_; }
  EventFile& events() { return events_; }  ///< for events that are written once per run: hyper-parameters

 private:
  RunLog(const std::filesystem::path& directory, EventFile events);

  std::filesystem::path directory_;
  EventFile events_;
  std::map<std::string, CsvLog, std::less<>> tables_;  // by stream
};

}  // namespace goalpost
