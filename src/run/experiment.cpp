#include "run/experiment.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>

#include "autodiff/kernels.h"
#include "core/data_path.h"
#include "core/suggest.h"
#include "revision.h"  // made by meson
#include "run/runner.h"
#include "storage/episodes.h"
#include "storage/hdf5.h"

namespace goalpost {
namespace {

FieldInfo info(std::string_view name, std::string_view doc) {
  return {name, doc, "", -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
}

// Says something about the run, and changes nothing in it.
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

// An environment without its goal task. @throws UsageError if its settings do not fit each other
EnvSpec world_spec(const EnvEntry& entry, const EnvSettings& settings) {
  try {
    return entry.world(settings)()->spec();
  } catch (const std::invalid_argument& e) {
    throw UsageError(e.what());
  }
}

// Puts "env.key=value" over settings. @throws UsageError with all problems, one per line
void put_over(EnvSettings& settings, const EnvEntry& entry, const std::vector<std::string>& set) {
  TomlValues values;
  for (const std::string& s : set) values.set(s);
  ConfigReader reader(values);
  in_table(reader, "env", "", [&] { settings.visit(reader); });
  const std::vector<std::string> problems = reader.problems();
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  if (const std::string problem = goal_task_problem(settings.task, world_spec(entry, settings)); !problem.empty())
    throw UsageError(problem);
}

// What an agent trained in one environment needs to find in another.
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
void check_relations(const Experiment& e, ConfigReader& reader) {
  const EnvEntry& entry = find_environment(e.env_name);
  if (const std::string problem = goal_task_problem(e.env_settings->task, world_spec(entry, *e.env_settings));
      !problem.empty())
    return reader.report("env.task", problem);
  const EnvSpec spec = entry.factory(*e.env_settings, Rng(0))()->spec();
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
    if (const std::string problem = algorithm.problem(*e.agent_settings, spec, t.lanes); !problem.empty())
      reader.report("agent." + e.algorithm, problem);
  const OffPolicyConfig* c = algorithm.off_policy(*e.agent_settings);
  if (c == nullptr) return;
  if (c->batch_size > c->replay.capacity)
    reader.report("agent.batch_size", fmt::format("agent.batch_size = {} is larger than agent.replay.capacity = {}",
                                                  c->batch_size, c->replay.capacity));
  if (c->replay.capacity / t.lanes < spec.max_steps)
    reader.report(
        "agent.replay.capacity",
        fmt::format("agent.replay.capacity = {} over {} lanes holds no whole episode of {} steps; expected at "
                    "least {}",
                    c->replay.capacity, t.lanes, spec.max_steps, std::int64_t(t.lanes) * spec.max_steps));
  if (c->her.strategy == HerStrategy::none) return;
  if (spec.goal.dim == 0)
    reader.report("agent.her.strategy",
                  fmt::format("agent.her.strategy relabels goals, but {} has none; expected \"none\"", spec.name));
  const std::int64_t first_end = std::int64_t(t.lanes) * spec.max_steps;
  if (!cycles && !spec.can_fail && c->replay.dataset.empty() && t.warmup_steps < first_end)
    reader.report("train.warmup_steps",
                  fmt::format("train.warmup_steps = {} lets learning start before the first episode ends; expected at "
                              "least lanes x max_steps = {} x {} = {}",
                              t.warmup_steps, t.lanes, spec.max_steps, first_end));
}

// Bytes that an object takes from the heap; 0 where the allocator does not count them, as under sanitizers. The first
// object is left out: it also loads what all of them share.
template <class Make>
std::uint64_t heap_growth(Make make) {
  const auto used = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const auto first = make();
  const std::size_t before = used();
  const auto second = make();
  const std::size_t after = used();
  return after > before ? after - before : 0;
}

// Weights of all networks of an algorithm's settings, those of learners that a level does not use among them; outputs
// of the layers of the widest one; and the smallest batch.
class CountWeights final : public ConfigVisitor {
 public:
  explicit CountWeights(int inputs) : inputs_(inputs) {}
  void visit(const FieldInfo& info, std::vector<int>& value) override {
    if (info.name != "hidden") return;
    double n = inputs_, outputs = 0;
    for (const int width : value) {
      weights += n * width;
      outputs += n = width;
    }
    widest = std::max(widest, outputs);
  }
  void visit(const FieldInfo&, bool&) override {}
  void visit(const FieldInfo& info, int& value) override {
    if (info.name == "batch_size") batch = std::min(batch.value_or(value), value);
  }
  void visit(const FieldInfo&, std::int64_t&) override {}
  void visit(const FieldInfo&, float&) override {}
  void visit(const FieldInfo&, double&) override {}
  void visit(const FieldInfo&, std::optional<double>&) override {}
  void visit(const FieldInfo&, std::string&) override {}
  void visit(const FieldInfo&, std::vector<double>&) override {}
  void visit(const FieldInfo&, std::vector<std::string>&) override {}
  void visit_enum(const FieldInfo&, int&, EnumNames) override {}
  void enter(const FieldInfo&) override {}
  void leave() override {}
  double weights = 0, widest = 0;
  std::optional<int> batch = {};

 private:
  double inputs_;
};

// Whether a setting is of a learner or an optimizer that the agent does not have: another one is chosen in its place.
bool is_unused(const std::map<std::string, std::string>& settings, const std::string& path) {
  for (std::size_t begin = 0, end = path.find('.'); end != path.npos; begin = end + 1, end = path.find('.', begin)) {
    const std::string part = path.substr(begin, end - begin);
    for (const char* choice : {"learner", "optimizer"})
      if (const auto found = settings.find(path.substr(0, begin) + choice);
          found != settings.end() && found->second != fmt::format("\"{}\"", part))
        return true;
  }
  return false;
}

// Learning rates that are all 0, and targets that do not move: warnings. @param updates that the run does at most
void check_learners(const Experiment& e, double updates, std::vector<std::string>& warnings) {
  const std::map<std::string, std::string> settings = e.settings();
  const auto number = [&](const std::string& path) {
    const auto found = settings.find(path);
    return found == settings.end() ? 0 : std::stod(found->second);
  };
  std::vector<std::string> rates;
  bool learns = false;
  for (const auto& [path, value] : settings) {
    if (!path.starts_with("agent.") || is_unused(settings, path)) continue;
    if (path.ends_with(".lr") && !path.ends_with(".alpha_adam.lr")) {
      rates.push_back(path + " = 0");
      learns = learns || number(path) > 0 || (number(path + "_steps") > 0 && number(path + "_end") > 0);
    } else if (path.ends_with(".tau") && number(path) == 0) {
      warnings.push_back(fmt::format("{} = 0: the target network never moves", path));
    } else if (path == fmt::format("agent.{}.target_every", e.algorithm) && number(path) > updates && updates >= 1) {
      warnings.push_back(fmt::format("{} = {} is more than the run's {:.0f} updates: the target network never moves",
                                     path, value, std::floor(updates)));
    }
  }
  if (!learns && !rates.empty()) warnings.push_back(fmt::format("{}: nothing is learnt", fmt::join(rates, ", ")));
}

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown";
}

std::string compiler() {
#ifdef __clang__
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return "g++ " __VERSION__;
#endif
}

// Every part of the program is compiled with the same flags.
std::string compiled_instructions() {
  std::vector<std::string> sets;
#if defined(__x86_64__)
  sets.push_back("x86-64");
#elif defined(__aarch64__)
  sets.push_back("aarch64");
#endif
#ifdef __AVX__
  sets.push_back("AVX");
#endif
#ifdef __AVX2__
  sets.push_back("AVX2");
#endif
#ifdef __FMA__
  sets.push_back("FMA");
#endif
#ifdef __AVX512F__
  sets.push_back("AVX-512");
#endif
#ifdef __AVX512BF16__
  sets.push_back("AVX512-BF16");
#endif
#ifdef __AMX_BF16__
  sets.push_back("AMX-BF16");
#endif
  return fmt::format("{}", fmt::join(sets, ", "));
}

// As far as the compiler, our kernels or the mathematical library choose by them.
std::string processor_features() {
  std::vector<std::string> sets;
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx")) sets.push_back("AVX");
  if (__builtin_cpu_supports("avx2")) sets.push_back("AVX2");
  if (__builtin_cpu_supports("fma")) sets.push_back("FMA");
  if (__builtin_cpu_supports("avx512f")) sets.push_back("AVX512F");
  if (__builtin_cpu_supports("avx512vl")) sets.push_back("AVX512VL");
  if (__builtin_cpu_supports("avx512bw")) sets.push_back("AVX512BW");
  if (__builtin_cpu_supports("avx512dq")) sets.push_back("AVX512DQ");
  if (__builtin_cpu_supports("avx512bf16")) sets.push_back("AVX512-BF16");
#ifndef __clang__
  if (__builtin_cpu_supports("amx-bf16")) sets.push_back("AMX-BF16");
#endif
#endif
  return sets.empty() ? "none" : fmt::format("{}", fmt::join(sets, ", "));
}

// "Eigen 3.4.0, MuJoCo 2.3.2" as versions by name.
std::map<std::string, std::string> versions_of(const std::string& libraries) {
  std::map<std::string, std::string> versions;
  for (std::size_t begin = 0; begin < libraries.size();) {
    const std::size_t end = std::min(libraries.find(", ", begin), libraries.size());
    const std::string one = libraries.substr(begin, end - begin);
    const std::size_t blank = one.rfind(' ');
    if (blank != one.npos) versions[one.substr(0, blank)] = one.substr(blank + 1);
    begin = end + 2;
  }
  return versions;
}

std::vector<FieldText> fields_of(const BuildInfo& build) {
  BuildInfo copy = build;
  return describe_fields([&](ConfigVisitor& v) { visit_fields(copy, v); });
}

std::string without_quotes(const std::string& text) {
  return text.size() >= 2 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
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
    reader.report("name", fmt::format("name = \"{}\" leads out of the directory of the runs; expected a name without "
                                      "\"..\" that does not begin with \"/\"",
                                      e.name));
}

}  // namespace

BuildInfo BuildInfo::current() {
  BuildInfo build;
  build.revision = kRevision;
  build.compiler = goalpost::compiler();
  build.flags = GOALPOST_BUILD_FLAGS;
  build.instructions = compiled_instructions();
  build.cpu = cpu_model();
  build.features = processor_features();
  build.kernels = kernels::name_of_best();
  build.libraries = fmt::format("Eigen {}.{}.{}, {}, HDF5 {}, glibc {}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION,
                                EIGEN_MINOR_VERSION, simulator_versions(), hdf5_version(), gnu_get_libc_version());
  return build;
}

BuildInfo BuildInfo::recorded(const TomlValues& values) {
  BuildInfo build;
  TomlValues own;
  for (const FieldText& f : fields_of(build))
    if (const TomlValues::Value* v = values.find("build." + f.path); v != nullptr)
      if (const auto* text = std::get_if<std::string>(&v->value)) own.put(f.path, *text);
  ConfigReader reader(own);
  visit_fields(build, reader);
  return build;
}

std::vector<BuildDifference> build_differences(const BuildInfo& a, const BuildInfo& b) {
  std::vector<BuildDifference> list;
  const std::vector<FieldText> fields_a = fields_of(a), fields_b = fields_of(b);
  for (std::size_t i = 0; i < fields_a.size(); ++i) {
    const std::string& what = fields_a[i].path;
    const std::string x = without_quotes(fields_a[i].value), y = without_quotes(fields_b[i].value);
    if (what == "identity" || x == y || x == BuildInfo::kUnknown || y == BuildInfo::kUnknown) continue;
    if (what == "inputs" && (x.empty() || y.empty())) continue;
    if (what != "libraries") {
      list.push_back({what, x, y});
      continue;
    }
    const std::map<std::string, std::string> versions = versions_of(y);
    for (const auto& [library, version] : versions_of(x))
      if (const auto other = versions.find(library); other != versions.end() && other->second != version)
        list.push_back({library, version, other->second});
  }
  return list;
}

std::string unknown_of(const BuildInfo& build) {
  std::string list;
  for (const FieldText& f : fields_of(build))
    if (f.path != "identity" && without_quotes(f.value) == BuildInfo::kUnknown)
      list += fmt::format("{}{}", list.empty() ? "" : ", ", f.path);
  return list;
}

void Experiment::visit(ConfigVisitor& v) {
  v.visit(remark("name", "of the experiment; runs go to runs/<name>/seed_<seed>"), name);
  v.visit(remark("label", "in figures and tables"), label);
  v.visit(remark("description", "what it shows"), description);
  v.visit({"seed", "of all random numbers of the run", "", 0, 9e15}, seed);
  in_table(v, remark("source", "what it reproduces"), [&] { visit_fields(source, v); });
  in_table(v, "env", "the environment", [&] {
    v.visit(info("name", "`goalpost list envs` shows them all"), env_name);
    env_settings->visit(v);
  });
  in_table(v, "train", "the loop", [&] { visit_fields(train, v); });
  in_table(v, "agent", "the algorithm", [&] {
    v.visit(info("algorithm", "`goalpost list algos` shows them all"), algorithm);
    agent_settings->visit(v);
  });
  in_table(v, remark("build", "with what the run was made"), [&] { visit_fields(build, v); });
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

Experiment make_experiment(const TomlValues& values) {
  Experiment e;
  const EnvEntry& env = find_named(values, "env.name", "BitFlip-v0", find_environment);
  const AlgorithmEntry& algorithm = find_named(values, "agent.algorithm", "dqn", find_algorithm);
  e.env_settings = env.settings();
  e.agent_settings = algorithm.settings();
  ConfigReader reader(values);
  e.visit(reader);
  check_name(e, reader);
  if (reader.problems().empty()) check_relations(e, reader);
  const std::vector<std::string> problems = reader.problems();
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  e.build = BuildInfo::current();
  return e;
}

TrainingCheck check_training(const Experiment& e) {
  TrainingCheck check;
  const TrainConfig& t = e.train;
  const std::unique_ptr<Env> env = e.env_factory()();
  const GoalSpace& goal = env->spec().goal;
  TrainingPlan plan{.spec = env->spec(), .lanes = t.lanes, .steps = (t.total_steps + t.lanes - 1) / t.lanes * t.lanes};
  if (goal.dim > 0 && goal.reward != nullptr) {
    Rng rng(static_cast<std::uint64_t>(e.seed));
    env->reset(rng);
    Vector obs(plan.spec.obs_dim), achieved(goal.dim), desired(goal.dim);
    env->observe({obs, achieved, desired});
    plan.start_reward = goal.reward(achieved, desired, goal.radius);
  }
  find_algorithm(e.algorithm).check_training(*e.agent_settings, plan, check);
  // At most: every step may end an episode, and every episode may take until the time limit.
  const double lanes = t.lanes, most_episodes = static_cast<double>(t.total_episodes) + lanes;
  double steps = static_cast<double>(plan.steps);
  if (t.total_episodes > 0) steps = std::min(steps, most_episodes * plan.spec.max_steps);
  const double learning = std::max(0.0, steps - std::floor(static_cast<double>(t.warmup_steps) / lanes) * lanes),
               episodes = t.total_episodes > 0 ? std::min(steps, most_episodes) : steps,
               updates = t.cycle_episodes > 0 ? std::floor(episodes / t.cycle_episodes) * t.cycle_updates
                                              : t.updates_per_step * learning;
  const auto nothing = [&](const std::string& why) { check.warnings.push_back(why + ": nothing is learnt"); };
  if (t.cycle_episodes == 0 && t.updates_per_step == 0)
    nothing("train.updates_per_step = 0 and train.cycle_episodes = 0");
  else if (plan.steps <= t.warmup_steps)
    nothing(fmt::format("train.total_steps = {} ends the run before learning starts, after train.warmup_steps = {}",
                        t.total_steps, t.warmup_steps));
  else if (t.total_episodes > 0 && t.total_episodes < t.cycle_episodes)
    nothing(fmt::format("train.total_episodes = {} ends the run before its first cycle of train.cycle_episodes = {}",
                        t.total_episodes, t.cycle_episodes));
  else if (plan.steps < t.cycle_episodes)
    nothing(fmt::format("train.total_steps = {} ends the run before its first cycle of train.cycle_episodes = {}",
                        t.total_steps, t.cycle_episodes));
  else if (t.cycle_episodes == 0 && updates < 1 - 1e-9)
    nothing(
        fmt::format("train.updates_per_step = {} makes no update due in the run's {:.0f} transitions after "
                    "train.warmup_steps = {}",
                    t.updates_per_step, learning, t.warmup_steps));
  check_learners(e, updates, check.warnings);
  const double evaluations = 1 + std::floor(steps / static_cast<double>(t.eval_every));  // one before training
  if (t.stop_success > 0 && evaluations < std::max(t.stop_evals, 2))
    check.warnings.push_back(fmt::format(
        "train.stop_success = {} asks for train.stop_evals = {} evaluations, but with train.eval_every = {} "
        "there are at most {:.0f}, one of them before training: the run does not end early",
        t.stop_success, t.stop_evals, t.eval_every, evaluations));
  return check;
}

MemoryNeed training_memory(const Experiment& e, bool resumed) {
  MemoryNeed need;
  const TrainConfig& t = e.train;
  const EnvFactory train = e.env_factory(), eval = e.eval_env_factory();
  const std::unique_ptr<Env> env = train();
  const EnvSpec spec = env->spec();
  find_algorithm(e.algorithm).add_memory(*e.agent_settings, spec, need);
  const std::uint64_t buffers = need.bytes();
  CountWeights count(spec.state_dim());
  e.agent_settings->clone()->visit(count);
  // Of each the weight, its gradient, two moments of the optimizer and a target: at least.
  need.add("networks", 5 * sizeof(Scalar), static_cast<std::uint64_t>(std::min(count.weights, 1e18)));
  // An update keeps the outputs of every layer and their gradients for the whole batch: of one network at least.
  need.add("activations", 2 * sizeof(Scalar) * static_cast<std::uint64_t>(count.batch.value_or(0)),
           static_cast<std::uint64_t>(std::min(count.widest, 1e18)));
  if (resumed && t.checkpoint_replay)
    need.add("reading the checkpoint", buffers / static_cast<std::uint64_t>(t.lanes));  // one lane at a time
  const auto lanes = static_cast<std::uint64_t>(t.lanes);
  const EnvSpec eval_spec = eval()->spec();
  const auto eval_lanes = static_cast<std::uint64_t>(evaluation_lanes(t.eval_episodes, eval_spec));
  need.add("environments", heap_growth([&] { return train(); }), lanes);
  const std::uint64_t one = heap_growth([&] { return eval(); });
  need.add("environments of evaluations", one,
           eval_lanes + static_cast<std::uint64_t>(evaluation_lanes(t.final_eval_episodes, eval_spec)));
  if (t.record != RecordMode::none) {
    need.add("recorder", EpisodeStage::bytes(spec), lanes);
    need.add("recorder", EpisodeStage::bytes(eval_spec), eval_lanes);
  }
  return need;
}

void check_memory(const Experiment& e, bool resumed, const MemoryLimit& limit) {
  if (const std::string problem = training_memory(e, resumed).problem(limit); !problem.empty())
    throw UsageError(fmt::format("{} {}; lower what is largest", e.name, problem));
}

std::unique_ptr<EnvSettings> environment_settings(const std::string& env, const std::vector<std::string>& set) {
  std::unique_ptr<EnvSettings> settings = find_environment(env).settings();
  put_over(*settings, find_environment(env), set);
  return settings;
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

std::filesystem::path experiment_directory() { return data_path("src/experiments"); }

std::vector<std::string> experiment_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory()))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

TomlValues load_experiment(const std::string& name_or_file) {
  if (name_or_file.ends_with(".toml")) return TomlValues::from_file(name_or_file);
  const std::vector<std::string> names = experiment_names();
  if (std::find(names.begin(), names.end(), name_or_file) == names.end()) {
    std::string hint = did_you_mean(name_or_file, {names.begin(), names.end()});
    if (hint.empty()) hint = "; `goalpost list experiments` shows them all";
    throw UsageError(fmt::format("no experiment is called \"{}\"{}", name_or_file, hint));
  }
  return TomlValues::from_file(experiment_directory() / (name_or_file + ".toml"));
}

}  // namespace goalpost
