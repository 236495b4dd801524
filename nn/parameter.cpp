#include "nn/parameter.h"

#include <cmath>

#include "core/check.h"

namespace goalpost {

ParameterList join(const ParameterList& a, const ParameterList& b) {
  ParameterList all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

void initialize_weights(Matrix& W, Initializer initializer, Rng& rng) {
  const double n = static_cast<double>(W.cols()), m = static_cast<double>(W.rows());
  switch (initializer) {
    case Initializer::fan_in:
    case Initializer::fan_in_zero_bias: {
      const Scalar bound = Scalar(1 / std::sqrt(n));
      rng.fill_uniform(-bound, bound, W);
      break;
    }
    case Initializer::xavier: {
      const Scalar bound = Scalar(std::sqrt(6 / (n + m)));
      rng.fill_uniform(-bound, bound, W);
      break;
    }
    case Initializer::he:
      rng.fill_normal(0, Scalar(std::sqrt(2 / n)), W);
      break;
    case Initializer::zeros:
      W.setZero();
      break;
  }
}

void initialize_bias(Matrix& b, Index fan_in, Initializer initializer, Rng& rng) {
  b.setZero();
  if (initializer == Initializer::fan_in) {
    const Scalar bound = Scalar(1 / std::sqrt(static_cast<double>(fan_in)));
    rng.fill_uniform(-bound, bound, b);
  }
}

void polyak(Scalar tau, const ParameterList& online, const ParameterList& target) {
  GP_CHECK(tau >= 0 && tau <= 1, "polyak: tau = ", tau, "; expected a number in [0, 1]");
  GP_CHECK(online.size() == target.size(), "polyak: ", online.size(), " online and ", target.size(),
           " target parameters; expected equally many");
  for (std::size_t i = 0; i < online.size(); ++i) {
    const Matrix& to = target[i]->value;
    GP_CHECK_SHAPE("polyak", to, online[i]->value.rows(), online[i]->value.cols());
  }
  for_slices(online, [&](std::size_t i, Index first, Index count) {
    auto to = slice(target[i]->value, first, count);
    to = tau * slice(online[i]->value, first, count) + (1 - tau) * to;
  });
}

double grad_norm(const ParameterList& parameters) {
  double sum = 0;
  for (const Parameter* p : parameters) sum += static_cast<double>(p->grad.squaredNorm());
  return std::sqrt(sum);
}

double clip_grad_norm(const ParameterList& parameters, double max_norm) {
  GP_CHECK(max_norm > 0, "clip_grad_norm: max_norm = ", max_norm, "; expected a positive number");
  const double norm = grad_norm(parameters);
  if (norm > max_norm)
    for (Parameter* p : parameters) p->grad *= Scalar(max_norm / norm);
  return norm;
}

void visit_parameters(StateVisitor& v, const ParameterList& parameters) {
  for (Parameter* p : parameters) v.visit(p->name, p->value);
}

}  // namespace goalpost
