#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "algos/agent.h"
#include "algos/off_policy_agent.h"
#include "core/config.h"
#include "core/memory.h"

namespace goalpost {

struct AlgorithmEntry {
  std::string_view name, doc;
  std::unique_ptr<Settings> (*settings)();  ///< everything below [agent], with default values
  /// @param lanes 0: the agent only acts, and needs no memory for learning
  /// @throws std::invalid_argument if the algorithm cannot work with this kind of environment
  std::unique_ptr<Agent> (*make)(const Settings& settings, const EnvSpec& spec, int lanes, Rng rng);
  /// The memory and sampling part of the settings, for checks; null if the algorithm has none.
  const OffPolicyConfig* (*off_policy)(const Settings& settings);
  ActionSpace::Kind action_kind;  ///< which kind of actions it is made for
  /// What is wrong with the settings for an environment, as a sentence; empty if nothing is. Null: nothing to ask.
  std::string (*problem)(const Settings& settings, const EnvSpec& spec, int lanes) = nullptr;
  /// What keeps a run from learning.
  void (*check_training)(const Settings& settings, const TrainingPlan& plan, TrainingCheck& check);
  /// What buffers and batches of an agent that learns take.
  void (*add_memory)(const Settings& settings, const EnvSpec& spec, MemoryNeed& need);
};

/// Every algorithm, sorted by name.
std::span<const AlgorithmEntry> algorithms();
/// @throws UsageError for an unknown name, with the nearest known one
const AlgorithmEntry& find_algorithm(std::string_view name);

}  // namespace goalpost
