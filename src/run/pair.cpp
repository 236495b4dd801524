#include "run/pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

#include "algos/registry.h"
#include "core/check.h"
#include "core/rng.h"
#include "envs/registry.h"
#include "run/experiment.h"

namespace goalpost {
namespace {

bool is_text(const TomlValues& values, const std::string& path, const std::string& text) {
  const TomlValues::Value* v = values.find(path);
  const std::string* there = v == nullptr ? nullptr : std::get_if<std::string>(&v->value);
  return there != nullptr && *there == text;
}

// Whether an experiment's source expects some success, or a return.
bool is_expected_to_work(const TomlValues& values) {
  if (values.find("source.expected_return") != nullptr) return true;
  const TomlValues::Value* success = values.find("source.expected_success");
  return success != nullptr && show(*success) != "0";
}

// The experiment with the shortest name; the names of its variants are longer.
std::string tuned_experiment(const std::string& algorithm, const std::string& env) {
  std::string best;
  for (const std::string& name : experiment_names()) {
    if (!best.empty() && best.size() <= name.size()) continue;
    try {
      const TomlValues values = load_experiment(name);
      if (is_text(values, "agent.algorithm", algorithm) && is_text(values, "env.name", env) &&
          is_expected_to_work(values))
        best = name;
    } catch (const UsageError&) {  // reported where that experiment is used
    }
  }
  return best;
}

// A reward of the goal that is the same at any distance beyond the radius.
bool is_sparse(const GoalSpace& goal) {
  if (goal.dim == 0 || goal.reward == nullptr) return false;
  const Vector at = Vector::Zero(goal.dim);
  const auto reward_at = [&](Scalar distance) {
    Vector away = at;
    away(0) = distance;
    return goal.reward(away, at, goal.radius);
  };
  return reward_at(2 * goal.radius) == reward_at(3 * goal.radius) && reward_at(0) != reward_at(3 * goal.radius);
}

// @param set assignments; those of other settings than the environment's are left out
EnvSpec spec_of(const EnvEntry& env, const std::vector<std::string>& set) {
  if (!is_python_environment(env.name)) return env.factory(*env.settings(), Rng(0))()->spec();
  std::vector<std::string> own;
  std::copy_if(set.begin(), set.end(), std::back_inserter(own), [](const auto& s) { return s.starts_with("env."); });
  try {
    return env.factory(*environment_settings(env.name, own), Rng(0))()->spec();
  } catch (const UsageError&) {  // Python or the module is missing, which only training needs to know
    return {};
  }
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

std::string pair_name(const std::string& algorithm, const std::string& env) {
  std::string name = algorithm + "_" + env;
  for (char& c : name)
    c = std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                                                    : '_';
  return name;
}

PairExperiment pair_experiment(const std::string& algorithm, const std::string& env, std::optional<bool> her,
                               const std::vector<std::string>& set) {
  const AlgorithmEntry& a = find_algorithm(algorithm);
  const EnvEntry& e = find_environment(env);
  const bool relabels = a.off_policy(*a.settings()) != nullptr;
  const EnvSpec spec = spec_of(e, set);
  if (her == true && !relabels)
    throw UsageError(
        fmt::format("--her: {} does not replay single transitions; expected one of the other algorithms", algorithm));
  if (her == true && spec.goal.dim == 0)
    throw UsageError(fmt::format("--her: {} has no goal; expected a goal-conditioned environment", env));
  PairExperiment pair;
  if (const std::string tuned = tuned_experiment(algorithm, env); !tuned.empty()) {
    pair.values = load_experiment(tuned);
    pair.note = fmt::format("{} on {}: settings of the experiment {}", algorithm, env, tuned);
    if (!her && relabels && !is_text(pair.values, "agent.her.strategy", "none") && spec.goal.dim > 0)
      pair.note += ", with HER (--no-her: without)";
  } else {
    const bool sparse = relabels && is_sparse(spec.goal);
    pair.values.put("name", pair_name(algorithm, env));
    pair.values.put("env.name", env);
    pair.values.put("agent.algorithm", algorithm);
    pair.values.put("label", upper(algorithm));
    pair.note =
        fmt::format("{} on {}: no experiment has this pair; the algorithm's default settings (`goalpost describe {}`)",
                    algorithm, env, algorithm);
    if (!her && relabels && spec.goal.dim > 0) {
      her = sparse;
      pair.note += sparse ? ", with HER, as the reward is sparse (--no-her: without)"
                          : ", without HER, as the reward is not sparse (--her: with)";
    }
  }
  if (her) {
    pair.values.put("agent.her.strategy", *her ? "future" : "none");
    pair.values.put("label", upper(algorithm) + (*her ? "+HER" : ""));
  }
  return pair;
}

}  // namespace goalpost
