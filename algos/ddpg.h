// Deep deterministic policy gradient, with the options of the HER papers for robotics tasks.
// Lillicrap et al. 2016, "Continuous control with deep reinforcement learning", arXiv:1509.02971v6.
// Andrychowicz et al. 2017 (HER), arXiv:1707.01495v3, appendix A; Plappert et al. 2018, arXiv:1802.09464v2, appendix B.
//
// Glossary     s, a, r, s2      state, action, reward, successor s'                    Batch
//              discount         γ, or 0 where the task ended
//              θ^μ  pi_         policy μ          θ^μ'  pi_target_
//              θ^Q  q_          critic            θ^Q'  q_target_
//              pi_average_      moving average of θ^μ
// Differs      1. Exploration noise is Gaussian, not an Ornstein-Uhlenbeck process, and an action may be replaced by a
//                 uniformly random one (both as in the HER paper).
//              2. The critic has no weight decay and takes the action at its first layer; all networks use one
//                 initializer.
//              3. Targets bootstrap through time limits (the discount is 0 at task ends only).
//              4. The target networks are updated every target_every updates; once per cycle in the HER papers.
//              5. With policy_ema, evaluations act by an exponential moving average of the policy's weights (averaging
//                 of iterates, as Polyak and Juditsky 1992). Learning and exploration do not use it.
// Order        critic, policy (sees the new critic), targets, average.
#pragma once

#include <optional>

#include "algos/agent.h"
#include "algos/robotics_options.h"
#include "nn/mlp.h"
#include "nn/optimizer.h"

namespace goalpost {

struct DdpgConfig {
  Scalar gamma = Scalar(0.99);
  Scalar tau = Scalar(0.001);
  int target_every = 1;
  RoboticsOptions robotics = {};
  Scalar exploration_noise = Scalar(0.2);
  Scalar policy_ema = 0;
  MlpConfig pi = {.hidden = {400, 300}};
  MlpConfig q = {.hidden = {400, 300}};
  AdamConfig pi_adam = {.lr = Scalar(1e-4)};
  AdamConfig q_adam = {.lr = Scalar(1e-3)};
};
constexpr auto fields(const DdpgConfig*) {
  return std::tuple{
      field("gamma", &DdpgConfig::gamma, "discount per step", 0, 1, "Lillicrap et al. 2016, section 7"),
      field("tau", &DdpgConfig::tau, "soft-update coefficient of the target networks; 1 copies", 0, 1,
            "Lillicrap et al. 2016, section 7"),
      field("target_every", &DdpgConfig::target_every, "updates between two updates of the target networks", 1, 1e9,
            "Lillicrap et al. 2016, Algorithm 1"),
      flat(&DdpgConfig::robotics),
      field("exploration_noise", &DdpgConfig::exploration_noise,
            "standard deviation of the exploration noise, in units of the actions' range [-1, 1]", 0, 10,
            "Lillicrap et al. 2016, section 7"),
      field("policy_ema", &DdpgConfig::policy_ema,
            "share of its weights that the averaged policy keeps per update; evaluations and policy.h5 have that "
            "policy; 0: no average",
            0, 0.999999),
      field("pi", &DdpgConfig::pi, "the policy's network", "Lillicrap et al. 2016, section 7"),
      field("q", &DdpgConfig::q, "the critic's network", "Lillicrap et al. 2016, section 7"),
      field("pi_adam", &DdpgConfig::pi_adam, "optimizer of the policy", "Lillicrap et al. 2016, section 7"),
      field("q_adam", &DdpgConfig::q_adam, "optimizer of the critic", "Lillicrap et al. 2016, section 7"),
  };
}
static_assert(complete<DdpgConfig>);

class Ddpg final : public Learner {
 public:
  /// @throws std::invalid_argument if the actions are not continuous
  Ddpg(const EnvSpec& spec, const DdpgConfig& config, Rng rng);
  Scalar gamma() const override { return c_.gamma; }
  void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) override;
  void update(const Batch& batch, Rng& rng, Metrics& metrics) override;
  Matrix action_values(const Batch& batch) override;
  void visit_policy(StateVisitor& v) override;
  void begin_with_policy(StateVisitor& v) override;
  void visit_state(StateVisitor& v) override;

  // Public so that tests/algos can compare their gradients with finite differences.
  Var critic_loss(const Batch& batch);
  Var policy_loss(const Batch& batch);
  Tape& tape() { return tape_; }
  ParameterList critic_parameters() { return q_.parameters(); }
  ParameterList policy_parameters() { return pi_.parameters(); }

 private:
  DdpgConfig c_;
  ActionSpace space_;
  Tape tape_;
  Mlp pi_, pi_target_, q_, q_target_;
  std::optional<Mlp> pi_average_;  // if c_.policy_ema > 0
  ParameterList policy_, online_, target_, average_;
  Adam pi_opt_, q_opt_;
  std::int64_t updates_ = 0;
  Scalar mean_abs_q_ = 0;  // of the last batch
};

}  // namespace goalpost
