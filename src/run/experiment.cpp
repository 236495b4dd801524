#include "run/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "core/suggest.h"
#include "core/text.h"
#include "run/aliases.h"
#include "storage/former_names.h"

namespace goalpost {
namespace {

FieldInfo info(std::string_view name, std::string_view doc) {
  return {name, doc, "", -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
}

// A description of the run, without effect on it.
FieldInfo remark(std::string_view name, std::string_view doc) {
  FieldInfo field = info(name, doc);
  field.affects_results = false;
  field.changeable = true;
  return field;
}

template <class Body>
void in_table(ConfigVisitor& v, const FieldInfo& table, Body body) {
  v.enter(table);
  body();
  v.leave();
}
template <class Body>
void in_table(ConfigVisitor& v, std::string_view name, std::string_view doc, Body body) {
  in_table(v, info(name, doc), body);
}

std::string required_string(const TomlValues& values, const std::string& path, const char* example) {
  const TomlValues::Value* v = values.find(path);
  if (v == nullptr)
    throw UsageError(fmt::format("{} is missing; expected a name, e.g. {} = \"{}\"", path, path, example));
  const std::string* text = std::get_if<std::string>(&v->value);
  if (text == nullptr) throw UsageError(fmt::format("{} is not a string; expected a name ({})", path, v->origin));
  return *text;
}

template <class Find>
auto& find_named(const TomlValues& values, const std::string& path, const char* example, Find find) {
  const std::string name = required_string(values, path, example);
  try {
    return find(name);
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("{} ({})", e.what(), values.find(path)->origin));
  }
}

void name_owner(ConfigReader& reader, const char* table, std::string_view name) {
  reader.name_owner(table, std::string(name), fmt::format("goalpost describe {}", name));
}

// An environment without its goal task. @throws UsageError if its settings do not fit each other
EnvSpec world_spec(const EnvEntry& entry, const EnvSettings& settings) {
  try {
    return entry.world(settings)()->spec();
  } catch (const std::invalid_argument& e) {
    throw UsageError(e.what());
  }
}

std::vector<FieldText> fields_of(EnvSettings& settings) {
  return describe_fields([&](ConfigVisitor& v) { in_table(v, "env", "", [&] { settings.visit(v); }); });
}

// Changes settings by "env.key=value". @throws UsageError with all problems, one per line
void put_over(EnvSettings& settings, const EnvEntry& entry, const std::vector<std::string>& set) {
  TomlValues values;
  for (const std::string& s : set) values.set(s);
  rename_former(values, fields_of(settings));
  ConfigReader reader(values);
  name_owner(reader, "env", entry.name);
  in_table(reader, "env", "", [&] { settings.visit(reader); });
  const std::vector<std::string> problems = reader.problems();
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  if (const std::string problem = goal_task_problem(settings.task, world_spec(entry, settings)); !problem.empty())
    throw UsageError(problem);
}

// Whether an agent trained in one environment can act in the other.
bool same_shape(const EnvSpec& a, const EnvSpec& b) {
  return a.obs_dim == b.obs_dim && a.goal.dim == b.goal.dim && a.action.dim == b.action.dim &&
         a.action.choices == b.action.choices;
}

void check_eval_env(const Experiment& e, const EnvSpec& spec, ConfigReader& reader) {
  if (e.train.eval_env.empty()) return;
  try {
    const EnvSpec eval = e.eval_env_factory()()->spec();
    if (!same_shape(spec, eval))
      reader.report(
          "train.eval_env",
          fmt::format("train.eval_env: evaluations have {} observations, {} goals and {} actions, training {}, "
                      "{} and {}; expected the same",
                      eval.obs_dim, eval.goal.dim, eval.action.dim, spec.obs_dim, spec.goal.dim, spec.action.dim));
  } catch (const UsageError& error) {
    reader.report("train.eval_env", fmt::format("train.eval_env: {}", error.what()));
  }
}

// Relations between fields that no single range can express.
void check_relations(Experiment& e, ConfigReader& reader) {
  const EnvEntry& entry = find_environment(e.env_name);
  if (const std::string problem = goal_task_problem(e.env_settings->task, world_spec(entry, *e.env_settings));
      !problem.empty())
    return reader.report("env.task", problem);
  const EnvSpec spec = entry.factory(*e.env_settings, Rng(0))()->spec();
  e.without_goal = spec.goal.dim == 0;
  check_eval_env(e, spec, reader);
  const TrainConfig& t = e.train;
  const AlgorithmEntry& algorithm = find_algorithm(e.algorithm);
  if (algorithm.action_kind != spec.action.kind) {
    const auto name = [](ActionSpace::Kind kind) {
      return kind == ActionSpace::Kind::discrete ? "discrete" : "continuous";
    };
    reader.report("agent.algorithm",
                  fmt::format("agent.algorithm = \"{}\" needs {} actions, but those of {} are {}", e.algorithm,
                              name(algorithm.action_kind), spec.name, name(spec.action.kind)));
  }
  const bool cycles = t.cycle_episodes > 0;
  if (cycles && t.updates_per_step > 0)
    reader.report("train.cycle_episodes",
                  fmt::format("train.cycle_episodes = {} and train.updates_per_step = {}; expected one of them to be 0",
                              t.cycle_episodes, t.updates_per_step));
  if (cycles != (t.cycle_updates > 0))
    reader.report("train.cycle_updates", fmt::format("train.cycle_episodes = {} and train.cycle_updates = {}; expected "
                                                     "both to be positive, or both 0",
                                                     t.cycle_episodes, t.cycle_updates));
  if (cycles && t.overlap)
    reader.report("train.overlap",
                  "train.overlap = true spreads updates over steps, but train.cycle_episodes > 0 keeps "
                  "them apart; expected one of them");
  if (algorithm.problem != nullptr && algorithm.action_kind == spec.action.kind)
    if (const std::string problem = algorithm.problem(*e.agent_settings, spec, t.num_envs); !problem.empty())
      reader.report("agent." + e.algorithm, problem);
  const OffPolicyConfig* c = algorithm.off_policy(*e.agent_settings);
  if (c == nullptr) return;
  if (c->batch_size > c->replay.buffer_size)
    reader.report("agent.batch_size", fmt::format("agent.batch_size = {} is larger than agent.replay.buffer_size = {}",
                                                  c->batch_size, c->replay.buffer_size));
  if (c->replay.buffer_size / t.num_envs < spec.max_steps)
    reader.report("agent.replay.buffer_size", fmt::format("agent.replay.buffer_size = {} over {} parallel environments "
                                                          "holds no whole episode of {} steps; expected at "
                                                          "least {}",
                                                          c->replay.buffer_size, t.num_envs, spec.max_steps,
                                                          std::int64_t(t.num_envs) * spec.max_steps));
  if (c->her.strategy == HerStrategy::none) return;
  if (spec.goal.dim == 0)
    reader.report("agent.her.strategy",
                  fmt::format("agent.her.strategy relabels goals, but {} has none; expected \"none\"", spec.name));
  const std::int64_t lanes = std::int64_t(t.num_envs) * t.workers, first_end = lanes * spec.max_steps;
  if (!cycles && !spec.can_fail && c->replay.dataset.empty() && t.learning_starts < first_end)
    reader.report(
        "train.learning_starts",
        fmt::format("train.learning_starts = {} lets learning start before the first episode ends; expected at "
                    "least num_envs x max_steps = {} x {} = {}",
                    t.learning_starts, lanes, spec.max_steps, first_end));
}

std::vector<FieldText> fields_of(const Experiment& experiment) {
  Experiment& e = const_cast<Experiment&>(experiment);  // describing writes nothing
  return describe_fields([&](ConfigVisitor& v) { e.visit(v); });
}

// Runs go to runs/<name>, results to results/<name>.
void check_name(const Experiment& e, ConfigReader& reader) {
  const std::filesystem::path path(e.name);
  const bool leaves =
      path.is_absolute() || std::any_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
  if (leaves)
    reader.report("name",
                  fmt::format("name = \"{}\" is a path outside of the directory of the runs; expected a name without "
                              "\"..\" that does not begin with \"/\"",
                              e.name));
}

}  // namespace

void Experiment::visit(ConfigVisitor& v) {
  v.visit(remark("name", "name of the experiment; runs go to runs/<name>/seed_<seed>"), name);
  v.visit(remark("label", "name of the method in figures and tables"), label);
  v.visit(remark("description", "what the experiment shows"), description);
  v.visit({"seed", "seed of all random numbers of the run", "", 0, 9e15}, seed);
  in_table(v, remark("source", "the published result"), [&] { visit_fields(source, v); });
  in_table(v, "env", "the environment", [&] {
    v.visit(info("name", "`goalpost list envs` lists them"), env_name);
    env_settings->visit(v);
  });
  in_table(v, "train", "the loop", [&] { visit_fields(train, v); });
  in_table(v, "agent", "the algorithm", [&] {
    v.visit(info("algorithm", "`goalpost list algos` lists them"), algorithm);
    agent_settings->visit(v);
  });
  in_table(v, remark("build", "revision, compiler, libraries and processor of the run"),
           [&] { visit_fields(build, v); });
}

bool Experiment::ends_by_episodes() const {
  return train.total_episodes > 0 && static_cast<double>(train.total_episodes) * env_factory()()->spec().max_steps <=
                                         static_cast<double>(train.total_steps);
}

EnvFactory Experiment::eval_env_factory() const {
  const EnvEntry& entry = find_environment(env_name);
  const std::unique_ptr<Settings> settings = env_settings->clone();
  put_over(dynamic_cast<EnvSettings&>(*settings), entry, train.eval_env);
  return entry.factory(*settings, Rng(static_cast<std::uint64_t>(seed)));
}

std::string Experiment::to_toml() {
  build.identity = identity();
  return goalpost::to_toml([this](ConfigVisitor& v) { visit(v); });
}

std::string Experiment::policy_toml() {
  build.identity = identity();
  return goalpost::to_toml([this](ConfigVisitor& v) { visit(v); },
                           [](const FieldText& f) {
                             return f.affects_results || f.path == "name" || f.path == "label" ||
                                    f.path.starts_with("build.");
                           });
}

std::map<std::string, std::string> Experiment::settings() const {
  std::map<std::string, std::string> settings;
  for (const FieldText& f : fields_of(*this))
    if (f.affects_results) settings[f.path] = f.value;
  return settings;
}

std::string Experiment::identity() const {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  const auto add = [&](const std::string& text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  };
  for (const auto& [path, value] : settings()) add(fmt::format("{} = {}\n", path, value));
  for (const FieldText& f : fields_of(build))
    if (f.path != "identity" && !(f.path == "inputs" && build.inputs.empty()))
      add(fmt::format("build.{} = {}\n", f.path, f.value));
  return fmt::format("{:016x}", hash);
}

Experiment make_experiment(const TomlValues& given) {
  TomlValues values = given;
  resolve_former_names(values, values);
  Experiment e;
  const EnvEntry& env = find_named(values, "env.name", "BitFlip-v0", find_environment);
  const AlgorithmEntry& algorithm = find_named(values, "agent.algorithm", "dqn", find_algorithm);
  e.env_settings = env.settings();
  e.agent_settings = algorithm.settings();
  ConfigReader reader(values);
  name_owner(reader, "env", env.name);
  name_owner(reader, "agent", algorithm.name);
  reader.name_others(other_names(algorithm.name));
  e.visit(reader);
  check_name(e, reader);
  if (reader.problems().empty()) check_relations(e, reader);
  const std::vector<std::string> problems = reader.problems();
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  e.build = BuildInfo::current();
  return e;
}

std::unique_ptr<EnvSettings> environment_settings(const std::string& env, const std::vector<std::string>& set) {
  std::unique_ptr<EnvSettings> settings = find_environment(env).settings();
  put_over(*settings, find_environment(env), set);
  return settings;
}

EnvFactory make_environment(const std::string& env, const std::vector<std::string>& set, std::uint64_t seed) {
  const std::unique_ptr<EnvSettings> settings = environment_settings(env, set);
  note_former_names(*settings, set);
  return find_environment(env).factory(*settings, Rng(seed));
}

void note_former_names(EnvSettings& settings, const std::vector<std::string>& set) {
  for (std::string assignment : set)
    for (const std::string& note : rename_former(assignment, fields_of(settings)))
      print_error(fmt::format("goalpost: {}", note));
}

std::vector<std::string> differences(const Experiment& a, const std::string& name_a, const Experiment& b,
                                     const std::string& name_b,
                                     const std::function<bool(const FieldText& field)>& matters) {
  const auto describe = [&](const Experiment& e) {
    std::map<std::string, std::string> values;
    for (const FieldText& f : fields_of(e))
      if (matters(f)) values[f.path] = f.value;
    return values;
  };
  const std::map<std::string, std::string> values_a = describe(a), values_b = describe(b);
  const auto value = [](const std::map<std::string, std::string>& values, const std::string& path) {
    const auto found = values.find(path);
    return found == values.end() ? std::string("not there") : found->second;
  };
  std::map<std::string, std::string> all = values_a;
  all.insert(values_b.begin(), values_b.end());
  std::vector<std::string> sentences;
  for (const auto& [path, ignored] : all)
    if (!path.starts_with("build.") && value(values_a, path) != value(values_b, path))
      sentences.push_back(fmt::format("{} is {} in {}, but {} in {}", path, value(values_a, path), name_a,
                                      value(values_b, path), name_b));
  return sentences;
}

}  // namespace goalpost
