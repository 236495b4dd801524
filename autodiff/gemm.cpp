#include "autodiff/gemm.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "autodiff/kernels.h"
#include "core/check.h"
#include "core/parallel.h"

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

constexpr Index kNarrow = 8;           // rows; more than half of a register would be empty
constexpr double kWorthAThread = 2e6;  // operations; with fewer, another core's cache costs more than it gives

const kernels::Kernels* const kernel_set = kernels::best();

// Scratch of the calling thread, at least so large; what was in it is lost.
float* scratch(Index size) {
  thread_local std::vector<float> memory;
  if (static_cast<Index>(memory.size()) < size) memory.resize(static_cast<std::size_t>(size));
  return memory.data();
}

// So many columns of a product are worth a thread.
Index least_columns(Index m, Index k) { return 1 + static_cast<Index>(kWorthAThread / (2.0 * double(m * k + 1))); }

void run(const kernels::Product& whole) {
  in_parts(whole.n, 8, least_columns(whole.m, whole.k), [&](Index first, Index count) {
    kernels::Product p = whole;
    p.b += first * p.b_column;
    p.c += first * p.ldc;
    p.n = count;
    kernel_set->product(p);
  });
}

void run(const kernels::DotProduct& whole) {
  in_parts(whole.n, 8, least_columns(whole.m, whole.k), [&](Index first, Index count) {
    kernels::DotProduct p = whole;
    p.b += first * p.ldb;
    p.c += first * p.ldc;
    p.n = count;
    kernel_set->dot_product(p);
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
  if (kernel_set == nullptr) return false;
  const Index m = a.rows(), k = a.cols();
  if (m <= kNarrow && !add) {
    float* at = scratch(m * k);  // [k x m]
    kernel_set->transpose(a.data(), a.outerStride(), m, k, at, k);
    run(kernels::DotProduct{at, k, b.data(), b.outerStride(), out.data(), out.outerStride(), m, b.cols(), k, bias,
                            relu});
  } else {
    run(kernels::Product{a.data(), a.outerStride(), b.data(), 1, b.outerStride(), out.data(), out.outerStride(), m,
                         b.cols(), k, add, bias, relu});
  }
  return true;
}

[[maybe_unused]] bool fast_tn(FloatsIn a, FloatsIn b, FloatsOut out, bool add) {
  if (kernel_set == nullptr) return false;
  const Index m = a.cols(), k = a.rows();
  if (m <= kNarrow && !add) {
    run(kernels::DotProduct{a.data(), a.outerStride(), b.data(), b.outerStride(), out.data(), out.outerStride(), m,
                            b.cols(), k, nullptr, false});
    return true;
  }
  in_parts(b.cols(), 8, least_columns(m, k), [&](Index first, Index count) {
    float* at = scratch(m * k);  // [m x k]; each thread makes its own, which is cheaper than to wait for one
    kernel_set->transpose(a.data(), a.outerStride(), k, m, at, m);
    kernel_set->product({at, m, b.data() + first * b.outerStride(), 1, b.outerStride(),
                         out.data() + first * out.outerStride(), out.outerStride(), m, count, k, add, nullptr, false});
  });
  return true;
}

[[maybe_unused]] bool fast_nt(FloatsIn a, FloatsIn b, FloatsOut out, bool add) {
  if (kernel_set == nullptr) return false;
  const Index m = a.rows(), n = b.rows(), k = a.cols();
  if (m <= kNarrow && n > m) {   // (b aᵀ)ᵀ
    float* ct = scratch(m * n);  // [n x m]
    kernel_set->product(
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

const char* gemm_kernels() {
  return std::is_same_v<Scalar, float> && kernel_set != nullptr ? kernel_set->name : "Eigen";
}

}  // namespace goalpost
