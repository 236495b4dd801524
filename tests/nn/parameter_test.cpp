#include "nn/parameter.h"

#include <cmath>
#include <limits>

#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

Parameter parameter(const std::string& name, const Matrix& value, const Matrix& grad) {
  Parameter p(name, value.rows(), value.cols());
  p.value = value;
  p.grad = grad;
  return p;
}

TEST(Parameter, StartsWithZerosAndEntersATapeTrainableOrFrozen) {
  Parameter p("W", 2, 3);
  EXPECT_TRUE(p.value.isZero(0));
  EXPECT_TRUE(p.grad.isZero(0));
  Tape tape;
  EXPECT_TRUE(p.on(tape).needs_grad());
  EXPECT_FALSE(p.frozen_on(tape).needs_grad());
  EXPECT_EQ(p.frozen_on(tape).value().data(), p.value.data());
}

TEST(Parameter, ListsJoinInOrder) {
  Parameter a("a", 1, 1), b("b", 1, 1), c("c", 1, 1);
  EXPECT_EQ(join({&a, &b}, {&c}), (ParameterList{&a, &b, &c}));
  EXPECT_EQ(join({}, {}), ParameterList{});
}

TEST(Polyak, MovesTheTargetByTau) {
  Parameter online = parameter("W", matrix({{1, -2}}), Matrix::Zero(1, 2));
  Parameter target = parameter("W", matrix({{5, 2}}), Matrix::Zero(1, 2));
  polyak(Scalar(0.25), {&online}, {&target});  // 0.25 * 1 + 0.75 * 5 = 4; 0.25 * -2 + 0.75 * 2 = 1
  EXPECT_EQ(target.value, matrix({{4, 1}}));
  EXPECT_EQ(online.value, matrix({{1, -2}}));
  polyak(1, {&online}, {&target});
  EXPECT_EQ(target.value, online.value);
  polyak(0, {&online}, {&target});
  EXPECT_EQ(target.value, online.value);
}

TEST(Polyak, RefusesAnOtherTauAndListsThatDoNotMatch) {
  Parameter a("a", 1, 2), b("b", 2, 1);
  EXPECT_THROW_MESSAGE(polyak(Scalar(1.5), {&a}, {&a}), std::invalid_argument,
                       "polyak: tau = 1.5; expected a number in [0, 1]");
  EXPECT_THROW_MESSAGE(polyak(Scalar(-0.5), {&a}, {&a}), std::invalid_argument, "polyak: tau = -0.5");
  EXPECT_THROW_MESSAGE(polyak(1, {&a}, {&a, &b}), std::invalid_argument, "polyak: 1 online and 2 target parameters");
  EXPECT_THROW_MESSAGE(polyak(1, {&a}, {&b}), std::invalid_argument, "polyak: to is 2x1; expected 1x2");
}

TEST(ClipGradNorm, ScalesAllGradientsTogether) {
  // √(1² + 2² + 2² + 4²) = 5; down to 2.5 is a factor of one half
  Parameter a = parameter("a", Matrix::Zero(1, 2), matrix({{1, -2}}));
  Parameter b = parameter("b", Matrix::Zero(2, 1), matrix({{2}, {4}}));
  EXPECT_DOUBLE_EQ(grad_norm({&a, &b}), 5);
  EXPECT_DOUBLE_EQ(clip_grad_norm({&a, &b}, 2.5), 5);
  EXPECT_EQ(a.grad, matrix({{0.5, -1}}));
  EXPECT_EQ(b.grad, matrix({{1}, {2}}));
}

TEST(ClipGradNorm, LeavesSmallGradientsAlone) {
  Parameter a = parameter("a", Matrix::Zero(1, 2), matrix({{3, 4}}));
  EXPECT_DOUBLE_EQ(clip_grad_norm({&a}, 5), 5);
  EXPECT_EQ(a.grad, matrix({{3, 4}}));
}

// The squares overflow, the norm does not.
TEST(ClipGradNorm, ScalesHugeGradients) {
  for (const double size : {1e15, 2e19, 1e30, 3e38}) {
    Parameter a = parameter("a", Matrix::Zero(1, 2), matrix({{0.6 * size, 0}}));
    Parameter b = parameter("b", Matrix::Zero(1, 1), matrix({{-0.8 * size}}));
    EXPECT_NEAR(grad_norm({&a, &b}) / size, 1, 1e-6);
    for (const double max_norm : {2.0, 1e-3}) {
      Parameter c = a, d = b;
      EXPECT_NEAR(clip_grad_norm({&c, &d}, max_norm) / size, 1, 1e-6);
      expect_close(c.grad, matrix({{0.6 * max_norm, 0}}), 1e-6);
      expect_close(d.grad, matrix({{-0.8 * max_norm}}), 1e-6);
    }
  }
}

TEST(ClipGradNorm, AGradientThatIsNotFiniteIsNamedAndStays) {
  for (const double bad : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    Parameter a = parameter("a", Matrix::Zero(1, 2), matrix({{3, 4}}));
    Parameter b = parameter("b", Matrix::Zero(2, 1), matrix({{-1}, {bad}}));
    EXPECT_THROW_MESSAGE(clip_grad_norm({&a, &b}, 1), NumericsError,
                         "the gradient of b [2x1] has 1 of 2 values NaN or infinite");
    EXPECT_EQ(a.grad, matrix({{3, 4}}));
    EXPECT_EQ(b.grad(0, 0), -1);
  }
}

TEST(ClipGradNorm, NeedsAPositiveBound) {
  EXPECT_THROW_MESSAGE(clip_grad_norm({}, 0), std::invalid_argument,
                       "clip_grad_norm: max_norm = 0; expected a positive number");
}

struct Moments {
  double mean, deviation, largest;
};
Moments moments(const Matrix& m) {
  const double mean = static_cast<double>(m.mean());
  return {mean, std::sqrt(static_cast<double>((m.array() - Scalar(mean)).square().mean())),
          static_cast<double>(m.cwiseAbs().maxCoeff())};
}

// A uniform draw in ±b has deviation b/√3. 60,000 draws: the deviation is known to about 0.3 %.
TEST(Initializer, FanInIsUniformWithinOneOverTheRootOfTheInputs) {
  Rng rng(1);
  Matrix W(300, 200), b(5000, 1);
  initialize_weights(W, Initializer::fan_in, rng);
  initialize_bias(b, 200, Initializer::fan_in, rng);
  const double bound = 1 / std::sqrt(200.0);
  for (const Moments& m : {moments(W), moments(b)}) {
    EXPECT_NEAR(m.mean, 0, 0.04 * bound);
    EXPECT_NEAR(m.deviation, bound / std::sqrt(3.0), 0.03 * bound);
    EXPECT_LE(m.largest, bound * (1 + 1e-6));
    EXPECT_GT(m.largest, 0.99 * bound);
  }
}
TEST(Initializer, XavierUsesInputsAndOutputsAndZeroBiases) {
  Rng rng(1);
  Matrix W(300, 200), b = Matrix::Ones(300, 1);
  initialize_weights(W, Initializer::xavier, rng);
  initialize_bias(b, 200, Initializer::xavier, rng);
  const double bound = std::sqrt(6.0 / 500);
  EXPECT_NEAR(moments(W).deviation, bound / std::sqrt(3.0), 0.01 * bound);
  EXPECT_LE(moments(W).largest, bound * (1 + 1e-6));
  EXPECT_TRUE(b.isZero(0));
}
TEST(Initializer, HeIsNormalWithTheDeviationOfTheInputsAndZeroBiases) {
  Rng rng(1);
  Matrix W(300, 200), b = Matrix::Ones(300, 1);
  initialize_weights(W, Initializer::he, rng);
  initialize_bias(b, 200, Initializer::he, rng);
  EXPECT_NEAR(moments(W).deviation, 0.1, 0.001);  // √(2/200)
  EXPECT_GT(moments(W).largest, 0.35) << "a normal variable exceeds 3.5 deviations in 60,000 draws";
  EXPECT_TRUE(b.isZero(0));
}
TEST(Initializer, FanInWithZeroBiasIsFanInWithZeroBiases) {
  Rng rng(1), same(1);
  Matrix W(300, 200), V(300, 200), b = Matrix::Ones(300, 1);
  initialize_weights(W, Initializer::fan_in_zero_bias, rng);
  initialize_bias(b, 200, Initializer::fan_in_zero_bias, rng);
  initialize_weights(V, Initializer::fan_in, same);
  EXPECT_TRUE(same_bits(W, V));
  EXPECT_TRUE(b.isZero(0));
}
TEST(Initializer, ZerosAreZeros) {
  Rng rng(1);
  Matrix W = Matrix::Ones(3, 2), b = Matrix::Ones(3, 1);
  initialize_weights(W, Initializer::zeros, rng);
  initialize_bias(b, 2, Initializer::zeros, rng);
  EXPECT_TRUE(W.isZero(0));
  EXPECT_TRUE(b.isZero(0));
  EXPECT_EQ(rng.position(), 0u);
}

TEST(Parameter, StateIsTheValuesUnderTheirNames) {
  Parameter a = parameter("a", matrix({{1, 2}}), matrix({{9, 9}})), b = parameter("b", matrix({{3}}), matrix({{9}}));
  struct List {
    ParameterList parameters;
    void visit_state(StateVisitor& v) { visit_parameters(v, parameters); }
  } list{{&a, &b}};
  const Snapshot state = snapshot(list);
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].name, "a");
  EXPECT_EQ(state[1].name, "b");
  a.value.setZero();
  b.value.setZero();
  restore(list, state);
  EXPECT_EQ(a.value, matrix({{1, 2}}));
  EXPECT_EQ(b.value, matrix({{3}}));
}

}  // namespace
}  // namespace goalpost::test
