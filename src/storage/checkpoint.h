// Checkpoints: one HDF5 dataset per visited name, scopes as groups. A matrix [rows x cols] is a dataset [cols x rows],
// so that one row of the dataset is one column, a sample; numbers are as in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/state_hash.h"

namespace goalpost {

/// Writes the state. The file appears, or replaces an earlier one, only when it is complete and on the disk.
/// @param kind of the state, e.g. "run"; load_state expects the same
/// @param config stored with the state: the configuration that it belongs to, as TOML of less than 64 KiB
/// @param texts further attributes by name, each of less than 64 KiB
/// @throws std::runtime_error with path and reason, e.g. a full disk, or a name that is visited twice
void save_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit,
                const std::string& config = "", const std::map<std::string, std::string>& texts = {});

/// The configuration that a state was saved with. @throws std::runtime_error as load_state
std::string read_state_config(const std::filesystem::path& path, const std::string& kind);
/// One of the further attributes. @throws std::runtime_error as load_state
std::string read_state_text(const std::filesystem::path& path, const std::string& kind, const char* name);

/// Single counters of a state, by their full names. @throws std::runtime_error as load_state
std::vector<std::uint64_t> read_state_counters(const std::filesystem::path& path, const std::string& kind,
                                               const std::vector<std::string>& names);

/// The hash of a state as it was saved. @throws std::runtime_error as load_state, or if it is of an earlier version
std::uint64_t read_state_hash(const std::filesystem::path& path, const std::string& kind);

/// Kind and size of a file that save_state wrote.
struct StateSummary {
  std::string kind;
  std::uint64_t datasets = 0, bytes = 0;
};
/// Reads a whole state of any kind. @throws std::runtime_error as load_state, if the file is damaged
StateSummary check_state(const std::filesystem::path& path);

/// Reads the state back. Values are in place when visit() returns, so sizes may depend on counters visited before.
/// After an error the state is partly read and no longer usable.
/// @throws std::runtime_error with path, dataset and difference if the file is not a complete HDF5 file, is of another
/// kind or schema, lacks a name or holds one that is not visited, has another type or shape, or holds NaN
void load_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit);
/// The same of a state that holds more than is visited.
void load_part_of_state(const std::filesystem::path& path, const std::string& kind, const StateTraversal& visit);

/// The checkpoints of one run: checkpoint.h5 is the newest, older ones are called checkpoint_<step>.h5.
class CheckpointSeries {
 public:
  /// @param kept number of checkpoints that are kept, including the newest
  CheckpointSeries(std::filesystem::path directory, int kept) : directory_(std::move(directory)), kept_(kept) {}

  static std::filesystem::path newest(const std::filesystem::path& directory);
  /// The older ones, the oldest first.
  static std::vector<std::filesystem::path> older(const std::filesystem::path& directory);
  static void remove_older(const std::filesystem::path& directory);
  /// Makes an older one the newest, and removes those between. @throws std::system_error with path and reason
  static void go_back_to(const std::filesystem::path& directory, const std::filesystem::path& file);

  /// Sets the step of the checkpoint in the directory, if there is one.
  void continue_from(std::int64_t step) { step_ = step; }
  /// checkpoint.h5 is a complete file at every moment, if there was one before. @throws std::runtime_error as
  /// save_state
  void save(std::int64_t step, const std::string& kind, const StateTraversal& visit, const std::string& config);

 private:
  std::filesystem::path directory_;
  int kept_;
  std::int64_t step_ = 0;  // of the newest
};

}  // namespace goalpost
