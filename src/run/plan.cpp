// Writing and reading plans, and looking at their runs.
#include "run/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "run/resume.h"
#include "run/run_parts.h"
#include "run/run_result.h"
#include "storage/config_text.h"
#include "storage/csv.h"
#include "storage/file.h"
#include "storage/toml.h"
#include "train/config.h"

namespace goalpost {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;

// Empty, or what sets a run apart from the one that is wanted.
std::string difference(const Experiment& there, const Experiment& wanted, bool any_build) {
  const auto found = differences(there, "the existing run", wanted, "this command",
                                 [](const FieldText& f) { return f.affects_results; });
  if (!found.empty()) return found.front();
  if (any_build) return "";
  for (const auto& [what, a, b] : build_differences(there.build, wanted.build))
    return what == "resumed"  ? fmt::format("it was resumed {}", a)
           : what == "inputs" ? fmt::format("it began with {}, but the files have changed: {}", a, b)
                              : fmt::format("its {} is {}, but {} in this program", what, a, b);
  return "";
}

Experiment experiment_in(const std::filesystem::path& directory) {
  const TomlValues values = TomlValues::from_file(directory / kConfigFile);
  Experiment there = make_experiment(values);
  there.build = BuildInfo::recorded(values);
  return there;
}

// Whether a run was killed before it had written its configuration.
bool not_begun(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kConfigFile;
  return std::distance(std::filesystem::directory_iterator(directory), {}) == 1 && std::filesystem::exists(file) &&
         std::filesystem::file_size(file) == 0;
}

std::string identity_in(const PlannedRun& run, const BuildInfo& build) {
  Experiment e = experiment_of(run);
  e.build = build;
  return e.identity();
}

// A path of plan.json, which leads nowhere else.
std::filesystem::path inside(const std::filesystem::path& directory, const std::string& path) {
  const std::filesystem::path relative = std::filesystem::path(path).lexically_normal();
  if (relative.empty() || relative.is_absolute() || *relative.begin() == ".." || relative == ".")
    throw UsageError(fmt::format("{}: the run directory \"{}\"; expected one below the plan's",
                                 (directory / kPlanFile).string(), path));
  return directory / relative;
}

}  // namespace

std::string PlannedRun::name() const {
  return fmt::format("{}{}{} seed {}", experiment, setting.empty() ? "" : " ", setting, seed);
}

Experiment experiment_of(const PlannedRun& run) {
  TomlValues values = TomlValues::from_text(run.config, run.config_file().string());
  values.set(fmt::format("seed={}", run.seed));
  return make_experiment(values);
}

std::optional<std::string> failure_of(const PlannedRun& run) {
  if (!std::filesystem::exists(run.failure_file())) return std::nullopt;
  std::string sentence = read_file(run.failure_file());
  sentence.erase(sentence.find_last_not_of('\n') + 1);
  return sentence;
}

RunState state_of(const PlannedRun& run, const Experiment& experiment) {
  RunState state;
  const TrainConfig& train = experiment.train;
  state.by_episodes = experiment.ends_by_episodes();
  state.total = state.by_episodes ? train.total_episodes : train.total_steps;
  const std::filesystem::path file = run.directory / kEvalCurve;
  if (!std::filesystem::exists(file)) return state;
  const CsvTable curve = read_csv(file);
  if (curve.rows() == 0) return state;
  state.evaluated = true;
  state.trained = curve.column("step").back() > 0;
  state.done = static_cast<std::int64_t>(curve.column(state.by_episodes ? "episodes" : "step").back());
  state.seconds = curve.column("wall_seconds").back();
  state.rate = state.seconds > 0 ? static_cast<double>(state.done) / state.seconds : 0;
  state.success = curve.column("success").back();
  state.mean_return = curve.column("return").back();
  return state;
}

RunState saved_state_of(const PlannedRun& run, const Experiment& experiment) {
  RunState state = state_of(run, experiment);
  if (const std::optional<SavedProgress> saved = saved_progress(run.directory))
    state.done = std::max(state.done, state.by_episodes ? saved->episodes : saved->steps);
  return state;
}

std::string difference_from_plan(const PlannedRun& run, bool any_build) {
  return difference(experiment_in(run.directory), experiment_of(run), any_build);
}

bool finished_earlier(PlannedRun& run, const char* purpose, const std::function<void(const std::string&)>& tell,
                      bool any_build) {
  const std::filesystem::path& directory = run.directory;
  if (!std::filesystem::exists(directory) || std::filesystem::is_empty(directory)) return false;
  const std::string advice = "; choose another --out or move the directory";
  const std::filesystem::path file = directory / kConfigFile;
  Experiment wanted = experiment_of(run);
  try {
    std::optional<DirectoryLock> lock;
    if (!std::filesystem::exists(directory / kResultFile))
      lock.emplace(directory);  // others may look at a finished run
    for (const char* name : {kConfigFile, kResultFile, kEvalCurve}) static_cast<void>(has_file(directory / name));
    if (not_begun(directory)) {
      std::filesystem::remove(file);
      return false;
    }
    const Experiment there = experiment_in(directory);
    if (!there.build.inputs.empty()) try {
        wanted.build.inputs = inputs_of(wanted);
      } catch (const std::exception& e) {
        tell(fmt::format("{}: {}; the files that it began with are not compared", directory.string(), e.what()));
      }
    if (const std::string problem = difference(there, wanted, any_build); !problem.empty()) throw UsageError(problem);
    if (const std::string unknown = unknown_of(there.build); !unknown.empty())
      tell(fmt::format("{}: of an earlier version, which did not note its build's {}; not compared", directory.string(),
                       unknown));
    if (read_result(directory)) return true;
    if (const std::string problem = resume_problem(directory, wanted); !problem.empty()) throw UsageError(problem);
  } catch (const std::exception& e) {
    throw UsageError(fmt::format("{} cannot be used for {}: {}{}", directory.string(), purpose, e.what(), advice));
  }
  run.resume = true;
  tell(fmt::format("{}: unfinished; it continues", directory.string()));
  return false;
}

void write_plan(const Plan& plan, bool replace) {
  ordered_json build = ordered_json::object();
  for (const FieldText& f : fields_of(plan.build))
    if (f.path != "identity" && f.path != "resumed" && f.path != "inputs")
      build[f.path] = ordered_json::parse(f.value);  // texts
  ordered_json runs = ordered_json::array();
  std::set<std::filesystem::path> directories;
  for (const PlannedRun& run : plan.runs) {
    if (!directories.insert(run.directory).second)
      throw UsageError(fmt::format("{}: two runs of the plan would have this directory; expected settings that differ",
                                   run.directory.string()));
    runs.push_back({{"directory", run.directory.lexically_relative(plan.directory).generic_string()},
                    {"experiment", run.experiment},
                    {"setting", run.setting},
                    {"seed", run.seed},
                    {"identity", identity_in(run, plan.build)}});
  }
  if (!replace && std::filesystem::exists(plan.directory / kPlanFile))
    throw UsageError(
        fmt::format("{} holds a plan already; `goalpost work {}` trains its runs; for another plan choose "
                    "another --out",
                    plan.directory.string(), plan.directory.string()));
  std::set<std::filesystem::path> written;
  for (const PlannedRun& run : plan.runs) {
    const std::filesystem::path file = run.config_file();
    if (!written.insert(file).second) continue;
    if (!replace && std::filesystem::exists(file) && read_file(file) != run.config)
      throw UsageError(fmt::format("{} is of another plan; expected a new directory", file.string()));
    std::filesystem::create_directories(file.parent_path());
    write_file_atomically(file, run.config);
  }
  ordered_json json;
  json["goalpost_plan"] = kVersion;
  json["build"] = build;
  json["runs"] = runs;
  write_file_atomically(plan.directory / kPlanFile, json.dump(1) + "\n");
}

Plan read_plan(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kPlanFile;
  try {
    if (!std::filesystem::is_directory(directory))
      throw UsageError(fmt::format("{} is not a directory; expected one made by `goalpost plan`", directory.string()));
    if (!std::filesystem::is_regular_file(file))
      throw UsageError(
          fmt::format("{} holds no {}; expected a directory made by `goalpost plan`", directory.string(), kPlanFile));
    const ordered_json json = ordered_json::parse(read_file(file));
    if (json.at("goalpost_plan") != kVersion)
      throw UsageError(fmt::format("{}: version {} of plans; expected {}", file.string(),
                                   json.at("goalpost_plan").dump(), kVersion));
    Plan plan{.directory = directory, .build = {}, .runs = {}};
    TomlValues build;
    for (const auto& [name, value] : json.at("build").get<std::map<std::string, std::string>>())
      build.put("build." + name, {value, file.string()});
    plan.build = BuildInfo::recorded(build);
    if (!json.at("runs").is_array() || json.at("runs").empty())
      throw UsageError(fmt::format("{}: a plan without runs; expected at least one", file.string()));
    std::set<std::filesystem::path> directories;
    for (const ordered_json& one : json.at("runs")) {
      const ordered_json& seed = one.at("seed");
      if (!seed.is_number_integer() || seed.get<std::int64_t>() < 0)
        throw UsageError(fmt::format("{}: the seed {}; expected an integer, at least 0", file.string(), seed.dump()));
      PlannedRun run{.experiment = one.at("experiment"),
                     .setting = one.at("setting"),
                     .seed = seed,
                     .directory = inside(directory, one.at("directory")),
                     .config = {}};
      if (!directories.insert(run.directory).second)
        throw UsageError(
            fmt::format("{}: two runs in {}; expected a directory for each", file.string(), run.directory.string()));
      if (!std::filesystem::is_regular_file(run.config_file()))
        throw UsageError(
            fmt::format("{} names {}, which is missing or no file", file.string(), run.config_file().string()));
      run.config = read_file(run.config_file());
      // Of another revision settings may have other names.
      if (plan.build.revision == BuildInfo::current().revision &&
          identity_in(run, plan.build) != one.at("identity").get<std::string>())
        throw UsageError(
            fmt::format("{} has been changed since the plan was made; expected it as it was, or a new plan",
                        run.config_file().string()));
      plan.runs.push_back(std::move(run));
    }
    return plan;
  } catch (const nlohmann::json::exception& e) {
    throw UsageError(fmt::format("{}: not a plan of `goalpost plan`: {}", file.string(), json_problem(e.what())));
  }
}

}  // namespace goalpost
