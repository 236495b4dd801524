// A car on a walled track, controlled by wheel speed and steering angle, has to reach points of the track. Bullet.
//   state        pose, velocities and joints of the car, poses and velocities of movable walls; the goal; contacts and
//                the solver's warm start, which Bullet does not expose: saved as the start and the actions since
//   start        (0.5, 0.5), along +y, 0.1 m above the floor, which it reaches after 0.14 s
//   observation  position x, y, m                                             2
//                velocity along the world's axes, m/s                         2
//                yaw, rad, in (-pi, pi]                                       1
//                angles of the left and the right hinge, rad, positive: left  2
//                their speeds, rad/s                                          2
//                v1: distances to the walls, m, at most 5, from a point 0.2 m ahead of x, y, in directions from 108
//                degrees to the right of the nose to 108 to the left          9
//   goal         a position of the car, m [2]: (3, 3), (9, 5), (11, 7) or (14.5, 7.5)
//   action       steering in [-1, 1], in rad to the right; throttle in [0, 1], in 2.55 m/s: 0 brakes, no reverse
//   reward       0 if the goal is closer than 1 m, else -1 (after the step); crash_reward for a crash, with any goal
//   ends         at the goal; in a crash (a failure), i.e. within about 1.6 mm of a wall
//
//                       v0, as published                    v1, corrected
//   reward of a crash   -1                                  -50 = -1/(1 - gamma), gamma = 0.98
//   action held for     1 step of 0.01 s                    10 steps, or until a wall is hit
//   walls observed      no                                  9 distances
//   goal                (3, 3) always                       one of the four
//   walls               100 kg, pushed apart where they     fixed
//                       overlap
//   start               always the same                     +-0.05 m in x and y, +-0.1 rad
//   time limit          100 s: 10,000 steps                 30 s: 300 steps
// Each row is a setting (RaceCarConfig). One published fault is the agent's: HerConfig::relabel_failures.
//
// The reasons, measured (one seed each for training):
//   reward of a crash   Every step costs 1, so that the earliest end is the best: a crash returns -30.3, a driver that
//                       arrives -49.6; with -50 the crash returns -50.0 (RaceCarDriver tests). Trained with -1,
//                       RaceCar-v1 always ends in a crash after 4 actions: `goalpost train
//                       race_car_v1_cheap_crash_sac_her --seed 11 --set train.total_steps=8_000`.
//   action held for     Arriving after T steps gains only 50 * 0.98^T: 0.13, 9e-6, 3e-8 and 7e-10 for the
//                       scripted driver's 293, 770, 1056 and 1238 steps; 28, 11, 6 and 4 for a tenth of them. Random
//                       actions reach (3, 3) in 0 of 40 episodes, and in 6 of 100 when held for 0.1 s: `goalpost train
//                       race_car_v0_sac_her --set env.movable_walls=false --set train.total_steps=10_000
//                       --set env.substeps=1|10`.
//   walls observed      Greedy success after 2,500, 5,000, 7,500, 10,000 and 12,500 actions: 0.25 0.50 1.00 0.78 0.88
//                       with the walls observed, 0 0 0 0.31 0.16 without: `goalpost train race_car_v1_sac_her
//                       | race_car_v1_blind_sac_her --seed 11 --set train.eval_every=2_500
//                       --set train.eval_episodes=32`.
//   goal                Version 0 has one goal: its inputs are constant, and the other three are never pursued.
//   walls               They shift by up to 0.138 m in the first second, and cost a factor 8: 1,900 simulated steps per
//                       second against 15,000 (BM_env_step, processor time). Not a cause of failure: the driver
//                       arrives.
//   start               Without noise, all evaluation episodes of one goal are the same episode.
//   time limit          The driver takes 12.4 s at most.
//
// Differs      1. The published environment is Python on PyBullet; this is its car, track and settings on Bullet 3.24.
//                 Behavior was compared with a prototype's; the last bits were not compared with PyBullet's.
//              2. The published one counts its walls again at every reset, which only costs time, and has coins without
//                 a function; both are left out.
//              3. v0 draws no random numbers. The published generator is seeded with 42 at every reset without a seed,
//                 which gives (3, 3); goal_x and goal_y replace other seeds.
#include "envs/bullet/race_car.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "core/check.h"
#include "envs/bullet/race_car_driver.h"
#include "envs/bullet/race_car_world.h"
#include "envs/drawable.h"

namespace goalpost {
namespace {

using Eigen::Vector2d;

constexpr double kStart = 0.5, kStartYaw = std::numbers::pi / 2;  // m, m; rad
constexpr double kPositionNoise = 0.05, kYawNoise = 0.1;
constexpr std::array<std::array<double, 2>, 4> kGoals{{{3, 3}, {9, 5}, {11, 7}, {14.5, 7.5}}};
constexpr std::array<std::array<double, 2>, 5> kCenterLine{{{1, 0.5}, {1, 3}, {9, 3}, {9, 7}, {14.5, 7}}};
constexpr double kCenterLineBegin = 1;  // m along the line: from there on it is more than 1 m away from every start
constexpr int kOwnObs = 9;              // numbers without rays
constexpr double kRayStart = 0.2, kRayRange = 5, kRaySpan = 0.6 * std::numbers::pi;  // m ahead, m, rad to either side

Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
}

// An episode's category is its goal, where that is one of the four.
std::vector<std::string> categories(const RaceCarConfig& c) {
  if (c.goals != RaceCarGoals::four || c.goal_x || c.goal_y) return {};
  std::vector<std::string> names;
  for (const auto& [x, y] : kGoals) names.push_back(detail::concatenate("goal_", x, "_", y));
  return names;
}

EnvSpec make_spec(const char* name, const RaceCarConfig& c) {
  const double dt = c.substeps * RaceCarWorld::kDt;
  return {.name = name,
          .obs_dim = kOwnObs + c.rays,
          .action = {.dim = 2,
                     .choices = 0,
                     .low = (Vector(2) << Scalar(-1), Scalar(0)).finished(),
                     .high = Vector::Constant(2, 1)},
          .goal = {.dim = 2, .radius = Scalar(c.goal_radius), .ends_at_goal = true, .reward = &sparse},
          .max_steps = std::max(1, static_cast<int>(std::lround(c.time_limit / dt))),
          .can_fail = true,
          .categories = categories(c),
          .script = &race_car_script,
          .dt = dt};
}

Vector2d on_center_line(double length) {
  Vector2d from = Vector2d::Map(kCenterLine[0].data());
  for (std::size_t i = 1; i < kCenterLine.size(); ++i) {
    const Vector2d to = Vector2d::Map(kCenterLine[i].data());
    const double part = (to - from).norm();
    if (length < part) return from + length / part * (to - from);
    length -= part;
    from = to;
  }
  return from;
}

double center_line_length() {
  double length = 0;
  for (std::size_t i = 1; i < kCenterLine.size(); ++i)
    length += (Vector2d::Map(kCenterLine[i].data()) - Vector2d::Map(kCenterLine[i - 1].data())).norm();
  return length;
}

class RaceCar final : public Env, public Drawable {
 public:
  RaceCar(const char* name, const RaceCarConfig& c) : spec_(make_spec(name, c)), c_(c), world_(c.movable_walls) {
    episode_.actions.reserve(2 * static_cast<std::size_t>(spec_.max_steps));
    begin(Vector2d(kStart, kStart), kStartYaw);
  }

  const EnvSpec& spec() const override { return spec_; }

  void reset(Rng& rng) override {
    const double x = kStart + noise(rng, kPositionNoise), y = kStart + noise(rng, kPositionNoise);
    begin({x, y}, kStartYaw + noise(rng, kYawNoise));
    const Vector2d drawn = draw_goal(rng);
    goal_ = {c_.goal_x.value_or(drawn.x()), c_.goal_y.value_or(drawn.y())};
  }

  std::size_t category() const override {
    for (std::size_t i = 0; i < spec_.categories.size(); ++i)
      if (goal_ == Vector2d::Map(kGoals[i].data())) return i;
    return 0;
  }

  StepResult step(ActionRef action) override {
    episode_.actions.push_back(action(0));
    episode_.actions.push_back(action(1));
    const bool crashed = act(action(0), action(1));
    const Eigen::Matrix<Scalar, 2, 1> achieved = world_.position().cast<Scalar>(), desired = goal_.cast<Scalar>();
    const bool arrived = !crashed && spec_.goal.reached(achieved, desired);
    return {.reward = crashed ? Scalar(c_.crash_reward) : spec_.goal.reward(achieved, desired, spec_.goal.radius),
            .terminated = crashed || arrived,
            .success = arrived,
            .failed = crashed};
  }

  void observe(ObsOut out) const override {
    const Vector2d p = world_.position(), v = world_.velocity();
    const double yaw = world_.yaw();
    const auto [left, right] = RaceCarWorld::kHinges;
    out.obs.head<kOwnObs>() << Scalar(p.x()), Scalar(p.y()), Scalar(v.x()), Scalar(v.y()), Scalar(yaw),
        Scalar(world_.angle(left)), Scalar(world_.angle(right)), Scalar(world_.speed(left)),
        Scalar(world_.speed(right));
    const Vector2d eye = p + kRayStart * Vector2d(std::cos(yaw), std::sin(yaw));
    for (int i = 0; i < c_.rays; ++i) {
      const double along = c_.rays > 1 ? 2. * i / (c_.rays - 1) - 1 : 0;
      out.obs(kOwnObs + i) = Scalar(world_.clearance(eye, yaw + along * kRaySpan, kRayRange));
    }
    out.achieved = p.cast<Scalar>();
    out.desired = goal_.cast<Scalar>();
  }

  // Bullet's contact points and the start of its solver cannot be set from outside: a restored world is built at the
  // start of the episode and driven through its actions.
  void visit_state(StateVisitor& v) override {
    const Episode before = episode_;
    v.visit("start", std::span(episode_.start));
    std::uint64_t numbers = episode_.actions.size();
    v.visit("numbers", numbers);
    // The time limit belongs to the task around this world; the file has the number of actions.
    if (const std::uint64_t there = v.count("actions", numbers); there != numbers || numbers % 2 != 0)
      throw std::runtime_error(detail::concatenate("RaceCar: an episode was saved with ", there, " of ", numbers,
                                                   " numbers of its actions; expected all, two per step"));
    episode_.actions.resize(numbers);
    v.visit("actions", std::span(episode_.actions));
    v.visit("goal", std::span(goal_.data(), 2));

    const bool goes_on = episode_.start == before.start && episode_.actions.size() >= before.actions.size() &&
                         std::equal(before.actions.begin(), before.actions.end(), episode_.actions.begin());
    if (!goes_on) world_.set_coordinates(episode_.start);
    for (std::size_t i = goes_on ? before.actions.size() : 0; i + 1 < episode_.actions.size(); i += 2)
      act(episode_.actions[i], episode_.actions[i + 1]);
  }

  std::vector<std::string> coordinate_names() const override { return world_.coordinate_names(); }
  void get_coordinates(std::span<double> out) const override { world_.get_coordinates(out); }
  void set_coordinates(std::span<const double> values) override {
    world_.set_coordinates(values);
    episode_.start.assign(values.begin(), values.end());
    episode_.actions.clear();
  }

  void draw(Scene& scene) const override {
    world_.draw(scene);
    scene.frame({-0.2, -0.2, 0}, {15.2, 8.2, 0.5}, 90, -60);
    scene.subject = {world_.position().x(), world_.position().y(), 0};
    scene.subject_size = 1;
  }
  void draw_goal(ConstVectorRef goal, GoalMark mark, Scene& scene) const override {
    mark_floor(scene, {double(goal(0)), double(goal(1)), 0}, c_.goal_radius, 0.8, mark);
  }
  void draw_subgoal(ConstVectorRef obs, GoalMark mark, Scene& scene) const override {
    if (obs.head<2>().allFinite()) mark_floor(scene, {double(obs(0)), double(obs(1)), 0}, 0.2, 0.8, mark);
  }

 private:
  // The coordinates at which the world was built, and the actions since: two numbers per action.
  struct Episode {
    std::vector<double> start, actions;
  };

  void begin(const Vector2d& position, double yaw) {
    episode_.start.resize(world_.coordinate_names().size());
    world_.start_coordinates(position.x(), position.y(), yaw, episode_.start);
    episode_.actions.clear();
    world_.set_coordinates(episode_.start);
  }

  // Whether the car hits a wall, which ends the action.
  bool act(double steer, double throttle) {
    world_.drive(steer, throttle);
    for (int i = 0; i < c_.substeps; ++i) {
      world_.step();
      if (world_.hits_wall()) return true;
    }
    return false;
  }

  // In [-range, range), scaled.
  double noise(Rng& rng, double range) const {
    return c_.start_noise == 0 ? 0 : c_.start_noise * range * (2 * double(rng.uniform()) - 1);
  }

  Vector2d draw_goal(Rng& rng) const {
    switch (c_.goals) {
      case RaceCarGoals::four:
        return Vector2d::Map(kGoals[rng.below(kGoals.size())].data());
      case RaceCarGoals::center_line:
        return on_center_line(kCenterLineBegin + (center_line_length() - kCenterLineBegin) * double(rng.uniform()));
      case RaceCarGoals::first:
        break;
    }
    return Vector2d::Map(kGoals[0].data());
  }

  EnvSpec spec_;
  RaceCarConfig c_;
  RaceCarWorld world_;
  Episode episode_;
  Vector2d goal_ = Vector2d::Map(kGoals[0].data());
};

}  // namespace

std::unique_ptr<Env> make_race_car(const char* name, const RaceCarConfig& config) {
  GP_CHECK(config.substeps > 0, name, ": substeps = ", config.substeps, "; expected a positive number");
  GP_CHECK(config.rays >= 0, name, ": rays = ", config.rays, "; expected none or a positive number");
  return std::make_unique<RaceCar>(name, config);
}

}  // namespace goalpost
