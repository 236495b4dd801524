// Twin delayed deep deterministic policy gradient.
// Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods", arXiv:1802.09477v3.
//
// Glossary     s, a, r, s2      state, action, reward, successor s'                    Batch
//              discount         γ, or 0 where the task ended
//              φ  pi_           policy            φ'  pi_target_
//              θᵢ q1_, q2_      critics           θ'ᵢ q1_target_, q2_target_
//              σ̃  target_noise  c  noise_clip     d (the paper's delay)  policy_delay
// Differs      1. Targets bootstrap through time limits (the discount is 0 at task ends only), as the authors' code
//                 does.
//              2. Both learning rates and network sizes are those of the authors' later code and of version 3's
//                 appendix.
//              3. Options of the HER papers: RoboticsOptions.
//              4. Options of HIRO's released code: HiroReleaseOptions.
// Order        critics; every policy_delay updates the policy and all targets.
#pragma once

#include "algos/agent.h"
#include "algos/robotics_options.h"
#include "nn/mlp.h"
#include "nn/optimizer.h"

namespace goalpost {

/// Options of TD3 in HIRO's released code (Nachum et al. 2018, algos/hiro/hiro.h). The defaults are those of TD3's
/// paper.
struct HiroReleaseOptions {
  bool target_noise_in_units = false;
  bool clip_target_actions = true;
  Scalar huber_delta = 0;
  bool actions_again = false;
  bool actions_in_units = false;
  bool coasting_policy = false;
};
constexpr auto fields(const HiroReleaseOptions*) {
  return std::tuple{
      field("target_noise_in_units", &HiroReleaseOptions::target_noise_in_units,
            "target_noise and noise_clip are in the environment's unit of each action, not in units of [-1, 1]",
            "released code of Nachum et al. 2018 (there true)"),
      field("clip_target_actions", &HiroReleaseOptions::clip_target_actions,
            "clip noisy target actions to the actions' range",
            "Fujimoto et al. 2018, authors' code; false in the released code of Nachum et al. 2018"),
      field("huber_delta", &HiroReleaseOptions::huber_delta,
            "critic errors beyond this have a linear loss (Huber); 0: squared error", 0, 1e9,
            "released code of Nachum et al. 2018 (there 1)"),
      field("actions_again", &HiroReleaseOptions::actions_again, "actions also enter the second layer of the critics",
            "released code of Nachum et al. 2018 (there true)"),
      field("actions_in_units", &HiroReleaseOptions::actions_in_units,
            "the critics see actions in the environment's unit of each, not in units of [-1, 1]",
            "released code of Nachum et al. 2018 (there true)"),
      field("coasting_policy", &HiroReleaseOptions::coasting_policy,
            "in updates that policy_delay skips, Adam steps the policy with a gradient of 0: its momentum moves it",
            "released code of Nachum et al. 2018 (there true)"),
  };
}
static_assert(complete<HiroReleaseOptions>);

struct Td3Config {
  Scalar gamma = Scalar(0.99);
  Scalar tau = Scalar(0.005);
  RoboticsOptions robotics = {};
  Scalar exploration_noise = Scalar(0.1);
  Scalar target_noise = Scalar(0.2);
  Scalar noise_clip = Scalar(0.5);
  HiroReleaseOptions hiro_release = {};
  int policy_delay = 2;
  MlpConfig pi = {};
  MlpConfig q = {};
  AdamConfig pi_adam = {.lr = Scalar(3e-4)};
  AdamConfig q_adam = {.lr = Scalar(3e-4)};
};
constexpr auto fields(const Td3Config*) {
  return std::tuple{
      field("gamma", &Td3Config::gamma, "discount per step", 0, 1, "Fujimoto et al. 2018, Algorithm 1"),
      field("tau", &Td3Config::tau, "soft-update coefficient of the target networks, per policy update", 0, 1,
            "Fujimoto et al. 2018, 6.1"),
      flat(&Td3Config::robotics),
      field("exploration_noise", &Td3Config::exploration_noise,
            "standard deviation of the exploration noise, in units of the actions' range [-1, 1]", 0, 10,
            "Fujimoto et al. 2018, 6.1"),
      field("target_noise", &Td3Config::target_noise, "standard deviation of the noise on target actions", 0, 10,
            "Fujimoto et al. 2018, 6.1"),
      field("noise_clip", &Td3Config::noise_clip, "target noise is clipped to plus or minus this", 0, 10,
            "Fujimoto et al. 2018, 6.1"),
      flat(&Td3Config::hiro_release),
      field("policy_delay", &Td3Config::policy_delay, "critic updates per policy update", 1, 1000,
            "Fujimoto et al. 2018, 6.1"),
      field("pi", &Td3Config::pi, "the policy's network"),
      field("q", &Td3Config::q, "the network of each critic"),
      field("pi_adam", &Td3Config::pi_adam, "optimizer of the policy"),
      field("q_adam", &Td3Config::q_adam, "optimizer of the critics"),
  };
}
static_assert(complete<Td3Config>);

class Td3 final : public Learner {
 public:
  /// @throws std::invalid_argument if the actions are not continuous
  Td3(const EnvSpec& spec, const Td3Config& config, Rng rng);
  Scalar gamma() const override { return c_.gamma; }
  void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) override;
  void update(const Batch& batch, Rng& rng, Metrics& metrics) override;
  Matrix action_values(const Batch& batch) override;
  void visit_policy(StateVisitor& v) override;
  void begin_with_policy(StateVisitor& v) override;
  void visit_state(StateVisitor& v) override;

  // Public so that tests/algos can compare their gradients with finite differences.
  Var critic_loss(const Batch& batch, Rng& rng);
  Var policy_loss(const Batch& batch);
  Tape& tape() { return tape_; }
  const ParameterList& critic_parameters() const { return q_; }
  ParameterList policy_parameters() { return pi_.parameters(); }

 private:
  // Actions as the critics see them.
  Var seen_by_critics(Var a);

  Td3Config c_;
  Vector half_range_, middle_;    // [act] of the actions, in the environment's unit
  Matrix half_ranges_, middles_;  // [act x B] the same for each column of a batch, for actions_in_units
  Tape tape_;
  Mlp pi_, pi_target_, q1_, q2_, q1_target_, q2_target_;
  ParameterList q_, online_, target_;
  Adam pi_opt_, q_opt_;
  std::int64_t updates_ = 0;
  Scalar mean_abs_q_ = 0;  // of the last batch
};

}  // namespace goalpost
