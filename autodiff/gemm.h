// The only matrix products of the library: backend, blocking and threads are decided here and nowhere else.
#pragma once

#include "core/matrix.h"

namespace goalpost {

/// out = a b, or out += a b with add. @shape a [m x k], b [k x n] -> out [m x n]
/// @throws std::invalid_argument if the shapes do not fit
/// @alloc none: packing buffers lie on the stack (EIGEN_STACK_ALLOCATION_LIMIT in meson.build)
void gemm(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add = false);
/// out (+)= aᵀ b. @shape a [k x m], b [k x n] -> out [m x n]
void gemm_tn(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add = false);
/// out (+)= a bᵀ. @shape a [m x k], b [n x k] -> out [m x n]
void gemm_nt(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add = false);

}  // namespace goalpost
