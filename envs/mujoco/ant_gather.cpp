// Gather: an ant in a walled square eats apples and avoids bombs, which it senses around itself.
//   state        15 positions and 14 velocities of the ant (envs/mujoco/ant.h), steps since reset t, positions of 8
//                apples and 8 bombs and which are left, MuJoCo's warm start. Reset: the ant as in AntMaze-v0
//                (ant_maze.cpp); apples, then bombs on the points of a grid of 2 m in [-10, 8]², none twice, none at
//                the origin
//   observation  [50]  positions of the ant, m, 1, rad                                                15
//                      velocities, m/s, rad/s                                                         14
//                      apples in 10 sectors of 36°, counter-clockwise from straight behind the torso:
//                        1 - distance / 6 m of the nearest one within 6 m, else 0                     10
//                      bombs, likewise                                                                10
//                      0.001 t                                                                         1
//   goal         none
//   action       torques on hip and ankle of legs 4, 1, 2, 3, N m [8] in [-30, 30]
//   reward       +1 for every apple and -1 for every bomb nearer than 1 m to the torso (x, y); they are then removed
//   ends         when nothing is left; when the ant falls, which is a failure: torso not between 0.2 m and 1 m
//                (AntGatherConfig); time limit 500 steps of 0.1 s (5 substeps of 0.02 s)
//
// Duan et al. 2016, rllab's Ant Gather, with the settings of Nachum et al. 2018, arXiv:1805.08296: range ±10 m, sensors
// all around. HIRO's released code lacks this world; reset noise and time feature are those of its other
// worlds. Differs: the torso's position is the one after the step, where rllab reads that of the last substep (about 1
// mm). The name with Euler integrates with semi-implicit Euler instead of RK4.
#include "envs/mujoco/ant_gather.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <span>

#include "core/check.h"

namespace goalpost {
namespace {

using Eigen::Vector2d;

constexpr double kPi = std::numbers::pi;
constexpr double kWall = 11, kWallHalf = 0.5;    // m: where the walls' middle is, half their thickness
constexpr double kSensorRange = 6, kReach = 1;   // m
constexpr double kLowest = 0.2, kHighest = 1;    // m, of the torso of an ant that has not fallen
constexpr int kApples = 8, kObjects = 16;        // the others are bombs
constexpr int kBins = 10;                        // sectors of a sensor
constexpr std::uint32_t kGrid = 10;              // points per axis
constexpr double kGridStep = 2, kGridLow = -10;  // m

std::string name_of(Integrator integrator) {
  return integrator == Integrator::euler ? "AntGatherEuler-v0" : "AntGather-v0";
}

class AntGather final : public Ant {
 public:
  AntGather(std::string name, MujocoModel model, const AntGatherConfig& config)
      : Ant({.name = std::move(name),
             .obs_dim = kQpos + kQvel + 2 * kBins + 1,
             .action = action_space(*model),
             .goal = {},
             .max_steps = 500,
             .can_fail = config.fall_ends,
             .dt = kSubsteps * model->opt.timestep},
            model),
        c_(config) {}

  void reset(Rng& rng) override {
    reset_with_noise(rng);
    steps_ = 0;
    for (int i = 0; i < kObjects; ++i) objects_.col(i) = draw_place(rng, i);
    left_.setOnes();
  }

  StepResult step(ActionRef action) override {
    advance(action);
    ++steps_;
    StepResult result;
    for (int i = 0; i < kObjects; ++i) {
      if (left_(i) == 0 || (objects_.col(i) - torso()).squaredNorm() >= kReach * kReach) continue;
      left_(i) = 0;
      result.reward += i < kApples ? Scalar(1) : Scalar(-1);
    }
    const double z = qpos().z();
    result.failed = c_.fall_ends && (z < kLowest || z > kHighest);
    if (result.failed) result.reward += Scalar(c_.fall_reward);
    result.terminated = result.failed || left_.sum() == 0;
    return result;
  }

  void observe(ObsOut out) const override {
    out.obs << qpos().cast<Scalar>(), qvel().cast<Scalar>(), readings(0, kApples), readings(kApples, kObjects),
        Scalar(0.001 * static_cast<double>(steps_));
  }

  void visit_state(StateVisitor& v) override {
    sim_.visit_state(v);
    v.visit("steps", steps_);
    v.visit("objects", std::span(objects_.data(), objects_.size()));
    v.visit("left", std::span(left_.data(), left_.size()));
  }

  // Apples are green balls, bombs red boxes.
  void draw(Scene& scene) const override {
    Ant::draw(scene);
    for (int i = 0; i < kObjects; ++i) {
      if (left_(i) == 0) continue;
      const Eigen::Vector3d at(objects_(0, i), objects_(1, i), 0.4);
      if (i < kApples)
        scene.add(Shape::Kind::sphere, Eigen::Vector3d::Constant(0.4), at, {0.25f, 0.70f, 0.20f, 1});
      else
        scene.add(Shape::Kind::box, Eigen::Vector3d::Constant(0.35), at, {0.80f, 0.15f, 0.15f, 1});
    }
  }
  void draw_subgoal(ConstVectorRef obs, GoalMark mark, Scene& scene) const override {
    if (obs.head<2>().allFinite()) mark_point(scene, {double(obs(0)), double(obs(1)), qpos().z()}, 1, mark);
  }

 private:
  using Readings = Eigen::Matrix<Scalar, kBins, 1>;

  Vector2d torso() const { return qpos().head<2>(); }

  // A position for object i, different from those of the objects before it.
  Vector2d draw_place(Rng& rng, int i) const {
    for (;;) {
      const double x = kGridLow + kGridStep * rng.below(kGrid), y = kGridLow + kGridStep * rng.below(kGrid);
      const Vector2d place(x, y);
      const auto taken = (objects_.leftCols(i).colwise() - place).colwise().squaredNorm().array() == 0;
      if (place.norm() >= kGridStep && !taken.any()) return place;
    }
  }

  Readings readings(int first, int last) const {
    // Heading of the torso's x axis, up to its length.
    const double w = qpos()(3), x = qpos()(4), y = qpos()(5), z = qpos()(6);
    const double yaw = std::atan2(2 * (x * y + w * z), w * w + x * x - y * y - z * z);
    Readings r = Readings::Zero();
    for (int i = first; i < last; ++i) {
      const Vector2d way = objects_.col(i) - torso();
      const double distance = way.norm();
      if (left_(i) == 0 || distance > kSensorRange) continue;
      const double angle = std::remainder(std::atan2(way.y(), way.x()) - yaw, 2 * kPi);  // in [-pi, pi]
      const int bin = std::clamp(static_cast<int>((angle + kPi) / (2 * kPi / kBins)), 0, kBins - 1);
      r(bin) = std::max(r(bin), Scalar(1 - distance / kSensorRange));
    }
    return r;
  }

  AntGatherConfig c_;
  Eigen::Matrix<double, 2, kObjects> objects_ = Eigen::Matrix<double, 2, kObjects>::Zero();
  Eigen::Matrix<double, kObjects, 1> left_ = Eigen::Matrix<double, kObjects, 1>::Ones();  // 0: eaten
  std::uint64_t steps_ = 0;
};

}  // namespace

MujocoModel ant_gather_model(Integrator integrator) {
  AntWorld world{.name = name_of(integrator)};
  const double length = kWall + kWallHalf;
  for (const int side : {-1, 1})
    world.geoms += mjcf_box(0, side * kWall, 0, length, kWallHalf, 1, R"(rgba="0.4 0.4 0.4 1")");
  for (const int side : {-1, 1})
    world.geoms += mjcf_box(side * kWall, 0, 0, kWallHalf, length, 1, R"(rgba="0.4 0.4 0.4 1")");
  return make_ant_model(AntKind::hiro, integrator, world);
}

EnvFactory ant_gather_factory(Integrator integrator, const AntGatherConfig& config) {
  return [name = name_of(integrator), config, model = ant_gather_model(integrator)] {
    return std::make_unique<AntGather>(name, model, config);
  };
}

}  // namespace goalpost
