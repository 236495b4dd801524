// The only matrix products of the library: backend, blocking and threads are chosen here and nowhere else.
// Products of floats use kernels.h if the processor supports it, all others Eigen. The bits do not depend on the number
// of threads.
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

/// Precision to which the factors of large products (no side shorter than 32) are rounded. Sums, results, weights and
/// all other operations are float32.
enum class Precision : int {
  float32,
  bfloat16x3,  ///< two bfloat16 numbers for each factor and three products for each: relative error about 1e-5
  bfloat16,    ///< 8 bits of each factor
};
inline constexpr std::array kPrecisionNames = {"float32", "bfloat16x3", "bfloat16"};
constexpr EnumNames enum_names(Precision) { return kPrecisionNames; }

bool has_precision(Precision precision);
/// Applies to all threads; float32 at the start.
/// @throws UsageError if this processor lacks the instructions, which the message names
void set_precision(Precision precision);
/// While it lives, products have this precision, in all threads. @throws UsageError as set_precision
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Precision before_;
};

/// The set of kernels in use, e.g. "AVX-512"; "Eigen" if there is none for this processor.
const char* gemm_kernels();
/// Whether rows or columns of a product that are computed alone have the same bits as in the whole product. False with
/// Eigen, whose order of summation depends on the shape: its products are not divided among threads.
bool products_divide();

}  // namespace goalpost
