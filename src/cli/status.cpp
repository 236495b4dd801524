// goalpost status: progress of the runs of a plan.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/time_left.h"
#include "cli/train_progress.h"
#include "core/check.h"
#include "core/text.h"
#include "report/text_table.h"
#include "run/claim.h"
#include "run/plan.h"
#include "run/run_result.h"

namespace goalpost {
namespace {

struct StatusOptions {
  std::string directory;
  bool watch = false, json = false;
};

// One run as it is now.
struct Line {
  const PlannedRun* run;
  std::string state;  // "done", "running", "failed", "unreadable", "interrupted", "waiting"
  std::optional<ClaimHolder> holder;
  RunState progress;
  std::string reached, failure;
  double seconds_left = std::nan("");  // of training; NaN: unknown
};

void look(Line& line, ClaimWatch& watch) {
  const PlannedRun& run = *line.run;
  const Experiment experiment = experiment_of(run);
  line.holder = holder_of(run.directory);
  if (line.holder && watch.is_over(*line.holder)) line.holder.reset();
  line.progress = line.holder ? state_of(run, experiment) : saved_state_of(run, experiment);
  RunState& p = line.progress;
  if (line.holder && line.holder->done > p.done) {  // its process knows more than the last evaluation
    const double seconds = static_cast<double>(std::time(nullptr) - line.holder->since);
    if (p.rate == 0 && seconds > 0) p.rate = static_cast<double>(line.holder->done) / seconds;
    p.done = line.holder->done;
  }
  if (p.trained) line.reached = evaluation_text(experiment, p.success, p.mean_return);
  if (p.rate > 0) line.seconds_left = static_cast<double>(std::max<std::int64_t>(p.total - p.done, 0)) / p.rate;
  if (const std::optional<RunResult> r = read_result(run.directory)) {
    if (const std::string problem = difference_from_plan(run, true); !problem.empty()) throw UsageError(problem);
    line.state = "done";
    p.seconds = r->progress.wall_seconds;
    p.done = p.by_episodes ? r->progress.episodes : r->progress.step;
    p.success = r->final.success;
    p.mean_return = r->final.mean_return;
    p.evaluated = true;
    line.reached = evaluation_text(experiment, p.success, p.mean_return);
    line.seconds_left = 0;
  } else if (line.holder) {
    line.state = "running";
  } else if (const std::optional<std::string> failure = failure_of(run)) {
    line.state = "failed";
    line.failure = *failure;
    line.seconds_left = 0;
  } else if (p.evaluated || p.done > 0) {
    line.state = "interrupted";
  }
}

// What cannot be read of one run hides no other.
Line line_of(const PlannedRun& run, ClaimWatch& watch) {
  Line line{.run = &run, .state = "waiting", .holder = {}, .progress = {}, .reached = {}, .failure = {}};
  try {
    look(line, watch);
  } catch (const std::exception& e) {
    line.state = "unreadable";
    line.failure = e.what();
    line.seconds_left = 0;
  }
  return line;
}

std::vector<RunTime> times_of(const std::vector<Line>& lines) {
  std::vector<RunTime> times;
  for (const Line& line : lines) {
    const RunState& p = line.progress;
    const double whole = line.state == "done" ? p.seconds : p.rate > 0 ? static_cast<double>(p.total) / p.rate : 0;
    times.push_back({.experiment = line.run->experiment,
                     .setting = line.run->setting,
                     .total = p.total,
                     .whole = whole,
                     .left = line.seconds_left});
  }
  estimate(times);
  return times;
}

void estimate_lines(std::vector<Line>& lines) {
  const std::vector<RunTime> times = times_of(lines);
  for (std::size_t i = 0; i < lines.size(); ++i) lines[i].seconds_left = times[i].left;
}

// Until all is done, with as many runs side by side as now; NaN if that is not known.
double seconds_left_of(const std::vector<Line>& lines) {
  const auto running =
      std::count_if(lines.begin(), lines.end(), [](const Line& line) { return line.state == "running"; });
  return seconds_left(times_of(lines), static_cast<int>(running));
}

std::string time_text(std::int64_t seconds_since_1970) {
  const std::time_t time = seconds_since_1970;
  std::tm parts{};
  ::localtime_r(&time, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts));
}

std::string table_of(const Plan& plan, const std::vector<Line>& lines) {
  std::vector<std::vector<std::string>> rows = {{"run", "", "state", "progress", "reached", "left"}};
  std::map<std::string, int> counts;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    const RunState& p = line.progress;
    ++counts[line.state];
    const int percent =
        p.total > 0 ? static_cast<int>(100.0 * static_cast<double>(p.done) / static_cast<double>(p.total)) : 0;
    const bool known = line.state == "running" || line.state == "interrupted";
    rows.push_back({std::to_string(i), line.run->name(), line.state,
                    line.state == "done" ? ""
                    : p.done > 0         ? fmt::format("{} %", percent)
                                         : "",
                    line.reached.empty() ? "-" : line.reached,
                    known && !std::isnan(line.seconds_left) ? format_duration(line.seconds_left) : ""});
  }
  std::string text = text_table(rows, 3, output_width(), 60);
  for (const Line& line : lines) {
    if (line.state == "running")
      text += fmt::format("{}: {}, since {}\n", line.run->name(), line.holder->text(), time_text(line.holder->since));
    if (!line.failure.empty()) text += fmt::format("{}: {}: {}\n", line.run->name(), line.state, line.failure);
  }
  std::string summary;
  for (const char* state : {"done", "running", "failed", "unreadable", "interrupted", "waiting"})
    if (counts[state] > 0) summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", counts[state], state);
  const double left = seconds_left_of(lines);
  return text + fmt::format("{}: {} of {} runs{}\n", plan.directory.string(), summary, lines.size(),
                            left > 0 ? fmt::format("; about {} left", format_duration(left)) : "");
}

nlohmann::ordered_json json_of(const Plan& plan, const std::vector<Line>& lines) {
  const auto number = [](double x) { return std::isnan(x) ? nlohmann::ordered_json() : nlohmann::ordered_json(x); };
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    nlohmann::ordered_json run = {{"index", i},
                                  {"experiment", line.run->experiment},
                                  {"setting", line.run->setting},
                                  {"seed", line.run->seed},
                                  {"directory", line.run->directory.string()},
                                  {"state", line.state},
                                  {"done", line.progress.done},
                                  {"total", line.progress.total},
                                  {"unit", line.progress.by_episodes ? "episodes" : "steps"},
                                  {"seconds", line.progress.seconds},
                                  {"seconds_left", number(line.seconds_left)}};
    if (line.progress.evaluated) {
      run["success"] = number(line.progress.success);
      run["return"] = number(line.progress.mean_return);
    }
    if (line.holder) {
      run["host"] = line.holder->process.host;
      run["process"] = line.holder->process.process;
      run["since"] = line.holder->since;
    }
    if (!line.failure.empty()) run["failure"] = line.failure;
    runs.push_back(std::move(run));
  }
  return {{"plan", plan.directory.string()}, {"seconds_left", number(seconds_left_of(lines))}, {"runs", runs}};
}

int show_status(const StatusOptions& o) {
  const Plan plan = read_plan(o.directory);
  ClaimWatch watch;
  while (true) {
    std::vector<Line> lines;
    for (const PlannedRun& run : plan.runs) lines.push_back(line_of(run, watch));
    estimate_lines(lines);
    if (o.watch && output_width() > 0) fmt::print("\033[H\033[2J");
    if (o.json)
      fmt::print("{}\n", json_of(plan, lines).dump(1));
    else
      fmt::print("{}", table_of(plan, lines));
    const bool over = std::all_of(lines.begin(), lines.end(),
                                  [](const Line& line) { return line.state == "done" || !line.failure.empty(); });
    if (!o.watch || over) return 0;
    flush_output();
    for (int i = 0; i < 20; ++i) {
      if (interrupted()) return interrupt_status();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

}  // namespace

void add_status_command(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("status", "progress of the runs of a plan, and which process trains which");
  const auto o = std::make_shared<StatusOptions>();
  command->add_option("PLAN", o->directory, "directory made by `goalpost plan` or `goalpost reproduce`")->required();
  CLI::Option* watch = command->add_flag("--watch", o->watch, "show it again every two seconds, until all is done");
  command->add_flag("--json", o->json, "as JSON, for programs")->excludes(watch);
  command->callback([o, &status] {
    if (o->watch) catch_interrupts();
    status = show_status(*o);
  });
}

}  // namespace goalpost
