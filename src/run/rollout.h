// Steps an environment with given actions or a policy, and writes a row per step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "envs/spec.h"

namespace goalpost {

/// Exactly one of actions, policy, random and scripted is set.
struct RolloutOptions {
  std::string env;                ///< the environment; with a policy another one than it was trained in, or empty
  std::filesystem::path actions;  ///< CSV file with columns a0, a1, ...: one row per step
  std::filesystem::path policy;   ///< run directory or policy.h5
  bool random = false;
  bool scripted = false;  ///< the environment's scripted policy
  int episodes = 1;       ///< unless actions are given
  std::int64_t seed = 0;
  std::filesystem::path state;   ///< CSV file with one row: the simulator's state that the first episode starts from
  bool with_state = false;       ///< also write the simulator's state after each step
  bool with_actions = false;     ///< also write the actions, so that the output can be given back as actions
  std::filesystem::path out;     ///< CSV file, new; empty: standard output, or none if episodes are recorded
  std::filesystem::path record;  ///< HDF5 file of the episodes (storage/episode_format.h), new; empty: none
  std::vector<std::string> set;  ///< env.key=value
};

/// The configuration of an environment, its defaults changed by "env.key=value", as TOML with [env] and [build]: stored
/// with recorded episodes. @throws UsageError as environment_settings
std::string environment_toml(const std::string& env, const std::vector<std::string>& set);

/// Steps one environment and writes a row per step:
///   episode,step,reward,terminated,truncated,success,obs0...,achieved0...,desired0...
/// followed, with the options, by the simulator's state (Env::coordinate_names) and the actions a0....
/// Before the first step of every episode there is a row of its reset: step -1, the observation, goals and simulator
/// state that the first action is chosen in, and empty cells for reward, flags and action.
/// Numbers have the digits that restore their bits; actions and simulator state are doubles. Observation, goals and
/// state are those after the step. Actions are in the environment's own unit; an episode that ends is followed by the
/// next until the actions are used up, which truncates the last one. An interrupted rollout does not record its running
/// episode.
/// @param stop called before every step; when true the rollout is interrupted
/// @throws UsageError for a missing or wrong file, with file and line, or an output that exists
void rollout(
    const RolloutOptions& options, const std::function<bool()>& stop = [] { return false; });

}  // namespace goalpost
