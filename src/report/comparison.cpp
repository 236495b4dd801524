#include "report/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "report/figure.h"
#include "storage/csv.h"

namespace goalpost {
namespace {

constexpr std::size_t kCurvesPerFigure = 6;

// The settings of an experiment that may affect a result, without the seed.
Fields fields_of(const Experiment& experiment) {
  Fields fields = experiment.settings();
  fields.erase("seed");
  return fields;
}

bool part_of_task(const std::string& path) {
  return (path.starts_with("env.") && path != "env.name") || path == "train.eval_env";
}

bool same(const Change& a, const Change& b) { return a.path == b.path && a.value == b.value; }

// The changes by which a method differs from its experiment: neither places on an axis, nor common to the whole family.
// Where there is no file of the experiment the environment's settings are no changes, but tasks.
std::vector<Change> changes_of_method(const FinishedRun& run, const std::vector<Change>& common) {
  std::vector<Change> changes;
  for (const Change& c : run.changes)
    if (!on_axis(c) && (run.known || !(part_of_task(c.path) || c.path == "env.name")) &&
        std::none_of(common.begin(), common.end(), [&](const Change& other) { return same(c, other); }))
      changes.push_back(c);
  return changes;
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
  std::string method = summary.experiment;  // of an experiment without a name the changes alone
  if (!changes.empty()) method += (method.empty() ? "" : " ") + changes;
  if (method.empty()) method = "unnamed";
  const std::string build = summary.build.empty() ? "" : fmt::format(" [{}]", summary.build);
  Group group{.summary = &summary,
              .task = "",
              .method = method + build,
              .label = label + build,
              .changed = !changes.empty() && first.known,
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

}  // namespace

bool on_axis(const Change& c) {
  return c.axis || std::any_of(figures().begin(), figures().end(),
                               [&](const auto& figure) { return figure.second.key == c.path; });
}

std::vector<Curve> curves_of(const Group& group, const Measure& measure) {
  std::vector<Curve> curves;
  for (const FinishedRun* run : group.summary->runs) {
    try {
      const std::vector<double> steps = read_csv(run->curve).column("step"), values = read_measure(*run, measure);
      Curve curve;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isnan(values[i])) continue;
        curve.x.push_back(steps[i]);
        curve.y.push_back(values[i]);
      }
      if (curve.x.empty()) return {};
      curves.push_back(std::move(curve));
    } catch (const std::runtime_error& e) {
      throw UsageError(e.what());
    }
  }
  return curves;
}

Fields fields_without_changes(const FinishedRun& run, const std::vector<Change>& common) {
  Fields fields = fields_of(run.experiment);
  const std::vector<Change> changes = changes_of_method(run, common);
  if (changes.empty() || !run.known) return fields;
  Fields plain = fields_of(make_experiment(load_experiment(run.experiment.name)));
  for (const Change& c : changes) fields[c.path] = plain[c.path];
  return fields;
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

}  // namespace goalpost
