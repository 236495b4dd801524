// Drawing the figures of papers.
#include "report/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "report/collect.h"
#include "report/measured_run.h"
#include "report/method_runs.h"
#include "report/page_figures.h"
#include "report/statistics.h"
#include "run/experiment.h"
#include "storage/csv.h"

namespace goalpost {
namespace {

// A run's value of a setting, without quotes.
std::string value_of(const MeasuredRun& run, const std::string& key) {
  const std::map<std::string, std::string> settings = run.experiment.settings();
  const auto value = settings.find(key);
  if (value == settings.end()) throw UsageError(fmt::format("{} has no setting {}", run.directory.string(), key));
  const std::string& text = value->second;
  return text.size() >= 2 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
}

// A value as data files hold it; blanks do not tell values apart.
std::string value_cell(const std::string& value) {
  std::string cell = csv_cell(value);
  std::erase(cell, ' ');
  return cell;
}

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// The x axis of the figure's key: numbers, or values that are no numbers side by side.
struct Axis {
  std::vector<std::string> values;  // side by side; empty for numbers
  double low = 0, high = 1;         // of the numbers

  double place(const std::string& value) const {
    if (values.empty()) return *number_of(value);
    const auto same = [&](const std::string& v) { return value_cell(v) == value_cell(value); };
    return static_cast<double>(std::find_if(values.begin(), values.end(), same) - values.begin());
  }
  bool logarithmic() const { return values.empty() && low > 0 && high >= 100 * low; }
};
Axis axis_of(const FigureConfig& figure, const std::vector<Summary>& summaries) {
  std::vector<std::string> values;
  for (const Summary& s : summaries) values.push_back(value_of(*s.runs.front(), figure.key));
  Axis axis;
  if (std::all_of(values.begin(), values.end(), [](const std::string& v) { return number_of(v).has_value(); })) {
    axis.low = std::numeric_limits<double>::infinity();
    axis.high = -axis.low;
    for (const std::string& v : values) {
      axis.low = std::min(axis.low, *number_of(v));
      axis.high = std::max(axis.high, *number_of(v));
    }
    return axis;
  }
  std::map<std::string, std::string> by_cell;
  for (const std::string& v : values) by_cell.emplace(value_cell(v), v);
  for (const std::string& v : figure.values)  // in the figure's order
    if (by_cell.erase(value_cell(v)) > 0) axis.values.push_back(v);
  std::vector<std::string> others;
  for (const auto& [cell, value] : by_cell) others.push_back(value);
  std::sort(others.begin(), others.end(), natural_less);
  axis.values.insert(axis.values.end(), others.begin(), others.end());
  return axis;
}

// The settings and the drawing of a plot of success, or of the return, against the figure's key.
void draw_curves(const FigureConfig& figure, const std::vector<std::string>& labels, const Axis& axis, bool returns,
                 Plot& plot) {
  plot.settings = fmt::format("set xlabel {}\nset ylabel '{}'\n{}",
                              gnuplot_string(figure.x_label.empty() ? figure.key : figure.x_label),
                              returns ? "mean return" : "success rate", returns ? "" : "set yrange [-0.04:1.08]\n");
  plot.settings += "set style fill transparent solid 0.2 noborder\n";
  std::string x = "$2";
  if (!axis.values.empty()) {
    std::string tics, place;
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", gnuplot_string(axis.values[i]), i);
      place += fmt::format("s eq {} ? {} : ", gnuplot_string(value_cell(axis.values[i])), i);
    }
    plot.settings += fmt::format("set xtics ({})\nset xrange [-0.5:{}]\nplace(s) = {}NaN\n", tics,
                                 static_cast<double>(axis.values.size()) - 0.5, place);
    x = "place(strcol(2))";
  } else if (axis.logarithmic()) {
    plot.settings +=
        fmt::format("set logscale x\nset format x '%g'\nset xrange [{}:{}]\n", 0.8 * axis.low, 1.25 * axis.high);
  } else {
    plot.settings +=
        fmt::format("set xrange [{}:{}]\n", std::min(0.0, 1.02 * axis.low), std::max(0.0, 1.02 * axis.high));
  }
  bool limits = false;  // a limit lies on the axis
  if (axis.values.empty())
    for (std::size_t i = 0; i < figure.paper_limit.size() && i < labels.size(); ++i) {
      if (figure.paper_limit[i] < axis.low || figure.paper_limit[i] > 1.02 * axis.high) continue;
      limits = true;
      plot.settings +=
          fmt::format("set arrow from first {0}, graph 0 to first {0}, graph 0.96 nohead dt 2 lc rgb '{1}'\n",
                      figure.paper_limit[i], curve_style(i).color);
    }
  plot.drawing = "plot ";
  plot.key = labels;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string row = fmt::format("strcol(1) eq '{}'", figure.experiments[i]);
    const std::string title = gnuplot_string(labels[i]);
    if (!axis.values.empty()) {  // side by side
      const double aside = 0.12 * (static_cast<double>(i) - (static_cast<double>(labels.size()) - 1) / 2);
      const std::string data = fmt::format("'{}.csv' every ::1 using ({} ? {}+{} : NaN)", plot.name, row, x, aside);
      plot.drawing += fmt::format(
          "{}:4:5:6 with yerrorbars ps 0 lw 1.5 lc rgb '{}' notitle, {}:4 with points ps 0.9 {} "
          "title {}, ",
          data, curve_style(i).color, data, line_style(i), title);
      continue;
    }
    const std::string data = fmt::format("'{}.csv' using ({} ? {} : NaN)", plot.name, row, x);
    plot.drawing += fmt::format("{}:5:6 with filledcurves lc rgb '{}' notitle, ", data, curve_style(i).color);
    // Earlier curves are wider, so that curves on top of each other are all seen.
    plot.drawing += fmt::format("{}:4 with linespoints ps 0.5 lw {} {} title {}, ", data,
                                1.5 + 1.2 * static_cast<double>(labels.size() - 1 - i), line_style(i), title);
  }
  if (!limits)
    plot.drawing += "NaN notitle\n";
  else
    plot.drawing += fmt::format("NaN with lines dt 2 lc rgb 'black' title {}\n",
                                gnuplot_string(plot.key.emplace_back("largest value solved in the paper")));
  plot.height = 420 + 18 * static_cast<int>(plot.key.size());
}

// A bar for each experiment, from above to below.
void draw_bars(const std::vector<std::string>& labels, bool returns, Plot& plot) {
  plot.rows = labels;
  plot.x_label = fmt::format("{}, with the 95 % interval", returns ? "mean return" : "success rate");
  plot.settings = fmt::format("{}set yrange [{}:0.6]\nset style fill solid 0.7 noborder\nunset key\n",
                              returns ? "" : "set xrange [0:1.04]\n", 0.4 - static_cast<double>(labels.size()));
  plot.drawing = fmt::format(
      "plot '{0}.csv' every ::1 using 4:(-$2):(0):4:(-$2-0.3):(-$2+0.3) with boxxyerror lc rgb '{1}', "
      "'' every ::1 using 4:(-$2):5:6 with xerrorbars pt 7 ps 0.5 lw 1.5 lc rgb 'black'\n",
      plot.name, curve_style(0).color);
  plot.height = 110 + 30 * static_cast<int>(labels.size());
}

}  // namespace

MeasuredFigure measured_figure(const FigureConfig& figure, const std::vector<Summary>& summaries,
                               const std::string& name) {
  MeasuredFigure m{.plot = {.name = name, .title = figure.title, .width = 820},
                   .csv = "experiment,x,seeds,success,low,high,steps\n",
                   .labels = figure.experiments,
                   .solved = {},
                   .largest = {}};
  const auto bound = [](double x) { return std::isnan(x) ? std::string() : fmt::format("{:.4f}", x); };
  const bool returns = std::any_of(summaries.begin(), summaries.end(),
                                   [](const Summary& s) { return s.runs.front()->measures_return(); });
  const Axis axis = figure.key.empty() ? Axis() : axis_of(figure, summaries);
  if (!figure.key.empty() && axis.values.empty() && !returns) m.solved.resize(figure.experiments.size());
  m.largest.resize(m.solved.size());
  for (std::size_t i = 0; i < figure.experiments.size(); ++i) {
    struct Point {
      double x;
      std::string cell;
      const Summary* summary;
    };
    std::vector<Point> points;
    for (const Summary& s : summaries) {
      if (s.experiment != figure.experiments[i]) continue;
      const std::string value = figure.key.empty() ? std::to_string(i) : value_of(*s.runs.front(), figure.key);
      points.push_back({figure.key.empty() ? static_cast<double>(i) : axis.place(value),
                        axis.values.empty() ? shortest(*number_of(value)) : value_cell(value), &s});
    }
    std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
    for (const auto& [x, cell, s] : points) {
      m.labels[i] = s->runs.front()->experiment.label;
      m.csv += fmt::format("{},{},{},{:.4f},{},{},{:.0f}\n", s->experiment, cell, s->runs.size(), s->value,
                           bound(s->low), bound(s->high), s->steps);
      if (m.solved.empty()) continue;
      m.solved[i] = reaches(s->value, 0.99) ? x : m.solved[i].value_or(0);
      m.largest[i] = std::max(m.largest[i], x);
    }
  }
  if (figure.key.empty())
    draw_bars(m.labels, returns, m.plot);
  else
    draw_curves(figure, m.labels, axis, returns, m.plot);
  return m;
}

std::vector<MeasuredFigure> learning_curves(const FigureConfig& figure, const std::vector<Summary>& summaries,
                                            const std::string& name) {
  const std::vector<EnvGroup> env_groups = env_groups_of(summaries);
  if (env_groups.size() != 1)
    throw UsageError(fmt::format("{}: its experiments are measured in {} ways; expected one environment and measure",
                                 figure.title, env_groups.size()));
  Panel panel;
  std::vector<const MethodRuns*> method_runs;
  for (const MethodRuns& m : env_groups.front().method_runs) {
    panel.methods.push_back(m.method);
    method_runs.push_back(&m);
  }
  std::vector<MeasuredFigure> list;
  for (const std::string& column : figure.measures) {
    const Measure& measure = find_measure(column);
    Figure f = measure_figure(measure, panel, method_runs, fmt::format("{}_{}", name, column), figure.title);
    if (f.plot.name.empty()) continue;  // nothing has measured it
    list.push_back({.plot = std::move(f.plot), .csv = std::move(f.csv), .labels = {}, .solved = {}, .largest = {}});
  }
  return list;
}

}  // namespace goalpost
