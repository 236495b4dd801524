// Statistics over runs and episodes, as reviewers expect them (Agarwal et al. 2021, "Deep Reinforcement Learning at the
// Edge of the Statistical Precipice", arXiv:2108.13264, and its library rliable).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "train/evaluation.h"

namespace goalpost {

// Every function throws std::invalid_argument for an empty list or a number that is NaN.

double mean(std::span<const double> values);

/// The middle value, or the mean of the two middle ones.
double median(std::span<const double> values);

/// The mean of the middle half: floor(n/4) values are left out at each end, without fractional weights.
/// @source Agarwal et al. 2021, section 4.3; rliable uses scipy.stats.trim_mean(values, 0.25)
double interquartile_mean(std::span<const double> values);

/// Whether a mean is at least a threshold, up to its rounding: in floating point three times 0.99 have a mean below
/// 0.99.
bool reaches(double mean, double threshold);

/// The p-th quantile, 0 <= p <= 1, linear between order statistics: numpy's default, method 7 of Hyndman & Fan 1996.
double quantile(std::span<const double> values, double p);

struct Interval {
  double low, high;
};

/// 95 % percentile bootstrap interval of a statistic over runs: as many runs are drawn with replacement, the statistic
/// computed, and so on; the interval reaches from the 2.5 % to the 97.5 % quantile. The seed is fixed: equal values
/// give the equal interval.
/// @source Efron & Tibshirani 1993, chapter 13; Agarwal et al. 2021, section 4.1; 50,000 replicates as rliable
Interval bootstrap_interval(std::span<const double> values, double (*statistic)(std::span<const double>),
                            int replicates = 50'000);

/// The values of runs, one list per task.
using Strata = std::vector<std::vector<double>>;

/// The interquartile mean of all runs of all tasks in one pool. @source Agarwal et al. 2021, section 4.3
double pooled_interquartile_mean(const Strata& tasks);

/// 95 % percentile bootstrap interval of a statistic over tasks and runs: runs are drawn with replacement within each
/// task, so that every task keeps its weight. With one task the same bits as bootstrap_interval.
/// @source Agarwal et al. 2021, section 4.1; 50,000 replicates as rliable
/// @throws std::invalid_argument also if one task has no values
Interval stratified_bootstrap_interval(const Strata& tasks, const std::function<double(const Strata&)>& statistic,
                                       int replicates = 50'000);

/// How probable it is that a run of x is better than one of y on the same task: the mean over the tasks of
/// P(X > Y) + P(X = Y)/2 over all pairs of runs, which is the statistic U of Mann & Whitney over the number of pairs.
/// @source Agarwal et al. 2021, section 4.3
/// @throws std::invalid_argument unless x and y have the same number of tasks, at least one
double probability_of_improvement(const Strata& x, const Strata& y);
/// Its stratified bootstrap interval: the runs of x and those of y are drawn independently. 2,000 replicates as rliable
Interval probability_of_improvement_interval(const Strata& x, const Strata& y, int replicates = 2'000);

/// 95 % bootstrap interval of the interquartile mean of x less that of y: the runs of x and those of y are drawn
/// independently.
Interval difference_interval(std::span<const double> x, std::span<const double> y, int replicates = 50'000);

/// A quantity of one run as it was measured: x (steps or seconds) increases.
struct Curve {
  std::vector<double> x, y;
};

/// The first x at which a curve reaches a threshold; infinity if it never does.
double first_reaching(const Curve& curve, double threshold);
/// The mean of a curve over x, from its first x to `end`, as a step function: between two measurements, and after the
/// last, the value is the one before. Measurements after `end` do not count.
/// @throws std::invalid_argument for an empty curve
double mean_over_x(const Curve& curve, double end);

/// A point of the curve over several runs.
struct CurvePoint {
  double x, value, low, high;  ///< interquartile mean over the curves, with its 95 % bootstrap interval
  int ended;                   ///< curves that ended before x: their last value is carried forward
};
/// The interquartile mean over curves, wherever one of them was measured, from the first x that all have. A curve's
/// value between two measurements, and after the last, is the one before: nothing is interpolated.
/// @param points at most so many, evenly chosen
/// @throws std::invalid_argument if a curve is empty, or holds x and y of different sizes
std::vector<CurvePoint> interquartile_curve(std::span<const Curve> curves, std::size_t points = 300,
                                            int replicates = 2'000);

/// 95 % score interval of a probability from n independent trials:
///   (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n),  p = successes/n,  z = 1.96
/// @source Wilson 1927, "Probable inference, the law of succession, and statistical inference"
/// @throws std::invalid_argument unless 0 <= successes <= n and n > 0
Interval wilson_interval(std::int64_t successes, std::int64_t n);
/// The same for a share p that need not be a whole number of n. @throws std::invalid_argument unless 0 <= p <= 1, n > 0
Interval score_interval(double p, double n);

/// 95 % interval of r = Σ sums / Σ counts over n independent units, e.g. the mean return of episodes in chains:
///   r ± t √(n/(n-1) Σ (sumᵢ − r countᵢ)²) / Σ counts,  t the 97.5 % quantile of Student's distribution, n − 1 degrees
/// Where all counts are 1, the usual interval of a mean. NaN, NaN for one unit.
/// @source Cochran 1977, "Sampling Techniques", 6.4; Student's quantile by Abramowitz & Stegun 1964, 26.7.5 and table
/// @throws std::invalid_argument for lists that are empty or differ in size
Interval ratio_interval(std::span<const double> sums, std::span<const double> counts);

/// 95 % intervals of the means of an evaluation. Of the rates by Wilson's score interval with a trial per chain, of the
/// others by ratio_interval over the chains. @pre at least one chain was completed
struct EvaluationIntervals {
  Interval success, success_any, reward, length;
};
EvaluationIntervals evaluation_intervals(const Evaluation& e);

}  // namespace goalpost
