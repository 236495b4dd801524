#include "envs/registry.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/suggest.h"
#include "envs/bullet/bullet_env.h"
#include "envs/bullet/race_car.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "envs/mujoco/ant_gather.h"
#include "envs/mujoco/ant_maze.h"
#include "envs/mujoco/fetch.h"
#include "envs/mujoco/mujoco_env.h"
#include "envs/mujoco/robotics_ant_maze.h"
#include "envs/python/python_env.h"

namespace goalpost {
namespace {

struct NoConfig {};
constexpr auto fields(const NoConfig*) { return std::tuple{}; }

template <class Config>
EnvEntry entry(std::string_view name, std::string_view doc, EnvFactory (*world)(const Settings&)) {
  return {std::string(name), std::string(doc), [] { return std::make_unique<EnvSettingsOf<Config>>(); }, world};
}

template <std::unique_ptr<Env> (*make)()>
EnvEntry entry(std::string_view name, std::string_view doc) {
  return entry<NoConfig>(name, doc, [](const Settings&) { return EnvFactory(make); });
}

template <class Config, std::unique_ptr<Env> (*make)(const Config&)>
EnvEntry entry(std::string_view name, std::string_view doc) {
  return entry<Config>(name, doc, [](const Settings& settings) {
    return EnvFactory([config = env_config<Config>(settings)] { return make(config); });
  });
}

template <class Config, EnvFactory (*factory)(const Config&)>
EnvEntry entry(std::string_view name, std::string_view doc) {
  return entry<Config>(name, doc, [](const Settings& settings) { return factory(env_config<Config>(settings)); });
}

// The same entry with other default values than the configuration's own.
template <class Config, Config (*defaults)()>
EnvEntry with_defaults(EnvEntry e) {
  e.settings = [] {
    auto settings = std::make_unique<EnvSettingsOf<Config>>();
    settings->value = defaults();
    return std::unique_ptr<EnvSettings>(std::move(settings));
  };
  return e;
}

template <AntTask task, Integrator integrator = Integrator::rk4>
EnvEntry ant(std::string_view name, std::string_view doc) {
  EnvEntry e = entry<AntMazeConfig, ant_maze_factory<task, integrator>>(name, doc);
  return task == AntTask::maze ? with_defaults<AntMazeConfig, ant_maze_defaults>(std::move(e)) : e;
}

template <Integrator integrator = Integrator::rk4>
EnvEntry ant_gather(std::string_view name, std::string_view doc) {
  return entry<AntGatherConfig, ant_gather_factory<integrator>>(name, doc);
}

template <RoboticsMap map, int version, RoboticsCells cells = RoboticsCells::any,
          Integrator integrator = Integrator::rk4>
EnvEntry robotics_ant(std::string_view name, std::string_view doc) {
  return entry<RoboticsAntMazeConfig, robotics_ant_maze_factory<map, version, cells, integrator>>(name, doc);
}

template <FetchTask task, FetchReward reward = FetchReward::sparse, int version = 4>
EnvEntry fetch(std::string_view name, std::string_view doc) {
  return entry<FetchConfig, fetch_factory<task, reward, version>>(name, doc);
}

std::vector<EnvEntry> shipped_environments() {
  return {
      ant<AntTask::fall>("AntFall-v0", "ant: push a block into a chasm and cross it; dense reward"),
      ant<AntTask::fall, Integrator::euler>("AntFallEuler-v0", "AntFall-v0 with the faster integrator"),
      ant_gather<>("AntGather-v0", "ant: eat apples and avoid bombs; no goal"),
      ant_gather<Integrator::euler>("AntGatherEuler-v0", "AntGather-v0 with the faster integrator"),
      ant<AntTask::maze>("AntMaze-v0", "ant: walk around the corner of a maze of 8 m blocks; dense reward"),
      ant<AntTask::maze, Integrator::euler>("AntMazeEuler-v0", "AntMaze-v0 with the faster integrator"),
      ant<AntTask::maze_sparse>("AntMazeSparse-v0", "ant: reach one place in a maze of 2 m cells; sparse reward"),
      ant<AntTask::maze_sparse, Integrator::euler>("AntMazeSparseEuler-v0",
                                                   "AntMazeSparse-v0 with the faster integrator"),
      robotics_ant<RoboticsMap::large, 4>("AntMaze_Large-v4",
                                          "ant: reach a goal in the large maze; sparse reward, 27 observations"),
      robotics_ant<RoboticsMap::large, 5>("AntMaze_Large-v5",
                                          "ant: reach a goal in the large maze; sparse reward, 105 observations"),
      robotics_ant<RoboticsMap::large, 5, RoboticsCells::any, Integrator::euler>(
          "AntMaze_LargeEuler-v5", "AntMaze_Large-v5 with the faster integrator"),
      robotics_ant<RoboticsMap::large, 4, RoboticsCells::diverse_goals>(
          "AntMaze_Large_Diverse_G-v4", "AntMaze_Large-v4 with one start cell and marked goal cells"),
      robotics_ant<RoboticsMap::large, 5, RoboticsCells::diverse_goals>(
          "AntMaze_Large_Diverse_G-v5", "AntMaze_Large-v5 with one start cell and marked goal cells"),
      robotics_ant<RoboticsMap::large, 4, RoboticsCells::diverse>(
          "AntMaze_Large_Diverse_GR-v4", "AntMaze_Large-v4 with marked cells for start and goal"),
      robotics_ant<RoboticsMap::large, 5, RoboticsCells::diverse>(
          "AntMaze_Large_Diverse_GR-v5", "AntMaze_Large-v5 with marked cells for start and goal"),
      robotics_ant<RoboticsMap::medium, 4>("AntMaze_Medium-v4",
                                           "ant: reach a goal in the medium maze; sparse reward, 27 observations"),
      robotics_ant<RoboticsMap::medium, 5>("AntMaze_Medium-v5",
                                           "ant: reach a goal in the medium maze; sparse reward, 105 observations"),
      robotics_ant<RoboticsMap::medium, 5, RoboticsCells::any, Integrator::euler>(
          "AntMaze_MediumEuler-v5", "AntMaze_Medium-v5 with the faster integrator"),
      robotics_ant<RoboticsMap::medium, 4, RoboticsCells::diverse_goals>(
          "AntMaze_Medium_Diverse_G-v4", "AntMaze_Medium-v4 with one start cell and marked goal cells"),
      robotics_ant<RoboticsMap::medium, 5, RoboticsCells::diverse_goals>(
          "AntMaze_Medium_Diverse_G-v5", "AntMaze_Medium-v5 with one start cell and marked goal cells"),
      robotics_ant<RoboticsMap::medium, 4, RoboticsCells::diverse>(
          "AntMaze_Medium_Diverse_GR-v4", "AntMaze_Medium-v4 with marked cells for start and goal"),
      robotics_ant<RoboticsMap::medium, 5, RoboticsCells::diverse>(
          "AntMaze_Medium_Diverse_GR-v5", "AntMaze_Medium-v5 with marked cells for start and goal"),
      robotics_ant<RoboticsMap::open, 4>(
          "AntMaze_Open-v4", "ant: reach a goal in a maze without inner walls; sparse reward, 27 observations"),
      robotics_ant<RoboticsMap::open, 5>(
          "AntMaze_Open-v5", "ant: reach a goal in a maze without inner walls; sparse reward, 105 observations"),
      robotics_ant<RoboticsMap::open, 5, RoboticsCells::any, Integrator::euler>(
          "AntMaze_OpenEuler-v5", "AntMaze_Open-v5 with the faster integrator"),
      robotics_ant<RoboticsMap::open, 4, RoboticsCells::diverse_goals>(
          "AntMaze_Open_Diverse_G-v4", "AntMaze_Open-v4 with one start cell and marked goal cells"),
      robotics_ant<RoboticsMap::open, 5, RoboticsCells::diverse_goals>(
          "AntMaze_Open_Diverse_G-v5", "AntMaze_Open-v5 with one start cell and marked goal cells"),
      robotics_ant<RoboticsMap::open, 4, RoboticsCells::diverse>(
          "AntMaze_Open_Diverse_GR-v4", "AntMaze_Open-v4 with marked cells for start and goal"),
      robotics_ant<RoboticsMap::open, 5, RoboticsCells::diverse>(
          "AntMaze_Open_Diverse_GR-v5", "AntMaze_Open-v5 with marked cells for start and goal"),
      robotics_ant<RoboticsMap::umaze, 4>("AntMaze_UMaze-v4",
                                          "ant: reach a goal in a U-shaped maze; sparse reward, 27 observations"),
      robotics_ant<RoboticsMap::umaze, 5>("AntMaze_UMaze-v5",
                                          "ant: reach a goal in a U-shaped maze; sparse reward, 105 observations"),
      robotics_ant<RoboticsMap::umaze, 5, RoboticsCells::any, Integrator::euler>(
          "AntMaze_UMazeEuler-v5", "AntMaze_UMaze-v5 with the faster integrator"),
      ant<AntTask::push>("AntPush-v0", "ant: push a block aside and go past it; dense reward"),
      ant<AntTask::push, Integrator::euler>("AntPushEuler-v0", "AntPush-v0 with the faster integrator"),
      entry<BitFlipConfig, make_bit_flip>(
          "BitFlip-v0", "flip one of n bits per step until they equal the goal; discrete, goal-conditioned"),
      fetch<FetchTask::pick_and_place>("FetchPickAndPlace-v4", "robot arm: lift a box to a goal; sparse reward"),
      fetch<FetchTask::pick_and_place, FetchReward::dense>("FetchPickAndPlaceDense-v4",
                                                           "FetchPickAndPlace-v4 with the reward -distance"),
      fetch<FetchTask::push>("FetchPush-v4", "robot arm: push a box to a goal; sparse reward"),
      fetch<FetchTask::push, FetchReward::dense>("FetchPushDense-v4", "FetchPush-v4 with the reward -distance"),
      fetch<FetchTask::reach, FetchReward::sparse, 3>("FetchReach-v3",
                                                      "FetchReach-v4 with the faulty published reset()"),
      fetch<FetchTask::reach>("FetchReach-v4", "robot arm: move the gripper to a goal; sparse reward"),
      fetch<FetchTask::reach, FetchReward::dense>("FetchReachDense-v4", "FetchReach-v4 with the reward -distance"),
      fetch<FetchTask::slide>("FetchSlide-v4", "robot arm: hit a puck so that it stops at a goal; sparse reward"),
      fetch<FetchTask::slide, FetchReward::dense>("FetchSlideDense-v4", "FetchSlide-v4 with the reward -distance"),
      entry<make_pendulum>("Pendulum-v1", "swing up and hold a rod; continuous"),
      entry<make_point_reach>("PointReach-v0", "push a mass in the plane to a goal; continuous, goal-conditioned"),
      entry<RaceCarConfig, make_race_car_v0>("RaceCar-v0", "car on a walled track, as published: crashing is optimal"),
      with_defaults<RaceCarConfig, race_car_v1>(
          entry<RaceCarConfig, make_race_car_v1>("RaceCar-v1", "car on a walled track: drive to one of four goals")),
  };
}

std::vector<EnvEntry>& registered() {
  static std::vector<EnvEntry> list = shipped_environments();
  return list;
}

}  // namespace

EnvFactory EnvEntry::factory(const Settings& settings, Rng rng) const {
  return with_goal_task(world(settings), dynamic_cast<const EnvSettings&>(settings).task, rng.stream("task"));
}

std::span<const EnvEntry> environments() { return registered(); }

void add_environment(EnvEntry entry) { add_by_name(registered(), std::move(entry), "environment"); }

namespace {

// Entries of environments in Python are made when they are first named.
const EnvEntry& python_environment(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, EnvEntry> entries;
  const std::lock_guard guard(mutex);
  const auto found = entries.find(name);
  if (found != entries.end()) return found->second;
  EnvEntry entry{
      .name = name,
      .doc = "an environment in Python",
      .settings = [] { return std::make_unique<EnvSettingsOf<PythonEnvConfig>>(); },
      .world =
          [name](const Settings& settings) { return python_factory(name, env_config<PythonEnvConfig>(settings)); }};
  return entries.emplace(name, std::move(entry)).first->second;
}

}  // namespace

bool is_python_environment(std::string_view name) {
  return name.starts_with("python:") || name.starts_with("gymnasium:");
}

const EnvEntry& find_environment(std::string_view name) {
  if (is_python_environment(name)) return python_environment(std::string(name));
  return find_by_name(environments(), name, "environment", "goalpost list envs");
}

std::string simulator_versions() { return "MuJoCo " + mujoco_version() + ", Bullet " + bullet_version(); }

}  // namespace goalpost
