#pragma once

#include <optional>
#include <tuple>

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

enum class FetchTask : int { reach, push, slide, pick_and_place };
enum class FetchReward : int { sparse, dense };

struct FetchConfig {
  std::optional<double> goal_x = {}, goal_y = {}, goal_z = {};
  std::optional<double> object_x = {}, object_y = {};
};
constexpr auto fields(const FetchConfig*) {
  return std::tuple{
      field("goal_x", &FetchConfig::goal_x, "m, away from the robot's base; drawn in every episode if left out", -5, 5),
      field("goal_y", &FetchConfig::goal_y, "m, to the robot's left; drawn if left out", -5, 5),
      field("goal_z", &FetchConfig::goal_z, "m, upwards; the table's top is at 0.4; drawn if left out", -5, 5),
      field("object_x", &FetchConfig::object_x, "m, start of the object; drawn if left out. Not in Reach", -5, 5),
      field("object_y", &FetchConfig::object_y, "m; drawn if left out. Not in Reach", -5, 5),
  };
}
static_assert(complete<FetchConfig>);

/// FetchReach-v4 and the other Fetch tasks. The environments of a factory share one model and one settled start.
/// @param version 4, or 3 for Reach with the sparse reward, whose reset() does not restore the arm's settled pose
/// @throws std::invalid_argument for an object's position in Reach, or another version
EnvFactory fetch_factory(FetchTask task, FetchReward reward, int version, const FetchConfig& config);

template <FetchTask task, FetchReward reward = FetchReward::sparse, int version = 4>
EnvFactory fetch_factory(const FetchConfig& config) {
  return fetch_factory(task, reward, version, config);
}

}  // namespace goalpost
