// Every operation of autodiff/ops.h against central differences, at ordinary and at edge shapes.
#include "support/gradient_check.h"

namespace goalpost::test {
namespace {

using Vars = std::vector<Var>;

template <class F>
void for_each_shape(F f) {
  for (const Shape s : {Shape{3, 7}, {1, 1}, {5, 1}, {1, 5}}) {
    SCOPED_TRACE(::testing::Message() << s.rows << "x" << s.cols);
    f(s);
  }
}

// op(x), x uniform in [low, high)
template <class Op>
void check_unary(Op op, double low = -2, double high = 2) {
  for_each_shape([&](Shape s) {
    expect_gradient([&](Tape&, const Vars& x) { return op(x[0]); }, {random_matrix(s.rows, s.cols, 1, low, high)}, s);
  });
}

template <class Op>
void check_binary(Op op) {
  for_each_shape([&](Shape s) {
    expect_gradient([&](Tape&, const Vars& x) { return op(x[0], x[1]); },
                    {random_matrix(s.rows, s.cols, 1), random_matrix(s.rows, s.cols, 2)}, s);
  });
}

TEST(OpsGradient, SumOfTwo) {
  check_binary([](Var a, Var b) { return a + b; });
}
TEST(OpsGradient, DifferenceOfTwo) {
  check_binary([](Var a, Var b) { return a - b; });
}
TEST(OpsGradient, ProductOfTwo) {
  check_binary([](Var a, Var b) { return a * b; });
}
TEST(OpsGradient, MinimumOfTwo) {
  check_binary([](Var a, Var b) { return min(a, b); });
}
TEST(OpsGradient, OneByOneScalesFromTheLeft) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return x[0] * x[1]; },
                    {random_matrix(1, 1, 1), random_matrix(s.rows, s.cols, 2)}, s);
  });
}
TEST(OpsGradient, OneByOneScalesFromTheRight) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return x[0] * x[1]; },
                    {random_matrix(s.rows, s.cols, 2), random_matrix(1, 1, 1)}, s);
  });
}
TEST(OpsGradient, NumberAddedFromTheRight) {
  check_unary([](Var x) { return x + 3; });
}
TEST(OpsGradient, NumberAddedFromTheLeft) {
  check_unary([](Var x) { return 3 + x; });
}
TEST(OpsGradient, NumberSubtracted) {
  check_unary([](Var x) { return x - 3; });
}
TEST(OpsGradient, SubtractedFromANumber) {
  check_unary([](Var x) { return 3 - x; });
}
TEST(OpsGradient, MultipleByANumber) {
  check_unary([](Var x) { return 2.5 * x; });
}
TEST(OpsGradient, Negation) {
  check_unary([](Var x) { return -x; });
}
TEST(OpsGradient, Square) {
  check_unary([](Var x) { return square(x); });
}
TEST(OpsGradient, Exp) {
  check_unary([](Var x) { return exp(x); });
}
TEST(OpsGradient, Log) {
  check_unary([](Var x) { return log(x); }, 0.2, 4);
}
TEST(OpsGradient, Tanh) {
  check_unary([](Var x) { return tanh(x); });
}
TEST(OpsGradient, Relu) {
  check_unary([](Var x) { return relu(x); });
}
TEST(OpsGradient, Softplus) {
  check_unary([](Var x) { return softplus(x); }, -8, 8);
}
TEST(OpsGradient, Clamp) {
  check_unary([](Var x) { return clamp(x, -0.7, 0.4); });
}
TEST(OpsGradient, HuberInBothItsParts) {
  check_unary([](Var x) { return huber(x, 0.8); });
}
TEST(OpsGradient, SumOfAResultWithItself) {
  check_unary([](Var x) {
    Var y = square(x);
    return y * y + y;
  });
}
TEST(OpsGradient, ProductOfAVarWithItself) {
  check_unary([](Var x) { return x * x; });
}

TEST(OpsGradient, Mean) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return mean(x[0]); }, {random_matrix(s.rows, s.cols, 3)}, {1, 1});
  });
}
TEST(OpsGradient, Sum) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return sum(x[0]); }, {random_matrix(s.rows, s.cols, 3)}, {1, 1});
  });
}
TEST(OpsGradient, SumOfRows) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return sum_rows(x[0]); }, {random_matrix(s.rows, s.cols, 3)},
                    {1, s.cols});
  });
}
TEST(OpsGradient, MaximumOfRows) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return max_rows(x[0]); }, {random_matrix(s.rows, s.cols, 3)},
                    {1, s.cols});
  });
}
TEST(OpsGradient, SelectedRows) {
  for_each_shape([](Shape s) {
    Matrix row(1, s.cols);
    for (Index j = 0; j < s.cols; ++j) row(0, j) = Scalar((2 * j + 1) % s.rows);
    expect_gradient([&](Tape&, const Vars& x) { return select_rows(x[0], row); }, {random_matrix(s.rows, s.cols, 3)},
                    {1, s.cols});
  });
}
TEST(OpsGradient, SelectedRowsAreThoseOfTheForwardPassEvenIfTheIndicesChangeAfterwards) {
  Tape tape;
  Matrix x = random_matrix(3, 2, 1), dx = Matrix::Zero(3, 2), row = matrix({{2, 0}});
  const Var loss = sum(select_rows(tape.leaf(x, dx), row));
  row.setOnes();
  tape.backward(loss);
  EXPECT_EQ(dx, matrix({{0, 1}, {0, 0}, {1, 0}}));
}
TEST(OpsGradient, ArgmaxIsAConstant) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return argmax_rows(x[0]) * sum_rows(x[0]) + sum_rows(x[0]); },
                    {random_matrix(s.rows, s.cols, 3)}, {1, s.cols});
  });
}

TEST(OpsGradient, Concatenation) {
  for_each_shape([](Shape s) {
    expect_gradient([](Tape&, const Vars& x) { return concat(x[0], x[1]); },
                    {random_matrix(s.rows, s.cols, 4), random_matrix(2, s.cols, 5)}, {s.rows + 2, s.cols});
  });
}
TEST(OpsGradient, ConcatenationWithItself) {
  check_unary([](Var x) { return slice_rows(concat(x, square(x)), x.rows(), x.rows()); });
}
TEST(OpsGradient, SlicesOfRowsThatOverlap) {
  expect_gradient([](Tape&, const Vars& x) { return slice_rows(x[0], 0, 3) * slice_rows(x[0], 2, 3); },
                  {random_matrix(5, 4, 6)}, {3, 4});
  expect_gradient([](Tape&, const Vars& x) { return slice_rows(x[0], 0, 1); }, {random_matrix(1, 1, 6)}, {1, 1});
}
TEST(OpsGradient, NormalDrawsAreConstants) {
  for_each_shape([](Shape s) {
    expect_gradient(
        [s](Tape& tape, const Vars& x) {
          Rng rng(7);  // the same draws in each evaluation
          return x[0] * normal(tape, s.rows, s.cols, 0.5, 2, rng);
        },
        {random_matrix(s.rows, s.cols, 6)}, s);
  });
}

struct DenseSize {
  Index out, in, batch;
};
class DenseGradient : public ::testing::TestWithParam<Activation> {};

TEST_P(DenseGradient, AgreesAtOrdinaryAndEdgeSizes) {
  for (const DenseSize n : {DenseSize{5, 3, 7}, {1, 1, 1}, {4, 3, 1}, {1, 3, 6}, {9, 1, 2}}) {
    SCOPED_TRACE(::testing::Message() << n.out << "x" << n.in << " on " << n.batch << " columns");
    expect_gradient([](Tape&, const Vars& v) { return dense(v[0], v[1], v[2], GetParam()); },
                    {random_matrix(n.out, n.in, 1), random_matrix(n.out, 1, 2), random_matrix(n.in, n.batch, 3)},
                    {n.out, n.batch});
  }
}
TEST_P(DenseGradient, AgreesWhenTheSameWeightsAreUsedTwice) {
  expect_gradient(
      [](Tape&, const Vars& v) { return dense(v[0], v[1], dense(v[0], v[1], v[2], GetParam()), GetParam()); },
      {random_matrix(4, 4, 1), random_matrix(4, 1, 2), random_matrix(4, 3, 3)}, {4, 3});
}
// Whose gradients arrive before and after that of the layer.
TEST_P(DenseGradient, AgreesWhenTheInputHasOtherUsers) {
  expect_gradient(
      [](Tape&, const Vars& v) {
        Var x = exp(v[2]), before = square(x);
        Var y = dense(v[0], v[1], x, GetParam());
        return before + y + exp(x);
      },
      {random_matrix(4, 4, 1), random_matrix(4, 1, 2), random_matrix(4, 3, 3)}, {4, 3});
}
INSTANTIATE_TEST_SUITE_P(Activations, DenseGradient,
                         ::testing::Values(Activation::identity, Activation::relu, Activation::tanh));

TEST(OpsGradient, LayerNorm) {
  for (const Shape s : {Shape{4, 5}, {1, 1}, {6, 1}, {1, 4}, {2, 3}}) {
    SCOPED_TRACE(::testing::Message() << s.rows << "x" << s.cols);
    expect_gradient([](Tape&, const Vars& v) { return layer_norm(v[0], v[1], v[2], 1e-2); },
                    {random_matrix(s.rows, s.cols, 1), random_matrix(s.rows, 1, 2), random_matrix(s.rows, 1, 3)}, s);
  }
}

}  // namespace
}  // namespace goalpost::test
