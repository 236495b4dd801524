// The same world with other tasks: goals at given or drawn offsets from where an episode starts, a reward for arriving,
// another time limit, chains of sub-tasks. Settings of every environment, below [env.task].
//
// In a chain the world is not reset between two episodes: each is a sub-task, so that success is counted, and
// bootstrapped, per sub-task. Evaluations run whole chains, since an early place in a chain may be easier than a late
// one.
//   subtasks    the offset is issued again from wherever the last episode has ended
//   waypoints   equidistant points on the line from the start to the goal; the next one becomes the goal when the last
//               one is reached, and the world is reset when one is missed; in
//               evaluations those behind it count as missed, too
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
  int subtasks = 1;
  int waypoints = 0;
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
      field("subtasks", &GoalTaskConfig::subtasks,
            "episodes from one reset of the world to the next; each takes its offset from where the last has ended", 1,
            1e6),
      field(
          "waypoints", &GoalTaskConfig::waypoints,
          "points on the line to the goal, one per episode; after one that is missed, or the last, the world is reset; "
          "0: the goal itself",
          0, 1e6),
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
