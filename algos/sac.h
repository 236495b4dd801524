// Soft actor-critic with twin critics and a learned or fixed temperature.
// Haarnoja et al. 2018b, "Soft Actor-Critic Algorithms and Applications", arXiv:1812.05905v2.
//
// Glossary     s, a, r, s2      state, action, reward, successor s'                    Batch
//              discount         γ, or 0 where the task ended
//              φ  pi_           policy            θᵢ q1_, q2_    θ̄ᵢ q1_target_, q2_target_
//              α  exp(log_alpha_)                 H̄  target_entropy_
// Differs      1. Targets bootstrap through time limits (the discount is 0 at task ends only); the paper does not
//                 discuss it.
//              2. The optimized variable is log α, so that α stays positive.
//              3. The temperature may be held at initial_alpha: learn_alpha = false.
//              4. The policy's gradient may be clipped: pi_max_grad_norm.
// Order        critics, policy (sees the new critics), temperature, targets.
#pragma once

#include "algos/agent.h"
#include "nn/gaussian_policy.h"
#include "nn/optimizer.h"

namespace goalpost {

struct SacConfig {
  Scalar gamma = Scalar(0.99);
  Scalar tau = Scalar(0.005);
  bool learn_alpha = true;
  Scalar initial_alpha = 1;
  Scalar target_entropy_per_dim = -1;
  double pi_max_grad_norm = 0;
  MlpConfig pi = {};
  MlpConfig q = {};
  AdamConfig pi_adam = {.lr = Scalar(3e-4)};
  AdamConfig q_adam = {.lr = Scalar(3e-4)};
  AdamConfig alpha_adam = {.lr = Scalar(3e-4)};
};
constexpr auto fields(const SacConfig*) {
  return std::tuple{
      field("gamma", &SacConfig::gamma, "discount per step", 0, 1, "Haarnoja et al. 2018b, Table 1"),
      field("tau", &SacConfig::tau, "soft-update coefficient of the target networks", 0, 1,
            "Haarnoja et al. 2018b, Table 1"),
      field("learn_alpha", &SacConfig::learn_alpha, "learn the temperature; otherwise it stays at initial_alpha",
            "Haarnoja et al. 2018b, section 5"),
      field("initial_alpha", &SacConfig::initial_alpha, "temperature at the start", 1e-12, 1e6),
      field("target_entropy_per_dim", &SacConfig::target_entropy_per_dim,
            "target entropy divided by the dimension of the actions [nat]", -100, 100,
            "Haarnoja et al. 2018b, Table 1"),
      field("pi_max_grad_norm", &SacConfig::pi_max_grad_norm, "maximum norm of the policy's gradient; 0 disables", 0,
            1e9),
      field("pi", &SacConfig::pi, "the policy's network"),
      field("q", &SacConfig::q, "the network of each critic"),
      field("pi_adam", &SacConfig::pi_adam, "optimizer of the policy", "Haarnoja et al. 2018b, Table 1"),
      field("q_adam", &SacConfig::q_adam, "optimizer of the critics", "Haarnoja et al. 2018b, Table 1"),
      field("alpha_adam", &SacConfig::alpha_adam, "optimizer of the temperature", "Haarnoja et al. 2018b, Table 1"),
  };
}
static_assert(complete<SacConfig>);

class Sac final : public Learner {
 public:
  /// @throws std::invalid_argument if the actions are not continuous
  Sac(const EnvSpec& spec, const SacConfig& config, Rng rng);
  Scalar gamma() const override { return c_.gamma; }
  void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) override;
  void update(const Batch& batch, Rng& rng, Metrics& metrics) override;
  Matrix action_values(const Batch& batch) override;
  void visit_policy(StateVisitor& v) override;
  void visit_state(StateVisitor& v) override;

  // Public so that tests/algos can compare their gradients with finite differences.
  Var critic_loss(const Batch& batch, Rng& rng);
  Var policy_loss(const Batch& batch, Rng& rng);
  Var temperature_loss();
  Tape& tape() { return tape_; }
  const ParameterList& critic_parameters() const { return q_; }
  ParameterList policy_parameters() { return pi_.parameters(); }
  Parameter& log_alpha() { return log_alpha_; }

 private:
  SacConfig c_;
  Scalar target_entropy_;
  Tape tape_;
  GaussianPolicy pi_;
  Mlp q1_, q2_, q1_target_, q2_target_;
  Parameter log_alpha_;
  ParameterList q_, q_target_;
  Adam pi_opt_, q_opt_, alpha_opt_;
  Matrix log_prob_;        // [1 x B] of the last policy loss
  Scalar mean_abs_q_ = 0;  // of the last batch
};

}  // namespace goalpost
