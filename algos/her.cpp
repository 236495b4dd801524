#include "algos/her.h"

#include <stdexcept>

#include "core/check.h"

namespace goalpost {

HerSampler::HerSampler(const ReplayBuffer& buffer, const GoalSpace& goal, const HerConfig& config, Manipulation reach)
    : buffer_(buffer), goal_(goal), c_(config), reach_(reach) {
  GP_CHECK(c_.strategy != HerStrategy::none, "HerSampler: strategy = none; expected a strategy, or a UniformSampler");
  GP_CHECK(c_.k > 0, "HerSampler: k = ", c_.k, "; expected a positive number");
  GP_CHECK(goal_.dim > 0 && goal_.reward != nullptr, "HerSampler: the environment has no goal; expected a goal space");
}

// States of an episode are numbered s_0 ... s_T; transition t leads from s_t to s_{t+1}. The substitute goal is what
// was achieved in state j:
//   final   j = T        future   j uniform in {t+1, ..., T}        episode   j uniform in {1, ..., T}
//   random  any state after any stored transition of a finished episode
ReplayBuffer::Slot HerSampler::draw_goal(ReplayBuffer::Slot slot, Rng& rng) const {
  const Index begin = buffer_.episode_begin(slot), end = buffer_.episode_end(slot);
  const auto from = [&](Index first) {  // transition j - 1 reaches state j
    return ReplayBuffer::Slot{slot.lane, first + Index(rng.below(static_cast<std::uint32_t>(end - first)))};
  };
  switch (c_.strategy) {
    case HerStrategy::final:
      return {slot.lane, end - 1};
    case HerStrategy::future:
      return from(slot.t);
    case HerStrategy::episode:
      return from(begin);
    case HerStrategy::random:
      return buffer_.draw_finished(rng);
    case HerStrategy::none:
      break;
  }
  return slot;
}

// The goal achieved in s_0 is not stored, so this is false for an episode's first transition.
bool HerSampler::reached_before(ReplayBuffer::Slot slot, ReplayBuffer::Slot goal) const {
  return slot.t > buffer_.episode_begin(slot) &&
         goal_.reached(achieved_after({slot.lane, slot.t - 1}), achieved_after(goal));
}

// k goals of the strategy and desired_goals of any episodes, per original one. A goal that was already achieved is
// redrawn, up to max_redraws times; then the original goal stays.
bool HerSampler::relabel(ReplayBuffer::Slot slot, Rng& rng, Goal& goal) const {
  if (buffer_.added() >= c_.relabel_all_until) {
    const int substitutes = c_.k + c_.desired_goals;
    if (rng.uniform() >= Scalar(substitutes) / Scalar(substitutes + 1)) return false;
    if (c_.desired_goals > 0 &&
        rng.below(static_cast<std::uint32_t>(substitutes)) >= static_cast<std::uint32_t>(c_.k)) {
      goal = {buffer_.draw_finished(rng), true};
      return true;
    }
  }
  goal = {draw_goal(slot, rng), false};
  for (int redrawn = 0; c_.max_redraws > 0 && reached_before(slot, goal.slot); ++redrawn) {
    if (redrawn == c_.max_redraws) return false;
    goal.slot = draw_goal(slot, rng);
  }
  return true;
}

ConstVectorMap HerSampler::draw_goal_of(ReplayBuffer::Slot slot, Rng& rng) const {
  Goal goal;
  return relabel(slot, rng, goal) ? value(goal) : desired(slot);
}

// r' = r(achieved after the step, g'). A failure stays an end, and keeps its reward unless relabel_failures. Other ends
// are recomputed where tasks end at their goal.
Outcome HerSampler::outcome_with(ConstVectorRef goal, ReplayBuffer::Slot slot) const {
  const bool failed = buffer_.failed(slot);
  const ConstVectorMap achieved = achieved_after(slot);
  const Scalar reward =
      failed && !c_.relabel_failures ? buffer_.reward(slot) : goal_.reward_of(achieved_before(slot), achieved, goal);
  if (failed || !goal_.ends_at_goal || !c_.recompute_end) return {reward, buffer_.ends(slot)};
  return {reward, goal_.reached(achieved, goal) || buffer_.timeout_as_terminal(slot)};
}

// Replay (s_t‖g', a_t, r', s_{t+1}‖g') with r' = r(achieved after the step, g')                        Algorithm 1
// In three passes: prefetching all columns first lets their cache misses overlap.
void HerSampler::sample(Rng& rng, Batch& out) const {
  if (buffer_.finished_size() == 0)
    throw std::logic_error("HerSampler: the replay buffer holds no finished episode; expected to be ready()");
  drawn_.resize(out.size());
  for (Drawn& d : drawn_) {
    d.slot = buffer_.draw_finished(rng);
    buffer_.prefetch(d.slot);
  }
  for (Drawn& d : drawn_) {
    d.relabeled = relabel(d.slot, rng, d.goal);
    if (d.relabeled) buffer_.prefetch(d.goal.slot);
  }
  Index relabeled = 0, reached = 0;
  for (Index j = 0; j < out.size(); ++j) {
    const Drawn& d = drawn_[j];
    buffer_.copy(d.slot, j, out);
    if (d.relabeled) {
      const ConstVectorMap g = value(d.goal);
      out.s.col(j).tail(goal_.dim) = g;
      out.s2.col(j).tail(goal_.dim) = g;
      make_n_step(
          buffer_, d.slot, j, [&](ReplayBuffer::Slot t) { return outcome_with(g, t); }, out);
      ++relabeled;
      reached += goal_.reached(achieved_after(d.slot), g) ? 1 : 0;
    } else if (reach_.known()) {  // the object where it is, before and after
      make_n_step(
          buffer_, d.slot, j,
          [&](ReplayBuffer::Slot t) { return outcome_with(rows(buffer_.obs_after(t), reach_.object_at), t); }, out);
      out.s.col(j).tail(goal_.dim) = out.s.col(j).segment(reach_.object_at, goal_.dim);
      out.s2.col(j).tail(goal_.dim) = out.s2.col(j).segment(reach_.object_at, goal_.dim);
    } else if (buffer_.n_step() > 1) {
      make_n_step(
          buffer_, d.slot, j, [&](ReplayBuffer::Slot t) { return outcome_as_stored(t); }, out);
    }
  }
  share_reached_ = relabeled == 0 ? 0 : static_cast<double>(reached) / static_cast<double>(relabeled);
}

}  // namespace goalpost
