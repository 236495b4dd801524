#include "algos/dqn.h"
#include "envs/classic/bit_flip.h"
#include "support/gradient_check.h"

namespace goalpost::test {
namespace {

struct Case {
  bool double_q;
  double huber_delta;
  bool clip_targets;
};
class DqnGradient : public ::testing::TestWithParam<Case> {};

TEST_P(DqnGradient, OfTheLossAgrees) {
  const std::unique_ptr<Env> env = make_bit_flip({.bits = 4});
  DqnConfig c;
  c.gamma = 0.9;
  c.double_q = GetParam().double_q;
  c.huber_delta = GetParam().huber_delta;
  c.clip_targets = GetParam().clip_targets;
  c.q.hidden = {6, 5};
  c.q.activation = Activation::tanh;
  Dqn dqn(env->spec(), c, Rng(1));
  for (Parameter* p : dqn.parameters())  // now the target network is another one
    p->value += random_matrix(p->value.rows(), p->value.cols(), 2);

  Batch batch(env->spec(), 9, Scalar(0.9));
  batch.s = random_matrix(8, 9, 3);
  batch.s2 = random_matrix(8, 9, 4);
  batch.a = matrix({{0, 1, 2, 3, 0, 1, 2, 3, 0}});
  batch.r = random_matrix(1, 9, 5, -2, 0);
  batch.discount = Scalar(0.9) * matrix({{1, 1, 0, 1, 0, 1, 1, 0, 1}});
  expect_parameter_gradient([&] { return dqn.loss(batch); }, dqn.tape(), dqn.parameters());
}
INSTANTIATE_TEST_SUITE_P(Losses, DqnGradient,
                         ::testing::Values(Case{false, 0, false}, Case{false, 0.7, false}, Case{true, 0, false},
                                           Case{true, 0.7, false}, Case{false, 0, true}, Case{true, 0.7, true}));

}  // namespace
}  // namespace goalpost::test
