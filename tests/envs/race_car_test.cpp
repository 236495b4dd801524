// The race car against numbers measured with a prototype of the published environment (Bullet 3.24, double precision),
// and against a scripted driver.
#include "envs/bullet/race_car.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "core/check.h"
#include "envs/bullet/race_car_driver.h"
#include "envs/bullet/race_car_world.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

using Eigen::Vector2d;
using Doubles = std::vector<double>;
constexpr double kPi = std::numbers::pi;

// Where things are in the observation.
constexpr int kVelocity = 2, kYaw = 4, kHingeAngles = 5, kRays = 9;

Vector observation(const Env& env) {
  Vector obs(env.spec().obs_dim), achieved(2), desired(2);
  env.observe({obs, achieved, desired});
  return obs;
}
Vector2d goal(const Env& env) {
  Vector obs(env.spec().obs_dim), achieved(2), desired(2);
  env.observe({obs, achieved, desired});
  return desired.cast<double>();
}
Vector2d position(const Env& env) { return observation(env).head<2>().cast<double>(); }

// With a car at rest.
void build(RaceCarWorld& world, double x, double y, double yaw) {
  Doubles c(world.coordinate_names().size());
  world.start_coordinates(x, y, yaw, c);
  world.set_coordinates(c);
}
void drive(RaceCarWorld& world, double steer, double throttle, int steps) {
  world.drive(steer, throttle);
  for (int t = 0; t < steps; ++t) world.step();
}

// ---- the car ----

TEST(RaceCarModel, HasThePublishedMassesAndInertia) {
  RaceCarWorld world(false);
  build(world, 0.5, 0.5, kPi / 2);
  const btMultiBody& car = world.car();
  ASSERT_EQ(car.getNumLinks(), 12);
  EXPECT_EQ(car.getNumDofs(), 6);
  double mass = car.getBaseMass();
  for (int i = 0; i < 12; ++i) mass += car.getLinkMass(i);
  EXPECT_NEAR(mass, 5.89223, 1e-9);
  const auto expect_inertia = [&](int link, const btVector3& expected) {
    for (int k = 0; k < 3; ++k)
      EXPECT_NEAR(car.getLinkInertia(link)[k], expected[k], 5e-3 * expected[k]) << "link " << link;
  };
  EXPECT_NEAR(car.getBaseInertia().x(), 6.667e-8, 1e-11);
  expect_inertia(1, {2.667e-6, 2.667e-6, 2.667e-6});
  for (const int wheel : RaceCarWorld::kWheels) expect_inertia(wheel, {3.927e-4, 3.927e-4, 6.377e-4});
  for (const int hinge : RaceCarWorld::kHinges) expect_inertia(hinge, {6.667e-8, 6.667e-8, 6.667e-8});
  expect_inertia(8, {2.167e-4, 2.167e-4, 2.167e-4});
  expect_inertia(9, {2.63e-8, 1.66e-9, 2.64e-8});
}

TEST(RaceCarModel, StandsWhereItWasPut) {
  for (const bool movable_walls : {false, true}) {
    RaceCarWorld world(movable_walls);
    build(world, 0.5, 0.5, kPi / 2);
    drive(world, 0, 0, 200);
    Doubles c(world.coordinate_names().size());
    world.get_coordinates(c);
    EXPECT_EQ(world.coordinate_names()[2], "z");
    EXPECT_GT(c[2], 0.0009);
    EXPECT_LT(c[2], 0.0011);
    EXPECT_LT((world.position() - Vector2d(0.5, 0.5)).norm(), 1e-3);
    EXPECT_FALSE(world.hits_wall());
  }
}

TEST(RaceCarModel, ReachesItsSpeedsAndBrakes) {
  for (const auto& [throttle, speed, steps, way] :
       {std::tuple{0.2, 0.51, 10, 0.025}, {0.5, 1.275, 26, 0.156}, {1.0, 2.55, 51, 0.634}}) {
    RaceCarWorld world(false);
    build(world, -60, -40, 0);
    drive(world, 0, throttle, 300);
    EXPECT_NEAR(world.velocity().norm(), speed, 0.02 * speed) << "throttle " << throttle;
    const Vector2d before = world.position();
    drive(world, 0, 0, steps);
    EXPECT_LT(world.velocity().norm(), 0.1);
    EXPECT_NEAR((world.position() - before).norm(), way, 0.15 * way + 0.005);
  }
}

TEST(RaceCarModel, SteersWithALagUpToOneRadian) {
  RaceCarWorld world(false);
  build(world, -60, -40, 0);
  drive(world, 0, 0, 100);
  int done = 0;
  for (const auto& [steps, angle] : {std::pair{1, 0.10}, {5, 0.41}, {10, 0.65}, {20, 0.88}, {40, 0.985}}) {
    drive(world, 1, 0, steps - done);
    done = steps;
    for (const int hinge : RaceCarWorld::kHinges) EXPECT_NEAR(world.angle(hinge), -angle, 0.01 * angle) << steps;
  }
  drive(world, -3, 0, 200);
  for (const int hinge : RaceCarWorld::kHinges) EXPECT_NEAR(world.angle(hinge), 1, 0.01) << "commands are cut";
}

TEST(RaceCarModel, TurnsRightForPositiveSteering) {
  for (const auto& [throttle, steer, radius] :
       {std::tuple{0.2, 0.5, 0.82}, {0.2, 0.2, 2.10}, {0.1, 1.0, 0.375}, {0.4, 0.5, 0.94}}) {
    RaceCarWorld world(false);
    build(world, -60, -40, 0);
    drive(world, steer, throttle, 600);
    double way = 0, turned = 0;
    for (int t = 0; t < 600; ++t) {
      const double yaw = world.yaw();
      world.step();
      way += world.velocity().norm() * RaceCarWorld::kDt;
      turned += std::remainder(world.yaw() - yaw, 2 * kPi);
    }
    EXPECT_NEAR(way / -turned, radius, 0.1 * radius) << "throttle " << throttle << ", steer " << steer;
  }
}

// ---- the track ----

TEST(RaceTrack, MovableWallsShiftAndFixedOnesDoNot) {
  RaceCarWorld fixed(false), movable(true);
  build(fixed, 0.5, 0.5, kPi / 2);
  build(movable, 0.5, 0.5, kPi / 2);
  drive(fixed, 0, 0, 100);
  drive(movable, 0, 0, 200);
  double furthest = 0;
  for (std::size_t i = 0; i < kRaceTrackWalls.size(); ++i) {
    const RaceTrackWall& w = kRaceTrackWalls[i];
    const Vector2d middle((w.x1 + w.x2) / 2, (w.y1 + w.y2) / 2);
    const auto shift = [&](const btMultiBody& wall) {
      return (Vector2d(wall.getBasePos().x(), wall.getBasePos().y()) - middle).norm();
    };
    EXPECT_EQ(shift(fixed.wall(i)), 0);
    EXPECT_LT(shift(movable.wall(i)), 0.2);
    EXPECT_EQ(movable.wall(i).getBaseMass(), 100);
    furthest = std::max(furthest, shift(movable.wall(i)));
  }
  EXPECT_NEAR(furthest, 0.138, 0.03);
}

TEST(RaceTrack, ClearanceIsTheDistanceToTheNextWall) {
  RaceCarWorld world(false);
  build(world, 0.5, 0.5, kPi / 2);
  EXPECT_NEAR(world.clearance({1, 1}, 0, 9), 0.85, 1e-9);
  EXPECT_NEAR(world.clearance({1, 1}, kPi, 9), 0.85, 1e-9);
  EXPECT_NEAR(world.clearance({1, 1}, kPi / 2, 9), 2.85, 1e-9);
  EXPECT_NEAR(world.clearance({1, 1}, -kPi / 4, 9), 0.85 * std::sqrt(2), 1e-9);
  EXPECT_NEAR(world.clearance({1, 3}, 0, 20), 8.85, 1e-9);
  EXPECT_NEAR(world.clearance({1, 3}, 0, 5), 5, 1e-9);
}

TEST(RaceTrack, TheQuickestCrashTakesHalfASecond) {
  for (const auto& [movable_walls, at_least, at_most] : {std::tuple{false, 33, 42}, {true, 40, 52}}) {
    RaceCarWorld world(movable_walls);
    build(world, 0.5, 0.5, kPi / 2);
    world.drive(-1, 1);
    int t = 0;
    while (!world.hits_wall() && t < 200) world.step(), ++t;
    EXPECT_GE(t, at_least);
    EXPECT_LE(t, at_most);
  }
}

TEST(RaceTrack, ARebuiltWorldRepeatsTheBits) {
  for (const bool movable_walls : {false, true}) {
    RaceCarWorld fresh(movable_walls), used(movable_walls);
    build(used, 5, 3, 1);
    drive(used, -1, 1, 150);
    build(used, 0.5, 0.5, kPi / 2);
    build(fresh, 0.5, 0.5, kPi / 2);
    Doubles a(fresh.coordinate_names().size()), b = a;
    Rng rng(3);
    for (int t = 0; t < 300; ++t) {
      const double steer = double(rng.uniform(-1, 1)), throttle = double(rng.uniform());
      drive(fresh, steer, throttle, 1);
      drive(used, steer, throttle, 1);
      fresh.get_coordinates(a);
      used.get_coordinates(b);
      ASSERT_EQ(a, b) << "step " << t;
    }
  }
}

// ---- the task ----

std::unique_ptr<Env> make_v0(const RaceCarConfig& c = {}) { return make_race_car_v0(c); }
std::unique_ptr<Env> make_v1(const RaceCarConfig& c = race_car_v1()) { return make_race_car_v1(c); }

struct Ending {
  int steps = 0;
  StepResult last;
};
Ending play(Env& env, const std::function<Vector2d(const Env&)>& policy, int limit) {
  Ending e;
  while (e.steps < limit && !e.last.terminated) {
    e.last = env.step(policy(env));
    ++e.steps;
  }
  return e;
}
Vector2d crash(const Env&) { return {-1, 1}; }

TEST(RaceCar, IsThePublishedTask) {
  const std::unique_ptr<Env> env = make_v0();
  const EnvSpec& s = env->spec();
  EXPECT_EQ(s.obs_dim, 9);
  EXPECT_EQ(s.max_steps, 10'000);
  EXPECT_EQ(s.dt, 0.01);
  EXPECT_EQ(s.goal.radius, 1);
  EXPECT_TRUE(s.goal.ends_at_goal);
  EXPECT_EQ(Matrix(s.action.low), matrix({{-1}, {0}}));
  EXPECT_EQ(Matrix(s.action.high), matrix({{1}, {1}}));
  Rng rng(1);
  for (int e = 0; e < 5; ++e) {
    env->reset(rng);
    EXPECT_EQ(goal(*env), Vector2d(3, 3));
    expect_close(observation(*env), matrix({{0.5}, {0.5}, {0}, {0}, {kPi / 2}, {0}, {0}, {0}, {0}}), 1e-6);
  }
  // The reward is strict at 1 m.
  const auto reward = [&](double x, double y) {
    return s.goal.reward(matrix({{x}, {y}}).col(0), matrix({{3}, {3}}).col(0), s.goal.radius);
  };
  EXPECT_EQ(reward(2, 3), -1);
  EXPECT_EQ(reward(2.01, 3), 0);
}

TEST(RaceCar, ObservesWhatTheWorldDoes) {
  const std::unique_ptr<Env> env = make_v1();
  Rng rng(1);
  env->reset(rng);
  for (int t = 0; t < 8; ++t) env->step(Vector2d(0.4, 0.6));
  Doubles c(env->coordinate_names().size());
  env->get_coordinates(c);
  const Vector o = observation(*env);
  EXPECT_NEAR(o(0), c[0], 1e-6);
  EXPECT_NEAR(o(kVelocity + 1), c[8], 1e-6);
  EXPECT_NEAR(o(kYaw), 2 * std::atan2(c[5], c[6]), 1e-4) << "the car is level";
  EXPECT_NEAR(o(kHingeAngles), c[15], 1e-6);
  EXPECT_NEAR(o(kHingeAngles + 1), c[17], 1e-6);
  EXPECT_LT(o(kYaw), kPi / 2) << "positive steering turns right";
  RaceCarWorld world(false);
  build(world, 0.5, 0.5, 0);
  const double yaw = double(o(kYaw));
  const Vector2d eye = position(*env) + 0.2 * Vector2d(std::cos(yaw), std::sin(yaw));
  for (int i = 0; i < 9; ++i)
    EXPECT_NEAR(o(kRays + i), world.clearance(eye, yaw + (i - 4) * 27 * kPi / 180, 5), 1e-4) << "ray " << i;
}

TEST(RaceCar, ACrashIsAFailureWithItsOwnReward) {
  for (const double crash_reward : {-1., -50.}) {
    const std::unique_ptr<Env> env = make_v0({.crash_reward = crash_reward});
    Rng rng(1);
    env->reset(rng);
    const Ending e = play(*env, crash, 100);
    EXPECT_TRUE(e.last.terminated);
    EXPECT_TRUE(e.last.failed);
    EXPECT_FALSE(e.last.success);
    EXPECT_EQ(e.last.reward, Scalar(crash_reward));
    EXPECT_GE(e.steps, 40);
    EXPECT_LE(e.steps, 52);
  }
}

TEST(RaceCar, EverySettingChangesOneThing) {
  const RaceCarConfig published;
  const auto with = [&](auto change) {
    RaceCarConfig c = published;
    change(c);
    return make_v0(c);
  };
  Rng rng(1);
  auto env = with([](RaceCarConfig& c) { c.substeps = 10; });
  EXPECT_EQ(env->spec().max_steps, 1000) << "the time limit is in seconds";
  EXPECT_NEAR(env->spec().dt, 0.1, 1e-12);
  env->reset(rng);
  const Ending e = play(*env, crash, 100);
  EXPECT_GE(e.steps, 4);
  EXPECT_LE(e.steps, 6);
  EXPECT_EQ(e.last.reward, -1);

  env = with([](RaceCarConfig& c) { c.rays = 9; });
  EXPECT_EQ(env->spec().obs_dim, 18);
  env = with([](RaceCarConfig& c) { c.time_limit = 30; });
  EXPECT_EQ(env->spec().max_steps, 3000);
  env = with([](RaceCarConfig& c) { c.goal_radius = 0.25; });
  EXPECT_EQ(env->spec().goal.radius, Scalar(0.25));
  env = with([](RaceCarConfig& c) { c.movable_walls = false; });
  EXPECT_LT(env->coordinate_names().size(), make_v0()->coordinate_names().size());
  env = with([](RaceCarConfig& c) { c.goal_x = 9, c.goal_y = 5; });
  env->reset(rng);
  EXPECT_EQ(goal(*env), Vector2d(9, 5));

  env = with([](RaceCarConfig& c) { c.start_noise = 1; });
  Vector low = Vector::Constant(9, 100), high = -low;
  for (int i = 0; i < 200; ++i) {
    env->reset(rng);
    low = low.cwiseMin(observation(*env));
    high = high.cwiseMax(observation(*env));
  }
  expect_close(low.head(2), matrix({{0.45}, {0.45}}), 2e-3);
  expect_close(high.head(2), matrix({{0.55}, {0.55}}), 2e-3);
  EXPECT_NEAR(low(kYaw), kPi / 2 - 0.1, 3e-3);
  EXPECT_NEAR(high(kYaw), kPi / 2 + 0.1, 3e-3);
}

TEST(RaceCar, GoalsAreDrawnAsAskedFor) {
  Rng rng(1);
  const std::unique_ptr<Env> four = make_v1();
  std::array<int, 4> counts{};
  const std::array goals{Vector2d(3, 3), Vector2d(9, 5), Vector2d(11, 7), Vector2d(14.5, 7.5)};
  for (int e = 0; e < 400; ++e) {
    four->reset(rng);
    const auto found = std::find(goals.begin(), goals.end(), goal(*four));
    ASSERT_NE(found, goals.end());
    ++counts[static_cast<std::size_t>(found - goals.begin())];
    ASSERT_EQ(four->category(), static_cast<std::size_t>(found - goals.begin()));
  }
  EXPECT_EQ(four->spec().categories, (std::vector<std::string>{"goal_3_3", "goal_9_5", "goal_11_7", "goal_14.5_7.5"}));
  for (const int n : counts) EXPECT_NEAR(n, 100, 35);

  RaceCarConfig c = race_car_v1();
  c.goals = RaceCarGoals::center_line;
  const std::unique_ptr<Env> line = make_v1(c);
  EXPECT_TRUE(line->spec().categories.empty());
  double furthest = 0;
  for (int e = 0; e < 400; ++e) {
    line->reset(rng);
    const Vector2d g = goal(*line);
    const bool on_line = (g.x() == 1 && g.y() >= 1.5) || g.y() == 3 || g.x() == 9 || g.y() == 7;
    EXPECT_TRUE(on_line) << g.transpose();
    EXPECT_GT((g - position(*line)).norm(), 1) << "reached before the first step";
    furthest = std::max(furthest, g.x());
  }
  EXPECT_GT(furthest, 14);
}

TEST(RaceCar, RefusesWhatItCannotDo) {
  EXPECT_THROW_MESSAGE(make_v0({.substeps = 0}), std::invalid_argument,
                       "RaceCar-v0: substeps = 0; expected a positive number");
  EXPECT_THROW_MESSAGE(make_v0({.rays = -1}), std::invalid_argument,
                       "RaceCar-v0: rays = -1; expected none or a positive number");
}

// ---- a driver ----

// Throttle on straights and in sharp corners.
std::function<Vector2d(const Env&)> driver(double straight, double corner) {
  return [=](const Env& env) { return drive_race_car(observation(env), straight, corner); };
}

struct Target {
  double x, y;
  int steps;  // at most
};

TEST(RaceCarDriver, ReachesEveryGoalOfTheVersionAsPublished) {
  for (const Target& t : {Target{3, 3, 320}, {9, 5, 800}, {11, 7, 1080}, {14.5, 7.5, 1280}}) {
    const std::unique_ptr<Env> env = make_v0({.goal_x = t.x, .goal_y = t.y});
    Rng rng(1);
    env->reset(rng);
    const Ending e = play(*env, driver(0.8, 0.35), 2000);
    EXPECT_TRUE(e.last.success) << "goal " << t.x << ", " << t.y << " after " << e.steps;
    EXPECT_EQ(e.last.reward, 0);
    EXPECT_LE(e.steps, t.steps);
    EXPECT_GE(e.steps, t.steps / 2);
    RecordProperty("steps_to_" + std::to_string(static_cast<int>(t.x)), e.steps);
  }
}

TEST(RaceCarDriver, ReachesEveryGoalOfTheCorrectedVersionFromEveryStart) {
  constexpr int kStarts = 6;
  RaceCarConfig c = race_car_v1();
  for (const Target& t : {Target{3, 3, 35}, {9, 5, 85}, {11, 7, 110}, {14.5, 7.5, 135}}) {
    c.goal_x = t.x, c.goal_y = t.y;
    const std::unique_ptr<Env> env = make_v1(c);
    Rng rng(1);
    int arrivals = 0;
    for (int e = 0; e < kStarts; ++e) {
      env->reset(rng);
      arrivals += play(*env, driver(0.8, 0.35), t.steps).last.success;
    }
    EXPECT_EQ(arrivals, kStarts) << "goal " << t.x << ", " << t.y;
  }
}

// What the published reward pays for: the quickest crash beats the quickest arrival, at any discount.
TEST(RaceCarDriver, AsPublishedCrashingPaysMoreThanArriving) {
  for (const double crash_reward : {-1., -50.}) {
    const auto discounted = [&](const std::function<Vector2d(const Env&)>& policy, bool* arrived) {
      const std::unique_ptr<Env> env = make_v0({.crash_reward = crash_reward});
      Rng rng(1);
      env->reset(rng);
      double sum = 0, weight = 1;
      StepResult r;
      while (!r.terminated) {
        r = env->step(policy(*env));
        sum += weight * double(r.reward);
        weight *= 0.98;
      }
      *arrived = r.success;
      return sum;
    };
    bool crashed_arrived = true, driven_arrived = false;
    const double crashed = discounted(crash, &crashed_arrived), driven = discounted(driver(1, 0.5), &driven_arrived);
    EXPECT_FALSE(crashed_arrived);
    EXPECT_TRUE(driven_arrived);
    RecordProperty("return_of_crash_at_" + std::to_string(static_cast<int>(crash_reward)), std::to_string(crashed));
    RecordProperty("return_of_arrival", std::to_string(driven));
    EXPECT_EQ(crashed > driven, crash_reward == -1) << crashed << " against " << driven;
  }
}

// ---- state ----

TEST(RaceCarState, ARestoredEpisodeIsReplayedFromItsStart) {
  for (const auto& make : {+[] { return make_v0(); }, +[] { return make_v1(); }}) {
    const std::unique_ptr<Env> env = make();
    Rng rng(5), elsewhere(6);
    env->reset(rng);
    const int before = env->spec().dt < 0.05 ? 120 : 14;
    const auto action = [&] { return Vector2d(double(rng.uniform(-1, 1)), double(rng.uniform())); };
    for (int t = 0; t < before; ++t) env->step(action());
    const Snapshot saved = snapshot(*env);
    const std::unique_ptr<Env> fresh = make(), used = make();
    used->reset(elsewhere);
    for (int t = 0; t < 7; ++t) used->step(Vector2d(1, 1));
    restore(*fresh, saved);
    restore(*used, saved);
    for (int t = 0; t < before; ++t) {  // far enough to hit a wall
      const Vector2d a = action();
      const StepResult r = env->step(a);
      for (Env* other : {fresh.get(), used.get()}) {
        const StepResult same = other->step(a);
        ASSERT_EQ(same.reward, r.reward) << env->spec().name << ", step " << t;
        ASSERT_EQ(same.failed, r.failed);
        ASSERT_TRUE(same_bits(observation(*other), observation(*env)));
        ASSERT_EQ(state_hash(*other), state_hash(*env));
      }
    }
    // Back to before all of that.
    restore(*env, saved);
    const std::unique_ptr<Env> again = make();
    restore(*again, saved);
    EXPECT_TRUE(same_bits(observation(*again), observation(*env)));
  }
}

TEST(RaceCarState, IsRestoredBeforeTheLastStepOfTheLongestEpisode) {
  const EnvEntry& entry = find_environment("RaceCar-v1");
  VectorEnv env(entry.world(*entry.settings()), 1, Rng(3)), other(entry.world(*entry.settings()), 1, Rng(4));
  const Matrix stand = matrix({{0}, {-1}});
  for (int t = 1; t < env.spec().max_steps; ++t) ASSERT_FALSE(env.step(stand).ended(0));
  restore(other, snapshot(env));
  const StepBatch &a = env.step(stand), &b = other.step(stand);
  EXPECT_EQ(a.truncated[0], 1);
  EXPECT_EQ(b.truncated[0], 1);
  EXPECT_TRUE(same_bits(a.after.obs, b.after.obs));
}

// A task may give the car more time than it has by itself.
TEST(RaceCarState, MayBeAsLongAsItsTaskAllows) {
  struct Accepted {};
  class Long final : public StateVisitor {
   public:
    explicit Long(std::uint64_t stored) : stored_(stored) {}
    void visit(std::string_view, MatrixRef) override {}
    void visit(std::string_view name, std::span<double>) override {
      if (name == "actions") throw Accepted();
    }
    void visit(std::string_view name, std::span<std::uint64_t> values) override {
      if (name == "numbers") values[0] = 2'400'000;
    }
    std::uint64_t count(std::string_view, std::uint64_t) override { return stored_; }

   private:
    void enter(std::string_view) override {}
    void leave() override {}
    std::uint64_t stored_;
  };
  const std::unique_ptr<Env> env = make_v1();
  Long whole(2'400'000), part(1000);
  EXPECT_THROW(env->visit_state(whole), Accepted);
  EXPECT_THROW_MESSAGE(env->visit_state(part), std::runtime_error,
                       "RaceCar: an episode was saved with 1000 of 2400000 numbers of its actions");
}

TEST(RaceCarState, CoordinatesMoveTheCarAndKeepTheGoal) {
  const std::unique_ptr<Env> env = make_v0(), other = make_v0({.goal_x = 9, .goal_y = 5});
  Rng rng(5);
  env->reset(rng);
  other->reset(rng);
  for (int t = 0; t < 60; ++t) env->step(Vector2d(0.2, 0.5));
  Doubles values(env->coordinate_names().size());
  ASSERT_EQ(values.size(), 13u + 12u + 130u);
  EXPECT_EQ(env->coordinate_names()[13], "rear_left");
  EXPECT_EQ(env->coordinate_names()[25], "wall0_x");
  env->get_coordinates(values);
  other->set_coordinates(values);
  EXPECT_EQ(goal(*other), Vector2d(9, 5));
  EXPECT_LT((observation(*other) - observation(*env)).norm(), 1e-6);
  for (int t = 0; t < 10; ++t) {
    env->step(Vector2d(0.2, 0.5));
    other->step(Vector2d(0.2, 0.5));
  }
  EXPECT_LT((position(*other) - position(*env)).norm(), 1e-3) << "up to contacts and the solver's warm start";
  // A state that began at coordinates is restored to them.
  const std::unique_ptr<Env> third = make_v0();
  restore(*third, snapshot(*other));
  EXPECT_TRUE(same_bits(observation(*third), observation(*other)));
}

TEST(RaceCarState, LanesDoNotDependOnTheThreads) {
  for (const char* name : {"RaceCar-v0", "RaceCar-v1"}) {
    const EnvEntry& entry = find_environment(name);
    std::vector<std::uint64_t> hashes;
    for (const int threads : {1, 2}) {
      VectorEnv env(entry.world(*entry.settings()), 4, Rng(3), threads);
      Matrix last = env.obs().obs;
      for (int t = 0; t < 60; ++t) {
        env.step(random_matrix(2, 4, static_cast<std::uint64_t>(t)));
        last += env.obs().obs;
      }
      hashes.push_back(state_hash(env));
      hashes.push_back(static_cast<std::uint64_t>(last.sum() * Scalar(1e4)));
    }
    EXPECT_EQ(hashes[0], hashes[2]);
    EXPECT_EQ(hashes[1], hashes[3]);
  }
}

}  // namespace
}  // namespace goalpost::test
