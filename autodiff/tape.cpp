#include "autodiff/tape.h"

#include <algorithm>
#include <cmath>

namespace goalpost {
namespace {

using detail::Node;

bool all_finite(const Node& n) { return ConstMatrixMap(n.value, n.rows, n.cols).allFinite(); }

std::string label(const Node& n) { return n.name != nullptr ? n.name : n.op; }

// "q/W0 [256x80] in [-0.3, 0.31]", or with a count of what is not finite.
std::string describe(const Node& n) {
  const Index size = n.rows * n.cols;
  Scalar low = 0, high = 0;
  Index bad = 0;
  bool any = false;
  for (Index i = 0; i < size; ++i) {
    const Scalar x = n.value[i];
    if (!std::isfinite(x)) {
      ++bad;
      continue;
    }
    low = any ? std::min(low, x) : x;
    high = any ? std::max(high, x) : x;
    any = true;
  }
  std::string text = detail::concatenate(label(n), " [", n.rows, "x", n.cols, "]");
  if (any) text += detail::concatenate(" in [", low, ", ", high, "]");
  if (bad > 0) text += detail::concatenate(" with ", bad, " of ", size, " values NaN or infinite");
  return text;
}

}  // namespace

Scalar Var::item() const {
  GP_CHECK(rows() == 1 && cols() == 1, "Var::item: the value is ", detail::shape(rows(), cols()), "; expected 1x1");
  return *node().value;
}

MatrixMap Var::grad_for_update() const {
  if (!begin_gradient()) grad().setZero();
  return grad();
}

Node* Tape::make_node(const char* op, Index rows, Index cols, bool needs_grad) {
  Node* n = new (arena_.allocate(sizeof(Node))) Node{};
  n->rows = rows;
  n->cols = cols;
  n->tape = this;
  n->op = op;
  n->needs_grad = needs_grad;
  nodes_.push_back(n);
  return n;
}

Var Tape::constant(ConstMatrixRef value, const char* name) {
  Node* n = make_node("constant", value.rows(), value.cols(), false);
  n->name = name;
  n->value = allocate_scalars(value.size());
  MatrixMap(n->value, n->rows, n->cols) = value;
  return Var(n);
}

Var Tape::alias(ConstMatrixRef value, const char* name) {
  GP_CHECK(value.outerStride() == value.rows() || value.cols() == 1,
           "Tape::alias: the matrix has gaps between its columns; expected contiguous columns");
  Node* n = make_node("alias", value.rows(), value.cols(), false);
  n->name = name;
  n->value = const_cast<Scalar*>(value.data());  // never written: no operation writes to its inputs
  return Var(n);
}

Var Tape::leaf(MatrixRef value, MatrixRef grad, const char* name) {
  GP_CHECK(value.rows() == grad.rows() && value.cols() == grad.cols(), "Tape::leaf: the value is ",
           detail::shape(value.rows(), value.cols()), " but its gradient ", detail::shape(grad.rows(), grad.cols()));
  GP_CHECK(value.outerStride() == value.rows() && grad.outerStride() == grad.rows(),
           "Tape::leaf: value or gradient has gaps between its columns; expected contiguous columns");
  Node* n = make_node("leaf", value.rows(), value.cols(), recording_);
  n->name = name;
  n->value = value.data();
  n->grad = grad.data();
  n->grad_written = true;  // what is there already is kept: backward adds
  return Var(n);
}

Var Tape::result(const char* op, Index rows, Index cols, std::initializer_list<Var> inputs) {
  bool needs_grad = false;
  for (const Var& v : inputs) {
    GP_CHECK(&v.tape() == this, op, ": the inputs lie on different tapes");
    needs_grad = needs_grad || v.needs_grad();
  }
  Node* n = make_node(op, rows, cols, needs_grad && recording_);
  n->value = allocate_scalars(rows * cols);
  if (n->needs_grad) n->grad = allocate_scalars(rows * cols);
  n->inputs = static_cast<Node**>(arena_.allocate(inputs.size() * sizeof(Node*)));
  for (const Var& v : inputs) n->inputs[n->input_count++] = v.node_;
  return Var(n);
}

MatrixMap Tape::scratch(Index rows, Index cols) { return {allocate_scalars(rows * cols), rows, cols}; }

void Tape::backward(Var loss) {
  GP_CHECK(loss.rows() == 1 && loss.cols() == 1, "Tape::backward: the loss is ",
           detail::shape(loss.rows(), loss.cols()), "; expected 1x1, e.g. a mean");
  if (!std::isfinite(loss.item())) throw NumericsError(first_non_finite());
  if (!loss.needs_grad()) return;
  loss.accumulate(Matrix::Ones(1, 1));
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it) {
    Node& n = **it;
    if (n.pull != nullptr && n.grad_written) n.pull(n.closure);
  }
}

void Tape::rewind() {
  nodes_.clear();
  arena_.rewind();
  ++generation_;
}

std::string Tape::first_non_finite() const {
  const auto list_inputs = [](const Node& n) {
    std::string text;
    for (int i = 0; i < n.input_count; ++i) text += (i > 0 ? ", " : "") + describe(*n.inputs[i]);
    return text;
  };
  for (const Node* n : nodes_) {
    if (all_finite(*n)) continue;
    if (n->input_count > 0)
      return "non-finite values first appear in " + describe(*n) + "; its inputs are " + list_inputs(*n);
    // A parameter or a batch was not finite: name the operation that uses it.
    for (const Node* user : nodes_)
      if (std::find(user->inputs, user->inputs + user->input_count, n) != user->inputs + user->input_count)
        return "non-finite values enter through " + label(*n) + " into " + label(*user) + ": its inputs are " +
               list_inputs(*user);
    return "non-finite values enter through " + describe(*n);
  }
  return "the loss is not finite";
}

}  // namespace goalpost
