#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/tape.h"
#include "core/denormals.h"
#include "core/matrix.h"
#include "core/rng.h"
#include "core/state.h"
#include "core/thread_pool.h"

namespace goalpost {

/// A trainable matrix with its gradient. grad is zero except between backward and the optimizer's step.
struct Parameter {
  std::string name;  ///< e.g. "W0"; used in messages and checkpoints
  Matrix value;
  Matrix grad;

  Parameter(std::string name, Index rows, Index cols)
      : name(std::move(name)), value(Matrix::Zero(rows, cols)), grad(Matrix::Zero(rows, cols)) {}
  Var on(Tape& tape) { return tape.leaf(value, grad, name.c_str()); }          ///< trainable
  Var frozen_on(Tape& tape) const { return tape.alias(value, name.c_str()); }  ///< receives no gradient
};

using ParameterList = std::vector<Parameter*>;
ParameterList join(const ParameterList& a, const ParameterList& b);

/// Entries [first, first + count) of a matrix in storage order.
inline auto slice(Matrix& m, Index first, Index count) {
  return Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(m.data() + first, count);
}
inline auto slice(const Matrix& m, Index first, Index count) {
  return Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>(m.data() + first, count);
}

/// Calls f(i, first, count) for slices of every parameter i, on the compute threads. For work on each entry alone,
/// where denormal numbers count as zero. Slices begin at multiples of kPacket and stay in a first-level cache over
/// several passes.
template <class F>
void for_slices(const ParameterList& parameters, F&& f) {
  constexpr Index largest = 1024, worth_a_thread = 32'768;  // entries
  static_assert(largest % kPacket == 0);
  Index total = 0;
  for (const Parameter* p : parameters) total += p->value.size();
  const int parts = static_cast<int>(std::clamp<Index>(total / worth_a_thread, 1, compute_threads()));
  run_parts(parts, [&](int part) {
    const DenormalsAreZero mode;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Index n = parameters[i]->value.size(), packets = (n + kPacket - 1) / kPacket;
      const Index last = std::min(n, packets * (part + 1) / parts * kPacket);
      for (Index first = packets * part / parts * kPacket; first < last; first += largest)
        f(i, first, std::min(largest, last - first));
    }
  });
}

/// Initial weights. fan_in is the number of inputs n of a layer, fan_out the number of its outputs m.
enum class Initializer : int {
  fan_in,  ///< uniform in ±1/√n, biases too: the default of Torch's linear layers, and LeCun et al. 1998
  xavier,  ///< uniform in ±√(6/(n+m)), zero biases: Glorot & Bengio 2010, (16)
  he,      ///< normal with deviation √(2/n), zero biases: He et al. 2015, arXiv:1502.01852v1, (10)
  zeros,
  fan_in_zero_bias  ///< as fan_in, with zero biases: variance scaling by 1/3, as in the released code of HIRO
};
/// Fills a weight matrix. @shape W [out x in]
void initialize_weights(Matrix& W, Initializer initializer, Rng& rng);
/// Fills a bias vector of a layer with fan_in inputs. @shape b [out x 1]
void initialize_bias(Matrix& b, Index fan_in, Initializer initializer, Rng& rng);

/// target ← τ online + (1 − τ) target, parameter by parameter. τ = 1 copies. @alloc none
/// @throws std::invalid_argument if the lists do not match or tau lies outside [0, 1]
void polyak(Scalar tau, const ParameterList& online, const ParameterList& target);

/// √(Σ g²) over all gradients, also if the squares overflow Scalar.
double grad_norm(const ParameterList& parameters);
/// Scales all gradients down so that their joint norm is at most max_norm; returns the norm found before. @alloc none
/// @throws NumericsError naming the parameter if a gradient is not finite; all are then unchanged
/// @source Pascanu et al. 2013, arXiv:1211.5063v2, Algorithm 1
double clip_grad_norm(const ParameterList& parameters, double max_norm);
/// @throws NumericsError naming the parameter if a gradient, or the square of one, is not finite. @alloc none
void check_gradients(const ParameterList& parameters);

void visit_parameters(StateVisitor& v, const ParameterList& parameters);

}  // namespace goalpost
