#include "autodiff/gemm.h"

#include "support/matrices.h"

namespace goalpost::test {
namespace {

// The definition, summed in double.
Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows(), b.cols());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < b.cols(); ++j) {
      double sum = 0;
      for (Index k = 0; k < a.cols(); ++k) sum += static_cast<double>(a(i, k)) * static_cast<double>(b(k, j));
      out(i, j) = Scalar(sum);
    }
  return out;
}

struct Sizes {
  Index m, k, n;
};
class Gemm : public ::testing::TestWithParam<Sizes> {
 protected:
  Matrix a_ = random_matrix(GetParam().m, GetParam().k, 1), b_ = random_matrix(GetParam().k, GetParam().n, 2);
  Matrix start_ = random_matrix(GetParam().m, GetParam().n, 3);
};

TEST_P(Gemm, GivesTheProduct) {
  Matrix out = start_;
  gemm(a_, b_, out);
  expect_close(out, product(a_, b_), 1e-5);
}
TEST_P(Gemm, GivesTheProductOfATransposedLeftFactor) {
  Matrix out = start_;
  gemm_tn(Matrix(a_.transpose()), b_, out);
  expect_close(out, product(a_, b_), 1e-5);
}
TEST_P(Gemm, GivesTheProductOfATransposedRightFactor) {
  Matrix out = start_;
  gemm_nt(a_, Matrix(b_.transpose()), out);
  expect_close(out, product(a_, b_), 1e-5);
}
TEST_P(Gemm, AddsWhenAsked) {
  const Matrix expected = start_ + product(a_, b_);
  Matrix one = start_, two = start_, three = start_;
  gemm(a_, b_, one, true);
  gemm_tn(Matrix(a_.transpose()), b_, two, true);
  gemm_nt(a_, Matrix(b_.transpose()), three, true);
  expect_close(one, expected, 1e-5);
  expect_close(two, expected, 1e-5);
  expect_close(three, expected, 1e-5);
}
TEST_P(Gemm, RepeatsItsBits) {
  Matrix one = start_, two = start_;
  gemm(a_, b_, one);
  gemm(a_, b_, two);
  EXPECT_TRUE(same_bits(one, two));
}
INSTANTIATE_TEST_SUITE_P(Sizes, Gemm,
                         ::testing::Values(Sizes{1, 1, 1}, Sizes{7, 5, 3}, Sizes{1, 9, 4}, Sizes{6, 1, 5},
                                           Sizes{8, 16, 1}, Sizes{33, 70, 65}, Sizes{256, 300, 128}));

TEST(GemmErrors, NameAllThreeShapes) {
  Matrix out(2, 2);
  EXPECT_THROW_MESSAGE(gemm(Matrix::Ones(2, 3), Matrix::Ones(4, 2), out), std::invalid_argument,
                       "gemm: the factors are 2x3 and 4x2 (as multiplied) and out is 2x2");
  EXPECT_THROW_MESSAGE(gemm(Matrix::Ones(3, 3), Matrix::Ones(3, 2), out), std::invalid_argument,
                       "gemm: the factors are 3x3 and 3x2 (as multiplied) and out is 2x2");
  EXPECT_THROW_MESSAGE(gemm_tn(Matrix::Ones(2, 3), Matrix::Ones(4, 2), out), std::invalid_argument,
                       "gemm_tn: the factors are 3x2 and 4x2");
  EXPECT_THROW_MESSAGE(gemm_nt(Matrix::Ones(2, 3), Matrix::Ones(2, 4), out), std::invalid_argument,
                       "gemm_nt: the factors are 2x3 and 4x2");
}

}  // namespace
}  // namespace goalpost::test
