// The only matrix products of the library: backend, blocking and threads are decided here and nowhere else.
// Floats go through kernels.h where the processor has them, everything else through Eigen. The bits do not depend on
// the number of threads.
#pragma once

#include "core/matrix.h"

namespace goalpost {

/// out = a b, or out += a b with add. @shape a [m x k], b [k x n] -> out [m x n]
/// @throws std::invalid_argument if the shapes do not fit
/// @alloc none after the first call with these shapes
void gemm(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add = false);
/// out (+)= aᵀ b. @shape a [k x m], b [k x n] -> out [m x n]
void gemm_tn(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add = false);
/// out (+)= a bᵀ. @shape a [m x k], b [n x k] -> out [m x n]
void gemm_nt(ConstMatrixRef a, ConstMatrixRef b, MatrixRef out, bool add = false);
/// out = a b + bias (to every column), with relu max(0, a b + bias). @shape bias [m]
void gemm_bias(ConstMatrixRef a, ConstMatrixRef b, ConstVectorRef bias, bool relu, MatrixRef out);

/// The set of kernels in use, e.g. "AVX-512"; "Eigen" if there is none for this processor.
const char* gemm_kernels();

}  // namespace goalpost
