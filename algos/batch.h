#pragma once

#include <cmath>
#include <cstdint>

#include "autodiff/tape.h"
#include "envs/space.h"

namespace goalpost {

/// A minibatch in the papers' letters. s and s2 already contain the goal, if there is one.
struct Batch {
  Matrix s;   ///< [state x B] state before the action, the goal in the last rows
  Matrix a;   ///< [act x B] in [-1, 1], or an index
  Matrix r;   ///< [1 x B]
  Matrix s2;  ///< [state x B] the true successor, with the same goal
  Matrix d;   ///< [1 x B] 1 where the task ended (not where time ran out), else 0
  /// [1 x B] time that a transition took, in units of the time that the discount is for: 1, but less for a decision of
  /// HIRO's high level that was cut short
  Matrix duration;

  Batch(const EnvSpec& spec, Index size)
      : s(Matrix::Zero(spec.state_dim(), size)),
        a(Matrix::Zero(spec.action.dim, size)),
        r(Matrix::Zero(1, size)),
        s2(Matrix::Zero(spec.state_dim(), size)),
        d(Matrix::Zero(1, size)),
        duration(Matrix::Ones(1, size)) {}
  Index size() const { return r.cols(); }
  /// Of one column.
  static std::uint64_t bytes(const EnvSpec& spec) {
    return static_cast<std::uint64_t>(2 * Index(spec.state_dim()) + spec.action.dim + 3) * sizeof(Scalar);
  }
};

struct BatchVars {
  Var s, a, r, s2, d;
};
/// The batch as constants of a tape, without a copy.
inline BatchVars on_tape(Tape& tape, const Batch& batch) {
  return {tape.alias(batch.s, "s"), tape.alias(batch.a, "a"), tape.alias(batch.r, "r"), tape.alias(batch.s2, "s2"),
          tape.alias(batch.d, "d")};
}

/// γ of each transition: the discount to the power of its duration. @shape -> [1 x B] @alloc none after the first
inline Var discounts(Tape& tape, const Batch& batch, Scalar gamma) {
  Var y = tape.result("discounts", 1, batch.size(), {});
  for (Index j = 0; j < batch.size(); ++j)
    y.value()(0, j) = batch.duration(0, j) == 1 ? gamma : std::pow(gamma, batch.duration(0, j));
  return y;
}

}  // namespace goalpost
