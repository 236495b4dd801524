#pragma once

#include "nn/mlp.h"

namespace goalpost {

/// a = tanh(u), u = μ(s) + σ(s) ⊙ ε, ε ~ N(0, I); one network with 2·action_dim outputs, μ above log σ.
///
/// log π(a|s) = Σᵢ log N(uᵢ; μᵢ, σᵢ) − Σᵢ log(1 − tanh²(uᵢ)), exactly: the second sum is written as
/// 2 (log 2 − u − softplus(−2u)), which neither overflows nor needs a small constant inside the logarithm.
/// @source Haarnoja et al. 2018b, arXiv:1812.05905v2, appendix C, (26)
class GaussianPolicy {
 public:
  struct Sample {
    Var action, log_prob;  ///< [act x B] in (-1, 1), [1 x B] in nat
  };
  static constexpr Scalar kMinLogStd = -20, kMaxLogStd = 2;  // as in the authors' code

  GaussianPolicy(Index in, Index action_dim, const MlpConfig& config, Rng rng)
      : action_dim_(action_dim), net_(in, 2 * action_dim, config, rng) {}
  /// Draws one action per column, with gradients to s and the weights. @shape s [in x B] @alloc none after the first
  Sample sample(Var s, Rng& rng);
  /// The most probable pre-image, tanh(μ(s)); gradients reach s only. @shape s [in x B] -> [act x B]
  Var mode(Var s) const;
  ParameterList parameters() { return net_.parameters(); }
  void visit_state(StateVisitor& v) { net_.visit_state(v); }

 private:
  Index action_dim_;
  Mlp net_;
};

}  // namespace goalpost
