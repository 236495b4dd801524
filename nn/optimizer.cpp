#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "core/check.h"
#include "core/schedule.h"
#include "core/worker.h"

namespace goalpost {
namespace {

// Added to denominators so that 0/0 gives 0; too small to change another result. Mean squares below it count as zero.
constexpr Scalar kLeast = std::numeric_limits<Scalar>::min();

std::vector<Matrix> zeros_like(const ParameterList& parameters) {
  std::vector<Matrix> list;
  for (const Parameter* p : parameters) list.push_back(Matrix::Zero(p->value.rows(), p->value.cols()));
  return list;
}

void visit_moments(StateVisitor& visitor, const char* name, std::vector<Matrix>& moments) {
  const StateVisitor::Scope scope(visitor, name);
  for (std::size_t i = 0; i < moments.size(); ++i) visitor.visit(std::to_string(i), moments[i]);
}

}  // namespace

Scalar sum_over_workers(const ParameterList& parameters, Scalar loss) {
  Worker* const worker = this_worker();
  if (worker == nullptr) return loss;
  thread_local std::vector<std::span<Scalar>> parts;
  parts.clear();
  for (Parameter* p : parameters) parts.emplace_back(p->grad.data(), static_cast<std::size_t>(p->grad.size()));
  parts.emplace_back(&loss, 1);
  worker->sum(parts);
  return loss / Scalar(worker->count());
}

Adam::Adam(ParameterList parameters, const AdamConfig& config)
    : Optimizer(std::move(parameters)), c_(config), m_(zeros_like(parameters_)), v_(zeros_like(parameters_)) {
  GP_CHECK(c_.lr >= 0, "Adam: lr = ", c_.lr, "; expected a number >= 0");
  GP_CHECK(c_.lr_end >= 0, "Adam: lr_end = ", c_.lr_end, "; expected a number >= 0");
}

double Adam::learning_rate() const {
  const double lr = static_cast<double>(c_.lr);
  if (c_.lr_steps == 0) return lr;
  return LinearSchedule{.from = lr, .to = static_cast<double>(c_.lr_end), .steps = c_.lr_steps}.at(t_);
}

void Adam::step() {
  const double lr = learning_rate();
  ++t_;
  // α_t = lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) and ε̂ = ε √(1 − β₂ᵗ): Algorithm 1 with the two corrections moved into the step size
  const double t = static_cast<double>(t_);
  const double correction2 = std::sqrt(1 - std::pow(static_cast<double>(c_.beta2), t));
  const Scalar alpha = Scalar(lr * correction2 / (1 - std::pow(static_cast<double>(c_.beta1), t)));
  const Scalar epsilon = std::max(Scalar(static_cast<double>(c_.epsilon) * correction2), std::sqrt(kLeast));
  for_slices(parameters_, [&](std::size_t i, Index first, Index count) {
    auto theta = slice(parameters_[i]->value, first, count), g = slice(parameters_[i]->grad, first, count);
    auto m = slice(m_[i], first, count), v = slice(v_[i], first, count);
    if (c_.weight_decay > 0) g += c_.weight_decay * theta;
    m = c_.beta1 * m + (1 - c_.beta1) * g;
    v = c_.beta2 * v + (1 - c_.beta2) * g.square();
    theta -= alpha * m / (v.sqrt() + epsilon);
    g.setZero();
  });
}

void Adam::visit_state(StateVisitor& v) {
  v.visit("t", t_);
  visit_moments(v, "m", m_);
  visit_moments(v, "v", v_);
}

RmsProp::RmsProp(ParameterList parameters, const RmsPropConfig& config)
    : Optimizer(std::move(parameters)), c_(config), m_(zeros_like(parameters_)), v_(zeros_like(parameters_)) {
  GP_CHECK(c_.lr >= 0, "RmsProp: lr = ", c_.lr, "; expected a number >= 0");
}

void RmsProp::step() {
  const Scalar epsilon = std::max(c_.epsilon, kLeast);
  for_slices(parameters_, [&](std::size_t i, Index first, Index count) {
    auto theta = slice(parameters_[i]->value, first, count), g = slice(parameters_[i]->grad, first, count);
    auto m = slice(m_[i], first, count), v = slice(v_[i], first, count);
    if (c_.centered) m = c_.decay * m + (1 - c_.decay) * g;
    v = c_.decay * v + (1 - c_.decay) * g.square();
    theta -= c_.lr * g / ((v - m.square()).max(Scalar(0)) + epsilon).sqrt();
    g.setZero();
  });
}

void RmsProp::visit_state(StateVisitor& v) {
  visit_moments(v, "m", m_);
  visit_moments(v, "v", v_);
}

}  // namespace goalpost
