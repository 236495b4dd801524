// The scalar type, the matrix types and the layout rule of the whole library.
//
// A sample is a column: a batch of states is [state x B], so W * x is the equation, a sample is contiguous in memory
// and a bias adds along contiguous memory. The bytes are those of a row-major [B x state] array elsewhere. A quantity
// per sample is its own [1 x B] matrix, never a row of a larger one: a row has stride, and binding it to a Ref copies
// and allocates.
#pragma once

#include <Eigen/Core>

namespace goalpost {

#ifdef GOALPOST_SCALAR
using Scalar = GOALPOST_SCALAR;  // double in the library that the gradient tests link
#else
using Scalar = float;
#endif

using Eigen::Index;
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
using MatrixMap = Eigen::Map<Matrix>;
using ConstMatrixMap = Eigen::Map<const Matrix>;
using ConstVectorMap = Eigen::Map<const Vector>;
using MatrixRef = Eigen::Ref<Matrix>;  // written by the callee
using VectorRef = Eigen::Ref<Vector>;
using ConstMatrixRef = const Eigen::Ref<const Matrix>&;  // read by the callee
using ConstVectorRef = const Eigen::Ref<const Vector>&;

/// Entries of the widest vector register. Work that is divided among threads is divided at multiples of it, so that an
/// entry is computed by the same vector or scalar instructions whatever the number of threads: roots, tanh and
/// contracted products of the two differ in the last bit.
inline constexpr Index kPacket = 16;

}  // namespace goalpost
