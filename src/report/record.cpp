// Writing recorded results, and the checks before that.
#include "report/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/config.h"
#include "core/text.h"
#include "report/collect.h"
#include "run/build_info.h"
#include "run/experiment.h"
#include "run/run_result.h"
#include "storage/config_text.h"
#include "storage/csv.h"
#include "storage/file.h"

namespace goalpost {
namespace {

using nlohmann::ordered_json;

ordered_json summary_json(const Summary& s) {
  ordered_json seeds = ordered_json::array();
  for (const MeasuredRun* run : s.runs) {
    const RunResult& r = run->result;
    seeds.push_back({{"seed", r.seed},
                     {"success", r.final.success},
                     {"success_any", r.final.success_any},
                     {"return", r.final.mean_return},
                     {"length", r.final.length},
                     {"kinds", to_json(r.final.categories)},
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
  const MeasuredRun& first = *s.runs.front();
  return {{"variant", s.variant},
          {"measure", first.measures_return() ? "return" : "success"},
          {"expected", first.expected ? ordered_json(*first.expected) : ordered_json()},
          {"interquartile_mean", s.value},
          {"interval_95", std::isnan(s.low) ? ordered_json() : ordered_json({s.low, s.high})},
          {"seeds", seeds}};
}

// Column by column what is kept of a run: its evaluations, and what training has measured up to each of them.
std::string recorded_curve(const MeasuredRun& run) {
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

// @throws UsageError if a run's variant is not read back to the run's settings
void check_reads_back(const MeasuredRun& run) {
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

std::filesystem::path results_directory() { return experiment_directory() / "results"; }

bool record(const std::vector<Summary>& summaries, const std::filesystem::path& directory) {
  const auto all_recorded = [](const Summary& s) {
    return std::all_of(s.runs.begin(), s.runs.end(), [](const MeasuredRun* run) { return run->recorded; });
  };
  if (std::all_of(summaries.begin(), summaries.end(), all_recorded)) return false;
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
    for (const MeasuredRun* run : s.runs)
      if (run->recorded)
        throw UsageError(
            fmt::format("{} is recorded already; --record takes run directories", run->directory.string()));
      else if (run->result.revision.find("-dirty") != std::string::npos || run->result.revision == "unknown")
        throw UsageError(fmt::format("{} was made by source revision {}; only runs of committed code are recorded",
                                     run->directory.string(), run->result.revision));
  std::map<std::filesystem::path, std::string> variants;  // by the directory that each is recorded in
  const auto claim = [&](const std::filesystem::path& top, const std::string& variant) {
    const auto [place, fresh] = variants.emplace(place_of(top, variant), variant);
    if (place->second != variant)
      throw UsageError(fmt::format("{} would hold two settings, \"{}\" and \"{}\"; expected only one of them",
                                   place->first.string(), place->second, variant));
  };
  std::vector<std::vector<MeasuredRun>> earlier(summaries.size());  // of the settings that are recorded again
  std::vector<std::string> recorded_as(summaries.size());           // their variants: those of earlier ones stay
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const Summary& s = summaries[i];
    check_reads_back(*s.runs.front());
    if (folder(s.variant).size() > NAME_MAX)
      throw UsageError(
          fmt::format("{}: its settings \"{}\" are too long for a directory's name; expected at most {} bytes",
                      s.runs.front()->directory.string(), s.variant, NAME_MAX));
    const std::filesystem::path top = directory / s.experiment;
    claim(top, s.variant);
    recorded_as[i] = s.variant;
    if (!has_file(top / "summary.json")) continue;
    const auto wanted = [&](const std::string& variant) {
      claim(top, variant);
      if (present_variant(variant, s.runs.front()->experiment) != s.variant) return false;
      recorded_as[i] = variant;
      return true;
    };
    read_recorded(
        top, wanted, [](const std::filesystem::path&, const std::function<void()>& read) { read(); },
        [&](MeasuredRun run) { earlier[i].push_back(std::move(run)); });
  }
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const Summary& s = summaries[i];
    const std::filesystem::path top = directory / s.experiment, place = place_of(top, recorded_as[i]);
    std::filesystem::create_directories(place);
    for (const MeasuredRun* run : s.runs)
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
        if (old.at("variant") != recorded_as[i]) settings.push_back(old);
    }
    Summary all = s;
    all.variant = recorded_as[i];
    for (const MeasuredRun& old : earlier[i])
      if (std::none_of(s.runs.begin(), s.runs.end(),
                       [&](const MeasuredRun* run) { return run->result.seed == old.result.seed; }))
        all.runs.push_back(&old);
    for (const MeasuredRun* old : all.runs)
      if (const auto found = build_differences(build_of(*old), build_of(*s.runs.front())); !found.empty())
        print_error(fmt::format(
            "goalpost: {} {}: seed {} was recorded with {} {}, now {}; they are summarized together", s.experiment,
            s.variant, old->result.seed, found.front().what, found.front().a, found.front().b));
    std::sort(all.runs.begin(), all.runs.end(),
              [](const MeasuredRun* a, const MeasuredRun* b) { return a->result.seed < b->result.seed; });
    compute(all);
    settings.push_back(summary_json(all));
    std::sort(settings.begin(), settings.end(), [](const ordered_json& a, const ordered_json& b) {
      return natural_less(a.at("variant"), b.at("variant"));
    });
    for (ordered_json& one : settings) summary["settings"].push_back(std::move(one));
    write_file_atomically(file, summary.dump(1) + "\n");
  }
  return true;
}

}  // namespace goalpost
