// HIRO's off-policy correction: candidates around the reached displacement, scored by the actions taken.
#include "algos/hiro/correction.h"

#include <algorithm>
#include <cstddef>

namespace goalpost {

OffPolicyCorrection::OffPolicyCorrection(const EnvSpec& env, const HiroConfig& config)
    : c_(config), space_(config.subgoal, config.intrinsic), obs_dim_(env.obs_dim) {
  if (c_.correction.kind != Correction::candidates) return;
  const Index candidates = Index(c_.high.batch_size) * c_.correction.candidates;
  candidates_ = Matrix::Zero(space_.size(), candidates);
  scores_ = Matrix::Zero(1, candidates);
  rolled_in_ = Matrix::Zero(obs_dim_ + space_.size(), candidates * c_.c);
  rolled_actions_ = Matrix::Zero(env.action.dim, candidates * c_.c);
}

// g̃_t = argmax −½ Σᵢ ‖aᵢ − μ_lo(sᵢ, g̃ᵢ)‖²,  g̃ᵢ₊₁ = h(sᵢ, g̃ᵢ, sᵢ₊₁)                                section 3.3
// over {g_t, φ(s_{t+c}) − φ(s_t), draws from N(φ(s_{t+c}) − φ(s_t), stddev · limits)}
void OffPolicyCorrection::correct(const SegmentBuffer& segments, const std::vector<Index>& drawn, const Matrix& given,
                                  const Policy& low_policy, Rng& rng, MatrixRef a) {
  const CorrectionConfig& correction = c_.correction;
  const Vector& limits = space_.limits();
  const Index batch = a.cols();
  const auto around_reached = [&](const Segment& segment, Scalar stddev, VectorRef g) {
    for (Index d = 0; d < space_.size(); ++d) {
      const int dim = space_.dim(d);
      g(d) = segment.last_obs()(dim) - segment.first_obs()(dim);
      if (stddev > 0) g(d) += stddev * limits(d) * rng.normal();
    }
  };
  const auto cut = [&](VectorRef g) {
    if (correction.clip) g = g.cwiseMin(limits).cwiseMax(-limits);
  };

  if (correction.kind != Correction::candidates) {
    a = given;
    if (correction.kind == Correction::one_draw)
      for (Index j = 0; j < batch; ++j) {
        around_reached(segments.at(drawn[j]), Scalar(correction.stddev), a.col(j));
        cut(a.col(j));
      }
    a.array().colwise() /= limits.array();
    return;
  }

  const Index candidates = correction.candidates;
  for (Index j = 0, column = 0; j < batch; ++j) {
    const Segment segment = segments.at(drawn[j]);
    const MatrixMap obs = segment.obs();
    for (Index n = 0; n < candidates; ++n) {
      auto g = candidates_.col(j * candidates + n);
      if (n == 0)
        g = given.col(j);
      else
        around_reached(segment, n == 1 ? Scalar(0) : Scalar(correction.stddev), g);
      cut(g);
      for (Index i = 0; i < c_.c; ++i, ++column) {  // beyond a short segment's end: not scored
        rolled_in_.col(column).head(obs_dim_) = obs.col(i);
        space_.goal_transition(obs.col(0), g, obs.col(i), rolled_in_.col(column).tail(space_.size()));
      }
    }
  }
  constexpr Index kBlock = 512;  // columns whose activations stay in the cache
  for (Index first = 0; first < rolled_in_.cols(); first += kBlock) {
    const Index count = std::min(kBlock, rolled_in_.cols() - first);
    low_policy(rolled_in_.middleCols(first, count), rolled_actions_.middleCols(first, count));
  }

  Index kept = 0;
  for (Index j = 0; j < batch; ++j) {
    const Segment segment = segments.at(drawn[j]);
    const Index length = segment.length();
    Index best = j * candidates;
    for (Index n = j * candidates; n < (j + 1) * candidates; ++n) {
      scores_(0, n) =
          -(segment.actions().leftCols(length) - rolled_actions_.middleCols(n * c_.c, length)).squaredNorm() / 2;
      if (scores_(0, n) > scores_(0, best)) best = n;
    }
    a.col(j) = candidates_.col(best).cwiseQuotient(limits);
    kept += best == j * candidates;
  }
  kept_ = static_cast<double>(kept) / static_cast<double>(batch);
}

}  // namespace goalpost
