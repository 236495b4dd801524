#include "run/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace goalpost {
namespace {

using Values = std::vector<double>;

TEST(Statistics, MeanAndMedian) {
  EXPECT_EQ(mean(Values{1, 2, 6}), 3);
  EXPECT_EQ(median(Values{6, 1, 2}), 2);
  EXPECT_EQ(median(Values{6, 1, 2, 4}), 3);
  EXPECT_EQ(median(Values{5}), 5);
}

TEST(Statistics, InterquartileMeanCutsAQuarterRoundedDownAtEachEnd) {
  EXPECT_EQ(interquartile_mean(Values{3, 1, 5}), 3);                           // nothing cut
  EXPECT_EQ(interquartile_mean(Values{100, 2, -50, 4}), 3);                    // one at each end
  EXPECT_EQ(interquartile_mean(Values{0, 1, 2, 3, 100}), 2);                   // floor(5/4) = 1
  EXPECT_EQ(interquartile_mean(Values{7, 0, 1, 2, 3, 4, 5, 6}), 3.5);          // 2, 3, 4, 5
  EXPECT_EQ(interquartile_mean(Values{9, 8, 7, 6, 5, 4, 3, 2, 1, 100}), 5.5);  // floor(10/4) = 2: 3 ... 8
}

TEST(Statistics, QuantilesAreLinearBetweenOrderStatistics) {
  const Values v = {4, 1, 3, 2};  // places 0, 1, 2, 3
  EXPECT_EQ(quantile(v, 0), 1);
  EXPECT_EQ(quantile(v, 1), 4);
  EXPECT_DOUBLE_EQ(quantile(v, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(v, 0.25), 1.75);
  EXPECT_EQ(quantile(Values{std::numeric_limits<double>::infinity()}, 0.3), std::numeric_limits<double>::infinity());
}

TEST(Statistics, BootstrapOfEqualValuesIsAPoint) {
  const Interval i = bootstrap_interval(Values{0.7, 0.7, 0.7}, interquartile_mean, 1000);
  EXPECT_DOUBLE_EQ(i.low, 0.7);
  EXPECT_DOUBLE_EQ(i.high, 0.7);
}

// The mean of two draws from {0, 1} is 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4; of five, 0 and 1 have 1/32 > 2.5 %
// each; of six, 1/64 < 2.5 %, and the next value, 1/6, has 6/64.
TEST(Statistics, BootstrapHasTheQuantilesOfTheBinomialDistribution) {
  Interval i = bootstrap_interval(Values{0, 1}, mean);
  EXPECT_EQ(i.low, 0);
  EXPECT_EQ(i.high, 1);
  i = bootstrap_interval(Values{0, 0, 0, 1, 1, 1}, mean);
  EXPECT_DOUBLE_EQ(i.low, 1.0 / 6);
  EXPECT_DOUBLE_EQ(i.high, 5.0 / 6);
}

TEST(Statistics, BootstrapIsReproducible) {
  const Values v = {0.1, 0.5, 0.4, 0.9, 0.35};
  const Interval a = bootstrap_interval(v, interquartile_mean), b = bootstrap_interval(v, interquartile_mean);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_LT(a.low, interquartile_mean(v));
  EXPECT_GT(a.high, interquartile_mean(v));
}

// p = 1/2, n = 4, z² = 3.841459: centre 1/2; half z √(1/16 + z²/64) / (1 + z²/4) = 1.959964 · 0.350016 / 1.960365.
TEST(Statistics, WilsonInterval) {
  Interval i = wilson_interval(2, 4);
  EXPECT_NEAR(i.low, 0.150039, 1e-5);
  EXPECT_NEAR(i.high, 0.849961, 1e-5);
  i = wilson_interval(0, 10);  // z² / (n + z²)
  EXPECT_EQ(i.low, 0);
  EXPECT_NEAR(i.high, 3.841459 / 13.841459, 1e-6);
  i = wilson_interval(10, 10);
  EXPECT_NEAR(i.low, 10 / 13.841459, 1e-6);
  EXPECT_EQ(i.high, 1);
}

TEST(Statistics, RefuseEmptyListsAndNaN) {
  EXPECT_THROW(mean({}), std::invalid_argument);
  EXPECT_THROW(median({}), std::invalid_argument);
  EXPECT_THROW(interquartile_mean({}), std::invalid_argument);
  EXPECT_THROW(bootstrap_interval({}, mean), std::invalid_argument);
  EXPECT_THROW(interquartile_mean(Values{1, std::nan("")}), std::invalid_argument);
  EXPECT_THROW(quantile(Values{1}, 1.5), std::invalid_argument);
  EXPECT_THROW(bootstrap_interval(Values{1}, mean, 0), std::invalid_argument);
  EXPECT_THROW(wilson_interval(1, 0), std::invalid_argument);
  EXPECT_THROW(wilson_interval(3, 2), std::invalid_argument);
}

}  // namespace
}  // namespace goalpost
