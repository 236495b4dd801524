// Statistics over runs and episodes, as reviewers expect them (Agarwal et al. 2021, "Deep Reinforcement Learning at the
// Edge of the Statistical Precipice", arXiv:2108.13264, and its library rliable).
#pragma once

#include <cstdint>
#include <span>

namespace goalpost {

// Every function throws std::invalid_argument for an empty list or a number that is NaN.

double mean(std::span<const double> values);

/// The middle value, or the mean of the two middle ones.
double median(std::span<const double> values);

/// The mean of the middle half: floor(n/4) values are left out at each end, without fractional weights.
/// @source Agarwal et al. 2021, section 4.3; rliable uses scipy.stats.trim_mean(values, 0.25)
double interquartile_mean(std::span<const double> values);

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

/// 95 % score interval of a probability from n independent trials:
///   (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n),  p = successes/n,  z = 1.96
/// @source Wilson 1927, "Probable inference, the law of succession, and statistical inference"
/// @throws std::invalid_argument unless 0 <= successes <= n and n > 0
Interval wilson_interval(std::int64_t successes, std::int64_t n);

}  // namespace goalpost
