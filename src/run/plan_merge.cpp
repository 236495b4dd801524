// Comparing and copying the runs of plans.
#include "run/plan_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "core/check.h"
#include "run/build_info.h"
#include "run/claim.h"
#include "run/run_result.h"
#include "storage/csv.h"
#include "storage/file.h"
#include "storage/hdf5_file.h"
#include "storage/run_directory.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

// @throws UsageError
void expect_same_plan(const Plan& a, const Plan& b) {
  const auto wrong = [&](const std::string& what) {
    return UsageError(fmt::format("{} and {} hold different plans: {}; expected copies of one plan",
                                  a.directory.string(), b.directory.string(), what));
  };
  if (a.runs.size() != b.runs.size()) throw wrong(fmt::format("{} and {} runs", a.runs.size(), b.runs.size()));
  for (std::size_t i = 0; i < a.runs.size(); ++i) {
    const PlannedRun &x = a.runs[i], &y = b.runs[i];
    if (x.name() != y.name()) throw wrong(fmt::format("run {} is {} and {}", i, x.name(), y.name()));
    if (x.config == y.config) continue;
    const auto found = differences(experiment_of(x), a.directory.string(), experiment_of(y), b.directory.string(),
                                   [](const FieldText& f) { return f.affects_results; });
    if (!found.empty()) throw wrong(found.front());
  }
}

// A run in one of the directories.
struct Place {
  const PlannedRun* run;
  RunState state;
  bool finished;
  std::string result;  // of a finished run, without times
};

// What a finished run has come to, but for times. @throws std::runtime_error if a file is missing or not whole
std::string result_of(const std::filesystem::path& directory) {
  const std::optional<RunResult> r = read_result(directory);
  const CsvTable eval = read_csv(directory / kEvalCurve), train = read_csv(directory / kTrainCurve);
  if (eval.rows() == 0 || eval.rows() != train.rows())
    throw std::runtime_error(fmt::format("{} evaluations and {} rows of {}; it may have been copied in part",
                                         eval.rows(), train.rows(), kTrainCurve));
  Hdf5File::open(directory / kPolicyFile);
  nlohmann::ordered_json json = to_json(*r);
  json.erase("wall_seconds");
  std::string text = json.dump();
  for (const std::string& name : eval.names)
    if (name != "wall_seconds")
      for (const double value : eval.column(name)) text += fmt::format("\n{} {}", name, value);
  return text;
}

// None if nothing is there. @throws UsageError or std::runtime_error if it is something else, or not whole
std::optional<Place> place_of(const PlannedRun& run) {
  if (!std::filesystem::exists(std::filesystem::symlink_status(run.directory))) return std::nullopt;
  if (std::filesystem::is_directory(run.directory) && std::filesystem::is_empty(run.directory)) return std::nullopt;
  if (!has_file(run.directory / kConfigFile)) throw UsageError("it is no run");
  if (const std::string problem = difference_from_plan(run, true); !problem.empty()) throw UsageError(problem);
  const bool finished = has_file(run.directory / kResultFile);
  return Place{.run = &run,
               .state = saved_state_of(run, experiment_of(run)),
               .finished = finished,
               .result = finished ? result_of(run.directory) : ""};
}

// Empty, or the first lines in which two results differ.
std::string result_difference(const std::string& a, const std::string& b) {
  std::istringstream x(a), y(b);
  for (std::string p, q;;) {
    const bool more_p = static_cast<bool>(std::getline(x, p)), more_q = static_cast<bool>(std::getline(y, q));
    if (!more_p && !more_q) return "";
    if (more_p != more_q) return "one has more evaluations";
    if (p != q) return fmt::format("{} and {}", p, q);
  }
}

// In the place of nothing, or of a run of which there is less.
void copy_run(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to.parent_path());
  const std::filesystem::path part = to.string() + ".part", old = to.string() + ".old";
  std::filesystem::remove_all(part);  // of a copy that was interrupted
  std::filesystem::copy(from, part, std::filesystem::copy_options::recursive);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(part))
    if (entry.is_regular_file()) sync_file(entry.path());
  const bool replaces = std::filesystem::exists(to);
  if (replaces) {
    std::filesystem::remove_all(old);
    std::filesystem::rename(to, old);
  }
  std::filesystem::rename(part, to);
  sync_directory(to.parent_path());
  if (replaces) std::filesystem::remove_all(old);
}

}  // namespace

Collected merge_plans(const std::vector<std::filesystem::path>& directories, const std::filesystem::path& out,
                      bool mixed) {
  std::vector<Plan> plans;
  for (const std::filesystem::path& directory : directories) plans.push_back(read_plan(directory));
  const bool has_plan = std::filesystem::exists(out / kPlanFile);
  if (has_plan) plans.insert(plans.begin(), read_plan(out));
  for (const Plan& plan : plans) expect_same_plan(plans.front(), plan);

  // What is to be where, and whether it fits together, before anything is copied.
  Collected collected;
  ClaimWatch watch;
  std::vector<std::optional<Place>> chosen(plans.front().runs.size());
  std::vector<bool> left_alone(chosen.size());  // a process works at it in `out`
  std::optional<std::pair<std::filesystem::path, BuildInfo>> first;
  for (std::size_t i = 0; i < chosen.size(); ++i)
    for (const Plan& plan : plans) {
      const PlannedRun& run = plan.runs[i];
      const bool is_out = has_plan && &plan == &plans.front();
      std::optional<Place> place;
      if (const auto holder = holder_of(run.directory);
          !std::filesystem::exists(run.directory / kResultFile) && holder && !watch.is_over(*holder)) {
        collected.notes.push_back(
            fmt::format("{}: {} is training it; left out", run.directory.string(), holder->text()));
        if (is_out) left_alone[i] = true;
        continue;
      }
      try {
        place = place_of(run);
      } catch (const std::exception& e) {
        const std::string sentence = fmt::format("{}: {}", run.directory.string(), e.what());
        if (is_out) throw UsageError(sentence + "; expected the plan's run there, or nothing");
        collected.notes.push_back(sentence + "; left out");
      }
      if (!place) continue;
      if (place->finished) {
        const BuildInfo build = BuildInfo::recorded(TomlValues::from_file(run.directory / kConfigFile));
        if (!first) first.emplace(run.directory, build);
        const std::vector<BuildDifference> found = build_differences(first->second, build);
        if (!found.empty() && !mixed)
          throw UsageError(fmt::format(
              "{} was made with {} {}, {} with {}; expected runs of one build and processor, "
              "or --mixed",
              first->first.string(), found.front().what, found.front().a, run.directory.string(), found.front().b));
      }
      std::optional<Place>& best = chosen[i];
      if (best && best->finished && place->finished)
        if (const std::string problem = result_difference(best->result, place->result); !problem.empty()) {
          const std::string sentence = fmt::format("{} and {} have other results: {}", best->run->directory.string(),
                                                   run.directory.string(), problem);
          if (!mixed) throw UsageError(sentence + "; expected the same bits, or --mixed, which takes the first");
          collected.notes.push_back(sentence + "; the first is taken");
        }
      if (!best || (!best->finished && (place->finished || place->state.done > best->state.done))) best = place;
    }

  Plan merged = plans.front();
  merged.directory = out;
  for (std::size_t i = 0; i < merged.runs.size(); ++i)
    merged.runs[i].directory = out / plans.front().runs[i].directory.lexically_relative(plans.front().directory);
  make_directories(out);
  const DirectoryLock lock(out);
  if (!std::filesystem::exists(out / kPlanFile)) write_plan(merged, false);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::filesystem::path& to = merged.runs[i].directory;
    if (left_alone[i]) {
      collected.missing.push_back(fmt::format("{}: running", merged.runs[i].name()));
      continue;
    }
    if (!chosen[i]) {
      std::optional<std::string> failure;
      for (const Plan& plan : plans)
        if (!failure) failure = failure_of(plan.runs[i]);
      collected.missing.push_back(
          fmt::format("{}: {}", merged.runs[i].name(), failure ? "failed: " + *failure : "not begun"));
      continue;
    }
    const PlannedRun& from = *chosen[i]->run;
    if (!std::filesystem::exists(to) || !std::filesystem::equivalent(from.directory, to)) {
      const std::optional<Claim> claim = Claim::take(to, watch);  // nobody begins it meanwhile
      if (!claim) {
        collected.missing.push_back(fmt::format("{}: running", merged.runs[i].name()));
        continue;
      }
      copy_run(from.directory, to);
      ++collected.copied;
    }
    if (chosen[i]->finished) {
      ++collected.finished;
    } else {
      const RunState& s = chosen[i]->state;
      const auto failure = failure_of(from);
      collected.missing.push_back(fmt::format(
          "{}: {}", merged.runs[i].name(),
          failure ? "failed: " + *failure
                  : fmt::format("interrupted, {} of {} {}", s.done, s.total, s.by_episodes ? "episodes" : "steps")));
    }
  }
  return collected;
}

}  // namespace goalpost
