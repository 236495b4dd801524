#include "algos/replay_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "core/check.h"

namespace goalpost {
ReplayBuffer::ReplayBuffer(const EnvSpec& spec, const ReplayConfig& config, int lanes)
    : c_(config),
      obs_dim_(spec.obs_dim),
      action_dim_(spec.action.dim),
      goal_dim_(spec.goal.dim),
      before_dim_(spec.goal.minus_before ? spec.goal.dim : 0),
      lane_capacity_(config.buffer_size / std::max(lanes, 1)),
      after_at_(obs_dim_),
      action_at_(after_at_ + obs_dim_),
      desired_at_(action_at_ + action_dim_),
      achieved_at_(desired_at_ + goal_dim_),
      achieved_before_at_(achieved_at_ + goal_dim_),
      reward_at_(achieved_before_at_ + before_dim_),
      stride_((sizeof(Header) + (reward_at_ + 1) * sizeof(Scalar) + 7) / 8 * 8) {
  GP_CHECK(lanes >= 0, "ReplayBuffer: lanes = ", lanes, "; expected no negative number");
  if (lanes == 0) return;
  GP_CHECK(lane_capacity_ >= spec.max_steps, "ReplayBuffer: buffer_size = ", config.buffer_size, " over ", lanes,
           " parallel environments holds no whole episode of ", spec.max_steps, " steps; expected at least ",
           Index(lanes) * spec.max_steps);
  lanes_.resize(lanes);
  const std::size_t bytes = stride_ * lane_capacity_ * lanes;
  data_.reset(static_cast<std::byte*>(::operator new[](bytes, std::align_val_t(kPage))));
  madvise(data_.get(), bytes, MADV_HUGEPAGE);  // draws are spread over all of it; a failure costs time only
}

void ReplayBuffer::add(const StepBatch& step) {
  GP_CHECK(step.reward.cols() == std::ssize(lanes_), "ReplayBuffer::add: the step has ", step.reward.cols(),
           " environments; expected ", lanes_.size());
  for (int i = 0; i < std::ssize(lanes_); ++i) add(step, i, i);
}

void ReplayBuffer::add(const StepBatch& step, Index column, int i) {
  Lane& lane = lanes_[i];
  size_ -= lane.added - oldest(lane);
  finished_ -= finished(lane);
  if (!step.is_unstable(column)) store(step, column, i);
  if (step.ended(column)) {
    for (Index t = std::max(lane.episode_begin, oldest(lane)); t < lane.added; ++t)
      header({i, t}).until_end = static_cast<std::int32_t>(lane.added - t);
    lane.episode_begin = lane.added;
  }
  size_ += lane.added - oldest(lane);
  finished_ += finished(lane);
}

void ReplayBuffer::store(const StepBatch& step, Index column, int i) {
  Lane& lane = lanes_[i];
  const Slot slot{i, lane.added};
  // Overwriting the slot's old transition makes its episode incomplete.
  const Index old = lane.added - lane_capacity_;
  if (old >= lane.first_whole && episode_end({i, old}) != kRunning) lane.first_whole = episode_end({i, old});
  std::memset(at(slot), 0, stride_);  // padding included: states are compared by their bytes
  header(slot) = {.since_begin = static_cast<std::int32_t>(lane.added - lane.episode_begin),
                  .until_end = 0,
                  .terminated = step.terminated[column],
                  .timeout_as_terminal = c_.time_limit_ends && step.truncated[column],
                  .failed = step.failed[column]};
  std::copy_n(step.before.obs.col(column).data(), obs_dim_, part(slot, 0));
  std::copy_n(step.after.obs.col(column).data(), obs_dim_, part(slot, after_at_));
  std::copy_n(step.action.col(column).data(), action_dim_, part(slot, action_at_));
  std::copy_n(step.before.desired.col(column).data(), goal_dim_, part(slot, desired_at_));
  std::copy_n(step.after.achieved.col(column).data(), goal_dim_, part(slot, achieved_at_));
  std::copy_n(step.before.achieved.col(column).data(), before_dim_, part(slot, achieved_before_at_));
  *part(slot, reward_at_) = step.reward(0, column);
  ++added_;
  if (++lane.added - lane.turn == lane_capacity_) lane.turn = lane.added;
  // An episode longer than the lane's capacity is not stored whole, and nothing older is left.
  if (lane.episode_begin < oldest(lane)) lane.first_whole = lane.added;
}

ReplayBuffer::Episode ReplayBuffer::last_finished(int i) const {
  const Lane& lane = lanes_[i];
  const Index end = lane.episode_begin;
  return finished(lane) == 0 ? Episode{end, end} : Episode{episode_begin({i, end - 1}), end};
}

ReplayBuffer::Slot ReplayBuffer::draw(Rng& rng) const {
  Index k = rng.below(static_cast<std::uint32_t>(size_));
  for (int i = 0;; ++i) {
    const Lane& lane = lanes_[i];
    const Index stored = lane.added - oldest(lane);
    if (k < stored) return {i, oldest(lane) + k};
    k -= stored;
  }
}

ReplayBuffer::Slot ReplayBuffer::draw_finished(Rng& rng) const {
  Index k = rng.below(static_cast<std::uint32_t>(finished_));
  for (int i = 0;; ++i) {
    const Lane& lane = lanes_[i];
    if (k < finished(lane)) return {i, lane.first_whole + k};
    k -= finished(lane);
  }
}

void ReplayBuffer::copy(Slot slot, Index j, Batch& out) const {
  const std::byte* record = at(slot);
  const Header& h = *reinterpret_cast<const Header*>(record);
  const Scalar* from = reinterpret_cast<const Scalar*>(record + sizeof(Header));
  Scalar* s = out.s.col(j).data();
  Scalar* s2 = out.s2.col(j).data();
  std::copy_n(from, obs_dim_, s);
  std::copy_n(from + after_at_, obs_dim_, s2);
  std::copy_n(from + desired_at_, goal_dim_, s + obs_dim_);
  std::copy_n(from + desired_at_, goal_dim_, s2 + obs_dim_);
  std::copy_n(from + action_at_, action_dim_, out.a.col(j).data());
  out.r(0, j) = from[reward_at_];
  out.discount(0, j) = h.terminated | h.timeout_as_terminal ? 0 : out.gamma;
}

// Sampling trusts the stored records, so records from a file are checked.
void ReplayBuffer::check_records(int i) const {
  const Lane& lane = lanes_[i];
  for (Index t = oldest(lane); t < lane.added; ++t) {
    const Header& h = header({i, t});
    if (h.terminated <= 1 && h.timeout_as_terminal <= 1 && h.failed <= 1 &&
        !ConstVectorMap(part({i, t}, 0), reward_at_ + 1).hasNaN())
      continue;
    throw std::runtime_error(detail::concatenate("ReplayBuffer: transition ", t, " of lane ", i,
                                                 " was saved with NaN, or with flags that are neither 0 nor 1"));
  }
  for (Index t = lane.first_whole; t < lane.added; ++t) {
    const Index begin = episode_begin({i, t}), end = episode_end({i, t});
    const bool running = t >= lane.episode_begin;
    if (running ? begin == lane.episode_begin && end == kRunning
                : begin >= lane.first_whole && begin <= t && end > t && end <= lane.episode_begin)
      continue;
    throw std::runtime_error(detail::concatenate("ReplayBuffer: transition ", t, " of lane ", i,
                                                 " was saved as part of an episode from ", begin, " to ", end,
                                                 "; expected bounds around it, inside what is stored"));
  }
}

void ReplayBuffer::visit_state(StateVisitor& v) {
  for (int i = 0; i < std::ssize(lanes_); ++i) {
    const StateVisitor::Scope scope(v, "lane" + std::to_string(i));
    Lane& lane = lanes_[i];
    v.visit("added", lane.added);
    v.visit("episode_begin", lane.episode_begin);
    v.visit("first_whole", lane.first_whole);
    if (lane.episode_begin < 0 || lane.added < lane.episode_begin || lane.first_whole < oldest(lane) ||
        lane.added < lane.first_whole)
      throw std::runtime_error(detail::concatenate(
          "ReplayBuffer: lane ", i, " was saved with added = ", lane.added, ", episode_begin = ", lane.episode_begin,
          ", first_whole = ", lane.first_whole, "; expected them inside what is stored"));
    lane.turn = lane.added - lane.added % lane_capacity_;
    // Slots fill from the front, so the records are one block. Counters come first: they give its size when loading.
    const std::size_t words = (lane.added - oldest(lane)) * stride_ / 8;
    v.visit("records", std::span(reinterpret_cast<std::uint64_t*>(at({i, lane.turn})), words));
    check_records(i);
  }
  size_ = finished_ = 0;
  added_ = 0;
  for (const Lane& lane : lanes_) {
    added_ += lane.added;
    size_ += lane.added - oldest(lane);
    finished_ += finished(lane);
  }
}

}  // namespace goalpost
