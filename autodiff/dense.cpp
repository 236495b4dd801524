#include "autodiff/ops.h"
#include "core/parallel.h"

namespace goalpost {
namespace {

constexpr Index kWorthAThread = 16'384;  // elements
constexpr Index kShards = 8;             // of the columns, for sums over them: a fixed number, whatever the threads

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

// The same in place, and the sum of the resulting columns of each shard in a column of sums.
void pull_and_sum(MatrixMap g, MatrixMap y, Activation f, MatrixMap sums) {
  in_parts(kShards, 1, 1 + kShards * kWorthAThread / g.size(), [&](Index first, Index count) {
    for (Index shard = first; shard < first + count; ++shard) {
      auto sum = sums.col(shard);
      sum.setZero();
      for (Index j = g.cols() * shard / kShards; j < g.cols() * (shard + 1) / kShards; ++j) {
        pull_through_activation(g.col(j), y.col(j), f);
        sum += g.col(j);
      }
    }
  });
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
    MatrixMap sums = y.tape().scratch(g.rows(), kShards);
    pull_and_sum(g, y.value(), f, sums);
    if (b.needs_grad()) {
      MatrixMap db = b.grad_for_update();
      for (Index shard = 0; shard < kShards; ++shard) db += sums.col(shard);
    }
    W.accumulate_product_nt(g, x.value());
    x.accumulate_product_tn(W.value(), g);
  });
  return y;
}

}  // namespace goalpost
