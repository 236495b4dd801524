// Bit flipping: n bits, and in each step one of them is flipped.
//   state        s in {0, 1}^n, uniform at reset         observation   s                                    [n]
//   action       which bit to flip, 0 ... n-1            goal          g in {0, 1}^n, uniform at reset      [n]
//   reward       0 if s = g, else -1  (after the step)
//   ends         when s = g (ends_at_goal), else never; time limit n steps
//
// Andrychowicz et al. 2017, "Hindsight Experience Replay", arXiv:1707.01495v3, section 3.1.
// Differs      1. An episode ends at its goal. ends_at_goal = false restores the paper's episodes of exactly n steps.
//              2. A start that is its goal (probability 2^-n) is drawn again, so that success always takes an action:
//                 an agent that flips in every step cannot hold it. The paper does not discuss it.
#include "envs/classic/bit_flip.h"

#include "core/check.h"

namespace goalpost {
namespace {

class BitFlip final : public Env {
 public:
  explicit BitFlip(const BitFlipConfig& c)
      : spec_{.name = "BitFlip-v0",
              .obs_dim = c.bits,
              .action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = c.bits, .low = {}, .high = {}},
              .goal = {.dim = c.bits, .radius = Scalar(0.5), .ends_at_goal = c.ends_at_goal, .reward = &sparse},
              .max_steps = c.bits,
              .dt = 0},
        bits_(Vector::Zero(c.bits)),
        goal_(Vector::Zero(c.bits)) {
    GP_CHECK(c.bits > 0, "BitFlip: bits = ", c.bits, "; expected a positive number");
  }

  const EnvSpec& spec() const override { return spec_; }

  void reset(Rng& rng) override {
    do {
      for (Index i = 0; i < bits_.size(); ++i) bits_(i) = Scalar(rng.below(2));
      for (Index i = 0; i < goal_.size(); ++i) goal_(i) = Scalar(rng.below(2));
    } while (bits_ == goal_);
  }

  StepResult step(ActionRef action) override {
    const Index i = static_cast<Index>(action(0));
    bits_(i) = 1 - bits_(i);
    const Scalar r = sparse(bits_, goal_, spec_.goal.radius);
    return {.reward = r, .terminated = spec_.goal.ends_at_goal && r == 0, .success = r == 0};
  }

  void observe(ObsOut out) const override {
    out.obs = bits_;
    out.achieved = bits_;
    out.desired = goal_;
  }

  void visit_state(StateVisitor& v) override {
    v.visit("bits", bits_);
    v.visit("goal", goal_);
  }

 private:
  static Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
    return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
  }

  EnvSpec spec_;
  Vector bits_, goal_;
};

}  // namespace

std::unique_ptr<Env> make_bit_flip(const BitFlipConfig& config) { return std::make_unique<BitFlip>(config); }

}  // namespace goalpost
