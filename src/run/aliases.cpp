#include "run/aliases.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "algos/registry.h"
#include "core/check.h"
#include "envs/registry.h"
#include "storage/config_text.h"
#include "storage/former_names.h"
#include "train/config.h"

namespace goalpost {
namespace {

// The one of the entries that values name at a path; null if there is none.
template <class Entry>
const Entry* entry_of(const TomlValues& values, const char* path, std::span<const Entry> all) {
  const TomlValues::Value* v = values.find(path);
  const std::string* name = v == nullptr ? nullptr : std::get_if<std::string>(&v->value);
  for (const Entry& e : all)
    if (name != nullptr && e.name == *name) return &e;
  return nullptr;
}

std::string algorithm_of(const TomlValues& values) {
  const AlgorithmEntry* entry = entry_of(values, "agent.algorithm", algorithms());
  return entry == nullptr ? "" : entry->name;
}

// The fields below [train], [env] and [agent], as far as the environment and the algorithm are known.
std::vector<FieldText> fields_of(const TomlValues& values) {
  return describe_fields([&](ConfigVisitor& v) {
    const auto table = [&](const char* name, const auto& visit) {
      v.enter({name, "", "", 0, 0});
      visit();
      v.leave();
    };
    TrainConfig train;
    table("train", [&] { visit_fields(train, v); });
    if (const EnvEntry* env = entry_of(values, "env.name", environments()))
      table("env", [&] { env->settings()->visit(v); });
    if (const AlgorithmEntry* algorithm = entry_of(values, "agent.algorithm", algorithms()))
      table("agent", [&] { algorithm->settings()->visit(v); });
  });
}

std::set<std::string> settings_of(const std::string& algorithm) {
  std::set<std::string> paths;
  const std::unique_ptr<Settings> settings = find_algorithm(algorithm).settings();
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { settings->visit(v); }))
    paths.insert("agent." + f.path);
  return paths;
}

// Goalpost's settings by the other names, as far as the algorithm has them.
std::map<std::string, std::vector<std::string>> names_for(const std::string& algorithm) {
  std::map<std::string, std::vector<std::string>> names = {{"n_envs", {"train.num_envs"}},
                                                           {"num_envs", {"train.num_envs"}},
                                                           {"total_timesteps", {"train.total_steps"}},
                                                           {"learning_starts", {"train.learning_starts"}},
                                                           {"gradient_steps", {"train.updates_per_step"}},
                                                           {"eval_freq", {"train.eval_every"}},
                                                           {"n_eval_episodes", {"train.eval_episodes"}}};
  if (algorithm.empty()) return names;
  const std::set<std::string> settings = settings_of(algorithm);
  const auto add = [&](const char* name, const std::string& path) {
    if (settings.contains(path)) names[name].push_back(path);
  };
  const std::string learner = "agent." + algorithm + ".";
  add("buffer_size", "agent.replay.buffer_size");
  add("batch_size", "agent.batch_size");
  add("n_sampled_goal", "agent.her.k");
  add("goal_selection_strategy", "agent.her.strategy");
  add("exploration_initial_eps", learner + "epsilon.from");
  add("exploration_final_eps", learner + "epsilon.to");
  add("tau", learner + "tau");
  add("gamma", learner + "gamma");
  for (const char* optimizer : {"pi_adam", "q_adam", "alpha_adam", "adam", "rmsprop"})
    for (const char* name : {"learning_rate", "lr"}) add(name, learner + optimizer + ".lr");
  return names;
}

// A setting of Stable-Baselines3 that none of goalpost equals, and the nearest ones; "*" is the algorithm.
struct UnequalName {
  const char* name;
  std::vector<const char*> nearest;
  const char* remark;
};

// Empty, or which settings to set instead, as far as the algorithm has them.
std::string advice_on(std::string_view name, const std::string& algorithm, const std::set<std::string>& settings) {
  static const UnequalName kNames[] = {
      {"net_arch", {"agent.*.pi.hidden", "agent.*.q.hidden"}, ""},
      {"policy_kwargs", {"agent.*.pi.hidden", "agent.*.pi.activation", "agent.*.q.hidden", "agent.*.q.activation"}, ""},
      {"exploration_fraction", {"agent.*.epsilon.steps"}, ", the transitions until epsilon reaches its end"},
      {"target_update_interval", {"agent.*.target_every"}, ", which counts updates"},
      {"ent_coef", {"agent.*.learn_alpha", "agent.*.initial_alpha"}, ""},
      {"train_freq", {"train.updates_per_step", "train.cycle_episodes"}, ""},
  };
  for (const UnequalName& n : kNames) {
    if (name != n.name) continue;
    std::vector<std::string> nearest;
    for (std::string path : n.nearest) {
      if (const std::size_t star = path.find('*'); star != path.npos) path.replace(star, 1, algorithm);
      if (path.starts_with("train.") || settings.contains(path)) nearest.push_back(path);
    }
    if (nearest.empty()) return "";
    const std::string last = nearest.back();
    nearest.pop_back();
    return fmt::format("instead set {}{}{}{}", fmt::join(nearest, ", "), nearest.empty() ? "" : " and ", last,
                       n.remark);
  }
  return "";
}

// The number of environments; 1 where it is not known.
std::int64_t envs_of(const TomlValues& values, const TomlValues& whole) {
  const TomlValues::Value* own = values.find("train.num_envs");
  const TomlValues::Value* num_envs = own != nullptr ? own : whole.find("train.num_envs");
  const std::int64_t* envs = num_envs == nullptr ? nullptr : std::get_if<std::int64_t>(&num_envs->value);
  return envs == nullptr || *envs < 1 ? 1 : *envs;
}

// Of a learner that chooses among optimizers; empty for others.
std::string optimizer_of(const TomlValues& values, const TomlValues& whole, const std::string& algorithm) {
  const std::string path = "agent." + algorithm + ".optimizer";
  for (const TomlValues* there : {&values, &whole})
    if (const TomlValues::Value* v = there->find(path); v != nullptr)
      if (const auto* name = std::get_if<std::string>(&v->value)) return *name;
  if (algorithm.empty()) return "";
  const std::unique_ptr<Settings> settings = find_algorithm(algorithm).settings();
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { settings->visit(v); }))
    if ("agent." + f.path == path) return f.value.substr(1, f.value.size() - 2);  // without quotes
  return "";
}

// @throws UsageError for a setting of an optimizer that the learner does not use, given by hand
void expect_used_optimizer(const TomlValues& values, const TomlValues& whole, const std::string& algorithm) {
  const std::string used = optimizer_of(values, whole, algorithm), learner = "agent." + algorithm + ".";
  if (used.empty()) return;
  for (const auto& [path, value] : values.all())
    for (const char* other : {"adam", "rmsprop"})
      if (other != used && is_set_by_hand(value) && path.starts_with(fmt::format("{}{}.", learner, other)))
        throw UsageError(fmt::format("{} has no effect, as {}optimizer is {}; expected a setting of {}{} ({})", path,
                                     learner, used, learner, used, value.origin));
}

bool counts_steps_of_all(std::string_view name) { return name == "gradient_steps" || name == "eval_freq"; }

// Goalpost's value of one of the names that Stable-Baselines3 counts in steps of all environments together: updates per
// transition, where -1 means as many as there are, and transitions between evaluations.
TomlValues::Value value_of(std::string_view name, const TomlValues::Value& value, std::int64_t envs) {
  const bool updates = name == "gradient_steps";
  const std::int64_t least = updates ? -1 : 1;
  const std::int64_t* n = std::get_if<std::int64_t>(&value.value);
  if (n == nullptr || *n < least)
    throw UsageError(
        fmt::format("{} = {}; expected an integer, at least {} ({})", name, show(value), least, value.origin));
  if (updates) return {*n == -1 ? 1 : static_cast<double>(*n) / static_cast<double>(envs), value.origin};
  std::int64_t transitions = 0;
  if (__builtin_mul_overflow(*n, envs, &transitions))
    throw UsageError(fmt::format("eval_freq = {} steps of {} environments are too many ({})", *n, envs, value.origin));
  return {transitions, value.origin};
}

}  // namespace

std::vector<std::string> resolve_former_names(TomlValues& values, const TomlValues& whole) {
  const std::vector<FieldText> fields = fields_of(whole);
  std::vector<std::string> notes = rename_former(values, fields);
  const TomlValues::Value* eval_env = values.find("train.eval_env");
  if (eval_env == nullptr) return notes;
  TomlValues::Value renamed = *eval_env;
  if (auto* assignments = std::get_if<std::vector<std::string>>(&renamed.value))
    for (std::string& assignment : *assignments)
      for (std::string& note : rename_former(assignment, fields, eval_env->origin)) notes.push_back(std::move(note));
  values.put("train.eval_env", renamed);
  return notes;
}

std::vector<std::string> resolve_aliases(TomlValues& values, const TomlValues& whole) {
  const std::string algorithm = algorithm_of(whole);
  const std::set<std::string> own_settings = algorithm.empty() ? std::set<std::string>() : settings_of(algorithm);
  const auto names = names_for(algorithm);
  std::vector<std::string> notes;
  std::vector<std::string> paths;  // those that need the number of environments come last
  for (const auto& [path, value] : values.all()) paths.push_back(path);
  std::stable_partition(paths.begin(), paths.end(),
                        [](const std::string& p) { return !counts_steps_of_all(p.substr(p.rfind('.') + 1)); });
  for (const std::string& path : paths) {
    const std::size_t dot = path.rfind('.');
    const std::string table = dot == path.npos ? "" : path.substr(0, dot), name = path.substr(dot + 1);
    if (!table.empty() && table != "train" && table != "agent" && table != "agent.replay" &&
        table != "agent." + algorithm && table != "policy_kwargs")
      continue;
    if (const std::string advice = advice_on(name, algorithm, own_settings);
        !advice.empty() && !own_settings.contains(path))
      throw UsageError(fmt::format("{}: no setting has this name; {} ({})", path, advice, values.find(path)->origin));
    const auto found = names.find(name);
    if (found == names.end() || own_settings.contains(path) || found->second.front() == path) continue;
    const TomlValues::Value value = *values.find(path);
    values.erase(path);
    const bool counted = counts_steps_of_all(name);
    const TomlValues::Value present = counted ? value_of(name, value, envs_of(values, whole)) : value;
    std::vector<std::string> targets = found->second;
    if (const std::string optimizer = optimizer_of(values, whole, algorithm);
        (name == "learning_rate" || name == "lr") && !optimizer.empty())
      std::erase_if(targets, [&](const std::string& own) { return !own.ends_with("." + optimizer + ".lr"); });
    for (const std::string& own : targets) {
      const TomlValues::Value* there = values.find(own);
      if (there != nullptr && is_set_by_hand(*there) == is_set_by_hand(value))
        throw UsageError(fmt::format("{} is another name of {}, which is set too ({} and {}); expected one of them",
                                     path, own, value.origin, there->origin));
      if (there != nullptr && is_set_by_hand(*there)) continue;
      values.put(own, present);
    }
    notes.push_back(fmt::format("{} = {} sets {}{}", path, show(value), fmt::join(targets, ", "),
                                counted ? " = " + show(present) : ""));
  }
  expect_used_optimizer(values, whole, algorithm);
  return notes;
}

std::vector<std::string> other_names(const std::string& algorithm) {
  std::set<std::string> names;
  for (const AlgorithmEntry& a : algorithms())
    if (algorithm.empty() || a.name == algorithm)
      for (const auto& [name, paths] : names_for(a.name)) names.insert(name);
  return {names.begin(), names.end()};
}

}  // namespace goalpost
