// Measuring how fast runs learn, and the table of it.
#include "report/learning_speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/text.h"
#include "report/collect.h"
#include "report/text_table.h"
#include "storage/csv.h"

namespace goalpost {
namespace {

constexpr double kSuccess = 0.9;  // the usual threshold
constexpr int kReplicates = 2'000;

// Of runs that differ; NaN for one.
Interval interval_of(const std::vector<double>& values) {
  if (values.size() < 2) return {std::nan(""), std::nan("")};
  return bootstrap_interval(values, interquartile_mean, kReplicates);
}

}  // namespace

double budget_of(const Summary& summary) {
  const Experiment& e = summary.runs.front()->experiment;
  const double steps = static_cast<double>(e.train.total_steps);
  if (e.train.total_episodes == 0) return steps;
  return std::min(steps, static_cast<double>(e.train.total_episodes) * e.env_factory()()->spec().max_steps);
}

LearningSpeed learning_speed(const Summary& summary, std::optional<double> threshold) {
  const MeasuredRun& first = *summary.runs.front();
  LearningSpeed speed{.threshold = threshold,
                      .steps = std::nan(""),
                      .steps_low = std::nan(""),
                      .steps_high = std::nan(""),
                      .area = 0,
                      .area_low = 0,
                      .area_high = 0,
                      .areas = {}};
  if (!threshold)
    speed.threshold = first.measures_return() ? first.experiment.source.expected_return : std::optional(kSuccess);
  const double budget = budget_of(summary);
  std::vector<double> steps;
  for (const MeasuredRun* run : summary.runs) {
    Curve curve = evaluations_of(*run, "step");
    // The final evaluation is one, too.
    if (const double end = static_cast<double>(run->result.progress.step); run->finished && end > curve.x.back()) {
      curve.x.push_back(end);
      curve.y.push_back(run->measured());
    }
    speed.areas.push_back(mean_over_x(curve, budget));
    if (speed.threshold) steps.push_back(first_reaching(curve, *speed.threshold));
  }
  if (speed.threshold) {
    speed.reached =
        static_cast<std::size_t>(std::count_if(steps.begin(), steps.end(), [](double x) { return std::isfinite(x); }));
    speed.steps = interquartile_mean(steps);
    const Interval interval = interval_of(steps);
    speed.steps_low = interval.low;
    speed.steps_high = interval.high;
  }
  speed.area = interquartile_mean(speed.areas);
  const Interval interval = interval_of(speed.areas);
  speed.area_low = interval.low;
  speed.area_high = interval.high;
  return speed;
}

std::string threshold_text(const Summary& summary, const LearningSpeed& speed) {
  if (!speed.threshold) return "-";
  return fmt::format("{} {}", summary.runs.front()->measures_return() ? "return" : "success",
                     shortest(*speed.threshold));
}

std::string steps_text(double steps) {
  return std::isnan(steps) ? "-" : std::isinf(steps) ? "never" : format_thousands(steps);
}

std::string steps_interval_text(double low, double high) {
  return std::isnan(low) || std::isinf(low) ? "-" : fmt::format("[{}, {}]", steps_text(low), steps_text(high));
}

void check_threshold(const std::vector<Summary>& summaries, std::optional<double> threshold) {
  if (!threshold) return;
  const Summary* returns = nullptr;
  const Summary* success = nullptr;
  for (const Summary& s : summaries) (s.runs.front()->measures_return() ? returns : success) = &s;
  if (returns != nullptr && success != nullptr)
    throw UsageError(
        fmt::format("--threshold {}: {} is measured by its return and {} by its success; expected runs of one measure",
                    shortest(*threshold), returns->experiment, success->experiment));
}

std::string learning_table(const std::vector<Summary>& summaries, std::optional<double> threshold, std::size_t width) {
  check_threshold(summaries, threshold);
  std::vector<std::vector<std::string>> rows = {
      {"experiment", "variant", "threshold", "reached", "after steps", "95 % interval", "area", "95 % interval"}};
  for (const Summary& s : summaries) {
    const LearningSpeed speed = learning_speed(s, threshold);
    const int digits = std::abs(speed.area) < 100 ? 3 : 1;
    rows.push_back({s.experiment, s.setting(), threshold_text(s, speed),
                    speed.threshold ? fmt::format("{}/{}", speed.reached, s.runs.size()) : "-", steps_text(speed.steps),
                    steps_interval_text(speed.steps_low, speed.steps_high), fmt::format("{:.{}f}", speed.area, digits),
                    interval_text(speed.area_low, speed.area_high, digits)});
  }
  return text_table(rows, 2, width);
}

}  // namespace goalpost
