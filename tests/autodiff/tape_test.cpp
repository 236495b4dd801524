#include "autodiff/tape.h"

#include "autodiff/ops.h"
#include "support/matrices.h"

namespace goalpost::test {
namespace {

TEST(Tape, BackwardAddsIntoTheGradientOfALeaf) {
  Tape tape;
  Matrix x = matrix({{3, -1}}), dx = matrix({{10, 20}});
  tape.backward(sum(square(tape.leaf(x, dx))));
  EXPECT_EQ(dx, matrix({{16, 18}}));
}

TEST(Tape, ALeafUsedThriceReceivesThreeContributions) {
  Tape tape;
  Matrix x = matrix({{2}}), dx = Matrix::Zero(1, 1);
  const Var v = tape.leaf(x, dx);
  tape.backward(v * v * v);
  EXPECT_EQ(dx(0, 0), 12);
}

TEST(Tape, OneMatrixMayBeALeafTwice) {
  Tape tape;
  Matrix x = matrix({{2}}), dx = Matrix::Zero(1, 1);
  tape.backward(tape.leaf(x, dx) * tape.leaf(x, dx));
  EXPECT_EQ(dx(0, 0), 4);
}

TEST(Tape, ABranchThatDoesNotReachTheLossGivesNoGradient) {
  Tape tape;
  Matrix x = matrix({{2}}), dx = Matrix::Zero(1, 1), y = matrix({{5}}), dy = Matrix::Zero(1, 1);
  const Var a = tape.leaf(x, dx), b = tape.leaf(y, dy);
  const Var unused = a * b;
  tape.backward(square(a));
  EXPECT_EQ(unused.item(), 10);
  EXPECT_EQ(dx(0, 0), 4);
  EXPECT_EQ(dy(0, 0), 0);
}

TEST(Tape, AConstantIsACopyAndAnAliasIsNot) {
  Tape tape;
  Matrix x = matrix({{1, 2}});
  const Var copy = tape.constant(x), alias = tape.alias(x);
  x(0, 0) = 7;
  EXPECT_EQ(copy.value()(0, 0), 1);
  EXPECT_EQ(alias.value()(0, 0), 7);
  EXPECT_EQ(alias.value().data(), x.data());
  EXPECT_FALSE(copy.needs_grad());
  EXPECT_FALSE(alias.needs_grad());
}

TEST(Tape, ALossOfConstantsHasNothingToDoBackward) {
  Tape tape;
  const Var loss = mean(square(tape.constant(matrix({{1, 2}}))));
  EXPECT_FALSE(loss.needs_grad());
  EXPECT_NO_THROW(tape.backward(loss));
}

TEST(Tape, NothingInsideNoGradReceivesAGradient) {
  Tape tape;
  Matrix x = matrix({{3}}), dx = Matrix::Zero(1, 1);
  const Var v = tape.leaf(x, dx);
  Var target;
  {
    const Tape::NoGrad outer(tape);
    {
      const Tape::NoGrad inner(tape);
      target = square(v);
    }
    EXPECT_FALSE(square(v).needs_grad()) << "the inner scope must not switch recording on";
  }
  EXPECT_FALSE(target.needs_grad());
  EXPECT_TRUE(square(v).needs_grad());
  tape.backward(v * target);
  EXPECT_EQ(dx(0, 0), 9);
}

TEST(Tape, RewindForgetsEveryNode) {
  Tape tape;
  Matrix x = matrix({{3}}), dx = Matrix::Zero(1, 1);
  for (int pass = 0; pass < 3; ++pass) {
    tape.rewind();
    EXPECT_EQ(tape.size(), 0u);
    dx.setZero();
    tape.backward(square(tape.leaf(x, dx)));
    EXPECT_EQ(tape.size(), 2u);
    EXPECT_EQ(dx(0, 0), 6);
  }
}

TEST(Tape, ReusesItsMemoryAfterRewind) {
  Tape tape;
  const Matrix x = Matrix::Ones(100, 100);
  const Scalar* first = tape.constant(x).value().data();
  tape.constant(x);
  tape.rewind();
  EXPECT_EQ(tape.constant(x).value().data(), first);
}

TEST(Tape, ScratchIsNoNode) {
  Tape tape;
  MatrixMap scratch = tape.scratch(3, 2);
  scratch.setOnes();
  EXPECT_EQ(scratch.size(), 6);
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Tape, ItemNeedsAOneByOne) {
  Tape tape;
  EXPECT_THROW_MESSAGE(tape.constant(Matrix::Ones(1, 2)).item(), std::invalid_argument,
                       "Var::item: the value is 1x2; expected 1x1");
}

TEST(Tape, BackwardNeedsAOneByOne) {
  Tape tape;
  EXPECT_THROW_MESSAGE(tape.backward(tape.constant(Matrix::Ones(1, 2))), std::invalid_argument,
                       "Tape::backward: the loss is 1x2; expected 1x1, e.g. a mean");
}

TEST(Tape, LeafNeedsAGradientOfItsShape) {
  Tape tape;
  Matrix x = Matrix::Ones(2, 3), dx = Matrix::Zero(3, 2);
  EXPECT_THROW_MESSAGE(tape.leaf(x, dx), std::invalid_argument, "Tape::leaf: the value is 2x3 but its gradient 3x2");
}

TEST(Tape, AliasAndLeafNeedContiguousColumns) {
  Tape tape;
  Matrix x = Matrix::Ones(4, 3), dx = Matrix::Zero(2, 3);
  EXPECT_THROW_MESSAGE(tape.alias(x.topRows(2)), std::invalid_argument,
                       "Tape::alias: the matrix has gaps between its columns; expected contiguous columns");
  EXPECT_THROW_MESSAGE(tape.leaf(x.topRows(2), dx), std::invalid_argument, "Tape::leaf: value or gradient has gaps");
}

TEST(Tape, ASingleColumnOfALargerMatrixMayBeALeaf) {
  Tape tape;
  Matrix x = Matrix::Ones(4, 3), dx = Matrix::Zero(4, 3);
  tape.backward(sum(square(tape.leaf(x.col(1), dx.col(1)))));
  EXPECT_EQ(dx.sum(), 8);
  tape.rewind();
  EXPECT_NO_THROW(tape.leaf(x.block(0, 1, 2, 1), dx.block(0, 1, 2, 1)));
}

TEST(Tape, VarsOfTwoTapesDoNotMix) {
  Tape one, two;
  EXPECT_THROW_MESSAGE(one.constant(Matrix::Ones(1, 1)) + two.constant(Matrix::Ones(1, 1)), std::invalid_argument,
                       "+: the inputs lie on different tapes");
}

TEST(Tape, ANonFiniteLossLeavesTheGradientsAsTheyWere) {
  Tape tape;
  Matrix x = matrix({{-1}}), dx = matrix({{5}});
  EXPECT_THROW(tape.backward(log(tape.leaf(x, dx))), NumericsError);
  EXPECT_EQ(dx(0, 0), 5);
}

#ifndef NDEBUG
TEST(TapeDeathTest, AVarUsedAfterRewindStopsTheProgram) {
  Tape tape;
  const Var x = tape.constant(Matrix::Ones(1, 1));
  tape.rewind();
  EXPECT_DEATH(x.item(), "a Var used after its tape was rewound");
}
TEST(TapeDeathTest, AnEmptyVarStopsTheProgram) { EXPECT_DEATH(Var().rows(), "an empty Var"); }
#endif

}  // namespace
}  // namespace goalpost::test
