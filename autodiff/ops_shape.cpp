#include "autodiff/ops.h"

namespace goalpost {

Var concat(Var a, Var b) {
  GP_CHECK(a.cols() == b.cols(), "concat: the operands are ", detail::shape(a.rows(), a.cols()), " and ",
           detail::shape(b.rows(), b.cols()), "; expected equally many columns");
  Var y = a.tape().result("concat", a.rows() + b.rows(), a.cols(), {a, b});
  y.value().topRows(a.rows()) = a.value();
  y.value().bottomRows(b.rows()) = b.value();
  y.on_backward([=] {
    a.accumulate(y.grad().topRows(a.rows()));
    b.accumulate(y.grad().bottomRows(b.rows()));
  });
  return y;
}

Var slice_rows(Var x, Index first, Index count) {
  GP_CHECK(first >= 0 && count >= 0 && first + count <= x.rows(), "slice_rows: rows ", first, " to ", first + count,
           " of ", detail::shape(x.rows(), x.cols()), "; expected a range inside");
  Var y = x.tape().result("slice_rows", count, x.cols(), {x});
  y.value() = x.value().middleRows(first, count);
  y.on_backward([=] {
    if (x.needs_grad()) x.grad_for_update().middleRows(first, count) += y.grad();
  });
  return y;
}

Var normal(Tape& tape, Index rows, Index cols, Scalar mean, Scalar stddev, Rng& rng) {
  GP_CHECK(stddev >= 0, "normal: stddev = ", stddev, "; expected a number >= 0");
  Var y = tape.result("normal", rows, cols, {});
  rng.fill_normal(mean, stddev, y.value());
  return y;
}

}  // namespace goalpost
