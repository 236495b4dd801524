#pragma once

#include <cstdint>
#include <vector>

#include "autodiff/tape.h"
#include "core/config.h"
#include "nn/parameter.h"

namespace goalpost {

/// Changes parameters by their gradients. Keeps the addresses of the parameters, which must not move.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual void step() = 0;                   ///< uses and then clears every parameter's grad. @alloc none
  virtual double learning_rate() const = 0;  ///< of the next step
  virtual void visit_state(StateVisitor& v) = 0;
  const ParameterList& parameters() const { return parameters_; }

 protected:
  explicit Optimizer(ParameterList parameters) : parameters_(std::move(parameters)) {}
  ParameterList parameters_;
};

struct AdamConfig {
  Scalar lr = Scalar(1e-3);
  Scalar beta1 = Scalar(0.9);
  Scalar beta2 = Scalar(0.999);
  Scalar epsilon = Scalar(1e-8);
  std::int64_t lr_steps = 0;
  Scalar lr_end = 0;
  Scalar weight_decay = 0;
};
constexpr auto fields(const AdamConfig*) {
  return std::tuple{
      field("lr", &AdamConfig::lr, "learning rate", 0, 1),
      field("beta1", &AdamConfig::beta1, "decay of the mean of the gradient", 0, 0.999999, "Kingma & Ba 2015, Alg. 1"),
      field("beta2", &AdamConfig::beta2, "decay of the mean of its square", 0, 0.999999, "Kingma & Ba 2015, Alg. 1"),
      field("epsilon", &AdamConfig::epsilon, "added to the root of the mean square", 0, 1, "Kingma & Ba 2015, Alg. 1"),
      field("lr_steps", &AdamConfig::lr_steps,
            "optimizer steps over which the learning rate goes linearly from lr to lr_end; 0: always lr", 0, 1e15),
      field("lr_end", &AdamConfig::lr_end, "learning rate after lr_steps", 0, 1),
      field("weight_decay", &AdamConfig::weight_decay,
            "this factor times the parameter is added to its gradient, the gradient of an L2 penalty of half of it", 0,
            1),
  };
}
static_assert(complete<AdamConfig>);

/// θ ← θ − lr m̂ / (√v̂ + ε), m and v running means of g and g², hats undo the bias of their zero start.
/// @source Kingma & Ba 2015, arXiv:1412.6980v9, Algorithm 1
class Adam final : public Optimizer {
 public:
  Adam(ParameterList parameters, const AdamConfig& config);
  void step() override;
  double learning_rate() const override;
  void visit_state(StateVisitor& v) override;

 private:
  AdamConfig c_;
  std::vector<Matrix> m_, v_;
  std::uint64_t t_ = 0;  // steps done
};

struct RmsPropConfig {
  Scalar lr = Scalar(2.5e-4);
  Scalar decay = Scalar(0.95);
  Scalar epsilon = Scalar(0.01);
  bool centered = true;
};
constexpr auto fields(const RmsPropConfig*) {
  return std::tuple{
      field("lr", &RmsPropConfig::lr, "learning rate", 0, 1, "Mnih et al. 2015, Ext. Data Table 1"),
      field("decay", &RmsPropConfig::decay, "decay of both running means", 0, 0.999999,
            "Mnih et al. 2015, Ext. Data Table 1"),
      field("epsilon", &RmsPropConfig::epsilon, "added under the root", 0, 1, "Mnih et al. 2015, Ext. Data Table 1"),
      field("centered", &RmsPropConfig::centered, "divide by the standard deviation, not the root mean square",
            "Graves 2013, (39)"),
  };
}
static_assert(complete<RmsPropConfig>);

/// θ ← θ − lr g / √(v − m² + ε), m and v running means of g and g² (m = 0 if not centered). v − m² is a variance and
/// counts as 0 where rounding makes it negative.
/// @source Graves 2013, arXiv:1308.0850v5, (38) to (41) without momentum; the DQN paper's optimizer
class RmsProp final : public Optimizer {
 public:
  RmsProp(ParameterList parameters, const RmsPropConfig& config);
  void step() override;
  double learning_rate() const override { return static_cast<double>(c_.lr); }
  void visit_state(StateVisitor& v) override;

 private:
  RmsPropConfig c_;
  std::vector<Matrix> m_, v_;
};

/// Of a run with several workers (core/worker.h): every gradient becomes its sum over the workers, as in
/// openai/baselines her/ddpg.py; returns the mean of their losses. With one worker: nothing, and the loss.
/// @alloc none after the first call with these parameters
Scalar sum_over_workers(const ParameterList& parameters, Scalar loss);

/// One gradient step on a loss: rewind, evaluate, backward, sum over the workers of the run, clip (if max_grad_norm >
/// 0), step. Returns the loss.
/// @throws NumericsError if the loss, a gradient or its square is not finite; parameters and optimizer are then
///         unchanged, gradients zero
template <class Loss>
Scalar minimize(Tape& tape, Optimizer& optimizer, Loss loss, double max_grad_norm = 0) {
  tape.rewind();
  const Var j = loss();
  tape.backward(j);
  const Scalar value = sum_over_workers(optimizer.parameters(), j.item());
  try {
    if (max_grad_norm > 0) clip_grad_norm(optimizer.parameters(), max_grad_norm);
    check_gradients(optimizer.parameters());
  } catch (const NumericsError& e) {
    for (Parameter* p : optimizer.parameters()) p->grad.setZero();
    throw NumericsError(detail::concatenate("the loss is finite, but ", e.what()));
  }
  optimizer.step();
  return value;
}

}  // namespace goalpost
