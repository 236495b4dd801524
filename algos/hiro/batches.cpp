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
    b.discount(0, j) = segment.terminated() != 0         ? 0
                       : segment.length() == Index(c_.c) ? b.gamma
                                                         : std::pow(b.gamma, Scalar(segment.length()) / Scalar(c_.c));
    given_.col(j) = segment.subgoal();
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
