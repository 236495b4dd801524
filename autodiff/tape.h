// Reverse-mode differentiation of matrix-valued computations (Griewank & Walther 2008, chapter 3).
//
// Define by run: an update rewinds the tape, evaluates a loss with ordinary C++ and runs backward. One node is one
// matrix operation, in memory of an arena that keeps its size, so later updates touch the same memory and allocate
// nothing. The operations are in ops.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autodiff/arena.h"
#include "core/check.h"
#include "core/matrix.h"

namespace goalpost {

class Tape;

namespace detail {
/// One operation's result. Lives in the tape's arena.
struct Node {
  Scalar *value, *grad;
  Index rows, cols;
  Tape* tape;
  void (*pull)(void*);
  void* closure;
  const char* op;    // name of the operation, for messages
  const char* name;  // of a leaf: the parameter's name; otherwise null
  Node** inputs;     // for messages about non-finite values
  int input_count;
  bool needs_grad, grad_written;
};
}  // namespace detail

/// Handle to one matrix on a tape; copied freely, valid until the tape is rewound.
/// Builds with assertions also carry the tape's generation and stop on use after rewind.
class Var {
 public:
  Var() = default;
  Index rows() const { return node().rows; }
  Index cols() const { return node().cols; }
  /// The entry of a 1x1. @throws std::invalid_argument otherwise
  Scalar item() const;
  MatrixMap value() const { return {node().value, node().rows, node().cols}; }
  /// Within backward, and for leaves after it. @pre needs_grad()
  MatrixMap grad() const { return {node().grad, node().rows, node().cols}; }
  Tape& tape() const { return *node().tape; }
  bool needs_grad() const { return node().needs_grad; }

  // For authors of operations:

  /// grad = g on first touch, grad += g afterwards; g is not evaluated if no gradient is needed.
  template <class Expr>
  void accumulate(const Expr& g) const;
  /// For rules that add to the gradient themselves: zero on first touch.
  MatrixMap grad_for_update() const;
  /// For rules that write the gradient themselves: whether it holds a value to add to. Marks it as written.
  bool begin_gradient() const { return std::exchange(node().grad_written, true); }
  /// Stores the reverse rule in the arena. Captures must be trivially destructible (checked at compile time).
  template <class Pull>
  void on_backward(Pull pull) const;

 private:
  friend class Tape;
  explicit Var(detail::Node* node);
  detail::Node& node() const;

  detail::Node* node_ = nullptr;
#ifndef NDEBUG
  std::uint64_t generation_ = 0;
#endif
};

class Tape {
 public:
  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Var constant(ConstMatrixRef value, const char* name = nullptr);  ///< copied onto the tape
  Var alias(ConstMatrixRef value, const char* name = nullptr);     ///< not copied; must outlive the pass
  /// A parameter: backward adds into grad. @throws std::invalid_argument if the shapes differ
  Var leaf(MatrixRef value, MatrixRef grad, const char* name = nullptr);
  /// Memory for an operation's result, uninitialized. @param op a literal, used in messages
  Var result(const char* op, Index rows, Index cols, std::initializer_list<Var> inputs);
  /// Scratch of an operation, valid until rewind.
  MatrixMap scratch(Index rows, Index cols);
  template <class T>
  std::span<T> array(std::size_t size);

  /// Adds dloss/dleaf into every leaf's grad. Gradients of intermediate results are scratch afterwards.
  /// @throws std::invalid_argument if loss is not 1x1
  /// @throws NumericsError if the loss is not finite: names the first operation whose result is not, and the ranges of
  ///         its inputs
  void backward(Var loss);
  void rewind();  ///< ends the life of every Var; keeps the memory
  std::size_t size() const { return nodes_.size(); }

  /// Within the scope nothing is recorded for backward, e.g. for targets.
  class NoGrad {
   public:
    explicit NoGrad(Tape& tape) : tape_(tape), outer_(tape.recording_) { tape_.recording_ = false; }
    ~NoGrad() { tape_.recording_ = outer_; }
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

   private:
    Tape& tape_;
    bool outer_;
  };

 private:
  friend class Var;
  detail::Node* make_node(const char* op, Index rows, Index cols, bool needs_grad);
  Scalar* allocate_scalars(Index count) { return static_cast<Scalar*>(arena_.allocate(count * sizeof(Scalar))); }
  std::string first_non_finite() const;

  Arena arena_;
  std::vector<detail::Node*> nodes_;  // all nodes, in order of creation
  std::uint64_t generation_ = 1;
  bool recording_ = true;
};

// ---- inline parts ---------------------------------------------------------------------------------------------------

#ifdef NDEBUG
inline Var::Var(detail::Node* node) : node_(node) {}
inline detail::Node& Var::node() const { return *node_; }
#else
inline Var::Var(detail::Node* node) : node_(node), generation_(node->tape->generation_) {}
inline detail::Node& Var::node() const {
  GP_ASSERT(node_ != nullptr && "an empty Var");
  // The arena keeps its blocks over a rewind, so reading the tape through a stale node is still a read of live memory.
  GP_ASSERT(node_->tape->generation_ == generation_ && "a Var used after its tape was rewound");
  return *node_;
}
#endif

template <class T>
std::span<T> Tape::array(std::size_t size) {
  static_assert(std::is_trivially_destructible_v<T>, "the tape runs no destructors");
  T* const first = static_cast<T*>(arena_.allocate(size * sizeof(T)));
  std::uninitialized_value_construct_n(first, size);
  return {first, size};
}

template <class Expr>
void Var::accumulate(const Expr& g) const {
  detail::Node& n = node();
  if (!n.needs_grad) return;
  if constexpr (std::is_base_of_v<Eigen::ArrayBase<Expr>, Expr>) {
    if (n.grad_written)
      grad().array() += g;
    else
      grad().array() = g;
  } else {
    if (n.grad_written)
      grad() += g;
    else
      grad() = g;
  }
  n.grad_written = true;
}

template <class Pull>
void Var::on_backward(Pull pull) const {
  static_assert(std::is_trivially_destructible_v<Pull>, "capture Vars and numbers only: the tape runs no destructors");
  detail::Node& n = node();
  if (!n.needs_grad) return;
  n.closure = new (n.tape->arena_.allocate(sizeof(Pull))) Pull(pull);
  n.pull = [](void* closure) { (*static_cast<Pull*>(closure))(); };
}

}  // namespace goalpost
