// Twin delayed deep deterministic policy gradient.
// Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods", arXiv:1802.09477v3.
//
// Glossary     s, a, r, s2      state, action, reward, successor s'                    Batch
//              discount         γ, or 0 where the task ended
//              φ  pi_           policy            φ'  pi_target_
//              θᵢ q1_, q2_      critics           θ'ᵢ q1_target_, q2_target_
//              σ̃  target_noise  c  noise_clip     d (the paper's delay)  policy_delay
// Differs      1. Targets bootstrap through time limits (the discount is 0 at task ends only), as the authors' code
// does.
//              2. Both learning rates and network sizes are those of the authors' later code and of version 3's
//                 appendix.
//              3. The robotics settings of the HER papers may be switched on: clip_targets, action_penalty,
//                 random_action.
//              4. So may those of HIRO's released code: huber_delta, target_noise_in_units, clip_target_actions,
//                 actions_again.
// Order        critics; every policy_delay updates the policy and all targets.
#pragma once

#include "algos/agent.h"
#include "nn/mlp.h"
#include "nn/optimizer.h"

namespace goalpost {

struct Td3Config {
  Scalar gamma = Scalar(0.99);
  Scalar tau = Scalar(0.005);
  bool clip_targets = false;
  Scalar action_penalty = 0;
  Scalar exploration_noise = Scalar(0.1);
  double random_action = 0;
  Scalar target_noise = Scalar(0.2);
  Scalar noise_clip = Scalar(0.5);
  bool target_noise_in_units = false;
  bool clip_target_actions = true;
  Scalar huber_delta = 0;
  bool actions_again = false;
  int policy_delay = 2;
  MlpConfig pi = {};
  MlpConfig q = {};
  AdamConfig pi_adam = {.lr = Scalar(3e-4)};
  AdamConfig q_adam = {.lr = Scalar(3e-4)};
};
constexpr auto fields(const Td3Config*) {
  return std::tuple{
      field("gamma", &Td3Config::gamma, "discount per step", 0, 1, "Fujimoto et al. 2018, Algorithm 1"),
      field("tau", &Td3Config::tau, "target smoothing per policy update", 0, 1, "Fujimoto et al. 2018, 6.1"),
      field("clip_targets", &Td3Config::clip_targets,
            "clip targets to [-1/(1-gamma), 0], the returns of rewards in [-1, 0]", "Andrychowicz et al. 2017, App. A"),
      field("action_penalty", &Td3Config::action_penalty, "weight of the mean squared action in the policy's loss", 0,
            1e6, "Plappert et al. 2018, App. B (there 1)"),
      field("exploration_noise", &Td3Config::exploration_noise,
            "deviation of the noise on actions while exploring, in units of the range [-1, 1]", 0, 10,
            "Fujimoto et al. 2018, 6.1"),
      field("random_action", &Td3Config::random_action,
            "probability that an exploring action is replaced by a uniformly random one", 0, 1,
            "Plappert et al. 2018, App. B (there 0.3)"),
      field("target_noise", &Td3Config::target_noise, "deviation of the noise on target actions", 0, 10,
            "Fujimoto et al. 2018, 6.1"),
      field("noise_clip", &Td3Config::noise_clip, "target noise is cut to plus or minus this", 0, 10,
            "Fujimoto et al. 2018, 6.1"),
      field(
          "target_noise_in_units", &Td3Config::target_noise_in_units,
          "target_noise and noise_clip are in the environment's unit of each action, not in that of the range [-1, 1]",
          "released code of Nachum et al. 2018 (there true)"),
      field("clip_target_actions", &Td3Config::clip_target_actions, "cut noisy target actions to the range",
            "Fujimoto et al. 2018, authors' code; false in the released code of Nachum et al. 2018"),
      field("huber_delta", &Td3Config::huber_delta,
            "critic errors beyond this count linearly; 0: squared error throughout", 0, 1e9,
            "released code of Nachum et al. 2018 (there 1)"),
      field("actions_again", &Td3Config::actions_again, "actions also enter the second layer of the critics",
            "released code of Nachum et al. 2018 (there true)"),
      field("policy_delay", &Td3Config::policy_delay, "critic updates per policy update", 1, 1000,
            "Fujimoto et al. 2018, 6.1"),
      field("pi", &Td3Config::pi, "the policy's network"),
      field("q", &Td3Config::q, "the network of each critic"),
      field("pi_adam", &Td3Config::pi_adam, "of the policy"),
      field("q_adam", &Td3Config::q_adam, "of the critics"),
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
  Td3Config c_;
  Vector half_range_;  // [act] of the actions, in the environment's unit
  Tape tape_;
  Mlp pi_, pi_target_, q1_, q2_, q1_target_, q2_target_;
  ParameterList q_, online_, target_;
  Adam pi_opt_, q_opt_;
  std::uint64_t updates_ = 0;
};

}  // namespace goalpost
