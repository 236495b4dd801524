#include "nn/mlp.h"

#include "support/gradient_check.h"

namespace goalpost::test {
namespace {

struct Case {
  std::vector<int> hidden;
  Activation activation;
  bool layer_norm, input_norm = false;
  Index again = 0;
  bool hidden_norm = false;
};
class MlpGradient : public ::testing::TestWithParam<Case> {
 protected:
  Mlp make() const {
    MlpConfig c;
    c.hidden = GetParam().hidden;
    c.activation = GetParam().activation;
    c.layer_norm = GetParam().layer_norm;
    c.input_norm = GetParam().input_norm;
    c.hidden_norm = GetParam().hidden_norm;
    return Mlp(3, 2, c, Rng(5), GetParam().again);
  }
};

TEST_P(MlpGradient, OfEveryParameterAgrees) {
  Mlp net = make();
  const Matrix x = random_matrix(3, 6, 1), weight = random_matrix(2, 6, 2);
  Tape tape;
  expect_parameter_gradient([&] { return sum(tape.alias(weight) * net(tape.alias(x))); }, tape, net.parameters());
}
TEST_P(MlpGradient, OfTheInputAgreesWhetherTrainableOrFrozen) {
  Mlp net = make();
  expect_gradient([&](Tape&, const std::vector<Var>& x) { return net(x[0]); }, {random_matrix(3, 6, 1)}, {2, 6});
  expect_gradient([&](Tape&, const std::vector<Var>& x) { return net.with_frozen_weights(x[0]); },
                  {random_matrix(3, 6, 1)}, {2, 6});
}
INSTANTIATE_TEST_SUITE_P(Configurations, MlpGradient,
                         ::testing::Values(Case{{7, 5}, Activation::relu, false}, Case{{7, 5}, Activation::tanh, true},
                                           Case{{1}, Activation::tanh, false}, Case{{}, Activation::relu, false},
                                           Case{{7, 5}, Activation::relu, false, true},
                                           Case{{7, 5}, Activation::relu, false, false, 2},
                                           Case{{7}, Activation::tanh, true, false, 3},
                                           Case{{7, 5}, Activation::tanh, false, false, 2, true},
                                           Case{{7, 5}, Activation::relu, false, false, 0, true}));

}  // namespace
}  // namespace goalpost::test
