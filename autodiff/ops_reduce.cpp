#include "autodiff/ops.h"

#include <cmath>

namespace goalpost {

Var mean(Var x) {
  GP_CHECK(x.rows() > 0 && x.cols() > 0, "mean: the argument is ", detail::shape(x.rows(), x.cols()),
           "; expected at least one entry");
  return Scalar(1) / Scalar(x.rows() * x.cols()) * sum(x);
}

Var sum(Var x) {
  Var y = x.tape().result("sum", 1, 1, {x});
  y.value()(0, 0) = x.value().sum();
  y.on_backward([=] { x.accumulate(Matrix::Constant(x.rows(), x.cols(), y.grad()(0, 0))); });
  return y;
}

Var sum_rows(Var x) {
  Var y = x.tape().result("sum_rows", 1, x.cols(), {x});
  y.value() = x.value().colwise().sum();
  y.on_backward([=] { x.accumulate(y.grad().replicate(x.rows(), 1)); });
  return y;
}

Var argmax_rows(Var x) {
  GP_CHECK(x.rows() > 0, "argmax_rows: the argument is ", detail::shape(x.rows(), x.cols()),
           "; expected at least one row");
  Tape::NoGrad constant(x.tape());
  Var y = x.tape().result("argmax_rows", 1, x.cols(), {x});
  for (Index j = 0; j < x.cols(); ++j) {
    const Scalar* column = x.value().data() + j * x.rows();
    Index best = 0;
    for (Index i = 1; i < x.rows() && !std::isnan(column[best]); ++i)  // the first NaN wins, so that it is found
      if (!(column[i] <= column[best])) best = i;
    y.value()(0, j) = Scalar(best);
  }
  return y;
}

Var max_rows(Var x) { return select_rows(x, argmax_rows(x).value()); }

Var select_rows(Var x, ConstMatrixRef row) {
  GP_CHECK_SHAPE("select_rows", row, 1, x.cols());
  for (Index j = 0; j < x.cols(); ++j)
    GP_CHECK(row(0, j) >= 0 && row(0, j) < Scalar(x.rows()) && row(0, j) == Scalar(Index(row(0, j))),
             "select_rows: row(", j, ") = ", row(0, j), "; expected an integer in [0, ", x.rows() - 1, "]");
  const Var kept_row = x.tape().constant(row, "row");  // the caller's matrix may change before backward
  const Scalar* kept = kept_row.value().data();
  Var y = x.tape().result("select_rows", 1, x.cols(), {x});
  for (Index j = 0; j < x.cols(); ++j) y.value()(0, j) = x.value()(Index(kept[j]), j);
  y.on_backward([=] {
    if (!x.needs_grad()) return;
    MatrixMap g = x.grad_for_update();
    for (Index j = 0; j < x.cols(); ++j) g(Index(kept[j]), j) += y.grad()(0, j);
  });
  return y;
}

}  // namespace goalpost
