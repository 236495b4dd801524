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

// log π = −½ ε² − log σ − ½ log 2π − log(1 − tanh² u), and log(1 − tanh² u) = log 4 − 2|u| − 2 log(1 + e^(−2|u|)), in
// double. At |u| = 12 the last term alone is −22.6, and 1 − tanh² u itself would be 0 in single precision.
TEST(GaussianPolicy, LogProbabilityIsThatOfTheSquashedNormalAlsoAtSaturatedActions) {
  for (const double mu : {0.0, 0.5, -0.5, 3.0, -3.0, 12.0, -12.0, 50.0}) {
    for (const double log_std : {-2.0, 0.5}) {
      GaussianPolicy policy(1, 1, {.hidden = {}}, Rng(3));
      const ParameterList parameters = policy.parameters();
      parameters[0]->value.setZero();
      parameters[1]->value << Scalar(mu), Scalar(log_std);
      Tape tape;
      Rng rng(5), noise(5);
      const Matrix s = Matrix::Zero(1, 20);
      const auto [action, log_prob] = policy.sample(tape.alias(s), rng);
      for (Index j = 0; j < 20; ++j) {
        const double eps = static_cast<double>(noise.normal()), u = mu + std::exp(log_std) * eps;
        const double slope = std::log(4.0) - 2 * std::abs(u) - 2 * std::log1p(std::exp(-2 * std::abs(u)));
        const double expected = -eps * eps / 2 - log_std - std::log(2 * std::numbers::pi) / 2 - slope;
        EXPECT_NEAR(action.value()(0, j), std::tanh(u), 1e-6) << "u = " << u;
        EXPECT_NEAR(log_prob.value()(0, j), expected, 4e-6 * (1 + std::abs(u))) << "u = " << u;
      }
    }
  }
}

TEST(GaussianPolicy, LogProbabilityOfAnActionIsTheSumOverItsNumbers) {
  GaussianPolicy policy(1, 2, {.hidden = {}}, Rng(3));
  policy.parameters()[0]->value.setZero();
  policy.parameters()[1]->value << 1, Scalar(-0.5), Scalar(-1), Scalar(0.25);  // μ above log σ
  Tape tape;
  Rng rng(5), noise(5);
  const Matrix s = Matrix::Zero(1, 3);
  const auto [action, log_prob] = policy.sample(tape.alias(s), rng);
  ASSERT_EQ(log_prob.rows(), 1);
  for (Index j = 0; j < 3; ++j) {
    double expected = 0;
    for (const auto& [mu, log_std] : {std::pair{1.0, -1.0}, std::pair{-0.5, 0.25}}) {
      const double eps = static_cast<double>(noise.normal()), a = std::tanh(mu + std::exp(log_std) * eps);
      expected += -eps * eps / 2 - log_std - std::log(2 * std::numbers::pi) / 2 - std::log(1 - a * a);
    }
    EXPECT_NEAR(log_prob.value()(0, j), expected, 1e-5);
  }
}

TEST(GaussianPolicy, TheDeviationIsKeptBetweenEToTheMinus20AndE2) {
  for (const auto& [log_std, kept] : {std::pair{5.0, 2.0}, std::pair{-30.0, -20.0}}) {
    GaussianPolicy policy(1, 1, {.hidden = {}}, Rng(3));
    policy.parameters()[0]->value.setZero();
    policy.parameters()[1]->value << Scalar(0.3), Scalar(log_std);
    Tape tape;
    Rng rng(5), noise(5);
    const Matrix s = Matrix::Zero(1, 1);
    const auto [action, log_prob] = policy.sample(tape.alias(s), rng);
    const double eps = static_cast<double>(noise.normal()), u = 0.3 + std::exp(kept) * eps;
    EXPECT_NEAR(action.item(), std::tanh(u), 1e-6);
    EXPECT_NEAR(log_prob.item(),
                -eps * eps / 2 - kept - std::log(2 * std::numbers::pi) / 2 - std::log(4.0) + 2 * std::abs(u) +
                    2 * std::log1p(std::exp(-2 * std::abs(u))),
                2e-5);
  }
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
