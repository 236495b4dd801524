// The only matrix products of the library: backend, blocking and threads are decided here and nowhere else.
// Floats go through kernels.h where the processor has them, everything else through Eigen. The bits do not depend on
// the number of threads.
#pragma once

#include <array>

#include "core/config.h"
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

/// What the factors of large products (no side shorter than 32) are rounded to before they are multiplied. Sums,
/// results, weights, and all that is no product, are float32.
enum class Precision : int {
  float32,
  bfloat16x3,  ///< two bfloat16 numbers for each factor and three products for each: relative error about 1e-5
  bfloat16,    ///< 8 bits of each factor
};
inline constexpr std::array kPrecisionNames = {"float32", "bfloat16x3", "bfloat16"};
constexpr EnumNames enum_names(Precision) { return kPrecisionNames; }

bool has_precision(Precision precision);
/// float32 at the start. All threads see it.
/// @throws UsageError if this processor lacks the instructions; the sentence names them
void set_precision(Precision precision);

/// The set of kernels in use, e.g. "AVX-512"; "Eigen" if there is none for this processor.
const char* gemm_kernels();
/// Whether a part of a product's rows or columns has the bits that it has in the whole product. Not so with Eigen,
/// whose order of summation depends on how many rows and columns it is given: such products are not divided among
/// threads.
bool products_divide();

}  // namespace goalpost
