// Reach, Push, Slide, PickAndPlace: a robot arm with seven joints and two fingers, at a table.
//   state        joints of the robot, pose of the object, their velocities; pose of the mocap body that pulls the
//                gripper; MuJoCo's warm start. Reset: the settled arm; the object drawn around the gripper, at least
//                0.1 m away; the goal drawn around the gripper
//   observation  Reach [10]                                         the others [25]
//                  gripper position, m                     3          gripper position, m                          3
//                  fingers: right, left, m                 2          object position, m                           3
//                  gripper velocity, m per step            3          object position - gripper position, m        3
//                  finger velocity, m per step             2          fingers: right, left, m                      2
//                                                                     object orientation, Euler angles, rad        3
//                                                                     object velocity - gripper velocity, m/step   3
//                                                                     object angular velocity, rad per step        3
//                                                                     gripper velocity, m per step                 3
//                                                                     finger velocity, m per step                  2
//   goal         a position, m [3]: of the gripper in Reach, of the object in the others
//                  Reach         ±0.15 m around the gripper, in all three axes
//                  Push          ±0.15 m on the table
//                  Slide         ±0.3 m on the table around a point 0.4 m further away, mostly out of reach
//                  PickAndPlace  ±0.15 m on the table; in half of the episodes up to 0.45 m above it
//   action       [4] in [-1, 1]: displacement of the gripper's target, in units of 0.05 m, and of the finger's target,
//                in m (PickAndPlace; the fingers of the others are shut). An action is held for one step
//   reward       sparse: 0 if the goal is not further away than 0.05 m, else -1; dense: -distance  (after the step)
//   ends         never; time limit 50 steps of 0.04 s (20 substeps of 0.002 s)
//
// Plappert et al. 2018, "Multi-Goal Reinforcement Learning", arXiv:1802.09464; names and versions are those of
// Gymnasium-Robotics, and so are observation order, constants and dynamics of version 4.
// Differs      1. The links are primitives instead of meshes (envs/assets/fetch/robot.xml). The settled start and the
//                 first observation are the original's to 1e-6 m (tests/envs/fetch_test.cpp). Trajectories diverge when
//                 the robot touches itself, which happens far from the goals; the puck of Slide is chaotic in both.
//              2. Random numbers are goalpost's: the distributions are the original's, the draws of a seed are not.
//              3. Rewards are computed in single precision, from goals rounded to it.
//              FetchReach-v3 is the published faulty version, whose reset does not restore the arm's settled pose: the
//              base is 0.4 m too far back and 0.48 m to the side, and a controller that solves version 4 reaches no
//              goal.
#include "envs/mujoco/fetch.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/check.h"
#include "envs/drawable.h"
#include "envs/mujoco/fetch_scripts.h"
#include "envs/mujoco/mujoco_env.h"

namespace goalpost {
namespace {

using Eigen::Vector2d;
using Eigen::Vector3d;
using Eigen::Vector4d;

constexpr int kSubsteps = 20;
constexpr double kActionUnit = 0.05;                // m
constexpr double kClosest = 0.1;                    // m, between object and gripper at reset
constexpr double kHighest = 0.45;                   // m, of a goal above the table
constexpr std::array<double, 4> kDown{1, 0, 1, 0};  // orientation of a gripper that points down, not normalized

struct Task {
  const char *name, *file;
  Script script;
  bool has_object, fingers_shut, goal_in_air;
  double lift;                      // m, of the gripper before settling
  double object_range, goal_range;  // m
  double goal_offset;               // m, along x
  std::array<double, 3> base;       // where its three slides are put before settling, m
};

// name, file; script; has_object, fingers_shut, goal_in_air; lift; object_range, goal_range, goal_offset; base
constexpr std::array<Task, 4> kTasks{{
    {"FetchReach", "fetch/reach.xml", &fetch_reach_script, false, true, false, 0.2, 0, 0.15, 0, {0.4049, 0.48, 0}},
    {"FetchPush", "fetch/push.xml", &fetch_push_script, true, true, false, 0, 0.15, 0.15, 0, {0.405, 0.48, 0}},
    {"FetchSlide", "fetch/slide.xml", nullptr, true, true, false, -0.02, 0.1, 0.3, 0.4, {0.05, 0.48, 0}},
    {"FetchPickAndPlace",
     "fetch/pick_and_place.xml",
     &fetch_pick_and_place_script,
     true,
     false,
     true,
     0.2,
     0.15,
     0.15,
     0,
     {0.405, 0.48, 0}},
}};

// The model of a task with the state that the arm settles into; shared by lanes, read-only.
struct World {
  Task task;
  MujocoModel model;
  int grip, object, gripper;       // sites, body
  int right_q, left_q, object_q;   // where their coordinates begin in qpos
  int right_v, left_v;             // and in qvel
  double time = 0;                 // s
  std::vector<double> qpos, qvel;  // settled
  Vector3d start;                  // of the gripper, m
  double height = 0;               // of the object, m

  explicit World(const Task& t);
};

Vector3d site_position(const mjData& d, int site) { return Vector3d::Map(d.site_xpos + 3 * site); }

World::World(const Task& t) : task(t), model(load_mujoco_model(t.file)) {
  const mjModel& m = *model;
  grip = mujoco_id(m, mjOBJ_SITE, "grip");
  gripper = mujoco_id(m, mjOBJ_BODY, "gripper_link");
  const int right = mujoco_id(m, mjOBJ_JOINT, "r_finger"), left = mujoco_id(m, mjOBJ_JOINT, "l_finger");
  right_q = m.jnt_qposadr[right], left_q = m.jnt_qposadr[left];
  right_v = m.jnt_dofadr[right], left_v = m.jnt_dofadr[left];
  object = t.has_object ? mujoco_id(m, mjOBJ_SITE, "object") : -1;
  object_q = t.has_object ? m.jnt_qposadr[mujoco_id(m, mjOBJ_JOINT, "object")] : -1;

  MujocoSimulation sim(t.name, model);
  mjData& d = sim.data();
  Vector3d::Map(d.qpos + m.jnt_qposadr[mujoco_id(m, mjOBJ_JOINT, "slide0")]) = Vector3d::Map(t.base.data());
  sim.forward();
  Vector3d::Map(d.mocap_pos) = site_position(d, grip) + Vector3d(-0.498, 0.005, -0.431 + t.lift);
  Vector4d::Map(d.mocap_quat) = Vector4d::Map(kDown.data());
  sim.step(10 * kSubsteps);
  start = site_position(d, grip);
  if (t.has_object) height = site_position(d, object).z();
  time = d.time;
  qpos.assign(d.qpos, d.qpos + m.nq);
  qvel.assign(d.qvel, d.qvel + m.nv);
}

// Intrinsic x-y-z angles of a rotation matrix given by rows.
Vector3d euler_angles(const double* r) {
  const double c = std::hypot(r[8], r[5]);
  const double y = -std::atan2(-r[2], c);
  if (c > 4 * std::numeric_limits<double>::epsilon()) return {-std::atan2(r[5], r[8]), y, -std::atan2(r[1], r[0])};
  return {0, y, -std::atan2(-r[3], r[4])};
}

Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() > radius * radius ? Scalar(-1) : Scalar(0);
}

EnvSpec make_spec(const World& world, FetchReward reward, int version) {
  const Task& t = world.task;
  return {.name = detail::concatenate(t.name, reward == FetchReward::dense ? "Dense" : "", "-v", version),
          .obs_dim = t.has_object ? 25 : 10,
          .action = {.dim = 4, .choices = 0, .low = Vector::Constant(4, -1), .high = Vector::Constant(4, 1)},
          .goal = {.dim = 3,
                   .radius = Scalar(0.05),
                   .ends_at_goal = false,
                   .reward = reward == FetchReward::dense ? &minus_distance : &sparse},
          .max_steps = 50,
          .manipulation = t.has_object ? Manipulation{.effector_at = 0, .object_at = 3} : Manipulation{},
          .script = t.script,
          .dt = kSubsteps * world.model->opt.timestep};
}

class Fetch final : public Env, public Drawable {
 public:
  Fetch(std::shared_ptr<const World> world, const EnvSpec& spec, bool starts_settled, const FetchConfig& config)
      : world_(std::move(world)),
        spec_(spec),
        starts_settled_(starts_settled),
        c_(config),
        sim_(spec.name, world_->model),
        obs_(Eigen::VectorXd::Zero(spec.obs_dim)),
        jacobian_(3, world_->model->nv),
        rotation_jacobian_(3, world_->model->nv) {
    read_observation();
  }

  const EnvSpec& spec() const override { return spec_; }

  void reset(Rng& rng) override {
    const World& w = *world_;
    mjData& d = sim_.data();
    sim_.reset();
    if (starts_settled_) {
      d.time = w.time;
      std::copy(w.qpos.begin(), w.qpos.end(), d.qpos);
      std::copy(w.qvel.begin(), w.qvel.end(), d.qvel);
      if (w.task.has_object) Vector2d::Map(d.qpos + w.object_q) = object_start(rng);
    }
    sim_.forward();
    goal_ = draw_goal(rng);
    read_observation();
  }

  StepResult step(ActionRef action) override {
    const World& w = *world_;
    mjData& d = sim_.data();
    for (int i = 0; i < w.model->nu; ++i)  // servos of the fingers
      d.ctrl[i] = d.qpos[w.model->jnt_qposadr[w.model->actuator_trnid[2 * i]]] + action(3);
    Vector3d::Map(d.mocap_pos) = gripper_position_ + kActionUnit * action.head<3>();
    Vector4d::Map(d.mocap_quat) = gripper_quaternion_ + Vector4d::Map(kDown.data());
    sim_.step(kSubsteps);
    if (w.task.fingers_shut) {
      d.qpos[w.right_q] = d.qpos[w.left_q] = 0;
      sim_.forward();
    }
    read_observation();

    const Eigen::Matrix<Scalar, 3, 1> achieved = achieved_goal().cast<Scalar>(), desired = goal_.cast<Scalar>();
    return {.reward = spec_.goal.reward(achieved, desired, spec_.goal.radius),
            .terminated = false,
            .success = spec_.goal.reached(achieved, desired)};
  }

  void observe(ObsOut out) const override {
    out.obs = obs_.cast<Scalar>();
    out.achieved = achieved_goal().cast<Scalar>();
    out.desired = goal_.cast<Scalar>();
  }

  void visit_state(StateVisitor& v) override {
    sim_.visit_state(v);
    v.visit("goal", std::span(goal_.data(), 3));
    // Poses are those of MuJoCo's last call, which in PickAndPlace is one substep behind the joints.
    v.visit("gripper_position", std::span(gripper_position_.data(), 3));
    v.visit("gripper_quaternion", std::span(gripper_quaternion_.data(), 4));
    v.visit("observation", std::span(obs_.data(), obs_.size()));
  }

  std::vector<std::string> coordinate_names() const override { return sim_.coordinate_names(); }
  void get_coordinates(std::span<double> out) const override { sim_.get_coordinates(out); }
  void set_coordinates(std::span<const double> values) override {
    sim_.set_coordinates(values);
    read_observation();
  }

  // From in front and above, with table, gripper and goals in the middle.
  void draw(Scene& scene) const override {
    sim_.draw(scene);
    const Task& t = world_->task;
    scene.camera = {.look_at = world_->start + Vector3d(t.goal_offset / 2 - 0.05, 0, 0),
                    .distance = t.goal_offset > 0 ? 1.9 : 1.55,
                    .azimuth = 132,
                    .elevation = -22};
    scene.subject = site_position(sim_.data(), world_->grip);
    scene.subject_size = 0.4;
  }
  void draw_goal(ConstVectorRef goal, GoalMark mark, Scene& scene) const override {
    mark_point(scene, goal.cast<double>(), static_cast<double>(spec_.goal.radius), mark);
  }
  // An observation begins with the gripper's position, and in tasks with an object with that of the object after it.
  void draw_subgoal(ConstVectorRef obs, GoalMark mark, Scene& scene) const override {
    for (int first = 0; first <= (world_->task.has_object ? 3 : 0); first += 3)
      if (obs.segment<3>(first).allFinite()) draw_goal(obs.segment<3>(first), mark, scene);
  }

 private:
  Vector2d object_start(Rng& rng) const {
    if (c_.object_x && c_.object_y) return {*c_.object_x, *c_.object_y};
    const double range = world_->task.object_range;
    Vector2d offset;
    do {
      offset.x() = uniform(rng, range);
      offset.y() = uniform(rng, range);
    } while (offset.norm() < kClosest);
    const Vector2d drawn = world_->start.head<2>() + offset;
    return {c_.object_x.value_or(drawn.x()), c_.object_y.value_or(drawn.y())};
  }

  Vector3d draw_goal(Rng& rng) const {
    const Vector3d drawn = draw_any_goal(rng);
    return {c_.goal_x.value_or(drawn.x()), c_.goal_y.value_or(drawn.y()), c_.goal_z.value_or(drawn.z())};
  }

  Vector3d draw_any_goal(Rng& rng) const {
    const Task& t = world_->task;
    Vector3d goal = world_->start;
    for (int axis = 0; axis < 3; ++axis) goal(axis) += uniform(rng, t.goal_range);
    if (!t.has_object) return goal;
    goal.x() += t.goal_offset;
    goal.z() = world_->height;
    if (t.goal_in_air && rng.uniform() < Scalar(0.5)) goal.z() += kHighest * double(rng.uniform());
    return goal;
  }

  // In [-range, range).
  static double uniform(Rng& rng, double range) { return range * (2 * double(rng.uniform()) - 1); }

  Vector3d achieved_goal() const { return obs_.segment<3>(world_->task.has_object ? 3 : 0); }

  void read_observation() {
    const World& w = *world_;
    const mjData& d = sim_.data();
    gripper_position_ = Vector3d::Map(d.xpos + 3 * w.gripper);
    gripper_quaternion_ = Vector4d::Map(d.xquat + 4 * w.gripper);

    const double dt = spec_.dt;
    const Vector3d p = site_position(d, w.grip), v = dt * velocity(w.grip).first;
    const Vector2d fingers(d.qpos[w.right_q], d.qpos[w.left_q]);
    const Vector2d finger_velocity = dt * Vector2d(d.qvel[w.right_v], d.qvel[w.left_v]);
    if (!w.task.has_object) {
      obs_ << p, fingers, v, finger_velocity;
      return;
    }
    const Vector3d object = site_position(d, w.object), angles = euler_angles(d.site_xmat + 9 * w.object);
    const auto [object_velocity, spin] = velocity(w.object);
    obs_ << p, object, object - p, fingers, angles, dt * object_velocity - v, dt * spin, v, finger_velocity;
  }

  // Linear and angular velocity of a site, from the joints' present velocities and MuJoCo's last poses.
  std::pair<Vector3d, Vector3d> velocity(int site) {
    mj_jacSite(&sim_.model(), &sim_.data(), jacobian_.data(), rotation_jacobian_.data(), site);
    const Eigen::Map<const Eigen::VectorXd> qvel(sim_.data().qvel, sim_.model().nv);
    return {jacobian_.lazyProduct(qvel), rotation_jacobian_.lazyProduct(qvel)};
  }

  using Jacobian = Eigen::Matrix<double, 3, Eigen::Dynamic, Eigen::RowMajor>;

  std::shared_ptr<const World> world_;
  EnvSpec spec_;
  bool starts_settled_;
  FetchConfig c_;
  MujocoSimulation sim_;
  Vector3d goal_ = Vector3d::Zero(), gripper_position_;
  Vector4d gripper_quaternion_;
  Eigen::VectorXd obs_;
  Jacobian jacobian_, rotation_jacobian_;  // scratch
};

}  // namespace

EnvFactory fetch_factory(FetchTask task, FetchReward reward, int version, const FetchConfig& config) {
  const Task& t = kTasks[static_cast<std::size_t>(task)];
  GP_CHECK(version == 4 || (version == 3 && task == FetchTask::reach && reward == FetchReward::sparse), t.name,
           ": version = ", version, "; expected 4, or FetchReach-v3");
  GP_CHECK(t.has_object || !(config.object_x || config.object_y), t.name,
           ": object_x or object_y is given; expected neither: there is no object");
  const auto world = std::make_shared<const World>(t);
  const EnvSpec spec = make_spec(*world, reward, version);
  return [=] { return std::make_unique<Fetch>(world, spec, version != 3, config); };
}

}  // namespace goalpost
