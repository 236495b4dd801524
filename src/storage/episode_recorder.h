// Records the episodes of a run: EpisodeStage collects the running ones, EpisodeRecorder writes parts in the
// background.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/matrix.h"
#include "core/state.h"
#include "envs/step.h"
#include "storage/episode_format.h"

namespace goalpost {

/// The running episodes of several lanes. Sizes are fixed by the environment's time limit.
class EpisodeStage {
 public:
  EpisodeStage(const EnvSpec& spec, int lanes, EpisodePurpose purpose);
  static std::uint64_t bytes(const EnvSpec& spec);  ///< of one lane
  /// @throws std::logic_error for a step beyond the time limit, or of another environment. @alloc none
  void add(const StepBatch& step, std::size_t lane);
  /// Appends a lane's episode to the block. An episode that has not ended is marked as truncated.
  void move_episode(std::size_t lane, std::uint64_t run_step, EpisodeBlock& block);
  std::uint64_t steps(std::size_t lane) const { return lanes_[lane].steps; }  ///< of the running episode
  void clear();                                                               ///< discards the running episodes
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

/// Records the episodes of a run in the background: the stepping thread copies into blocks of fixed size, and a
/// background thread writes them to immutable part files. If writing is slower than stepping, stepping waits. If a part
/// cannot be written, recording ends with one message, and training continues.
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

  /// Adds one lane of a step; an unstable step only ends the episode before it. `run_step` is stored with an episode
  /// that ends. @alloc none
  void append(EpisodeStage& stage, const StepBatch& step, std::size_t lane, std::uint64_t run_step);
  /// Writes the finished episodes as a part; returns when they are on the disk.
  void seal();
  /// Discards all episodes after this number; seal() must have been called at it.
  void cut_back(std::uint64_t episodes);
  /// Seals, and turns the parts into <directory>/episodes.h5. Nothing can be appended afterwards.
  void finish();

  std::uint64_t episodes() const { return episodes_; }  ///< appended and finished
  bool active() const;                                  ///< whether recording has not failed
  /// The state is what is on the disk: call seal() first. After a load the parts hold exactly the episodes of the saved
  /// state. @throws std::runtime_error if some of them are missing
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

}  // namespace goalpost
