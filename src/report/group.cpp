// Naming variants and builds, and summarizing the runs of a setting.
#include "report/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <variant>

#include "core/check.h"
#include "core/config.h"
#include "report/figure_config.h"
#include "report/statistics.h"
#include "run/build_info.h"
#include "run/pair.h"
#include "storage/config_text.h"
#include "storage/former_names.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

// A setting's TOML text as a variant has it (MeasuredRun::variant).
std::string variant_value(const std::string& toml) {
  if (toml.empty()) return "none";
  if (toml.front() != '"') return toml;
  const auto read = [](const std::string& text) {
    TomlValues values;
    values.set("x=" + text);
    const std::string* string = std::get_if<std::string>(&values.find("x")->value);
    return string == nullptr ? std::nullopt : std::optional(*string);
  };
  const std::string text = read(toml).value();
  const bool plain = std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return std::iscntrl(c) || c == ',' || c == '[' || c == ']' || c == '"';
  });
  return plain && read(text) == text ? text : toml;
}

void add_change(MeasuredRun& run, const std::string& path, const std::string& toml, bool axis) {
  const std::string value = variant_value(toml);
  run.variant += fmt::format("{}{}={}", run.variant.empty() ? "" : ",", path, value);
  run.changes.push_back({path, value, axis});
}

bool same_build(const MeasuredRun& a, const MeasuredRun& b) {
  return a.baseline == b.baseline &&
         ((a.recorded && b.recorded) || build_differences(build_of(a), build_of(b)).empty());
}

}  // namespace

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  int depth = 0;
  bool quoted = false, escaped = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size()) {
      const char c = text[i];
      if (escaped)
        escaped = false;
      else if (quoted && c == '\\')
        escaped = true;
      else if (c == '"')
        quoted = !quoted;
      else if (!quoted)
        depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      if (c != ',' || depth > 0 || quoted) continue;
    }
    if (i > begin) parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return parts;
}

std::vector<Change> changes_of(const std::string& variant, const std::set<std::string>& axes) {
  std::vector<Change> changes;
  for (const std::string& one : split_list(variant)) {
    const std::size_t equals = one.find('=');
    if (equals == one.npos) throw UsageError(fmt::format("\"{}\" is no setting; expected key=value", one));
    const std::string path = one.substr(0, equals);
    changes.push_back({path, one.substr(equals + 1), axes.contains(path)});
  }
  return changes;
}

std::string present_variant(const std::string& variant, const Experiment& experiment) {
  Experiment& e = const_cast<Experiment&>(experiment);  // describing writes nothing
  const std::vector<FieldText> fields = describe_fields([&](ConfigVisitor& v) { e.visit(v); });
  std::string present;
  for (const Change& c : changes_of(variant, {})) {
    std::string assignment = fmt::format("{}={}", c.path, c.value);
    rename_former(assignment, fields);
    present += (present.empty() ? "" : ",") + assignment;
  }
  return present;
}

Experiment plain_experiment(const MeasuredRun& run) {
  return make_experiment(run.pair ? pair_experiment(run.experiment.algorithm, run.experiment.env_name, {}).values
                                  : load_experiment(run.experiment.name));
}

Experiment changed_experiment(const std::string& name, const std::vector<Change>& changes) {
  TomlValues values = load_experiment(name);
  for (const Change& c : changes) values.set(fmt::format("{}={}", c.path, c.value));
  return make_experiment(values);
}

namespace {

// Of an algorithm on an environment that no experiment has: what differs from the defaults of `goalpost train ALGORITHM
// ENVIRONMENT`.
void name_variant_of_pair(MeasuredRun& run) {
  const Experiment& e = run.experiment;
  if (e.name != pair_name(e.algorithm, e.env_name)) return;
  run.pair = true;
  const std::map<std::string, std::string> expected = plain_experiment(run).settings();
  for (const auto& [path, value] : e.settings()) {
    const auto plain = expected.find(path);
    if (path != "seed" && (plain == expected.end() || plain->second != value)) add_change(run, path, value, false);
  }
}

}  // namespace

void name_variant(MeasuredRun& run) {
  const std::string& experiment = run.experiment.name;
  const std::vector<std::string> names = experiment_names();
  run.known = std::find(names.begin(), names.end(), experiment) != names.end();
  if (!run.known) return name_variant_of_pair(run);
  const SourceConfig& source = run.experiment.source;
  if (run.measures_return())
    run.expected = source.expected_return;
  else if (source.expected_success > 0)
    run.expected = source.expected_success;
  const std::set<std::string> axes = axes_of(experiment);
  const Experiment plain = plain_experiment(run);
  std::map<std::string, std::string> expected = plain.settings();
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { run.experiment.visit(v); })) {
    const bool differs = expected[f.path] != f.value, axis = axes.contains(f.path);
    if (!f.affects_results || f.path == "seed" || (!differs && !axis)) continue;
    add_change(run, f.path, f.value, axis);
    if (!axis) run.expected.reset();
  }
}

void name_variants(const std::vector<MeasuredRun*>& runs) {
  using Values = std::map<std::string, std::set<std::string>>;
  Values all;
  std::map<std::string, Values> by_kind;  // of environment and algorithm
  const auto kind_of = [](const MeasuredRun& run) { return run.experiment.env_name + "\n" + run.experiment.algorithm; };
  for (const MeasuredRun* run : runs)
    for (const auto& [path, value] : run->experiment.settings()) {
      all[path].insert(value);
      by_kind[kind_of(*run)][path].insert(value);
    }
  for (MeasuredRun* run : runs)
    for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { run->experiment.visit(v); })) {
      if (!f.affects_results || f.path == "seed") continue;
      const bool kind = f.path == "env.name" || f.path == "agent.algorithm";
      if ((kind ? all : by_kind[kind_of(*run)])[f.path].size() > 1) add_change(*run, f.path, f.value, false);
    }
}

BuildInfo build_of(const MeasuredRun& run) {
  BuildInfo build = run.recorded ? BuildInfo() : run.experiment.build;
  if (!run.result.revision.empty()) build.revision = run.result.revision;
  if (!run.result.cpu.empty()) build.cpu = run.result.cpu;
  return build;
}

void name_builds(const std::vector<MeasuredRun*>& runs) {
  std::vector<std::vector<MeasuredRun*>> builds;
  for (MeasuredRun* run : runs) {
    auto it = std::find_if(builds.begin(), builds.end(), [&](const std::vector<MeasuredRun*>& members) {
      return std::all_of(members.begin(), members.end(), [&](const MeasuredRun* m) { return same_build(*m, *run); });
    });
    (it == builds.end() ? builds.emplace_back() : *it).push_back(run);
  }
  if (builds.size() < 2) return;
  for (const std::vector<MeasuredRun*>& members : builds) {
    std::map<std::string, std::string> what;  // in which it differs from others
    for (const std::vector<MeasuredRun*>& others : builds)
      for (const MeasuredRun* other : others)
        for (const BuildDifference& d : build_differences(build_of(*members.front()), build_of(*other)))
          what[d.what] = d.a.empty() ? "never" : d.a;
    std::string text = members.front()->baseline ? "baseline" : "";
    if (members.front()->recorded) text += text.empty() ? "recorded" : ", recorded";
    for (const auto& [name, value] : what) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
    for (MeasuredRun* run : members) run->build = text;
  }
  // Groups are told apart by their texts; what is unknown in one may leave two alike.
  std::map<std::string, int> times;
  for (const std::vector<MeasuredRun*>& members : builds)
    if (const int n = ++times[members.front()->build]; n > 1)
      for (MeasuredRun* run : members) run->build += fmt::format(" ({})", n);
}

bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (std::isdigit(static_cast<unsigned char>(a[i])) && std::isdigit(static_cast<unsigned char>(b[j]))) {
      const std::size_t start_i = i, start_j = j;
      while (i < a.size() && std::isdigit(static_cast<unsigned char>(a[i]))) ++i;
      while (j < b.size() && std::isdigit(static_cast<unsigned char>(b[j]))) ++j;
      const std::string x = a.substr(start_i, i - start_i), y = b.substr(start_j, j - start_j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

bool same_setting(const MeasuredRun& a, const MeasuredRun& b) {
  return a.experiment.name == b.experiment.name && a.variant == b.variant && a.build == b.build &&
         a.finished == b.finished && (a.finished || a.result.end == b.result.end);
}

std::string Summary::setting() const {
  const std::string& shown = runs.front()->recorded ? runs.front()->recorded_as : variant;
  if (build.empty()) return shown;
  return fmt::format("{}{}[{}]", shown, shown.empty() ? "" : " ", build);
}

void compute(Summary& s) {
  s.steps = 0;
  std::vector<double> values;
  for (const MeasuredRun* run : s.runs) {
    values.push_back(run->measured());
    s.steps += static_cast<double>(run->result.progress.step) / static_cast<double>(s.runs.size());
  }
  if (!s.finished()) {
    s.value = s.low = s.high = std::nan("");
    s.meets_expectation = true;
    return;
  }
  s.value = interquartile_mean(values);
  const MeasuredRun& first = *s.runs.front();
  const int n = first.result.final.episodes;
  s.chained = s.runs.size() == 1 && first.experiment.eval_env_factory()()->spec().chain > 1;
  const Interval interval = s.runs.size() > 1                      ? bootstrap_interval(values, interquartile_mean)
                            : first.measures_return() || s.chained ? Interval{std::nan(""), std::nan("")}
                                                                   : wilson_interval(std::llround(s.value * n), n);
  s.low = interval.low;
  s.high = interval.high;
  s.meets_expectation = !first.expected || reaches(s.value, *first.expected);
}

std::vector<Summary> summarize(const std::vector<MeasuredRun>& runs) {
  std::vector<Summary> summaries;
  for (const MeasuredRun& run : runs) {
    if (summaries.empty() || !same_setting(*summaries.back().runs.back(), run)) {
      std::string build = run.build;
      if (!run.finished) build += (build.empty() ? "" : ", ") + run.result.end;
      summaries.push_back({run.experiment.name, run.variant, build, {}, 0, 0, 0, 0, false});
    }
    std::vector<const MeasuredRun*>& group = summaries.back().runs;
    if (!group.empty() && group.back()->result.seed == run.result.seed)
      throw UsageError(fmt::format("{} and {} are runs of the same setting and seed; expected one of them",
                                   group.back()->directory.string(), run.directory.string()));
    group.push_back(&run);
  }
  for (Summary& s : summaries) compute(s);
  return summaries;
}

std::string interval_text(double low, double high, int digits) {
  const double zero = 0.5 * std::pow(10, -digits);  // smaller numbers would be "-0.000"
  if (std::abs(low) < zero) low = 0;
  if (std::abs(high) < zero) high = 0;
  return std::isnan(low) ? "-" : fmt::format("[{:.{}f}, {:.{}f}]", low, digits, high, digits);
}

}  // namespace goalpost
