// Drawing learning curves, final performance and comparisons.
#include "report/page_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>

#include "report/measured_run.h"
#include "report/statistics.h"
#include "storage/csv.h"

namespace goalpost {
namespace {

// Empty for NaN: gnuplot draws nothing there.
std::string csv_number(double value) { return std::isnan(value) ? "" : shortest(value); }

// A text that fits beside a figure.
std::string shortened(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t end = bytes;
  while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a character
  return text.substr(0, end) + "…";
}

// A file's name without separators and signs that a shell or a link would need quotes for.
std::string slug(const std::string& text) {
  std::string result = text.substr(0, 60);
  for (char& c : result)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.') c = '_';
  return result;
}

// A curve's place among the styles: the same in every figure of a panel.
std::size_t style_of(const Panel& panel, const std::string& method) {
  return static_cast<std::size_t>(std::find(panel.methods.begin(), panel.methods.end(), method) -
                                  panel.methods.begin());
}

std::set<double> expectations(const std::vector<const MethodRuns*>& method_runs) {
  std::set<double> values;
  for (const MethodRuns* m : method_runs)
    if (m->first().expected) values.insert(*m->first().expected);
  return values;
}

// What a figure of learning curves shows of each method.
struct LearningCurves {
  const char* label;
  bool rate;     // between 0 and 1
  bool counted;  // a rate in the episodes of an evaluation, whose number is known
  bool by_time;  // x is wall time, else environment steps
  std::vector<std::vector<Curve>> curves = {};
};

// A rate of one run has the interval of its evaluation's episodes, where they are independent.
bool has_wilson_interval(const MethodRuns& m, bool counted) { return counted && !m.summary->chained; }

// Low and high are NaN where one run has no interval.
std::vector<CurvePoint> curve_of(const MethodRuns& m, const std::vector<Curve>& seeds, bool counted) {
  std::vector<CurvePoint> points = interquartile_curve(seeds);
  if (seeds.size() > 1) return points;
  const int n = m.first().experiment.train.eval_episodes;
  for (CurvePoint& p : points) {
    const Interval i = has_wilson_interval(m, counted)
                           ? wilson_interval(std::llround(std::clamp(p.value, 0.0, 1.0) * n), n)
                           : Interval{std::nan(""), std::nan("")};
    p.low = i.low;
    p.high = i.high;
  }
  return points;
}

struct Unit {
  double size;
  const char* name;
};
Unit time_unit(double longest) {
  if (longest < 600) return {1, "s"};
  if (longest < 3 * 3600) return {60, "min"};
  return {3600, "h"};
}
Unit step_unit(double longest) {
  if (longest < 10'000) return {1, ""};
  if (longest < 1e6) return {1e3, " [thousand]"};
  return {1e6, " [million]"};
}

// Axes of a learning curve. Where the shortest run is a small part of the longest, x is logarithmic.
struct LearningAxes {
  std::string settings;
  double scale;  // of x
  bool logarithmic;
};
LearningAxes learning_axes(const LearningCurves& drawn) {
  double longest = 0, shortest = std::numeric_limits<double>::infinity();
  for (const std::vector<Curve>& seeds : drawn.curves)
    for (const Curve& c : seeds) {
      longest = std::max(longest, c.x.back());
      shortest = std::min(shortest, c.x.back());
    }
  if (longest == 0) longest = 1;  // there is only the evaluation before training
  const bool logarithmic = shortest > 0 && longest > 12 * shortest;
  const Unit unit = drawn.by_time ? time_unit(longest) : step_unit(longest);
  std::string text = fmt::format("set ylabel '{}'\n", drawn.label);
  text += drawn.by_time ? fmt::format("set xlabel 'wall time [{}]'\n", unit.name)
                        : fmt::format("set xlabel 'environment steps{}'\n", unit.name);
  text +=
      logarithmic ? std::string("set logscale x\n") : fmt::format("set xrange [0:{}]\n", 1.02 * longest / unit.size);
  if (drawn.rate) text += "set yrange [-0.03:1.05]\n";
  return {text, unit.size, logarithmic};
}

// Learning curves stand side by side.
constexpr int kCurveWidth = 520;
int curve_height(std::size_t key_lines) { return 300 + 18 * static_cast<int>(key_lines); }

// Adds lines of expected values to a drawing.
void draw_expected(const std::set<double>& values, Plot& plot) {
  for (const double v : values) {
    plot.key.push_back(fmt::format("expected: at least {}", v));
    plot.drawing +=
        fmt::format(", {} with lines dt (2,3) lw 1.3 lc rgb 'black' title {}", v, gnuplot_string(plot.key.back()));
  }
}

std::string key_title(const MethodRuns& m, std::size_t seeds) {
  return fmt::format("{} ({})", shortened(m.label, 70), plural(seeds, "seed"));
}

Figure curves_figure(const LearningCurves& drawn, const std::string& name, const std::string& title, const Panel& panel,
                     const std::vector<const MethodRuns*>& method_runs, const std::set<double>& expected) {
  Figure f;
  const LearningAxes axes = learning_axes(drawn);
  f.plot.settings = axes.settings;
  f.csv = fmt::format("method,{},value,low,high,seeds,ended\n", drawn.by_time ? "seconds" : "steps");
  f.plot.name = slug(name);
  f.plot.title = shortened(title, 70);
  std::string bands, lines;
  bool carried = false, wilson = false, none = false;  // of single seeds: whose interval is Wilson's, or unknown
  const auto bound = [](double x) { return std::isnan(x) ? std::string() : fmt::format("{:.6g}", x); };
  for (std::size_t i = 0; i < method_runs.size(); ++i) {
    const MethodRuns* m = method_runs[i];
    const std::size_t seeds = drawn.curves[i].size();
    if (seeds == 1) (has_wilson_interval(*m, drawn.counted) ? wilson : none) = true;
    const std::vector<CurvePoint> points = curve_of(*m, drawn.curves[i], drawn.counted);
    carried |= points.back().ended > 0;
    std::size_t measured = 0;
    for (const CurvePoint& p : points) {
      f.csv += fmt::format("{},{},{:.6g},{},{},{},{}\n", csv_cell(m->method), shortest(p.x), p.value, bound(p.low),
                           bound(p.high), seeds, p.ended);
      measured += p.ended == 0 ? 1 : 0;
    }
    const std::size_t style = style_of(panel, m->method);
    const auto where = [&](const char* condition) {
      return fmt::format("'{}.csv' using (strcol(1) eq {}{}{} ? $2/{} : NaN)", f.plot.name,
                         gnuplot_string(csv_cell(m->method)), axes.logarithmic ? " && $2 > 0" : "", condition,
                         axes.scale);
    };
    const std::string data = where(""), whole = where(" && $7 == 0");
    bands += fmt::format("{}{}:4:5 with filledcurves fs transparent solid 0.18 noborder lc rgb '{}' notitle",
                         bands.empty() ? "" : ", ", data, curve_style(style).color);
    lines += fmt::format(", {}:3 with lines lw 1 {} notitle", data,
                         fmt::format("lc rgb '{}' dt {}", curve_style(style).color, curve_style(style).dash));
    lines += fmt::format(", {}:3 with linespoints lw 2.4 ps 0.7 pi {} {} title {}", whole,
                         std::max<std::size_t>(1, measured / 10), line_style(style),
                         gnuplot_string(f.plot.key.emplace_back(key_title(*m, seeds))));
  }
  f.plot.drawing = "plot " + bands + lines;
  draw_expected(expected, f.plot);
  f.plot.drawing += "\n";
  f.plot.width = kCurveWidth;
  f.plot.height = curve_height(f.plot.key.size() + (title.empty() ? 0 : 1));
  f.caption =
      fmt::format("Interquartile mean over seeds{}, band: 95 % bootstrap interval{}{}.{}",
                  drawn.by_time ? ", against wall time" : "",
                  wilson && none ? " (for a single seed: Wilson's, of its episodes, but none of chains of sub-tasks)"
                  : wilson       ? " (for a single seed: Wilson's, of its episodes)"
                  : none         ? " (none for a single seed)"
                                 : "",
                  carried ? "; thin: some seeds have ended, their last values are carried forward" : "",
                  axes.logarithmic ? " The evaluation before training, at 0, is left of the logarithmic axis." : "");
  return f;
}

}  // namespace

std::string csv_cell(std::string text) {
  for (char& c : text) {
    if (c == ',') c = ';';
    if (c == '"') c = '\'';
    if (std::iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return text;
}

std::string plural(std::size_t n, std::string_view what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

Figure learning_figure(const EnvGroup& env_group, const Panel& panel, const std::vector<const MethodRuns*>& method_runs,
                       const std::string& title, bool by_time) {
  LearningCurves drawn{
      .label = env_group.measure(), .rate = !env_group.returns, .counted = !env_group.returns, .by_time = by_time};
  for (const MethodRuns* m : method_runs) drawn.curves.push_back(by_time ? m->by_time : m->by_step);
  return curves_figure(drawn, fmt::format("{}_{}", by_time ? "time" : "steps", title), title, panel, method_runs,
                       expectations(method_runs));
}

Figure measure_figure(const Measure& measure, const Panel& panel, const std::vector<const MethodRuns*>& method_runs,
                      const std::string& name, const std::string& title) {
  LearningCurves drawn{.label = measure.label,
                       .rate = measure.rate,
                       .counted = measure.rate && measure.training == nullptr,
                       .by_time = false};
  std::vector<const MethodRuns*> measured;
  for (const MethodRuns* m : method_runs)
    if (std::vector<Curve> seeds = curves_of(*m, measure); !seeds.empty()) {
      measured.push_back(m);
      drawn.curves.push_back(std::move(seeds));
    }
  if (measured.empty()) return {};
  return curves_figure(drawn, name, title, panel, measured, {});
}

Figure seeds_figure(const EnvGroup& env_group, const Panel& panel, const std::vector<const MethodRuns*>& method_runs,
                    const std::string& title) {
  Figure f;
  LearningCurves drawn{
      .label = env_group.measure(), .rate = !env_group.returns, .counted = !env_group.returns, .by_time = false};
  for (const MethodRuns* m : method_runs) drawn.curves.push_back(m->by_step);
  const LearningAxes axes = learning_axes(drawn);
  f.plot.settings = axes.settings;
  f.plot.name = slug("seeds_" + title);
  f.plot.title = shortened(title, 70);
  f.csv = "method,seed,steps,seconds,value,last\n";
  std::string lines;
  for (const MethodRuns* m : method_runs) {
    const std::size_t style = style_of(panel, m->method);
    for (std::size_t i = 0; i < m->seeds(); ++i) {
      const std::int64_t seed = m->summary->runs[i]->result.seed;
      const Curve &steps = m->by_step[i], &seconds = m->by_time[i];
      for (std::size_t k = 0; k < steps.x.size(); ++k)
        f.csv += fmt::format("{},{},{},{},{},{}\n", csv_cell(m->method), seed, shortest(steps.x[k]),
                             shortest(seconds.x[k]), shortest(steps.y[k]), k + 1 == steps.x.size() ? 1 : 0);
      const std::string data =
          fmt::format("'{}.csv' using (strcol(1) eq {} && $2 == {}{}", f.plot.name, gnuplot_string(csv_cell(m->method)),
                      seed, axes.logarithmic ? " && $3 > 0" : "");
      lines += fmt::format("{}{} ? $3/{} : NaN):5 with lines lw 1 lc rgb '{}' dt {} notitle", lines.empty() ? "" : ", ",
                           data, axes.scale, curve_style(style).color, curve_style(style).dash);
      lines += fmt::format(", {} && $6 == 1 ? $3/{} : NaN):5 with points ps 0.9 pt {} lc rgb '{}' notitle", data,
                           axes.scale, curve_style(style).point, curve_style(style).color);
    }
    lines += fmt::format(", NaN with linespoints lw 1 ps 0.9 {} title {}", line_style(style),
                         gnuplot_string(f.plot.key.emplace_back(key_title(*m, m->seeds()))));
  }
  f.plot.drawing = "plot " + lines;
  draw_expected(expectations(method_runs), f.plot);
  f.plot.drawing += "\n";
  f.plot.width = kCurveWidth;
  f.plot.height = curve_height(f.plot.key.size() + (title.empty() ? 0 : 1));
  f.caption = "Every seed's evaluations, with a mark where its training ended.";
  return f;
}

Figure final_figure(const EnvGroup& env_group, const Panel& panel, const std::string& name) {
  Figure f;
  f.plot.name = slug("final_" + name);
  f.plot.width = 900;
  f.csv = "row,task,method,seed,value,low,high,expected\n";
  int row = 0;
  bool expected = false;
  for (const std::string& task : env_group.tasks) {
    for (const MethodRuns* m : shown(env_group, panel, task)) {
      if (!m->finished()) continue;
      const std::string head = fmt::format("{},{},{}", row, csv_cell(task), csv_cell(m->method));
      const auto& runs = m->summary->runs;
      for (const MeasuredRun* run : runs)
        f.csv += fmt::format("{},{},{},,,\n", head, run->result.seed, shortest(run->measured()));
      f.csv += fmt::format("{},IQM,{},{},{},{}\n", head, shortest(m->summary->value), csv_number(m->summary->low),
                           csv_number(m->summary->high), m->first().expected ? shortest(*m->first().expected) : "");
      expected |= m->first().expected.has_value();
      f.plot.rows.push_back(fmt::format("{}{}{} ({})", shortened(task, 36), task.empty() ? "" : " · ",
                                        shortened(m->label, 56), plural(runs.size(), "seed")));
      ++row;
    }
  }
  f.plot.settings = fmt::format(
      "set yrange [{}:0.7]\nset grid noytics\n"
      "set bmargin 6\nset key at screen 0.01, screen 0.01 left bottom horizontal maxrows 1 Left reverse width -6\n",
      0.3 - row);
  f.plot.x_label = fmt::format("{} of the final evaluation", env_group.measure());
  f.plot.key = {"each seed", "interquartile mean, 95 % interval"};
  if (expected) f.plot.key.emplace_back("expected: at least");
  f.plot.settings += env_group.returns ? "set offsets graph 0.03, graph 0.03, 0, 0\n" : "set xrange [-0.02:1.02]\n";
  f.plot.drawing = fmt::format(
      "plot '{0}.csv' every ::1 using (strcol(4) eq 'IQM' ? NaN : $5):(-$1+0.22) with points pt 6 ps 0.9 lc rgb '{1}' "
      "title 'each seed', '{0}.csv' every ::1 using (strcol(4) eq 'IQM' ? $5 : NaN):(-$1-0.1) with points pt 7 ps 0.9 "
      "lc rgb '{2}' notitle, '{0}.csv' every ::1 using (strcol(4) eq 'IQM' ? $5 : NaN):(-$1-0.1):6:7 with xerrorbars "
      "pt 7 "
      "ps 0.9 lw 2 lc rgb '{2}' title 'interquartile mean, 95 % interval'",
      f.plot.name, curve_style(1).color, curve_style(0).color);
  if (expected)
    f.plot.drawing += fmt::format(
        ", '{0}.csv' every ::1 using (strcol(4) eq 'IQM' && strlen(strcol(8)) > 0 ? $8 : NaN):(-$1-0.42):(0):(0.84) "
        "with vectors nohead lw 1.6 dt (3,2) lc rgb 'black' title 'expected: at least'",
        f.plot.name);
  f.plot.drawing += "\n";
  f.plot.height = 130 + 26 * row;
  f.caption = "The final evaluation: new episodes after training, without exploration.";
  return row > 0 ? f : Figure{};
}

Figure improvement_figure(const std::vector<Comparison>& comparisons, const std::string& name) {
  Figure f;
  f.plot.name = slug("improvement_" + name);
  f.plot.width = 900;
  f.csv = "row,x,y,tasks,runs_x,runs_y,probability,low,high\n";
  for (std::size_t row = 0; row < comparisons.size(); ++row) {
    const Comparison& c = comparisons[row];
    f.csv += fmt::format("{},{},{},{},{},{},{:.6g},{:.6g},{:.6g}\n", row, csv_cell(c.x), csv_cell(c.y), c.tasks,
                         c.runs_x, c.runs_y, c.probability, c.interval.low, c.interval.high);
    f.plot.rows.push_back(fmt::format("{}  over  {}", shortened(c.x, 90), shortened(c.y, 90)));
  }
  f.plot.settings = fmt::format(
      "set xrange [-0.02:1.02]\nset yrange [{0}:0.6]\nset grid noytics\nunset key\n"
      "set arrow from 0.5,{0} to 0.5,0.6 nohead dt 2 lc rgb 'black'\n",
      0.4 - static_cast<double>(comparisons.size()));
  f.plot.x_label = "probability of improvement";
  f.plot.drawing =
      fmt::format("plot '{}.csv' every ::1 using 7:(-$1):8:9 with xerrorbars pt 7 ps 0.9 lw 2 lc rgb '{}'\n",
                  f.plot.name, curve_style(0).color);
  f.plot.height = 90 + 26 * static_cast<int>(comparisons.size());
  f.caption =
      "P(X &gt; Y) + P(X = Y)/2 over all pairs of runs (Mann–Whitney), averaged over the tasks that both were run on "
      "with "
      "several seeds; bar: 95 % stratified bootstrap interval. At 0.5 (the line) there is no difference.";
  return f;
}

}  // namespace goalpost
