#include "run/policy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "policy/policy.h"
#include "storage/checkpoint.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

using nlohmann::ordered_json;

// Values of TOML are values of JSON, except inf and nan.
ordered_json json_of(const FieldText& f) {
  ordered_json value = ordered_json::parse(f.value, nullptr, false);
  return value.is_discarded() ? ordered_json(f.value) : value;
}

ordered_json numbers(const Vector& v) { return std::vector<Scalar>(v.data(), v.data() + v.size()); }

ordered_json action_json(const ActionSpace& action) {
  if (action.kind == ActionSpace::Kind::discrete) return {{"kind", "discrete"}, {"choices", action.choices}};
  return {{"kind", "continuous"}, {"size", action.dim}, {"low", numbers(action.low)}, {"high", numbers(action.high)}};
}

ordered_json inputs_json(const EnvSpec& spec) {
  ordered_json inputs = ordered_json::array();
  inputs.push_back({{"name", "obs"}, {"size", spec.obs_dim}});
  if (spec.goal.dim > 0) inputs.push_back({{"name", "desired_goal"}, {"size", spec.goal.dim}});
  return inputs;
}

ordered_json about(Experiment& e, const EnvSpec& spec, const TrainProgress& p) {
  ordered_json agent = ordered_json::object(), env = ordered_json::object();
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { e.visit(v); })) {
    if (f.path.starts_with("agent.")) agent[f.path.substr(6)] = json_of(f);
    if (f.path.starts_with("env.")) env[f.path.substr(4)] = json_of(f);
  }
  return {{"algorithm", e.algorithm},
          {"environment", e.env_name},
          {"step", p.step},
          {"episodes", p.episodes},
          {"updates", p.updates},
          {"seed", e.seed},
          {"revision", e.build.revision},
          {"identity", e.identity()},
          {"precision", enum_name(e.train.precision)},
          {"inputs", inputs_json(spec)},
          {"action", action_json(spec.action)},
          {"agent", agent},
          {"env", env}};
}

// Empty, or the sentence why a policy of these inputs and actions cannot act in an environment.
std::string misfit(const ordered_json& inputs, const ordered_json& action, const EnvSpec& spec) {
  const ordered_json here = inputs_json(spec), actions_here = action_json(spec.action);
  const auto size = [](const ordered_json& list, std::size_t i) {
    return i < list.size() ? list[i].at("size").get<int>() : 0;
  };
  const auto dimensions = [&](const ordered_json& list, const ordered_json& actions) {
    return fmt::format("{} observations, {} goals and {}", size(list, 0), size(list, 1),
                       actions.contains("choices") ? fmt::format("one of {} actions", actions.at("choices").get<int>())
                                                   : fmt::format("{} actions", actions.at("size").get<int>()));
  };
  const std::string mine = dimensions(inputs, action), its = dimensions(here, actions_here);
  if (mine != its) return fmt::format("{} has {}; expected {}, as the policy has", spec.name, its, mine);
  if (action != actions_here)
    return fmt::format("the actions of {} lie in {} to {}; expected {} to {}, as of the policy", spec.name,
                       actions_here.at("low").dump(), actions_here.at("high").dump(), action.at("low").dump(),
                       action.at("high").dump());
  return "";
}

// "; expected one of the runs in it: seed_1, seed_2", or nothing if a directory holds none.
std::string runs_inside(const std::filesystem::path& directory) {
  constexpr std::size_t kMost = 8;
  std::vector<std::string> names;
  if (std::filesystem::is_directory(directory))
    for (const auto& entry : std::filesystem::directory_iterator(directory))
      if (std::filesystem::is_regular_file(entry.path() / kPolicyFile)) names.push_back(entry.path().filename());
  if (names.empty()) return "";
  std::sort(names.begin(), names.end());
  const bool more = names.size() > kMost;
  if (more) names.resize(kMost);
  return fmt::format("; expected one of the runs in it: {}{}", fmt::join(names, ", "), more ? ", ..." : "");
}

class FiniteVisitor final : public StateVisitor {
 public:
  void visit(std::string_view, MatrixRef values) override { finite = finite && values.allFinite(); }
  void visit(std::string_view, std::span<double> values) override {
    for (const double x : values) finite = finite && !std::isnan(x);
  }
  void visit(std::string_view, std::span<std::uint64_t>) override {}
  bool finite = true;

 private:
  void enter(std::string_view) override {}
  void leave() override {}
};

// The configuration of the policy; of files of earlier versions, which have none, that of config.toml beside it.
struct Origin {
  Experiment experiment;
  ordered_json about;  // null if the file has none
};
Origin origin_of(const std::filesystem::path& file, const std::filesystem::path& config) {
  const std::string text = read_state_config(file, kPolicyKind);
  if (!text.empty()) {
    const TomlValues values = TomlValues::from_text(text, file.string());
    Origin origin{make_experiment(values), ordered_json::parse(read_state_text(file, kPolicyKind, kPolicyAbout))};
    origin.experiment.build = BuildInfo::recorded(values);
    return origin;
  }
  expect_no_stream(config);
  if (!std::filesystem::is_regular_file(config))
    throw UsageError(
        fmt::format("{} has no configuration, like all files of earlier versions; expected the run's {} beside it",
                    file.string(), config.filename().string()));
  print_error(fmt::format(
      "goalpost: {} is of an earlier version, without configuration and step; the configuration is taken from {}",
      file.string(), config.string()));
  return {make_experiment(TomlValues::from_file(config)), {}};
}

// @throws UsageError if config.toml beside a policy was changed in what the policy depends on
void compare(const Experiment& policy, const std::filesystem::path& file, const std::filesystem::path& config) {
  expect_no_stream(config);
  if (!std::filesystem::is_regular_file(config)) return;
  const Experiment beside = make_experiment(TomlValues::from_file(config));
  const auto found = differences(policy, file.string(), beside, config.string(), [](const FieldText& f) {
    return f.affects_results &&
           (f.path.starts_with("agent.") || f.path.starts_with("env.") || f.path == "train.eval_env");
  });
  if (!found.empty())
    throw UsageError(
        fmt::format("{}; `goalpost evaluate {}` uses the settings of training", fmt::join(found, "\n"), file.string()));
}

}  // namespace

void save_policy(const std::filesystem::path& file, Experiment& experiment, const EnvSpec& spec,
                 const TrainProgress& progress, Agent& agent) {
  save_state(file, kPolicyKind, [&](StateVisitor& v) { agent.visit_policy(v); }, experiment.policy_toml(),
             {{kPolicyAbout, about(experiment, spec, progress).dump()}});
}

bool is_finite(Agent& agent) {
  FiniteVisitor visitor;
  agent.visit_policy(visitor);
  return visitor.finite;
}

LoadedRun load_run(const std::filesystem::path& path, const std::vector<std::string>& set, const std::string& env,
                   bool keep_settings) {
  for (const std::string& change : set)
    if (!change.starts_with("env.") || change.starts_with("env.name"))
      throw UsageError(
          fmt::format("--set {}: of a trained policy only settings of its environment can be changed; "
                      "expected env.<setting>=<value>",
                      change));
  if (path.extension() == ".toml")
    throw UsageError(fmt::format("{} is a configuration; expected a run directory or policy.h5", path.string()));
  const bool alone = std::filesystem::is_regular_file(path);
  const std::filesystem::path directory = alone ? path.parent_path() : path, config = directory / kConfigFile,
                              file = alone ? path : path / kPolicyFile;
  expect_no_stream(file);
  if (!std::filesystem::is_regular_file(file)) {
    if (!std::filesystem::is_regular_file(config))
      throw UsageError(!std::filesystem::exists(path)
                           ? fmt::format("{} is not a run directory: there is no such directory", path.string())
                           : fmt::format("{} is not a run directory: it holds no {}{}", path.string(),
                                         std::filesystem::is_directory(path) ? kPolicyFile : kConfigFile,
                                         runs_inside(path)));
    throw UsageError(fmt::format("{} holds no policy.h5: the run ended before its first evaluation", path.string()));
  }
  try {
    Origin origin = origin_of(file, config);
    if (!alone && !origin.about.is_null()) compare(origin.experiment, file, config);
    LoadedRun run;
    run.experiment = std::move(origin.experiment);
    Experiment& e = run.experiment;
    const Precision precision = e.train.precision;
    if (!has_precision(precision))
      print_error(
          fmt::format("goalpost: {}: this processor lacks what train.precision = {} needs; it acts with float32",
                      file.string(), enum_name(precision)));
    set_precision(has_precision(precision) ? precision : Precision::float32);  // as when it was trained
    const EnvSpec trained = e.env_factory()()->spec();
    run.agent = e.make_agent(trained, 0, Rng(0));  // no lanes: it acts only
    load_state(file, kPolicyKind, [&](StateVisitor& v) { run.agent->visit_policy(v); });
    ordered_json inputs = inputs_json(trained), action = action_json(trained.action);
    if (!origin.about.is_null()) {
      run.step = origin.about.at("step").get<std::int64_t>();
      inputs = origin.about.at("inputs");
      action = origin.about.at("action");
    }
    if (!env.empty() && !(keep_settings && env == e.env_name)) {
      e.env_settings = find_environment(env).settings();
      e.env_name = env;
      e.train.eval_env.clear();
    }
    note_former_names(*e.env_settings, set);
    e.train.eval_env.insert(e.train.eval_env.end(), set.begin(), set.end());
    run.spec = e.eval_env_factory()()->spec();
    if (const std::string problem = misfit(inputs, action, run.spec); !problem.empty())
      throw UsageError(fmt::format("{}: {}", file.string(), problem));
    return run;
  } catch (const nlohmann::json::exception& e) {
    throw UsageError(
        fmt::format("{}: its attribute \"{}\" is not what a policy has: {}", file.string(), kPolicyAbout, e.what()));
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(e.what());
  }
}

}  // namespace goalpost
