#include "autodiff/ops.h"

namespace goalpost {
namespace {

// y <- f(y + b), column by column so that a column is touched once while it is in the cache.
void add_bias_and_activate(MatrixMap y, ConstVectorMap b, Activation f) {
  for (Index j = 0; j < y.cols(); ++j) {
    auto column = y.col(j);
    switch (f) {
      case Activation::identity:
        column += b;
        break;
      case Activation::relu:
        column = (column + b).cwiseMax(Scalar(0));
        break;
      case Activation::tanh:
        column = (column + b).array().tanh();
        break;
    }
  }
}

// g <- g ⊙ f'(Wx + b), from the output y alone
void pull_through_activation(MatrixMap g, MatrixMap y, Activation f) {
  switch (f) {
    case Activation::identity:
      break;
    case Activation::relu:
      g.array() = (y.array() > 0).select(g.array(), Scalar(0));
      break;
    case Activation::tanh:
      g.array() *= 1 - y.array().square();
      break;
  }
}

}  // namespace

Var dense(Var W, Var b, Var x, Activation f) {
  GP_CHECK(W.cols() == x.rows(), "dense: W is ", detail::shape(W.rows(), W.cols()), " but x is ",
           detail::shape(x.rows(), x.cols()), "; expected x to have ", W.cols(), " rows");
  GP_CHECK(b.rows() == W.rows() && b.cols() == 1, "dense: W is ", detail::shape(W.rows(), W.cols()), " but b is ",
           detail::shape(b.rows(), b.cols()), "; expected b to be ", detail::shape(W.rows(), 1));
  Var y = x.tape().result("dense", W.rows(), x.cols(), {W, b, x});
  gemm(W.value(), x.value(), y.value());
  add_bias_and_activate(y.value(), ConstVectorMap(b.value().data(), b.rows()), f);
  y.on_backward([=] {
    MatrixMap g = y.grad();  // becomes the gradient before the activation: nobody reads it afterwards
    pull_through_activation(g, y.value(), f);
    if (b.needs_grad()) {
      MatrixMap db = b.grad_for_update();
      for (Index j = 0; j < g.cols(); ++j) db += g.col(j);
    }
    W.accumulate_product_nt(g, x.value());
    x.accumulate_product_tn(W.value(), g);
  });
  return y;
}

}  // namespace goalpost
