#include "algos/noise.h"

#include <cmath>

#include "support/matrices.h"

namespace goalpost::test {
namespace {

constexpr Index kDraws = 40'000;

double mean(const Matrix& m) { return m.cast<double>().mean(); }
double deviation(const Matrix& m) { return std::sqrt((m.cast<double>().array() - mean(m)).square().mean()); }

TEST(GaussianNoise, HasItsDeviationAroundTheActions) {
  for (const double stddev : {0.0, 0.05, 0.2}) {
    Matrix a = Matrix::Constant(2, kDraws / 2, Scalar(-0.1));
    Rng rng(1);
    add_gaussian_noise(Scalar(stddev), rng, a);
    EXPECT_NEAR(mean(a), -0.1, 4 * stddev / std::sqrt(kDraws) + 1e-6);
    EXPECT_NEAR(deviation(a), stddev, 4 * stddev / std::sqrt(2.0 * kDraws) + 1e-6);
    EXPECT_NEAR(((a.row(0).array() + Scalar(0.1)) * (a.row(1).array() + Scalar(0.1))).mean(), 0,
                4 * stddev * stddev / std::sqrt(kDraws / 2.0) + 1e-12)
        << "each action has noise of its own";
  }
}

TEST(GaussianNoise, IsCutToTheRange) {
  Matrix a = Matrix::Constant(1, kDraws, Scalar(0.9));
  Rng rng(1);
  add_gaussian_noise(1, rng, a);
  EXPECT_EQ(a.maxCoeff(), 1);
  EXPECT_EQ(a.minCoeff(), -1);
  // P(0.9 + ε >= 1) = P(ε >= 0.1) = 0.460172, P(0.9 + ε <= -1) = P(ε <= -1.9) = 0.028717
  EXPECT_NEAR(static_cast<double>((a.array() == 1).count()) / kDraws, 0.460172, 0.01);
  EXPECT_NEAR(static_cast<double>((a.array() == -1).count()) / kDraws, 0.028717, 0.0034);
}

TEST(ReplaceByRandom, ReplacesWholeActionsByUniformOnesWithItsProbability) {
  for (const double p : {0.0, 0.3, 1.0}) {
    Matrix a = Matrix::Constant(2, kDraws, 5);
    Rng rng(2);
    replace_by_random(p, rng, a);
    Index replaced = 0;
    double sum = 0, squares = 0;
    for (Index j = 0; j < kDraws; ++j) {
      ASSERT_EQ(a(0, j) == 5, a(1, j) == 5) << "half an action was replaced";
      if (a(0, j) == 5) continue;
      ++replaced;
      for (Index i = 0; i < 2; ++i) {
        ASSERT_LE(std::abs(a(i, j)), 1);
        sum += static_cast<double>(a(i, j));
        squares += static_cast<double>(a(i, j) * a(i, j));
      }
    }
    const double share = static_cast<double>(replaced) / kDraws;
    EXPECT_NEAR(share, p, 4 * std::sqrt(p * (1 - p) / kDraws));
    if (p == 0) continue;
    const double n = 2.0 * static_cast<double>(replaced);
    EXPECT_NEAR(sum / n, 0, 4 * std::sqrt(1 / 3.0 / n));
    EXPECT_NEAR(squares / n, 1 / 3.0, 4 * std::sqrt(4 / 45.0 / n));
  }
}

TEST(EpsilonGreedy, ReplacesByUniformIndicesWithItsProbability) {
  for (const double epsilon : {0.0, 0.4, 1.0}) {
    Matrix a = Matrix::Constant(1, kDraws, 7);  // no index of the four: what is left alone shows
    Rng rng(3);
    epsilon_greedy(epsilon, 4, rng, a);
    EXPECT_NEAR(static_cast<double>((a.array() == 7).count()) / kDraws, 1 - epsilon,
                4 * std::sqrt(epsilon * (1 - epsilon) / kDraws));
    for (int choice = 0; choice < 4; ++choice) {
      const double p = epsilon / 4;
      EXPECT_NEAR(static_cast<double>((a.array() == Scalar(choice)).count()) / kDraws, p,
                  4 * std::sqrt(p * (1 - p) / kDraws))
          << "choice " << choice;
    }
  }
}

TEST(RandomActions, AreUniformOverTheSpace) {
  Rng rng(4);
  Matrix a(2, kDraws);
  random_actions({.dim = 2, .choices = 0, .low = {}, .high = {}}, rng, a);
  for (Index i = 0; i < 2; ++i) {
    EXPECT_NEAR(mean(a.row(i)), 0, 4 * std::sqrt(1 / 3.0 / kDraws));
    EXPECT_NEAR(deviation(a.row(i)), std::sqrt(1 / 3.0), 0.01);
    EXPECT_LT(a.row(i).minCoeff(), Scalar(-0.999));
    EXPECT_GT(a.row(i).maxCoeff(), Scalar(0.999));
  }
  Matrix b(1, kDraws);
  random_actions({.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = 3, .low = {}, .high = {}}, rng, b);
  for (int choice = 0; choice < 3; ++choice)
    EXPECT_NEAR(static_cast<double>((b.array() == Scalar(choice)).count()) / kDraws, 1 / 3.0,
                4 * std::sqrt(2 / 9.0 / kDraws));
}

}  // namespace
}  // namespace goalpost::test
