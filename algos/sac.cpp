#include "algos/sac.h"

#include <cmath>

#include "autodiff/ops.h"

namespace goalpost {

Sac::Sac(const EnvSpec& spec, const SacConfig& config, Rng rng)
    : c_(config),
      target_entropy_(c_.target_entropy_per_dim * Scalar(continuous("sac", spec).action.dim)),
      pi_(spec.state_dim(), spec.action.dim, c_.pi, rng.stream("pi")),
      q1_(spec.state_dim() + spec.action.dim, 1, c_.q, rng.stream("q", 1)),
      q2_(spec.state_dim() + spec.action.dim, 1, c_.q, rng.stream("q", 2)),
      q1_target_(q1_),
      q2_target_(q2_),
      log_alpha_("log_alpha", 1, 1),
      q_(join(q1_.parameters(), q2_.parameters())),
      q_target_(join(q1_target_.parameters(), q2_target_.parameters())),
      pi_opt_(pi_.parameters(), c_.pi_adam),
      q_opt_(q_, c_.q_adam),
      alpha_opt_({&log_alpha_}, c_.alpha_adam) {
  log_alpha_.value(0, 0) = std::log(c_.initial_alpha);
}

void Sac::act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) {
  tape_.rewind();
  const Tape::NoGrad hold(tape_);
  Var state = tape_.alias(s, "s");
  a = mode == Mode::explore ? pi_.sample(state, rng).action.value() : pi_.mode(state).value();
}

// J_Q(θ) = E ½ (Q_θ(s,a) − (r + γ V_θ̄(s')))²                                      (5)
Var Sac::critic_loss(const Batch& batch, Rng& rng) {
  auto [s, a, r, s2, discount] = on_tape(tape_, batch);
  const Scalar alpha = std::exp(log_alpha_.value(0, 0));
  Var y;
  {
    Tape::NoGrad hold(tape_);                  // y is a number
    auto [a2, log_pi2] = pi_.sample(s2, rng);  // a' ~ π_φ(·|s')
    Var sa2 = concat(s2, a2);
    Var q2 = min(q1_target_.with_frozen_weights(sa2), q2_target_.with_frozen_weights(sa2));  // twin minimum
    Var v2 = q2 - alpha * log_pi2;                                                           // V_θ̄(s'), (3)
    y = r + discount * v2;
  }
  Var sa = concat(s, a);
  Var q1 = q1_(sa);
  mean_abs_q_ = q1.value().cwiseAbs().mean();
  return Scalar(0.5) * mean(square(q1 - y)) + Scalar(0.5) * mean(square(q2_(sa) - y));
}

// J_π(φ) = E [α log π_φ(f_φ(ε;s)|s) − Q_θ(s, f_φ(ε;s))]                            (9)
Var Sac::policy_loss(const Batch& batch, Rng& rng) {
  Var s = tape_.alias(batch.s, "s");
  const Scalar alpha = std::exp(log_alpha_.value(0, 0));
  auto [a, log_pi] = pi_.sample(s, rng);  // a = f_φ(ε;s), (8)
  log_prob_ = log_pi.value();
  Var sa = concat(s, a);
  return mean(alpha * log_pi - min(q1_.with_frozen_weights(sa), q2_.with_frozen_weights(sa)));  // θ held fixed
}

// J(α) = E [−α log π(a|s) − α H̄]                                                  (18)
Var Sac::temperature_loss() {
  Var alpha = exp(log_alpha_.on(tape_));
  return alpha * mean(-tape_.alias(log_prob_, "log_pi") - target_entropy_);
}

void Sac::update(const Batch& batch, Rng& rng, Metrics& metrics) {
  const double learning_rate = pi_opt_.learning_rate();
  const Scalar alpha = std::exp(log_alpha_.value(0, 0));
  const Scalar loss_q = minimize(tape_, q_opt_, [&] { return critic_loss(batch, rng); });
  const Scalar loss_pi = minimize(
      tape_, pi_opt_, [&] { return policy_loss(batch, rng); }, c_.pi_max_grad_norm);
  Scalar loss_alpha = 0;
  if (c_.learn_alpha) loss_alpha = minimize(tape_, alpha_opt_, [&] { return temperature_loss(); });
  polyak(c_.tau, q_, q_target_);  // θ̄ ← τθ + (1 − τ)θ̄

  metrics.add("train/learning_rate", learning_rate);
  metrics.add("train/critic_loss", loss_q);
  metrics.add("train/mean_abs_q", mean_abs_q_);
  metrics.add("train/actor_loss", loss_pi);
  metrics.add("train/ent_coef", alpha);
  if (c_.learn_alpha) metrics.add("train/ent_coef_loss", loss_alpha);
}

Matrix Sac::action_values(const Batch& batch) {
  tape_.rewind();
  const Tape::NoGrad hold(tape_);
  Var sa = concat(tape_.alias(batch.s, "s"), tape_.alias(batch.a, "a"));
  return min(q1_.with_frozen_weights(sa), q2_.with_frozen_weights(sa)).value();
}

void Sac::visit_policy(StateVisitor& v) { visit_part(v, "pi", pi_); }

void Sac::visit_state(StateVisitor& v) {
  visit_policy(v);
  visit_part(v, "q1", q1_);
  visit_part(v, "q2", q2_);
  visit_part(v, "q1_target", q1_target_);
  visit_part(v, "q2_target", q2_target_);
  v.visit("log_alpha", log_alpha_.value);
  visit_part(v, "pi_opt", pi_opt_);
  visit_part(v, "q_opt", q_opt_);
  visit_part(v, "alpha_opt", alpha_opt_);
}

}  // namespace goalpost
