#include "report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/data_path.h"
#include "report/figure.h"
#include "report/statistics.h"
#include "storage/csv.h"
#include "storage/file.h"

namespace goalpost {
namespace {

using nlohmann::ordered_json;

// Between these markers stand tables of what is recorded. In the README it is of all experiments, in a page beside the
// experiments of those that the marker names: "<!-- results of NAME NAME ... (written by".
constexpr char kTableBegin[] = "<!-- results: begin (written by `goalpost report --record`) -->";
constexpr char kPageTableBegin[] = "<!-- results of ";
constexpr char kWrittenBy[] = " (written by `goalpost report --record`) -->";
constexpr char kTableEnd[] = "<!-- results: end -->";

// The settings along the x axes of figures that show an experiment.
std::set<std::string> axes_of(const std::string& experiment) {
  std::set<std::string> axes;
  for (const auto& [name, figure] : figures()) {
    const auto& shown = figure.experiments;
    if (!figure.key.empty() && std::find(shown.begin(), shown.end(), experiment) != shown.end())
      axes.insert(figure.key);
  }
  return axes;
}

// "env.bits=40,agent.dqn.q.hidden=[64, 64]" taken apart: commas inside brackets and quotes belong to a value.
std::vector<Change> changes_of(const std::string& variant, const std::set<std::string>& axes) {
  std::vector<Change> changes;
  int depth = 0;
  bool quoted = false, escaped = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= variant.size(); ++i) {
    if (i < variant.size()) {
      const char c = variant[i];
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
    const std::string one = variant.substr(begin, i - begin);
    begin = i + 1;
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    if (equals == one.npos) throw UsageError(fmt::format("\"{}\" is no setting; expected key=value", one));
    const std::string path = one.substr(0, equals);
    changes.push_back({path, one.substr(equals + 1), axes.contains(path)});
  }
  return changes;
}

// A setting's TOML text as a variant has it (FinishedRun::variant).
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

// The experiment of a file with changes put over it. @throws UsageError as make_experiment
Experiment changed_experiment(const std::string& name, const std::vector<Change>& changes) {
  TomlValues values = load_experiment(name);
  for (const Change& c : changes) values.set(fmt::format("{}={}", c.path, c.value));
  return make_experiment(values);
}

void add_change(FinishedRun& run, const std::string& path, const std::string& toml, bool axis) {
  const std::string value = variant_value(toml);
  run.variant += fmt::format("{}{}={}", run.variant.empty() ? "" : ",", path, value);
  run.changes.push_back({path, value, axis});
}

// Names what sets the run apart: "path=value" of every field that differs from the experiment's file and may affect the
// result, and of the settings along the axes of figures that show the experiment: 40 bits are one point among others,
// also if the file says 40.
void name_variant(FinishedRun& run) {
  const std::string& experiment = run.experiment.name;
  const std::vector<std::string> names = experiment_names();
  run.known = std::find(names.begin(), names.end(), experiment) != names.end();
  if (!run.known) return;
  const SourceConfig& source = run.experiment.source;
  if (run.measures_return() || source.expected_success > 0)
    run.expected = run.measures_return() ? *source.expected_return : source.expected_success;
  const std::set<std::string> axes = axes_of(experiment);
  Experiment plain = make_experiment(load_experiment(experiment));
  std::map<std::string, std::string> expected = plain.settings();
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { run.experiment.visit(v); })) {
    const bool differs = expected[f.path] != f.value, axis = axes.contains(f.path);
    if (!f.affects_results || f.path == "seed" || (!differs && !axis)) continue;
    add_change(run, f.path, f.value, axis);
    if (!axis) run.expected.reset();
  }
}

// The same for runs of one name that no experiment of ours has: "path=value" of every setting in which they differ.
// Of another environment or algorithm that is named alone; what only its own settings have would say nothing more.
void name_variants(const std::vector<FinishedRun*>& runs) {
  using Values = std::map<std::string, std::set<std::string>>;
  Values all;
  std::map<std::string, Values> by_kind;  // of environment and algorithm
  const auto kind_of = [](const FinishedRun& run) { return run.experiment.env_name + "\n" + run.experiment.algorithm; };
  for (const FinishedRun* run : runs)
    for (const auto& [path, value] : run->experiment.settings()) {
      all[path].insert(value);
      by_kind[kind_of(*run)][path].insert(value);
    }
  for (FinishedRun* run : runs)
    for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { run->experiment.visit(v); })) {
      if (!f.affects_results || f.path == "seed") continue;
      const bool kind = f.path == "env.name" || f.path == "agent.algorithm";
      if ((kind ? all : by_kind[kind_of(*run)])[f.path].size() > 1) add_change(*run, f.path, f.value, false);
    }
}

// What is known of the build of a run. Of a recorded one that is revision and processor.
BuildInfo build_of(const FinishedRun& run) {
  BuildInfo build = run.recorded ? BuildInfo() : run.experiment.build;
  if (!run.result.revision.empty()) build.revision = run.result.revision;
  if (!run.result.cpu.empty()) build.cpu = run.result.cpu;
  return build;
}

bool same_build(const FinishedRun& a, const FinishedRun& b) {
  return (a.recorded && b.recorded) || build_differences(build_of(a), build_of(b)).empty();
}

// Names the builds of runs of one variant, where they are of several.
void name_builds(const std::vector<FinishedRun*>& runs) {
  std::vector<std::vector<FinishedRun*>> builds;
  for (FinishedRun* run : runs) {
    auto it = std::find_if(builds.begin(), builds.end(), [&](const std::vector<FinishedRun*>& members) {
      return std::all_of(members.begin(), members.end(), [&](const FinishedRun* m) { return same_build(*m, *run); });
    });
    (it == builds.end() ? builds.emplace_back() : *it).push_back(run);
  }
  if (builds.size() < 2) return;
  for (const std::vector<FinishedRun*>& members : builds) {
    std::map<std::string, std::string> what;  // in which it differs from others
    for (const std::vector<FinishedRun*>& others : builds)
      for (const FinishedRun* other : others)
        for (const BuildDifference& d : build_differences(build_of(*members.front()), build_of(*other)))
          what[d.what] = d.a.empty() ? "never" : d.a;
    std::string text = members.front()->recorded ? "recorded" : "";
    for (const auto& [name, value] : what) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
    for (FinishedRun* run : members) run->build = text;
  }
  // Groups are told apart by their texts; what is unknown in one may leave two alike.
  std::map<std::string, int> times;
  for (const std::vector<FinishedRun*>& members : builds)
    if (const int n = ++times[members.front()->build]; n > 1)
      for (FinishedRun* run : members) run->build += fmt::format(" ({})", n);
}

// Calls f with the runs of each key.
template <class Key, class F>
void for_groups(std::vector<FinishedRun>& runs, Key key, F f) {
  std::map<decltype(key(runs.front())), std::vector<FinishedRun*>> groups;
  for (FinishedRun& run : runs) groups[key(run)].push_back(&run);
  for (const auto& [ignored, members] : groups) f(members);
}

// @throws std::runtime_error for a number that no run has
void check_result(const FinishedRun& run) {
  constexpr double kMost = std::numeric_limits<double>::max();
  const char* file = run.recorded ? "summary.json" : "result.json";
  const auto check = [&](const std::string& name, double value, double low, double high) {
    if (value >= low && value <= high) return;
    throw std::runtime_error(fmt::format("{}: {} of seed {} is {}; expected {}", file, name, run.result.seed,
                                         shortest(value),
                                         high == kMost ? fmt::format("at least {}", low) : "a number from 0 to 1"));
  };
  const Evaluation& e = run.result.final;
  const TrainProgress& p = run.result.progress;
  check("the number of final episodes", e.episodes, 1, kMost);
  check("success", e.success, 0, 1);
  check("success_any", e.success_any, 0, 1);
  check("length", e.length, 0, kMost);
  for (const Evaluation::Kind& kind : e.kinds) {
    check(fmt::format("the number of episodes of {}", kind.name), kind.episodes, 0, kMost);
    if (!std::isnan(kind.success)) check(fmt::format("success of {}", kind.name), kind.success, 0, 1);
  }
  check("steps", static_cast<double>(p.step), 0, kMost);
  check("episodes", static_cast<double>(p.episodes), 0, kMost);
  check("updates", static_cast<double>(p.updates), 0, kMost);
  check("wall_seconds", p.wall_seconds, 0, kMost);
}

// @throws std::runtime_error if the evaluations of a run, or what training has measured, cannot be drawn
void check_curve(const FinishedRun& run) {
  static_cast<void>(has_file(run.curve));
  const CsvTable curve = read_csv(run.curve);
  if (curve.rows() == 0) throw std::runtime_error(fmt::format("{} holds no evaluation", run.curve.string()));
  for (const char* column : {"step", "wall_seconds", run.measures_return() ? "return" : "success"})
    for (const double x : curve.column(column))
      if (std::isnan(x))
        throw std::runtime_error(fmt::format("{}: a number of an evaluation is missing", run.curve.string()));
  for (const Measure& m : kMeasures) read_measure(run, m);
}

std::string short_count(double n) {
  return n < 1e6 ? fmt::format("{:.1f} k", n / 1e3) : fmt::format("{:.2f} M", n / 1e6);
}

// Numbers inside names in numeric order: env.bits=9 before env.bits=10.
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

// A variant as a folder name: no separators.
std::string folder(const std::string& variant) {
  std::string name = variant;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ' '; }, '_');
  return name;
}

// Where a setting is recorded, below its experiment's directory.
std::filesystem::path place_of(const std::filesystem::path& top, const std::string& variant) {
  return variant.empty() ? top : top / folder(variant);
}

ordered_json summary_json(const Summary& s) {
  ordered_json seeds = ordered_json::array();
  for (const FinishedRun* run : s.runs) {
    const RunResult& r = run->result;
    seeds.push_back({{"seed", r.seed},
                     {"success", r.final.success},
                     {"success_any", r.final.success_any},
                     {"return", r.final.reward},
                     {"length", r.final.length},
                     {"kinds", to_json(r.final.kinds)},
                     {"episodes_evaluated", r.final.episodes},
                     {"steps", r.progress.step},
                     {"episodes", r.progress.episodes},
                     {"updates", r.progress.updates},
                     {"wall_seconds", r.progress.wall_seconds},
                     {"end", r.end},
                     {"revision", r.revision},
                     {"cpu", r.cpu},
                     {"identity", r.identity}});
  }
  const FinishedRun& first = *s.runs.front();
  return {{"variant", s.variant},
          {"measure", first.measures_return() ? "return" : "success"},
          {"expected", first.expected ? ordered_json(*first.expected) : ordered_json()},
          {"interquartile_mean", s.value},
          {"interval_95", std::isnan(s.low) ? ordered_json() : ordered_json({s.low, s.high})},
          {"seeds", seeds}};
}

// "0.250 [0.210, 0.295]" of a recorded setting, or "0.250 -" if the interval is unknown. One of one seed is over its
// episodes, and marked as that; the number of episodes of each seed is told where it is another than the tables' usual
// one.
std::string measured_text(const ordered_json& setting) {
  constexpr int kUsual = 1000;  // of train.final_eval_episodes; the text below the README's table names it
  std::set<int> episodes;
  for (const ordered_json& seed : setting.at("seeds")) episodes.insert(seed.at("episodes_evaluated").get<int>());
  const ordered_json& interval = setting.at("interval_95");
  const double unknown = std::nan(""), low = interval.is_null() ? unknown : interval.at(0).get<double>(),
               high = interval.is_null() ? unknown : interval.at(1).get<double>();
  std::string text =
      fmt::format("{:.3f} {}{}", setting.at("interquartile_mean").get<double>(), interval_text(low, high, 3),
                  setting.at("seeds").size() == 1 && !interval.is_null() ? "¹" : "");
  if (episodes != std::set{kUsual}) text += fmt::format(", {} episodes", fmt::join(episodes, " or "));
  return text;
}

// Whether a directory holds recorded results, rather than somebody's own summary.json.
bool is_recorded(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "summary.json";
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) && read_file(file).find("\"settings\"") != std::string::npos;
}

// What becomes of an error of `read`, which looks at `where`.
using Guard = std::function<void(const std::filesystem::path& where, const std::function<void()>& read)>;

// Takes the runs of the wanted settings of a recorded experiment. Their configuration is that of the experiment's file
// with the recorded changes. @param guarded around every setting and every seed
// @throws UsageError
void read_recorded(const std::filesystem::path& top, const std::function<bool(const std::string& variant)>& wanted,
                   const Guard& guarded, const std::function<void(FinishedRun)>& take) {
  const std::filesystem::path file = top / "summary.json";
  const auto guarded_json = [&](const std::function<void()>& read) {
    guarded(top, [&] {
      try {
        read();
      } catch (const nlohmann::json::exception& e) {
        throw UsageError(fmt::format("{}: not a summary of `goalpost report --record`: {}", file.string(), e.what()));
      }
    });
  };
  guarded_json([&] {
    const ordered_json summary = ordered_json::parse(read_file(file));
    const std::string name = summary.at("experiment");
    const std::set<std::string> axes = axes_of(name);
    const auto run_of = [&](const ordered_json& setting, const ordered_json& seed) {
      const std::string variant = setting.at("variant");
      const std::filesystem::path place = place_of(top, variant);
      const std::vector<Change> changes = changes_of(variant, axes);
      FinishedRun run{.directory = place,
                      .curve = place / fmt::format("seed_{}.csv", seed.at("seed").get<std::int64_t>()),
                      .recorded = true,
                      .experiment = changed_experiment(name, changes),
                      .result = {},
                      .changes = changes,
                      .variant = variant};
      if (!has_file(run.curve))
        throw UsageError(fmt::format("{} names {}, which is missing", file.string(), run.curve.string()));
      Experiment& e = run.experiment;
      e.seed = seed.at("seed");
      e.label = summary.at("label");
      e.source.row = summary.at("row");
      e.source.paper = summary.at("paper");
      e.source.claim = summary.at("claim");
      if (!setting.at("expected").is_null()) run.expected = setting.at("expected").get<double>();
      e.source.expected_return.reset();
      if (setting.at("measure") == "return") e.source.expected_return = run.expected.value_or(0);
      RunResult& r = run.result;
      r.experiment = name;
      r.seed = e.seed;
      r.revision = seed.at("revision");
      r.cpu = seed.at("cpu");
      r.identity = seed.value("identity", "");
      r.end = seed.at("end");
      r.progress.step = seed.at("steps");
      r.progress.episodes = seed.at("episodes");
      r.progress.updates = seed.at("updates");
      r.progress.wall_seconds = seed.at("wall_seconds");
      r.final = {.episodes = seed.at("episodes_evaluated"),
                 .success = seed.at("success"),
                 .success_any = seed.at("success_any"),
                 .reward = seed.at("return"),
                 .length = seed.at("length"),
                 .kinds = kinds_of(seed)};
      return run;
    };
    for (const ordered_json& setting : summary.at("settings"))
      guarded_json([&] {
        const std::string variant = setting.at("variant");
        if (!wanted(variant)) return;
        changed_experiment(name, changes_of(variant, axes));  // one sentence for all seeds
        for (const ordered_json& seed : setting.at("seeds")) guarded_json([&] { take(run_of(setting, seed)); });
      });
  });
}

// The statistics of a summary whose runs are known.
void compute(Summary& s) {
  s.steps = 0;
  std::vector<double> values;
  for (const FinishedRun* run : s.runs) {
    values.push_back(run->measured());
    s.steps += static_cast<double>(run->result.progress.step) / static_cast<double>(s.runs.size());
  }
  s.value = interquartile_mean(values);
  const FinishedRun& first = *s.runs.front();
  const int n = first.result.final.episodes;
  s.chained = s.runs.size() == 1 && first.experiment.eval_env_factory()()->spec().chain > 1;
  const Interval interval = s.runs.size() > 1                      ? bootstrap_interval(values, interquartile_mean)
                            : first.measures_return() || s.chained ? Interval{std::nan(""), std::nan("")}
                                                                   : wilson_interval(std::llround(s.value * n), n);
  s.low = interval.low;
  s.high = interval.high;
  s.meets_expectation = !first.expected || reaches(s.value, *first.expected);
}

// Column by column what is kept of a run: its evaluations, and what training has measured up to each of them.
std::string recorded_curve(const FinishedRun& run) {
  const CsvTable curve = read_csv(run.curve);
  std::vector<std::string> names = {"step", "wall_seconds", "success", "success_any", "return"};
  std::vector<std::vector<double>> columns;
  for (const std::string& name : names) columns.push_back(curve.column(name));
  for (const Measure& m : kMeasures) {
    std::vector<double> values = m.training != nullptr ? read_measure(run, m) : std::vector<double>();
    if (values.empty()) continue;
    names.push_back(m.column);
    columns.push_back(std::move(values));
  }
  std::string text = fmt::format("{}\n", fmt::join(names, ","));
  for (std::size_t row = 0; row < curve.rows(); ++row)
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double value = columns[i][row];
      if (names[i] == "wall_seconds")
        text += fmt::format("{:.1f}", value);
      else if (!std::isnan(value))
        text += shortest(value);
      text += i + 1 == names.size() ? "\n" : ",";
    }
  return text;
}

bool same_setting(const FinishedRun& a, const FinishedRun& b) {
  return a.experiment.name == b.experiment.name && a.variant == b.variant && a.build == b.build;
}

// @throws UsageError if a run's variant is not read back to the run's settings
void check_reads_back(const FinishedRun& run) {
  std::vector<std::string> problems;
  try {
    problems = differences(run.experiment, run.directory.string(),
                           changed_experiment(run.experiment.name, changes_of(run.variant, {})), "what is read",
                           [](const FieldText& f) { return f.affects_results && f.path != "seed"; });
  } catch (const UsageError& e) {
    problems = {e.what()};
  }
  if (!problems.empty())
    throw UsageError(fmt::format("{}: its settings cannot be recorded, as \"{}\" is not read back to them: {}",
                                 run.directory.string(), run.variant, problems.front()));
}

}  // namespace

bool has_file(const std::filesystem::path& file) {
  const std::filesystem::file_status status = std::filesystem::status(file);
  if (!std::filesystem::exists(status)) return false;
  if (!std::filesystem::is_regular_file(status))
    throw std::runtime_error(fmt::format("{} is no regular file; expected one", file.string()));
  return true;
}

std::string interval_text(double low, double high, int digits) {
  return std::isnan(low) ? "-" : fmt::format("[{:.{}f}, {:.{}f}]", low, digits, high, digits);
}

const Measure& find_measure(const std::string& column) {
  std::string all;
  for (const Measure& m : kMeasures) {
    if (m.column == column) return m;
    all += fmt::format("{}{}", all.empty() ? "" : ", ", m.column);
  }
  throw UsageError(fmt::format("no learning curve shows \"{}\"; expected one of: {}", column, all));
}

std::vector<double> read_measure(const FinishedRun& run, const Measure& measure) {
  const CsvTable curve = read_csv(run.curve);
  if (curve.has(measure.column)) return curve.column(measure.column);
  const std::filesystem::path file = run.directory / "train.csv";
  if (measure.training == nullptr || !has_file(file)) return {};
  const CsvTable train = read_csv(file);
  if (!train.has(measure.training)) return {};
  std::map<double, double> by_step;
  for (std::size_t i = 0; i < train.rows(); ++i) by_step[train.column("step")[i]] = train.column(measure.training)[i];
  std::vector<double> values;
  for (const double step : curve.column("step")) {
    const auto found = by_step.find(step);
    values.push_back(found == by_step.end() ? std::numeric_limits<double>::quiet_NaN() : found->second);
  }
  return values;
}

std::vector<FinishedRun> find_runs(const std::vector<std::filesystem::path>& directories,
                                   std::vector<std::string>* unreadable) {
  std::vector<FinishedRun> runs;
  std::set<std::filesystem::path> seen;
  std::vector<std::string> nothing;  // sentences on directories that hold no finished run
  for (const std::filesystem::path& top : directories) {
    if (!std::filesystem::is_directory(top)) throw UsageError(fmt::format("{} is not a directory", top.string()));
    bool found = false;  // what was given twice counts once, but is found
    const auto take = [&](FinishedRun run) {
      found = true;
      check_result(run);
      if (unreadable != nullptr) check_curve(run);
      if (!seen.insert(std::filesystem::canonical(run.curve.parent_path()) / run.curve.filename()).second) return;
      if (!run.recorded) name_variant(run);
      runs.push_back(std::move(run));
    };
    const auto take_run = [&](const std::filesystem::path& directory) {
      if (!has_file(directory / "config.toml") || !has_file(directory / "result.json")) return;
      const std::optional<RunResult> result = read_result(directory);
      if (!result) return;
      const TomlValues values = TomlValues::from_file(directory / "config.toml");
      FinishedRun run{.directory = directory,
                      .curve = directory / "eval.csv",
                      .experiment = make_experiment(values),
                      .result = *result};
      run.experiment.build = BuildInfo::recorded(values);
      take(std::move(run));
    };
    const Guard guarded = [&](const std::filesystem::path& where, const std::function<void()>& read) {
      if (unreadable == nullptr) return read();
      std::string problem;
      try {
        return read();
      } catch (const std::filesystem::filesystem_error& e) {
        problem = fmt::format("cannot be read: {}", e.code().message());
      } catch (const std::exception& e) {
        problem = e.what();
      }
      found = true;
      unreadable->push_back(fmt::format("{}: {}", where.string(), problem));
    };
    const auto take_recorded = [&](const std::filesystem::path& directory, const std::string& only) {
      const auto wanted = [&](const std::string& variant) { return only.empty() || folder(variant) == only; };
      guarded(directory, [&] {
        if (is_recorded(directory)) read_recorded(directory, wanted, guarded, take);
      });
    };
    const auto consider = [&](const std::filesystem::path& directory) {
      take_recorded(directory, "");
      guarded(directory, [&] { take_run(directory); });
    };
    // Directories that links lead to are considered, but not those below them: links may lead in circles.
    const std::function<void(const std::filesystem::path&)> walk = [&](const std::filesystem::path& directory) {
      std::optional<std::set<std::filesystem::path>> below;
      guarded(directory, [&] {
        std::set<std::filesystem::path> all;
        std::error_code ignored;
        for (const auto& entry : std::filesystem::directory_iterator(directory))
          if (entry.is_directory(ignored)) all.insert(entry.path());
        below = std::move(all);
      });
      if (!below) return;
      consider(directory);
      std::error_code ignored;
      for (const std::filesystem::path& one : *below)
        std::filesystem::is_symlink(one, ignored) ? consider(one) : walk(one);
    };
    walk(top);
    if (!found) {
      const std::filesystem::path whole = std::filesystem::canonical(top);
      take_recorded(whole.parent_path(), whole.filename().string());
    }
    if (!found) nothing.push_back(fmt::format("{} holds no finished run", top.string()));
  }
  if (!nothing.empty() && (unreadable == nullptr || (runs.empty() && unreadable->empty())))
    throw UsageError(nothing.front());
  if (unreadable != nullptr) unreadable->insert(unreadable->end(), nothing.begin(), nothing.end());
  const auto name = [](const FinishedRun& run) { return run.experiment.name; };
  for_groups(runs, name, [](const std::vector<FinishedRun*>& same) {
    std::vector<FinishedRun*> unknown;
    std::copy_if(same.begin(), same.end(), std::back_inserter(unknown),
                 [](const FinishedRun* run) { return !run->known; });
    name_variants(unknown);
  });
  const auto setting = [](const FinishedRun& run) { return std::pair(run.experiment.name, run.variant); };
  for_groups(runs, setting, name_builds);
  std::stable_sort(runs.begin(), runs.end(), [](const FinishedRun& a, const FinishedRun& b) {
    if (a.experiment.name != b.experiment.name) return a.experiment.name < b.experiment.name;
    if (a.variant != b.variant) return natural_less(a.variant, b.variant);
    if (a.build != b.build) return a.build < b.build;
    return a.result.seed < b.result.seed;
  });
  for (std::size_t i = 1; unreadable != nullptr && i < runs.size();) {
    const FinishedRun &first = runs[i - 1], &again = runs[i];
    if (!same_setting(first, again) || first.result.seed != again.result.seed) {
      ++i;
      continue;
    }
    unreadable->push_back(fmt::format("{}: a run of the same setting and seed as {}", again.directory.string(),
                                      first.directory.string()));
    runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return runs;
}

std::string Summary::setting() const {
  if (build.empty()) return variant;
  return fmt::format("{}{}[{}]", variant, variant.empty() ? "" : " ", build);
}

std::vector<Summary> summarise(const std::vector<FinishedRun>& runs) {
  std::vector<Summary> summaries;
  for (const FinishedRun& run : runs) {
    if (summaries.empty() || !same_setting(*summaries.back().runs.back(), run))
      summaries.push_back({run.experiment.name, run.variant, run.build, {}, 0, 0, 0, 0, false});
    std::vector<const FinishedRun*>& group = summaries.back().runs;
    if (!group.empty() && group.back()->result.seed == run.result.seed)
      throw UsageError(fmt::format("{} and {} are runs of the same setting and seed; expected one of them",
                                   group.back()->directory.string(), run.directory.string()));
    group.push_back(&run);
  }
  for (Summary& s : summaries) compute(s);
  return summaries;
}

std::string summary_table(const std::vector<Summary>& summaries) {
  std::size_t name = 10, variant = 7;  // the widths of the columns
  for (const Summary& s : summaries) {
    name = std::max(name, s.experiment.size());
    variant = std::max(variant, s.setting().size());
  }
  const auto line = [&](const std::string& experiment, const std::string& setting, const auto& seeds,
                        const std::string& measured, const std::string& interval, const std::string& steps,
                        const std::string& expected) {
    return fmt::format("{:<{}} {:<{}} {:>5} {:>15} {:>20} {:>11}  {}\n", experiment, name, setting, variant, seeds,
                       measured, interval, steps, expected);
  };
  std::string text = line("experiment", "variant", "seeds", "measured", "95 % interval", "steps", "expected");
  for (const Summary& s : summaries) {
    const FinishedRun& first = *s.runs.front();
    text +=
        line(s.experiment, s.setting(), s.runs.size(),
             fmt::format("{} {:.3f}", first.measures_return() ? "return" : "success", s.value),
             interval_text(s.low, s.high, 3), fmt::format("{:.0f}", s.steps),
             first.expected ? fmt::format(">= {} {}", *first.expected, s.meets_expectation ? "met" : "MISSED") : "");
  }
  return text;
}

std::filesystem::path results_directory() { return experiment_directory() / "results"; }

void record(const std::vector<Summary>& summaries, const std::filesystem::path& directory) {
  for (const Summary& s : summaries) {
    if (!s.build.empty())
      throw UsageError(fmt::format("runs of {} {} are of several builds, one of them {}; expected runs of one build",
                                   s.experiment, s.variant, s.build));
    if (!s.runs.front()->known)
      throw UsageError(
          fmt::format("{} is of the experiment \"{}\", which has no file in {}; expected one to record it by",
                      s.runs.front()->directory.string(), s.experiment, experiment_directory().string()));
  }
  for (const Summary& s : summaries)
    for (const FinishedRun* run : s.runs)
      if (run->recorded)
        throw UsageError(
            fmt::format("{} is recorded already; --record takes run directories", run->directory.string()));
      else if (run->result.revision.ends_with("-dirty") || run->result.revision == "unknown")
        throw UsageError(fmt::format("{} was made by source revision {}; only runs of committed code are recorded",
                                     run->directory.string(), run->result.revision));
  std::map<std::filesystem::path, std::string> variants;  // by the directory that each is recorded in
  const auto claim = [&](const std::filesystem::path& top, const std::string& variant) {
    const auto [place, fresh] = variants.emplace(place_of(top, variant), variant);
    if (place->second != variant)
      throw UsageError(fmt::format("{} would hold two settings, \"{}\" and \"{}\"; expected only one of them",
                                   place->first.string(), place->second, variant));
  };
  std::vector<std::vector<FinishedRun>> earlier(summaries.size());  // of the settings that are recorded again
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const Summary& s = summaries[i];
    check_reads_back(*s.runs.front());
    if (folder(s.variant).size() > NAME_MAX)
      throw UsageError(
          fmt::format("{}: its settings \"{}\" are too long for a directory's name; expected at most {} bytes",
                      s.runs.front()->directory.string(), s.variant, NAME_MAX));
    const std::filesystem::path top = directory / s.experiment;
    claim(top, s.variant);
    if (!has_file(top / "summary.json")) continue;
    const auto wanted = [&](const std::string& variant) {
      claim(top, variant);
      return variant == s.variant;
    };
    read_recorded(
        top, wanted, [](const std::filesystem::path&, const std::function<void()>& read) { read(); },
        [&](FinishedRun run) { earlier[i].push_back(std::move(run)); });
  }
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const Summary& s = summaries[i];
    const std::filesystem::path top = directory / s.experiment, place = place_of(top, s.variant);
    std::filesystem::create_directories(place);
    for (const FinishedRun* run : s.runs)
      write_file_atomically(place / fmt::format("seed_{}.csv", run->result.seed), recorded_curve(*run));
    // One summary per experiment; settings recorded earlier stay.
    const std::filesystem::path file = top / "summary.json";
    const Experiment& e = s.runs.front()->experiment;
    ordered_json summary = {{"experiment", e.name},    {"label", e.label},        {"row", e.source.row},
                            {"paper", e.source.paper}, {"claim", e.source.claim}, {"settings", ordered_json::array()}};
    std::vector<ordered_json> settings;
    if (has_file(file)) {
      const ordered_json recorded = ordered_json::parse(read_file(file));
      for (const ordered_json& old : recorded.at("settings"))
        if (old.at("variant") != s.variant) settings.push_back(old);
    }
    Summary all = s;
    for (const FinishedRun& old : earlier[i])
      if (std::none_of(s.runs.begin(), s.runs.end(),
                       [&](const FinishedRun* run) { return run->result.seed == old.result.seed; }))
        all.runs.push_back(&old);
    for (const FinishedRun* old : all.runs)
      if (const auto found = build_differences(build_of(*old), build_of(*s.runs.front())); !found.empty())
        fmt::print(stderr, "goalpost: {} {}: seed {} was recorded with {} {}, now {}; they are summarised together\n",
                   s.experiment, s.variant, old->result.seed, found.front().what, found.front().a, found.front().b);
    std::sort(all.runs.begin(), all.runs.end(),
              [](const FinishedRun* a, const FinishedRun* b) { return a->result.seed < b->result.seed; });
    compute(all);
    settings.push_back(summary_json(all));
    std::sort(settings.begin(), settings.end(), [](const ordered_json& a, const ordered_json& b) {
      return natural_less(a.at("variant"), b.at("variant"));
    });
    for (ordered_json& one : settings) summary["settings"].push_back(std::move(one));
    write_file_atomically(file, summary.dump(1) + "\n");
  }
}

std::vector<std::filesystem::path> documents_with_tables() {
  std::vector<std::filesystem::path> list = {data_path("README.md")};
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory()))
    if (entry.path().extension() == ".md" && entry.is_regular_file()) list.push_back(entry.path());
  std::sort(list.begin() + 1, list.end());
  return list;
}

std::string with_tables(std::string text) {
  const auto put = [&](std::size_t from, const std::string& table) {  // instead of what stands before the next end
    const std::size_t end = text.find(kTableEnd, from);
    if (end == std::string::npos) throw std::runtime_error(fmt::format("a table of results has no {}", kTableEnd));
    text.replace(from, end - from, "\n" + table);
  };
  if (const std::size_t begin = text.find(kTableBegin); begin != std::string::npos)
    put(begin + sizeof(kTableBegin) - 1, readme_table());
  for (std::size_t begin = 0; (begin = text.find(kPageTableBegin, begin)) != std::string::npos;) {
    begin += sizeof(kPageTableBegin) - 1;
    const std::size_t end = text.find(kWrittenBy, begin);
    if (end == std::string::npos) throw std::runtime_error(fmt::format("a table of results has no{}", kWrittenBy));
    std::istringstream names(text.substr(begin, end - begin));
    put(end + sizeof(kWrittenBy) - 1, page_table({std::istream_iterator<std::string>(names), {}}));
  }
  return text;
}

void renew_tables() {
  for (const std::filesystem::path& document : documents_with_tables())
    write_file_atomically(document, with_tables(read_file(document)));
}

std::string page_table(const std::vector<std::string>& experiments) {
  std::string text =
      "| experiment | what it is | seeds | env steps | IQM [95 % interval] | lowest seed | lowest seed by kind |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const std::string& name : experiments) {
    const std::filesystem::path file = results_directory() / name / "summary.json";
    if (!std::filesystem::exists(file)) {
      text += fmt::format("| `{}` | not recorded | | | | | |\n", name);
      continue;
    }
    const ordered_json summary = ordered_json::parse(read_file(file));
    for (const ordered_json& s : summary.at("settings")) {
      const std::string measure = s.at("measure"), variant = s.at("variant");
      double lowest = std::numeric_limits<double>::infinity(), steps = 0;
      std::vector<Evaluation::Kind> kinds;  // with the success of the lowest seed
      for (const ordered_json& seed : s.at("seeds")) {
        lowest = std::min(lowest, seed.at(measure).get<double>());
        steps += seed.at("steps").get<double>() / static_cast<double>(s.at("seeds").size());
        const std::vector<Evaluation::Kind> of_seed = kinds_of(seed);
        if (kinds.empty()) kinds = of_seed;
        for (std::size_t i = 0; i < std::min(kinds.size(), of_seed.size()); ++i)
          kinds[i].success = std::fmin(kinds[i].success, of_seed[i].success);
      }
      std::string by_kind;
      for (const Evaluation::Kind& k : kinds)
        by_kind += fmt::format("{}{} {}", by_kind.empty() ? "" : ", ", k.name,
                               std::isnan(k.success) ? "none" : fmt::format("{:.2f}", k.success));
      text += fmt::format("| [`{0}`]({0}.toml){1} | {2} | {3} | {4} | {5} | {6:.3f} | {7} |\n", name,
                          variant.empty() ? "" : " with `" + variant + "`", summary.at("label").get<std::string>(),
                          s.at("seeds").size(), short_count(steps), measured_text(s), lowest, by_kind);
    }
  }
  return text;
}

std::string readme_table() {
  std::string text =
      "| row | experiment | setting | seeds | IQM [95 % interval] | env steps | expected |\n"
      "|---|---|---|---|---|---|---|\n";
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(results_directory()))
    for (const auto& entry : std::filesystem::directory_iterator(results_directory()))
      if (std::filesystem::exists(entry.path() / "summary.json")) files.push_back(entry.path() / "summary.json");
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    const ordered_json summary = ordered_json::parse(read_file(file));
    const std::string name = summary.at("experiment");
    const std::set<std::string> axes = axes_of(name);
    int single = 0, changed = 0;
    for (const ordered_json& s : summary.at("settings")) {
      const std::string variant = s.at("variant");
      const bool on_axis =
          variant.find(',') == std::string::npos && axes.contains(variant.substr(0, variant.find('=')));
      if (!variant.empty() && !on_axis) {  // told beside the experiment: here they would bury the results
        ++changed;
        continue;
      }
      const std::size_t seeds = s.at("seeds").size();
      if (seeds < 2 && on_axis) {  // single runs fill a figure; they are no measurement of their own
        ++single;
        continue;
      }
      double steps = 0;
      for (const ordered_json& seed : s.at("seeds"))
        steps += seed.at("steps").get<double>() / static_cast<double>(seeds);
      const ordered_json& expected = s.at("expected");
      const std::string measure = s.at("measure");
      text += fmt::format("| {} | `{}` | {} | {} | {} {} | {} | {} |\n", summary.at("row").get<std::string>(), name,
                          variant, seeds, measure, measured_text(s), short_count(steps),
                          expected.is_null() ? "" : fmt::format(">= {}", expected.get<double>()));
    }
    if (single > 0)
      text += fmt::format("| {} | `{}` | {} more settings, one seed each | 1 | in the figure | | |\n",
                          summary.at("row").get<std::string>(), name, single);
    if (changed > 0)
      text += fmt::format("| {0} | `{1}` | {2} variant{3}, told in [{1}.toml](src/experiments/{1}.toml) | | | | |\n",
                          summary.at("row").get<std::string>(), name, changed, changed == 1 ? "" : "s");
  }
  return text;
}

}  // namespace goalpost
