#include "nn/parameter.h"

#include <cmath>
#include <limits>

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
  if (std::isfinite(sum)) return std::sqrt(sum);
  double largest = 0;
  for (const Parameter* p : parameters)
    largest = std::max(largest, static_cast<double>(p->grad.cwiseAbs().maxCoeff<Eigen::PropagateNaN>()));
  sum = 0;
  for (const Parameter* p : parameters) sum += (p->grad.cast<double>() / largest).squaredNorm();
  return largest * std::sqrt(sum);
}

void check_gradients(const ParameterList& parameters) {
  for (const Parameter* p : parameters) {
    const Matrix& g = p->grad;
    if (std::isfinite(g.squaredNorm())) continue;  // checks all entries at once
    const Index bad = g.size() - g.array().isFinite().count();
    const std::string where = detail::concatenate("the gradient of ", p->name, " [", g.rows(), "x", g.cols(), "]");
    if (bad > 0)
      throw NumericsError(detail::concatenate(where, " has ", bad, " of ", g.size(), " values NaN or infinite"));
    if (!g.array().square().isFinite().all())
      throw NumericsError(
          detail::concatenate("the square of ", where, " overflows: its largest size is ", g.cwiseAbs().maxCoeff()));
  }
}

double clip_grad_norm(const ParameterList& parameters, double max_norm) {
  GP_CHECK(max_norm > 0, "clip_grad_norm: max_norm = ", max_norm, "; expected a positive number");
  const double norm = grad_norm(parameters);
  if (!std::isfinite(norm)) check_gradients(parameters);
  if (norm <= max_norm) return norm;
  const double scale = max_norm / norm;
  for (Parameter* p : parameters) {
    if (scale >= static_cast<double>(std::numeric_limits<Scalar>::min()))
      p->grad *= Scalar(scale);
    else  // a denormal factor has few digits
      p->grad = (p->grad.cast<double>() * scale).cast<Scalar>();
  }
  return norm;
}

void visit_parameters(StateVisitor& v, const ParameterList& parameters) {
  for (Parameter* p : parameters) v.visit(p->name, p->value);
}

}  // namespace goalpost
