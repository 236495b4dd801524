#pragma once

#include <array>
#include <optional>
#include <tuple>

#include "core/config.h"
#include "envs/mujoco/ant.h"

namespace goalpost {

enum class RoboticsMap : int { umaze, open, medium, large };

/// The cells of starts and goals. any: every free cell; diverse_goals: one start, marked goals;
/// diverse: start and goals in any of the marked cells.
enum class RoboticsCells : int { any, diverse_goals, diverse };

enum class MazeReward : int { sparse, dense };
inline constexpr std::array kMazeRewardNames = {"sparse", "dense"};
constexpr EnumNames enum_names(MazeReward) { return kMazeRewardNames; }

struct RoboticsAntMazeConfig {
  MazeReward reward = MazeReward::sparse;
  bool ends_at_goal = false;
  std::optional<double> goal_x = {}, goal_y = {};
};
constexpr auto fields(const RoboticsAntMazeConfig*) {
  return std::tuple{
      field("reward", &RoboticsAntMazeConfig::reward, "sparse: 1 at the goal, else 0; dense: exp(-distance)"),
      field("ends_at_goal", &RoboticsAntMazeConfig::ends_at_goal,
            "whether reaching the goal ends the episode; false: the suite's continuing task with a constant goal"),
      field("goal_x", &RoboticsAntMazeConfig::goal_x,
            "m, to the right of the map's center; drawn in every episode if left out", -100, 100),
      field("goal_y", &RoboticsAntMazeConfig::goal_y, "m, upwards on the map; set together with goal_x", -100, 100),
  };
}
static_assert(complete<RoboticsAntMazeConfig>);

MujocoModel robotics_ant_maze_model(RoboticsMap map, Integrator integrator);

/// AntMaze_UMaze-v5 and the other mazes of the family. The environments of a factory share one model.
/// @param version 5, with contact forces in the observation; 4, without
/// @throws std::invalid_argument for another version or marked cells in UMaze, UsageError for half a goal or one that
/// is near the only start
EnvFactory robotics_ant_maze_factory(RoboticsMap map, RoboticsCells cells, int version, Integrator integrator,
                                     const RoboticsAntMazeConfig& config);

template <RoboticsMap map, int version, RoboticsCells cells = RoboticsCells::any,
          Integrator integrator = Integrator::rk4>
EnvFactory robotics_ant_maze_factory(const RoboticsAntMazeConfig& config) {
  return robotics_ant_maze_factory(map, cells, version, integrator, config);
}

}  // namespace goalpost
