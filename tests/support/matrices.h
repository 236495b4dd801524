// Small helpers of the tests: seeded inputs and comparisons of whole matrices.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <string>

#include "core/check.h"
#include "core/matrix.h"
#include "core/rng.h"

namespace goalpost::test {

struct Shape {
  Index rows, cols;
};

inline Matrix random_matrix(Index rows, Index cols, std::uint64_t seed, Scalar low = -1, Scalar high = 1) {
  Matrix m(rows, cols);
  Rng(seed, 0x7e57).fill_uniform(low, high, m);
  return m;
}

/// A matrix written row by row.
inline Matrix matrix(std::initializer_list<std::initializer_list<double>> rows) {
  Matrix m(static_cast<Index>(rows.size()), static_cast<Index>(rows.begin()->size()));
  Index i = 0;
  for (const auto& row : rows) {
    Index j = 0;
    for (const double x : row) m(i, j++) = Scalar(x);
    ++i;
  }
  return m;
}

inline bool same_bits(ConstMatrixRef a, ConstMatrixRef b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (Index j = 0; j < a.cols(); ++j)
    for (Index i = 0; i < a.rows(); ++i) {
      const Scalar x = a(i, j), y = b(i, j);
      if (std::memcmp(&x, &y, sizeof x) != 0) return false;
    }
  return true;
}

/// Equal shapes, and every entry within relative * max(largest |expected|, floor).
inline void expect_close(ConstMatrixRef actual, ConstMatrixRef expected, double relative, double floor = 1e-30) {
  ASSERT_EQ(actual.rows(), expected.rows());
  ASSERT_EQ(actual.cols(), expected.cols());
  if (expected.size() == 0) return;
  const double scale = std::max(static_cast<double>(expected.cwiseAbs().maxCoeff()), floor);
  for (Index j = 0; j < actual.cols(); ++j)
    for (Index i = 0; i < actual.rows(); ++i)
      EXPECT_NEAR(actual(i, j), expected(i, j), relative * scale) << "entry (" << i << ", " << j << ")";
}

/// The statement throws an exception of this type whose message contains the text.
#define EXPECT_THROW_MESSAGE(statement, Exception, text)                                             \
  try {                                                                                              \
    statement;                                                                                       \
    ADD_FAILURE() << #statement " throws nothing; expected " #Exception " with \"" << (text) << '"'; \
  } catch (const Exception& error) {                                                                 \
    EXPECT_THAT(error.what(), ::testing::HasSubstr(text));                                           \
  }

}  // namespace goalpost::test
