// HIRO's off-policy correction: candidates around the reached displacement, scored by the actions taken.
#include "algos/hiro/correction.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>

#include "autodiff/gemm.h"

namespace goalpost {

OffPolicyCorrection::OffPolicyCorrection(const EnvSpec& env, const HiroConfig& config)
    : c_(config), space_(config.subgoal, config.intrinsic), obs_dim_(env.obs_dim) {
  if (c_.correction.kind != Correction::candidates) return;
  const Index candidates = Index(c_.high.batch_size) * c_.correction.candidates;
  candidates_ = Matrix::Zero(space_.size(), candidates);
  scores_ = Matrix::Zero(1, candidates);
  rolled_actions_ = Matrix::Zero(env.action.dim, candidates * c_.c);
  roll_in_ = Matrix::Zero(obs_dim_ + space_.size(), candidates * c_.c);
  roll_out_ = rolled_actions_;
  roll_place_.resize(candidates * c_.c);
  all_.resize(candidates);
  std::iota(all_.begin(), all_.end(), Index(0));
  leaders_.resize(c_.high.batch_size);
  open_.reserve(candidates);
}

void OffPolicyCorrection::roll(const SegmentBuffer& segments, const std::vector<Index>& drawn,
                               const std::vector<Index>& which, Index from, Index to, const Policy& low_policy) {
  Index columns = 0;
  for (const Index n : which) {
    const Segment segment = segments.at(drawn[n / c_.correction.candidates]);
    const MatrixMap obs = segment.obs();
    for (Index i = from; i < std::min(to, segment.length()); ++i, ++columns) {
      roll_in_.col(columns).head(obs_dim_) = obs.col(i);
      space_.goal_transition(obs.col(0), candidates_.col(n), obs.col(i), roll_in_.col(columns).tail(space_.size()));
      roll_place_[columns] = n * c_.c + i;
    }
  }
  std::optional<PrecisionScope> rounding;
  if (c_.correction.scoring == Scoring::bfloat16) rounding.emplace(Precision::bfloat16);
  constexpr Index kBlock = 512;  // columns whose activations stay in the cache
  constexpr Index kLeast = 32;   // narrower products are not rounded: a step's action must not depend on the others
  for (Index first = 0; first < columns; first += kBlock) {
    const Index count = std::clamp(columns - first, std::min(kLeast, roll_in_.cols() - first), kBlock);
    low_policy(roll_in_.middleCols(first, count), roll_out_.middleCols(first, count));
  }
  for (Index i = 0; i < columns; ++i) rolled_actions_.col(roll_place_[i]) = roll_out_.col(i);
  rolled_ += static_cast<double>(columns);
}

Scalar OffPolicyCorrection::score(const Segment& segment, Index n, Index steps) const {
  const Index length = std::min(steps, segment.length());
  return -(segment.actions().leftCols(length) - rolled_actions_.middleCols(n * c_.c, length)).squaredNorm() / 2;
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

  const Index candidates = correction.candidates, first_steps = std::min(correction.first_steps, c_.c);
  double steps = 0;
  for (Index j = 0; j < batch; ++j) {
    const Segment segment = segments.at(drawn[j]);
    for (Index n = 0; n < candidates; ++n) {
      auto g = candidates_.col(j * candidates + n);
      if (n == 0)
        g = given.col(j);
      else
        around_reached(segment, n == 1 ? Scalar(0) : Scalar(correction.stddev), g);
      cut(g);
    }
    steps += static_cast<double>(segment.length() * candidates);
  }
  const auto best_of = [&](Index j) {  // the first of the best
    Index best = j * candidates;
    for (Index n = best; n < (j + 1) * candidates; ++n)
      if (scores_(0, n) > scores_(0, best)) best = n;
    return best;
  };

  rolled_ = 0;
  roll(segments, drawn, all_, 0, first_steps, low_policy);
  for (const Index n : all_) scores_(0, n) = score(segments.at(drawn[n / candidates]), n, first_steps);
  if (first_steps < c_.c) {
    // Scores only fall with more steps: who is below the leader's score over all steps now cannot win any more.
    for (Index j = 0; j < batch; ++j) leaders_[j] = best_of(j);
    roll(segments, drawn, leaders_, first_steps, c_.c, low_policy);
    open_.clear();
    for (const Index n : all_) {
      const Index j = n / candidates, leader = leaders_[j];
      if (n == j * candidates) scores_(0, leader) = score(segments.at(drawn[j]), leader, c_.c);
      constexpr Scalar kRounding = Scalar(1e-4);  // of two sums of other lengths
      if (n != leader && !(scores_(0, n) < scores_(0, leader) * (1 + kRounding))) open_.push_back(n);
    }
    roll(segments, drawn, open_, first_steps, c_.c, low_policy);
    for (const Index n : open_) scores_(0, n) = score(segments.at(drawn[n / candidates]), n, c_.c);
  }
  rolled_ /= steps;

  Index kept = 0;
  for (Index j = 0; j < batch; ++j) {
    const Index best = best_of(j);
    a.col(j) = candidates_.col(best).cwiseQuotient(limits);
    kept += best == j * candidates;
  }
  kept_ = static_cast<double>(kept) / static_cast<double>(batch);
}

}  // namespace goalpost
