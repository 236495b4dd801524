#include "autodiff/ops.h"

namespace goalpost {

Var layer_norm(Var x, Var gain, Var bias, Scalar epsilon) {
  GP_CHECK(gain.rows() == x.rows() && gain.cols() == 1 && bias.rows() == x.rows() && bias.cols() == 1,
           "layer_norm: x is ", detail::shape(x.rows(), x.cols()), ", gain ", detail::shape(gain.rows(), gain.cols()),
           " and bias ", detail::shape(bias.rows(), bias.cols()), "; expected gain and bias to be ",
           detail::shape(x.rows(), 1));
  Tape& tape = x.tape();
  Var y = tape.result("layer_norm", x.rows(), x.cols(), {x, gain, bias});
  MatrixMap hat = tape.scratch(x.rows(), x.cols());  // (x - mean) / deviation
  MatrixMap inverse = tape.scratch(1, x.cols());     // 1 / deviation
  for (Index j = 0; j < x.cols(); ++j) {
    const auto column = x.value().col(j);
    const Scalar mean = column.mean();
    inverse(0, j) = 1 / std::sqrt((column.array() - mean).square().mean() + epsilon);
    hat.col(j) = (column.array() - mean) * inverse(0, j);
    y.value().col(j) = hat.col(j).cwiseProduct(gain.value()) + bias.value();
  }
  y.on_backward([=] {
    if (x.needs_grad()) {
      // dx = (h - mean(h) - hat mean(h ⊙ hat)) / deviation with h = gain ⊙ dy
      MatrixMap dx = x.grad_for_update();
      for (Index j = 0; j < x.cols(); ++j) {
        const auto g = y.grad().col(j).array() * gain.value().array();
        const Scalar mean_g = g.mean(), mean_g_hat = (g * hat.col(j).array()).mean();
        dx.col(j).array() += (g - mean_g - hat.col(j).array() * mean_g_hat) * inverse(0, j);
      }
    }
    if (gain.needs_grad()) {
      MatrixMap d = gain.grad_for_update();
      for (Index j = 0; j < x.cols(); ++j) d += y.grad().col(j).cwiseProduct(hat.col(j));
    }
    if (bias.needs_grad()) {
      MatrixMap d = bias.grad_for_update();
      for (Index j = 0; j < x.cols(); ++j) d += y.grad().col(j);
    }
  });
  return y;
}

}  // namespace goalpost
