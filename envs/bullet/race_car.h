#pragma once

#include <array>
#include <memory>
#include <optional>
#include <tuple>

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

enum class RaceCarGoals : int { first, four, center_line };
inline constexpr std::array kRaceCarGoalsNames = {"first", "four", "center_line"};
inline constexpr std::array kFormerRaceCarGoals = {FormerValue{"centre_line", "center_line"}};
constexpr EnumNames enum_names(RaceCarGoals) { return kRaceCarGoalsNames; }

/// The values here are those of RaceCar-v0, as published; race_car_v1() has the corrected ones.
struct RaceCarConfig {
  double crash_reward = -1;
  int substeps = 1;
  int rays = 0;
  RaceCarGoals goals = RaceCarGoals::first;
  std::optional<double> goal_x = {}, goal_y = {};
  double goal_radius = 1;
  bool movable_walls = true;
  double start_noise = 0;
  double time_limit = 100;
};
constexpr auto fields(const RaceCarConfig*) {
  return std::tuple{
      field("crash_reward", &RaceCarConfig::crash_reward,
            "reward of the step that hits a wall and ends the episode. -1, as published, makes the earliest crash the "
            "best policy; -1/(1 - gamma) is the return of never arriving",
            -1e6, 0),
      field("substeps", &RaceCarConfig::substeps, "simulated steps of 0.01 s per action; published: 1", 1, 1000),
      field("rays", &RaceCarConfig::rays,
            "number of directions in which the observation has the distance to the walls, at its end; 0, as published: "
            "walls are not sensed",
            0, 1000),
      field("goals", &RaceCarConfig::goals,
            "first: (3, 3) in every episode, as published, where every reset seeds the generator anew; four: one of "
            "four at random; center_line: anywhere on the track's center line, more than 1 m away")
          .with_former_values(kFormerRaceCarGoals),
      field("goal_x", &RaceCarConfig::goal_x, "m; as set by `goals` if left out", -100, 100),
      field("goal_y", &RaceCarConfig::goal_y, "m; as set by `goals` if left out", -100, 100),
      field("goal_radius", &RaceCarConfig::goal_radius, "success radius, m; published: 1", 1e-3, 100),
      field("movable_walls", &RaceCarConfig::movable_walls,
            "true, as published: walls of 100 kg that shift at the start of an episode; false: fixed walls"),
      field("start_noise", &RaceCarConfig::start_noise,
            "maximum random displacement of the start, in units of 0.05 m in x and y and of 0.1 rad; published: 0", 0,
            4),
      field("time_limit", &RaceCarConfig::time_limit, "s; published: 100", 0.01, 1e6),
  };
}
static_assert(complete<RaceCarConfig>);

constexpr RaceCarConfig race_car_v1() {
  return {.crash_reward = -50,
          .substeps = 10,
          .rays = 9,
          .goals = RaceCarGoals::four,
          .goal_x = {},
          .goal_y = {},
          .goal_radius = 1,
          .movable_walls = false,
          .start_noise = 1,
          .time_limit = 30};
}

/// @throws std::invalid_argument for substeps or rays out of range
std::unique_ptr<Env> make_race_car(const char* name, const RaceCarConfig& config);
inline std::unique_ptr<Env> make_race_car_v0(const RaceCarConfig& c) { return make_race_car("RaceCar-v0", c); }
inline std::unique_ptr<Env> make_race_car_v1(const RaceCarConfig& c) { return make_race_car("RaceCar-v1", c); }

}  // namespace goalpost
