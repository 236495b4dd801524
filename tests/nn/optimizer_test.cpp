#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "autodiff/ops.h"
#include "core/worker.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

// Four gradients of two parameters; the references below are the parameters after each step, from (1, -0.5).
const Matrix kGradients = matrix({{0.5, 1, -0.25, 0}, {-2, -1, 0, 4}});

Parameter start() {
  Parameter p("theta", 2, 1);
  p.value = matrix({{1}, {-0.5}});
  return p;
}

void expect_steps(Optimizer& optimizer, Parameter& theta, const Matrix& reference) {
  for (Index t = 0; t < kGradients.cols(); ++t) {
    theta.grad = kGradients.col(t);
    optimizer.step();
    expect_close(theta.value, reference.col(t), 2e-6, 1);
    EXPECT_TRUE(theta.grad.isZero(0)) << "step clears the gradient";
  }
}

// Python: m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g*g; x -= lr*(m/(1-b1**t)) / (sqrt(v/(1-b2**t)) + eps)
// with lr 0.1, b1 0.9, b2 0.999; eps 0.1 is large, so that its place in the formula matters.
TEST(Adam, StepsAgreeWithPython) {
  Parameter theta = start();
  Adam adam({&theta}, {.lr = Scalar(0.1), .epsilon = Scalar(0.1)});
  expect_steps(adam, theta,
               matrix({{0.9166666667, 0.8309848285, 0.7798548367, 0.7388078166},
                       {-0.4047619048, -0.3170896533, -0.2502141271, -0.2712669510}}));
}

// With a constant gradient and no ε every step is the learning rate itself.
TEST(Adam, TheLearningRateFallsLinearlyAndStays) {
  Parameter theta("theta", 1, 1);
  Adam adam({&theta}, {.lr = Scalar(0.4), .epsilon = 0, .lr_steps = 3, .lr_end = Scalar(0.1)});
  for (const double expected : {0.4, 0.3, 0.2, 0.1, 0.1}) {
    const double before = static_cast<double>(theta.value(0, 0));
    EXPECT_NEAR(adam.learning_rate(), expected, 1e-6);
    theta.grad(0, 0) = 2;
    adam.step();
    EXPECT_NEAR(before - static_cast<double>(theta.value(0, 0)), expected, 1e-5);
  }
}

// Three steps by hand with β₁ = ½, β₂ = ¾, ε = ¼, a rate that goes 0.4, 0.3, 0.2 and the gradients 1, −2, 3:
//   t  m                     m̂ = m/(1 − ½ᵗ)     v                          v̂ = v/(1 − ¾ᵗ)            θ
//   1  0.5                   1                   0.25                       1                          1 − 0.4 · 1/1.25
//   = 0.68 2  0.25 − 1 = −0.75      −1                  0.1875 + 1 = 1.1875        1.1875/0.4375 = 2.714286   0.68 +
//   0.3/(1.647509 + 0.25) = 0.838102 3  −0.375 + 1.5 = 1.125  9/7 = 1.285714      0.890625 + 2.25
//   = 3.140625 3.140625/0.578125 = 5.432432
//                                                               0.838102 − 0.2 · 1.285714/(2.330758 + 0.25) = 0.738463
TEST(Adam, ThreeStepsWithAFallingRateAgreeWithAHandComputedExample) {
  Parameter theta("theta", 1, 1);
  theta.value(0, 0) = 1;
  Adam adam({&theta}, {.lr = Scalar(0.4),
                       .beta1 = Scalar(0.5),
                       .beta2 = Scalar(0.75),
                       .epsilon = Scalar(0.25),
                       .lr_steps = 4,
                       .lr_end = 0});
  const double gradients[] = {1, -2, 3}, expected[] = {0.68, 0.838102, 0.738463};
  for (int t = 0; t < 3; ++t) {
    theta.grad(0, 0) = Scalar(gradients[t]);
    adam.step();
    EXPECT_NEAR(theta.value(0, 0), expected[t], 2e-6) << "step " << t + 1;
  }
}

// Weight decay is the gradient of the penalty w/2 theta squared.
TEST(Adam, WeightDecayAddsTheGradientOfAPenalty) {
  Parameter decayed("theta", 1, 1), penalized("theta", 1, 1);
  decayed.value(0, 0) = penalized.value(0, 0) = 2;
  Adam with({&decayed}, {.lr = Scalar(0.1), .epsilon = 1, .weight_decay = Scalar(0.25)});
  Adam without({&penalized}, {.lr = Scalar(0.1), .epsilon = 1});
  for (const Scalar g : {1, -2, 0}) {
    decayed.grad(0, 0) = g;
    penalized.grad(0, 0) = g + Scalar(0.25) * penalized.value(0, 0);
    with.step();
    without.step();
    EXPECT_NEAR(decayed.value(0, 0), penalized.value(0, 0), 1e-6);
    EXPECT_EQ(decayed.grad(0, 0), 0);
  }
  EXPECT_LT(decayed.value(0, 0), Scalar(1.95));
}

TEST(Adam, WithoutEpsilonAParameterWithoutAGradientStays) {
  Parameter theta = start();
  Adam adam({&theta}, {.epsilon = 0});
  theta.grad = matrix({{0}, {1}});
  adam.step();
  EXPECT_EQ(theta.value(0, 0), 1);
  EXPECT_NEAR(theta.value(1, 0), -0.5 - 1e-3, 1e-6);
}
// Its square is no number of this type, or a denormal one.
TEST(Adam, WithoutEpsilonAStepForATinyGradientIsNotLarger) {
  const Scalar least = std::sqrt(std::numeric_limits<Scalar>::min());
  for (const Scalar gradient : {least / 1000, least / 8, least, 8 * least, 1000 * least}) {
    Parameter theta = start();
    Adam adam({&theta}, {.epsilon = 0});
    theta.grad = matrix({{0}, {1}}) * gradient;
    adam.step();
    EXPECT_LE(std::abs(theta.value(1, 0) + Scalar(0.5)), Scalar(1.5e-3)) << gradient;
  }
}
TEST(RmsProp, WithoutEpsilonAParameterWithoutAGradientStays) {
  for (const bool centered : {false, true}) {
    Parameter theta = start();
    RmsProp rmsprop({&theta}, {.epsilon = 0, .centered = centered});
    theta.grad = matrix({{0}, {1}});
    rmsprop.step();
    EXPECT_EQ(theta.value(0, 0), 1);
    EXPECT_TRUE(std::isfinite(theta.value(1, 0)));
  }
}

// v − m² is a variance: what rounding makes of it may not fall below zero. At a constant gradient it is zero in the
// end, and a step at most lr g/√ε.
TEST(RmsProp, CenterdStepsStayFiniteWhereTheGradientIsConstant) {
  for (const double g : {1e-3, 1.0, 100.0, 1000.0, 3000.0, 1e6, 1e12, 1e18}) {
    Parameter theta("theta", 1, 1);
    RmsProp rmsprop({&theta}, {});
    double largest = 0;
    for (int i = 0; i < 3000; ++i) {
      const double before = static_cast<double>(theta.value(0, 0));
      theta.grad(0, 0) = Scalar(g * (1 + 1e-6 * (i % 3)));
      rmsprop.step();
      ASSERT_TRUE(std::isfinite(theta.value(0, 0))) << "gradient " << g << ", step " << i;
      largest = std::max(largest, before - static_cast<double>(theta.value(0, 0)));
    }
    EXPECT_LT(theta.value(0, 0), 0) << "gradient " << g;
    EXPECT_LE(largest, 2.5e-4 * g / 0.1 * 1.01 + 1e-6 * std::abs(static_cast<double>(theta.value(0, 0))));
  }
}

// Python: m = d*m + (1-d)*g; v = d*v + (1-d)*g*g; x -= lr*g / sqrt(v - m*m + eps) with lr 0.1, d 0.95, eps 0.01
TEST(RmsProp, CenterdStepsAgreeWithPython) {
  Parameter theta = start();
  RmsProp rmsprop({&theta}, {.lr = Scalar(0.1), .decay = Scalar(0.95), .epsilon = Scalar(0.01), .centered = true});
  expect_steps(rmsprop, theta,
               matrix({{0.6619382981, 0.2739680110, 0.3694234581, 0.3694234581},
                       {-0.0527864045, 0.1561941928, 0.1561941928, -0.2395119486}}));
}
// The same with m = 0.
TEST(RmsProp, UncenterdStepsAgreeWithPython) {
  Parameter theta = start();
  RmsProp rmsprop({&theta}, {.lr = Scalar(0.1), .decay = Scalar(0.95), .epsilon = Scalar(0.01), .centered = false});
  expect_steps(rmsprop, theta,
               matrix({{0.6666666667, 0.2936647434, 0.3868949590, 0.3868949590},
                       {-0.0635642195, 0.1364357805, 0.1364357805, -0.2583480544}}));
}

template <class T>
void expect_resume_equals_uninterrupted() {
  Parameter a = start(), b = start();
  T one({&a}, {}), two({&b}, {});
  const auto step = [](T& optimizer, Parameter& p, Index t) {
    p.grad = kGradients.col(t);
    optimizer.step();
  };
  step(one, a, 0);
  step(one, a, 1);
  b.value = a.value;
  restore(two, snapshot(one));
  step(one, a, 2);
  step(two, b, 2);
  EXPECT_TRUE(same_bits(a.value, b.value));
}
TEST(Adam, ResumesFromItsState) { expect_resume_equals_uninterrupted<Adam>(); }
TEST(RmsProp, ResumesFromItsState) { expect_resume_equals_uninterrupted<RmsProp>(); }

// The running means of a gradient that has become zero, as a ReLU's that never fires, decay; rounded to nearest, 0.9 of
// a denormal number of a few units is itself, and every later step would be many times slower.
template <class T, class Config>
void expect_means_decay_to_zero(const Config& config) {
  Parameter theta = start();
  T optimizer({&theta}, config);
  theta.grad = matrix({{1}, {-2}});
  optimizer.step();
  const Snapshot before = snapshot(optimizer);
  for (int t = 0; t < 8'000; ++t) optimizer.step();
  int means = 0;
  for (const StateEntry& entry : snapshot(optimizer)) {
    if (!entry.name.ends_with("/0")) continue;
    ++means;
    EXPECT_EQ(std::ranges::count(entry.bytes, 0), std::ssize(entry.bytes)) << entry.name;
  }
  EXPECT_EQ(means, 2);
  EXPECT_NE(before, snapshot(optimizer));
}
TEST(Adam, MeansOfAVanishedGradientBecomeZero) {
  expect_means_decay_to_zero<Adam>(AdamConfig{.beta1 = Scalar(0.9), .beta2 = Scalar(0.9)});
}
TEST(RmsProp, MeansOfAVanishedGradientBecomeZero) {
  expect_means_decay_to_zero<RmsProp>(RmsPropConfig{.decay = Scalar(0.9)});
}

TEST(Optimizers, LeaveDenormalNumbersToOthersAsTheyWere) {
  volatile Scalar least = std::numeric_limits<Scalar>::min();
  Parameter theta = start();
  Adam({&theta}, {}).step();
  EXPECT_GT(least / 2, 0);
}

TEST(Optimizers, RefuseANegativeLearningRate) {
  EXPECT_THROW_MESSAGE(Adam({}, {.lr = -1}), std::invalid_argument, "Adam: lr = -1; expected a number >= 0");
  EXPECT_THROW_MESSAGE(Adam({}, {.lr_end = -1}), std::invalid_argument, "Adam: lr_end = -1; expected a number >= 0");
  EXPECT_THROW_MESSAGE(RmsProp({}, {.lr = -1}), std::invalid_argument, "RmsProp: lr = -1; expected a number >= 0");
}

// Stands for an optimizer: θ ← θ − g
class PlainDescent final : public Optimizer {
 public:
  explicit PlainDescent(ParameterList parameters) : Optimizer(std::move(parameters)) {}
  void step() override {
    for (Parameter* p : parameters_) {
      p->value -= p->grad;
      p->grad.setZero();
    }
  }
  double learning_rate() const override { return 1; }
  void visit_state(StateVisitor&) override {}
};

TEST(Minimize, ReturnsTheLossBeforeTheStepAndMovesAgainstTheGradient) {
  Parameter theta = start();
  PlainDescent descent({&theta});
  Tape tape;
  const auto loss = [&] { return Scalar(0.25) * sum(square(theta.on(tape))); };
  EXPECT_EQ(minimize(tape, descent, loss), Scalar(0.3125));  // (1 + 0.25) / 4
  EXPECT_EQ(theta.value, matrix({{0.5}, {-0.25}}));
}

TEST(Minimize, ClipsTheGradientToTheGivenNorm) {
  Parameter theta("theta", 2, 1);
  PlainDescent descent({&theta});
  Tape tape;
  const Matrix slope = matrix({{3}, {4}});
  minimize(
      tape, descent, [&] { return sum(tape.alias(slope) * theta.on(tape)); }, 1);
  expect_close(theta.value, matrix({{-0.6}, {-0.8}}), 1e-6);
}

TEST(Minimize, LeavesTheParametersAsTheyWereIfTheLossIsNotFinite) {
  Parameter theta = start();
  PlainDescent descent({&theta});
  Tape tape;
  EXPECT_THROW_MESSAGE(minimize(tape, descent, [&] { return sum(log(theta.on(tape))); }), NumericsError,
                       "first appear in log [2x1]");
  EXPECT_THROW_MESSAGE(minimize(tape, descent, [&] { return sum(log(theta.on(tape))); }), NumericsError,
                       "its inputs are theta [2x1] in [-0.5, 1]");
  EXPECT_EQ(theta.value, start().value);
  EXPECT_TRUE(theta.grad.isZero(0));
}

// Whatever the optimizer: parameters, gradients and moments are as before.
template <class T, class Loss>
void expect_refused(Parameter& theta, Loss loss, double max_grad_norm, const char* message) {
  T optimizer({&theta}, {});
  Tape tape;
  const Matrix kept = theta.value;
  const std::uint64_t before = state_hash(optimizer);
  EXPECT_THROW_MESSAGE(minimize(
                           tape, optimizer, [&] { return loss(tape); }, max_grad_norm),
                       NumericsError, message);
  EXPECT_TRUE(same_bits(theta.value, kept));
  EXPECT_TRUE(theta.grad.isZero(0)) << "a later update would add to it";
  EXPECT_EQ(state_hash(optimizer), before);
}

TEST(Minimize, AnInfiniteGradientOfAFiniteLossIsNamedAndChangesNothing) {
  constexpr Scalar huge = std::numeric_limits<Scalar>::max() / 2;
  for (const double max_grad_norm : {0.0, 1.0}) {
    Parameter theta = start();
    const Matrix slope = matrix({{1}, {0}}) * huge;
    // 4 · (max/2) θ² at θ = 0 is 0; so is the sum of both, whose gradients overflow
    theta.value.setZero();
    const auto loss = [&](Tape& tape) { return Scalar(100) * sum(tape.alias(slope) * theta.on(tape)); };
    const char* message = "the loss is finite, but the gradient of theta [2x1] has 1 of 2 values NaN or infinite";
    expect_refused<Adam>(theta, loss, max_grad_norm, message);
    expect_refused<RmsProp>(theta, loss, max_grad_norm, message);
  }
}

// The running mean of its square would be infinite for ever.
TEST(Minimize, AGradientWhoseSquareOverflowsIsNamedAndChangesNothing) {
  Parameter theta = start();
  const Matrix slope = matrix({{0}, {-1}}) * std::sqrt(std::numeric_limits<Scalar>::max()) * Scalar(1.5);
  const auto loss = [&](Tape& tape) { return sum(tape.alias(slope) * theta.on(tape)); };
  const char* message = "but the square of the gradient of theta [2x1] overflows";
  expect_refused<Adam>(theta, loss, 0, message);
  expect_refused<RmsProp>(theta, loss, 0, message);
  // Cut to a norm it is a gradient as any other.
  PlainDescent descent({&theta});
  Tape tape;
  minimize(
      tape, descent, [&] { return loss(tape); }, 2);
  expect_close(theta.value, matrix({{1}, {1.5}}), 1e-6);
}

// Worker w has the loss (w + 1) (3 θ₀ + 4 θ₁), so that the sum over four has the gradient 10 (3, 4), of norm 50, and
// the mean of the losses is 2.5 (3 · 1 + 4 · 0.5) = 12.5. Cut to the norm 2 it is (1.2, 1.6).
TEST(Minimize, SumsGradientsOverTheWorkersOfARun) {
  const Matrix slope = matrix({{3}, {4}});
  for (const double max_norm : {0., 2.}) {
    std::vector<Matrix> values(4);
    std::vector<Scalar> losses(4);
    WorkerTeam team(4, 2);
    team.run([&](Worker& worker) {
      const auto w = static_cast<std::size_t>(worker.index());
      Parameter theta("theta", 2, 1);
      theta.value << 1, Scalar(0.5);
      PlainDescent descent({&theta});
      Tape tape;
      losses[w] = minimize(
          tape, descent, [&] { return Scalar(w + 1) * sum(tape.alias(slope) * theta.on(tape)); }, max_norm);
      values[w] = theta.value;
    });
    for (const Matrix& value : values)
      expect_close(value, max_norm == 0 ? matrix({{1 - 30}, {0.5 - 40}}) : matrix({{1 - 1.2}, {0.5 - 1.6}}), 1e-5);
    for (const Scalar loss : losses) EXPECT_NEAR(static_cast<double>(loss), 12.5, 1e-5);
  }
}

TEST(Adam, FindsTheMinimumOfAParabola) {
  Parameter theta = start();
  Adam adam({&theta}, {.lr = Scalar(0.05)});
  Tape tape;
  const Matrix minimum = matrix({{-0.3}, {0.7}});
  for (int i = 0; i < 400; ++i)
    minimize(tape, adam, [&] { return mean(square(theta.on(tape) - tape.alias(minimum))); });
  expect_close(theta.value, minimum, 1e-3);
}

}  // namespace
}  // namespace goalpost::test
