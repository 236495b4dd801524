// What the levels of HIRO learn from: batches with intrinsic rewards for the low level, with corrected sub-goals for
// the high level.
#include <cmath>

#include "algos/hiro/hiro.h"
#include "core/check.h"

namespace goalpost {

const Batch& Hiro::sample_low() {
  Batch& b = low_.batch;
  sampler_.sample(sample_rng_, b);
  if (c_.low_relabeled > 0) relabel_low();
  for (Index j = 0; j < b.size(); ++j) {
    space_.goal_transition(b.s.col(j).head(obs_dim_), b.s.col(j).tail(subgoal_dim_), b.s2.col(j).head(obs_dim_), left_);
    b.r(0, j) = low_.c.reward_scale * space_.intrinsic_reward(left_);
    if (c_.intrinsic.at_subgoal != AtSubgoal::go_on && space_.reached(left_)) b.discount(0, j) = 0;
  }
  to_low_input(b.s);
  to_low_input(b.s2);
  return b;
}

// g = φ(s_k) − φ(s) + noise, s_k a random other state of the batch                          section 5, an ablation
void Hiro::relabel_low() {
  Batch& b = low_.batch;
  const Index n = b.size();
  if (n < 2) return;
  for (Index j = 0; j < n; ++j) {
    if (sample_rng_.uniform() >= Scalar(c_.low_relabeled)) continue;
    const Index other = (j + 1 + Index(sample_rng_.below(static_cast<std::uint32_t>(n - 1)))) % n;
    auto g = b.s.col(j).tail(subgoal_dim_);
    for (Index d = 0; d < subgoal_dim_; ++d) {
      const int dim = space_.dim(d);
      const Scalar noise = Scalar(c_.low_relabel_stddev) * space_.limits()(d) * sample_rng_.normal();
      g(d) = b.s(dim, other) - b.s(dim, j) + noise;
    }
    space_.goal_transition(b.s.col(j).head(obs_dim_), g, b.s2.col(j).head(obs_dim_), b.s2.col(j).tail(subgoal_dim_));
  }
}

// What was achieved after a random step of the segment or of a later one of its episode.
Segment::VectorMap Hiro::goal_achieved_later(Index drawn) {
  std::uint32_t later = 0;
  for (Index at = drawn, next = 0; (next = segments_.next_of_episode(at)) != at; at = next) ++later;
  Index from = drawn;
  for (std::uint32_t n = sample_rng_.below(later + 1); n > 0; --n) from = segments_.next_of_episode(from);
  const Segment source = segments_.at(from);
  const Index step = 1 + Index(sample_rng_.below(static_cast<std::uint32_t>(source.length())));
  return {source.achieved().col(step).data(), high_.spec.goal.dim};
}

// r' = Σ r(achieved, g'). A segment that ended in a failure stays as it is: its last reward is not that of a goal.
void Hiro::substitute_goal(Index drawn, Index j, ConstVectorRef goal) {
  const Segment segment = segments_.at(drawn);
  if (segment.terminated() == kFailed) return;
  const GoalSpace& space = high_.spec.goal;
  Batch& b = high_.batch;
  const MatrixMap achieved = segment.achieved();
  Scalar reward = 0;
  Index steps = 0;
  bool ends = false;
  while (steps < segment.length() && !ends) {
    ++steps;
    reward += space.reward_of(achieved.col(steps - 1), achieved.col(steps), goal);
    ends = space.ends_at_goal && space.reached(achieved.col(steps), goal);
  }
  b.s.col(j).tail(space.dim) = goal;
  b.s2.col(j).head(obs_dim_) = segment.obs().col(steps);
  b.s2.col(j).tail(space.dim) = goal;
  b.r(0, j) = high_.c.reward_scale * reward;
  b.discount(0, j) = ends ? 0 : discount_after(steps);
}

// Of a decision that lasted so many steps.
Scalar Hiro::discount_after(Index steps) const {
  return steps == Index(c_.c) ? high_.batch.gamma : std::pow(high_.batch.gamma, Scalar(steps) / Scalar(c_.c));
}

const Batch& Hiro::sample_high() {
  Batch& b = high_.batch;
  const Index desired = b.s.rows() - obs_dim_;
  for (Index j = 0; j < b.size(); ++j) {
    const Index drawn = segments_.draw(sample_rng_);
    drawn_[j] = drawn;
    const Segment segment = segments_.at(drawn);
    b.s.col(j).head(obs_dim_) = segment.first_obs();
    b.s.col(j).tail(desired) = segment.desired();
    b.s2.col(j).head(obs_dim_) = segment.last_obs();
    b.s2.col(j).tail(desired) = segment.desired_after();
    b.r(0, j) = high_.c.reward_scale * segment.reward();
    b.discount(0, j) = segment.terminated() != 0 ? 0 : discount_after(segment.length());
    given_.col(j) = segment.subgoal();
    if (!c_.substitutes_goals()) continue;
    const Scalar u = sample_rng_.uniform();
    if (u < Scalar(c_.high_relabeled))
      substitute_goal(drawn, j, goal_achieved_later(drawn));
    else if (u < Scalar(c_.high_relabeled + c_.high_desired_goals))
      substitute_goal(drawn, j, segments_.at(segments_.draw(sample_rng_)).desired());
  }
  correction_.correct(segments_, drawn_, given_, low_policy_, sample_rng_, b.a);
  return b;
}

std::vector<HistogramSample> Hiro::histogram_samples() {
  std::vector<HistogramSample> list;
  if (low_.updated) list.push_back({"lo/q_values", low_.learner->action_values(low_.batch)});
  if (!high_.updated) return list;
  list.push_back({"hi/q_values", high_.learner->action_values(high_.batch)});
  for (Index d = 0; d < subgoal_dim_; ++d)
    list.push_back({detail::concatenate("hi/subgoal_", space_.dim(d)), space_.limits()(d) * high_.batch.a.row(d)});
  return list;
}

}  // namespace goalpost
