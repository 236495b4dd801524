// The kernels, written once for vectors V of any width. Included by kernels_<instruction set>.cpp only.
//
// V has: width, Register, Mask; load(p), load(p, mask), store(p, x, mask), broadcast(p), zero(), multiply_add(a, b, c),
// add(a, b), max(a, b), first(count) -> Mask, sum(x); rows, columns: the registers of a tile.
#include "autodiff/kernels.h"

namespace goalpost::kernels {
namespace {

using Size = std::ptrdiff_t;

// Rows [i, i + R widths) and columns [j, j + N) of C in R x N registers; the last register's rows are masked.
template <class V, int R, int N>
[[gnu::always_inline]] inline void tile(const Product& p, Size i, Size j, typename V::Mask last) {
  typename V::Register c[R][N];
  const float* a = p.a + i;
  const float* b = p.b + j * p.b_column;
  const auto full = V::first(V::width);
  const auto mask = [&](int r) __attribute__((always_inline)) { return r == R - 1 ? last : full; };
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    const auto start = p.bias != nullptr ? V::load(p.bias + i + r * V::width, mask(r)) : V::zero();
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) c[r][n] = start;
  }
  for (Size k = 0; k < p.k; ++k) {
    typename V::Register x[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) x[r] = r == R - 1 ? V::load(a + r * V::width, last) : V::load(a + r * V::width);
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      const auto y = V::broadcast(b + n * p.b_column);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) c[r][n] = V::multiply_add(x[r], y, c[r][n]);
    }
    a += p.lda;
    b += p.b_row;
  }
#pragma GCC unroll 16
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      float* to = p.c + (j + n) * p.ldc + i + r * V::width;
      auto value = c[r][n];
      if (p.add) value = V::add(V::load(to, mask(r)), value);
      if (p.relu) value = V::max(V::zero(), value);  // the second operand if either is NaN
      V::store(to, value, mask(r));
    }
  }
}

template <class V, int R>
void rows(const Product& p, Size i, typename V::Mask last) {
  Size j = 0;
  for (; j + V::columns <= p.n; j += V::columns) tile<V, R, V::columns>(p, i, j, last);
  for (; j + 2 <= p.n; j += 2) tile<V, R, 2>(p, i, j, last);
  for (; j < p.n; ++j) tile<V, R, 1>(p, i, j, last);
}

// R registers of rows at a time, as many as a tile takes, but 2 and 2 instead of 3 and 1: a tile of one register loads
// more than it multiplies.
template <class V>
void product(const Product& p) {
  constexpr int width = V::width;
  const auto full = V::first(width);
  for (Size i = 0; i < p.m;) {
    const Size left = p.m - i, registers = (left + width - 1) / width;
    const Size take = registers > V::rows && registers != V::rows + 1 ? V::rows : registers > V::rows ? 2 : registers;
    const auto last = take == registers ? V::first(static_cast<int>(left - (registers - 1) * width)) : full;
    if (take == 1) rows<V, 1>(p, i, last);
    if (take == 2) rows<V, 2>(p, i, last);
    if constexpr (V::rows >= 3)
      if (take == 3) rows<V, 3>(p, i, last);
    i += take * width;
  }
}

template <class V, int M, int N>
[[gnu::always_inline]] inline void dot_tile(const DotProduct& p, Size i, Size j) {
  typename V::Register c[M][N];
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) c[m][n] = V::zero();
  for (Size k = 0; k < p.k; k += V::width) {
    const auto mask = V::first(static_cast<int>(p.k - k < V::width ? p.k - k : V::width));
    typename V::Register x[M];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) x[m] = V::load(p.a + (i + m) * p.lda + k, mask);
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      const auto y = V::load(p.b + (j + n) * p.ldb + k, mask);
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) c[m][n] = V::multiply_add(x[m], y, c[m][n]);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    const float bias = p.bias != nullptr ? p.bias[i + m] : 0;
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      const float value = V::sum(c[m][n]) + bias;
      p.c[(j + n) * p.ldc + i + m] = p.relu && value < 0 ? 0 : value;
    }
  }
}

template <class V, int M>
void dot_rows(const DotProduct& p, Size i) {
  Size j = 0;
  for (; j + 4 <= p.n; j += 4) dot_tile<V, M, 4>(p, i, j);
  for (; j < p.n; ++j) dot_tile<V, M, 1>(p, i, j);
}

template <class V>
void dot_product(const DotProduct& p) {
  Size i = 0;
  for (; i + 2 <= p.m; i += 2) dot_rows<V, 2>(p, i);
  if (i < p.m) dot_rows<V, 1>(p, i);
}

// In blocks that stay in the first-level cache.
template <class V>
void transpose(const float* from, Size ld_from, Size rows, Size cols, float* to, Size ld_to) {
  Size i = 0;
  for (; i + V::block <= rows; i += V::block) {
    Size j = 0;
    for (; j + V::block <= cols; j += V::block)
      V::transpose_block(from + j * ld_from + i, ld_from, to + i * ld_to + j, ld_to);
    for (; j < cols; ++j)
      for (Size r = i; r < i + V::block; ++r) to[r * ld_to + j] = from[j * ld_from + r];
  }
  for (; i < rows; ++i)
    for (Size j = 0; j < cols; ++j) to[i * ld_to + j] = from[j * ld_from + i];
}

template <class V>
constexpr Kernels make_kernels(const char* name) {
  return {name, &product<V>, &dot_product<V>, &transpose<V>};
}

}  // namespace
}  // namespace goalpost::kernels
