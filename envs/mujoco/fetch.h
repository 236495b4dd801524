#pragma once

#include <tuple>

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

enum class FetchTask : int { reach, push, slide, pick_and_place };
enum class FetchReward : int { sparse, dense };

struct FetchConfig {
  bool fixed_goal = false;
  double goal_x = 1.35, goal_y = 0.75, goal_z = 0.55;
  bool fixed_object = false;
  double object_x = 1.35, object_y = 0.85;
};
constexpr auto fields(const FetchConfig*) {
  return std::tuple{
      field("fixed_goal", &FetchConfig::fixed_goal, "whether every episode has the goal below; otherwise it is drawn"),
      field("goal_x", &FetchConfig::goal_x, "m, away from the base of the robot", -5, 5),
      field("goal_y", &FetchConfig::goal_y, "m, to the left of the robot", -5, 5),
      field("goal_z", &FetchConfig::goal_z, "m, upwards; the table's top is at 0.4", -5, 5),
      field("fixed_object", &FetchConfig::fixed_object,
            "whether every episode has the object at the place below; otherwise it is drawn. Not in Reach"),
      field("object_x", &FetchConfig::object_x, "m", -5, 5),
      field("object_y", &FetchConfig::object_y, "m", -5, 5),
  };
}
static_assert(complete<FetchConfig>);

/// FetchReach-v4 and its kin. The environments that a factory makes share one model and one settled start.
/// @param version 4; 3, of Reach with the sparse reward, has the reset that forgets the settled start
/// @throws std::invalid_argument for a fixed object in Reach, or another version
EnvFactory fetch_factory(FetchTask task, FetchReward reward, int version, const FetchConfig& config);

template <FetchTask task, FetchReward reward = FetchReward::sparse, int version = 4>
EnvFactory fetch_factory(const FetchConfig& config) {
  return fetch_factory(task, reward, version, config);
}

}  // namespace goalpost
