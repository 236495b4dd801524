// Sorting the runs of a report into environments, tasks and methods, and reading their curves.
#include "report/method_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

#include "core/check.h"
#include "report/figure_config.h"
#include "run/experiment.h"
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

bool same(const Change& a, const Change& b) { return a.path == b.path && a.value == b.value; }

// The changes by which a method differs from its experiment: neither places on an axis, nor common to the whole group.
// Where there is no file of the experiment the environment's settings are no changes, but tasks.
std::vector<Change> changes_of_method(const MeasuredRun& run, const std::vector<Change>& common) {
  std::vector<Change> changes;
  for (const Change& c : run.changes)
    if (!on_axis(c) && (run.known || run.pair || !(part_of_task(c.path) || c.path == "env.name")) &&
        std::none_of(common.begin(), common.end(), [&](const Change& other) { return same(c, other); }))
      changes.push_back(c);
  return changes;
}

MethodRuns method_runs_of(const Summary& summary, const EnvGroup& env_group) {
  const MeasuredRun& first = *summary.runs.front();
  std::string changes, label;
  for (const Change& c : changes_of_method(first, env_group.common)) {
    const char* comma = changes.empty() ? "" : ", ";
    changes += fmt::format("{}{}={}", comma, c.path, c.value);
    label += fmt::format("{}{}={}", comma, c.path.substr(c.path.find('.') + 1), c.value);  // without "agent."
  }
  if (label.empty()) label = first.experiment.label.empty() ? summary.experiment : first.experiment.label;
  std::string method = summary.experiment;  // of an experiment without a name the changes alone
  if (!changes.empty()) method += (method.empty() ? "" : " ") + changes;
  if (method.empty()) method = "unnamed";
  const std::string build = summary.build.empty() ? "" : fmt::format(" [{}]", summary.build);
  MethodRuns m{.summary = &summary,
               .task = "",
               .method = method + build,
               .label = label + build,
               .changed = !changes.empty() && (first.known || first.pair),
               .by_step = {},
               .by_time = {}};
  for (const MeasuredRun* run : summary.runs) {
    m.by_step.push_back(evaluations_of(*run, "step"));
    m.by_time.push_back(evaluations_of(*run, "wall_seconds"));
  }
  return m;
}

// Names the tasks by those settings in which they differ from the usual one, and by their place on an axis.
void name_tasks(EnvGroup& env_group) {
  std::vector<Fields> settings;                              // of all of method_runs
  std::map<std::string, std::map<std::string, int>> values;  // by path, how often each
  for (const MethodRuns& m : env_group.method_runs) {
    settings.push_back(fields_without_changes(m.first(), env_group.common));
    for (const auto& [path, value] : settings.back())
      if (part_of_task(path)) ++values[path][value];
  }
  for (std::size_t i = 0; i < env_group.method_runs.size(); ++i) {
    std::string& task = env_group.method_runs[i].task;
    for (const auto& [path, counts] : values) {
      if (counts.size() < 2) continue;
      const auto usual = std::max_element(counts.begin(), counts.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; });
      const std::string& value = settings[i][path];
      if (value != usual->first || on_axis({path, value, false}))
        task += fmt::format("{}{}={}", task.empty() ? "" : ", ", path.substr(path.find('.') + 1), value);
    }
    if (std::find(env_group.tasks.begin(), env_group.tasks.end(), task) == env_group.tasks.end())
      env_group.tasks.push_back(task);
  }
}

// Labels that several experiments have get the experiment's name.
void tell_labels_apart(EnvGroup& env_group) {
  std::map<std::string, std::set<std::string>> experiments;
  for (const MethodRuns& m : env_group.method_runs)
    if (!m.changed) experiments[m.label].insert(m.summary->experiment);
  for (MethodRuns& m : env_group.method_runs)
    if (!m.changed && experiments[m.label].size() > 1) m.label += fmt::format(" ({})", m.summary->experiment);
}

}  // namespace

bool part_of_task(const std::string& path) {
  return (path.starts_with("env.") && path != "env.name") || path == "train.eval_env";
}

bool on_axis(const Change& c) {
  return c.axis || std::any_of(figures().begin(), figures().end(),
                               [&](const auto& figure) { return figure.second.key == c.path; });
}

std::vector<Curve> curves_of(const MethodRuns& m, const Measure& measure) {
  std::vector<Curve> curves;
  for (const MeasuredRun* run : m.summary->runs) {
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

Fields fields_without_changes(const MeasuredRun& run, const std::vector<Change>& common) {
  Fields fields = fields_of(run.experiment);
  const std::vector<Change> changes = changes_of_method(run, common);
  if (changes.empty() || (!run.known && !run.pair)) return fields;
  Fields plain = fields_of(plain_experiment(run));
  for (const Change& c : changes) fields[c.path] = plain[c.path];
  return fields;
}

std::vector<EnvGroup> env_groups_of(const std::vector<Summary>& summaries) {
  std::vector<EnvGroup> env_groups;
  std::vector<std::vector<const Summary*>> members;
  for (const Summary& s : summaries) {
    const MeasuredRun& first = *s.runs.front();
    std::size_t i = 0;
    while (i < env_groups.size() &&
           (env_groups[i].env != first.experiment.env_name || env_groups[i].returns != first.measures_return()))
      ++i;
    if (i == env_groups.size()) {
      env_groups.push_back({first.experiment.env_name, first.measures_return(), {}, {}, {}});
      for (const Change& c : first.changes)
        if (!on_axis(c)) env_groups.back().common.push_back(c);
      members.emplace_back();
    }
    members[i].push_back(&s);
    std::erase_if(env_groups[i].common, [&](const Change& c) {
      return std::none_of(first.changes.begin(), first.changes.end(),
                          [&](const Change& other) { return same(c, other); });
    });
  }
  for (std::size_t i = 0; i < env_groups.size(); ++i) {
    for (const Summary* s : members[i]) env_groups[i].method_runs.push_back(method_runs_of(*s, env_groups[i]));
    name_tasks(env_groups[i]);
    tell_labels_apart(env_groups[i]);
  }
  return env_groups;
}

std::vector<Panel> panels_of(const EnvGroup& env_group) {
  std::vector<std::string> plain;
  std::vector<std::pair<std::string, std::vector<std::string>>> changed;  // by experiment
  const auto add = [](std::vector<std::string>& list, const std::string& name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
  };
  for (const MethodRuns& m : env_group.method_runs) {
    if (!m.changed) {
      add(plain, m.method);
      continue;
    }
    if (changed.empty() || changed.back().first != m.summary->experiment)
      changed.push_back({m.summary->experiment, {}});
    add(changed.back().second, m.method);
  }
  const auto task_of = [&](const std::string& method) {  // the first: what is measured on one task stands together
    const auto of = std::find_if(env_group.method_runs.begin(), env_group.method_runs.end(),
                                 [&](const MethodRuns& m) { return m.method == method; });
    return std::find(env_group.tasks.begin(), env_group.tasks.end(), of->task) - env_group.tasks.begin();
  };
  std::stable_sort(plain.begin(), plain.end(),
                   [&](const std::string& a, const std::string& b) { return task_of(a) < task_of(b); });
  std::vector<Panel> panels;
  for (std::size_t i = 0; i < plain.size(); i += kCurvesPerFigure)
    panels.push_back({"",
                      {plain.begin() + static_cast<std::ptrdiff_t>(i),
                       plain.begin() + static_cast<std::ptrdiff_t>(std::min(i + kCurvesPerFigure, plain.size()))}});
  for (const auto& [experiment, methods] : changed) {
    for (std::size_t i = 0; i < methods.size(); i += kCurvesPerFigure - 1) {
      Panel panel{fmt::format("{} with changes", experiment), {}};
      if (std::find(plain.begin(), plain.end(), experiment) != plain.end()) panel.methods.push_back(experiment);
      for (std::size_t k = i; k < std::min(i + kCurvesPerFigure - 1, methods.size()); ++k)
        panel.methods.push_back(methods[k]);
      panels.push_back(std::move(panel));
    }
  }
  return panels;
}

bool many_seeds(const EnvGroup& env_group) {
  return std::any_of(env_group.method_runs.begin(), env_group.method_runs.end(),
                     [](const MethodRuns& m) { return m.finished() && m.seeds() > 1; });
}

std::vector<const MethodRuns*> shown(const EnvGroup& env_group, const Panel& panel, const std::string& task) {
  std::vector<const MethodRuns*> method_runs;
  bool new_here = false;  // more than what is there to compare with
  for (const std::string& method : panel.methods)
    for (const MethodRuns& m : env_group.method_runs)
      if (m.method == method && m.task == task && (m.seeds() > 1 || !m.finished() || !many_seeds(env_group))) {
        method_runs.push_back(&m);
        new_here |= panel.title.empty() || m.changed;
      }
  return new_here ? method_runs : std::vector<const MethodRuns*>();
}

}  // namespace goalpost
