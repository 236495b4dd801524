// Finding the baseline and what can be compared with it.
#include "report/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <system_error>

#include "core/check.h"
#include "core/text.h"
#include "report/learning_speed.h"
#include "report/method_runs.h"
#include "report/text_table.h"

namespace goalpost {
namespace {

// What two settings must share to be compared.
std::map<std::string, std::string> task_of(const Summary& summary) {
  const MeasuredRun& run = *summary.runs.front();
  std::map<std::string, std::string> task = run.experiment.settings();
  std::erase_if(task, [](const auto& setting) { return !part_of_task(setting.first); });
  task["env.name"] = run.experiment.env_name;
  task["measure"] = run.measures_return() ? "return" : "success";
  return task;
}

BaselineComparison compared(const Summary& x, const Summary& y, const std::string& quantity,
                            const std::vector<double>& of_x, const std::vector<double>& of_y) {
  const double unknown = std::nan("");
  BaselineComparison c{.of = &x,
                       .baseline = &y,
                       .quantity = quantity,
                       .difference = interquartile_mean(of_x) - interquartile_mean(of_y),
                       .interval = {unknown, unknown},
                       .probability = unknown,
                       .probability_interval = {unknown, unknown}};
  if (of_x.size() > 1 && of_y.size() > 1) {
    c.interval = difference_interval(of_x, of_y);
    c.probability = probability_of_improvement({of_x}, {of_y});
    c.probability_interval = probability_of_improvement_interval({of_x}, {of_y});
  }
  return c;
}

std::vector<double> measured(const Summary& summary) {
  std::vector<double> values;
  for (const MeasuredRun* run : summary.runs) values.push_back(run->measured());
  return values;
}

// The hash of a commit of the working directory's repository, e.g. of HEAD~1; empty if there is none.
std::string commit_of(const std::string& name) {
  const std::string command =
      fmt::format("git rev-parse --verify --quiet {} 2>/dev/null", shell_quoted(name + "^{commit}"));
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::array<char, 128> line{};
  const char* const read = std::fgets(line.data(), line.size(), pipe);
  ::pclose(pipe);
  return read == nullptr ? "" : std::string(line.data(), std::strcspn(line.data(), "\n"));
}

}  // namespace

std::vector<const Summary*> baseline_of(const std::vector<Summary>& summaries, const std::string& baseline) {
  const bool is_directory = std::filesystem::is_directory(baseline);
  std::set<std::string> all, fitting;  // revisions
  for (const Summary& s : summaries)
    for (const MeasuredRun* run : s.runs) {
      all.insert(run->result.revision);
      if (run->result.revision.starts_with(baseline)) fitting.insert(run->result.revision);
    }
  if (fitting.contains(baseline)) fitting = {baseline};
  if (fitting.empty() && !is_directory)
    if (const std::string commit = commit_of(baseline); !commit.empty())
      std::copy_if(all.begin(), all.end(), std::inserter(fitting, fitting.end()),
                   [&](const std::string& revision) { return !revision.empty() && commit.starts_with(revision); });
  if (!is_directory && all.empty())
    throw UsageError(fmt::format("--baseline {}: no run has finished; expected finished runs", baseline));
  if (!is_directory && fitting.empty())
    throw UsageError(fmt::format("--baseline {}: neither a directory nor a revision of the runs; their revisions: {}",
                                 baseline, fmt::join(all, ", ")));
  if (!is_directory && fitting.size() > 1)
    throw UsageError(
        fmt::format("--baseline {}: the runs have several revisions that begin so: {}; expected more characters",
                    baseline, fmt::join(fitting, ", ")));
  std::vector<const Summary*> result;
  for (const Summary& s : summaries)
    if (std::any_of(s.runs.begin(), s.runs.end(), [&](const MeasuredRun* run) {
          return is_directory ? run->baseline : fitting.contains(run->result.revision);
        }))
      result.push_back(&s);
  if (result.empty()) throw UsageError(fmt::format("--baseline {}: no finished run lies below it", baseline));
  return result;
}

std::vector<BaselineComparison> compare_with_baseline(const std::vector<Summary>& summaries,
                                                      const std::vector<const Summary*>& baseline) {
  std::vector<BaselineComparison> comparisons;
  std::map<const Summary*, std::map<std::string, std::string>> tasks;
  for (const Summary* b : baseline) tasks[b] = task_of(*b);
  for (const Summary& s : summaries) {
    if (!s.finished() || std::find(baseline.begin(), baseline.end(), &s) != baseline.end()) continue;
    const std::map<std::string, std::string> task = task_of(s);
    std::vector<const Summary*> equal, same_task;
    for (const Summary* b : baseline) {
      if (!b->finished()) continue;
      if (b->experiment == s.experiment && b->variant == s.variant) equal.push_back(b);
      if (tasks[b] == task) same_task.push_back(b);
    }
    for (const Summary* b : equal.empty() ? same_task : equal) {
      comparisons.push_back(
          compared(s, *b, s.runs.front()->measures_return() ? "return" : "success", measured(s), measured(*b)));
      comparisons.push_back(compared(s, *b, "area", learning_speed(s, {}).areas, learning_speed(*b, {}).areas));
    }
  }
  return comparisons;
}

std::string baseline_table(const std::vector<BaselineComparison>& comparisons, const std::string& baseline,
                           std::size_t width) {
  if (comparisons.empty())
    return fmt::format("compared with the baseline {}: no other run is of a task of the baseline\n", baseline);
  const auto full_name = [](const Summary& s) {
    const std::string setting = s.setting();
    return s.experiment + (setting.empty() ? "" : " " + setting);
  };
  std::vector<std::vector<std::string>> rows = {
      {"setting", "baseline", "", "difference", "95 % interval", "P(improvement)", "95 % interval"}};
  for (const BaselineComparison& c : comparisons)
    rows.push_back({full_name(*c.of), full_name(*c.baseline), c.quantity, fmt::format("{:+.3f}", c.difference),
                    interval_text(c.interval.low, c.interval.high, 3),
                    std::isnan(c.probability) ? "-" : fmt::format("{:.2f}", c.probability),
                    interval_text(c.probability_interval.low, c.probability_interval.high, 2)});
  return fmt::format("compared with the baseline {}\n{}", baseline, text_table(rows, 2, width));
}

}  // namespace goalpost
