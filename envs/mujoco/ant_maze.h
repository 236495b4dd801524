#pragma once

#include <array>
#include <optional>
#include <tuple>

#include "core/config.h"
#include "envs/mujoco/ant.h"

namespace goalpost {

enum class AntTask : int { maze, push, fall, maze_sparse };

enum class AntGoals : int { fixed, drawn };
inline constexpr std::array kAntGoalsNames = {"fixed", "drawn"};
constexpr EnumNames enum_names(AntGoals) { return kAntGoalsNames; }

/// The values here are those of AntPush-v0, AntFall-v0 and AntMazeSparse-v0; ant_maze_defaults() are AntMaze-v0's.
struct AntMazeConfig {
  AntGoals goals = AntGoals::fixed;
  std::optional<double> goal_x = {}, goal_y = {}, goal_z = {};
  bool observe_block = false;
};
constexpr auto fields(const AntMazeConfig*) {
  return std::tuple{
      field("goals", &AntMazeConfig::goals,
            "fixed: the far end, (0, 16) in Maze, (0, 19) in Push, (0, 27, 4.5) in Fall, (2, 9) in MazeSparse; drawn: "
            "anywhere in the world, inside walls too. The paper trains Maze with drawn goals, the others with fixed "
            "ones, and evaluates all "
            "with fixed ones",
            "arXiv:1805.08296"),
      field("goal_x", &AntMazeConfig::goal_x, "m; as set by `goals` if left out", -100, 100),
      field("goal_y", &AntMazeConfig::goal_y, "m; as set by `goals` if left out", -100, 100),
      field("goal_z", &AntMazeConfig::goal_z, "m; as set by `goals` if left out. Fall only", -100, 100),
      field("observe_block", &AntMazeConfig::observe_block,
            "observations end with the two displacements of the block, m. Push and Fall only",
            "arXiv:1805.08296 (false)"),
  };
}
static_assert(complete<AntMazeConfig>);

constexpr AntMazeConfig ant_maze_defaults() {
  return {.goals = AntGoals::drawn, .goal_x = {}, .goal_y = {}, .goal_z = {}, .observe_block = false};
}

MujocoModel ant_maze_model(AntTask task, Integrator integrator);

/// AntMaze-v0, AntPush-v0, AntFall-v0, AntMazeSparse-v0; with Integrator::euler AntMazeEuler-v0 and so on. The
/// environments of a factory share one model.
/// @throws UsageError for goal_z in any but Fall, and for observe_block where there is none
EnvFactory ant_maze_factory(AntTask task, Integrator integrator, const AntMazeConfig& config);

template <AntTask task, Integrator integrator = Integrator::rk4>
EnvFactory ant_maze_factory(const AntMazeConfig& config) {
  return ant_maze_factory(task, integrator, config);
}

}  // namespace goalpost
