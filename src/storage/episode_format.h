// Recorded episodes. A file holds complete episodes, one after the other, in flat datasets, so that thousands of short
// episodes are efficient and a slice of any column is one matrix. Format version 2:
//
//   observation, achieved_goal, desired_goal   [steps + episodes x n] float32: the states s_0 ... s_T of every episode
//   action                                     [steps x n] float32, in [-1, 1] or an index
//   reward                                     [steps] float32
//   terminated, truncated, success, failed     [steps] uint8: task's end; time limit; goal reached after the step;
//                                              ended by a failure, whatever the goal (StepResult::failed)
//   episode/end                                [episodes] uint64: number of steps up to the end of the episode; the
//                                              first state of episode e is in row e + the steps before it
//   episode/lane, episode/run_step             [episodes] uint64: lane; transitions of the run when the episode ended
//   episode/purpose                            [episodes] uint8: 0 training, 1 evaluation, 2 rollout
//   action_low, action_high                    [n] float64: range in the environment's unit, for continuous actions
//
// Attributes of the root: schema, kind, environment, obs_dim, goal_dim, action_dim, choices (0: continuous actions),
// goal_radius, max_steps, dt [s], seed, config (TOML of the run, with revision and library versions). Every chunk of a
// dataset has a checksum (HDF5's Fletcher-32 filter): a flipped bit is an error when it is read.
//
// Version 1 has no `failed` and no checksums. It can be read; EpisodeHeader::has_failed is then false: it is unknown
// whether an episode failed. Readers that need it guess that an end without success is a failure if the environment has
// failures.
//
// During a run its episodes are written to immutable part files of this format: <run>/episodes/000000.h5, ... Every
// part is written under another name, synced and renamed, so that every part is complete, also after a kill or a power
// failure, and can be read during the run. At the end the parts become one file, <run>/episodes.h5.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "envs/spec.h"

namespace goalpost {

inline constexpr char kEpisodeKind[] = "goalpost episodes";            ///< the attribute kind
inline constexpr std::uint64_t kSchema = 2, kSchemaWithoutFailed = 1;  ///< the attribute schema

enum class EpisodePurpose : std::uint8_t { training, evaluation, rollout };

/// What all episodes of a file share.
struct EpisodeHeader {
  std::string environment, config;
  int obs_dim = 0, goal_dim = 0, action_dim = 0, choices = 0, max_steps = 0;
  std::vector<double> action_low, action_high;
  double goal_radius = 0, dt = 0;
  std::uint64_t seed = 0;
  bool has_failed = true;  ///< whether the file has the failures (since version 2)

  static EpisodeHeader of(const EnvSpec& spec, std::uint64_t seed, std::string config);
  bool same_spaces(const EpisodeHeader& other) const;  ///< and environment, so that one file may hold their episodes
};

/// Complete episodes in memory, in the layout of the file.
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

/// The directory of a recorder's parts, and the file that they become.
std::filesystem::path episode_parts(const std::filesystem::path& directory);
std::filesystem::path episode_file(const std::filesystem::path& directory);
/// The complete parts in a directory of parts, in order.
std::vector<std::filesystem::path> part_files(const std::filesystem::path& directory);

/// The columns of a file that have one row per state, or per step: f(name, numbers per row, the block's vector).
template <class F>
void for_states(const EpisodeHeader& h, EpisodeBlock& b, F f) {
  f("observation", h.obs_dim, b.observation);
  f("achieved_goal", h.goal_dim, b.achieved);
  f("desired_goal", h.goal_dim, b.desired);
}
template <class F>
void for_steps(const EpisodeHeader& h, EpisodeBlock& b, F f) {
  f("action", h.action_dim, b.action);
  f("reward", 0, b.reward);
  f("terminated", 0, b.terminated);
  f("truncated", 0, b.truncated);
  f("success", 0, b.success);
  f("failed", 0, b.failed);
}
template <class F>
void for_episodes(EpisodeBlock& b, F f) {
  f("episode/end", 0, b.end);
  f("episode/lane", 0, b.lane);
  f("episode/run_step", 0, b.run_step);
  f("episode/purpose", 0, b.purpose);
}

/// Whether a file has this column. Goals of dimension 0 have no dataset, and files of version 1 have no failures.
inline bool is_there(std::string_view name, const EpisodeHeader& h) {
  if (name == "failed") return h.has_failed;
  return h.goal_dim > 0 || (name != "achieved_goal" && name != "desired_goal");
}

}  // namespace goalpost
