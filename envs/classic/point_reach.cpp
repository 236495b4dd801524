// A mass in the plane, pushed towards a goal. The worked example of an environment.
//   state        p = (x, y) [m], v [m/s]                    observation   p, v                                 [4]
//                reset: |x|, |y| <= 1 m, at rest            goal          a position, |x|, |y| <= 1 m          [2]
//   action       force (fx, fy), ±2 N
//   reward       0 if ‖p − g‖ < 0.05 m, else −1  (after the step)
//   ends         never; time limit 100 steps of 0.05 s
// Mass 1 kg, drag 0.5 N·s/m, semi-implicit Euler.
#include "envs/classic/point_reach.h"

namespace goalpost {
namespace {

class PointReach final : public Env {
 public:
  const EnvSpec& spec() const override {
    static const EnvSpec spec{
        .name = "PointReach-v0",
        .obs_dim = 4,
        .action = {.dim = 2, .choices = 0, .low = Vector::Constant(2, -2), .high = Vector::Constant(2, 2)},
        .goal = {.dim = 2, .radius = Scalar(0.05), .ends_at_goal = false, .reward = &sparse},
        .max_steps = 100,
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

 private:
  static Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
    return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
  }

  Vector p_ = Vector::Zero(2), v_ = Vector::Zero(2), goal_ = Vector::Zero(2);
};

}  // namespace

std::unique_ptr<Env> make_point_reach() { return std::make_unique<PointReach>(); }

}  // namespace goalpost
