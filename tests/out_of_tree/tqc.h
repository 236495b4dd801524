// Truncated quantile critics, with a fixed temperature.
// Kuznetsov et al. 2020, "Controlling Overestimation Bias with Truncated Mixture of Continuous Distributional Quantile
// Critics", arXiv:2005.04269.
#pragma once

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "algos/agent.h"
#include "autodiff/ops.h"
#include "nn/gaussian_policy.h"
#include "nn/optimizer.h"

namespace lift {

using namespace goalpost;

struct TqcConfig {
  Scalar gamma = Scalar(0.98), tau = Scalar(0.02), alpha = Scalar(0.02);
  int quantiles = 8, dropped = 2;
  MlpConfig net = {.hidden = {64, 64}};
  AdamConfig adam = {.lr = Scalar(1e-3)};
};
constexpr auto fields(const TqcConfig*) {
  return std::tuple{field("gamma", &TqcConfig::gamma, "discount per step", 0, 1),
                    field("tau", &TqcConfig::tau, "target smoothing", 0, 1),
                    field("alpha", &TqcConfig::alpha, "temperature", 0, 10),
                    field("quantiles", &TqcConfig::quantiles, "of each critic", 1, 1000),
                    field("dropped", &TqcConfig::dropped, "largest quantiles left out, per critic", 0, 1000),
                    field("net", &TqcConfig::net, "policy and critics"),
                    field("adam", &TqcConfig::adam, "of all networks")};
}
static_assert(complete<TqcConfig>);

class Tqc final : public Learner {
 public:
  Tqc(const EnvSpec& spec, const TqcConfig& c, Rng rng)
      : c_(c),
        pi_(spec.state_dim(), continuous("tqc", spec).action.dim, c.net, rng.stream("pi")),
        z1_(spec.state_dim() + spec.action.dim, c.quantiles, c.net, rng.stream("z", 1)),
        z2_(spec.state_dim() + spec.action.dim, c.quantiles, c.net, rng.stream("z", 2)),
        z1_target_(z1_),
        z2_target_(z2_),
        z_(join(z1_.parameters(), z2_.parameters())),
        z_target_(join(z1_target_.parameters(), z2_target_.parameters())),
        pi_opt_(pi_.parameters(), c.adam),
        z_opt_(z_, c.adam) {}

  Scalar gamma() const override { return c_.gamma; }
  void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) override {
    tape_.rewind();
    const Tape::NoGrad hold(tape_);
    Var state = tape_.alias(s, "s");
    a = mode == Mode::explore ? pi_.sample(state, rng).action.value() : pi_.mode(state).value();
  }

  // Σ over target atoms y_j and quantiles θ_i of |τ_i − 1{y_j < θ_i}| L(y_j − θ_i), L Huber's loss                (7)
  Var critic_loss(const Batch& batch, Rng& rng) {
    auto [s, a, r, s2, discount] = on_tape(tape_, batch);
    {
      const Tape::NoGrad hold(tape_);
      auto [a2, log_pi2] = pi_.sample(s2, rng);
      Var sa2 = concat(s2, a2);
      atoms_ = concat(z1_target_.with_frozen_weights(sa2), z2_target_.with_frozen_weights(sa2)).value();
      for (Index j = 0; j < atoms_.cols(); ++j) std::sort(atoms_.col(j).begin(), atoms_.col(j).end());
      atoms_.conservativeResize(2 * (c_.quantiles - c_.dropped), Eigen::NoChange);  // the truncation, section 3.2
      atoms_.rowwise() -= c_.alpha * log_pi2.value().row(0);
      atoms_ = (atoms_.array().rowwise() * discount.value().row(0).array()).rowwise() + r.value().row(0).array();
    }
    Var sa = concat(s, a);
    return quantile_loss(z1_(sa)) + quantile_loss(z2_(sa));
  }
  // α log π − mean of all quantiles                                                                              (9)
  Var policy_loss(const Batch& batch, Rng& rng) {
    Var s = tape_.alias(batch.s, "s");
    auto [a, log_pi] = pi_.sample(s, rng);
    return c_.alpha * mean(log_pi) -
           mean(concat(z1_.with_frozen_weights(concat(s, a)), z2_.with_frozen_weights(concat(s, a))));
  }
  void update(const Batch& batch, Rng& rng, Metrics& metrics) override {
    const Scalar loss_z = minimize(tape_, z_opt_, [&] { return critic_loss(batch, rng); });
    const Scalar loss_pi = minimize(tape_, pi_opt_, [&] { return policy_loss(batch, rng); });
    polyak(c_.tau, z_, z_target_);
    metrics.add("train/critic_loss", loss_z);
    metrics.add("train/actor_loss", loss_pi);
  }
  void visit_policy(StateVisitor& v) override { visit_part(v, "pi", pi_); }
  void visit_state(StateVisitor& v) override {
    visit_policy(v);
    visit_part(v, "z1", z1_), visit_part(v, "z2", z2_);
    visit_part(v, "z1_target", z1_target_), visit_part(v, "z2_target", z2_target_);
    visit_part(v, "pi_opt", pi_opt_), visit_part(v, "z_opt", z_opt_);
  }

 private:
  Var quantile_loss(Var theta) {
    Var loss;
    for (Index k = 0; k < atoms_.rows(); ++k) {
      Matrix y = atoms_.row(k).replicate(c_.quantiles, 1), weight = y;
      for (Index i = 0; i < y.rows(); ++i)
        for (Index j = 0; j < y.cols(); ++j)
          weight(i, j) =
              std::abs((Scalar(i) + Scalar(0.5)) / Scalar(c_.quantiles) - Scalar(y(i, j) < theta.value()(i, j)));
      Var term = mean(tape_.constant(weight) * huber(tape_.constant(y) - theta, 1));
      loss = k == 0 ? term : loss + term;
    }
    return loss;
  }

  TqcConfig c_;
  Tape tape_;
  GaussianPolicy pi_;
  Mlp z1_, z2_, z1_target_, z2_target_;
  ParameterList z_, z_target_;
  Adam pi_opt_, z_opt_;
  Matrix atoms_;
};

}  // namespace lift
