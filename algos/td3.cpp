#include "algos/td3.h"

#include "algos/noise.h"
#include "autodiff/ops.h"

namespace goalpost {

Td3::Td3(const EnvSpec& spec, const Td3Config& config, Rng rng)
    : c_(config),
      half_range_((continuous("td3", spec).action.high - spec.action.low) / 2),
      middle_((spec.action.high + spec.action.low) / 2),
      pi_(spec.state_dim(), spec.action.dim, c_.pi, rng.stream("pi")),
      pi_target_(pi_),
      q1_(spec.state_dim() + spec.action.dim, 1, c_.q, rng.stream("q", 1),
          c_.hiro_release.actions_again ? spec.action.dim : 0),
      q2_(spec.state_dim() + spec.action.dim, 1, c_.q, rng.stream("q", 2),
          c_.hiro_release.actions_again ? spec.action.dim : 0),
      q1_target_(q1_),
      q2_target_(q2_),
      q_(join(q1_.parameters(), q2_.parameters())),
      online_(join(pi_.parameters(), q_)),
      target_(join(pi_target_.parameters(), join(q1_target_.parameters(), q2_target_.parameters()))),
      pi_opt_(pi_.parameters(), c_.pi_adam),
      q_opt_(q_, c_.q_adam) {}

// a = π_φ(s) + ε,  ε ~ N(0, σ)                                                       Algorithm 1
void Td3::act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) {
  tape_.rewind();
  a = tanh(pi_.with_frozen_weights(tape_.alias(s, "s"))).value();
  if (mode == Mode::exploit) return;
  add_gaussian_noise(c_.exploration_noise, rng, a);
  replace_by_random(c_.robotics.random_action, rng, a);
}

Var Td3::seen_by_critics(Var a) {
  if (!c_.hiro_release.actions_in_units) return a;
  if (half_ranges_.cols() != a.cols()) {
    half_ranges_ = half_range_.replicate(1, a.cols());
    middles_ = middle_.replicate(1, a.cols());
  }
  return a * tape_.alias(half_ranges_, "half_range") + tape_.alias(middles_, "middle");
}

// y = r + γ min_i Q_θ'ᵢ(s', clip(π_φ'(s') + ε)),  ε ~ clip(N(0,σ̃), −c, c)           Algorithm 1
Var Td3::critic_loss(const Batch& batch, Rng& rng) {
  auto [s, a, r, s2, discount] = on_tape(tape_, batch);
  Var y;
  {
    Tape::NoGrad hold(tape_);  // y is a number
    Var eps = clamp(normal(tape_, a.rows(), a.cols(), 0, c_.target_noise, rng), -c_.noise_clip, c_.noise_clip);
    if (c_.hiro_release.target_noise_in_units) eps.value().array().colwise() /= half_range_.array();
    Var a2 = tanh(pi_target_.with_frozen_weights(s2)) + eps;
    if (c_.hiro_release.clip_target_actions) a2 = clamp(a2, -1, 1);
    Var sa2 = concat(s2, seen_by_critics(a2));
    y = r + discount * min(q1_target_.with_frozen_weights(sa2), q2_target_.with_frozen_weights(sa2));
    if (c_.robotics.clip_targets) y = clamp(y, -1 / (1 - c_.gamma), 0);
  }
  Var sa = concat(s, seen_by_critics(a));
  const Scalar delta = c_.hiro_release.huber_delta;
  const auto loss = [&](Var error) { return mean(delta > 0 ? huber(error, delta) : square(error)); };
  Var q1 = q1_(sa);
  mean_abs_q_ = q1.value().cwiseAbs().mean();
  return loss(q1 - y) + loss(q2_(sa) - y);
}

// ∇_φ J = E ∇_a Q_θ1(s,a)|a=π_φ(s) ∇_φ π_φ(s)                                        Algorithm 1
// with the penalty  action_penalty · E π_φ(s)²                             Plappert et al. 2018, App. B
Var Td3::policy_loss(const Batch& batch) {
  Var s = tape_.alias(batch.s, "s");
  Var a = tanh(pi_(s));
  return -mean(q1_.with_frozen_weights(concat(s, seen_by_critics(a)))) + c_.robotics.action_penalty * mean(square(a));
}

void Td3::update(const Batch& batch, Rng& rng, Metrics& metrics) {
  const double learning_rate = pi_opt_.learning_rate();
  const Scalar loss_q = minimize(tape_, q_opt_, [&] { return critic_loss(batch, rng); });
  metrics.add("train/learning_rate", learning_rate);
  metrics.add("train/critic_loss", loss_q);
  metrics.add("train/mean_abs_q", mean_abs_q_);

  if (++updates_ % c_.policy_delay != 0) {  // delayed policy updates
    if (c_.hiro_release.coasting_policy) pi_opt_.step();
    return;
  }
  const Scalar loss_pi = minimize(tape_, pi_opt_, [&] { return policy_loss(batch); });
  polyak(c_.tau, online_, target_);
  metrics.add("train/actor_loss", loss_pi);
}

Matrix Td3::action_values(const Batch& batch) {
  tape_.rewind();
  const Tape::NoGrad hold(tape_);
  return q1_.with_frozen_weights(concat(tape_.alias(batch.s, "s"), seen_by_critics(tape_.alias(batch.a, "a")))).value();
}

void Td3::visit_policy(StateVisitor& v) { visit_part(v, "pi", pi_); }

void Td3::begin_with_policy(StateVisitor& v) {
  visit_policy(v);
  polyak(1, pi_.parameters(), pi_target_.parameters());
}

void Td3::visit_state(StateVisitor& v) {
  visit_policy(v);
  visit_part(v, "pi_target", pi_target_);
  visit_part(v, "q1", q1_);
  visit_part(v, "q2", q2_);
  visit_part(v, "q1_target", q1_target_);
  visit_part(v, "q2_target", q2_target_);
  visit_part(v, "pi_opt", pi_opt_);
  visit_part(v, "q_opt", q_opt_);
  v.visit("updates", updates_);
}

}  // namespace goalpost
