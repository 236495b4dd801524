#include "algos/dqn.h"

#include "algos/noise.h"
#include "autodiff/ops.h"

namespace goalpost {
Dqn::Dqn(const EnvSpec& spec, const DqnConfig& config, Rng rng)
    : c_(config),
      choices_(spec.action.choices),
      q_(discrete("dqn", spec).state_dim(), spec.action.choices, config.q, rng.stream("q")),
      q_target_(q_),
      theta_(q_.parameters()),
      theta_target_(q_target_.parameters()) {
  if (c_.optimizer == OptimizerKind::adam)
    optimizer_ = std::make_unique<Adam>(theta_, c_.adam);
  else
    optimizer_ = std::make_unique<RmsProp>(theta_, c_.rmsprop);
}

// a = argmax_a Q(s,a;θ), or random with probability ε                                        Mnih et al., Algorithm 1
void Dqn::act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) {
  tape_.rewind();
  a = argmax_rows(q_.with_frozen_weights(tape_.alias(s, "s"))).value();
  if (mode == Mode::exploit) return;
  epsilon_greedy(c_.epsilon.at(explored_), choices_, rng, a);
  explored_ += s.cols();
}

// L(θ) = E [(r + γ max_a' Q(s',a';θ⁻) − Q(s,a;θ))²]                                       Mnih et al., Methods, (2)
// double Q: y = r + γ Q(s', argmax_a' Q(s',a';θ); θ⁻)                                     van Hasselt et al., (4)
Var Dqn::loss(const Batch& batch) {
  auto [s, a, r, s2, discount] = on_tape(tape_, batch);
  Var y;
  {
    Tape::NoGrad hold(tape_);  // y is a number
    Var q2 = q_target_.with_frozen_weights(s2);
    Var v2 = c_.double_q ? select_rows(q2, argmax_rows(q_.with_frozen_weights(s2)).value()) : max_rows(q2);
    y = r + discount * v2;
    if (c_.clip_targets) y = clamp(y, -1 / (1 - c_.gamma), 0);
  }
  Var q = select_rows(q_(s), a.value());
  mean_abs_q_ = q.value().cwiseAbs().mean();
  Var error = q - y;
  return mean(c_.huber_delta > 0 ? huber(error, c_.huber_delta) : square(error));
}

void Dqn::update(const Batch& batch, Rng&, Metrics& metrics) {
  const double learning_rate = optimizer_->learning_rate();
  const Scalar loss_q = minimize(
      tape_, *optimizer_, [&] { return loss(batch); }, c_.max_grad_norm);
  if (++updates_ % c_.target_every == 0) polyak(c_.tau, theta_, theta_target_);

  metrics.add("train/learning_rate", learning_rate);
  metrics.add("train/loss", loss_q);
  metrics.add("train/mean_abs_q", mean_abs_q_);
  metrics.add("rollout/exploration_rate", c_.epsilon.at(explored_));
}

Matrix Dqn::action_values(const Batch& batch) {
  tape_.rewind();
  const Tape::NoGrad hold(tape_);
  return select_rows(q_.with_frozen_weights(tape_.alias(batch.s, "s")), batch.a).value();
}

void Dqn::visit_policy(StateVisitor& v) { visit_part(v, "q", q_); }

void Dqn::visit_state(StateVisitor& v) {
  visit_policy(v);
  visit_part(v, "q_target", q_target_);
  visit_part(v, "optimizer", *optimizer_);
  v.visit("updates", updates_);
  v.visit("explored", explored_);
}

}  // namespace goalpost
