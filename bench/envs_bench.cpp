// Steps per second of every registered environment, restarts included; items are steps, summed over the lanes. Beside
// the Fetch tasks and the race cars stands a bare loop over the simulator's step function, which makes the same
// movements.
#include <algorithm>
#include <array>

#include "algos/noise.h"
#include "bench/support.h"
#include "envs/bullet/race_car_world.h"
#include "envs/mujoco/mujoco_env.h"
#include "envs/registry.h"
#include "envs/vector_env.h"

namespace goalpost::bench {
namespace {

struct Case {
  std::string name;
  const EnvEntry* env;
  int lanes, threads;
};

// Drawn beforehand: only the steps are timed.
std::array<Matrix, 64> drawn_actions(const ActionSpace& space, int lanes) {
  std::array<Matrix, 64> actions;
  Rng rng(2);
  for (Matrix& a : actions) {
    a.resize(space.dim, lanes);
    random_actions(space, rng, a);
  }
  return actions;
}

void BM_env_step(State& state, const Case& c) {
  VectorEnv env(c.env->world(*c.env->settings()), c.lanes, Rng(1), c.threads);
  const auto actions = drawn_actions(env.spec().action, c.lanes);
  std::size_t i = 0;
  measure(state, c.lanes, [&] { env.step(actions[i++ % actions.size()]); });
}

struct Bare {
  std::string name;
  const char* file;
};

// The mocap body is put where the actions of BM_env_step put it, and the settled state comes back every 50 steps;
// nothing is observed, rewarded or checked.
void BM_mujoco_step(State& state, const Bare& c) {
  const EnvEntry& entry = find_environment(c.name);
  VectorEnv env(entry.world(*entry.settings()), 1, Rng(1));
  const auto actions = drawn_actions(env.spec().action, 1);
  std::vector<double> start(env.lane(0).coordinate_names().size());
  env.lane(0).get_coordinates(start);
  const MujocoModel model = load_mujoco_model(c.file);
  MujocoSimulation sim(c.name, model);
  mjData& d = sim.data();
  const int gripper = mujoco_id(*model, mjOBJ_BODY, "gripper_link");
  std::size_t i = 0;
  measure(state, 1, [&] {
    if (i % 50 == 0) {
      sim.reset();
      sim.set_coordinates(start);
    }
    const Matrix& action = actions[i++ % actions.size()];
    for (int k = 0; k < 3; ++k) d.mocap_pos[k] = d.xpos[3 * gripper + k] + 0.05 * double(action(k));
    for (int k = 0; k < 4; ++k) d.mocap_quat[k] = d.xquat[4 * gripper + k] + (k % 2 == 0 ? 1 : 0);
    for (int k = 0; k < 20; ++k) mj_step(model.get(), &d);
  });
}

struct BareCar {
  std::string name;
  bool movable_walls;
  int substeps, actions;  // per episode, before most of the random drives have hit a wall
};

// Bullet's step alone on the world of a race car that drives as in BM_env_step; the world is built anew after so many
// actions. Nothing is observed, rewarded or looked at for contacts.
void BM_bullet_step(State& state, const BareCar& c) {
  const EnvEntry& entry = find_environment(c.name);
  const ActionSpace space = entry.world(*entry.settings())()->spec().action;
  const auto actions = drawn_actions(space, 1);
  RaceCarWorld car(c.movable_walls);
  std::vector<double> start(car.coordinate_names().size());
  car.start_coordinates(0.5, 0.5, 1.5707963, start);
  btMultiBodyDynamicsWorld& world = car.bullet().world();
  const BulletMemory::Use use = car.bullet().use_memory();
  std::size_t i = 0;
  measure(state, 1, [&] {
    if (i % static_cast<std::size_t>(c.actions) == 0) car.set_coordinates(start);
    const Matrix& action = actions[i++ % actions.size()];
    car.drive(double(action(0)), (double(action(1)) + 1) / 2);
    for (int k = 0; k < c.substeps; ++k) world.stepSimulation(RaceCarWorld::kDt, 0);
  });
}

const bool registered = [] {
  for (const BareCar& c : {BareCar{"RaceCar-v0", true, 1, 200}, BareCar{"RaceCar-v1", false, 10, 20}})
    add("BM_bullet_step", c, BM_bullet_step)->UseRealTime();
  for (const Bare& c :
       {Bare{"FetchPickAndPlace-v4", "fetch/pick_and_place.xml"}, Bare{"FetchPush-v4", "fetch/push.xml"},
        Bare{"FetchReach-v4", "fetch/reach.xml"}, Bare{"FetchSlide-v4", "fetch/slide.xml"}})
    add("BM_mujoco_step", c, BM_mujoco_step)->UseRealTime();
  struct Shape {
    int lanes, threads;
  };
  for (const EnvEntry& env : environments()) {
    if (env.name.find("Diverse") != std::string_view::npos) continue;  // other starts and goals in the same world
    for (const auto& [lanes, threads] : {Shape{1, 1}, Shape{kLanes, 1}, Shape{kLanes, 2}}) {
      const std::string size =
          std::string(env.name) + "/lanes:" + std::to_string(lanes) + "/threads:" + std::to_string(threads);
      add("BM_env_step", Case{size, &env, lanes, threads}, BM_env_step)->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
