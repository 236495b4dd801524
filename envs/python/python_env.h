// Environments written in Python, each in a process of its own: "python:module:Class", or "gymnasium:Id" for one that
// Gymnasium makes. They have Gymnasium's Env interface: reset(seed=...), step(action), and spaces of the kind Box, of
// Discrete actions, and of a Dict with observation, achieved_goal and desired_goal.
//
//   state        the environment's own; saved as the episode's seed and its actions so far, which restore a
//   deterministic one ends         terminated and truncated as it says, and after task.max_steps, or its own
//   spec.max_episode_steps success      info["is_success"] if it is there; otherwise a goal reached within `radius`
#pragma once

#include <array>
#include <string>
#include <tuple>

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

enum class PythonReward : int { sparse, dense };
inline constexpr std::array kPythonRewardNames = {"sparse", "dense"};
constexpr EnumNames enum_names(PythonReward) { return kPythonRewardNames; }

struct PythonEnvConfig {
  std::string arguments = "{}";
  std::string interpreter = "python3";
  int max_steps = 0;
  double radius = 0.05;
  PythonReward goal_reward = PythonReward::sparse;
};
constexpr auto fields(const PythonEnvConfig*) {
  return std::tuple{
      field("arguments", &PythonEnvConfig::arguments, "keyword arguments of its class, or of gymnasium.make, as JSON"),
      field("interpreter", &PythonEnvConfig::interpreter, "the Python that runs it"),
      field("max_steps", &PythonEnvConfig::max_steps,
            "time limit in steps; 0: that of its spec.max_episode_steps or max_episode_steps", 0, 1e9),
      field("radius", &PythonEnvConfig::radius,
            "of tasks with goals: a goal is reached closer than this, in the goal's unit", 0, 1e9),
      field(
          "goal_reward", &PythonEnvConfig::goal_reward,
          "of tasks with goals: the reward that hindsight computes; sparse: 0 closer than radius, otherwise -1, dense: "
          "minus the distance. Compared with the environment's own at its start"),
  };
}
static_assert(complete<PythonEnvConfig>);

/// Makes environments of this name. A process is started when the first one is made, to learn its spaces.
/// @throws UsageError if Python or the module is missing, or its spaces are of another kind
EnvFactory python_factory(const std::string& name, const PythonEnvConfig& config);

}  // namespace goalpost
