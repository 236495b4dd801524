#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "algos/batch.h"
#include "core/config.h"
#include "core/rng.h"
#include "core/state.h"
#include "envs/step.h"

namespace goalpost {

struct ReplayConfig {
  int buffer_size = 1'000'000;
  int n_step = 1;
  bool time_limit_ends = false;
  std::string dataset = "";
  bool dataset_check = true;
};
constexpr auto fields(const ReplayConfig*) {
  return std::tuple{
      field("buffer_size", &ReplayConfig::buffer_size,
            "buffer size in transitions, over all environments; the oldest are overwritten", 1, 1'000'000'000,
            "Mnih et al. 2015, Ext. Data Table 1")
          .formerly("capacity"),
      field("n_step", &ReplayConfig::n_step,
            "n of n-step returns: discounted rewards of n steps, fewer at an episode's end, and the value of the state "
            "after them; without off-policy correction",
            1, 1000, "Hessel et al. 2018 (there 3)"),
      field("time_limit_ends", &ReplayConfig::time_limit_ends,
            "treat time limits as terminal, without bootstrapping: a common error, kept as an ablation"),
      field("dataset", &ReplayConfig::dataset,
            "episodes to load into the replay buffer before training: a file or run directory of `goalpost train "
            "--set train.record=...`, a Minari or a D4RL dataset; none if empty"),
      field("dataset_check", &ReplayConfig::dataset_check,
            "refuse a dataset of another environment, goal radius or environment setting; false: accept any whose "
            "spaces fit"),
  };
}
static_assert(complete<ReplayConfig>);

/// Stores the transitions of each lane in order, with the bounds of their episodes; the oldest are overwritten first.
/// A lane is one of the parallel environments. Of an episode longer than a lane's share of the capacity the last
/// transitions are stored; it does not count as finished. What to draw is decided by a Sampler. Memory is taken as the
/// buffer fills.
class ReplayBuffer {
 public:
  /// t counts the lane's transitions since the start and never wraps.
  struct Slot {
    int lane;
    Index t;
  };

  /// @param lanes 0: for an agent that only acts; nothing can be added, and no memory is taken
  /// @throws std::invalid_argument if an episode of spec.max_steps does not fit into a lane's share of the capacity
  ReplayBuffer(const EnvSpec& spec, const ReplayConfig& config, int lanes);

  /// Adds a step of all lanes. An unstable step is not stored; its episode ends before it. @alloc none
  void add(const StepBatch& step);
  /// Adds one column of a step, which may have any number of lanes, as the next transition of a lane. @alloc none
  void add(const StepBatch& step, Index column, int lane);
  std::size_t transition_bytes() const { return stride_; }
  Index lane_capacity() const { return lane_capacity_; }
  Index capacity() const { return lane_capacity_ * std::ssize(lanes_); }
  Index size() const { return size_; }               ///< transitions stored
  std::int64_t added() const { return added_; }      ///< transitions stored so far, of which the oldest are gone
  Index finished_size() const { return finished_; }  ///< of them, those whose episode is finished and stored whole
  Slot draw(Rng& rng) const;                         ///< uniform over all. @pre size() > 0
  Slot draw_finished(Rng& rng) const;                ///< uniform over those. @pre finished_size() > 0
  /// t of the first transition of the slot's episode.
  Index episode_begin(Slot slot) const { return slot.t - header(slot).since_begin; }
  /// One past the last; kRunning if the episode has not ended.
  Index episode_end(Slot slot) const {
    return header(slot).until_end == 0 ? kRunning : slot.t + header(slot).until_end;
  }
  /// Transitions [begin, end) of one lane.
  struct Episode {
    Index begin, end;
  };
  /// The last episode that has ended in a lane; empty if there is none, or if its beginning is overwritten.
  Episode last_finished(int lane) const;
  void copy(Slot slot, Index column, Batch& out) const;                                    ///< with its desired goal
  ConstVectorMap obs(Slot slot) const { return {part(slot, 0), obs_dim_}; }                ///< [obs] acted on
  ConstVectorMap obs_after(Slot slot) const { return {part(slot, after_at_), obs_dim_}; }  ///< [obs]
  Scalar reward(Slot slot) const { return *part(slot, reward_at_); }
  /// Whether the task ended with the transition; with ReplayConfig::time_limit_ends also whether time ran out.
  bool ends(Slot slot) const { return (header(slot).terminated | header(slot).timeout_as_terminal) != 0; }
  int n_step() const { return c_.n_step; }
  /// Stored transitions of the slot's episode from the slot on.
  Index steps_from(Slot slot) const {
    const Index until_end = header(slot).until_end;
    return until_end != 0 ? until_end : lanes_[slot.lane].added - slot.t;
  }
  /// [goal] the goal achieved after the transition
  ConstVectorMap achieved_after(Slot slot) const { return {part(slot, achieved_at_), goal_dim_}; }
  /// [goal] the goal achieved before it; stored only if rewards depend on it (GoalSpace::minus_before), else empty
  ConstVectorMap achieved_before(Slot slot) const { return {part(slot, achieved_before_at_), before_dim_}; }
  /// [goal] the desired goal
  ConstVectorMap desired(Slot slot) const { return {part(slot, desired_at_), goal_dim_}; }
  /// Whether the time limit makes the transition an end, whatever the goal; only with ReplayConfig::time_limit_ends.
  bool timeout_as_terminal(Slot slot) const { return header(slot).timeout_as_terminal != 0; }
  bool failed(Slot slot) const { return header(slot).failed != 0; }  ///< ended by a failure, whatever the goal
  /// Prefetches a transition into the cache: a cache miss costs more than the copy.
  void prefetch(Slot slot) const {
    const std::byte* record = at(slot);
    for (std::size_t line = 0; line < stride_; line += 64) __builtin_prefetch(record + line);
  }
  void visit_state(StateVisitor& v);

  static constexpr std::int64_t kRunning = -1;

 private:
  struct Lane {
    std::int64_t added = 0;          // transitions so far
    std::int64_t episode_begin = 0;  // t where the running episode began
    std::int64_t first_whole = 0;    // t where the oldest episode begins that is stored whole; none: added
    std::int64_t turn = 0;           // t of the transition last stored at the beginning of the lane's memory
  };
  // One record per transition: the header, then obs, after, action, desired, achieved after and before, reward.
  struct Header {
    std::int32_t since_begin, until_end;  // transitions from the episode's first, and to one past its last; 0: runs
    std::uint8_t terminated, timeout_as_terminal, failed, unused = 0;  // no padding: states are compared by their bytes
  };
  static_assert(std::has_unique_object_representations_v<Header>);
  std::byte* at(Slot slot) const {
    Index place = slot.t - lanes_[slot.lane].turn;  // t modulo capacity, without a division
    if (place < 0) place += lane_capacity_;
    return data_.get() + stride_ * (slot.lane * lane_capacity_ + place);
  }
  Header& header(Slot slot) const { return *reinterpret_cast<Header*>(at(slot)); }
  Scalar* part(Slot slot, Index offset) const { return reinterpret_cast<Scalar*>(at(slot) + sizeof(Header)) + offset; }
  void store(const StepBatch& step, Index column, int lane);
  void check_records(int lane) const;  // throws std::runtime_error
  Index oldest(const Lane& lane) const { return std::max<Index>(0, lane.added - lane_capacity_); }
  Index finished(const Lane& lane) const { return lane.episode_begin - std::min(lane.first_whole, lane.episode_begin); }

  ReplayConfig c_;
  Index obs_dim_, action_dim_, goal_dim_, before_dim_, lane_capacity_;
  Index after_at_, action_at_, desired_at_, achieved_at_, achieved_before_at_, reward_at_;  // where parts begin
  std::size_t stride_;                                                                      // bytes of a record
  Index size_ = 0, finished_ = 0;
  std::int64_t added_ = 0;
  std::vector<Lane> lanes_;
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t(kPage)); }
  };
  static constexpr std::size_t kPage = std::size_t(1) << 21;  // a large page
  std::unique_ptr<std::byte[], Free> data_;  // left untouched, so that a large capacity costs memory only as it fills
};

}  // namespace goalpost
