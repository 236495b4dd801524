// Finding runs, and checking that a report can be made of them.
#include "report/collect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "policy/policy.h"
#include "report/figure_config.h"
#include "report/group.h"
#include "run/build_info.h"
#include "run/experiment.h"
#include "run/run_result.h"
#include "storage/checkpoint.h"
#include "storage/csv.h"
#include "storage/file.h"
#include "storage/run_directory.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

using nlohmann::ordered_json;

// Calls f with the runs of each key.
template <class Key, class F>
void for_groups(std::vector<MeasuredRun>& runs, Key key, F f) {
  std::map<decltype(key(runs.front())), std::vector<MeasuredRun*>> groups;
  for (MeasuredRun& run : runs) groups[key(run)].push_back(&run);
  for (const auto& [ignored, members] : groups) f(members);
}

// @throws std::runtime_error for a number that no run has
void check_result(const MeasuredRun& run) {
  constexpr double kMost = std::numeric_limits<double>::max();
  const char* file = run.recorded ? "summary.json" : kResultFile;
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
  for (const Evaluation::Category& kind : e.categories) {
    check(fmt::format("the number of episodes of {}", kind.name), kind.episodes, 0, kMost);
    if (!std::isnan(kind.success)) check(fmt::format("success of {}", kind.name), kind.success, 0, 1);
  }
  check("steps", static_cast<double>(p.step), 0, kMost);
  check("episodes", static_cast<double>(p.episodes), 0, kMost);
  check("updates", static_cast<double>(p.updates), 0, kMost);
  check("wall_seconds", p.wall_seconds, 0, kMost);
}

// @throws std::runtime_error if the evaluations of a run, or what training has measured, cannot be drawn
void check_curve(const MeasuredRun& run) {
  static_cast<void>(has_file(run.curve));
  for (const char* x : {"step", "wall_seconds"}) evaluations_of(run, x);
  for (const Measure& m : kMeasures) read_measure(run, m);
}

bool has_evaluations(const std::filesystem::path& directory) {
  return has_file(directory / kEvalCurve) && read_csv(directory / kEvalCurve).rows() > 0;
}

// What a run without a result has done up to its last evaluation.
// Transitions of training before a policy was saved, which is at every end; 0 if the file does not say.
std::int64_t step_of_policy(const std::filesystem::path& directory) {
  try {
    return ordered_json::parse(read_state_text(directory / kPolicyFile, kPolicyKind, kPolicyAbout)).at("step");
  } catch (const std::exception&) {
    return 0;
  }
}

RunResult result_up_to_now(const MeasuredRun& run) {
  RunResult r;
  r.experiment = run.experiment.name;
  r.seed = run.experiment.seed;
  r.revision = run.experiment.build.revision;
  r.cpu = run.experiment.build.cpu;
  r.end = is_locked(run.directory) ? "running" : "interrupted";
  r.progress.step = static_cast<std::int64_t>(evaluations_of(run, "step").x.back());
  if (r.end == "interrupted") r.progress.step = std::max(r.progress.step, step_of_policy(run.directory));
  r.progress.wall_seconds = evaluations_of(run, "wall_seconds").x.back();
  return r;
}

bool lies_below(const std::filesystem::path& directory, const std::filesystem::path& top) {
  const std::filesystem::path way =
      std::filesystem::weakly_canonical(directory).lexically_relative(std::filesystem::weakly_canonical(top));
  return !way.empty() && *way.begin() != "..";
}

// Whether a directory holds recorded results, rather than somebody's own summary.json.
bool is_recorded(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "summary.json";
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) && read_file(file).find("\"settings\"") != std::string::npos;
}

}  // namespace

std::vector<double> read_measure(const MeasuredRun& run, const Measure& measure) {
  const CsvTable curve = read_csv(run.curve);
  if (curve.has(measure.column)) return curve.column(measure.column);
  const std::filesystem::path file = run.directory / kTrainCurve;
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

Curve evaluations_of(const MeasuredRun& run, const char* x) {
  Curve curve;
  try {
    const CsvTable table = read_csv(run.curve);
    if (table.rows() == 0) throw UsageError(fmt::format("{} holds no evaluation", run.curve.string()));
    curve = {table.column(x), table.column(run.measures_return() ? "return" : "success")};
  } catch (const std::runtime_error& e) {
    throw UsageError(e.what());
  }
  for (const std::vector<double>* numbers : {&curve.x, &curve.y})
    for (const double number : *numbers)
      if (!std::isfinite(number))
        throw UsageError(fmt::format("{}: a number of an evaluation is missing or not finite", run.curve.string()));
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    if (curve.x[i] < (i == 0 ? 0 : curve.x[i - 1]))
      throw UsageError(fmt::format("{}: {} = {} after {}; expected numbers from 0 on that do not fall",
                                   run.curve.string(), x, shortest(curve.x[i]), i == 0 ? 0 : curve.x[i - 1]));
    if (!run.measures_return() && (curve.y[i] < 0 || curve.y[i] > 1))
      throw UsageError(
          fmt::format("{}: success = {}; expected a number from 0 to 1", run.curve.string(), shortest(curve.y[i])));
  }
  return curve;
}

std::string folder(const std::string& variant) {
  std::string name = variant;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ' '; }, '_');
  return name;
}

std::filesystem::path place_of(const std::filesystem::path& top, const std::string& variant) {
  return variant.empty() ? top : top / folder(variant);
}

void read_recorded(const std::filesystem::path& top, const std::function<bool(const std::string& variant)>& wanted,
                   const Guard& guarded, const std::function<void(MeasuredRun)>& take) {
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
      const std::string recorded_as = setting.at("variant");
      const std::filesystem::path place = place_of(top, recorded_as);
      MeasuredRun run{.directory = place,
                      .curve = place / fmt::format("seed_{}.csv", seed.at("seed").get<std::int64_t>()),
                      .recorded = true,
                      .experiment = changed_experiment(name, changes_of(recorded_as, {})),
                      .result = {},
                      .recorded_as = recorded_as};
      run.variant = present_variant(recorded_as, run.experiment);
      run.changes = changes_of(run.variant, axes);
      if (!has_file(run.curve))
        throw UsageError(fmt::format("{} names {}, which is missing", file.string(), run.curve.string()));
      Experiment& e = run.experiment;
      e.seed = seed.at("seed");
      e.source.row = summary.at("row");
      e.source.paper = summary.at("paper");
      e.source.claim = summary.at("claim");
      if (!setting.at("expected").is_null()) run.expected = setting.at("expected").get<double>();
      const double of_file = e.source.expected_return.value_or(0);
      e.source.expected_return.reset();
      if (setting.at("measure") == "return") e.source.expected_return = run.expected.value_or(of_file);
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
                 .mean_return = seed.at("return"),
                 .length = seed.at("length"),
                 .categories = categories_of(seed)};
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

std::vector<MeasuredRun> find_runs(const std::vector<std::filesystem::path>& directories,
                                   std::vector<std::string>* unreadable, std::vector<MeasuredRun>* unfinished,
                                   const std::filesystem::path& baseline) {
  std::vector<MeasuredRun> runs;
  std::set<std::filesystem::path> seen;
  std::vector<std::string> nothing;  // sentences on directories that hold no finished run
  for (const std::filesystem::path& top : directories) {
    if (!std::filesystem::is_directory(top)) throw UsageError(fmt::format("{} is not a directory", top.string()));
    bool found = false;  // what was given twice counts once, but is found
    const auto take = [&](MeasuredRun run) {
      found = true;
      if (run.finished) check_result(run);
      if (unreadable != nullptr) check_curve(run);
      if (!seen.insert(std::filesystem::canonical(run.curve.parent_path()) / run.curve.filename()).second) return;
      run.baseline = !baseline.empty() && lies_below(run.directory, baseline);
      if (!run.recorded) name_variant(run);
      runs.push_back(std::move(run));
    };
    const auto take_run = [&](const std::filesystem::path& directory) {
      if (!has_file(directory / kConfigFile)) return;
      const std::optional<RunResult> result = has_file(directory / kResultFile) ? read_result(directory) : std::nullopt;
      if (!result && (unfinished == nullptr || !has_evaluations(directory))) return;
      const TomlValues values = TomlValues::from_file(directory / kConfigFile);
      MeasuredRun run{.directory = directory,
                      .curve = directory / kEvalCurve,
                      .finished = result.has_value(),
                      .experiment = make_experiment(values),
                      .result = result.value_or(RunResult())};
      run.experiment.build = BuildInfo::recorded(values);
      if (!result) run.result = result_up_to_now(run);
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
    if (!found)
      nothing.push_back(fmt::format("{} holds no {}", top.string(),
                                    unfinished == nullptr ? "finished run" : "run that has been evaluated"));
  }
  if (!nothing.empty() && (unreadable == nullptr || (runs.empty() && unreadable->empty())))
    throw UsageError(nothing.front());
  if (unreadable != nullptr) unreadable->insert(unreadable->end(), nothing.begin(), nothing.end());
  const auto name = [](const MeasuredRun& run) { return run.experiment.name; };
  for_groups(runs, name, [](const std::vector<MeasuredRun*>& same) {
    std::vector<MeasuredRun*> unknown;
    std::copy_if(same.begin(), same.end(), std::back_inserter(unknown),
                 [](const MeasuredRun* run) { return !run->known && !run->pair; });
    name_variants(unknown);
  });
  const auto setting = [](const MeasuredRun& run) { return std::pair(run.experiment.name, run.variant); };
  for_groups(runs, setting, name_builds);
  std::stable_sort(runs.begin(), runs.end(), [](const MeasuredRun& a, const MeasuredRun& b) {
    if (a.experiment.name != b.experiment.name) return a.experiment.name < b.experiment.name;
    if (a.variant != b.variant) return natural_less(a.variant, b.variant);
    if (a.build != b.build) return a.build < b.build;
    if (a.finished != b.finished) return a.finished;
    if (!a.finished && a.result.end != b.result.end) return a.result.end < b.result.end;
    return a.result.seed < b.result.seed;
  });
  for (std::size_t i = 1; unreadable != nullptr && i < runs.size();) {
    const MeasuredRun &first = runs[i - 1], &again = runs[i];
    if (!same_setting(first, again) || first.result.seed != again.result.seed) {
      ++i;
      continue;
    }
    unreadable->push_back(fmt::format("{}: a run of the same setting and seed as {}", again.directory.string(),
                                      first.directory.string()));
    runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (unfinished != nullptr) {
    const auto first = std::stable_partition(runs.begin(), runs.end(), [](const MeasuredRun& r) { return r.finished; });
    unfinished->assign(std::make_move_iterator(first), std::make_move_iterator(runs.end()));
    runs.erase(first, runs.end());
  }
  return runs;
}

std::string state_text(const MeasuredRun& run) {
  const TrainConfig& train = run.experiment.train;
  const std::string steps = format_thousands(static_cast<double>(run.result.progress.step));
  if (train.total_episodes > 0)
    return fmt::format("{}, {} steps; it ends after {} episodes or {} steps", run.result.end, steps,
                       format_thousands(static_cast<double>(train.total_episodes)),
                       format_thousands(static_cast<double>(train.total_steps)));
  return fmt::format("{}, {} of {} steps", run.result.end, steps,
                     format_thousands(static_cast<double>(train.total_steps)));
}

}  // namespace goalpost
