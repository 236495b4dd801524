#pragma once

#include <cstdint>

#include "autodiff/tape.h"
#include "envs/spec.h"

namespace goalpost {

/// A minibatch, named as in the papers. s and s2 contain the desired goal, if there is one.
struct Batch {
  Scalar gamma;  ///< the learner's discount per transition
  Matrix s;      ///< [state x B] state before the action, the goal in the last rows
  Matrix a;      ///< [act x B] in [-1, 1], or an index
  Matrix r;      ///< [1 x B] reward, or discounted sum of the rewards of n steps
  Matrix s2;     ///< [state x B] the true successor, after n steps, with the same goal
  /// [1 x B] factor of the bootstrapped value: γⁿ, or 0 where the task ended (not where time ran out)
  Matrix discount;

  Batch(const EnvSpec& spec, Index size, Scalar discount_per_transition)
      : gamma(discount_per_transition),
        s(Matrix::Zero(spec.state_dim(), size)),
        a(Matrix::Zero(spec.action.dim, size)),
        r(Matrix::Zero(1, size)),
        s2(Matrix::Zero(spec.state_dim(), size)),
        discount(Matrix::Constant(1, size, gamma)) {}
  Index size() const { return r.cols(); }
  /// Memory of one column.
  static std::uint64_t bytes(const EnvSpec& spec) {
    return static_cast<std::uint64_t>(2 * Index(spec.state_dim()) + spec.action.dim + 2) * sizeof(Scalar);
  }
};

struct BatchVars {
  Var s, a, r, s2, discount;
};
/// The batch as constants of a tape, without a copy.
inline BatchVars on_tape(Tape& tape, const Batch& batch) {
  return {tape.alias(batch.s, "s"), tape.alias(batch.a, "a"), tape.alias(batch.r, "r"), tape.alias(batch.s2, "s2"),
          tape.alias(batch.discount, "discount")};
}

}  // namespace goalpost
