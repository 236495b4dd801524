// Other tasks in the same world: goals at given or random offsets from the start of an episode, a reward for reaching
// the goal, another time limit, chains of sub-tasks. Settings of every environment, below [env.task].
//
// In a chain the world is not reset between two episodes. Each episode is a sub-task, so that success is counted, and
// values are bootstrapped, per sub-task. Evaluations run whole chains, since early sub-tasks may be easier than late
// ones.
//   subtasks    the offset is issued again from the position where the last episode ended
//   waypoints   equidistant points on the line from the start to the goal; the next one becomes the goal when the
//               current one is reached, and the world is reset after a missed one; in evaluations the way-points after
//               it count as missed, too
#pragma once

#include <array>
#include <tuple>
#include <vector>

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

enum class TaskReward : int {
  environment,
  sparse,
  reach_bonus,
  distance,
  squared_distance,
  progress,
  squared_progress
};
inline constexpr std::array kTaskRewardNames = {"environment",      "sparse",   "reach_bonus",     "distance",
                                                "squared_distance", "progress", "squared_progress"};
constexpr EnumNames enum_names(TaskReward) { return kTaskRewardNames; }
inline constexpr std::array kFormerTaskRewards = {FormerValue{"own", "environment"},
                                                  FormerValue{"arrival", "reach_bonus"}};

struct GoalTaskConfig {
  std::vector<double> offset = {};
  int offsets = 0;
  double max_offset = 0;
  TaskReward reward = TaskReward::environment;
  int max_steps = 0;
  int subtasks = 1;
  int waypoints = 0;
};
constexpr auto fields(const GoalTaskConfig*) {
  return std::tuple{
      field("offset", &GoalTaskConfig::offset,
            "fixed goal: the goal achieved at the start plus this offset, in every episode; []: none", -1e6, 1e6),
      field("offsets", &GoalTaskConfig::offsets,
            "number of goal offsets that the run's seed draws once from the environment's own starts and goals; every "
            "episode uses one of them; 0: none",
            0, 1e6),
      field("max_offset", &GoalTaskConfig::max_offset,
            "drawn offsets longer than this are shortened to it; 0: no limit", 0, 1e6),
      field(
          "reward", &GoalTaskConfig::reward,
          "environment: its own; sparse: 0 within the radius, else -1; reach_bonus: 1 within the radius, which ends "
          "the episode, else -distance; shaped "
          "rewards, of the distance to the goal or its square: distance: minus it; progress: what it lost in the step",
          "Andrychowicz et al. 2017, 4.4 (shaped: lambda = 0 and 1, p = 1 and 2)")
          .with_former_values(kFormerTaskRewards),
      field("max_steps", &GoalTaskConfig::max_steps, "time limit; 0: the environment's own", 0, 1e9),
      field("subtasks", &GoalTaskConfig::subtasks,
            "episodes between two resets of the world; the offset of each starts where the last one ended", 1, 1e6),
      field(
          "waypoints", &GoalTaskConfig::waypoints,
          "number of points on the line to the goal, one per episode; the world is reset after a missed one and after "
          "the last; 0: the goal itself",
          0, 1e6),
  };
}
static_assert(complete<GoalTaskConfig>);

/// Why the environment cannot have this task, as a sentence; empty if it can.
std::string goal_task_problem(const GoalTaskConfig& config, const EnvSpec& spec);

/// Environments with this task instead of their own; returns `make` if config changes nothing.
/// @param rng draws the offsets, the same for all environments of the factory
/// @throws std::invalid_argument with the sentence of goal_task_problem
EnvFactory with_goal_task(EnvFactory make, const GoalTaskConfig& config, Rng rng);

}  // namespace goalpost
