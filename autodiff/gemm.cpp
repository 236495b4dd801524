#include "autodiff/gemm.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "autodiff/kernels.h"
#include "core/check.h"
#include "core/thread_pool.h"

namespace goalpost {
namespace {

void check_product(const char* function, Index m, Index k, Index k2, Index n, const MatrixRef& out) {
  GP_CHECK(k == k2 && out.rows() == m && out.cols() == n, function, ": the factors are ", detail::shape(m, k), " and ",
           detail::shape(k2, n), " (as multiplied) and out is ", detail::shape(out.rows(), out.cols()),
           "; expected [m x k] [k x n] = [m x n]");
}

// ---- Eigen ----------------------------------------------------------------------------------------------------------

template <class A, class B>
void multiply(const A& a, const B& b, MatrixRef out, bool add) {
  if (add)
    out.noalias() += a * b;
  else
    out.noalias() = a * b;
}

// ---- kernels --------------------------------------------------------------------------------------------------------

using FloatsIn = const Eigen::Ref<const Eigen::MatrixXf>&;
using FloatsOut = Eigen::Ref<Eigen::MatrixXf>;

constexpr Index kNarrow = 8;           // rows; with fewer, most of a register is empty
constexpr double kWorthAThread = 2e6;  // operations; with fewer, another core costs more than it saves

// Not before main: an unknown GOALPOST_KERNELS throws.
const kernels::Kernels* kernel_set() {
  static const kernels::Kernels* const kernels = kernels::best();
  return kernels;
}

// Scratch of the calling thread, of at least this size, at the beginning of a cache line; earlier content is lost.
float* scratch(Index size) {
  constexpr std::size_t kLine = 64;
  thread_local std::vector<float> memory;
  std::size_t room = (static_cast<std::size_t>(size) + kLine / sizeof(float)) * sizeof(float);
  if (memory.size() * sizeof(float) < room) memory.resize(room / sizeof(float));
  void* begin = memory.data();
  return static_cast<float*>(std::align(kLine, static_cast<std::size_t>(size) * sizeof(float), begin, room));
}

// The number of columns of a product that is worth a thread.
Index least_columns(Index m, Index k) { return 1 + static_cast<Index>(kWorthAThread / (2.0 * double(m * k + 1))); }

void run(const kernels::Product& whole) {
  in_parts(whole.n, kPacket, least_columns(whole.m, whole.k), [&](Index first, Index count) {
    kernels::Product p = whole;
    p.b += first * p.b_column;
    p.c += first * p.ldc;
    p.n = count;
    kernel_set()->product(p);
  });
}

void run(const kernels::DotProduct& whole) {
  in_parts(whole.n, kPacket, least_columns(whole.m, whole.k), [&](Index first, Index count) {
    kernels::DotProduct p = whole;
    p.b += first * p.ldb;
    p.c += first * p.ldc;
    p.n = count;
    kernel_set()->dot_product(p);
  });
}

// ---- bfloat16 -------------------------------------------------------------------------------------------------------

constexpr Index kLeastForBfloat16 = 32;  // of every side: rounding would cost as much as it saves, and inputs of
                                         // networks keep all their digits

std::atomic<Precision> precision = Precision::float32;

bool in_bfloat16(Index m, Index n, Index k) {
  return precision.load(std::memory_order_relaxed) != Precision::float32 && std::min({m, n, k}) >= kLeastForBfloat16;
}

// A factor as it is stored: [terms of the sum x columns], or across, [columns x terms of the sum].
struct Factor {
  const float* data;
  Index stride;
  bool across;
};

// The terms of the two factors whose products are summed: of bfloat16x3 three, otherwise the first alone.
constexpr kernels::Term kOfA[] = {kernels::Term::high, kernels::Term::high, kernels::Term::low},
                        kOfB[] = {kernels::Term::high, kernels::Term::low, kernels::Term::high};

Index in_whole_tiles(Index n) { return (n + kernels::kTileSide - 1) / kernels::kTileSide * kernels::kTileSide; }

// As multiply_rounded, by a kernel that takes whole tiles.
void multiply_in_tiles(const kernels::TileKernels& kernel, const Factor& a, const Factor& b, Index n, Index k,
                       const float* bias, bool relu, FloatsOut out, bool add) {
  constexpr Index side = kernels::kTileSide;
  const Index m = out.rows(), terms = precision == Precision::bfloat16x3 ? 3 : 1;
  in_parts(n, kPacket, least_columns(m, k), [&](Index first, Index count) {
    const Index pairs = in_whole_tiles((k + 1) / 2), depth = terms * pairs;
    const Index ldb = depth + side;  // columns at powers of two would meet in few lines of the cache
    float* const tiles_a = scratch(in_whole_tiles(m) * depth + ldb * in_whole_tiles(count));
    float* const columns_b = tiles_a + in_whole_tiles(m) * depth;
    const float* const from_b = b.data + (b.across ? first : first * b.stride);
    for (Index t = 0; t < terms; ++t) {
      kernel.pack_left({a.data, a.stride, m, k, a.across, tiles_a + t * pairs * side, side * depth}, kOfA[t]);
      kernel.pack_right({from_b, b.stride, count, k, b.across, columns_b + t * pairs, ldb}, kOfB[t]);
    }
    kernel.product({tiles_a, columns_b, ldb, out.data() + first * out.outerStride(), out.outerStride(), m, count, depth,
                    add, bias, relu});
  });
}

// out = A B with A [m x k] and B [k x n] rounded to one or, as sums, to two bfloat16 numbers. Each thread rounds all of
// A and its columns of B.
void multiply_rounded(const Factor& a, const Factor& b, Index n, Index k, const float* bias, bool relu, FloatsOut out,
                      bool add) {
  if (const auto* tiles = kernels::best_for_tiles()) return multiply_in_tiles(*tiles, a, b, n, k, bias, relu, out, add);
  const kernels::PairKernels& kernel = *kernels::best_for_pairs();
  const Index m = out.rows(), terms = precision == Precision::bfloat16x3 ? 3 : 1;
  in_parts(n, kPacket, least_columns(m, k), [&](Index first, Index count) {
    const Index pairs = (k + 1) / 2, depth = terms * pairs;
    float* const rounded_a = scratch(m * depth + depth * count + pairs * m);  // [m x depth]
    float* const rounded_b = rounded_a + m * depth;                           // [depth x count], or its transpose
    float* const rows_of_a = rounded_b + depth * count;                       // [pairs x m]
    for (Index t = 0; t < terms; ++t) {
      if (a.across) {
        kernel.pair_columns(a.data, a.stride, m, k, kOfA[t], rounded_a + t * pairs * m, m);
      } else {
        kernel.pair_rows(a.data, a.stride, k, m, kOfA[t], rows_of_a, pairs);
        kernel_set()->transpose(rows_of_a, pairs, pairs, m, rounded_a + t * pairs * m, m);
      }
      if (b.across)
        kernel.pair_columns(b.data + first, b.stride, count, k, kOfB[t], rounded_b + t * pairs * count, count);
      else
        kernel.pair_rows(b.data + first * b.stride, b.stride, k, count, kOfB[t], rounded_b + t * pairs, depth);
    }
    kernel.product({rounded_a, m, rounded_b, b.across ? count : 1, b.across ? 1 : depth,
                    out.data() + first * out.outerStride(), out.outerStride(), m, count, depth, add, bias, relu});
  });
}

// The products of gemm.h by kernels; false if there are none for these numbers or this processor.
template <class... Anything>
bool fast_nn(const Anything&...) {
  return false;
}
template <class... Anything>
bool fast_tn(const Anything&...) {
  return false;
}
template <class... Anything>
bool fast_nt(const Anything&...) {
  return false;
}

[[maybe_unused]] bool fast_nn(FloatsIn a, FloatsIn b, const float* bias, bool relu, FloatsOut out, bool add) {
  if (kernel_set() == nullptr) return false;
  const Index m = a.rows(), k = a.cols();
  if (in_bfloat16(m, b.cols(), k)) {
    multiply_rounded({a.data(), a.outerStride(), true}, {b.data(), b.outerStride(), false}, b.cols(), k, bias, relu,
                     out, add);
  } else if (m <= kNarrow && !add) {
    float* at = scratch(m * k);  // [k x m]
    kernel_set()->transpose(a.data(), a.outerStride(), m, k, at, k);
    run(kernels::DotProduct{at, k, b.data(), b.outerStride(), out.data(), out.outerStride(), m, b.cols(), k, bias,
                            relu});
  } else {
    run(kernels::Product{a.data(), a.outerStride(), b.data(), 1, b.outerStride(), out.data(), out.outerStride(), m,
                         b.cols(), k, add, bias, relu});
  }
  return true;
}

[[maybe_unused]] bool fast_tn(FloatsIn a, FloatsIn b, FloatsOut out, bool add) {
  if (kernel_set() == nullptr) return false;
  const Index m = a.cols(), k = a.rows();
  if (in_bfloat16(m, b.cols(), k)) {
    multiply_rounded({a.data(), a.outerStride(), false}, {b.data(), b.outerStride(), false}, b.cols(), k, nullptr,
                     false, out, add);
    return true;
  }
  if (m <= kNarrow && !add) {
    run(kernels::DotProduct{a.data(), a.outerStride(), b.data(), b.outerStride(), out.data(), out.outerStride(), m,
                            b.cols(), k, nullptr, false});
    return true;
  }
  in_parts(b.cols(), kPacket, least_columns(m, k), [&](Index first, Index count) {
    float* at = scratch(m * k);  // [m x k]; each thread makes its own, which is cheaper than waiting
    kernel_set()->transpose(a.data(), a.outerStride(), k, m, at, m);
    kernel_set()->product({at, m, b.data() + first * b.outerStride(), 1, b.outerStride(),
                           out.data() + first * out.outerStride(), out.outerStride(), m, count, k, add, nullptr,
                           false});
  });
  return true;
}

[[maybe_unused]] bool fast_nt(FloatsIn a, FloatsIn b, FloatsOut out, bool add) {
  if (kernel_set() == nullptr) return false;
  const Index m = a.rows(), n = b.rows(), k = a.cols();
  if (in_bfloat16(m, n, k)) {
    multiply_rounded({a.data(), a.outerStride(), true}, {b.data(), b.outerStride(), true}, n, k, nullptr, false, out,
                     add);
  } else if (m <= kNarrow && n > m) {  // (b aᵀ)ᵀ
    float* ct = scratch(m * n);        // [n x m]
    kernel_set()->product(
        {b.data(), b.outerStride(), a.data(), a.outerStride(), 1, ct, n, n, m, k, false, nullptr, false});
    for (Index j = 0; j < n; ++j)
      for (Index i = 0; i < m; ++i) out(i, j) = (add ? out(i, j) : 0) + ct[i * n + j];
  } else {
    run(kernels::Product{a.data(), a.outerStride(), b.data(), b.outerStride(), 1, out.data(), out.outerStride(), m, n,
                         k, add, nullptr, false});
  }
  return true;
}

}  // namespace

void gemm(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add) {
  check_product("gemm", a.rows(), a.cols(), b.rows(), b.cols(), out);
  const Scalar* no_bias = nullptr;
  if (!fast_nn(a, b, no_bias, false, out, add)) multiply(a, b, out, add);
}

void gemm_tn(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add) {
  check_product("gemm_tn", a.cols(), a.rows(), b.rows(), b.cols(), out);
  if (!fast_tn(a, b, out, add)) multiply(a.transpose(), b, out, add);
}

void gemm_nt(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add) {
  check_product("gemm_nt", a.rows(), a.cols(), b.cols(), b.rows(), out);
  if (!fast_nt(a, b, out, add)) multiply(a, b.transpose(), out, add);
}

void gemm_bias(ConstMatrixRef a, ConstMatrixRef b, ConstVectorRef bias, bool relu, MatrixRef out) {
  check_product("gemm_bias", a.rows(), a.cols(), b.rows(), b.cols(), out);
  GP_CHECK(bias.size() == a.rows(), "gemm_bias: bias has ", bias.size(), " entries; expected ", a.rows());
  if (fast_nn(a, b, bias.data(), relu, out, false)) return;
  multiply(a, b, out, false);
  for (Index j = 0; j < out.cols(); ++j) {
    out.col(j) += bias;
    if (relu) out.col(j) = out.col(j).cwiseMax(Scalar(0));
  }
}

bool has_precision(Precision p) { return p == Precision::float32 || kernels::best_for_pairs() != nullptr; }

void set_precision(Precision p) {
  if (!has_precision(p))
    throw UsageError(std::string("train.precision = ") + enum_name(p) +
                     " needs a processor with AVX512-BF16 instructions; expected float32 on this one");
  precision = p;
}

PrecisionScope::PrecisionScope(Precision p) : before_(precision) { set_precision(p); }

PrecisionScope::~PrecisionScope() { precision = before_; }

bool products_divide() { return std::is_same_v<Scalar, float> && kernel_set() != nullptr; }

const char* gemm_kernels() { return products_divide() ? kernels::name_of_best() : "Eigen"; }

}  // namespace goalpost
