// Bit flipping: n bits, and in each step one of them is flipped.
//   state        s in {0, 1}^n, uniform at reset         observation   s                                    [n]
//   action       which bit to flip, 0 ... n-1            goal          g in {0, 1}^n, uniform at reset      [n]
//   reward       0 if s = g, else -1  (after the step)
//   ends         when s = g (ends_at_goal), else never; time limit n steps
//
// Andrychowicz et al. 2017, "Hindsight Experience Replay", arXiv:1707.01495v3, section 3.1.
// Differs      1. An episode ends at its goal. ends_at_goal = false restores the paper's episodes of exactly n steps.
//              2. A start that equals its goal (probability 2^-n) is drawn again, so that success always takes an
//                 action: an agent that flips a bit in every step cannot stay at the goal. The paper does not discuss
//                 this case.
#include "envs/classic/bit_flip.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "envs/drawable.h"

namespace goalpost {
namespace {

class BitFlip final : public Env, public Drawable {
 public:
  explicit BitFlip(const BitFlipConfig& c)
      : spec_{.name = "BitFlip-v0",
              .obs_dim = c.bits,
              .action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = c.bits, .low = {}, .high = {}},
              .goal = {.dim = c.bits, .radius = Scalar(0.5), .ends_at_goal = c.ends_at_goal, .reward = &sparse},
              .max_steps = c.bits,
              .script = &flip_what_differs,
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

  // Rows of up to ten bits: the state, and the goal in front of it. A 1 is a tower, a 0 a tile.
  void draw(Scene& scene) const override {
    const double columns = std::min<double>(kColumns, static_cast<double>(bits_.size()));
    const double rows = std::ceil(static_cast<double>(bits_.size()) / kColumns);
    draw_bits(bits_, 0, {0.20f, 0.40f, 0.75f, 1}, scene);
    scene.frame({-0.5, -kRowStep * rows + 0.9, 0}, {columns - 0.5, 0.5, 0.4}, 90, -62);
    scene.subject = scene.camera.look_at;
    scene.subject_size = columns;
  }
  // A black plate lies below each bit that differs from the goal's.
  void draw_goal(ConstVectorRef goal, GoalMark mark, Scene& scene) const override {
    if (mark != GoalMark::desired) return;  // there is no other place
    draw_bits(goal, 1, color_of(mark), scene);
    for (Index i = 0; i < bits_.size(); ++i)
      if (std::abs(bits_(i) - goal(i)) > Scalar(0.5))
        scene.add(Shape::Kind::box, {0.48, 0.95, 0.02}, place(i, 0) + Eigen::Vector3d(0, -0.5, -0.02),
                  {0.05f, 0.05f, 0.05f, 1});
  }

 private:
  static constexpr Index kColumns = 10;
  static constexpr double kRowStep = 2.6;

  static Eigen::Vector3d place(Index bit, int row) {
    return {static_cast<double>(bit % kColumns), -kRowStep * static_cast<double>(bit / kColumns) - row, 0};
  }
  static void draw_bits(ConstVectorRef bits, int row, Color one, Scene& scene) {
    for (Index i = 0; i < bits.size(); ++i) {
      const bool set = bits(i) > Scalar(0.5);
      const double height = set ? 0.2 : 0.04;
      Shape& tile = scene.add(Shape::Kind::box, {0.4, 0.4, height}, place(i, row) + Eigen::Vector3d(0, 0, height),
                              set ? one : Color{0.85f, 0.85f, 0.85f, 1});
      tile.label = std::string(1, set ? '1' : '0');
    }
  }
  static void flip_what_differs(ConstVectorRef, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action) {
    Index i = 0;
    while (i + 1 < achieved.size() && achieved(i) == desired(i)) ++i;
    action(0) = Scalar(i);
  }
  static Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
    return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
  }

  EnvSpec spec_;
  Vector bits_, goal_;
};

}  // namespace

std::unique_ptr<Env> make_bit_flip(const BitFlipConfig& config) { return std::make_unique<BitFlip>(config); }

}  // namespace goalpost
