#include "nn/mlp.h"

#include <cmath>

#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

MlpConfig config(std::vector<int> hidden, Activation activation, bool layer_norm = false) {
  MlpConfig c;
  c.hidden = std::move(hidden);
  c.activation = activation;
  c.layer_norm = layer_norm;
  return c;
}

Parameter& named(Mlp& net, const std::string& name) {
  for (Parameter* p : net.parameters())
    if (p->name == name) return *p;
  throw std::logic_error("no parameter " + name);
}

// A network of 2, 3 and 2 units with the weights of the Python lines below.
Mlp small(Activation activation, bool layer_norm) {
  Mlp net(2, 2, config({3}, activation, layer_norm), Rng(1));
  named(net, "W0").value = matrix({{0.5, -1}, {0.25, 0.75}, {-0.5, 0.1}});
  named(net, "b0").value = matrix({{0.1}, {-0.2}, {0.3}});
  named(net, "W1").value = matrix({{1, -0.5, 0.25}, {0.5, 2, -1}});
  named(net, "b1").value = matrix({{0.05}, {-0.1}});
  if (layer_norm) {
    named(net, "norm_gain0").value = matrix({{1.5}, {-0.5}});
    named(net, "norm_bias0").value = matrix({{0.2}, {0.1}});
    named(net, "norm_gain1").value = matrix({{1}, {2}, {0.5}});
    named(net, "norm_bias1").value = matrix({{0}, {-0.1}, {0.3}});
  }
  return net;
}
const Matrix kInput = matrix({{1, -0.5}, {2, 0.25}});

// Python, for each column x of the input:
//   mv = lambda W, x, b: [sum(w * e for w, e in zip(row, x)) + c for row, c in zip(W, b)]
//   ln = lambda x, g, b: [k * (e - m) / sqrt(v + 1e-5) + c for e, k, c in zip(x, g, b)]   m, v: mean, biased variance
//   mv(W1, [f(z) for z in mv(W0, x, b0)], b1)             with ln applied to x and to f(z) for the third
TEST(Mlp, WithTanhAgreesWithPython) {
  Tape tape;
  Mlp net = small(Activation::tanh, false);
  expect_close(net(tape.constant(kInput)).value(),
               matrix({{-1.2922443933, -0.1318735203}, {1.2848951561, -1.0822762489}}), 1e-6);
}
TEST(Mlp, WithReluAgreesWithPython) {
  Tape tape;
  Mlp net = small(Activation::relu, false);
  expect_close(net(tape.constant(kInput)).value(), matrix({{-0.725, 0.19375}, {3, -0.675}}), 1e-6);
}
TEST(Mlp, WithLayerNormAgreesWithPython) {
  Tape tape;
  Mlp net = small(Activation::tanh, true);
  expect_close(net(tape.constant(kInput)).value(),
               matrix({{1.2559600424, 1.2559633545}, {-5.8110143556, -5.8110181379}}), 1e-5);
}

TEST(Mlp, InputNormIsLayerNormOfTheFirstLayerOnly) {
  MlpConfig c = config({3, 3}, Activation::tanh);
  c.input_norm = true;
  Mlp net(2, 2, c, Rng(1));
  EXPECT_EQ(net.parameters().size(), 2u + 6u);
  Tape tape;  // the input enters through its deviation from its own mean, in units of its own deviation
  const Var one = net(tape.constant(matrix({{1}, {3}}))), scaled = net(tape.constant(matrix({{10}, {30}})));
  expect_close(one.value(), scaled.value(), 1e-4);
}

// Python, for each column x: mv(W1, [max(z, 0) for z in ln(mv(W0, x, b0), [1.5, 0.5, 2], [0.2, 0.1, 0.3])], b1)
TEST(Mlp, HiddenNormIsBetweenProductAndActivation) {
  MlpConfig c = config({3}, Activation::relu);
  c.hidden_norm = true;
  Mlp net(2, 2, c, Rng(1)), plain = small(Activation::relu, false);
  ASSERT_EQ(net.parameters().size(), 6u) << "the output has none";
  for (const char* name : {"W0", "b0", "W1", "b1"}) named(net, name).value = named(plain, name).value;
  named(net, "out_norm_gain0").value = matrix({{1.5}, {0.5}, {2}});
  named(net, "out_norm_bias0").value = matrix({{0.2}, {0.1}, {0.3}});
  Tape tape;
  expect_close(net(tape.constant(kInput)).value(),
               matrix({{-0.2569900312, 0.8077391529}, {1.1279601248, -3.1309566117}}), 1e-5);
}

TEST(Mlp, TheLastInputsMayEnterTheSecondLayerToo) {
  const MlpConfig c = config({3}, Activation::relu);
  Mlp net(2, 2, c, Rng(1), 1), plain = small(Activation::relu, false);
  for (const char* name : {"W0", "b0", "b1"}) named(net, name).value = named(plain, name).value;
  named(net, "W1").value << named(plain, "W1").value, matrix({{10}, {-1}});
  Tape tape;  // what WithReluAgreesWithPython has, plus 10 and -1 times the second input
  expect_close(net(tape.constant(kInput)).value(), matrix({{19.275, 2.69375}, {1, -0.925}}), 1e-5);
  EXPECT_TRUE(same_bits(net(tape.constant(kInput)).value(), net.with_frozen_weights(tape.constant(kInput)).value()));
  EXPECT_EQ(Mlp(2, 2, config({}, Activation::relu), Rng(1), 1).in(), 2) << "there is no second layer";
  EXPECT_THROW_MESSAGE(Mlp(2, 2, c, Rng(1), 3), std::invalid_argument, "again = 3 of 2 inputs; expected 0 to 2");
}

TEST(Mlp, FrozenEqualsTrainableAndGivesNoParameterGradient) {
  for (const bool layer_norm : {false, true}) {
    Mlp net(5, 3, config({17, 9}, Activation::relu, layer_norm), Rng(2));
    Tape tape;
    Matrix x = random_matrix(5, 11, 1), dx_trainable = Matrix::Zero(5, 11), dx_frozen = dx_trainable;
    const Var trainable = net(tape.leaf(x, dx_trainable)), frozen = net.with_frozen_weights(tape.leaf(x, dx_frozen));
    EXPECT_TRUE(same_bits(trainable.value(), frozen.value()));
    tape.backward(sum(frozen));
    for (const Parameter* p : net.parameters()) EXPECT_TRUE(p->grad.isZero(0)) << p->name;

    tape.rewind();
    tape.backward(sum(net(tape.leaf(x, dx_trainable))));
    EXPECT_TRUE(same_bits(dx_trainable, dx_frozen));
    for (const Parameter* p : net.parameters()) EXPECT_FALSE(p->grad.isZero(0)) << p->name;
  }
}

TEST(Mlp, ACopyHasItsOwnWeights) {
  Mlp net(2, 1, config({4}, Activation::tanh), Rng(3)), copy = net;
  Tape tape;
  const Matrix x = random_matrix(2, 3, 1), before = net.with_frozen_weights(tape.constant(x)).value();
  EXPECT_TRUE(same_bits(copy.with_frozen_weights(tape.constant(x)).value(), before));
  for (Parameter* p : copy.parameters()) p->value.setZero();
  EXPECT_TRUE(same_bits(net.with_frozen_weights(tape.constant(x)).value(), before));
}

TEST(Mlp, EqualGeneratorsGiveEqualWeightsAndOthersDoNot) {
  const MlpConfig c = config({8}, Activation::relu);
  Mlp a(3, 2, c, Rng(1)), b(3, 2, c, Rng(1)), other(3, 2, c, Rng(2));
  EXPECT_EQ(state_hash(a), state_hash(b));
  EXPECT_NE(state_hash(a), state_hash(other));
}

// Largest weight or bias of a layer with 400 inputs and 300 outputs, the second of three.
TEST(Mlp, StartsAsItsInitializerSays) {
  const double fan_in = 1 / std::sqrt(400.0);
  struct Case {
    Initializer initializer;
    double weights, biases;
  };
  for (const Case& expected :
       {Case{Initializer::fan_in, fan_in, fan_in}, Case{Initializer::fan_in_zero_bias, fan_in, 0},
        Case{Initializer::xavier, std::sqrt(6.0 / 700), 0}, Case{Initializer::zeros, 0, 0}}) {
    MlpConfig c = config({400, 300}, Activation::relu);
    c.initializer = expected.initializer;
    Mlp net(7, 2, c, Rng(1));
    EXPECT_NEAR(named(net, "W1").value.cwiseAbs().maxCoeff(), expected.weights, 0.001 * expected.weights + 1e-9);
    EXPECT_NEAR(named(net, "b1").value.cwiseAbs().maxCoeff(), expected.biases, 0.05 * expected.biases + 1e-9);
  }
  MlpConfig he = config({400, 300}, Activation::relu);
  he.initializer = Initializer::he;
  Mlp net(7, 2, he, Rng(1));
  EXPECT_NEAR(std::sqrt(named(net, "W1").value.squaredNorm() / 120'000), std::sqrt(2 / 400.0), 0.001);
  EXPECT_TRUE(named(net, "b1").value.isZero(0));
}

TEST(Mlp, TheInputsThatEnterAgainCountAsInputsOfTheSecondLayer) {
  Mlp net(8, 2, config({92, 300}, Activation::relu), Rng(1), 8);
  EXPECT_EQ(named(net, "W1").value.cols(), 100);
  EXPECT_NEAR(named(net, "W1").value.cwiseAbs().maxCoeff(), 0.1, 1e-4);
  EXPECT_LE(named(net, "b1").value.cwiseAbs().maxCoeff(), Scalar(0.1));
}

TEST(Mlp, TheOutputLayerMayStartNearZero) {
  MlpConfig c = config({400, 300}, Activation::relu);
  c.output_init = 0.003;
  Mlp net(7, 50, c, Rng(1));
  EXPECT_NEAR(named(net, "W2").value.cwiseAbs().maxCoeff(), 0.003, 1e-5);
  EXPECT_TRUE(named(net, "b2").value.isZero(0));
  EXPECT_NEAR(named(net, "W1").value.cwiseAbs().maxCoeff(), 0.05, 1e-4) << "the hidden layers start as ever";
}

TEST(Mlp, NamesItsParametersFromInputToOutput) {
  Mlp net(4, 2, config({3}, Activation::relu, true), Rng(1));
  std::vector<std::string> names;
  for (const Parameter* p : net.parameters()) names.push_back(p->name);
  EXPECT_THAT(names,
              ::testing::ElementsAre("norm_gain0", "norm_bias0", "W0", "b0", "norm_gain1", "norm_bias1", "W1", "b1"));
  EXPECT_EQ(net.in(), 4);
  EXPECT_EQ(net.out(), 2);
}

TEST(Mlp, WithoutHiddenLayersIsAffine) {
  Mlp net(2, 1, config({}, Activation::relu), Rng(1));
  named(net, "W0").value = matrix({{2, -3}});
  named(net, "b0").value = matrix({{-10}});
  Tape tape;
  EXPECT_EQ(net(tape.constant(matrix({{1}, {1}}))).item(), -11);  // negative: the output is linear
}

TEST(Mlp, RestoresItsStateExactly) {
  const MlpConfig c = config({6, 5}, Activation::tanh, true);
  Mlp net(3, 2, c, Rng(1)), other(3, 2, c, Rng(2));
  restore(other, snapshot(net));
  Tape tape;
  const Matrix x = random_matrix(3, 4, 1);
  EXPECT_TRUE(same_bits(net.with_frozen_weights(tape.constant(x)).value(),
                        other.with_frozen_weights(tape.constant(x)).value()));
}

TEST(Mlp, RefusesSizesThatAreNotPositive) {
  EXPECT_THROW_MESSAGE(Mlp(0, 1, {}, Rng(1)), std::invalid_argument,
                       "Mlp: in = 0 and out = 1; expected positive sizes");
  EXPECT_THROW_MESSAGE(Mlp(1, 0, {}, Rng(1)), std::invalid_argument, "in = 1 and out = 0");
  EXPECT_THROW_MESSAGE(Mlp(1, 1, config({4, 0}, Activation::relu), Rng(1)), std::invalid_argument,
                       "Mlp: a hidden layer has width 0; expected a positive size");
}

TEST(Mlp, RefusesAnInputOfAnotherHeight) {
  Mlp net(3, 2, config({4}, Activation::relu), Rng(1));
  Tape tape;
  EXPECT_THROW_MESSAGE(net(tape.constant(Matrix::Ones(2, 5))), std::invalid_argument,
                       "dense: W is 4x3 but x is 2x5; expected x to have 3 rows");
}

}  // namespace
}  // namespace goalpost::test
