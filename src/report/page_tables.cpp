// Writing the tables row by row.
#include "report/page_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "core/text.h"
#include "report/collect.h"
#include "report/learning_speed.h"
#include "report/measured_run.h"
#include "report/page_figures.h"
#include "report/statistics.h"
#include "run/experiment.h"
#include "run/run_result.h"
#include "train/evaluation.h"

namespace goalpost {
namespace {

int digits(const EnvGroup& env_group) { return env_group.returns ? 2 : 3; }

double mean_over(const MethodRuns& m, double (*value)(const RunResult&)) {
  double sum = 0;
  for (const MeasuredRun* run : m.summary->runs) sum += value(run->result);
  return sum / static_cast<double>(m.seeds());
}

}  // namespace

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

std::string final_table(const EnvGroup& env_group, bool single_seeds) {
  std::string rows;
  for (const std::string& task : env_group.tasks) {
    for (const MethodRuns& m : env_group.method_runs) {
      if (!m.finished() || m.task != task || (many_seeds(env_group) && (m.seeds() == 1) != single_seeds)) continue;
      const Summary& s = *m.summary;
      const MeasuredRun& first = m.first();
      rows += fmt::format(
          "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{} {}</td>"
          "<td>{}</td><td class=n>{:.3f}</td><td class=n>{:.3f}</td><td class=n>{:.2f}</td><td class=n>{:.1f}</td>"
          "<td class=n>{}</td><td class=n>{}</td><td class=n>{}</td></tr>\n",
          escaped(s.experiment), escaped(m.label), escaped(task), m.seeds(),
          fmt::format("{:.{}f}", s.value, digits(env_group)), interval_text(s.low, s.high, digits(env_group)),
          first.expected
              ? fmt::format("at least {}: {}", *first.expected, s.meets_expectation ? "met" : "<strong>missed</strong>")
              : "",
          mean_over(m, [](const RunResult& r) { return r.final.success; }),
          mean_over(m, [](const RunResult& r) { return r.final.success_any; }),
          mean_over(m, [](const RunResult& r) { return r.final.mean_return; }),
          mean_over(m, [](const RunResult& r) { return r.final.length; }),
          format_thousands(mean_over(m, [](const RunResult& r) { return static_cast<double>(r.progress.step); })),
          format_thousands(mean_over(m, [](const RunResult& r) { return static_cast<double>(r.progress.updates); })),
          format_duration(mean_over(m, [](const RunResult& r) { return r.progress.wall_seconds; })));
    }
  }
  if (rows.empty()) return "";
  return fmt::format(
      "<div class=table><table>\n<tr><th>experiment</th><th>method or change</th><th>task</th><th>seeds</th>"
      "<th>{}: IQM [95 %]</th><th>expected</th><th>success, last step</th><th>success, any step</th><th>return</th>"
      "<th>length</th><th>env steps</th><th>updates</th><th>wall time</th></tr>\n{}</table></div>\n",
      env_group.measure(), rows);
}

std::string seeds_table(const EnvGroup& env_group) {
  std::string rows;
  for (const std::string& task : env_group.tasks)
    for (const MethodRuns& m : env_group.method_runs) {
      if (!m.finished() || m.task != task) continue;
      for (const MeasuredRun* run : m.summary->runs) {
        const RunResult& r = run->result;
        rows += fmt::format(
            "<tr><td><code>{}</code></td><td>{}</td><td class=n>{}</td><td class=n>{:.3f}</td><td class=n>{:.3f}</td>"
            "<td class=n>{:.2f}</td><td class=n>{:.1f}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td>"
            "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(run->experiment.name), escaped(m.summary->setting()), r.seed, r.final.success, r.final.success_any,
            r.final.mean_return, r.final.length, format_thousands(static_cast<double>(r.progress.step)),
            format_thousands(static_cast<double>(r.progress.updates)), format_duration(r.progress.wall_seconds),
            r.end == "success" ? "train.stop_success" : "all steps done", escaped(r.revision), escaped(r.cpu));
      }
    }
  if (rows.empty()) return "";
  return fmt::format(
      "<details><summary>Every seed</summary><div class=table><table>\n<tr><th>experiment</th><th>setting</th>"
      "<th>seed</th><th>success, last step</th><th>success, any step</th><th>return</th><th>length</th>"
      "<th>env steps</th><th>updates</th><th>wall time</th><th>ended by</th><th>revision</th><th>processor</th></tr>\n"
      "{}</table></div></details>\n",
      rows);
}

std::string categories_table(const EnvGroup& env_group) {
  std::string rows;
  for (const MethodRuns& m : env_group.method_runs) {
    const MeasuredRun& first = *m.summary->runs.front();
    for (const Evaluation::Category& kind : first.result.final.categories) {
      int seeds = 0, episodes = 0;
      double mean = 0, lowest = std::numeric_limits<double>::infinity();
      for (const MeasuredRun* run : m.summary->runs)
        for (const Evaluation::Category& k : run->result.final.categories) {
          if (k.name != kind.name || k.episodes == 0) continue;
          ++seeds;
          episodes += k.episodes;
          mean += (k.success - mean) / seeds;
          lowest = std::min(lowest, k.success);
        }
      const auto shown = [&](double value) { return seeds == 0 ? "none" : fmt::format("{:.3f}", value); };
      rows += fmt::format(
          "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td>"
          "<td class=n>{}</td></tr>\n",
          escaped(first.experiment.name), escaped(m.summary->setting()), escaped(kind.name), seeds, episodes,
          shown(mean), shown(lowest));
    }
  }
  if (rows.empty()) return "";
  return fmt::format(
      "<details><summary>Success by category of episode</summary><div class=table><table>\n<tr><th>experiment</th>"
      "<th>setting</th><th>category</th><th>seeds</th><th>episodes</th><th>success, mean over seeds</th>"
      "<th>lowest seed</th></tr>\n{}</table></div></details>\n",
      rows);
}

std::string pooled_table(const EnvGroup& env_group, const Panel& panel) {
  std::string rows;
  for (const std::string& method : panel.methods) {
    Strata tasks;
    std::string label;
    std::size_t runs = 0;
    for (const MethodRuns& m : env_group.method_runs)
      if (m.method == method && m.finished() && m.seeds() > 1) {
        tasks.push_back(m.values());
        label = m.label;
        runs += m.seeds();
      }
    if (tasks.size() < 2) continue;
    const Interval i = stratified_bootstrap_interval(tasks, pooled_interquartile_mean);
    rows += fmt::format(
        "<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{:.3f} [{:.3f}, {:.3f}]</td></tr>\n",
        escaped(label), tasks.size(), runs, pooled_interquartile_mean(tasks), i.low, i.high);
  }
  if (rows.empty() || env_group.returns) return "";
  return fmt::format(
      "<h3>Over all tasks</h3>\n<p>Runs of all tasks with several seeds in one pool; runs are resampled within each "
      "task.</p>"
      "<div class=table><table>\n<tr><th>method</th><th>tasks</th><th>runs</th><th>success rate: IQM [95 %]</th></tr>\n"
      "{}</table></div>\n",
      rows);
}

std::string sources_table(const EnvGroup& env_group) {
  std::string rows;
  std::set<std::string> told;
  for (const MethodRuns& m : env_group.method_runs) {
    if (!told.insert(m.summary->experiment).second) continue;
    const MeasuredRun& first = m.first();
    const SourceConfig& source = first.experiment.source;
    if (source.paper.empty() && source.claim.empty()) continue;
    std::size_t met = 0, expected = 0;
    for (const MethodRuns& other : env_group.method_runs)
      if (other.finished() && other.summary->experiment == m.summary->experiment && other.first().expected) {
        ++expected;
        met += other.summary->meets_expectation ? 1 : 0;
      }
    rows += fmt::format(
        "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(m.summary->experiment), escaped(source.row), escaped(source.paper), escaped(source.claim),
        expected == 0 ? "nothing is expected"
                      : fmt::format("{} at least {}: met by {} of {}", env_group.returns ? "return" : "success",
                                    env_group.returns ? *source.expected_return : source.expected_success, met,
                                    plural(expected, "setting")));
  }
  if (rows.empty()) return "";
  return "<h3>What the sources say, and what is expected here</h3>\n<div class=table><table>\n<tr><th>experiment</th>"
         "<th>row</th><th>source</th><th>its claim</th><th>expected here</th></tr>\n" +
         rows + "</table></div>\n";
}

std::string settings_table(const EnvGroup& env_group) {
  std::vector<std::string> experiments;
  std::vector<Fields> fields;
  std::set<std::string> axes;
  for (const MethodRuns& m : env_group.method_runs) {
    for (const Change& c : m.first().changes)
      if (on_axis(c)) axes.insert(c.path);
    if (std::find(experiments.begin(), experiments.end(), m.summary->experiment) != experiments.end()) continue;
    experiments.push_back(m.summary->experiment);
    fields.push_back(fields_without_changes(m.first(), env_group.common));
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
    for (const MeasuredRun* run : s.runs) ++runs[{run->result.revision, run->result.cpu}][s.experiment];
  std::string rows;
  for (const auto& [build, experiments] : runs) {
    std::string names;
    for (const auto& [name, count] : experiments)
      names += fmt::format("{}<code>{}</code> ({})", names.empty() ? "" : ", ", escaped(name), plural(count, "run"));
    rows += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n", escaped(build.first),
                        escaped(build.second), names);
  }
  return "<div class=table><table>\n<tr><th>revision</th><th>processor</th><th>runs</th></tr>\n" + rows +
         "</table></div>\n";
}

std::string speed_table(const EnvGroup& env_group, std::optional<double> threshold) {
  std::string rows;
  for (const std::string& task : env_group.tasks)
    for (const MethodRuns& m : env_group.method_runs) {
      if (!m.finished() || m.task != task) continue;
      const LearningSpeed s = learning_speed(*m.summary, threshold);
      rows += fmt::format(
          "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{} "
          "{}</td><td class=n>{:.{}f} {}</td></tr>\n",
          escaped(m.summary->experiment), escaped(m.label), escaped(task), threshold_text(*m.summary, s),
          s.threshold ? fmt::format("{} of {}", s.reached, plural(m.seeds(), "seed")) : "-", steps_text(s.steps),
          steps_interval_text(s.steps_low, s.steps_high), s.area, digits(env_group),
          interval_text(s.area_low, s.area_high, digits(env_group)));
    }
  return fmt::format(
      "<div class=table><table>\n<tr><th>experiment</th><th>method or change</th><th>task</th><th>threshold</th>"
      "<th>reached by</th><th>env steps to it: IQM [95 %]</th><th>area under the curve: IQM [95 %]</th></tr>\n{}"
      "</table></div>\n",
      rows);
}

std::string improvements_table(const std::vector<BaselineComparison>& comparisons) {
  if (comparisons.empty()) return "<p>No other run is of a task of the baseline.</p>\n";
  std::string rows;
  for (const BaselineComparison& c : comparisons)
    rows += fmt::format(
        "<tr><td><code>{}</code></td><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td class=n>{:+.3f} "
        "{}</td><td class=n>{} {}</td></tr>\n",
        escaped(c.of->experiment), escaped(c.of->setting()), escaped(c.baseline->experiment),
        escaped(c.baseline->setting()), c.quantity, c.difference, interval_text(c.interval.low, c.interval.high, 3),
        std::isnan(c.probability) ? "-" : fmt::format("{:.2f}", c.probability),
        std::isnan(c.probability) ? "" : interval_text(c.probability_interval.low, c.probability_interval.high, 2));
  return fmt::format(
      "<div class=table><table>\n<tr><th>experiment</th><th>setting</th><th>baseline</th><th>its setting</th>"
      "<th>quantity</th><th>difference of the IQM [95 %]</th><th>probability of improvement [95 %]</th></tr>\n{}"
      "</table></div>\n",
      rows);
}

std::string unfinished_table(const std::vector<Summary>& summaries) {
  std::string rows;
  for (const Summary& s : summaries)
    for (const MeasuredRun* run : s.runs)
      if (!run->finished)
        rows += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td class=n>{}</td><td>{}</td><td>{}</td></tr>\n",
                            escaped(s.experiment), escaped(s.setting()), run->result.seed, state_text(*run),
                            escaped(run->directory.string()));
  if (rows.empty()) return "";
  return fmt::format(
      "<div class=table><table>\n<tr><th>experiment</th><th>setting</th><th>seed</th><th>state</th><th>directory</th>"
      "</tr>\n{}</table></div>\n",
      rows);
}

std::string carried_note(const std::vector<const MethodRuns*>& method_runs) {
  std::string text;
  for (const MethodRuns* m : method_runs) {
    double first = std::numeric_limits<double>::infinity(), last = 0;
    bool same_steps = true;
    for (const Curve& c : m->by_step) {
      first = std::min(first, c.x.back());
      last = std::max(last, c.x.back());
      const std::size_t common = std::min(c.x.size(), m->by_step.front().x.size());
      same_steps = same_steps && std::equal(c.x.begin(), c.x.begin() + static_cast<std::ptrdiff_t>(common),
                                            m->by_step.front().x.begin());
    }
    const auto stopped =
        static_cast<std::size_t>(std::count_if(m->summary->runs.begin(), m->summary->runs.end(),
                                               [](const MeasuredRun* run) { return run->result.end == "success"; }));
    if (stopped == 0 && first == last && same_steps) continue;
    text += fmt::format("<li>{}: ", escaped(m->label));
    if (stopped > 0)
      text += fmt::format("{} of {} ended early at train.stop_success", stopped, plural(m->seeds(), "seed"));
    if (first != last)
      text += fmt::format("{}last evaluations at {} to {} steps, carried forward until the last one",
                          stopped > 0 ? ", " : "", format_thousands(first), format_thousands(last));
    if (!same_steps)
      text += fmt::format("{}evaluated at different steps, the last value holds until the next",
                          stopped > 0 || first != last ? "; " : "");
    text += "</li>";
  }
  return text;
}

}  // namespace goalpost
