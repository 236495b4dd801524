#include "nn/normalizer.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/worker.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

// Columns of two quantities; the second one exceeds the raw limit of 200 twice.
const Matrix kData = matrix({{1, 3, 2, 6}, {-4, 0.5, 1000, -1000}});

// Python, on the data cut to ±200: mean = sum(x)/4; deviation = sqrt(sum(x*x)/4 - mean**2)
TEST(Normalizer, MeanAndDeviationAgreeWithPython) {
  Normalizer n(2, {});
  n.observe(kData);
  expect_close(n.mean(), matrix({{3}, {-0.875}}), 1e-6);
  expect_close(n.stddev(), matrix({{1.8708286934}, {141.4330119703}}), 1e-6);
}

TEST(Normalizer, DoesNotDependOnHowTheColumnsArrive) {
  Normalizer at_once(2, {}), one_by_one(2, {});
  at_once.observe(kData);
  for (Index j = 0; j < kData.cols(); ++j) one_by_one.observe(kData.col(j));
  EXPECT_EQ(state_hash(at_once), state_hash(one_by_one));
  EXPECT_TRUE(same_bits(at_once.stddev(), one_by_one.stddev()));
}

// Each of two workers sees one half of the columns; nobody's statistics move before both share them.
TEST(Normalizer, WorkersHaveTheStatisticsOfAllColumns) {
  Normalizer whole(2, {});
  whole.observe(kData);
  std::vector<Normalizer> normalizers(2, Normalizer(2, {}));
  WorkerTeam team(2, 2);
  team.run([&](Worker& worker) {
    Normalizer& n = normalizers[static_cast<std::size_t>(worker.index())];
    n.collect_for_workers();
    n.observe(kData.middleCols(2 * worker.index(), 2));
    EXPECT_EQ(n.count(), 2);
    EXPECT_EQ(n.mean(), Matrix::Zero(2, 1));
    n.share_between_workers();
    EXPECT_EQ(n.count(), 4);
    n.share_between_workers();  // nothing new
  });
  for (Normalizer& n : normalizers) {
    EXPECT_EQ(state_hash(n), state_hash(whole));
    EXPECT_EQ(n.mean(), whole.mean());
    EXPECT_EQ(n.stddev(), whole.stddev());
  }
}

TEST(Normalizer, ScalesAndCutsTwice) {
  Normalizer n(2, {.clip = 1.2});
  n.observe(kData);
  Matrix x = matrix({{4, 1000, -7}, {0, 300, -300}});
  n.apply(x);
  // (4-3)/1.8708 = 0.53452, (0+0.875)/141.433 = 0.0061867; 300 is cut to 200: 200.875/141.433 = 1.4203, cut to 1.2
  expect_close(x, matrix({{0.5345224838, 1.2, -1.2}, {0.0061866744, 1.2, -1.2}}), 1e-6);
}

TEST(Normalizer, CutsRawInputsBeforeItScales) {
  Normalizer n(1, {.clip = 100, .raw_clip = 10});
  n.observe(matrix({{-1, 1}}));  // mean 0, deviation 1
  Matrix x = matrix({{50, -50, 9}});
  n.apply(x);
  expect_close(x, matrix({{10, -10, 9}}), 1e-6);
}

TEST(Normalizer, DividesByNoLessThanTheSmallestDeviation) {
  Normalizer n(1, {.min_stddev = 0.5});
  n.observe(matrix({{2, 2, 2}}));
  Matrix x = matrix({{3}});
  n.apply(x);
  EXPECT_FLOAT_EQ(static_cast<float>(x(0, 0)), 2);
}

TEST(Normalizer, IsTheIdentityBeforeTheFirstColumn) {
  Normalizer n(2, {});
  Matrix x = matrix({{1, -2}, {0.5, 4}}), kept = x;
  n.apply(x);
  EXPECT_EQ(x, kept);
  n.observe(Matrix(2, 0));
  n.apply(x);
  EXPECT_EQ(x, kept);
}

TEST(Normalizer, LosesNothingOverAMillionColumns) {
  Normalizer n(1, {});
  Matrix x(1, 1000);
  for (Index j = 0; j < 1000; ++j) x(0, j) = j % 2 == 0 ? Scalar(100.5) : Scalar(99.5);
  for (int i = 0; i < 1000; ++i) n.observe(x);
  EXPECT_FLOAT_EQ(static_cast<float>(n.mean()(0)), 100);
  EXPECT_NEAR(n.stddev()(0), 0.5, 1e-5);
}

// A column of zeros or of any other constant: deviation 0, whatever rounding makes of E x² − (E x)².
TEST(Normalizer, AConstantIsDividedByTheSmallestDeviation) {
  for (const double constant : {0.0, 0.1, -123.456, 200.0, 1e6}) {
    Normalizer n(2, {});
    Matrix x(2, 777);
    x.row(0).setConstant(Scalar(constant));
    x.row(1) = random_matrix(1, 777, 3);
    for (int i = 0; i < 10; ++i) n.observe(x);
    EXPECT_NEAR(n.stddev()(0), 0.01, 1e-6) << constant;
    const double mean = std::min(constant, 200.0);
    EXPECT_NEAR(n.mean()(0), mean, 1e-7 * (1 + std::abs(mean))) << constant;
    Matrix y = x.leftCols(1);
    n.apply(y);
    EXPECT_NEAR(y(0, 0), 0, 1e-2) << constant;  // float's rounding of the mean over 0.01
  }
}

// One NaN in the sums would stay there for ever, and an infinity is as little an observation.
TEST(Normalizer, WhatIsNotFiniteIsNamedAndNotCounted) {
  Normalizer n(2, {});
  n.observe(kData);
  const std::uint64_t before = state_hash(n);
  for (const Scalar bad : {std::numeric_limits<Scalar>::quiet_NaN(), std::numeric_limits<Scalar>::infinity(),
                           -std::numeric_limits<Scalar>::infinity()}) {
    Matrix x = kData;
    x(1, 2) = bad;
    EXPECT_THROW_MESSAGE(n.observe(x), NumericsError, "Normalizer::observe: x(1, 2) is ");
    EXPECT_EQ(state_hash(n), before);
    EXPECT_TRUE(n.mean().allFinite());
  }
}

TEST(Normalizer, ANaNPassesThroughSoThatItIsFound) {
  Normalizer n(11, {});
  n.observe(random_matrix(11, 5, 1));
  for (Index i = 0; i < 11; ++i) {
    Matrix x = random_matrix(11, 1, 2);
    x(i, 0) = std::numeric_limits<Scalar>::quiet_NaN();
    n.apply(x);
    EXPECT_TRUE(std::isnan(x(i, 0))) << "in row " << i;
  }
}

TEST(Normalizer, RestoresItsState) {
  Normalizer a(2, {}), b(2, {});
  a.observe(kData);
  restore(b, snapshot(a));
  EXPECT_TRUE(same_bits(a.mean(), b.mean()));
  EXPECT_TRUE(same_bits(a.stddev(), b.stddev()));
  a.observe(matrix({{5}, {5}}));
  b.observe(matrix({{5}, {5}}));
  EXPECT_EQ(state_hash(a), state_hash(b));
}

TEST(Normalizer, RefusesOtherShapesAndNumbersThatAreNotPositive) {
  Normalizer n(2, {});
  Matrix x = Matrix::Ones(3, 4);
  EXPECT_THROW_MESSAGE(n.observe(x), std::invalid_argument, "Normalizer::observe: x is 3x4; expected 2x4");
  EXPECT_THROW_MESSAGE(n.apply(x), std::invalid_argument, "Normalizer::apply: x is 3x4; expected 2x4");
  EXPECT_THROW_MESSAGE(Normalizer(2, {.clip = 0}), std::invalid_argument, "Normalizer: clip = 0");
  EXPECT_THROW_MESSAGE(Normalizer(2, {.raw_clip = -1}), std::invalid_argument, "raw_clip = -1");
  EXPECT_THROW_MESSAGE(Normalizer(2, {.min_stddev = 0}), std::invalid_argument, "min_stddev = 0");
}

}  // namespace
}  // namespace goalpost::test
