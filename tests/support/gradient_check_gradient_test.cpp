// The gradient check must itself notice what is wrong.
#include "support/gradient_check.h"

#include <gtest/gtest-spi.h>

namespace goalpost::test {
namespace {

// x², with 3 x as its derivative
Var wrong_square(Tape& tape, const std::vector<Var>& in) {
  const Var x = in[0];
  Var y = tape.result("wrong_square", x.rows(), x.cols(), {x});
  y.value() = x.value().array().square();
  y.on_backward([=] { x.accumulate(3 * x.value().array() * y.grad().array()); });
  return y;
}
Var right_square(Tape&, const std::vector<Var>& in) { return square(in[0]); }
// Another result at each call.
Var restless(Tape&, const std::vector<Var>& in) {
  static double calls = 0;
  return in[0] + 1e-12 * ++calls;
}
const Matrix kHalf = Matrix::Constant(1, 1, 0.5);

TEST(GradientCheck, NoticesAWrongRule) {
  EXPECT_NONFATAL_FAILURE(expect_gradient(wrong_square, {kHalf}),
                          "input 0, entry (0, 0) = 0.5: analytic 1.5, numeric 1");
}
TEST(GradientCheck, NoticesAnotherShape) {
  EXPECT_NONFATAL_FAILURE(expect_gradient(right_square, {Matrix::Ones(2, 1)}, {1, 1}), "rows of the value");
}
TEST(GradientCheck, NoticesAValueThatDoesNotRepeat) {
  ::testing::TestPartResultArray failures;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(&failures);
    expect_gradient(restless, {kHalf});
  }
  ASSERT_GT(failures.size(), 0);
  EXPECT_THAT(failures.GetTestPartResult(0).message(), ::testing::HasSubstr("the value of a second evaluation is"));
}
TEST(GradientCheck, NoticesALossThatIgnoresItsParameters) {
  static Tape tape;
  static Parameter p("p", 1, 1);
  EXPECT_NONFATAL_FAILURE(expect_parameter_gradient([] { return tape.constant(kHalf); }, tape, {&p}),
                          "every gradient is zero");
}

}  // namespace
}  // namespace goalpost::test
