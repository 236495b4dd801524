#include "autodiff/gemm.h"

#include "core/check.h"

namespace goalpost {
namespace {

void check_product(const char* function, Index m, Index k, Index k2, Index n, const MatrixRef& out) {
  GP_CHECK(k == k2 && out.rows() == m && out.cols() == n, function, ": the factors are ", detail::shape(m, k), " and ",
           detail::shape(k2, n), " (as multiplied) and out is ", detail::shape(out.rows(), out.cols()),
           "; expected [m x k] [k x n] = [m x n]");
}

template <class A, class B>
void multiply(const A& a, const B& b, MatrixRef out, bool add) {
  if (add)
    out.noalias() += a * b;
  else
    out.noalias() = a * b;
}

}  // namespace

void gemm(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add) {
  check_product("gemm", a.rows(), a.cols(), b.rows(), b.cols(), out);
  multiply(a, b, out, add);
}

void gemm_tn(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add) {
  check_product("gemm_tn", a.cols(), a.rows(), b.rows(), b.cols(), out);
  multiply(a.transpose(), b, out, add);
}

void gemm_nt(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add) {
  check_product("gemm_nt", a.rows(), a.cols(), b.cols(), b.rows(), out);
  multiply(a, b.transpose(), out, add);
}

}  // namespace goalpost
