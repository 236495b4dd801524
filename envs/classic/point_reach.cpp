// A mass in the plane, pushed to a goal. The example of an environment.
//   state        p = (x, y) [m], v [m/s]                    observation   p, v                                 [4]
//                reset: |x|, |y| <= 1 m, at rest            goal          a position, |x|, |y| <= 1 m          [2]
//   action       force (fx, fy), ±2 N
//   reward       0 if ‖p − g‖ < 0.05 m, else −1  (after the step)
//   ends         never; time limit 100 steps of 0.05 s
// Mass 1 kg, drag 0.5 N·s/m, semi-implicit Euler.
#include "envs/classic/point_reach.h"

#include "envs/drawable.h"

namespace goalpost {
namespace {

class PointReach final : public Env, public Drawable {
 public:
  const EnvSpec& spec() const override {
    static const EnvSpec spec{
        .name = "PointReach-v0",
        .obs_dim = 4,
        .action = {.dim = 2, .choices = 0, .low = Vector::Constant(2, -2), .high = Vector::Constant(2, 2)},
        .goal = {.dim = 2, .radius = Scalar(0.05), .ends_at_goal = false, .reward = &sparse},
        .max_steps = 100,
        .script = &spring,
        .dt = 0.05};
    return spec;
  }

  void reset(Rng& rng) override {
    rng.fill_uniform(-1, 1, p_);
    rng.fill_uniform(-1, 1, goal_);
    v_.setZero();
  }

  StepResult step(ActionRef force) override {
    const Scalar dt = Scalar(spec().dt), mass = 1, drag = Scalar(0.5);
    v_ += dt / mass * (force.cast<Scalar>() - drag * v_);
    p_ += dt * v_;
    const Scalar r = sparse(p_, goal_, spec().goal.radius);
    return {.reward = r, .terminated = false, .success = r == 0};
  }

  void observe(ObsOut out) const override {
    out.obs << p_, v_;
    out.achieved = p_;
    out.desired = goal_;
  }

  void visit_state(StateVisitor& v) override {
    v.visit("p", p_);
    v.visit("v", v_);
    v.visit("goal", goal_);
  }

  void draw(Scene& scene) const override {
    const Eigen::Vector3d at = on_floor(p_), speed = on_floor(v_);
    scene.add(Shape::Kind::plane, {2, 2, 0}, {0, 0, 0}, {0.85f, 0.85f, 0.85f, 1});
    scene.add(Shape::Kind::sphere, Eigen::Vector3d::Constant(0.05), at + Eigen::Vector3d(0, 0, 0.05),
              {0.15f, 0.35f, 0.75f, 1});
    if (speed.norm() > 0.05)  // where it will be in half a second
      scene.connect(Shape::Kind::arrow, 0.012, at + Eigen::Vector3d(0, 0, 0.05),
                    at + Eigen::Vector3d(0, 0, 0.05) + 0.5 * speed, {0.2f, 0.2f, 0.2f, 1});
    scene.frame({-1.1, -1.1, 0}, {1.1, 1.1, 0}, 90, -60);
    scene.subject = at;
    scene.subject_size = 0.5;
  }
  void draw_goal(ConstVectorRef goal, GoalMark mark, Scene& scene) const override {
    mark_floor(scene, on_floor(goal), static_cast<double>(spec().goal.radius), 0.25, mark);
  }
  void draw_subgoal(ConstVectorRef obs, GoalMark mark, Scene& scene) const override {
    if (obs.head<2>().allFinite()) draw_goal(obs.head<2>(), mark, scene);
  }

 private:
  static Eigen::Vector3d on_floor(ConstVectorRef p) { return {double(p(0)), double(p(1)), 0}; }
  // A spring to the goal, and a damper.
  static void spring(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action) {
    action = ((3 * (desired - achieved) - 2 * obs.tail(2)) / 2).cwiseMax(Scalar(-1)).cwiseMin(Scalar(1));
  }
  static Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
    return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
  }

  Vector p_ = Vector::Zero(2), v_ = Vector::Zero(2), goal_ = Vector::Zero(2);
};

}  // namespace

std::unique_ptr<Env> make_point_reach() { return std::make_unique<PointReach>(); }

}  // namespace goalpost
