#include "report/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/check.h"
#include "core/rng.h"

namespace goalpost {
namespace {

constexpr double kNormal = 1.959963984540054;  // 97.5 % quantile of the normal distribution

// The same quantile of Student's distribution; beyond the table its expansion in 1/degrees, to 1e-5
// (Abramowitz & Stegun 1964, 26.7.5).
double student(double degrees) {
  static constexpr std::array kTable = {12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624,
                                        2.306004,  2.262157, 2.228139, 2.200985, 2.178813, 2.160369, 2.144787,
                                        2.131450,  2.119905, 2.109816, 2.100922, 2.093024, 2.085963};
  if (degrees <= static_cast<double>(kTable.size())) return kTable[static_cast<std::size_t>(degrees) - 1];
  const double z = kNormal, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z, n = degrees;
  return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

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

bool reaches(double mean, double threshold) {
  // Far more than sums of so few numbers lose, far less than one episode more makes.
  return mean >= threshold - 1e-12 * std::max(1.0, std::abs(threshold));
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
  return stratified_bootstrap_interval(
      {{values.begin(), values.end()}}, [&](const Strata& sample) { return statistic(sample.front()); }, replicates);
}

double pooled_interquartile_mean(const Strata& tasks) {
  std::vector<double> pool;
  for (const std::vector<double>& runs : tasks) pool.insert(pool.end(), runs.begin(), runs.end());
  return interquartile_mean(pool);
}

Interval stratified_bootstrap_interval(const Strata& tasks, const std::function<double(const Strata&)>& statistic,
                                       int replicates) {
  GP_CHECK(!tasks.empty(), "stratified_bootstrap_interval: there are no tasks; expected at least one");
  for (const std::vector<double>& runs : tasks) check_values("stratified_bootstrap_interval", runs);
  GP_CHECK(replicates > 0, "stratified_bootstrap_interval: replicates = ", replicates, "; expected a positive number");
  Rng rng(0);
  Strata sample = tasks;
  std::vector<double> results(static_cast<std::size_t>(replicates));
  for (double& result : results) {
    for (std::size_t t = 0; t < tasks.size(); ++t)
      for (double& value : sample[t]) value = tasks[t][rng.below(static_cast<std::uint32_t>(tasks[t].size()))];
    result = statistic(sample);
  }
  return {quantile(results, 0.025), quantile(results, 0.975)};
}

namespace {

// Of tasks 0 ... n-1 against tasks n ... 2n-1.
double improvement(const Strata& both) {
  const std::size_t n = both.size() / 2;
  double total = 0;
  for (std::size_t t = 0; t < n; ++t) {
    double wins = 0;
    for (const double x : both[t])
      for (const double y : both[n + t]) wins += x > y ? 1 : x == y ? 0.5 : 0;
    total += wins / static_cast<double>(both[t].size() * both[n + t].size());
  }
  return total / static_cast<double>(n);
}

Strata both_of(const char* function, const Strata& x, const Strata& y) {
  GP_CHECK(!x.empty() && x.size() == y.size(), function, ": x has ", x.size(), " tasks and y has ", y.size(),
           "; expected the same ones, at least one");
  Strata both = x;
  both.insert(both.end(), y.begin(), y.end());
  for (const std::vector<double>& runs : both) check_values(function, runs);
  return both;
}

}  // namespace

double probability_of_improvement(const Strata& x, const Strata& y) {
  return improvement(both_of("probability_of_improvement", x, y));
}

Interval probability_of_improvement_interval(const Strata& x, const Strata& y, int replicates) {
  return stratified_bootstrap_interval(both_of("probability_of_improvement_interval", x, y), improvement, replicates);
}

Interval difference_interval(std::span<const double> x, std::span<const double> y, int replicates) {
  return stratified_bootstrap_interval(
      {{x.begin(), x.end()}, {y.begin(), y.end()}},
      [](const Strata& sample) { return interquartile_mean(sample[0]) - interquartile_mean(sample[1]); }, replicates);
}

double first_reaching(const Curve& curve, double threshold) {
  for (std::size_t i = 0; i < curve.x.size(); ++i)
    if (reaches(curve.y[i], threshold)) return curve.x[i];
  return std::numeric_limits<double>::infinity();
}

double mean_over_x(const Curve& curve, double end) {
  check_values("mean_over_x", curve.y);
  if (end <= curve.x.front()) return curve.y.front();
  double area = 0;
  for (std::size_t i = 0; i < curve.x.size() && curve.x[i] < end; ++i) {
    const double next = i + 1 < curve.x.size() ? std::min(curve.x[i + 1], end) : end;
    area += curve.y[i] * (next - curve.x[i]);
  }
  return area / (end - curve.x.front());
}

std::vector<CurvePoint> interquartile_curve(std::span<const Curve> curves, std::size_t points, int replicates) {
  GP_CHECK(!curves.empty() && points > 1, "interquartile_curve: ", curves.size(), " curves and points = ", points,
           "; expected at least one curve and two points");
  double first = -std::numeric_limits<double>::infinity();
  std::vector<double> grid;
  for (const Curve& c : curves) {
    check_values("interquartile_curve", c.x);
    check_values("interquartile_curve", c.y);
    GP_CHECK(c.x.size() == c.y.size(), "interquartile_curve: a curve has ", c.x.size(), " x and ", c.y.size(),
             " y; expected as many");
    first = std::max(first, c.x.front());
    grid.insert(grid.end(), c.x.begin(), c.x.end());
  }
  grid.push_back(first);
  std::sort(grid.begin(), grid.end());
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  grid.erase(grid.begin(), std::lower_bound(grid.begin(), grid.end(), first));
  if (grid.size() > points) {
    std::vector<double> chosen(points);
    for (std::size_t i = 0; i < points; ++i) chosen[i] = grid[i * (grid.size() - 1) / (points - 1)];
    grid = std::move(chosen);
  }
  std::vector<CurvePoint> result;
  std::vector<double> values(curves.size());
  for (const double x : grid) {
    CurvePoint point{x, 0, 0, 0, 0};
    for (std::size_t i = 0; i < curves.size(); ++i) {
      const Curve& c = curves[i];
      const auto after = std::upper_bound(c.x.begin(), c.x.end(), x) - c.x.begin();  // >= 1, for x >= first
      values[i] = c.y[static_cast<std::size_t>(after - 1)];
      point.ended += x > c.x.back() ? 1 : 0;
    }
    point.value = interquartile_mean(values);
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    const Interval interval = *least == *greatest ? Interval{point.value, point.value}
                                                  : bootstrap_interval(values, interquartile_mean, replicates);
    point.low = interval.low;
    point.high = interval.high;
    result.push_back(point);
  }
  return result;
}

Interval wilson_interval(std::int64_t successes, std::int64_t n) {
  GP_CHECK(n > 0 && successes >= 0 && successes <= n, "wilson_interval: ", successes, " successes of n = ", n,
           "; expected 0 <= successes <= n and n > 0");
  return score_interval(static_cast<double>(successes) / static_cast<double>(n), static_cast<double>(n));
}

Interval score_interval(double p, double n) {
  GP_CHECK(n > 0 && p >= 0 && p <= 1, "score_interval: p = ", p, ", n = ", n, "; expected 0 <= p <= 1 and n > 0");
  const double center = p + kNormal * kNormal / (2 * n);
  const double half = kNormal * std::sqrt(p * (1 - p) / n + kNormal * kNormal / (4 * n * n));
  const double scale = 1 + kNormal * kNormal / n;
  // Exact at the ends, where rounding could leave [0, 1] or miss p.
  return {p == 0 ? 0 : (center - half) / scale, p == 1 ? 1 : (center + half) / scale};
}

Interval ratio_interval(std::span<const double> sums, std::span<const double> counts) {
  GP_CHECK(!sums.empty() && sums.size() == counts.size(), "ratio_interval: ", sums.size(), " sums and ", counts.size(),
           " counts; expected equally many, at least one");
  const double n = static_cast<double>(sums.size());
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double ratio = std::accumulate(sums.begin(), sums.end(), 0.0) / total;
  if (sums.size() < 2) return {std::nan(""), std::nan("")};
  double squares = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) squares += std::pow(sums[i] - ratio * counts[i], 2);
  const double half = student(n - 1) * std::sqrt(n / (n - 1) * squares) / total;
  return {ratio - half, ratio + half};
}

EvaluationIntervals evaluation_intervals(const Evaluation& e) {
  const auto column = [&](double Evaluation::Chain::*member) {
    std::vector<double> values;
    for (const Evaluation::Chain& c : e.chains) values.push_back(c.*member);
    return values;
  };
  const std::vector<double> episodes = column(&Evaluation::Chain::episodes);
  const double n = static_cast<double>(e.chains.size());
  return {.success = score_interval(e.success, n),
          .success_any = score_interval(e.success_any, n),
          .reward = ratio_interval(column(&Evaluation::Chain::reward), episodes),
          .length = ratio_interval(column(&Evaluation::Chain::length), episodes)};
}

}  // namespace goalpost
