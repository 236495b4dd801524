// Segments: one decision of the high level and the steps until the next, in a ring buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/matrix.h"
#include "core/rng.h"
#include "core/state.h"

namespace goalpost {

/// Sizes of what a segment holds.
struct SegmentShape {
  Index obs = 0, action = 0, desired = 0, subgoal = 0;
  Index steps = 1;        ///< at most
  bool achieved = false;  ///< whether the achieved goals are kept, and which segment follows in the episode

  Index size() const {
    return obs * (steps + 1) + action * steps + 2 * desired + subgoal + 3 + (achieved ? desired * (steps + 1) + 1 : 0);
  }
};

inline constexpr Scalar kFailed = 2;  ///< Segment::terminated

/// One decision of the high level and the low level's steps until the next, as a view into a buffer. A segment that was
/// cut short has its steps in the first columns; the others are zero.
class Segment {
 public:
  using VectorMap = Eigen::Map<Vector>;
  Segment(Scalar* data, const SegmentShape& shape) : data_(data), n_(shape) {}
  MatrixMap obs() const { return {data_, n_.obs, n_.steps + 1}; }  ///< [obs x steps+1] before each step, and at the end
  MatrixMap actions() const { return {after_obs(), n_.action, n_.steps}; }  ///< [act x steps] in [-1, 1]
  VectorMap desired() const { return {after_actions(), n_.desired}; }       ///< [goal] the task's goal at its start
  VectorMap desired_after() const { return {after_actions() + n_.desired, n_.desired}; }  ///< and at its end
  VectorMap subgoal() const { return {after_actions() + 2 * n_.desired, n_.subgoal}; }    ///< before the correction
  Scalar& reward() const { return after_actions()[2 * n_.desired + n_.subgoal]; }         ///< sum of the environment's
  Scalar& terminated() const {
    return after_actions()[2 * n_.desired + n_.subgoal + 1];
  }  ///< 1: the task ended, kFailed: in a failure
  /// [goal x steps+1] goals achieved before each step, and at the end. @pre SegmentShape::achieved
  MatrixMap achieved() const { return {after_numbers() + 1, n_.desired, n_.steps + 1}; }
  /// How many segments later the next one of the episode was stored; 0: none yet. @pre SegmentShape::achieved
  Scalar& until_next() const { return *after_numbers(); }
  Index length() const { return Index(length_number()); }  ///< steps taken
  bool has_valid_length() const { return length_number() >= 0 && length_number() <= Scalar(n_.steps); }
  void set_length(Index steps) const { length_number() = Scalar(steps); }
  /// Step k = 1, 2, ..., steps of the segment: the action, the observation after it, its reward.
  void add_step(Index k, ConstVectorRef action, ConstVectorRef obs_after, Scalar step_reward) const {
    actions().col(k - 1) = action;
    obs().col(k) = obs_after;
    reward() += step_reward;
    set_length(k);
  }
  auto first_obs() const { return obs().col(0); }
  auto last_obs() const { return obs().col(length()); }

 private:
  Scalar* after_obs() const { return data_ + n_.obs * (n_.steps + 1); }
  Scalar* after_actions() const { return after_obs() + n_.action * n_.steps; }
  Scalar& length_number() const { return after_actions()[2 * n_.desired + n_.subgoal + 2]; }
  Scalar* after_numbers() const { return after_actions() + 2 * n_.desired + n_.subgoal + 3; }

  Scalar* data_;
  SegmentShape n_;
};

/// Finished segments of all lanes, the oldest overwritten first, and one open segment per lane.
class SegmentBuffer {
 public:
  /// @param lanes 0: for an agent that only acts; no memory is taken
  /// @throws std::invalid_argument if capacity or shape.steps is not positive
  SegmentBuffer(const SegmentShape& shape, Index capacity, int lanes);

  /// Begins the open segment of a lane at a decision: length 0, reward 0. @alloc none
  void begin_segment(Index lane, ConstVectorRef obs, ConstVectorRef desired, ConstVectorRef subgoal);
  /// The next segment of the lane is the first of an episode.
  void begin_episode(Index lane) { last_of_episode_[static_cast<std::size_t>(lane)] = 0; }
  Segment open(Index lane) { return {open_.col(lane).data(), shape_}; }
  void add(Index lane);  ///< stores a copy of open(lane) as finished @alloc none
  Index size() const { return size_; }
  Segment at(Index i) const { return {data_.get() + i * shape_.size(), shape_}; }      ///< @pre 0 <= i < size()
  Index draw(Rng& rng) const { return rng.below(static_cast<std::uint32_t>(size_)); }  ///< @pre size() > 0
  /// The next segment of the episode of segment i, so far; i itself if there is none. @pre SegmentShape::achieved
  Index next_of_episode(Index i) const { return (i + Index(at(i).until_next())) % capacity_; }
  void visit_state(StateVisitor& v);  ///< finished segments
  void visit_open(StateVisitor& v);   ///< open segments @throws std::runtime_error if a length is invalid

 private:
  SegmentShape shape_;
  Index capacity_, size_ = 0;
  std::int64_t added_ = 0;
  Matrix open_;                                 // [segment x lanes]
  std::vector<std::uint64_t> last_of_episode_;  // [lanes] added_ after the running episode's last segment, or 0
  std::unique_ptr<Scalar[]> data_;  // left uninitialized, so that a large capacity costs memory only as it fills
};

}  // namespace goalpost
