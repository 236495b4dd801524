#include "autodiff/ops.h"

#include <cmath>
#include <limits>

#include "support/matrices.h"

namespace goalpost::test {
namespace {

constexpr Scalar kNaN = std::numeric_limits<Scalar>::quiet_NaN();
constexpr Scalar kInfinity = std::numeric_limits<Scalar>::infinity();

// ---- values ----

TEST(Ops, ArithmeticActsElementByElement) {
  Tape tape;
  const Var a = tape.constant(matrix({{1, -2, 3}})), b = tape.constant(matrix({{4, 0.5, -1}}));
  EXPECT_EQ((a + b).value(), matrix({{5, -1.5, 2}}));
  EXPECT_EQ((a - b).value(), matrix({{-3, -2.5, 4}}));
  EXPECT_EQ((a * b).value(), matrix({{4, -1, -3}}));
  EXPECT_EQ((a + 1).value(), matrix({{2, -1, 4}}));
  EXPECT_EQ((1 + a).value(), matrix({{2, -1, 4}}));
  EXPECT_EQ((a - 1).value(), matrix({{0, -3, 2}}));
  EXPECT_EQ((1 - a).value(), matrix({{0, 3, -2}}));
  EXPECT_EQ((2 * a).value(), matrix({{2, -4, 6}}));
  EXPECT_EQ((-a).value(), matrix({{-1, 2, -3}}));
  EXPECT_EQ(square(a).value(), matrix({{1, 4, 9}}));
  EXPECT_EQ(min(a, b).value(), matrix({{1, -2, -1}}));
  EXPECT_EQ(relu(a).value(), matrix({{1, 0, 3}}));
  EXPECT_EQ(clamp(a, -1, 2).value(), matrix({{1, -1, 2}}));
}

TEST(Ops, OneByOneScalesFromEitherSide) {
  Tape tape;
  const Var k = tape.constant(matrix({{-2}})), x = tape.constant(matrix({{1, 2}, {3, 4}}));
  EXPECT_EQ((k * x).value(), matrix({{-2, -4}, {-6, -8}}));
  EXPECT_EQ((x * k).value(), matrix({{-2, -4}, {-6, -8}}));
  EXPECT_EQ((k * k).value(), matrix({{4}}));
}

// math.exp, math.log, math.tanh and math.log1p(math.exp(x)) of Python, six digits or more
TEST(Ops, TranscendentalFunctionsAgreeWithPython) {
  Tape tape;
  const Var x = tape.constant(matrix({{0.5, 2, 1}}));
  expect_close(exp(x).value(), matrix({{1.6487212707, 7.3890560989, 2.7182818285}}), 1e-6);
  expect_close(log(x).value(), matrix({{-0.6931471806, 0.6931471806, 0}}), 1e-6);
  expect_close(tanh(x).value(), matrix({{0.4621171573, 0.9640275801, 0.7615941560}}), 1e-6);
  expect_close(softplus(x).value(), matrix({{0.9740769842, 2.1269280110, 1.3132616875}}), 1e-6);
}

TEST(Ops, SoftplusDoesNotOverflow) {
  Tape tape;
  const Matrix y = softplus(tape.constant(matrix({{200, -200, 0}}))).value();
  EXPECT_EQ(y(0, 0), 200);
  EXPECT_NEAR(y(0, 1), 0, 1e-30);
  EXPECT_NEAR(y(0, 2), std::log(2.0), 1e-7);
}

TEST(Ops, HuberIsQuadraticInsideAndLinearOutside) {
  Tape tape;
  // x²/2 at 0.5 and -1.5 (the bound itself), 1.5 (|x| - 0.75) at 2 and -4
  EXPECT_EQ(huber(tape.constant(matrix({{0.5, -1.5, 2, -4}})), Scalar(1.5)).value(),
            matrix({{0.125, 1.125, 1.875, 4.875}}));
}

TEST(Ops, ReductionsSumAlongTheRightDirection) {
  Tape tape;
  const Var x = tape.constant(matrix({{1, 2, 3}, {4, 5, -9}}));
  EXPECT_EQ(sum(x).item(), 6);
  EXPECT_EQ(mean(x).item(), 1);
  EXPECT_EQ(sum_rows(x).value(), matrix({{5, 7, -6}}));
  EXPECT_EQ(max_rows(x).value(), matrix({{4, 5, 3}}));
  EXPECT_EQ(argmax_rows(x).value(), matrix({{1, 1, 0}}));
  EXPECT_EQ(select_rows(x, matrix({{0, 1, 1}})).value(), matrix({{1, 5, -9}}));
}

TEST(Ops, TiesGoToTheFirst) {
  Tape tape;
  Matrix a = matrix({{1, 1}}), da = Matrix::Zero(1, 2), db = Matrix::Zero(1, 2), x = matrix({{2}, {2}}),
         dx = Matrix::Zero(2, 1);
  EXPECT_EQ(argmax_rows(tape.constant(x)).value(), matrix({{0}}));
  tape.backward(sum(min(tape.leaf(a, da), tape.leaf(a, db))));
  EXPECT_EQ(da, matrix({{1, 1}}));
  EXPECT_EQ(db, matrix({{0, 0}}));
  tape.rewind();
  tape.backward(sum(max_rows(tape.leaf(x, dx))));
  EXPECT_EQ(dx, matrix({{1}, {0}}));
}

TEST(Ops, ReluHasNoGradientAtZero) {
  Tape tape;
  Matrix x = matrix({{0, -1, 1}}), dx = Matrix::Zero(1, 3);
  tape.backward(sum(relu(tape.leaf(x, dx))));
  EXPECT_EQ(dx, matrix({{0, 0, 1}}));
}

TEST(Ops, ShapesAreJoinedAndCut) {
  Tape tape;
  const Var a = tape.constant(matrix({{1, 2}})), b = tape.constant(matrix({{3, 4}, {5, 6}}));
  EXPECT_EQ(concat(a, b).value(), matrix({{1, 2}, {3, 4}, {5, 6}}));
  EXPECT_EQ(slice_rows(concat(a, b), 1, 2).value(), b.value());
  EXPECT_EQ(slice_rows(b, 1, 0).rows(), 0);
}

TEST(Ops, NormalDrawsComeFromTheGeneratorAlone) {
  Tape tape;
  Rng a(3), b(3);
  Matrix expected(2, 3);
  b.fill_normal(1, 2, expected);
  const Var y = normal(tape, 2, 3, 1, 2, a);
  EXPECT_TRUE(same_bits(y.value(), expected));
  EXPECT_FALSE(y.needs_grad());
}

// gain (x - mean) / sqrt(variance + 1e-5) + bias in plain Python; the second column is constant
TEST(Ops, LayerNormAgreesWithPython) {
  Tape tape;
  const Var x = tape.constant(matrix({{1, 3}, {-2, 3}, {0.5, 3}}));
  const Var gain = tape.constant(matrix({{2}, {0.5}, {-1}})), bias = tape.constant(matrix({{0.1}, {0}, {-0.3}}));
  expect_close(layer_norm(x, gain, bias).value(),
               matrix({{1.8779966161, 0.1}, {-0.6984986706, 0}, {-0.8079990332, -0.3}}), 1e-6);
}

// ---- dense: one fused node ----

struct Composed {
  Matrix value, dW, db, dx;
};

Var activate(Var x, Activation f) { return f == Activation::relu ? relu(x) : f == Activation::tanh ? tanh(x) : x; }

// f(W x + b) of scalings, sums and concatenations alone: each weight is a 1x1 of its own.
Composed composed_dense(Matrix W, Matrix b, Matrix x, Activation f, const Matrix& weight) {
  Tape tape;
  Composed c{{}, Matrix::Zero(W.rows(), W.cols()), Matrix::Zero(b.rows(), 1), Matrix::Zero(x.rows(), x.cols())};
  const Var input = tape.leaf(x, c.dx), ones = tape.constant(Matrix::Ones(1, x.cols()));
  const auto entry = [&](Matrix& m, Matrix& g, Index i, Index j) {
    return tape.leaf(MatrixMap(&m(i, j), 1, 1), MatrixMap(&g(i, j), 1, 1));
  };
  Var y;
  for (Index i = 0; i < W.rows(); ++i) {
    Var row = entry(b, c.db, i, 0) * ones;
    for (Index k = 0; k < W.cols(); ++k) row = row + entry(W, c.dW, i, k) * slice_rows(input, k, 1);
    y = i == 0 ? row : concat(y, row);
  }
  y = activate(y, f);
  c.value = y.value();
  tape.backward(sum(tape.constant(weight) * y));
  return c;
}

class Dense : public ::testing::TestWithParam<Activation> {};

TEST_P(Dense, FusedEqualsComposed) {
  // 11 rows: a packet and a tail, whatever the width of the processor's vectors
  Matrix W = random_matrix(11, 5, 1), b = random_matrix(11, 1, 2), x = random_matrix(5, 9, 3);
  const Matrix weight = random_matrix(11, 9, 4);
  const Composed c = composed_dense(W, b, x, GetParam(), weight);

  Tape tape;
  Matrix dW = Matrix::Zero(11, 5), db = Matrix::Zero(11, 1), dx = Matrix::Zero(5, 9);
  const Var y = dense(tape.leaf(W, dW), tape.leaf(b, db), tape.leaf(x, dx), GetParam());
  expect_close(y.value(), c.value, 1e-6);
  tape.backward(sum(tape.constant(weight) * y));
  expect_close(dW, c.dW, 1e-5);
  expect_close(db, c.db, 1e-5);
  expect_close(dx, c.dx, 1e-5);
}
INSTANTIATE_TEST_SUITE_P(Activations, Dense,
                         ::testing::Values(Activation::identity, Activation::relu, Activation::tanh));

// ---- a NaN passes through, so that it is found ----

// 35 entries: packets of every width and a scalar tail
TEST(Nan, PassesThroughRelu) {
  for (Index i = 0; i < 35; ++i) {
    Tape tape;
    Matrix x = random_matrix(35, 1, 1);
    x(i, 0) = kNaN;
    ASSERT_TRUE(std::isnan(relu(tape.constant(x)).value()(i, 0))) << "at entry " << i;
  }
}

TEST(Nan, PassesThroughDenseWithRelu) {
  for (Index i = 0; i < 35; ++i) {
    Tape tape;
    Matrix b = random_matrix(35, 1, 1);
    b(i, 0) = kNaN;
    const Var y = dense(tape.constant(random_matrix(35, 4, 2)), tape.constant(b), tape.constant(random_matrix(4, 2, 3)),
                        Activation::relu);
    ASSERT_TRUE(std::isnan(y.value()(i, 0))) << "at row " << i;
    ASSERT_TRUE(std::isnan(y.value()(i, 1))) << "at row " << i;
  }
}

TEST(Nan, PassesThroughClampSoftplusAndHuber) {
  for (Index i = 0; i < 35; ++i) {
    Tape tape;
    Matrix x = random_matrix(35, 1, 1);
    x(i, 0) = kNaN;
    ASSERT_TRUE(std::isnan(clamp(tape.constant(x), -1, 1).value()(i, 0))) << "clamp at entry " << i;
    ASSERT_TRUE(std::isnan(softplus(tape.constant(x)).value()(i, 0))) << "softplus at entry " << i;
    ASSERT_TRUE(std::isnan(huber(tape.constant(x), 1).value()(i, 0))) << "huber at entry " << i;
  }
}

TEST(Nan, PassesThroughMinFromEitherSide) {
  for (Index i = 0; i < 35; ++i) {
    Tape tape;
    Matrix x = random_matrix(35, 1, 1);
    x(i, 0) = kNaN;
    const Var good = tape.constant(random_matrix(35, 1, 2));
    ASSERT_TRUE(std::isnan(min(tape.constant(x), good).value()(i, 0))) << "first operand, entry " << i;
    ASSERT_TRUE(std::isnan(min(good, tape.constant(x)).value()(i, 0))) << "second operand, entry " << i;
  }
}

TEST(Nan, PassesThroughMaxRowsFromEveryRow) {
  for (Index i = 0; i < 5; ++i) {
    Tape tape;
    Matrix x = random_matrix(5, 1, 1);
    x(i, 0) = kNaN;
    ASSERT_TRUE(std::isnan(max_rows(tape.constant(x)).value()(0, 0))) << "in row " << i;
  }
}

TEST(Nan, ANonFiniteLossNamesTheFirstBadOperation) {
  Tape tape;
  Matrix x = matrix({{1, 4, 9}}), dx = Matrix::Zero(1, 3);
  const Var bad = log(tape.leaf(x, dx, "x") - tape.constant(matrix({{2, 1, 1}})));
  const Var loss = mean(square(relu(bad)) + 1);
  EXPECT_THROW_MESSAGE(tape.backward(loss), NumericsError, "non-finite values first appear in log [1x3]");
  EXPECT_THROW_MESSAGE(tape.backward(loss), NumericsError, "with 1 of 3 values NaN or infinite");
  EXPECT_THROW_MESSAGE(tape.backward(loss), NumericsError, "its inputs are - [1x3] in [-1, 8]");
}

TEST(Nan, AnOverflowIsNamedWithTheRangesOfAllInputs) {
  Tape tape;
  const Var a = tape.constant(matrix({{1, -2}}), "a");
  const Var b = tape.constant(Matrix::Constant(1, 2, std::numeric_limits<Scalar>::max()), "b");
  EXPECT_THROW_MESSAGE(tape.backward(sum(a * (b + b))), NumericsError, "first appear in + [1x2]");
  EXPECT_THROW_MESSAGE(tape.backward(sum(a * (b + b))), NumericsError, "its inputs are b [1x2] in [");
}

TEST(Nan, ABadInputIsNamedAsSuch) {
  Tape tape;
  const Var s = tape.constant(matrix({{1, kInfinity}, {kNaN, 0}}), "s");
  EXPECT_THROW_MESSAGE(tape.backward(mean(tanh(s) + s)), NumericsError, "non-finite values enter through s into");
}

// ---- wrong arguments ----

class OpsErrors : public ::testing::Test {
 protected:
  Var constant(Index rows, Index cols) { return tape_.constant(Matrix::Ones(rows, cols)); }
  Tape tape_;
};

TEST_F(OpsErrors, DifferentShapesDoNotAdd) {
  EXPECT_THROW_MESSAGE(constant(1, 3) + constant(3, 1), std::invalid_argument,
                       "+: the operands are 1x3 and 3x1; expected equal shapes");
  EXPECT_THROW_MESSAGE(constant(1, 1) + constant(1, 2), std::invalid_argument, "+: the operands are 1x1 and 1x2");
}
TEST_F(OpsErrors, DifferentShapesDoNotSubtract) {
  EXPECT_THROW_MESSAGE(constant(2, 3) - constant(2, 2), std::invalid_argument, "-: the operands are 2x3 and 2x2");
}
TEST_F(OpsErrors, DifferentShapesDoNotMultiply) {
  EXPECT_THROW_MESSAGE(constant(2, 3) * constant(2, 1), std::invalid_argument, "*: the operands are 2x3 and 2x1");
}
TEST_F(OpsErrors, DifferentShapesHaveNoMinimum) {
  EXPECT_THROW_MESSAGE(min(constant(2, 3), constant(1, 3)), std::invalid_argument, "min: the operands are 2x3 and 1x3");
}
TEST_F(OpsErrors, ClampNeedsALowerBoundBelowTheUpper) {
  EXPECT_THROW_MESSAGE(clamp(constant(1, 1), 2, 1), std::invalid_argument,
                       "clamp: low = 2 and high = 1; expected low <= high");
}
TEST_F(OpsErrors, HuberNeedsAPositiveDelta) {
  EXPECT_THROW_MESSAGE(huber(constant(1, 1), 0), std::invalid_argument, "huber: delta = 0; expected a positive number");
}
TEST_F(OpsErrors, NothingHasNoMean) {
  EXPECT_THROW_MESSAGE(mean(constant(0, 3)), std::invalid_argument,
                       "mean: the argument is 0x3; expected at least one entry");
}
TEST_F(OpsErrors, NoRowsHaveNoLargest) {
  EXPECT_THROW_MESSAGE(argmax_rows(constant(0, 3)), std::invalid_argument,
                       "argmax_rows: the argument is 0x3; expected at least one row");
}
TEST_F(OpsErrors, SelectRowsNeedsOneRowNumberPerColumn) {
  EXPECT_THROW_MESSAGE(select_rows(constant(2, 3), matrix({{0, 1}})), std::invalid_argument,
                       "select_rows: row is 1x2; expected 1x3");
}
TEST_F(OpsErrors, SelectRowsNeedsWholeRowNumbersInRange) {
  EXPECT_THROW_MESSAGE(select_rows(constant(2, 1), matrix({{2}})), std::invalid_argument,
                       "select_rows: row(0) = 2; expected an integer in [0, 1]");
  EXPECT_THROW_MESSAGE(select_rows(constant(2, 1), matrix({{-1}})), std::invalid_argument, "row(0) = -1");
  EXPECT_THROW_MESSAGE(select_rows(constant(2, 1), matrix({{0.5}})), std::invalid_argument, "row(0) = 0.5");
  EXPECT_THROW_MESSAGE(select_rows(constant(2, 1), matrix({{double(kNaN)}})), std::invalid_argument, "row(0) = nan");
}
TEST_F(OpsErrors, ConcatNeedsEquallyManyColumns) {
  EXPECT_THROW_MESSAGE(concat(constant(2, 3), constant(2, 4)), std::invalid_argument,
                       "concat: the operands are 2x3 and 2x4; expected equally many columns");
}
TEST_F(OpsErrors, SliceRowsStaysInside) {
  EXPECT_THROW_MESSAGE(slice_rows(constant(3, 2), 2, 2), std::invalid_argument,
                       "slice_rows: rows 2 to 4 of 3x2; expected a range inside");
  EXPECT_THROW_MESSAGE(slice_rows(constant(3, 2), -1, 2), std::invalid_argument, "slice_rows: rows -1 to 1");
}
TEST_F(OpsErrors, NormalNeedsADeviationNotBelowZero) {
  Rng rng(1);
  EXPECT_THROW_MESSAGE(normal(tape_, 1, 1, 0, -1, rng), std::invalid_argument,
                       "normal: stddev = -1; expected a number >= 0");
}
TEST_F(OpsErrors, DenseNamesBothShapes) {
  EXPECT_THROW_MESSAGE(dense(constant(4, 3), constant(4, 1), constant(2, 5), Activation::relu), std::invalid_argument,
                       "dense: W is 4x3 but x is 2x5; expected x to have 3 rows");
  EXPECT_THROW_MESSAGE(dense(constant(4, 3), constant(3, 1), constant(3, 5), Activation::relu), std::invalid_argument,
                       "dense: W is 4x3 but b is 3x1; expected b to be 4x1");
}
TEST_F(OpsErrors, LayerNormNamesAllShapes) {
  EXPECT_THROW_MESSAGE(layer_norm(constant(4, 3), constant(3, 1), constant(4, 1)), std::invalid_argument,
                       "layer_norm: x is 4x3, gain 3x1 and bias 4x1; expected gain and bias to be 4x1");
}

}  // namespace
}  // namespace goalpost::test
