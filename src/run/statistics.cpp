#include "run/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/check.h"
#include "core/rng.h"

namespace goalpost {
namespace {

void check_values(const char* function, std::span<const double> values) {
  GP_CHECK(!values.empty(), function, ": there are no values; expected at least one");
  for (std::size_t i = 0; i < values.size(); ++i)
    GP_CHECK(!std::isnan(values[i]), function, ": value ", i, " is NaN; expected numbers");
}

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> result(values.begin(), values.end());
  std::sort(result.begin(), result.end());
  return result;
}

double sum(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

double mean(std::span<const double> values) {
  check_values("mean", values);
  return sum(values) / static_cast<double>(values.size());
}

double median(std::span<const double> values) {
  check_values("median", values);
  return quantile(values, 0.5);
}

double interquartile_mean(std::span<const double> values) {
  check_values("interquartile_mean", values);
  const std::size_t cut = values.size() / 4;
  return mean(std::span<const double>(sorted(values)).subspan(cut, values.size() - 2 * cut));
}

double quantile(std::span<const double> values, double p) {
  check_values("quantile", values);
  GP_CHECK(p >= 0 && p <= 1, "quantile: p = ", p, "; expected 0 to 1");
  const std::vector<double> order = sorted(values);
  const double place = p * static_cast<double>(order.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, order.size() - 1);
  if (order[below] == order[above]) return order[below];  // also for two infinities
  return order[below] + (place - static_cast<double>(below)) * (order[above] - order[below]);
}

Interval bootstrap_interval(std::span<const double> values, double (*statistic)(std::span<const double>),
                            int replicates) {
  check_values("bootstrap_interval", values);
  GP_CHECK(replicates > 0, "bootstrap_interval: replicates = ", replicates, "; expected a positive number");
  Rng rng(0);
  std::vector<double> sample(values.size()), results(static_cast<std::size_t>(replicates));
  for (double& result : results) {
    for (double& value : sample) value = values[rng.below(static_cast<std::uint32_t>(values.size()))];
    result = statistic(sample);
  }
  return {quantile(results, 0.025), quantile(results, 0.975)};
}

Interval wilson_interval(std::int64_t successes, std::int64_t n) {
  GP_CHECK(n > 0 && successes >= 0 && successes <= n, "wilson_interval: ", successes, " successes of n = ", n,
           "; expected 0 <= successes <= n and n > 0");
  constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  const double count = static_cast<double>(n), p = static_cast<double>(successes) / count;
  const double centre = p + z * z / (2 * count);
  const double half = z * std::sqrt(p * (1 - p) / count + z * z / (4 * count * count));
  const double scale = 1 + z * z / count;
  // Exact at the ends, where rounding could leave [0, 1] or miss p.
  return {successes == 0 ? 0 : (centre - half) / scale, successes == n ? 1 : (centre + half) / scale};
}

}  // namespace goalpost
