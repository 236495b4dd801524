// Recorded episodes. A file holds whole episodes, one after the other, in flat datasets, so that thousands of short
// episodes stay cheap and a slice of any column is one matrix. Format version 2:
//
//   observation, achieved_goal, desired_goal   [steps + episodes x n] float32: the states s_0 ... s_T of every episode
//   action                                     [steps x n] float32, in [-1, 1] or an index
//   reward                                     [steps] float32
//   terminated, truncated, success, failed     [steps] uint8: task's end; time limit; goal reached after the step;
//   ended
//                                              by a failure, whatever the goal (StepResult::failed)
//   episode/end                                [episodes] uint64: steps up to and with the episode; row e + the steps
//                                              before episode e is its first state
//   episode/lane, episode/run_step             [episodes] uint64: lane; transitions of the run when the episode ended
//   episode/purpose                            [episodes] uint8: 0 training, 1 evaluation, 2 rollout
//   action_low, action_high                    [n] float64: range in the environment's unit, for continuous actions
//
// Attributes of the root: schema, kind, environment, obs_dim, goal_dim, action_dim, choices (0: continuous actions),
// goal_radius, max_steps, dt [s], seed, config (TOML of the run, with revision and library versions). Every chunk of a
// dataset has a checksum (HDF5's Fletcher-32 filter): a flipped bit is an error when it is read.
//
// Version 1 has no `failed` and no checksums. It is read, and EpisodeHeader::has_failed is false then: whether an
// episode failed is not known, and who needs it guesses that an end without success was a failure where there can be
// failures.
//
// While a run goes on, its episodes are sealed in parts of this format: <run>/episodes/000000.h5, ... Every part is
// written under another name, synced and renamed, so that whatever exists is whole, after a kill as after a power
// failure, and can be read while the run goes on. At the end they become one file, <run>/episodes.h5.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/state.h"
#include "envs/vector_env.h"
#include "storage/hdf5.h"

namespace goalpost {

inline constexpr char kEpisodeKind[] = "goalpost episodes";  ///< the attribute kind

enum class EpisodePurpose : std::uint8_t { training, evaluation, rollout };

/// What the episodes of a file have in common.
struct EpisodeHeader {
  std::string environment, config;
  int obs_dim = 0, goal_dim = 0, action_dim = 0, choices = 0, max_steps = 0;
  std::vector<double> action_low, action_high;
  double goal_radius = 0, dt = 0;
  std::uint64_t seed = 0;
  bool has_failed = true;  ///< whether the file says which episodes failed (since version 2)

  static EpisodeHeader of(const EnvSpec& spec, std::uint64_t seed, std::string config);
  bool same_spaces(const EpisodeHeader& other) const;  ///< and environment: their episodes may lie in one file
};

/// Whole episodes in memory, in the layout of the file.
struct EpisodeBlock {
  std::vector<float> observation, achieved, desired, action, reward;
  std::vector<std::uint8_t> terminated, truncated, success;
  std::vector<std::uint8_t> failed;  ///< all 0 where EpisodeHeader::has_failed is false
  std::vector<std::uint64_t> end;    ///< counted from the first step of the block
  std::vector<std::uint64_t> lane, run_step;
  std::vector<std::uint8_t> purpose;

  std::uint64_t episodes() const { return end.size(); }
  std::uint64_t steps() const { return reward.size(); }
  std::uint64_t begin_of(std::uint64_t episode) const { return episode == 0 ? 0 : end[episode - 1]; }
  void clear();
  /// Appends episode `e` of another block.
  void append_episode(const EpisodeHeader& header, const EpisodeBlock& from, std::uint64_t e);
};

/// Writes one file of episodes, many at a time, so that equal episodes make equal files however they were appended. It
/// takes its place only with close(); before, and on failure, nothing is there.
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

/// Reads episodes from a file, from the directory of a run's parts, or from a run directory that holds either.
///
/// @throws std::runtime_error with file, dataset and difference if something is not as the format wants it
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

/// The next episodes of several lanes as they are stepped. Sizes are fixed by the environment's time limit.
class EpisodeStage {
 public:
  EpisodeStage(const EnvSpec& spec, int lanes, EpisodePurpose purpose);
  static std::uint64_t bytes(const EnvSpec& spec);  ///< of one lane
  /// @throws std::logic_error for a step beyond the time limit, or of another environment. @alloc none
  void add(const StepBatch& step, std::size_t lane);
  /// Appends a lane's episode to the block. One that has not ended counts as truncated by its collector.
  void move_episode(std::size_t lane, std::uint64_t run_step, EpisodeBlock& block);
  std::uint64_t steps(std::size_t lane) const { return lanes_[lane].steps; }  ///< of the episode under way
  void clear();                                                               ///< forgets the episodes under way
  void visit_state(StateVisitor& v);

 private:
  struct Lane {
    Matrix observation, achieved, desired;  // [n x max_steps + 1]
    Matrix action, reward;                  // [n x max_steps]
    Matrix flags;                           // [3 x max_steps] terminated, truncated, success
    std::uint64_t steps = 0;
    std::uint8_t failed = 0;  // the last step; none before it can have
  };
  std::vector<Lane> lanes_;
  EpisodePurpose purpose_;
};

/// Records the episodes of a run in the background: the stepping thread copies into blocks of fixed size, another one
/// writes them as parts. If that cannot keep up, stepping waits. If a part cannot be written, recording ends with one
/// message, and everything else goes on.
class EpisodeRecorder {
 public:
  struct Options {
    bool compressed = false;
    std::size_t block_bytes = std::size_t(4) << 20;
    std::function<void(const std::string&)> on_failure = [](const std::string&) {};  ///< called once, by any thread
  };
  /// Parts go to <directory>/episodes. @throws std::runtime_error if it cannot be created or is not empty
  EpisodeRecorder(std::filesystem::path directory, const EnvSpec& spec, EpisodeHeader header, Options options);
  ~EpisodeRecorder();
  EpisodeRecorder(const EpisodeRecorder&) = delete;
  EpisodeRecorder& operator=(const EpisodeRecorder&) = delete;

  /// One lane of a step, of an unstable one only that its episode has ended before it; `run_step` is kept with the
  /// episode that it ends. @alloc none
  void append(EpisodeStage& stage, const StepBatch& step, std::size_t lane, std::uint64_t run_step);
  /// Returns when every episode that has ended is on the disk.
  void seal();
  /// Forgets the episodes since this many; parts begin at it if seal() was called there.
  void cut_back(std::uint64_t episodes);
  /// Seals, and turns the parts into <directory>/episodes.h5. Nothing can be appended afterwards.
  void finish();

  std::uint64_t episodes() const { return episodes_; }  ///< appended and whole
  bool active() const;                                  ///< whether recording has not failed
  /// Says what is on the disk: seal() first. After a load the parts hold exactly the episodes that were there when the
  /// state was saved. @throws std::runtime_error if some of them are missing
  void visit_state(StateVisitor& v);

 private:
  void work();
  void hand_over(std::unique_lock<std::mutex>& lock);
  void fail(const std::string& message);
  std::filesystem::path part_path(std::uint64_t number) const;
  void restore_parts();

  std::filesystem::path directory_, parts_;
  EpisodeHeader header_;
  Options options_;
  std::uint64_t episodes_ = 0;
  std::vector<std::uint64_t> part_episodes_;  // in each sealed part; guarded by mutex_

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<EpisodeBlock>> free_, full_;
  std::unique_ptr<EpisodeBlock> current_;  // touched by the stepping thread only
  bool writing_ = false, stopping_ = false, failed_ = false;
  std::thread writer_;
};

/// Where a directory's recorder puts its parts, and what they become.
std::filesystem::path episode_parts(const std::filesystem::path& directory);
std::filesystem::path episode_file(const std::filesystem::path& directory);

}  // namespace goalpost
