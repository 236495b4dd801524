// Registry of algorithms: an off-policy agent for each learner, and HIRO.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "algos/agent.h"
#include "algos/learners.h"
#include "algos/off_policy_agent.h"
#include "core/config.h"
#include "core/memory.h"

namespace goalpost {

struct AlgorithmEntry {
  std::string name, doc;
  std::function<std::unique_ptr<Settings>()> settings;  ///< everything below [agent], with default values
  /// @param lanes number of environments; 0: the agent only acts, without memory for learning
  /// @throws std::invalid_argument if the algorithm does not support this kind of environment
  std::function<std::unique_ptr<Agent>(const Settings& settings, const EnvSpec& spec, int lanes, Rng rng)> make;
  /// The replay and sampling part of the settings, for checks; null if the algorithm has none.
  std::function<const OffPolicyConfig*(const Settings& settings)> off_policy;
  ActionSpace::Kind action_kind;  ///< kind of actions that it supports
  /// What is wrong with the settings for an environment, as a sentence; empty if nothing. Null: no check.
  std::function<std::string(const Settings& settings, const EnvSpec& spec, int lanes)> problem = nullptr;
  /// Adds what keeps a run from learning.
  std::function<void(const Settings& settings, const TrainingPlan& plan, TrainingCheck& check)> check_training;
  /// Adds the memory of the buffers and batches of an agent that learns.
  std::function<void(const Settings& settings, const EnvSpec& spec, MemoryNeed& need)> add_memory;
};

/// Every algorithm, sorted by name. @post valid until the next add_algorithm
std::span<const AlgorithmEntry> algorithms();
/// @throws UsageError for an unknown name, with the nearest known one
const AlgorithmEntry& find_algorithm(std::string_view name);

/// Adds an algorithm under a new name: `goalpost list algos`, experiments and all commands know it from then on. Call
/// it before any of them. @throws std::invalid_argument if the name is empty or taken
void add_algorithm(AlgorithmEntry entry);
/// The same for a learner: adds the off-policy agent with it, HER included; HIRO's levels may use it, too.
void add_algorithm(LearnerEntry learner);
/// The same for a class with a constructor L(const EnvSpec&, const C&, Rng) and a configuration C that has a member
/// gamma.
template <class L, Config C>
void add_algorithm(std::string name, ActionSpace::Kind action_kind, std::string doc) {
  add_algorithm(learner_entry<L, C>(std::move(name), action_kind, std::move(doc)));
}

}  // namespace goalpost
