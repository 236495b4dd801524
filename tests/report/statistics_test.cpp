#include "report/statistics.h"

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

TEST(Statistics, AMeanReachesAThresholdUpToItsRounding) {
  EXPECT_LT(interquartile_mean(Values{0.99, 0.99, 0.99}), 0.99);
  EXPECT_TRUE(reaches(interquartile_mean(Values{0.99, 0.99, 0.99}), 0.99));
  EXPECT_TRUE(reaches(mean(Values{-200.1, -200.1, -200.1}), -200.1));
  EXPECT_TRUE(reaches(1, 0.99));
  EXPECT_FALSE(reaches(0.99 - 1e-9, 0.99));
  EXPECT_FALSE(reaches(-200.1 - 1e-6, -200.1));
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

// The bootstrap distributions below were enumerated, all resamples being equally likely:
//   for a in product(A, repeat=3): for b in product(B, repeat=3): count[iqm(a + b)] += 1
// with A, B the tasks and iqm the mean of what is left of sorted(v) without len(v)//4 at each end. The shares up to
// each value are, of 3^6: 0.325 0.0219 | 0.35 0.0274 ... 0.775 0.9698 | 0.8 0.9822. So 0.35 and 0.8 are the quantiles.
TEST(Statistics, StratifiedBootstrapResamplesWithinEachTask) {
  const Strata tasks = {{0.1, 0.4, 0.9}, {0.5, 0.6, 0.8}};
  EXPECT_DOUBLE_EQ(pooled_interquartile_mean(tasks), 0.575);  // 0.4, 0.5, 0.6, 0.8
  const Interval i = stratified_bootstrap_interval(tasks, pooled_interquartile_mean);
  EXPECT_NEAR(i.low, 0.35, 1e-12);
  EXPECT_NEAR(i.high, 0.8, 1e-12);
  // Pooled resampling would mix the tasks: with a task of zeros and one of ones every resample has half of each.
  const Interval exact = stratified_bootstrap_interval({{0, 0, 0}, {1, 1, 1}}, pooled_interquartile_mean, 1000);
  EXPECT_EQ(exact.low, 0.5);
  EXPECT_EQ(exact.high, 0.5);
}

TEST(Statistics, StratifiedBootstrapOfOneTaskIsTheBootstrap) {
  const Values v = {0.1, 0.5, 0.4, 0.9, 0.35};
  const Interval a = bootstrap_interval(v, interquartile_mean),
                 b = stratified_bootstrap_interval({v}, pooled_interquartile_mean);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
}

// Pairs won plus half the ties: 3 < 4, 5, 7; 5 > 4, = 5, < 7 (twice); 8 > all: (0 + 1.5 + 1.5 + 3)/12 = 1/2;
// 1 > 0, < 2, 2; 2 > 0, = 2, 2: (1 + 2)/6 = 1/2. Enumerated as above over 4^4 2^2 3^3 3^3 resamples, the shares up to:
// 0.1458 0.0169 | 1/6 0.0269 ... 0.7917 0.9725 | 0.8125 0.9783.
TEST(Statistics, ProbabilityOfImprovement) {
  const Strata x = {{3, 5, 5, 8}, {1, 2}}, y = {{4, 5, 7}, {2, 2, 0}};
  EXPECT_DOUBLE_EQ(probability_of_improvement(x, y), 0.5);
  EXPECT_DOUBLE_EQ(probability_of_improvement({{3, 5, 5, 8}}, {{4, 5}}), 5.0 / 8);  // 0 + 1.5 + 1.5 + 2 of 8
  EXPECT_DOUBLE_EQ(probability_of_improvement({{1, 1}}, {{0, 0, 0}}), 1);
  EXPECT_DOUBLE_EQ(probability_of_improvement({{0}}, {{0, 1}}), 0.25);
  const Interval i = probability_of_improvement_interval(x, y, 200'000);
  EXPECT_NEAR(i.low, 1.0 / 6, 1e-12);
  EXPECT_NEAR(i.high, 0.8125, 1e-12);
}

TEST(Statistics, CurvesAreHeldBetweenMeasurementsAndCarriedForward) {
  const std::vector<Curve> curves = {{{0, 10, 20}, {0, 0.5, 1}}, {{5, 10, 30}, {0.25, 0.5, 0.75}}};
  const std::vector<CurvePoint> points = interquartile_curve(curves);
  // x:             5       10      20      30      from the first x that both have
  // first curve    0       0.5     1       1       ended at 20
  // second curve   0.25    0.5     0.5     0.75
  ASSERT_EQ(points.size(), 4u);
  const Values x = {5, 10, 20, 30}, mean = {0.125, 0.5, 0.75, 0.875}, low = {0, 0.5, 0.5, 0.75},
               high = {0.25, 0.5, 1, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(points[i].x, x[i]);
    EXPECT_DOUBLE_EQ(points[i].value, mean[i]);
    EXPECT_DOUBLE_EQ(points[i].low, low[i]);  // of two runs each of the four resamples has a quarter
    EXPECT_DOUBLE_EQ(points[i].high, high[i]);
    EXPECT_EQ(points[i].ended, x[i] > 20 ? 1 : 0);
  }
  const std::vector<CurvePoint> fewer = interquartile_curve(curves, 2);
  ASSERT_EQ(fewer.size(), 2u);
  EXPECT_EQ(fewer.front().x, 5);
  EXPECT_EQ(fewer.back().x, 30);
}

// p = 1/2, n = 4, z² = 3.841459: center 1/2; half z √(1/16 + z²/64) / (1 + z²/4) = 1.959964 · 0.350016 / 1.960365.
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
  EXPECT_THROW(stratified_bootstrap_interval({{1}, {}}, pooled_interquartile_mean), std::invalid_argument);
  EXPECT_THROW(stratified_bootstrap_interval(Strata{}, pooled_interquartile_mean), std::invalid_argument);
  EXPECT_THROW(probability_of_improvement({{1}}, {{1}, {2}}), std::invalid_argument);
  EXPECT_THROW(interquartile_curve(std::vector<Curve>{}), std::invalid_argument);
  EXPECT_THROW(interquartile_curve(std::vector<Curve>{{{0, 1}, {1}}}), std::invalid_argument);
  EXPECT_THROW(wilson_interval(1, 0), std::invalid_argument);
  EXPECT_THROW(wilson_interval(3, 2), std::invalid_argument);
}

TEST(Statistics, IntervalOfADifferenceDrawsBothSides) {
  const Values x = {1, 1, 1}, y = {0, 0, 0}, z = {0, 0.5, 1};
  const Interval sure = difference_interval(x, y), open = difference_interval(x, z),
                 mirrored = difference_interval(z, x);
  EXPECT_EQ(sure.low, 1);
  EXPECT_EQ(sure.high, 1);
  EXPECT_LT(open.low, open.high);
  EXPECT_EQ(open.low, 0);
  EXPECT_NEAR(open.high, -mirrored.low, 0.05);
}

TEST(Statistics, ACurveReachesAThresholdAtItsFirstMeasurementThere) {
  const Curve curve = {{0, 10, 20, 30}, {0, 0.9, 0.5, 1}};
  EXPECT_EQ(first_reaching(curve, 0.9), 10);
  EXPECT_EQ(first_reaching(curve, 0.95), 30);
  EXPECT_EQ(first_reaching(curve, 2), std::numeric_limits<double>::infinity());
}

TEST(Statistics, TheMeanOfACurveHoldsValuesUntilTheNext) {
  const Curve curve = {{10, 20, 40}, {1, 0, 0.5}};
  EXPECT_EQ(mean_over_x(curve, 40), 1 / 3.);
  EXPECT_EQ(mean_over_x(curve, 70), (10 + 15) / 60.);  // the last value is kept
  EXPECT_EQ(mean_over_x(curve, 30), 0.5);              // what comes later does not count
  EXPECT_EQ(mean_over_x(curve, 15), 1);
  EXPECT_EQ(mean_over_x({{0, 10, 30}, {0, 1, 0}}, 20), 0.5);
  EXPECT_EQ(mean_over_x(curve, 10), 1);
  EXPECT_THROW(mean_over_x({}, 10), std::invalid_argument);
}

TEST(Statistics, IntervalsOfAMeanAreStudents) {
  // t(4 degrees) = 2.776445; mean 3, s = sqrt(2.5), n = 5
  const std::vector<double> values = {1, 2, 3, 4, 5}, ones(5, 1);
  const Interval i = ratio_interval(values, ones);
  const double half = 2.776445 * std::sqrt(2.5 / 5);
  EXPECT_NEAR(i.low, 3 - half, 1e-6);
  EXPECT_NEAR(i.high, 3 + half, 1e-6);
  EXPECT_TRUE(std::isnan(ratio_interval(std::vector{1.}, std::vector{1.}).low));
  EXPECT_THROW(ratio_interval(values, std::vector{1.}), std::invalid_argument);
  // Beyond the table: t(30) = 2.042272, t(100) = 1.983972, of values -1 and 1 with s^2 = n / (n - 1)
  for (const auto& [n, t] : {std::pair{31, 2.042272}, std::pair{101, 1.983972}}) {
    std::vector<double> signs(static_cast<std::size_t>(n) - 1);
    for (std::size_t k = 0; k < signs.size(); ++k) signs[k] = k % 2 == 0 ? 1 : -1;
    signs.push_back(0);
    const double s = std::sqrt(1.0);  // n - 1 squares of one over n - 1
    EXPECT_NEAR(ratio_interval(signs, std::vector<double>(signs.size(), 1)).high, t * s / std::sqrt(n), 2e-6);
  }
}

TEST(Statistics, IntervalsOfARatioTakeItsUnitsWhole) {
  // Two kinds of units, 4 and 2 long, each with the same ratio 1/2: there is no variation.
  const Interval i = ratio_interval(std::vector{2., 1., 2.}, std::vector{4., 2., 4.});
  EXPECT_NEAR(i.low, 0.5, 1e-12);
  EXPECT_NEAR(i.high, 0.5, 1e-12);
}

}  // namespace
}  // namespace goalpost
