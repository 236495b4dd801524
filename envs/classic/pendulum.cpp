// A rod hinged at one end, to be swung up and held by a torque that is too weak to lift it at once.
//   state        θ [rad], 0 upright; θ̇ [rad/s], |θ̇| <= 8          observation   cos θ, sin θ, θ̇              [3]
//                reset: θ uniform in ±π, θ̇ uniform in ±1          goal          none
//   action       torque u, ±2 N·m
//   reward       −(θ² + 0.1 θ̇² + 0.001 u²), θ wrapped to ±π, state before the step
//   ends         never; time limit 200 steps of 0.05 s
// Rod of mass 1 kg and length 1 m, g = 10 m/s²: θ̈ = 3g/(2l) sin θ + 3/(m l²) u, semi-implicit Euler.
//
// Gymnasium's Pendulum-v1, equal step by step up to rounding; the state is kept in double.
#include "envs/classic/pendulum.h"

#include <cmath>
#include <numbers>

namespace goalpost {
namespace {

class Pendulum final : public Env {
 public:
  const EnvSpec& spec() const override {
    static const EnvSpec spec{
        .name = "Pendulum-v1",
        .obs_dim = 3,
        .action = {.dim = 1, .choices = 0, .low = Vector::Constant(1, -2), .high = Vector::Constant(1, 2)},
        .goal = {},
        .max_steps = 200,
        .dt = kDt};
    return spec;
  }

  void reset(Rng& rng) override {
    theta_ = std::numbers::pi * static_cast<double>(rng.uniform(-1, 1));
    theta_dot_ = static_cast<double>(rng.uniform(-1, 1));
  }

  StepResult step(ActionRef action) override {
    const double u = action(0);
    const double angle = std::remainder(theta_, 2 * std::numbers::pi);
    const double cost = angle * angle + 0.1 * theta_dot_ * theta_dot_ + 0.001 * u * u;
    theta_dot_ += (3 * kGravity / (2 * kLength) * std::sin(theta_) + 3 / (kMass * kLength * kLength) * u) * kDt;
    theta_dot_ = std::min(std::max(theta_dot_, -kMaxSpeed), kMaxSpeed);
    theta_ += theta_dot_ * kDt;
    return {.reward = Scalar(-cost), .terminated = false, .success = false};
  }

  void observe(ObsOut out) const override {
    out.obs << Scalar(std::cos(theta_)), Scalar(std::sin(theta_)), Scalar(theta_dot_);
  }

  void visit_state(StateVisitor& v) override {
    v.visit("theta", theta_);
    v.visit("theta_dot", theta_dot_);
  }

  std::vector<std::string> coordinate_names() const override { return {"theta", "theta_dot"}; }
  void get_coordinates(std::span<double> out) const override {
    out[0] = theta_;
    out[1] = theta_dot_;
  }
  void set_coordinates(std::span<const double> values) override {
    theta_ = values[0];
    theta_dot_ = values[1];
  }

 private:
  static constexpr double kDt = 0.05, kGravity = 10, kMass = 1, kLength = 1, kMaxSpeed = 8;
  double theta_ = 0, theta_dot_ = 0;
};

}  // namespace

std::unique_ptr<Env> make_pendulum() { return std::make_unique<Pendulum>(); }

}  // namespace goalpost
