// Every operation of the tape: signature, formula, shapes. The bodies, value and reverse rule together, are in
// ops_*.cpp and dense.cpp.
//
// There is no general broadcasting: a 1x1 or a number scales, a bias goes through dense, anything else is a named
// operation. Broadcasting is how a [1 x B] target silently becomes [B x B]. A wrong shape throws std::invalid_argument
// naming the operation and both shapes.
#pragma once

#include <span>

#include "autodiff/tape.h"
#include "core/matrix.h"
#include "core/rng.h"

namespace goalpost {

// ---- element by element (ops_elementwise.cpp) ----

Var operator+(Var a, Var b);  // equal shapes
Var operator-(Var a, Var b);  // equal shapes
Var operator*(Var a, Var b);  // element by element; a 1x1 operand scales the other
Var operator+(Var a, Scalar k);
Var operator+(Scalar k, Var a);
Var operator-(Var a, Scalar k);
Var operator-(Scalar k, Var a);
Var operator*(Scalar k, Var a);
Var operator-(Var a);
Var square(Var x);
Var exp(Var x);
Var log(Var x);  // natural
Var tanh(Var x);
Var relu(Var x);                            // max(x, 0); the gradient at 0 is 0
Var softplus(Var x);                        // log(1 + eˣ), without overflow
Var clamp(Var x, Scalar low, Scalar high);  // gradient 0 outside of [low, high]
Var min(Var a, Var b);                      // element by element; ties go to a
/// Huber's loss of each element: x²/2 where |x| <= delta, delta (|x| - delta/2) elsewhere.
Var huber(Var x, Scalar delta);

// ---- reductions and selections (ops_reduce.cpp) ----

Var mean(Var x);      // [m x n] -> [1 x 1]
Var sum(Var x);       // [m x n] -> [1 x 1]
Var sum_rows(Var x);  // [m x B] -> [1 x B]: the sum of each column
Var max_rows(Var x);  // [m x B] -> [1 x B]: the largest entry of each column; ties go to the first
/// Entry row(j) of column j, e.g. Q of the action taken. @shape x [m x B], row [1 x B] -> [1 x B]
/// @throws std::invalid_argument if an entry of row is not an integer in {0, ..., m-1}
Var select_rows(Var x, ConstMatrixRef row);
/// The row number of the largest entry of each column; a constant. @shape [m x B] -> [1 x B]
Var argmax_rows(Var x);

// ---- shape and noise (ops_shape.cpp) ----

Var concat(Var a, Var b);                         // [m x B], [n x B] -> [m+n x B]
Var slice_rows(Var x, Index first, Index count);  // [m x B] -> [count x B]
/// Independent normal draws; a constant.
Var normal(Tape& tape, Index rows, Index cols, Scalar mean, Scalar stddev, Rng& rng);

// ---- layers (dense.cpp, layer_norm.cpp) ----

enum class Activation : int { identity, relu, tanh };

/// W [out x in], b [out x 1]
struct DenseLayer {
  Var W, b;
  Activation activation;
};

/// y = f(W x + b); one node, one product, bias and activation applied in place.
/// @shape x [in x B] -> y [out x B]
/// @throws std::invalid_argument if W.cols() != x.rows() or b is not [W.rows() x 1]
Var dense(Var W, Var b, Var x, Activation f);
/// Layers in a row, each on the output of the one before. There is a node for each; a thread computes all of them for
/// its part of the batch, so threads meet once for the values and twice for the gradients.
Var dense(std::span<const DenseLayer> layers, Var x);

/// y = gain ⊙ (x - mean) / sqrt(variance + epsilon) + bias, mean and (biased) variance over each column.
/// @shape x [m x B], gain [m x 1], bias [m x 1] -> [m x B]
/// @source Ba et al. 2016, arXiv:1607.06450v1, (3) and (4)
Var layer_norm(Var x, Var gain, Var bias, Scalar epsilon = Scalar(1e-5));

}  // namespace goalpost
