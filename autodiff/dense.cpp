#include "autodiff/ops.h"
#include "core/parallel.h"

namespace goalpost {
namespace {

constexpr Index kWorthAThread = 16'384;  // elements

// g <- g ⊙ f'(Wx + b), from the output y alone
template <class G, class Y>
void pull_through_activation(G&& g, const Y& y, Activation f) {
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
  gemm_bias(W.value(), x.value(), ConstVectorMap(b.value().data(), b.rows()), f == Activation::relu, y.value());
  if (f == Activation::tanh) y.value() = y.value().array().tanh();
  y.on_backward([=] {
    MatrixMap g = y.grad();  // becomes the gradient before the activation: nobody reads it afterwards
    MatrixMap db = b.needs_grad() ? b.grad_for_update() : MatrixMap(nullptr, 0, 0);
    in_parts(g.rows(), 16, 1 + kWorthAThread / g.cols(), [&](Index first, Index count) {
      for (Index j = 0; j < g.cols(); ++j) {
        auto column = g.col(j).segment(first, count);
        pull_through_activation(column, y.value().col(j).segment(first, count), f);
        if (db.size() > 0) db.col(0).segment(first, count) += column;
      }
    });
    W.accumulate_product_nt(g, x.value());
    x.accumulate_product_tn(W.value(), g);
  });
  return y;
}

}  // namespace goalpost
