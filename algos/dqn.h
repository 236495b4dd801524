// Deep Q-network, with double Q-learning as an option.
// Mnih et al. 2015, "Human-level control through deep reinforcement learning", Nature 518.
// van Hasselt et al. 2016, "Deep Reinforcement Learning with Double Q-learning", arXiv:1509.06461v3.
//
// Glossary     s, a, r, s2      state, action, reward, successor s'                    Batch
//              discount         γ, or 0 where the task ended
//              θ  q_            action values Q(s, .; θ)      θ⁻  q_target_
// Differs      1. Adam is available besides the paper's RMSProp: optimizer.
//              2. The target network moves towards the online one by tau every target_every updates; tau = 1 is the
//                 paper's copy.
//              3. Targets may be clipped to the range of returns (HER paper, App. A): clip_targets.
//              4. Inputs are vectors and Q is a multi-layer perceptron: no frames, frame skipping or reward clipping.
// Order        loss, step, target network.
#pragma once

#include <memory>

#include "algos/agent.h"
#include "core/schedule.h"
#include "nn/mlp.h"
#include "nn/optimizer.h"

namespace goalpost {

enum class OptimizerKind : int { adam, rmsprop };
inline constexpr std::array kOptimizerKindNames = {"adam", "rmsprop"};
constexpr EnumNames enum_names(OptimizerKind) { return kOptimizerKindNames; }

struct DqnConfig {
  Scalar gamma = Scalar(0.99);
  bool double_q = false;
  Scalar huber_delta = 1;
  bool clip_targets = false;
  Scalar tau = 1;
  int target_every = 10'000;
  LinearSchedule epsilon = {.from = 1, .to = 0.1, .steps = 1'000'000};
  MlpConfig q = {};
  OptimizerKind optimizer = OptimizerKind::rmsprop;
  AdamConfig adam = {};
  RmsPropConfig rmsprop = {};
  double max_grad_norm = 0;
};
constexpr auto fields(const DqnConfig*) {
  return std::tuple{
      field("gamma", &DqnConfig::gamma, "discount per step", 0, 1, "Mnih et al. 2015, Ext. Data Table 1"),
      field("double_q", &DqnConfig::double_q, "targets use the action that the online network prefers",
            "van Hasselt et al. 2016, (4)"),
      field("huber_delta", &DqnConfig::huber_delta, "errors beyond this have a linear loss (Huber); 0: squared error",
            0, 1e9, "Mnih et al. 2015, Methods: error clipping"),
      field("clip_targets", &DqnConfig::clip_targets,
            "clip targets to [-1/(1-gamma), 0], the returns of rewards in [-1, 0]", "Andrychowicz et al. 2017, App. A"),
      field("tau", &DqnConfig::tau, "soft-update coefficient of the target network; 1 copies", 0, 1,
            "Mnih et al. 2015, Algorithm 1"),
      field("target_every", &DqnConfig::target_every, "updates between two updates of the target network", 1, 1e9,
            "Mnih et al. 2015, Ext. Data Table 1"),
      field("epsilon", &DqnConfig::epsilon, "schedule over transitions: probability of a random action while exploring",
            "Mnih et al. 2015, Ext. Data Table 1"),
      field("q", &DqnConfig::q, "the network of action values"),
      field("optimizer", &DqnConfig::optimizer, "optimizer of the network", "Mnih et al. 2015, Methods"),
      field("adam", &DqnConfig::adam, "used if optimizer = \"adam\""),
      field("rmsprop", &DqnConfig::rmsprop, "used if optimizer = \"rmsprop\""),
      field("max_grad_norm", &DqnConfig::max_grad_norm, "maximum norm of the gradient; 0 disables", 0, 1e9),
  };
}
static_assert(complete<DqnConfig>);

class Dqn final : public Learner {
 public:
  /// @throws std::invalid_argument if the actions are not discrete
  Dqn(const EnvSpec& spec, const DqnConfig& config, Rng rng);
  Scalar gamma() const override { return c_.gamma; }
  void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) override;
  void update(const Batch& batch, Rng& rng, Metrics& metrics) override;
  Matrix action_values(const Batch& batch) override;
  void visit_policy(StateVisitor& v) override;
  void visit_state(StateVisitor& v) override;

  // Public so that tests/algos can compare its gradient with finite differences.
  Var loss(const Batch& batch);
  Tape& tape() { return tape_; }
  ParameterList parameters() { return q_.parameters(); }

 private:
  DqnConfig c_;
  int choices_;
  Tape tape_;
  Mlp q_, q_target_;
  ParameterList theta_, theta_target_;
  std::unique_ptr<Optimizer> optimizer_;
  std::int64_t updates_ = 0, explored_ = 0;
  Scalar mean_abs_q_ = 0;  // of the last batch
};

}  // namespace goalpost
