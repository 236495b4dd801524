#include "nn/gaussian_policy.h"

#include <cmath>
#include <numbers>

namespace goalpost {

GaussianPolicy::Sample GaussianPolicy::sample(Var s, Rng& rng) {
  Var out = net_(s);
  Var mu = slice_rows(out, 0, action_dim_);
  Var log_std = clamp(slice_rows(out, action_dim_, action_dim_), kMinLogStd, kMaxLogStd);
  Var eps = normal(s.tape(), action_dim_, s.cols(), 0, 1, rng);
  Var u = mu + exp(log_std) * eps;

  const Scalar log_sqrt_2pi = Scalar(0.5 * std::log(2 * std::numbers::pi)), log2 = Scalar(std::numbers::ln2);
  Var log_normal = Scalar(-0.5) * square(eps) - log_std - log_sqrt_2pi;
  Var log_slope = 2 * (log2 - u - softplus(Scalar(-2) * u));  // log da/du
  return {tanh(u), sum_rows(log_normal - log_slope)};
}

Var GaussianPolicy::mode(Var s) const { return tanh(slice_rows(net_.with_frozen_weights(s), 0, action_dim_)); }

}  // namespace goalpost
