// Comparing and copying the runs of plans.
#include "run/plan_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <system_error>

#include "core/check.h"
#include "run/build_info.h"
#include "run/claim.h"
#include "run/run_result.h"
#include "storage/csv.h"
#include "storage/file.h"
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
};

std::optional<Place> place_of(const PlannedRun& run) {
  if (!std::filesystem::exists(run.directory / kConfigFile)) return std::nullopt;
  return Place{.run = &run,
               .state = state_of(run, experiment_of(run)),
               .finished = std::filesystem::exists(run.directory / kResultFile)};
}

// Empty, or in what two finished runs of one seed differ.
std::string result_difference(const Place& a, const Place& b) {
  const CsvTable x = read_csv(a.run->directory / kEvalCurve), y = read_csv(b.run->directory / kEvalCurve);
  for (const std::string& name : x.names) {
    if (name == "wall_seconds" || !y.has(name)) continue;
    const std::vector<double>&p = x.column(name), &q = y.column(name);
    if (p.size() != q.size()) return fmt::format("{} and {} evaluations", p.size(), q.size());
    for (std::size_t i = 0; i < p.size(); ++i)
      if (p[i] != q[i] && !(p[i] != p[i] && q[i] != q[i]))
        return fmt::format("{} {} and {} at step {}", name, p[i], q[i], x.column("step")[i]);
  }
  return "";
}

void copy_run(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to.parent_path());
  const std::filesystem::path part = to.string() + ".part";
  std::filesystem::remove_all(part);  // of a copy that was interrupted
  std::filesystem::copy(from, part, std::filesystem::copy_options::recursive);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(part))
    if (entry.is_regular_file()) sync_file(entry.path());
  std::filesystem::rename(part, to);
  sync_directory(to.parent_path());
}

}  // namespace

Collected merge_plans(const std::vector<std::filesystem::path>& directories, const std::filesystem::path& out,
                      bool mixed) {
  std::vector<Plan> plans;
  for (const std::filesystem::path& directory : directories) plans.push_back(read_plan(directory));
  if (std::filesystem::exists(out / kPlanFile)) plans.insert(plans.begin(), read_plan(out));
  for (const Plan& plan : plans) expect_same_plan(plans.front(), plan);

  // What is to be where, and whether it fits together, before anything is copied.
  Collected collected;
  ClaimWatch watch;
  std::vector<std::optional<Place>> chosen(plans.front().runs.size());
  std::optional<std::pair<std::filesystem::path, BuildInfo>> first;
  for (std::size_t i = 0; i < chosen.size(); ++i)
    for (const Plan& plan : plans) {
      const PlannedRun& run = plan.runs[i];
      const std::optional<Place> place = place_of(run);
      if (!place) continue;
      if (const auto holder = holder_of(run.directory); !place->finished && holder && !watch.is_over(*holder)) {
        collected.notes.push_back(fmt::format("{}: {} works at it; left out", run.directory.string(), holder->text()));
        continue;
      }
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
        if (const std::string problem = result_difference(*best, *place); !problem.empty()) {
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
  std::filesystem::create_directories(out);
  if (!std::filesystem::exists(out / kPlanFile)) write_plan(merged, true);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::filesystem::path& to = merged.runs[i].directory;
    if (!chosen[i]) {
      const std::optional<std::string> failure = [&]() -> std::optional<std::string> {
        for (const Plan& plan : plans)
          if (const auto sentence = failure_of(plan.runs[i])) return sentence;
        return std::nullopt;
      }();
      collected.missing.push_back(
          fmt::format("{}: {}", merged.runs[i].name(), failure ? "failed: " + *failure : "not begun"));
      continue;
    }
    const PlannedRun& from = *chosen[i]->run;
    if (!std::filesystem::exists(to) || !std::filesystem::equivalent(from.directory, to)) {
      if (std::filesystem::exists(to)) {  // an unfinished run, of which there is more elsewhere
        const std::filesystem::path old = to.string() + ".old";
        std::filesystem::remove_all(old);
        std::filesystem::rename(to, old);
        copy_run(from.directory, to);
        std::filesystem::remove_all(old);
      } else {
        copy_run(from.directory, to);
      }
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
