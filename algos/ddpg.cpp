#include "algos/ddpg.h"

#include "algos/noise.h"
#include "autodiff/ops.h"

namespace goalpost {

Ddpg::Ddpg(const EnvSpec& spec, const DdpgConfig& config, Rng rng)
    : c_(config),
      space_(continuous("ddpg", spec).action),
      pi_(spec.state_dim(), spec.action.dim, c_.pi, rng.stream("pi")),
      pi_target_(pi_),
      q_(spec.state_dim() + spec.action.dim, 1, c_.q, rng.stream("q")),
      q_target_(q_),
      policy_(pi_.parameters()),
      online_(join(pi_.parameters(), q_.parameters())),
      target_(join(pi_target_.parameters(), q_target_.parameters())),
      pi_opt_(pi_.parameters(), c_.pi_adam),
      q_opt_(q_.parameters(), c_.q_adam) {
  if (c_.policy_ema == 0) return;
  pi_average_ = pi_;
  average_ = pi_average_->parameters();
}

// a = μ(s|θ^μ) + N                                                                  Lillicrap et al., Algorithm 1
void Ddpg::act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) {
  tape_.rewind();
  const Mlp& pi = mode == Mode::exploit && pi_average_ ? *pi_average_ : pi_;
  a = tanh(pi.with_frozen_weights(tape_.alias(s, "s"))).value();
  if (mode == Mode::exploit) return;
  add_gaussian_noise(c_.exploration_noise, rng, a);
  replace_by_random(c_.robotics.random_action, rng, a);
}

// L = E (y − Q(s,a|θ^Q))²,  y = r + γ Q'(s', μ'(s'|θ^μ')|θ^Q')                      Lillicrap et al., (4), (5)
Var Ddpg::critic_loss(const Batch& batch) {
  auto [s, a, r, s2, discount] = on_tape(tape_, batch);
  Var y;
  {
    Tape::NoGrad hold(tape_);  // y is a number
    y = r + discount * q_target_.with_frozen_weights(concat(s2, tanh(pi_target_.with_frozen_weights(s2))));
    if (c_.robotics.clip_targets) y = clamp(y, -1 / (1 - c_.gamma), 0);
  }
  Var q = q_(concat(s, a));
  mean_abs_q_ = q.value().cwiseAbs().mean();
  return mean(square(y - q));
}

// ∇_θ^μ J = E ∇_a Q(s,a|θ^Q)|a=μ(s) ∇_θ^μ μ(s|θ^μ)                                  Lillicrap et al., (6)
// with the penalty  action_penalty · E μ(s)²                                        Plappert et al., App. B
Var Ddpg::policy_loss(const Batch& batch) {
  Var s = tape_.alias(batch.s, "s");
  Var a = tanh(pi_(s));
  return -mean(q_.with_frozen_weights(concat(s, a))) + c_.robotics.action_penalty * mean(square(a));
}

void Ddpg::update(const Batch& batch, Rng&, Metrics& metrics) {
  const double learning_rate = pi_opt_.learning_rate();
  const Scalar loss_q = minimize(tape_, q_opt_, [&] { return critic_loss(batch); });
  const Scalar loss_pi = minimize(tape_, pi_opt_, [&] { return policy_loss(batch); });
  if (++updates_ % c_.target_every == 0) polyak(c_.tau, online_, target_);
  if (pi_average_) polyak(1 - c_.policy_ema, policy_, average_);

  metrics.add("train/learning_rate", learning_rate);
  metrics.add("train/critic_loss", loss_q);
  metrics.add("train/mean_abs_q", mean_abs_q_);
  metrics.add("train/actor_loss", loss_pi);
}

Matrix Ddpg::action_values(const Batch& batch) {
  tape_.rewind();
  const Tape::NoGrad hold(tape_);
  return q_.with_frozen_weights(concat(tape_.alias(batch.s, "s"), tape_.alias(batch.a, "a"))).value();
}

void Ddpg::visit_policy(StateVisitor& v) { visit_part(v, "pi", pi_average_ ? *pi_average_ : pi_); }

void Ddpg::begin_with_policy(StateVisitor& v) {
  visit_policy(v);
  if (pi_average_) polyak(1, average_, policy_);
  polyak(1, policy_, pi_target_.parameters());
}

void Ddpg::visit_state(StateVisitor& v) {
  visit_policy(v);
  if (pi_average_) visit_part(v, "pi_online", pi_);
  visit_part(v, "pi_target", pi_target_);
  visit_part(v, "q", q_);
  visit_part(v, "q_target", q_target_);
  visit_part(v, "pi_opt", pi_opt_);
  visit_part(v, "q_opt", q_opt_);
  v.visit("updates", updates_);
}

}  // namespace goalpost
