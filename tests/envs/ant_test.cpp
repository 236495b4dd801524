// The ant's worlds against numbers measured with the original models (HIRO's released code and Gymnasium-Robotics, both
// on MuJoCo 2.2.2), and hand-worked examples of goals, sensors and ends.
//
// GOALPOST_RANDOM_STEPS=100000 build/unit_tests --gtest_filter='*AntRandom*' takes this number of random steps in
// each world, instead of a few hundred.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numbers>
#include <set>

#include "core/check.h"
#include "envs/mujoco/ant_gather.h"
#include "envs/mujoco/ant_maze.h"
#include "envs/mujoco/robotics_ant_maze.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

using Eigen::Vector2d;
using Eigen::Vector3d;
using Eigen::VectorXd;
using Doubles = std::vector<double>;
constexpr double kPi = std::numbers::pi;

constexpr AntTask kTasks[] = {AntTask::maze, AntTask::push, AntTask::fall, AntTask::maze_sparse};
constexpr int kHip1 = 7, kAnkle1 = 8, kBlock = 15;  // in qpos

std::unique_ptr<Env> make(const std::string& name) {
  const EnvEntry& entry = find_environment(name);
  return entry.world(*entry.settings())();
}
std::unique_ptr<Env> make(AntTask task, const AntMazeConfig& c = {}) {
  return ant_maze_factory(task, Integrator::rk4, c)();
}
std::unique_ptr<Env> make(const RoboticsAntMazeConfig& c, RoboticsMap map = RoboticsMap::umaze, int version = 4) {
  return robotics_ant_maze_factory(map, RoboticsCells::any, version, Integrator::rk4, c)();
}

struct Seen {
  Vector obs, achieved, desired;
};
Seen look(const Env& env) {
  const EnvSpec& s = env.spec();
  Seen seen{Vector(s.obs_dim), Vector(s.goal.dim), Vector(s.goal.dim)};
  env.observe({seen.obs, seen.achieved, seen.desired});
  return seen;
}

Doubles coordinates(const Env& env) {
  Doubles values(env.coordinate_names().size());
  env.get_coordinates(values);
  return values;
}
// The model's default pose, at rest, where reset adds noise.
void start_without_noise(Env& env, const MujocoModel& model) {
  Rng rng(1);
  env.reset(rng);
  Doubles values(static_cast<std::size_t>(model->nq + model->nv), 0.0);
  std::copy_n(model->qpos0, model->nq, values.begin());
  env.set_coordinates(values);
}

VectorXd random_action(const Env& env, Rng& rng) {
  const ActionSpace& space = env.spec().action;
  VectorXd a(space.dim);
  for (Index i = 0; i < a.size(); ++i) a(i) = double(rng.uniform(space.low(i), space.high(i)));
  return a;
}
const VectorXd kStill = VectorXd::Zero(8);

// Doubles of the state, by name.
Doubles state_of(Env& env, const std::string& name) {
  for (const StateEntry& e : snapshot(env)) {
    if (e.name != name) continue;
    Doubles values(e.bytes.size() / sizeof(double));
    std::memcpy(values.data(), e.bytes.data(), e.bytes.size());
    return values;
  }
  throw std::runtime_error("no " + name);
}
void set_state_of(Env& env, const std::string& name, const Doubles& values) {
  Snapshot state = snapshot(env);
  for (StateEntry& e : state)
    if (e.name == name) std::memcpy(e.bytes.data(), values.data(), e.bytes.size());
  restore(env, state);
}

// ---- the models ----

TEST(AntModel, HasTheOriginalsSizesNamesAndMasses) {
  for (const AntKind kind : {AntKind::hiro, AntKind::gym}) {
    const MujocoModel m = make_ant_model(kind, Integrator::rk4, {.name = "open"});
    EXPECT_EQ(m->nq, 15);
    EXPECT_EQ(m->nv, 14);
    EXPECT_EQ(m->nu, 8);
    EXPECT_EQ(m->nbody, 14);
    EXPECT_EQ(m->njnt, 9);
    EXPECT_EQ(m->ngeom, 14);
    const double leg = 0.0391578, foot = 0.0675922;
    double total = 0;
    for (int b = 1; b < m->nbody; ++b) {
      const double expected = b == 1 ? 0.327249 : (b - 2) % 3 == 2 ? foot : leg;
      EXPECT_NEAR(m->body_mass[b], expected, 5e-7) << "body " << b;
      total += m->body_mass[b];
    }
    EXPECT_NEAR(total, 0.910880, 1e-6);

    const char* joints[] = {"root", "hip_1", "ankle_1", "hip_2", "ankle_2", "hip_3", "ankle_3", "hip_4", "ankle_4"};
    for (int j = 0; j < 9; ++j) EXPECT_EQ(mujoco_id(*m, mjOBJ_JOINT, joints[j]), j);
    const int order[] = {7, 8, 1, 2, 3, 4, 5, 6};  // joints of the motors
    for (int a = 0; a < 8; ++a) {
      EXPECT_EQ(m->actuator_trnid[2 * a], order[a]);
      EXPECT_EQ(m->actuator_gear[6 * a], kind == AntKind::hiro ? 1 : 150);
      EXPECT_EQ(m->actuator_ctrlrange[2 * a + 1], kind == AntKind::hiro ? 30 : 1);
      EXPECT_EQ(m->actuator_ctrllimited[a], 1);
    }
    EXPECT_EQ(m->opt.timestep, kind == AntKind::hiro ? 0.02 : 0.01);
    EXPECT_EQ(m->opt.integrator, mjINT_RK4);
  }
}

TEST(AntModel, JointsAndContactsAreTheOriginals) {
  const MujocoModel m = make_ant_model(AntKind::hiro, Integrator::euler, {.name = "open"});
  EXPECT_EQ(m->opt.integrator, mjINT_EULER);
  EXPECT_EQ(m->jnt_limited[0], 0);
  EXPECT_EQ(m->dof_armature[0], 0);
  EXPECT_EQ(m->dof_damping[0], 0);
  const double degree = kPi / 180;
  const double low[] = {30, -70, -70, 30}, axis_x[] = {-1, 1, -1, 1};
  for (int leg = 0; leg < 4; ++leg) {
    const int hip = 1 + 2 * leg, ankle = hip + 1;
    EXPECT_NEAR(m->jnt_range[2 * hip], -30 * degree, 1e-12);
    EXPECT_NEAR(m->jnt_range[2 * hip + 1], 30 * degree, 1e-12);
    EXPECT_NEAR(m->jnt_range[2 * ankle], low[leg] * degree, 1e-12);
    EXPECT_NEAR(m->jnt_range[2 * ankle + 1], (low[leg] + 40) * degree, 1e-12);
    EXPECT_EQ(m->jnt_axis[3 * hip + 2], 1);
    EXPECT_NEAR(m->jnt_axis[3 * ankle], axis_x[leg] / std::sqrt(2), 1e-12);
    EXPECT_NEAR(m->jnt_axis[3 * ankle + 1], 1 / std::sqrt(2), 1e-12);
    for (const int joint : {hip, ankle}) {
      EXPECT_EQ(m->jnt_limited[joint], 1);
      EXPECT_EQ(m->dof_armature[m->jnt_dofadr[joint]], 1);
      EXPECT_EQ(m->dof_damping[m->jnt_dofadr[joint]], 1);
    }
  }
  for (int g = 0; g < m->ngeom; ++g) {
    EXPECT_EQ(m->geom_conaffinity[g], g == 0 ? 1 : 0) << "parts of the ant do not touch each other";
    EXPECT_EQ(m->geom_contype[g], 1);
    EXPECT_EQ(m->geom_margin[g], 0.01);
    EXPECT_EQ(m->geom_friction[3 * g + 1], 0.5);
    EXPECT_EQ(m->geom_solimp[mjNIMP * g], 0.8);
  }
}

TEST(AntModel, AWorldThatMuJoCoRefusesIsASentence) {
  EXPECT_THROW_MESSAGE(make_ant_model(AntKind::hiro, Integrator::rk4, {.name = "cave", .geoms = "<rock/>"}),
                       std::runtime_error, "cave.xml: ");
}

// Whether something of the model's fixed boxes covers a point.
bool covered(const mjModel& m, double x, double y, double z) {
  for (int g = 1; g < m.ngeom; ++g) {
    if (m.geom_bodyid[g] != 0) continue;
    const Vector3d offset = Vector3d(x, y, z) - Vector3d::Map(m.geom_pos + 3 * g);
    if ((offset.cwiseAbs() - Vector3d::Map(m.geom_size + 3 * g)).maxCoeff() < 0) return true;
  }
  return false;
}
// The middles of the cells of an area that are not covered at a height.
std::set<std::pair<int, int>> free_cells(const mjModel& m, int cell, int low, int high, double z) {
  std::set<std::pair<int, int>> cells;
  for (int x = low; x <= high; x += cell)
    for (int y = low; y <= high; y += cell)
      if (!covered(m, x, y, z)) cells.insert({x, y});
  return cells;
}

TEST(AntModel, MazesHaveTheOriginalsBlocks) {
  using Cells = std::set<std::pair<int, int>>;
  const MujocoModel maze = ant_maze_model(AntTask::maze, Integrator::rk4),
                    push = ant_maze_model(AntTask::push, Integrator::rk4),
                    fall = ant_maze_model(AntTask::fall, Integrator::rk4);
  EXPECT_EQ(maze->ngeom, 32);
  EXPECT_EQ(maze->nq, 15);
  EXPECT_EQ(push->ngeom, 34);
  EXPECT_EQ(fall->ngeom, 53);
  for (const MujocoModel& m : {push, fall}) {
    EXPECT_EQ(m->nq, 17);
    EXPECT_EQ(m->nv, 16);
    EXPECT_EQ(m->geom_solimp[0], 0.995);
  }
  const auto inside = [](const Cells& cells, int x0, int x1, int y0, int y1) {
    Cells some;
    for (const auto& [x, y] : cells)
      if (x >= x0 && x <= x1 && y >= y0 && y <= y1) some.insert({x, y});
    return some;
  };
  EXPECT_EQ(inside(free_cells(*maze, 8, -40, 40, 2), -8, 24, -8, 24),
            (Cells{{0, 0}, {8, 0}, {16, 0}, {16, 8}, {16, 16}, {8, 16}, {0, 16}}));
  EXPECT_EQ(inside(free_cells(*push, 8, -40, 40, 2), -16, 16, -8, 24),
            (Cells{{-8, 0}, {0, 0}, {-8, 8}, {0, 8}, {8, 8}, {0, 16}}));
  EXPECT_EQ(inside(free_cells(*fall, 8, -40, 40, 6), -8, 16, -8, 32),
            (Cells{{0, 0}, {8, 0}, {0, 8}, {8, 8}, {0, 16}, {8, 16}, {0, 24}, {8, 24}}));
  EXPECT_EQ(inside(free_cells(*fall, 8, -40, 40, 2), -8, 16, -8, 32), (Cells{{0, 16}, {8, 16}})) << "the chasm";
  for (const auto& [x, y, in] : {std::tuple{-3.9, 12.1, false}, {11.9, 19.9, false}, {-4.1, 16.0, true}})
    EXPECT_EQ(covered(*fall, x, y, 2), in);

  const int pushed = mujoco_id(*push, mjOBJ_BODY, "block"), fallen = mujoco_id(*fall, mjOBJ_BODY, "block");
  EXPECT_EQ(Vector3d(Vector3d::Map(push->body_pos + 3 * pushed)), Vector3d(0, 8, 2));
  EXPECT_EQ(Vector3d(Vector3d::Map(fall->body_pos + 3 * fallen)), Vector3d(8, 8, 6));
  EXPECT_EQ(push->body_mass[pushed], 0.0002);
  EXPECT_EQ(fall->body_mass[fallen], 0.001);
  const int push_geom = push->body_geomadr[pushed], fall_geom = fall->body_geomadr[fallen];
  EXPECT_EQ(Vector3d(Vector3d::Map(push->geom_size + 3 * push_geom)), Vector3d(4, 4, 2));
  EXPECT_EQ(Vector3d(Vector3d::Map(fall->geom_size + 3 * fall_geom)), Vector3d(3.96, 3.96, 2));
  for (int j = 9; j < 11; ++j) {
    EXPECT_EQ(push->jnt_limited[j], 0);
    EXPECT_EQ(fall->jnt_limited[j], 1);
    EXPECT_EQ(push->jnt_axis[3 * j + j - 9], 1) << "x, then y";
    EXPECT_EQ(fall->jnt_axis[3 * j + j - 8], 1) << "y, then z";
    EXPECT_EQ(push->dof_armature[push->jnt_dofadr[j]], 0);
    EXPECT_EQ(fall->dof_damping[fall->jnt_dofadr[j]], 0);
    EXPECT_EQ(fall->jnt_margin[j], 0.01);
  }
  EXPECT_EQ(Doubles(fall->jnt_range + 18, fall->jnt_range + 22), (Doubles{-8, 8, -4, 0}));
}

TEST(AntModel, GatherIsAWalledSquare) {
  const MujocoModel m = ant_gather_model(Integrator::rk4);
  EXPECT_EQ(m->ngeom, 18);
  for (const double side : {-1.0, 1.0}) {
    for (const double along : {-11.4, 0.0, 11.4}) {
      EXPECT_TRUE(covered(*m, along, side * 11, 0.9));
      EXPECT_TRUE(covered(*m, side * 11, along, 0.9));
    }
    EXPECT_FALSE(covered(*m, 0, side * 10.4, 0.5));
    EXPECT_FALSE(covered(*m, 0, side * 11, 1.1)) << "1 m high";
  }
}

TEST(AntModel, RoboticsMazesHaveTheirOriginInTheMiddle) {
  const MujocoModel umaze = robotics_ant_maze_model(RoboticsMap::umaze, Integrator::rk4);
  EXPECT_EQ(umaze->ngeom, 14 + 18);
  using Cells = std::set<std::pair<int, int>>;
  EXPECT_EQ(free_cells(*umaze, 4, -8, 8, 1), (Cells{{-4, 4}, {0, 4}, {4, 4}, {4, 0}, {4, -4}, {0, -4}, {-4, -4}}));
  EXPECT_FALSE(covered(*umaze, 0, 0, 2.1)) << "2 m high";
  EXPECT_EQ(umaze->geom_solimp[0], 0.9);
  const MujocoModel medium = robotics_ant_maze_model(RoboticsMap::medium, Integrator::rk4),
                    large = robotics_ant_maze_model(RoboticsMap::large, Integrator::rk4),
                    open = robotics_ant_maze_model(RoboticsMap::open, Integrator::rk4);
  EXPECT_EQ(medium->ngeom, 14 + 38);
  EXPECT_EQ(large->ngeom, 14 + 62);
  EXPECT_EQ(open->ngeom, 14 + 20);
  EXPECT_FALSE(covered(*medium, -10, 10, 1)) << "row 1, column 1";
  EXPECT_TRUE(covered(*medium, -2, 10, 1)) << "row 1, column 3";
  EXPECT_FALSE(covered(*large, 18, -12, 1)) << "row 7, column 10";
  EXPECT_TRUE(covered(*large, -2, 12, 1)) << "row 1, column 5";
}

// ---- steps ----

TEST(AntStep, FallsOntoItsLegsAsTheOriginalDoes) {
  const MujocoModel m = ant_maze_model(AntTask::maze, Integrator::rk4);
  const std::unique_ptr<Env> env = make(AntTask::maze);
  start_without_noise(*env, m);
  const std::map<int, double> height = {{1, 0.7352}, {2, 0.6170},  {3, 0.6013},  {4, 0.7641},
                                        {5, 0.8269}, {10, 0.5911}, {20, 0.5769}, {40, 0.5437}};
  const std::map<int, double> ankle = {{1, 0.420}, {2, 0.852}, {3, 1.209}};
  for (int t = 1; t <= 40; ++t) {
    env->step(kStill);
    const Doubles c = coordinates(*env);
    if (const auto z = height.find(t); z != height.end()) {
      EXPECT_NEAR(c[2], z->second, 5.1e-5) << "step " << t;
    }
    if (const auto angle = ankle.find(t); angle != ankle.end()) {
      EXPECT_NEAR(c[kAnkle1], angle->second, 5.1e-4) << "step " << t;
    }
  }
}

TEST(AntStep, AFullTorqueMovesAHipToItsLimitInTwoSteps) {
  const std::unique_ptr<Env> env = make(AntTask::maze);
  start_without_noise(*env, ant_maze_model(AntTask::maze, Integrator::rk4));
  VectorXd torque = kStill;
  torque(2) = 30;  // hip_1
  env->step(torque);
  EXPECT_NEAR(coordinates(*env)[kHip1], 0.143, 5e-4);
  env->step(torque);
  EXPECT_NEAR(coordinates(*env)[kHip1], 0.55, 0.01);
}

TEST(AntStep, TheBlockOfPushFillsItsCell) {
  const MujocoModel m = ant_maze_model(AntTask::push, Integrator::rk4);
  MujocoSimulation sim("push", m);
  sim.step(5);
  EXPECT_EQ(sim.data().ncon, 17) << "with floor and walls, the ant is in the air";
  const std::unique_ptr<Env> env = make(AntTask::push);
  start_without_noise(*env, m);
  for (int t = 0; t < 20; ++t) env->step(kStill);
  const Doubles c = coordinates(*env);
  ASSERT_EQ(c.size(), 17u + 16u);
  EXPECT_NEAR(std::abs(c[kBlock]), 0.01, 2e-3);
  EXPECT_NEAR(std::abs(c[kBlock + 1]), 0.01, 2e-3);
}

TEST(AntStep, TheBlockOfFallDropsIntoTheChasm) {
  const MujocoModel m = ant_maze_model(AntTask::fall, Integrator::rk4);
  const std::unique_ptr<Env> env = make(AntTask::fall);
  start_without_noise(*env, m);
  EXPECT_EQ(coordinates(*env)[2], 4.75);
  for (int t = 0; t < 10; ++t) env->step(kStill);
  EXPECT_NEAR(coordinates(*env)[kBlock], 0, 1e-3);
  EXPECT_NEAR(coordinates(*env)[kBlock + 1], 0, 0.02) << "it rests on its platform";
  Doubles c = coordinates(*env);
  c[kBlock] = 8;
  env->set_coordinates(c);
  for (int t = 0; t < 30; ++t) env->step(kStill);
  EXPECT_NEAR(coordinates(*env)[kBlock + 1], -3.99, 5e-3);
}

// Means of 20 episodes of the original: -8010, -9485, -13512. The still ant drifts little.
TEST(AntStep, AStillAntReturnsWhatTheOriginalDoes) {
  for (const auto& [task, expected] :
       {std::pair{AntTask::maze, -8010.0}, {AntTask::push, -9485.0}, {AntTask::fall, -13512.0}}) {
    const std::unique_ptr<Env> env = make(task);
    double sum = 0;
    Rng rng(3);
    env->reset(rng);
    for (int t = 0; t < 500; ++t) sum += double(env->step(kStill).reward);
    EXPECT_NEAR(sum, expected, 0.02 * std::abs(expected)) << env->spec().name;
  }
}

// ---- observation, goals and reset of the mazes ----

TEST(AntMaze, ObservesPositionsVelocitiesAndTime) {
  for (const AntTask task : kTasks) {
    const std::unique_ptr<Env> env = make(task);
    ASSERT_EQ(env->spec().obs_dim, 30);
    EXPECT_EQ(env->spec().max_steps, 500);
    EXPECT_NEAR(env->spec().dt, 0.1, 1e-15);
    EXPECT_EQ(env->spec().action.high, Vector::Constant(8, 30));
    Rng rng(4);
    env->reset(rng);
    for (int t = 0; t <= 3; ++t) {
      if (t > 0) env->step(random_action(*env, rng));
      const Doubles c = coordinates(*env);
      const Seen seen = look(*env);
      const int nq = static_cast<int>(c.size()) - static_cast<int>(c.size()) / 2;  // one more than velocities
      for (int i = 0; i < 15; ++i) EXPECT_EQ(seen.obs(i), Scalar(c[static_cast<std::size_t>(i)]));
      for (int i = 0; i < 14; ++i) EXPECT_EQ(seen.obs(15 + i), Scalar(c[static_cast<std::size_t>(nq + i)]));
      EXPECT_NEAR(seen.obs(29), 0.001 * t, 1e-9);
      for (Index i = 0; i < seen.achieved.size(); ++i) EXPECT_EQ(seen.achieved(i), seen.obs(i));
    }
  }
}

TEST(AntMaze, StartsWithNoiseOnTheAntAndNoneOnTheBlock) {
  const std::unique_ptr<Env> env = make(AntTask::push);
  Rng rng(5);
  Eigen::ArrayXd low = Eigen::ArrayXd::Constant(15, 9), high = -low, speed = Eigen::ArrayXd::Zero(14);
  const int n = 400;
  for (int e = 0; e < n; ++e) {
    env->reset(rng);
    const Doubles c = coordinates(*env);
    const Eigen::ArrayXd q = Eigen::ArrayXd::Map(c.data(), 15), v = Eigen::ArrayXd::Map(c.data() + 17, 14);
    EXPECT_NEAR(q.segment<4>(3).matrix().norm(), 1, 1e-12) << "a unit quaternion";
    low = low.min(q);
    high = high.max(q);
    speed += v.square() / n;
    for (const std::size_t i : {15u, 16u, 31u, 32u}) EXPECT_EQ(c[i], 0) << "the block";
  }
  const Eigen::ArrayXd still = (Eigen::ArrayXd(15) << 0, 0, 0.75, 1, Eigen::ArrayXd::Zero(11)).finished();
  for (int i = 0; i < 15; ++i) {
    if (i >= 3 && i < 7) continue;
    EXPECT_GT(low(i), still(i) - 0.1 - 1e-6);
    EXPECT_LT(low(i), still(i) - 0.095);
    EXPECT_LT(high(i), still(i) + 0.1 + 1e-6);
    EXPECT_GT(high(i), still(i) + 0.095);
  }
  for (int i = 0; i < 14; ++i) EXPECT_NEAR(std::sqrt(speed(i)), 0.1, 0.012);
}

TEST(AntMaze, GoalsAreFixedOrDrawnAsTheTaskSays) {
  struct Case {
    AntTask task;
    Doubles fixed, low, high;
  };
  const Case cases[] = {{AntTask::maze, {0, 16}, {-4, -4}, {20, 20}},
                        {AntTask::push, {0, 19}, {-16, -4}, {16, 20}},
                        {AntTask::fall, {0, 27, 4.5}, {-4, -4, 0}, {12, 28, 5}}};
  for (const Case& c : cases) {
    const std::unique_ptr<Env> fixed = make(c.task), drawn = make(c.task, {.goals = AntGoals::drawn});
    const Index n = static_cast<Index>(c.fixed.size());
    ASSERT_EQ(fixed->spec().goal.dim, n);
    Rng rng(6);
    Vector low = Vector::Constant(n, 99), high = -low;
    for (int e = 0; e < 200; ++e) {
      fixed->reset(rng);
      for (Index i = 0; i < n; ++i) ASSERT_EQ(look(*fixed).desired(i), Scalar(c.fixed[static_cast<std::size_t>(i)]));
      drawn->reset(rng);
      low = low.cwiseMin(look(*drawn).desired);
      high = high.cwiseMax(look(*drawn).desired);
    }
    for (Index i = 0; i < n; ++i) {
      const double from = c.low[static_cast<std::size_t>(i)], to = c.high[static_cast<std::size_t>(i)];
      const double slack = 0.05 * (to - from);
      EXPECT_GE(low(i), from);
      EXPECT_LT(low(i), from + slack);
      EXPECT_LT(high(i), to);
      EXPECT_GT(high(i), to - slack);
    }
  }
  // What trainings use by default.
  Rng rng(7);
  const std::unique_ptr<Env> maze = make("AntMaze-v0"), push = make("AntPush-v0");
  for (Env* env : {maze.get(), push.get()}) env->reset(rng);
  EXPECT_NE(look(*maze).desired(0), 0);
  EXPECT_EQ(look(*push).desired(1), 19);
}

TEST(AntMaze, AGoalCanBeGiven) {
  const std::unique_ptr<Env> env =
      make(AntTask::fall, {.goals = AntGoals::drawn, .goal_x = 1, .goal_y = 2, .goal_z = 4});
  Rng rng(8);
  env->reset(rng);
  EXPECT_TRUE(same_bits(look(*env).desired, matrix({{1}, {2}, {4}})));
  EXPECT_THROW_MESSAGE(make(AntTask::push, {.goal_z = 1}), UsageError,
                       "AntPush-v0: goal_z is given; expected none: goals are x and y");
}

// The block's displacements come last; all else is as without them.
TEST(AntMaze, ObservesTheBlockIfAsked) {
  for (const AntTask task : {AntTask::push, AntTask::fall}) {
    const auto plain = make(task), observing = make(task, {.observe_block = true});
    EXPECT_EQ(observing->spec().obs_dim, plain->spec().obs_dim + 2);
    for (Env* env : {plain.get(), observing.get()}) {
      Rng rng(5);
      env->reset(rng);
      Doubles values = coordinates(*env);
      values[15] = 0.25, values[16] = -0.5;
      env->set_coordinates(values);
    }
    const Vector with = look(*observing).obs, without = look(*plain).obs;
    EXPECT_EQ(with.head(30), without);
    EXPECT_EQ(with(30), Scalar(0.25));
    EXPECT_EQ(with(31), Scalar(-0.5));
  }
  EXPECT_THROW_MESSAGE(make(AntTask::maze, {.observe_block = true}), UsageError,
                       "AntMaze-v0: observe_block = true, but it has no block; expected false");
}

TEST(AntMaze, SuccessIsWithinFiveMetersAndTheRewardIsTheDistance) {
  for (const auto& [y, success] : {std::pair{4.8, true}, {5.2, false}}) {
    const std::unique_ptr<Env> env = make(AntTask::maze, {.goal_x = 0, .goal_y = y});
    start_without_noise(*env, ant_maze_model(AntTask::maze, Integrator::rk4));
    const StepResult r = env->step(kStill);
    EXPECT_EQ(r.success, success);
    EXPECT_NEAR(r.reward, -y, 1e-3);
    EXPECT_FALSE(r.terminated);
  }
  const std::unique_ptr<Env> env = make(AntTask::fall);
  start_without_noise(*env, ant_maze_model(AntTask::fall, Integrator::rk4));
  EXPECT_NEAR(env->step(kStill).reward, -std::hypot(27.0, coordinates(*env)[2] - 4.5), 1e-3) << "three dimensions";
}

// ---- HRAC's sparse maze ----

TEST(AntMazeSparse, HasTheOriginalsCells) {
  const MujocoModel m = ant_maze_model(AntTask::maze_sparse, Integrator::rk4);
  EXPECT_EQ(m->ngeom, 14 + 36 + 12) << "the border and two inner walls of six cells";
  std::set<std::pair<int, int>> expected;
  for (int row = 0; row < 8; ++row)
    for (int column = 0; column < 8; ++column)
      if ((row != 2 && row != 5) || column >= 6) expected.insert({2 * column, 2 * row});
  EXPECT_EQ(free_cells(*m, 2, -2, 16, 0.5), expected);
  EXPECT_FALSE(covered(*m, 0, 4, 1.01)) << "1 m high";
}

TEST(AntMazeSparse, StartsInTheMiddleOfACellMarkedForIt) {
  const std::unique_ptr<Env> env = make("AntMazeSparse-v0");
  Rng rng(9);
  std::set<std::pair<double, double>> seen;
  for (int e = 0; e < 1'500; ++e) {
    env->reset(rng);
    const Doubles c = coordinates(*env);
    seen.insert({c[0], c[1]});
    EXPECT_NE(c[2], 0.75) << "the rest of the pose has noise";
    EXPECT_EQ(look(*env).achieved(0), Scalar(c[0]));
    EXPECT_TRUE(same_bits(look(*env).desired, matrix({{2}, {9}})));
  }
  std::set<std::pair<double, double>> expected;
  for (int row = 0; row < 8; ++row)
    for (int column = 0; column < 8; ++column) {
      const bool wall = (row == 2 || row == 5) && column < 6, passed = (row == 3 || row == 4) && column == 0;
      if (!wall && !passed) expected.insert({2.0 * column, 2.0 * row});
    }
  EXPECT_EQ(seen, expected);
}

TEST(AntMazeSparse, PaysOneWithinAMeterAndEndsThere) {
  const std::unique_ptr<Env> env = make("AntMazeSparse-v0");
  EXPECT_TRUE(env->spec().goal.ends_at_goal);
  start_without_noise(*env, ant_maze_model(AntTask::maze_sparse, Integrator::rk4));
  for (const auto& [y, reached] : {std::pair{7.8, false}, {8.3, true}}) {
    Doubles c = coordinates(*env);
    c[0] = 2;
    c[1] = y;
    env->set_coordinates(c);
    const StepResult r = env->step(kStill);
    EXPECT_EQ(r.reward, reached ? 1 : 0) << "y = " << y;
    EXPECT_EQ(r.success, reached);
    EXPECT_EQ(r.terminated, reached);
  }
}

// ---- gather ----

// At the origin, turned by yaw, with objects far away but for the given ones: apples from the front, bombs from the
// back.
std::unique_ptr<Env> gather_with(double yaw, const std::vector<Vector2d>& apples, const std::vector<Vector2d>& bombs,
                                 const AntGatherConfig& c = {}) {
  std::unique_ptr<Env> env = ant_gather_factory(Integrator::rk4, c)();
  start_without_noise(*env, ant_gather_model(Integrator::rk4));
  Doubles q = coordinates(*env), objects(32, 50.0);
  q[3] = std::cos(yaw / 2);
  q[6] = std::sin(yaw / 2);
  env->set_coordinates(q);
  for (std::size_t i = 0; i < apples.size(); ++i) Vector2d::Map(&objects[2 * i]) = apples[i];
  for (std::size_t i = 0; i < bombs.size(); ++i) Vector2d::Map(&objects[16 + 2 * i]) = bombs[i];
  set_state_of(*env, "objects", objects);
  return env;
}
Vector apple_readings(const Env& env) { return look(env).obs.segment(29, 10); }
Vector bomb_readings(const Env& env) { return look(env).obs.segment(39, 10); }

TEST(AntGather, PlacesItsObjectsOnAGridWithoutRepeats) {
  const std::unique_ptr<Env> env = make("AntGather-v0");
  EXPECT_EQ(env->spec().obs_dim, 50);
  EXPECT_EQ(env->spec().goal.dim, 0);
  EXPECT_TRUE(env->spec().can_fail);
  Rng rng(9);
  std::set<std::pair<double, double>> seen;
  for (int e = 0; e < 300; ++e) {
    env->reset(rng);
    const Doubles objects = state_of(*env, "objects");
    std::set<std::pair<double, double>> places;
    for (std::size_t i = 0; i < 16; ++i) places.insert({objects[2 * i], objects[2 * i + 1]});
    ASSERT_EQ(places.size(), 16u);
    seen.insert(places.begin(), places.end());
  }
  EXPECT_EQ(seen.size(), 99u) << "all points of the grid but the origin";
  EXPECT_FALSE(seen.contains({0, 0}));
  for (const auto& [x, y] : seen)
    for (const double v : {x, y}) EXPECT_TRUE(v >= -10 && v <= 8 && std::remainder(v, 2) == 0) << v;
}

TEST(AntGather, SensesTheNearestObjectOfEachSector) {
  // Sectors of 36 degrees from straight behind, counter-clockwise: ahead (0 degrees) is where the sixth begins.
  std::unique_ptr<Env> env = gather_with(0, {{3, 0.1}, {5, 0.1}, {0, 3}, {0, 6.1}}, {{-3, -0.1}});
  Vector expected = Vector::Zero(10);
  expected(5) = Scalar(1 - std::hypot(3, 0.1) / 6);
  expected(7) = Scalar(0.5);
  expect_close(apple_readings(*env), expected, 1e-6);
  expected.setZero();
  expected(0) = Scalar(1 - std::hypot(3, 0.1) / 6);
  expect_close(bomb_readings(*env), expected, 1e-6);
  EXPECT_EQ(look(*env).obs(49), 0) << "time";

  // Straight behind is the angle pi, which belongs to the last sector.
  env = gather_with(0, {{-3, 0}}, {});
  EXPECT_EQ(apple_readings(*env)(9), Scalar(0.5));

  // Turned by 90 degrees, what was on the left is ahead.
  env = gather_with(kPi / 2, {{-0.1, 3}}, {{3, 0.1}});
  EXPECT_NEAR(apple_readings(*env)(5), 1 - std::hypot(3, 0.1) / 6, 1e-6);
  EXPECT_NEAR(bomb_readings(*env)(2), 1 - std::hypot(3, 0.1) / 6, 1e-6) << "89.. degrees to the right";
}

TEST(AntGather, EatsWhatItTouchesOnce) {
  const std::unique_ptr<Env> env = gather_with(0, {{0.5, 0}, {0, 0.9}, {0, 1.1}}, {{-0.5, 0}});
  StepResult r = env->step(kStill);
  EXPECT_EQ(r.reward, 1) << "two apples and a bomb";
  EXPECT_FALSE(r.terminated);
  EXPECT_EQ(env->step(kStill).reward, 0);
  EXPECT_EQ(bomb_readings(*env).maxCoeff(), 0) << "what is eaten is not sensed";
  EXPECT_GT(apple_readings(*env).maxCoeff(), 0.8) << "the third apple is left";
}

TEST(AntGather, EndsWhenNothingIsLeft) {
  const std::unique_ptr<Env> env = gather_with(0, {{0.5, 0}}, {});
  Doubles left(16, 0.0);
  left[0] = 1;
  set_state_of(*env, "left", left);
  const StepResult r = env->step(kStill);
  EXPECT_EQ(r.reward, 1);
  EXPECT_TRUE(r.terminated);
  EXPECT_FALSE(r.failed);
}

TEST(AntGather, AFallIsAFailure) {
  for (const bool ends : {true, false}) {
    const std::unique_ptr<Env> env = gather_with(0, {{0.5, 0}}, {}, {.fall_ends = ends, .fall_reward = -10});
    EXPECT_EQ(env->spec().can_fail, ends);
    Doubles c = coordinates(*env);
    c[2] = 1.5;
    env->set_coordinates(c);
    const StepResult r = env->step(kStill);
    EXPECT_EQ(r.terminated, ends);
    EXPECT_EQ(r.failed, ends);
    EXPECT_EQ(r.reward, ends ? -9 : 1);
  }
}

// ---- the robotics suite's mazes ----

TEST(RoboticsAntMaze, StartsAtRestAwayFromTheGoalInsideTheCells) {
  for (const RoboticsMap map : {RoboticsMap::umaze, RoboticsMap::open, RoboticsMap::medium, RoboticsMap::large}) {
    const MujocoModel m = robotics_ant_maze_model(map, Integrator::rk4);
    const std::unique_ptr<Env> env = make({}, map);
    EXPECT_EQ(env->spec().max_steps, map == RoboticsMap::umaze || map == RoboticsMap::open ? 700 : 1000);
    EXPECT_NEAR(env->spec().dt, 0.05, 1e-15);
    EXPECT_EQ(env->spec().action.low, Vector::Constant(8, -1));
    const double half_x = map == RoboticsMap::umaze || map == RoboticsMap::open ? 0 : 2, cell = 4;
    Rng rng(10);
    for (int e = 0; e < 100; ++e) {
      env->reset(rng);
      const Seen seen = look(*env);
      const Vector2d start = seen.achieved.cast<double>(), goal = seen.desired.cast<double>();
      for (const Vector2d& p : {start, goal}) EXPECT_FALSE(covered(*m, p.x(), p.y(), 1)) << p.transpose();
      const auto middle = [&](double v, double shift) { return cell * std::round((v - shift) / cell) + shift; };
      const double shift_y = map == RoboticsMap::medium ? 2 : 0;
      const Vector2d start_cell(middle(start.x(), half_x), middle(start.y(), shift_y));
      EXPECT_GT((start_cell - goal).norm(), 2);
      EXPECT_LE((start - start_cell).cwiseAbs().maxCoeff(), 1 + 1e-6);
      EXPECT_EQ(seen.obs(0), Scalar(0.75));
      EXPECT_EQ(seen.obs(1), 1);
      EXPECT_EQ(seen.obs.tail(25).cwiseAbs().maxCoeff(), 0);
    }
  }
}

TEST(RoboticsAntMaze, DiverseEnvironmentsUseTheirMarkedCells) {
  const auto cells = [](const std::string& name) {
    const std::unique_ptr<Env> env = make(name);
    Rng rng(11);
    std::set<std::pair<double, double>> starts, goals;
    const bool medium = name.find("Medium") != std::string::npos;
    const int rows = medium ? 8 : 9, columns = medium ? 8 : 12;
    const auto cell = [&](const Vector& p) {  // row, column
      return std::pair<double, double>(std::floor(rows / 2.0 - double(p(1)) / 4),
                                       std::floor(columns / 2.0 + double(p(0)) / 4));
    };
    for (int e = 0; e < 400; ++e) {
      env->reset(rng);
      starts.insert(cell(look(*env).achieved));
      goals.insert(cell(look(*env).desired));
    }
    return std::pair(starts, goals);
  };
  using Cells = std::set<std::pair<double, double>>;
  const Cells start = {{1, 1}}, medium = {{2, 6}, {5, 1}, {6, 5}},
              large = {{1, 6}, {3, 5}, {3, 10}, {5, 2}, {7, 4}, {7, 6}, {7, 9}};
  EXPECT_EQ(cells("AntMaze_Medium_Diverse_G-v4"), std::pair(start, medium));
  EXPECT_EQ(cells("AntMaze_Large_Diverse_G-v5"), std::pair(start, large));
  Cells both = large;
  both.insert({1, 1});
  EXPECT_EQ(cells("AntMaze_Large_Diverse_GR-v4"), std::pair(both, both));
}

TEST(RoboticsAntMaze, RewardsAreSparseOrDenseAndMayEndTheEpisode) {
  for (const bool dense : {false, true})
    for (const bool ends : {false, true}) {
      const std::unique_ptr<Env> env = make(
          {.reward = dense ? MazeReward::dense : MazeReward::sparse, .ends_at_goal = ends, .goal_x = -4, .goal_y = 4});
      Rng rng(12);
      env->reset(rng);
      EXPECT_TRUE(same_bits(look(*env).desired, matrix({{-4}, {4}})));
      for (const double distance : {0.4, 0.5}) {
        Doubles c = coordinates(*env);
        c[0] = -4 + distance;
        c[1] = 4;
        env->set_coordinates(c);
        const StepResult r = env->step(kStill);
        const bool near = distance < 0.45;
        EXPECT_EQ(r.success, near);
        EXPECT_EQ(r.terminated, near && ends);
        EXPECT_NEAR(r.reward, dense ? std::exp(-distance) : near ? 1 : 0, 2e-3);
      }
    }
}

TEST(RoboticsAntMaze, VersionFiveAlsoObservesContacts) {
  const std::unique_ptr<Env> four = make({}, RoboticsMap::umaze, 4), five = make({}, RoboticsMap::umaze, 5);
  ASSERT_EQ(four->spec().obs_dim, 27);
  ASSERT_EQ(five->spec().obs_dim, 105);
  Rng rng(13), same(13), actions(14);
  four->reset(rng);
  five->reset(same);
  EXPECT_EQ(look(*five).obs.tail(78).cwiseAbs().maxCoeff(), 0);
  bool touched = false;
  for (int t = 0; t < 60; ++t) {
    const VectorXd a = random_action(*four, actions);
    four->step(a);
    five->step(a);
    const Vector obs = look(*five).obs;
    ASSERT_TRUE(same_bits(obs.head(27), look(*four).obs));
    EXPECT_LE(obs.tail(78).cwiseAbs().maxCoeff(), 1);
    touched = touched || obs.tail(78).cwiseAbs().maxCoeff() > 0;
  }
  EXPECT_TRUE(touched);
}

TEST(RoboticsAntMaze, WrongSettingsAreSentences) {
  EXPECT_THROW_MESSAGE(make({.goal_x = 1}), UsageError,
                       "AntMaze_UMaze-v4: one of goal_x and goal_y is given; expected both or none");
  EXPECT_THROW_MESSAGE(robotics_ant_maze_factory(RoboticsMap::large, RoboticsCells::diverse_goals, 4, Integrator::rk4,
                                                 {.goal_x = -18, .goal_y = 12}),
                       UsageError, "goal_x = -18, goal_y = 12; expected a place more than 2 m away from");
  EXPECT_THROW_MESSAGE(make({}, RoboticsMap::umaze, 3), std::invalid_argument, "version = 3; expected 4 or 5");
  EXPECT_THROW_MESSAGE(robotics_ant_maze_factory(RoboticsMap::umaze, RoboticsCells::diverse, 4, Integrator::rk4, {}),
                       std::invalid_argument, "no cells are marked in UMaze");
}

// ---- state ----

TEST(AntState, RestoringInMidEpisodeRepeatsTheBits) {
  for (const char* name :
       {"AntFall-v0", "AntGather-v0", "AntMazeEuler-v0", "AntMazeSparse-v0", "AntPush-v0", "AntMaze_UMaze-v5"}) {
    const std::unique_ptr<Env> env = make(name), other = make(name);
    Rng rng(15), elsewhere(16);
    env->reset(rng);
    other->reset(elsewhere);
    for (int t = 0; t < 40; ++t) env->step(random_action(*env, rng));
    if (std::string(name) == "AntPush-v0") {  // against the block, which moves
      Doubles c = coordinates(*env);
      c[1] = 3.2;
      c[17 + 1] = 3;
      env->set_coordinates(c);
      for (int t = 0; t < 5; ++t) env->step(random_action(*env, rng));
      EXPECT_GT(std::abs(coordinates(*env)[kBlock + 1]), 0.02);
    }
    for (int t = 0; t < 5; ++t) other->step(random_action(*other, elsewhere));
    restore(*other, snapshot(*env));
    EXPECT_TRUE(same_bits(look(*other).obs, look(*env).obs));
    for (int t = 0; t < 20; ++t) {
      const VectorXd a = random_action(*env, rng);
      EXPECT_EQ(env->step(a).reward, other->step(a).reward);
      ASSERT_EQ(state_hash(*env), state_hash(*other)) << name << ", step " << t;
    }
  }
}

TEST(AntState, TheSameCoordinatesGiveTheSameBitsWhateverWasBefore) {
  const std::unique_ptr<Env> env = make("AntPush-v0"), other = make("AntPush-v0");
  Rng rng(17), elsewhere(18);
  env->reset(rng);
  other->reset(elsewhere);
  EXPECT_EQ(env->coordinate_names()[16], "qpos16");
  EXPECT_EQ(env->coordinate_names()[17], "qvel0");
  for (int t = 0; t < 10; ++t) env->step(random_action(*env, rng));
  const Doubles c = coordinates(*env);
  for (Env* e : {env.get(), other.get()}) e->set_coordinates(c);
  EXPECT_EQ(coordinates(*other), c);
  for (int t = 0; t < 10; ++t) {
    const VectorXd a = random_action(*env, rng);
    env->step(a);
    other->step(a);
    ASSERT_EQ(coordinates(*env), coordinates(*other));
  }
}

TEST(AntState, ABadStateEndsTheRunWithASentence) {
  VectorEnv env([] { return make("AntPush-v0"); }, 1, Rng(1));
  Doubles c = coordinates(env.lane(0));
  c[17 + 4] = 1e12;
  env.set_coordinates(0, c);
  EXPECT_THROW_MESSAGE(env.step(Matrix::Zero(8, 1)), NumericsError,
                       "AntPush-v0: MuJoCo stopped in the step after 0 s of simulated time: Nan, Inf or huge value in "
                       "QVEL at DOF 4. The simulation is unstable. (seed 1, env 0, step 1 of its episode)");
}

// ---- many steps ----

class AntRandom : public ::testing::TestWithParam<std::string> {};

TEST_P(AntRandom, StepsRaiseNoWarning) {
  const char* asked = std::getenv("GOALPOST_RANDOM_STEPS");
  const int steps = asked != nullptr ? std::atoi(asked) : 400;
  const std::string& name = GetParam();
  VectorEnv env([&] { return name == "AntMaze-v0" ? make(AntTask::maze) : make(name); }, 1, Rng(19));
  env.keep_coordinates();
  const bool hiro = env.spec().dt > 0.07;
  const double lift = name.starts_with("AntFall") ? 4 : 0;
  const Index nq = env.coordinates().rows() > 29 ? 17 : 15;
  Matrix action(8, 1);
  Rng rng(20);
  double speed = 0, low = 99, high = 0, moved = 0, farthest = 0, reward = 0, distance = 0;
  int episodes = 0, upside_down = 0;
  Vector2d start = Vector2d::Map(coordinates(env.lane(0)).data());
  for (int t = 0; t < steps; ++t) {
    rng.fill_uniform(-1, 1, action);
    const StepBatch& step = env.step(action);  // a warning is thrown
    const VectorXd& c = env.coordinates().col(0);
    speed = std::max(speed, c.segment(nq, 14).cwiseAbs().maxCoeff());
    low = std::min(low, c(2) - lift);
    high = std::max(high, c(2) - lift);
    reward += double(step.reward(0, 0));
    if (!step.ended(0)) continue;
    ++episodes;
    moved += (c.head<2>() - start).norm();
    farthest = std::max(farthest, (c.head<2>() - start).norm());
    if (env.spec().goal.dim > 0) distance += double((step.after.achieved - step.after.desired).norm());
    upside_down += c(4) * c(4) + c(5) * c(5) > 0.5 ? 1 : 0;  // the torso's z axis points down
    start = Vector2d::Map(coordinates(env.lane(0)).data());
  }
  if (asked != nullptr)
    std::printf(
        "%s: %d steps without a warning, |qvel| <= %.2f, torso z %.2f to %.2f; %d episodes, %d upside down; means: "
        "return "
        "%.1f, last distance %.2f, moved %.2f m (at most %.2f)\n",
        name.c_str(), steps, speed, low, high, episodes, upside_down, reward / episodes, distance / episodes,
        moved / episodes, farthest);
  if (!hiro) return;
  EXPECT_LT(speed, 12);
  EXPECT_GT(low, 0.15);
  // The original's RK4 stays below 1.08. For Euler there is no figure: AntPushEuler-v0 came to 1.43 in 100,000 steps.
  EXPECT_LT(high, name.find("Euler") == name.npos ? 1.2 : 1.6);
  if (episodes < 20) return;
  // Means of 20 episodes of the original with random actions.
  const std::map<std::string, std::pair<double, double>> original = {
      {"AntMaze-v0", {-7845, 15.7}}, {"AntPush-v0", {-9575, 19.4}}, {"AntFall-v0", {-13486, 27.1}}};
  if (const auto found = original.find(name); found != original.end()) {
    EXPECT_NEAR(reward / episodes, found->second.first, 300);
    EXPECT_NEAR(distance / episodes, found->second.second, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Worlds, AntRandom,
                         ::testing::Values("AntMaze-v0", "AntMazeEuler-v0", "AntPush-v0", "AntPushEuler-v0",
                                           "AntFall-v0", "AntFallEuler-v0", "AntGather-v0", "AntGatherEuler-v0",
                                           "AntMaze_UMaze-v5", "AntMaze_UMazeEuler-v5", "AntMaze_Medium-v4",
                                           "AntMaze_Large-v4", "AntMaze_Open-v4"),
                         [](const ::testing::TestParamInfo<std::string>& info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return c == '-' || c == '_'; }, 'x');
                           return name;
                         });

}  // namespace
}  // namespace goalpost::test
