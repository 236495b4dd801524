#include "run/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "run/figure.h"
#include "run/plot.h"
#include "run/progress.h"
#include "run/statistics.h"
#include "storage/csv.h"
#include "storage/file.h"

namespace goalpost {
namespace {

constexpr char kGenerator[] = "<meta name=\"generator\" content=\"goalpost report\">";
constexpr std::size_t kCurvesPerFigure = 6;

// The runs of one method on one task: a curve.
struct Group {
  const Summary* summary;
  std::string task;    // what its environment has that others of the family have not, "bits=50"; may be empty
  std::string method;  // the experiment, and what is changed in it: one curve in every figure
  std::string label;   // the same for readers, in figures
  bool changed;        // the method differs from its experiment's file
  std::vector<Curve> by_step, by_time;

  const FinishedRun& first() const { return *summary->runs.front(); }
  std::size_t seeds() const { return summary->runs.size(); }
  std::vector<double> values() const {
    std::vector<double> v;
    for (const FinishedRun* run : summary->runs) v.push_back(run->measured());
    return v;
  }
};

// All that is measured alike in one environment.
struct Family {
  std::string env;
  bool returns;                // the measure is the return, else success
  std::vector<Change> common;  // what all runs have otherwise than their experiments' files
  std::vector<Group> groups;
  std::vector<std::string> tasks;  // in the order of their first appearance

  const char* measure() const { return returns ? "mean return" : "success rate"; }
};

// Curves that share figures, the first of which may be there to compare with.
struct Chunk {
  std::string title;
  std::vector<std::string> methods;
};

struct Figure {
  Plot plot;
  std::string csv, caption;
};

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

std::string data_link(std::string_view text) {
  std::string result = "data:text/csv;charset=utf-8,";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '.' || c == '-' || c == '_' || c == ',')
      result += c;
    else
      result += fmt::format("%{:02X}", byte);
  }
  return result;
}

// Cells have no quotes, and so no commas.
std::string csv_cell(std::string text) {
  std::replace(text.begin(), text.end(), ',', ';');
  return text;
}

// 1,800,000
std::string thousands(double count) {
  const std::string digits = fmt::format("{:.0f}", count);
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') result += ',';
    result += digits[i];
  }
  return result;
}

std::string number(const Family& family, double value) { return fmt::format("{:.{}f}", value, family.returns ? 2 : 3); }

std::string plural(std::size_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

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

using Fields = std::map<std::string, std::string>;

// The settings of an experiment that may affect a result.
Fields fields_of(const Experiment& experiment) {
  Experiment& e = const_cast<Experiment&>(experiment);  // visiting writes nothing here
  Fields fields;
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { e.visit(v); }))
    if (affects_results(f.path)) fields[f.path] = f.value;
  return fields;
}

bool same(const Change& a, const Change& b) { return a.path == b.path && a.value == b.value; }

// Whether a setting lies along the x axis of a figure: its values are tasks, not changes of a method.
bool on_axis(const Change& c) {
  static const std::set<std::string> keys = [] {
    std::set<std::string> all;
    for (const std::string& name : figure_names()) all.insert(load_figure(name).key);
    return all;
  }();
  return c.axis || keys.contains(c.path);
}

// The changes by which a method differs from its experiment: neither places on an axis, nor common to the whole family.
std::vector<Change> changes_of_method(const FinishedRun& run, const std::vector<Change>& common) {
  std::vector<Change> changes;
  for (const Change& c : run.changes)
    if (!on_axis(c) && std::none_of(common.begin(), common.end(), [&](const Change& other) { return same(c, other); }))
      changes.push_back(c);
  return changes;
}

// The fields of a run with those changes taken back.
Fields fields_without_changes(const FinishedRun& run, const std::vector<Change>& common) {
  Fields fields = fields_of(run.experiment);
  const std::vector<Change> changes = changes_of_method(run, common);
  if (changes.empty()) return fields;
  Fields plain = fields_of(make_experiment(load_experiment(run.experiment.name)));
  for (const Change& c : changes) fields[c.path] = plain[c.path];
  return fields;
}

bool part_of_task(const std::string& path) {
  return (path.starts_with("env.") && path != "env.name") || path == "train.eval_env";
}

// The evaluations of every run. @throws UsageError
void read_curves(Group& group, bool returns) {
  for (const FinishedRun* run : group.summary->runs) {
    try {
      const CsvTable table = read_csv(run->curve);
      const std::vector<double>& y = table.column(returns ? "return" : "success");
      group.by_step.push_back({table.column("step"), y});
      group.by_time.push_back({table.column("wall_seconds"), y});
    } catch (const std::runtime_error& e) {
      throw UsageError(e.what());
    }
    const Curve& steps = group.by_step.back();
    if (steps.x.empty()) throw UsageError(fmt::format("{} holds no evaluation", run->curve.string()));
    const auto numbers = [](const std::vector<double>& v) {
      return std::none_of(v.begin(), v.end(), [](double x) { return std::isnan(x); });
    };
    if (!numbers(steps.x) || !numbers(steps.y) || !numbers(group.by_time.back().x))
      throw UsageError(fmt::format("{}: a number of an evaluation is missing", run->curve.string()));
  }
}

Group group_of(const Summary& summary, const Family& family) {
  const FinishedRun& first = *summary.runs.front();
  std::string changes, label;
  for (const Change& c : changes_of_method(first, family.common)) {
    const char* comma = changes.empty() ? "" : ", ";
    changes += fmt::format("{}{}={}", comma, c.path, c.value);
    label += fmt::format("{}{}={}", comma, c.path.substr(c.path.find('.') + 1), c.value);  // without "agent."
  }
  if (label.empty()) label = first.experiment.label.empty() ? summary.experiment : first.experiment.label;
  Group group{.summary = &summary,
              .task = "",
              .method = changes.empty() ? summary.experiment : fmt::format("{} {}", summary.experiment, changes),
              .label = label,
              .changed = !changes.empty(),
              .by_step = {},
              .by_time = {}};
  read_curves(group, family.returns);
  return group;
}

// Names the tasks by those settings in which they differ from the usual one, and by their place on an axis.
void name_tasks(Family& family) {
  std::vector<Fields> settings;                              // of every group
  std::map<std::string, std::map<std::string, int>> values;  // by path, how often each
  for (const Group& g : family.groups) {
    settings.push_back(fields_without_changes(g.first(), family.common));
    for (const auto& [path, value] : settings.back())
      if (part_of_task(path)) ++values[path][value];
  }
  for (std::size_t i = 0; i < family.groups.size(); ++i) {
    std::string& task = family.groups[i].task;
    for (const auto& [path, counts] : values) {
      if (counts.size() < 2) continue;
      const auto usual = std::max_element(counts.begin(), counts.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; });
      const std::string& value = settings[i][path];
      if (value != usual->first || on_axis({path, value, false}))
        task += fmt::format("{}{}={}", task.empty() ? "" : ", ", path.substr(path.find('.') + 1), value);
    }
    if (std::find(family.tasks.begin(), family.tasks.end(), task) == family.tasks.end()) family.tasks.push_back(task);
  }
}

// Labels that several experiments have get the experiment's name.
void tell_labels_apart(Family& family) {
  std::map<std::string, std::set<std::string>> experiments;
  for (const Group& g : family.groups)
    if (!g.changed) experiments[g.label].insert(g.summary->experiment);
  for (Group& g : family.groups)
    if (!g.changed && experiments[g.label].size() > 1) g.label += fmt::format(" ({})", g.summary->experiment);
}

std::vector<Family> families_of(const std::vector<Summary>& summaries) {
  std::vector<Family> families;
  std::vector<std::vector<const Summary*>> members;
  for (const Summary& s : summaries) {
    const FinishedRun& first = *s.runs.front();
    std::size_t i = 0;
    while (i < families.size() &&
           (families[i].env != first.experiment.env_name || families[i].returns != first.measures_return()))
      ++i;
    if (i == families.size()) {
      families.push_back({first.experiment.env_name, first.measures_return(), {}, {}, {}});
      for (const Change& c : first.changes)
        if (!on_axis(c)) families.back().common.push_back(c);
      members.emplace_back();
    }
    members[i].push_back(&s);
    std::erase_if(families[i].common, [&](const Change& c) {
      return std::none_of(first.changes.begin(), first.changes.end(),
                          [&](const Change& other) { return same(c, other); });
    });
  }
  for (std::size_t i = 0; i < families.size(); ++i) {
    for (const Summary* s : members[i]) families[i].groups.push_back(group_of(*s, families[i]));
    name_tasks(families[i]);
    tell_labels_apart(families[i]);
  }
  return families;
}

// The experiments as they are, then for each what was changed in it, beside it.
std::vector<Chunk> chunks_of(const Family& family) {
  std::vector<std::string> plain;
  std::vector<std::pair<std::string, std::vector<std::string>>> changed;  // by experiment
  const auto add = [](std::vector<std::string>& list, const std::string& name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
  };
  for (const Group& g : family.groups) {
    if (!g.changed) {
      add(plain, g.method);
      continue;
    }
    if (changed.empty() || changed.back().first != g.summary->experiment)
      changed.push_back({g.summary->experiment, {}});
    add(changed.back().second, g.method);
  }
  const auto task_of = [&](const std::string& method) {  // the first: what is measured on one task stands together
    const auto of =
        std::find_if(family.groups.begin(), family.groups.end(), [&](const Group& g) { return g.method == method; });
    return std::find(family.tasks.begin(), family.tasks.end(), of->task) - family.tasks.begin();
  };
  std::stable_sort(plain.begin(), plain.end(),
                   [&](const std::string& a, const std::string& b) { return task_of(a) < task_of(b); });
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < plain.size(); i += kCurvesPerFigure)
    chunks.push_back({"",
                      {plain.begin() + static_cast<std::ptrdiff_t>(i),
                       plain.begin() + static_cast<std::ptrdiff_t>(std::min(i + kCurvesPerFigure, plain.size()))}});
  for (const auto& [experiment, methods] : changed) {
    for (std::size_t i = 0; i < methods.size(); i += kCurvesPerFigure - 1) {
      Chunk chunk{fmt::format("{} with changes", experiment), {}};
      if (std::find(plain.begin(), plain.end(), experiment) != plain.end()) chunk.methods.push_back(experiment);
      for (std::size_t k = i; k < std::min(i + kCurvesPerFigure - 1, methods.size()); ++k)
        chunk.methods.push_back(methods[k]);
      chunks.push_back(std::move(chunk));
    }
  }
  return chunks;
}

bool many_seeds(const Family& family) {
  return std::any_of(family.groups.begin(), family.groups.end(), [](const Group& g) { return g.seeds() > 1; });
}

// The groups of a chunk on a task, in the chunk's order. Where settings were run with several seeds, those with a
// single one are left to the tables: they are points of a figure, and no measurement of their own.
std::vector<const Group*> shown(const Family& family, const Chunk& chunk, const std::string& task) {
  std::vector<const Group*> groups;
  bool new_here = false;  // more than what is there to compare with
  for (const std::string& method : chunk.methods)
    for (const Group& g : family.groups)
      if (g.method == method && g.task == task && (g.seeds() > 1 || !many_seeds(family))) {
        groups.push_back(&g);
        new_here |= chunk.title.empty() || g.changed;
      }
  return new_here ? groups : std::vector<const Group*>();
}

// A curve's place among the styles: the same in every figure of a chunk.
std::size_t style_of(const Chunk& chunk, const std::string& method) {
  return static_cast<std::size_t>(std::find(chunk.methods.begin(), chunk.methods.end(), method) -
                                  chunk.methods.begin());
}

std::set<double> expectations(const std::vector<const Group*>& groups) {
  std::set<double> values;
  for (const Group* g : groups)
    if (g->first().expected) values.insert(*g->first().expected);
  return values;
}

// A curve of one run has the interval of its evaluation's episodes, if that is known.
std::vector<CurvePoint> curve_of(const Group& group, bool by_time, bool returns) {
  std::vector<CurvePoint> points = interquartile_curve(by_time ? group.by_time : group.by_step);
  const int n = group.first().experiment.train.eval_episodes;
  if (group.seeds() == 1 && !returns)
    for (CurvePoint& p : points) {
      const Interval i = wilson_interval(std::llround(std::clamp(p.value, 0.0, 1.0) * n), n);
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
LearningAxes learning_axes(const Family& family, const std::vector<const Group*>& groups, bool by_time) {
  double longest = 0, shortest = std::numeric_limits<double>::infinity();
  for (const Group* g : groups)
    for (const Curve& c : by_time ? g->by_time : g->by_step) {
      longest = std::max(longest, c.x.back());
      shortest = std::min(shortest, c.x.back());
    }
  if (longest == 0) longest = 1;  // there is only the evaluation before training
  const bool logarithmic = shortest > 0 && longest > 12 * shortest;
  const Unit unit = by_time ? time_unit(longest) : step_unit(longest);
  std::string text =
      fmt::format("set ylabel '{}'\nset key bmargin left vertical maxcols 1 Left reverse\n", family.measure());
  text += by_time ? fmt::format("set xlabel 'wall time [{}]' offset 0,0.5\n", unit.name)
                  : fmt::format("set xlabel 'environment steps{}' offset 0,0.5\n", unit.name);
  text +=
      logarithmic ? std::string("set logscale x\n") : fmt::format("set xrange [0:{}]\n", 1.02 * longest / unit.size);
  if (!family.returns) text += "set yrange [-0.03:1.05]\n";
  return {text, unit.size, logarithmic};
}

// Learning curves stand side by side.
constexpr int kCurveWidth = 520;
int curve_height(std::size_t key_lines) { return 300 + 18 * static_cast<int>(key_lines); }

std::string expected_lines(const std::set<double>& values) {
  std::string text;
  for (const double v : values)
    text += fmt::format(
        ", {0} with lines dt (2,3) lw 1.3 lc rgb 'black' title 'expected by the experiment: at least {0}'", v);
  return text;
}

// What a reader must know about seeds that ended early or were evaluated at other steps.
std::string carried_note(const std::vector<const Group*>& groups) {
  std::string text;
  for (const Group* g : groups) {
    double first = std::numeric_limits<double>::infinity(), last = 0;
    bool same_steps = true;
    for (const Curve& c : g->by_step) {
      first = std::min(first, c.x.back());
      last = std::max(last, c.x.back());
      const std::size_t common = std::min(c.x.size(), g->by_step.front().x.size());
      same_steps = same_steps && std::equal(c.x.begin(), c.x.begin() + static_cast<std::ptrdiff_t>(common),
                                            g->by_step.front().x.begin());
    }
    const auto stopped =
        static_cast<std::size_t>(std::count_if(g->summary->runs.begin(), g->summary->runs.end(),
                                               [](const FinishedRun* run) { return run->result.end == "success"; }));
    if (stopped == 0 && first == last && same_steps) continue;
    text += fmt::format("<li>{}: ", escaped(g->label));
    if (stopped > 0)
      text += fmt::format("{} of {} ended early at train.stop_success", stopped, plural(g->seeds(), "seed"));
    if (first != last)
      text += fmt::format("{}last evaluations at {} to {} steps, carried forward until the last one",
                          stopped > 0 ? ", " : "", thousands(first), thousands(last));
    if (!same_steps)
      text += fmt::format("{}evaluated at different steps, the last value holds until the next",
                          stopped > 0 || first != last ? "; " : "");
    text += "</li>";
  }
  return text;
}

Figure learning_figure(const Family& family, const Chunk& chunk, const std::vector<const Group*>& groups,
                       const std::string& title, bool by_time) {
  Figure f;
  const LearningAxes axes = learning_axes(family, groups, by_time);
  f.plot.settings = axes.settings;
  f.csv = fmt::format("method,{},value,low,high,seeds,ended\n", by_time ? "seconds" : "steps");
  f.plot.name = slug(fmt::format("{}_{}", by_time ? "time" : "steps", title));
  f.plot.title = shortened(title, 70);
  std::string bands, lines;
  bool carried = false;
  for (const Group* g : groups) {
    const std::vector<CurvePoint> points = curve_of(*g, by_time, family.returns);
    carried |= points.back().ended > 0;
    std::size_t measured = 0;
    for (const CurvePoint& p : points) {
      f.csv += fmt::format("{},{},{:.6g},{:.6g},{:.6g},{},{}\n", csv_cell(g->method), shortest(p.x), p.value, p.low,
                           p.high, g->seeds(), p.ended);
      measured += p.ended == 0 ? 1 : 0;
    }
    const std::size_t style = style_of(chunk, g->method);
    const auto where = [&](const char* condition) {
      return fmt::format("'{}.csv' using (strcol(1) eq {}{}{} ? $2/{} : NaN)", f.plot.name,
                         gnuplot_string(csv_cell(g->method)), axes.logarithmic ? " && $2 > 0" : "", condition,
                         axes.scale);
    };
    const std::string data = where(""), whole = where(" && $7 == 0");
    bands += fmt::format("{}{}:4:5 with filledcurves fs transparent solid 0.18 noborder lc rgb '{}' notitle",
                         bands.empty() ? "" : ", ", data, curve_style(style).colour);
    lines += fmt::format(", {}:3 with lines lw 1 {} notitle", data,
                         fmt::format("lc rgb '{}' dt {}", curve_style(style).colour, curve_style(style).dash));
    lines += fmt::format(", {}:3 with linespoints lw 2.4 ps 0.7 pi {} {} title {}", whole,
                         std::max<std::size_t>(1, measured / 10), line_style(style),
                         gnuplot_string(fmt::format("{} ({})", shortened(g->label, 70), plural(g->seeds(), "seed"))));
  }
  const std::set<double> expected = expectations(groups);
  f.plot.drawing = "plot " + bands + lines + expected_lines(expected) + "\n";
  f.plot.width = kCurveWidth;
  f.plot.height = curve_height(groups.size() + expected.size() + (title.empty() ? 0 : 1));
  const bool single = std::any_of(groups.begin(), groups.end(), [](const Group* g) { return g->seeds() == 1; });
  f.caption = fmt::format(
      "Interquartile mean over seeds{}, band: 95 % bootstrap interval{}{}.{}", by_time ? ", against wall time" : "",
      !single          ? ""
      : family.returns ? " (none for a single seed)"
                       : " (for a single seed: Wilson's, of its episodes)",
      carried ? "; thin: some seeds have ended, their last values are carried forward" : "",
      axes.logarithmic ? " The evaluation before training, at 0, is left of the logarithmic axis." : "");
  return f;
}

Figure seeds_figure(const Family& family, const Chunk& chunk, const std::vector<const Group*>& groups,
                    const std::string& title) {
  Figure f;
  const LearningAxes axes = learning_axes(family, groups, false);
  f.plot.settings = axes.settings;
  f.plot.name = slug("seeds_" + title);
  f.plot.title = shortened(title, 70);
  f.csv = "method,seed,steps,seconds,value,last\n";
  std::string lines;
  for (const Group* g : groups) {
    const std::size_t style = style_of(chunk, g->method);
    for (std::size_t i = 0; i < g->seeds(); ++i) {
      const std::int64_t seed = g->summary->runs[i]->result.seed;
      const Curve &steps = g->by_step[i], &seconds = g->by_time[i];
      for (std::size_t k = 0; k < steps.x.size(); ++k)
        f.csv += fmt::format("{},{},{},{},{},{}\n", csv_cell(g->method), seed, shortest(steps.x[k]),
                             shortest(seconds.x[k]), shortest(steps.y[k]), k + 1 == steps.x.size() ? 1 : 0);
      const std::string data =
          fmt::format("'{}.csv' using (strcol(1) eq {} && $2 == {}{}", f.plot.name, gnuplot_string(csv_cell(g->method)),
                      seed, axes.logarithmic ? " && $3 > 0" : "");
      lines += fmt::format("{}{} ? $3/{} : NaN):5 with lines lw 1 lc rgb '{}' dt {} notitle", lines.empty() ? "" : ", ",
                           data, axes.scale, curve_style(style).colour, curve_style(style).dash);
      lines += fmt::format(", {} && $6 == 1 ? $3/{} : NaN):5 with points ps 0.9 pt {} lc rgb '{}' notitle", data,
                           axes.scale, curve_style(style).point, curve_style(style).colour);
    }
    lines += fmt::format(", NaN with linespoints lw 1 ps 0.9 {} title {}", line_style(style),
                         gnuplot_string(fmt::format("{} ({})", shortened(g->label, 70), plural(g->seeds(), "seed"))));
  }
  const std::set<double> expected = expectations(groups);
  f.plot.drawing = "plot " + lines + expected_lines(expected) + "\n";
  f.plot.width = kCurveWidth;
  f.plot.height = curve_height(groups.size() + expected.size() + (title.empty() ? 0 : 1));
  f.caption = "Every seed's evaluations, with a mark where its training ended.";
  return f;
}

Figure final_figure(const Family& family, const Chunk& chunk, const std::string& name) {
  Figure f;
  f.plot.name = slug("final_" + name);
  f.plot.width = 900;
  f.csv = "row,task,method,seed,value,low,high,expected\n";
  std::string tics;
  int row = 0;
  bool expected = false;
  for (const std::string& task : family.tasks) {
    for (const Group* g : shown(family, chunk, task)) {
      const std::string head = fmt::format("{},{},{}", row, csv_cell(task), csv_cell(g->method));
      const auto& runs = g->summary->runs;
      for (const FinishedRun* run : runs)
        f.csv += fmt::format("{},{},{},,,\n", head, run->result.seed, shortest(run->measured()));
      f.csv += fmt::format("{},IQM,{},{},{},{}\n", head, shortest(g->summary->value), shortest(g->summary->low),
                           shortest(g->summary->high), g->first().expected ? shortest(*g->first().expected) : "");
      expected |= g->first().expected.has_value();
      const std::string label = fmt::format("{}{}{} ({})", shortened(task, 36), task.empty() ? "" : " · ",
                                            shortened(g->label, 56), plural(runs.size(), "seed"));
      tics += fmt::format("{}{} {}", row == 0 ? "" : ", ", gnuplot_string(label), -row);
      ++row;
    }
  }
  f.plot.settings = fmt::format(
      "set xlabel '{} of the final evaluation'\nset yrange [{}:0.7]\nset ytics ({})\nset grid noytics\n"
      "set bmargin 6\nset key at screen 0.01, screen 0.01 left bottom horizontal maxrows 1 Left reverse width -6\n",
      family.measure(), 0.3 - row, tics);
  f.plot.settings += family.returns ? "set offsets graph 0.03, graph 0.03, 0, 0\n" : "set xrange [-0.02:1.02]\n";
  f.plot.drawing = fmt::format(
      "plot '{0}.csv' every ::1 using (strcol(4) eq 'IQM' ? NaN : $5):(-$1+0.22) with points pt 6 ps 0.9 lc rgb '{1}' "
      "title 'each seed', '{0}.csv' every ::1 using (strcol(4) eq 'IQM' ? $5 : NaN):(-$1-0.1):6:7 with xerrorbars pt 7 "
      "ps 0.9 lw 2 lc rgb '{2}' title 'interquartile mean, 95 % interval'",
      f.plot.name, curve_style(1).colour, curve_style(0).colour);
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

// Probability of improvement of one method over another, on the tasks that both have several seeds of.
struct Comparison {
  std::string x, y;  // labels
  std::size_t tasks, runs_x, runs_y;
  double probability;
  Interval interval;
};

std::vector<Comparison> comparisons(const Family& family) {
  std::vector<Comparison> result, changes;
  std::vector<const Group*> methods;  // one group of each
  for (const Group& g : family.groups)
    if (std::none_of(methods.begin(), methods.end(), [&](const Group* m) { return m->method == g.method; }))
      methods.push_back(&g);
  const auto find = [&](const std::string& method, const std::string& task) -> const Group* {
    for (const Group& g : family.groups)
      if (g.method == method && g.task == task && g.seeds() > 1) return &g;
    return nullptr;
  };
  for (std::size_t i = 0; i < methods.size(); ++i) {
    for (std::size_t j = i + 1; j < methods.size(); ++j) {
      // Two experiments, or an experiment and a change of it.
      const Group *x = methods[i], *y = methods[j];
      if (x->changed && y->changed) continue;
      if ((x->changed || y->changed) && x->summary->experiment != y->summary->experiment) continue;
      if (y->changed) std::swap(x, y);
      Strata a, b;
      for (const std::string& task : family.tasks) {
        const Group *of_x = find(x->method, task), *of_y = find(y->method, task);
        if (of_x == nullptr || of_y == nullptr) continue;
        a.push_back(of_x->values());
        b.push_back(of_y->values());
      }
      if (a.empty()) continue;
      Comparison c{x->label,
                   y->label,
                   a.size(),
                   0,
                   0,
                   probability_of_improvement(a, b),
                   probability_of_improvement_interval(a, b)};
      for (const std::vector<double>& runs : a) c.runs_x += runs.size();
      for (const std::vector<double>& runs : b) c.runs_y += runs.size();
      (x->changed || y->changed ? changes : result).push_back(c);
    }
  }
  result.insert(result.end(), changes.begin(), changes.end());
  return result;
}

Figure improvement_figure(const std::vector<Comparison>& comparisons, const std::string& name) {
  Figure f;
  f.plot.name = slug("improvement_" + name);
  f.plot.width = 900;
  f.csv = "row,x,y,tasks,runs_x,runs_y,probability,low,high\n";
  std::string tics;
  for (std::size_t row = 0; row < comparisons.size(); ++row) {
    const Comparison& c = comparisons[row];
    f.csv += fmt::format("{},{},{},{},{},{},{:.6g},{:.6g},{:.6g}\n", row, csv_cell(c.x), csv_cell(c.y), c.tasks,
                         c.runs_x, c.runs_y, c.probability, c.interval.low, c.interval.high);
    tics += fmt::format("{}{} {}", row == 0 ? "" : ", ",
                        gnuplot_string(fmt::format("{}  over  {}", shortened(c.x, 52), shortened(c.y, 52))),
                        -static_cast<int>(row));
  }
  f.plot.settings = fmt::format(
      "set xlabel 'probability of improvement'\nset xrange [-0.02:1.02]\n"
      "set yrange [{0}:0.6]\nset ytics ({1})\nset grid noytics\nunset key\n"
      "set arrow from 0.5,{0} to 0.5,0.6 nohead dt 2 lc rgb 'black'\n",
      0.4 - static_cast<double>(comparisons.size()), tics);
  f.plot.drawing =
      fmt::format("plot '{}.csv' every ::1 using 7:(-$1):8:9 with xerrorbars pt 7 ps 0.9 lw 2 lc rgb '{}'\n",
                  f.plot.name, curve_style(0).colour);
  f.plot.height = 90 + 26 * static_cast<int>(comparisons.size());
  f.caption =
      "P(X &gt; Y) + P(X = Y)/2 over all pairs of runs (Mann–Whitney), averaged over the tasks that both were run on "
      "with "
      "several seeds; bar: 95 % stratified bootstrap interval. At 0.5 (the line) there is no difference.";
  return f;
}

// A page under construction: what is written so far, and the figures that are yet to be drawn into it.
class Page {
 public:
  void add(std::string_view html) { parts_.emplace_back(html); }
  void add(Figure figure) {
    if (figure.plot.name.empty()) return;
    std::string name = figure.plot.name;
    for (int i = 2; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", figure.plot.name, i);
    if (name != figure.plot.name) {  // the drawing reads its data by name
      const std::string from = fmt::format("'{}.csv'", figure.plot.name), to = fmt::format("'{}.csv'", name);
      for (std::size_t at = 0; (at = figure.plot.drawing.find(from, at)) != std::string::npos; at += to.size())
        figure.plot.drawing.replace(at, from.size(), to);
      figure.plot.name = name;
    }
    parts_.emplace_back();
    figures_.push_back({parts_.size() - 1, std::move(figure)});
  }
  std::string finish(const std::filesystem::path& directory) {
    std::vector<Plot> plots;
    for (const auto& [part, figure] : figures_) {
      write_file_atomically(directory / (figure.plot.name + ".csv"), figure.csv);
      plots.push_back(figure.plot);
    }
    if (!draw(plots, directory, "figures"))
      throw UsageError(
          fmt::format("gnuplot could not draw the figures; {} says why", (directory / "figures.log").string()));
    for (const auto& [part, figure] : figures_) {
      std::string svg = read_file(directory / (figure.plot.name + ".svg"));
      svg.erase(0, svg.find("<svg"));
      const std::string& name = figure.plot.name;
      parts_[part] = fmt::format(
          "<figure style=\"max-width: {0}px\">\n{1}\n<figcaption>{2} <span class=\"links\"><a download=\"{3}.csv\" "
          "href=\"{4}\">data</a> · <a href=\"{3}.svg\">svg</a> · <a href=\"{3}.png\">png</a></span></figcaption>\n"
          "</figure>\n",
          figure.plot.width + 100, svg, figure.caption, name, data_link(figure.csv));
    }
    std::string text;
    for (const std::string& part : parts_) text += part;
    return text;
  }

 private:
  std::vector<std::string> parts_;
  std::vector<std::pair<std::size_t, Figure>> figures_;
  std::set<std::string> names_;
};

double mean_over(const Group& g, double (*value)(const RunResult&)) {
  double sum = 0;
  for (const FinishedRun* run : g.summary->runs) sum += value(run->result);
  return sum / static_cast<double>(g.seeds());
}

std::string final_table(const Family& family, bool single_seeds) {
  std::string rows;
  for (const std::string& task : family.tasks) {
    for (const Group& g : family.groups) {
      if (g.task != task || (many_seeds(family) && (g.seeds() == 1) != single_seeds)) continue;
      const Summary& s = *g.summary;
      const FinishedRun& first = g.first();
      rows += fmt::format(
          "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{} [{}, {}]</td>"
          "<td>{}</td><td class=n>{:.3f}</td><td class=n>{:.3f}</td><td class=n>{:.2f}</td><td class=n>{:.1f}</td>"
          "<td class=n>{}</td><td class=n>{}</td><td class=n>{}</td></tr>\n",
          escaped(s.experiment), escaped(g.label), escaped(task), g.seeds(), number(family, s.value),
          number(family, s.low), number(family, s.high),
          first.expected
              ? fmt::format("at least {}: {}", *first.expected, s.meets_expectation ? "met" : "<strong>missed</strong>")
              : "",
          mean_over(g, [](const RunResult& r) { return r.final.success; }),
          mean_over(g, [](const RunResult& r) { return r.final.success_any; }),
          mean_over(g, [](const RunResult& r) { return r.final.reward; }),
          mean_over(g, [](const RunResult& r) { return r.final.length; }),
          thousands(mean_over(g, [](const RunResult& r) { return static_cast<double>(r.progress.step); })),
          thousands(mean_over(g, [](const RunResult& r) { return static_cast<double>(r.progress.updates); })),
          format_duration(mean_over(g, [](const RunResult& r) { return r.progress.wall_seconds; })));
    }
  }
  if (rows.empty()) return "";
  return fmt::format(
      "<div class=table><table>\n<tr><th>experiment</th><th>method or change</th><th>task</th><th>seeds</th>"
      "<th>{}: IQM [95 %]</th><th>expected</th><th>success, last step</th><th>success, any step</th><th>return</th>"
      "<th>length</th><th>env steps</th><th>updates</th><th>wall time</th></tr>\n{}</table></div>\n",
      family.measure(), rows);
}

std::string seeds_table(const Family& family) {
  std::string rows;
  for (const std::string& task : family.tasks)
    for (const Group& g : family.groups) {
      if (g.task != task) continue;
      for (const FinishedRun* run : g.summary->runs) {
        const RunResult& r = run->result;
        rows += fmt::format(
            "<tr><td><code>{}</code></td><td>{}</td><td class=n>{}</td><td class=n>{:.3f}</td><td class=n>{:.3f}</td>"
            "<td class=n>{:.2f}</td><td class=n>{:.1f}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td>"
            "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(run->experiment.name), escaped(run->variant), r.seed, r.final.success, r.final.success_any,
            r.final.reward, r.final.length, thousands(static_cast<double>(r.progress.step)),
            thousands(static_cast<double>(r.progress.updates)), format_duration(r.progress.wall_seconds),
            r.end == "success" ? "train.stop_success" : "all steps done", escaped(r.revision), escaped(r.cpu));
      }
    }
  return fmt::format(
      "<details><summary>Every seed</summary><div class=table><table>\n<tr><th>experiment</th><th>setting</th>"
      "<th>seed</th><th>success, last step</th><th>success, any step</th><th>return</th><th>length</th>"
      "<th>env steps</th><th>updates</th><th>wall time</th><th>ended by</th><th>revision</th><th>processor</th></tr>\n"
      "{}</table></div></details>\n",
      rows);
}

// Success rates of several tasks are on one scale and can be pooled; returns are not.
std::string pooled_table(const Family& family, const Chunk& chunk) {
  std::string rows;
  for (const std::string& method : chunk.methods) {
    Strata tasks;
    std::string label;
    std::size_t runs = 0;
    for (const Group& g : family.groups)
      if (g.method == method && g.seeds() > 1) {
        tasks.push_back(g.values());
        label = g.label;
        runs += g.seeds();
      }
    if (tasks.size() < 2) continue;
    const Interval i = stratified_bootstrap_interval(tasks, pooled_interquartile_mean);
    rows += fmt::format(
        "<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{:.3f} [{:.3f}, {:.3f}]</td></tr>\n",
        escaped(label), tasks.size(), runs, pooled_interquartile_mean(tasks), i.low, i.high);
  }
  if (rows.empty() || family.returns) return "";
  return fmt::format(
      "<h3>Over all tasks</h3>\n<p>Runs of all tasks with several seeds in one pool; runs are resampled within each "
      "task.</p>"
      "<div class=table><table>\n<tr><th>method</th><th>tasks</th><th>runs</th><th>success rate: IQM [95 %]</th></tr>\n"
      "{}</table></div>\n",
      rows);
}

std::string sources_table(const Family& family) {
  std::string rows;
  std::set<std::string> told;
  for (const Group& g : family.groups) {
    if (!told.insert(g.summary->experiment).second) continue;
    const FinishedRun& first = g.first();
    const SourceConfig& source = first.experiment.source;
    if (source.paper.empty() && source.claim.empty()) continue;
    std::size_t met = 0, expected = 0;
    for (const Group& other : family.groups)
      if (other.summary->experiment == g.summary->experiment && other.first().expected) {
        ++expected;
        met += other.summary->meets_expectation ? 1 : 0;
      }
    rows += fmt::format(
        "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(g.summary->experiment), escaped(source.row), escaped(source.paper), escaped(source.claim),
        expected == 0 ? "nothing is expected"
                      : fmt::format("{} at least {}: met by {} of {}", family.returns ? "return" : "success",
                                    family.returns ? *source.expected_return : source.expected_success, met,
                                    plural(expected, "setting")));
  }
  if (rows.empty()) return "";
  return "<h3>What the sources say, and what is expected here</h3>\n<div class=table><table>\n<tr><th>experiment</th>"
         "<th>row</th><th>source</th><th>its claim</th><th>expected here</th></tr>\n" +
         rows + "</table></div>\n";
}

std::string settings_table(const Family& family) {
  std::vector<std::string> experiments;
  std::vector<Fields> fields;
  std::set<std::string> axes;
  for (const Group& g : family.groups) {
    for (const Change& c : g.first().changes)
      if (on_axis(c)) axes.insert(c.path);
    if (std::find(experiments.begin(), experiments.end(), g.summary->experiment) != experiments.end()) continue;
    experiments.push_back(g.summary->experiment);
    fields.push_back(fields_without_changes(g.first(), family.common));
  }
  if (experiments.size() < 2) return "";
  std::set<std::string> paths;
  for (const Fields& f : fields)
    for (const auto& [path, value] : f) paths.insert(path);
  std::string rows;
  for (const std::string& path : paths) {
    std::set<std::string> values;
    std::string cells;
    for (const Fields& f : fields) {
      const auto it = f.find(path);
      std::string value = it == f.end() ? "–" : it->second.empty() ? "none" : it->second;
      std::erase(value, '"');
      values.insert(value);
      cells += fmt::format("<td>{}</td>", escaped(value));
    }
    if (values.size() > 1 && !axes.contains(path))
      rows += fmt::format("<tr><td><code>{}</code></td>{}</tr>\n", path, cells);
  }
  if (rows.empty()) return "";
  std::string head;
  for (const std::string& e : experiments) head += fmt::format("<th><code>{}</code></th>", escaped(e));
  return fmt::format(
      "<details><summary>Settings that differ between the experiments</summary><div "
      "class=table><table>\n<tr><th>setting</th>"
      "{}</tr>\n{}</table></div><p>– : the experiment's algorithm has no such setting.</p></details>\n",
      head, rows);
}

std::string builds_table(const std::vector<Summary>& summaries) {
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::size_t>> runs;
  for (const Summary& s : summaries)
    for (const FinishedRun* run : s.runs) ++runs[{run->result.revision, run->result.cpu}][s.experiment];
  std::string rows;
  for (const auto& [build, experiments] : runs) {
    std::string names;
    for (const auto& [name, count] : experiments)
      names += fmt::format("{}<code>{}</code> ({})", names.empty() ? "" : ", ", escaped(name), plural(count, "run"));
    rows += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n", escaped(build.first),
                        escaped(build.second), names);
  }
  return "<h2>Revision and processor</h2>\n<div "
         "class=table><table>\n<tr><th>revision</th><th>processor</th><th>runs</th></tr>\n" +
         rows + "</table></div>\n";
}

// The figures of papers of which the report holds at least two points, all with the same changes besides.
void add_paper_figures(Page& page, const std::vector<Summary>& summaries) {
  for (const std::string& name : figure_names()) {
    const FigureConfig config = load_figure(name);
    std::vector<Summary> points;
    std::set<std::string> places;
    std::optional<std::string> besides;
    for (const Summary& s : summaries) {
      if (std::find(config.experiments.begin(), config.experiments.end(), s.experiment) == config.experiments.end())
        continue;
      std::string place = config.key.empty() ? s.experiment : "", rest;
      for (const Change& c : s.runs.front()->changes)
        (c.path == config.key ? place : rest) += fmt::format("{}={} ", c.path, c.value);
      if (!besides) besides = rest;
      if (rest != *besides || place.empty()) continue;
      points.push_back(s);
      places.insert(place);
    }
    if (places.size() < 2) continue;
    MeasuredFigure m = measured_figure(config, points, slug("figure_" + name));
    std::string caption = fmt::format("Figure <code>{}</code> of <code>goalpost reproduce</code>. The paper: {}.", name,
                                      escaped(config.claim));
    for (std::size_t i = 0; i < config.experiments.size() && !config.key.empty(); ++i)
      if (m.solved[i] > 0)
        caption += fmt::format(
            " {}: largest {} solved (success at least 0.99) {}{}.", escaped(m.labels[i]), config.key, m.solved[i],
            i < config.paper_limit.size() ? fmt::format(", in the paper {}", config.paper_limit[i]) : "");
    page.add(fmt::format("<h2>{}</h2>\n", escaped(config.title)));
    m.plot.title.clear();
    page.add(Figure{m.plot, m.csv, caption});
  }
}

void add_family(Page& page, const Family& family) {
  page.add(fmt::format("<h2>{}: {}</h2>\n", escaped(family.env), family.measure()));
  if (!family.common.empty()) {
    std::string text;
    for (const Change& c : family.common)
      text += fmt::format("{}<code>{}={}</code>", text.empty() ? "" : ", ", c.path, escaped(c.value));
    page.add(fmt::format("<p>All runs differ from their experiments' files in {}.</p>\n", text));
  }
  page.add(sources_table(family));
  const std::vector<Chunk> chunks = chunks_of(family);
  const std::string name = family.env + (family.returns ? "_return" : "");
  page.add("<h3>Final performance</h3>\n");
  for (std::size_t i = 0; i < chunks.size(); ++i)
    page.add(final_figure(family, chunks[i], chunks.size() > 1 ? fmt::format("{}_{}", name, i + 1) : name));
  page.add(final_table(family, false));
  if (many_seeds(family)) {
    const std::string single = final_table(family, true);
    if (!single.empty())
      page.add(fmt::format(
          "<details><summary>Settings of a single seed (interval: Wilson's, over its episodes)</summary>{}</details>\n",
          single));
  }
  page.add(seeds_table(family));
  page.add(settings_table(family));
  for (const Chunk& chunk : chunks)
    if (chunk.title.empty()) page.add(pooled_table(family, chunk));
  if (const std::vector<Comparison> pairs = comparisons(family); !pairs.empty()) {
    page.add("<h3>Probability of improvement</h3>\n");
    page.add(improvement_figure(pairs, name));
  }
  page.add("<h3>Learning curves</h3>\n");
  for (const Chunk& chunk : chunks) {
    bool headed = chunk.title.empty();
    for (const std::string& task : family.tasks) {
      const std::vector<const Group*> groups = shown(family, chunk, task);
      if (groups.empty()) continue;
      if (!headed) page.add(fmt::format("<h4>{}</h4>\n", escaped(chunk.title)));
      headed = true;
      const std::string title = task.empty() ? family.env : fmt::format("{}, {}", family.env, task);
      page.add("<div class=row>\n");
      page.add(learning_figure(family, chunk, groups, title, false));
      page.add(learning_figure(family, chunk, groups, title, true));
      page.add(seeds_figure(family, chunk, groups, title));
      page.add("</div>\n");
      if (const std::string note = carried_note(groups); !note.empty())
        page.add(fmt::format("<ul class=note>{}</ul>\n", note));
    }
  }
}

constexpr char kStyle[] = R"(<style>
:root { color-scheme: light dark; --line: #ccc; --soft: #555; --paper: #fff; --ink: #222; --link: #1a5fa8 }
@media (prefers-color-scheme: dark) { :root { --line: #444; --soft: #aaa; --paper: #161616; --ink: #ddd; --link: #7ab3ef } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1.5rem;
       max-width: 1500px }
h1 { font-size: 1.6rem } h2 { font-size: 1.3rem; border-top: 1px solid var(--line); padding-top: 1.2rem; margin-top: 2.5rem }
h3 { font-size: 1.05rem; margin-top: 1.8rem } h4 { font-size: 1rem; margin: 1.4rem 0 0 }
p, li { max-width: 60rem }
a { color: var(--link) }
figure { margin: 1rem 0 } figure svg { width: 100%; height: auto; display: block } figure svg text { font-family: system-ui, sans-serif }
figcaption { color: var(--soft); font-size: 0.85rem; line-height: 1.35 } .links { white-space: nowrap }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 1.5rem }
.table { overflow-x: auto } table { border-collapse: collapse; font-size: 0.85rem; margin: 0.6rem 0 }
th, td { border-bottom: 1px solid var(--line); padding: 0.2rem 0.6rem; text-align: left; vertical-align: top }
th { color: var(--soft); font-weight: 600 } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.note { color: var(--soft); font-size: 0.85rem; margin: 0 0 1.5rem; padding-left: 1.2rem }
summary { cursor: pointer; margin: 0.6rem 0 } code { font-size: 0.92em }
</style>
)";

constexpr char kNotes[] = R"(<h2>How the numbers are made</h2>
<ul>
<li><b>Final performance</b> is measured after training, on new episodes without exploration; success counts at an episode's
last step unless it says "any step". Success, return, length, steps, updates and wall time in tables are means over seeds.</li>
<li><b>IQM</b>, the interquartile mean, leaves out a quarter of the runs, rounded down, at each end (Agarwal et al. 2021,
arXiv:2108.13264). With fewer than four runs it is the mean.</li>
<li><b>Intervals</b> are 95 % percentile bootstrap intervals over runs, resampled within each task (stratified): 50,000
replicates for final performance, 2,000 for curves and for the probability of improvement. A single run has Wilson's interval
of its episodes, which says nothing about other seeds. With few seeds that agree, a bootstrap interval is too narrow.</li>
<li><b>Curves</b> take the evaluations during training, which have fewer episodes than the final one. Between two evaluations a
seed's last value holds; nothing is interpolated. Where a seed has ended, its last value is carried forward until the last
seed of its group ends: from there on the curve is thin and has no marks. A seed that ended at train.stop_success had reached
that success in several evaluations in a row. Curves never go on beyond their group's last evaluation.</li>
<li><b>Wall time</b> is that of the machine at the time, with whatever else it did.</li>
<li><b>Tasks</b> are equal settings of the environment; comparisons are made within a task. Settings of recorded results are
those of the experiment's file with the recorded changes.</li>
</ul>
)";

std::string html(const std::vector<Summary>& summaries, const std::filesystem::path& directory) {
  const std::vector<Family> families = families_of(summaries);
  Page page;
  std::size_t runs = 0;
  std::set<std::string> experiments;
  for (const Summary& s : summaries) {
    runs += s.runs.size();
    experiments.insert(s.experiment);
  }
  page.add(fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{}\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>goalpost report</title>\n{}</head>\n<body>\n<h1>goalpost report</h1>\n"
      "<p>{} of {} in {}. Drawn by revision <code>{}</code>.</p>\n",
      kGenerator, kStyle, plural(runs, "run"), plural(summaries.size(), "setting"),
      plural(experiments.size(), "experiment"), escaped(BuildInfo::current().revision)));
  add_paper_figures(page, summaries);
  for (const Family& family : families) add_family(page, family);
  page.add(builds_table(summaries));
  page.add(kNotes);
  page.add("</body>\n</html>\n");
  return page.finish(directory);
}

}  // namespace

std::filesystem::path write_report_page(const std::vector<Summary>& summaries, const std::filesystem::path& directory) {
  if (!gnuplot_is_installed())
    throw UsageError("report --out: gnuplot, which draws the figures, is not installed (Debian: gnuplot-nox)");
  const std::filesystem::path index = directory / "index.html";
  try {
    std::filesystem::create_directories(directory);
    if (std::filesystem::exists(index) && read_file(index).find(kGenerator) == std::string::npos)
      throw UsageError(fmt::format("{} exists and is no report; it is left alone", index.string()));
    write_file_atomically(index, html(summaries, directory));
  } catch (const std::system_error& e) {
    throw UsageError(fmt::format("report --out {}: {}", directory.string(), e.what()));
  }
  return index;
}

}  // namespace goalpost
