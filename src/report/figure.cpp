// Drawing the figures of papers.
#include "report/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include "core/check.h"
#include "core/config.h"
#include "report/collect.h"
#include "report/finished_run.h"
#include "report/method_runs.h"
#include "report/page_figures.h"
#include "report/statistics.h"
#include "run/experiment.h"
#include "storage/config_text.h"

namespace goalpost {
namespace {

double x_of(const FinishedRun& run, const std::string& key) {
  Experiment& e = const_cast<Experiment&>(run.experiment);  // visiting writes nothing here
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { e.visit(v); }))
    if (f.path == key) return std::stod(f.value);
  throw std::runtime_error(fmt::format("{} has no field {}", run.directory.string(), key));
}

// The settings and the drawing of a plot of success against the figure's key.
void draw_curves(const FigureConfig& figure, const std::vector<std::string>& labels, double x_max, Plot& plot) {
  plot.settings = fmt::format(
      "set xlabel {0}\nset ylabel 'success rate'\nset yrange [-0.04:1.08]\nset xrange [0:{1}]\nset key "
      "outside bottom center horizontal\nset style fill transparent solid 0.2 noborder\n",
      gnuplot_string(figure.x_label), 1.02 * x_max);
  for (std::size_t i = 0; i < figure.paper_limit.size() && i < labels.size(); ++i)
    plot.settings += fmt::format("set arrow from {0},-0.04 to {0},1.04 nohead dt 2 lc rgb '{1}'\n",
                                 figure.paper_limit[i], curve_style(i).color);
  plot.drawing = "plot ";
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string data =
        fmt::format("'{}.csv' using (strcol(1) eq '{}' ? $2 : NaN)", plot.name, figure.experiments[i]);
    plot.drawing += fmt::format("{}:5:6 with filledcurves lc rgb '{}' notitle, ", data, curve_style(i).color);
    // Earlier curves are wider, so that curves on top of each other are all seen.
    plot.drawing +=
        fmt::format("{}:4 with linespoints ps 0.5 lw {} {} title {}, ", data,
                    1.5 + 1.2 * static_cast<double>(labels.size() - 1 - i), line_style(i), gnuplot_string(labels[i]));
  }
  plot.drawing += "NaN with lines dt 2 lc rgb 'black' title 'largest value solved in the paper'\n";
}

// A bar for each experiment, from above to below.
void draw_bars(const std::vector<std::string>& labels, Plot& plot) {
  std::string tics;
  for (std::size_t i = 0; i < labels.size(); ++i)
    tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", gnuplot_string(labels[i]), -static_cast<int>(i));
  plot.settings = fmt::format(
      "set xlabel 'success rate, with the 95 % interval'\nset xrange [0:1.04]\nset yrange [{}:0.6]\n"
      "set ytics ({})\nset style fill solid 0.7 noborder\nunset key\n",
      0.4 - static_cast<double>(labels.size()), tics);
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
                   .solved = std::vector<std::optional<double>>(figure.experiments.size())};
  const auto bound = [](double x) { return std::isnan(x) ? std::string() : fmt::format("{:.4f}", x); };
  double x_max = 1;
  for (std::size_t i = 0; i < figure.experiments.size(); ++i) {
    std::vector<std::pair<double, const Summary*>> points;
    for (const Summary& s : summaries)
      if (s.experiment == figure.experiments[i])
        points.emplace_back(figure.key.empty() ? static_cast<double>(i) : x_of(*s.runs.front(), figure.key), &s);
    std::sort(points.begin(), points.end());
    for (const auto& [x, s] : points) {
      m.labels[i] = s->runs.front()->experiment.label;
      m.csv += fmt::format("{},{},{},{:.4f},{},{},{:.0f}\n", s->experiment, x, s->runs.size(), s->value, bound(s->low),
                           bound(s->high), s->steps);
      m.solved[i] = reaches(s->value, 0.99) ? x : m.solved[i].value_or(0);
      x_max = std::max(x_max, x);
    }
  }
  if (figure.key.empty())
    draw_bars(m.labels, m.plot);
  else
    draw_curves(figure, m.labels, x_max, m.plot);
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
    list.push_back({.plot = std::move(f.plot), .csv = std::move(f.csv), .labels = {}, .solved = {}});
  }
  return list;
}

}  // namespace goalpost
