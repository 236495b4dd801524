#include "algos/replay_buffer.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "core/check.h"

namespace goalpost {
namespace {

std::unique_ptr<Scalar[]> columns(Index rows, Index slots) {
  return std::make_unique_for_overwrite<Scalar[]>(static_cast<std::size_t>(rows * slots));
}

}  // namespace

ReplayBuffer::ReplayBuffer(const EnvSpec& spec, const ReplayConfig& config, int lanes)
    : c_(config),
      obs_dim_(spec.obs_dim),
      action_dim_(spec.action.dim),
      goal_dim_(spec.goal.dim),
      lane_capacity_(config.capacity / std::max(lanes, 1)) {
  GP_CHECK(lanes > 0, "ReplayBuffer: lanes = ", lanes, "; expected a positive number");
  GP_CHECK(lane_capacity_ >= spec.max_steps, "ReplayBuffer: capacity = ", config.capacity, " over ", lanes,
           " lanes holds no whole episode of ", spec.max_steps, " steps; expected at least ", lanes * spec.max_steps);
  const Index slots = lane_capacity_ * lanes;
  lanes_.resize(static_cast<std::size_t>(lanes));
  obs_ = columns(obs_dim_, slots);
  after_ = columns(obs_dim_, slots);
  action_ = columns(action_dim_, slots);
  reward_ = columns(1, slots);
  desired_ = columns(goal_dim_, slots);
  achieved_after_ = columns(goal_dim_, slots);
  terminated_.resize(static_cast<std::size_t>(slots));
  cut_.resize(static_cast<std::size_t>(slots));
  begin_.resize(static_cast<std::size_t>(slots));
  end_.resize(static_cast<std::size_t>(slots), kRunning);
}

void ReplayBuffer::add(const StepBatch& step) {
  GP_CHECK(step.reward.cols() == static_cast<Index>(lanes_.size()), "ReplayBuffer::add: the step has ",
           step.reward.cols(), " lanes; expected ", lanes_.size());
  for (int i = 0; i < static_cast<int>(lanes_.size()); ++i) add(step, i, i);
}

void ReplayBuffer::add(const StepBatch& step, Index column, int i) {
  const std::size_t from = static_cast<std::size_t>(column);
  Lane& lane = lanes_[static_cast<std::size_t>(i)];
  size_ -= lane.added - oldest(lane);
  finished_ -= finished(lane);

  const Slot slot{i, lane.added};
  const std::size_t k = at(slot);
  // The slot's old transition goes; with it its whole episode becomes undrawable as an episode.
  if (lane.added >= lane_capacity_ && lane.added - lane_capacity_ >= lane.first_whole && end_[k] != kRunning)
    lane.first_whole = end_[k];
  std::copy_n(step.before.obs.col(column).data(), obs_dim_, this->column(obs_, obs_dim_, k));
  std::copy_n(step.after.obs.col(column).data(), obs_dim_, this->column(after_, obs_dim_, k));
  std::copy_n(step.action.col(column).data(), action_dim_, this->column(action_, action_dim_, k));
  std::copy_n(step.before.desired.col(column).data(), goal_dim_, this->column(desired_, goal_dim_, k));
  std::copy_n(step.after.achieved.col(column).data(), goal_dim_, this->column(achieved_after_, goal_dim_, k));
  reward_[k] = step.reward(0, column);
  terminated_[k] = step.terminated[from];
  cut_[k] = c_.time_limit_ends && step.truncated[from];
  begin_[k] = lane.episode_begin;
  end_[k] = kRunning;
  ++lane.added;
  if (step.ended(from)) {
    for (Index t = std::max(lane.episode_begin, oldest(lane)); t < lane.added; ++t) end_[at({i, t})] = lane.added;
    lane.episode_begin = lane.added;
  }

  size_ += lane.added - oldest(lane);
  finished_ += finished(lane);
}

ReplayBuffer::Slot ReplayBuffer::draw(Rng& rng) const {
  Index k = rng.below(static_cast<std::uint32_t>(size_));
  for (int i = 0;; ++i) {
    const Lane& lane = lanes_[static_cast<std::size_t>(i)];
    const Index stored = lane.added - oldest(lane);
    if (k < stored) return {i, oldest(lane) + k};
    k -= stored;
  }
}

ReplayBuffer::Slot ReplayBuffer::draw_finished(Rng& rng) const {
  Index k = rng.below(static_cast<std::uint32_t>(finished_));
  for (int i = 0;; ++i) {
    const Lane& lane = lanes_[static_cast<std::size_t>(i)];
    if (k < finished(lane)) return {i, lane.first_whole + k};
    k -= finished(lane);
  }
}

void ReplayBuffer::copy(Slot slot, Index j, Batch& out) const {
  const std::size_t k = at(slot);
  Scalar* s = out.s.col(j).data();
  Scalar* s2 = out.s2.col(j).data();
  std::copy_n(column(obs_, obs_dim_, k), obs_dim_, s);
  std::copy_n(column(after_, obs_dim_, k), obs_dim_, s2);
  std::copy_n(column(desired_, goal_dim_, k), goal_dim_, s + obs_dim_);
  std::copy_n(column(desired_, goal_dim_, k), goal_dim_, s2 + obs_dim_);
  std::copy_n(column(action_, action_dim_, k), action_dim_, out.a.col(j).data());
  out.r(0, j) = reward_[k];
  out.d(0, j) = terminated_[k] | cut_[k];
}

ConstVectorMap ReplayBuffer::achieved_after(Slot slot) const {
  return {column(achieved_after_, goal_dim_, at(slot)), goal_dim_};
}

ConstVectorMap ReplayBuffer::desired(Slot slot) const { return {column(desired_, goal_dim_, at(slot)), goal_dim_}; }

// Sampling trusts the bounds of the episodes that it may draw from, so those of a file are looked at.
void ReplayBuffer::check_episodes(int i) const {
  const Lane& lane = lanes_[static_cast<std::size_t>(i)];
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
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
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
    // Slots fill from the front, so what is stored is one block. Counters come first: a load knows how much to read.
    const Index stored = lane.added - oldest(lane);
    const std::size_t first = i * static_cast<std::size_t>(lane_capacity_);
    const auto visit_columns = [&](const char* name, const std::unique_ptr<Scalar[]>& data, Index rows) {
      v.visit(name, MatrixMap(column(data, rows, first), rows, stored));
    };
    visit_columns("obs", obs_, obs_dim_);
    visit_columns("after", after_, obs_dim_);
    visit_columns("action", action_, action_dim_);
    visit_columns("reward", reward_, 1);
    visit_columns("desired", desired_, goal_dim_);
    visit_columns("achieved_after", achieved_after_, goal_dim_);
    const auto visit_flags = [&](const char* name, std::vector<std::uint8_t>& flags) {
      Matrix values(1, stored);
      for (Index t = 0; t < stored; ++t) values(0, t) = flags[first + static_cast<std::size_t>(t)];
      v.visit(name, values);
      for (Index t = 0; t < stored; ++t)
        flags[first + static_cast<std::size_t>(t)] = static_cast<std::uint8_t>(values(0, t));
    };
    visit_flags("terminated", terminated_);
    visit_flags("cut", cut_);
    const auto count = static_cast<std::size_t>(stored);
    v.visit("begin", std::span(reinterpret_cast<std::uint64_t*>(begin_.data() + first), count));
    v.visit("end", std::span(reinterpret_cast<std::uint64_t*>(end_.data() + first), count));
    check_episodes(static_cast<int>(i));
  }
  size_ = finished_ = 0;
  for (const Lane& lane : lanes_) {
    size_ += lane.added - oldest(lane);
    finished_ += finished(lane);
  }
}

}  // namespace goalpost
