#include "nn/gaussian_policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace goalpost {
namespace {

// The density of tanh(u) integrates to one: a check of the log-probability that knows nothing of its formula.
TEST(GaussianPolicy, ItsDensityOverActionsIntegratesToOne) {
  GaussianPolicy policy(2, 1, {.hidden = {8}}, Rng(3));
  Tape tape;
  constexpr Index n = 200'000;
  Matrix s(2, n);
  s.row(0).setConstant(Scalar(0.3));
  s.row(1).setConstant(Scalar(-0.8));
  Rng rng(5);
  const auto [action, log_prob] = policy.sample(tape.constant(s), rng);
  // E[1/p(a)] over a ~ p, restricted to a slice [-0.2, 0.2], is the slice's length.
  double sum = 0;
  for (Index j = 0; j < n; ++j)
    if (std::abs(action.value()(0, j)) < Scalar(0.2)) sum += std::exp(-static_cast<double>(log_prob.value()(0, j)));
  EXPECT_NEAR(sum / n, 0.4, 0.01);
}

TEST(GaussianPolicy, LogProbabilityStaysFiniteAtSaturatedActions) {
  GaussianPolicy policy(1, 2, {.hidden = {4}}, Rng(3));
  for (Parameter* p : policy.parameters()) p->value *= 1000;
  Tape tape;
  Rng rng(5);
  const auto [action, log_prob] = policy.sample(tape.constant(Matrix::Constant(1, 50, 30)), rng);
  EXPECT_TRUE(log_prob.value().allFinite());
  EXPECT_TRUE((action.value().array().abs() <= 1).all());
}

TEST(GaussianPolicy, ModeIsTheActionWithoutNoise) {
  GaussianPolicy policy(2, 3, {.hidden = {8}}, Rng(3));
  Tape tape;
  const Matrix s = Matrix::Constant(2, 1, Scalar(0.4));
  const Matrix mode = policy.mode(tape.constant(s)).value();
  Rng rng(5);
  Matrix mean_of_preimages = Matrix::Zero(3, 1);
  constexpr int n = 20'000;
  const Matrix many = s.replicate(1, n);
  const Matrix actions = policy.sample(tape.constant(many), rng).action.value();
  for (Index j = 0; j < n; ++j)
    mean_of_preimages +=
        actions.col(j).unaryExpr([](Scalar a) { return std::atanh(std::min(a, Scalar(0.999999))); }) / n;
  for (Index i = 0; i < 3; ++i) EXPECT_NEAR(std::tanh(mean_of_preimages(i)), mode(i), 0.03);
}

}  // namespace
}  // namespace goalpost
