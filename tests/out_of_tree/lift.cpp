// A lift that is to stop at a floor.
//   state   height h [floors], speed v [floors/step]     observation   h, v           goal   a height, in [0, floors]
//   action  acceleration in ±0.5                         reward        0 if |h − g| < 0.5, else −1
//   ends    never; time limit 30 steps
#include "lift.h"

#include <algorithm>

namespace lift {
namespace {

using namespace goalpost;

class Lift final : public Env {
 public:
  explicit Lift(const LiftConfig& c) : floors_(Scalar(c.floors)) {
    spec_ = {.name = "Lift-v0",
             .obs_dim = 2,
             .action = {.dim = 1, .choices = 0, .low = Vector::Constant(1, -0.5), .high = Vector::Constant(1, 0.5)},
             .goal = {.dim = 1, .radius = Scalar(0.5), .ends_at_goal = false, .reward = &sparse},
             .max_steps = 30};
  }
  const EnvSpec& spec() const override { return spec_; }
  void reset(Rng& rng) override {
    at_ << rng.uniform() * floors_, 0;
    goal_ << rng.uniform() * floors_;
  }
  StepResult step(ActionRef action) override {
    at_(1) = std::clamp<Scalar>(Scalar(0.9) * at_(1) + Scalar(action(0)), -1, 1);
    at_(0) = std::clamp<Scalar>(at_(0) + at_(1), 0, floors_);
    const Scalar reward = sparse(at_.head(1), goal_, spec_.goal.radius);
    return {.reward = reward, .success = reward == 0};
  }
  void observe(ObsOut out) const override {
    out.obs = at_;
    out.achieved = at_.head(1);
    out.desired = goal_;
  }
  void visit_state(StateVisitor& v) override {
    v.visit("at", at_);
    v.visit("goal", goal_);
  }

 private:
  static Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
    return (achieved - desired).norm() < radius ? Scalar(0) : Scalar(-1);
  }
  EnvSpec spec_;
  Scalar floors_;
  Vector at_ = Vector::Zero(2), goal_ = Vector::Zero(1);
};

}  // namespace

std::unique_ptr<Env> make_lift(const LiftConfig& config) { return std::make_unique<Lift>(config); }

}  // namespace lift
