#include "core/rng.h"

#include <array>
#include <cmath>
#include <vector>

#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

// The first and third vectors of Random123's kat_vectors file for philox4x32-10 are key and counter zero, and the
// digits of pi. The others come from Philox written out in Python (ten rounds, key bumped by 9E3779B9 and BB67AE85),
// which also gives the three vectors of that file. The counter of a block is {block, 0, stream}.
std::vector<std::uint32_t> words(Rng rng, int n) {
  std::vector<std::uint32_t> list;
  for (int i = 0; i < n; ++i) list.push_back(rng.bits());
  return list;
}
TEST(Rng, GivesTheKnownWordsOfPhilox) {
  EXPECT_THAT(words(Rng(0), 8), ::testing::ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8,  //
                                                       0xf8e4cca4, 0x5cb200db, 0xb1a574eb, 0x097eff67));
}
TEST(Rng, PutsTheSeedInTheKeyAndTheStreamInTheUpperCounter) {
  EXPECT_THAT(words(Rng(0x299f31d0a4093822, 0x0370734413198a2e), 8),
              ::testing::ElementsAre(0xb60a410e, 0x61bd7780, 0xa53f3958, 0x3d51eb3f,  //
                                     0x314ddb4b, 0x0ab83527, 0x9fc3cabe, 0x3fc8cf4c));
}

// Python on the words of seed 0: (w >> 8) / 2**24 and (10 * w) >> 32
TEST(Rng, UniformsAndIndicesAreKnownFunctionsOfTheWords) {
  Rng uniform(0), below(0), range(0);
  for (const double expected : {0.3990464210510254, 0.8805201649665833, 0.7357127666473389, 0.6054818034172058}) {
    EXPECT_FLOAT_EQ(static_cast<float>(uniform.uniform()), static_cast<float>(expected));
    EXPECT_FLOAT_EQ(static_cast<float>(range.uniform(-2, 4)), static_cast<float>(6 * expected - 2));
  }
  for (const std::uint32_t expected : {3, 8, 7, 6}) EXPECT_EQ(below.below(10), expected);
}

// Python: u = (w0 + 1) / 2**32; v = w1 / 2**32; sqrt(-2*log(u)) * cos(2*pi*v)
TEST(Rng, NormalsAreKnownFunctionsOfTheWords) {
  Rng rng(0);
  for (const double expected : {0.99113767907966, -0.61760895965260, -0.15363822983287, 0.83173510448422})
    EXPECT_NEAR(rng.normal(), expected, 1e-6);
  EXPECT_EQ(rng.position(), 8u);
}

// Chi-square with n - 1 degrees of freedom has mean n - 1 and variance 2(n - 1). For n = 3·2^30 a plain product
// floor(w n / 2^32) would give every third number twice as often.
TEST(Rng, BelowIsUnbiased) {
  Rng rng(1);
  for (const std::uint32_t n : {2u, 7u, 10u, 100u}) {
    std::vector<double> counts(n);
    const double expected = 2000;
    for (std::uint32_t i = 0; i < n * 2000; ++i) ++counts[rng.below(n)];
    double chi_square = 0;
    for (const double c : counts) chi_square += (c - expected) * (c - expected) / expected;
    EXPECT_LT(chi_square, n - 1 + 5 * std::sqrt(2.0 * (n - 1))) << "n = " << n;
  }
  const std::uint32_t large = 0xC0000000u;
  std::array<double, 3> thirds{};
  double multiples = 0;
  const int draws = 60'000;
  for (int i = 0; i < draws; ++i) {
    const std::uint32_t x = rng.below(large);
    ASSERT_LT(x, large);
    ++thirds[x / 0x40000000u];
    multiples += x % 3 == 0;
  }
  for (const double third : thirds) EXPECT_NEAR(third, draws / 3.0, 5 * std::sqrt(draws * 2.0 / 9));
  EXPECT_NEAR(multiples, draws / 3.0, 5 * std::sqrt(draws * 2.0 / 9));
}

TEST(Rng, BelowOneIsZeroAndBelowZeroThrows) {
  Rng rng(1);
  EXPECT_EQ(rng.below(1), 0u);
  EXPECT_THROW_MESSAGE(rng.below(0), std::invalid_argument, "Rng::below: n = 0; expected a positive number");
}

TEST(Rng, UniformsLieInTheHalfOpenIntervalWithTheRightMoments) {
  Rng rng(2);
  const int n = 200'000;
  double sum = 0, squares = 0, low = 1, high = 0;
  for (int i = 0; i < n; ++i) {
    const double x = rng.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    squares += x * x;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  EXPECT_NEAR(sum / n, 0.5, 4 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(squares / n, 1.0 / 3, 4 * std::sqrt(4.0 / 45 / n));
  EXPECT_LT(low, 1e-4);
  EXPECT_GT(high, 1 - 1e-4);
}

// 1 + (2 − 1)(1 − 2⁻²⁴) rounds to 2 in single precision. A range of two neighbors shows it at every other draw.
TEST(Rng, UniformsNeverReachTheUpperEnd) {
  const auto next = [](Scalar x) { return std::nextafter(x, std::numeric_limits<Scalar>::max()); };
  struct Range {
    Scalar low, high;
  };
  for (const auto& [low, high] : {Range{1, next(1)}, Range{-2, -next(1)}, Range{100, next(next(100))},
                                  Range{0, std::numeric_limits<Scalar>::denorm_min()}, Range{-next(1), -1},
                                  Range{Scalar(1e6), Scalar(1e6) + Scalar(0.125)}}) {
    Rng rng(2);
    for (int i = 0; i < 1000; ++i) {
      const Scalar x = rng.uniform(low, high);
      ASSERT_GE(x, low);
      ASSERT_LT(x, high);
    }
  }
  Rng rng(2);
  EXPECT_EQ(rng.uniform(3, 3), 3) << "an empty range has its end alone";
}

// E x = 0, E x² = 1, E x³ = 0, E x⁴ = 3 with variances 1, 2, 15 and 96
TEST(Rng, NormalsHaveTheMomentsOfANormal) {
  Rng rng(3);
  const int n = 200'000;
  std::array<double, 5> sum{};
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal();
    for (std::size_t k = 1; k < 5; ++k) sum[k] += std::pow(x, static_cast<double>(k));
  }
  EXPECT_NEAR(sum[1] / n, 0, 4 * std::sqrt(1.0 / n));
  EXPECT_NEAR(sum[2] / n, 1, 4 * std::sqrt(2.0 / n));
  EXPECT_NEAR(sum[3] / n, 0, 4 * std::sqrt(15.0 / n));
  EXPECT_NEAR(sum[4] / n, 3, 4 * std::sqrt(96.0 / n));
}

TEST(Rng, StreamsDoNotDependOnThePosition) {
  Rng early(4), late(4);
  for (int i = 0; i < 13; ++i) late.bits();
  EXPECT_EQ(words(early.stream("env", 2), 6), words(late.stream("env", 2), 6));
  EXPECT_EQ(late.position(), 13u) << "making a stream does not advance";
}

TEST(Rng, StreamsDifferByNameAndIndexAndParent) {
  const Rng root(5);
  const std::vector<Rng> streams = {root,
                                    Rng(6),
                                    root.stream("env"),
                                    root.stream("env", 1),
                                    root.stream("env", 2),
                                    root.stream("act"),
                                    root.stream("act", 1),
                                    root.stream("env").stream("env"),
                                    root.stream("env", 1).stream("act"),
                                    root.stream("act").stream("env", 1),
                                    Rng(6).stream("env"),
                                    root.stream("")};
  for (std::size_t i = 0; i < streams.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(words(streams[i], 4), words(streams[j], 4)) << i << " and " << j;
}

TEST(Rng, NeighboringStreamsAreNotCorrelated) {
  const int n = 20'000;
  Rng a = Rng(7).stream("env", 0), b = Rng(7).stream("env", 1);
  double covariance = 0;
  for (int i = 0; i < n; ++i) covariance += (a.uniform() - 0.5) * (b.uniform() - 0.5);
  EXPECT_NEAR(covariance / n * 12, 0, 4 / std::sqrt(n));
}

TEST(Rng, CopiesAndRestoredStatesRepeatTheDraws) {
  for (int advance = 0; advance < 9; ++advance) {
    Rng rng(8, 3), restored(1);
    for (int i = 0; i < advance; ++i) rng.bits();
    Rng copy = rng;
    restored.bits();
    restore(restored, snapshot(rng));
    const std::vector<std::uint32_t> expected = words(rng, 9);
    EXPECT_EQ(words(copy, 9), expected);
    EXPECT_EQ(words(restored, 9), expected) << "after " << advance << " words";
  }
}

TEST(Rng, FillsMatricesInMemoryOrder) {
  Rng a(9), b(9);
  Matrix uniform(3, 2), normal(2, 2);
  a.fill_uniform(-1, 2, uniform);
  a.fill_normal(1, 3, normal);
  for (Index i = 0; i < 6; ++i) EXPECT_EQ(uniform.data()[i], b.uniform(-1, 2));
  for (Index i = 0; i < 4; ++i)
    EXPECT_FLOAT_EQ(static_cast<float>(normal.data()[i]), static_cast<float>(1 + 3 * b.normal()));
}

}  // namespace
}  // namespace goalpost::test
