// The same world with other tasks: goals at given or drawn offsets from where an episode starts, a reward for arriving,
// another time limit. Settings of every environment, below [env.task].
#pragma once

#include <array>
#include <tuple>
#include <vector>

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

enum class TaskReward : int { own, arrival };
inline constexpr std::array kTaskRewardNames = {"own", "arrival"};
constexpr EnumNames enum_names(TaskReward) { return kTaskRewardNames; }

struct GoalTaskConfig {
  std::vector<double> offset = {};
  int offsets = 0;
  double max_offset = 0;
  TaskReward reward = TaskReward::own;
  int max_steps = 0;
};
constexpr auto fields(const GoalTaskConfig*) {
  return std::tuple{
      field("offset", &GoalTaskConfig::offset,
            "the goal is what is achieved at the start plus this, in every episode; []: not so", -1e6, 1e6),
      field("offsets", &GoalTaskConfig::offsets,
            "so many offsets are drawn once from the environment's own starts and goals, by the run's seed, and every "
            "episode takes one of them; 0: not so",
            0, 1e6),
      field("max_offset", &GoalTaskConfig::max_offset, "drawn offsets longer than this are shortened to it; 0: none", 0,
            1e6),
      field("reward", &GoalTaskConfig::reward,
            "own: the environment's; arrival: 1 within the radius, which ends the episode, else -distance"),
      field("max_steps", &GoalTaskConfig::max_steps, "time limit; 0: the environment's own", 0, 1e9),
  };
}
static_assert(complete<GoalTaskConfig>);

/// What is wrong with a task on an environment, as a sentence; empty if nothing is.
std::string goal_task_problem(const GoalTaskConfig& config, const EnvSpec& spec);

/// Environments with the task in place of their own; make itself if config asks for nothing.
/// @param rng draws the offsets, the same for all environments of the factory
/// @throws std::invalid_argument if goal_task_problem has something to say
EnvFactory with_goal_task(EnvFactory make, const GoalTaskConfig& config, Rng rng);

}  // namespace goalpost
