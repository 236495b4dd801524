// A car with a speed and a steering angle to set, on a walled track, driven to points of it. Bullet.
//   state        pose, velocities and joints of the car, poses and velocities of the walls, the goal; contacts and the
//                solver's warm start. What of it cannot be read from Bullet is saved as the episode's actions
//   start        (0.5, 0.5), along +y, 0.1 m above the floor, which it reaches after 0.14 s
//   observation  position x, y, m                                         2
//                velocity along the world's axes, m/s                     2
//                yaw, rad, in (-pi, pi]                                   1
//                angles of the left and right hinge, rad, left is positive  2
//                their speeds, rad/s                                      2
//                v1: distances to the walls, m, at most 5, in directions from 108 degrees right to 108 left of the
//                nose, from a point 0.2 m ahead of x, y                         9
//   goal         a position of the car, m [2]: (3, 3), (9, 5), (11, 7) or (14.5, 7.5)
//   action       steering in [-1, 1], 1 rad to the right; throttle in [0, 1], of 2.55 m/s: there is no reverse, 0
//   brakes reward       0 if the goal is closer than 1 m, else -1   (after the step); a crash: crash_reward, whatever
//   the goal ends         at the goal; in a crash, that is within 1.6 mm of a wall (a failure)
//
//                                v0, as published                        v1, corrected
//   reward of a crash            -1: episodes get better the sooner      -50 = -1/(1 - 0.98): as bad as never to arrive
//                                they end, by whatever means
//   action held for              1 step of 0.01 s                        10 steps, or until the car hits a wall
//   walls in the observation     no                                      9 distances
//   goal                         (3, 3) always                           one of four
//   walls                        100 kg, pushed apart where they overlap fixed
//   start                        always the same                         ±0.05 m, ±0.1 rad
//   time limit                   100 s: 10,000 steps                     30 s: 300 steps
// Every row is a setting of its own (RaceCarConfig). A fault that is the agent's: relabelling a crash as an arrival
// (HerConfig::relabel_failures).
//
// Differs      1. The published environment is Python on PyBullet; this is its car, track and settings on Bullet
// itself.
//                 Constants and behaviour were compared with a prototype's, not the last bits with PyBullet's.
//              2. The published one counts every wall as often as it was reset, which costs time and nothing else, and
//                 has coins that no one collects; both are left out.
//              3. In v0 nothing is drawn: the published generator is seeded anew, with 42, at every reset without a
//              seed.
#include "envs/bullet/race_car.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "envs/bullet/race_car_world.h"

namespace goalpost {
namespace {

using Eigen::Vector2d;

constexpr double kStart = 0.5, kStartYaw = std::numbers::pi / 2;  // m, m; rad
constexpr double kPositionNoise = 0.05, kYawNoise = 0.1;
constexpr std::array<std::array<double, 2>, 4> kGoals{{{3, 3}, {9, 5}, {11, 7}, {14.5, 7.5}}};
constexpr std::array<std::array<double, 2>, 5> kCentreLine{{{1, 0.5}, {1, 3}, {9, 3}, {9, 7}, {14.5, 7}}};
constexpr double kCentreLineBegin = 1;  // m along the line: from there on it is more than 1 m away from every start
constexpr int kOwnObs = 9;              // numbers without rays
constexpr double kRayStart = 0.2, kRayRange = 5, kRaySpan = 0.6 * std::numbers::pi;  // m ahead, m, rad to either side

Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
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
          .dt = dt};
}

Vector2d on_centre_line(double length) {
  Vector2d from = Vector2d::Map(kCentreLine[0].data());
  for (std::size_t i = 1; i < kCentreLine.size(); ++i) {
    const Vector2d to = Vector2d::Map(kCentreLine[i].data());
    const double part = (to - from).norm();
    if (length < part) return from + length / part * (to - from);
    length -= part;
    from = to;
  }
  return from;
}

double centre_line_length() {
  double length = 0;
  for (std::size_t i = 1; i < kCentreLine.size(); ++i)
    length += (Vector2d::Map(kCentreLine[i].data()) - Vector2d::Map(kCentreLine[i - 1].data())).norm();
  return length;
}

class RaceCar final : public Env {
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

  // Bullet's contact points and what its solver starts from cannot be set from outside: a restored world is built at
  // the episode's start and driven through its actions.
  void visit_state(StateVisitor& v) override {
    const Episode before = episode_;
    v.visit("start", std::span(episode_.start));
    std::uint64_t numbers = episode_.actions.size();
    v.visit("numbers", numbers);
    episode_.actions.resize(numbers);
    v.visit("actions", std::span(episode_.actions));
    v.visit("goal", std::span(goal_.data(), 2));

    const auto here = static_cast<std::ptrdiff_t>(before.actions.size());
    const bool goes_on = episode_.start == before.start && episode_.actions.size() >= before.actions.size() &&
                         std::equal(before.actions.begin(), before.actions.end(), episode_.actions.begin());
    if (!goes_on) world_.set_coordinates(episode_.start);
    for (std::size_t i = goes_on ? static_cast<std::size_t>(here) : 0; i + 1 < episode_.actions.size(); i += 2)
      act(episode_.actions[i], episode_.actions[i + 1]);
  }

  std::vector<std::string> coordinate_names() const override { return world_.coordinate_names(); }
  void get_coordinates(std::span<double> out) const override { world_.get_coordinates(out); }
  void set_coordinates(std::span<const double> values) override {
    world_.set_coordinates(values);
    episode_.start.assign(values.begin(), values.end());
    episode_.actions.clear();
  }

 private:
  // Where the world was built, and what was done since: two numbers per action.
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
      case RaceCarGoals::centre_line:
        return on_centre_line(kCentreLineBegin + (centre_line_length() - kCentreLineBegin) * double(rng.uniform()));
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
  return std::make_unique<RaceCar>(name, config);
}

}  // namespace goalpost
