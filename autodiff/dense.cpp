#include <algorithm>

#include "autodiff/gemm.h"
#include "autodiff/ops.h"
#include "core/thread_pool.h"

namespace goalpost {
namespace {

constexpr double kWorthAThread = 2e6;  // operations; with fewer, another core costs more than it saves
constexpr Index kShards = 8;           // of the columns, for sums over them: a fixed number, whatever the threads
constexpr Index kLeastPart = 48;       // rows or columns: gemm.h must not take a part for a narrow product

// y = f(W x + b) of one layer
struct Layer {
  Var W, b, x, y;
  Activation activation;
  Scalar* sums_data = nullptr;

  MatrixMap sums() const { return {sums_data, y.rows(), kShards}; }  // of the gradients of shards of columns

  double operations() const { return 2.0 * double(W.rows()) * double(W.cols()) * double(x.cols()); }
};

double operations(std::span<const Layer> layers) {
  double sum = 0;
  for (const Layer& l : layers) sum += l.operations();
  return sum;
}

Index shard_begin(Index columns, Index shard) { return columns * shard / kShards; }

void compute_values(std::span<const Layer> layers) {
  const Index columns = layers[0].x.cols();
  const Index least =
      products_divide() ? 1 + static_cast<Index>(kWorthAThread * double(columns) / operations(layers)) : columns;
  in_parts(columns, kPacket, std::max(kLeastPart, least), [&](Index first, Index count) {
    for (const Layer& l : layers) {
      auto y = l.y.value().middleCols(first, count);
      gemm_bias(l.W.value(), l.x.value().middleCols(first, count), ConstVectorMap(l.b.value().data(), l.b.rows()),
                l.activation == Activation::relu, y);
      if (l.activation == Activation::tanh) y = y.array().tanh();
    }
  });
}

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

// From the last layer to the first: y's gradient, which is not used afterwards, becomes the gradient before the
// activation; then follows the gradient of x, if one is needed.
void compute_input_gradients(std::span<const Layer> layers) {
  const Index columns = layers[0].x.cols();
  const bool add = layers[0].x.needs_grad() && layers[0].x.begin_gradient();  // only the first x has other users
  const double worth = kWorthAThread * kShards / operations(layers);
  const Index least =
      products_divide() ? 1 + std::max(static_cast<Index>(worth), kLeastPart * kShards / columns) : kShards;
  in_parts(kShards, 1, least, [&](Index first_shard, Index shards) {
    const Index first = shard_begin(columns, first_shard);
    const Index count = shard_begin(columns, first_shard + shards) - first;
    for (std::size_t i = layers.size(); i-- > 0;) {
      const Layer& l = layers[i];
      MatrixMap g = l.y.grad(), y = l.y.value();
      for (Index shard = first_shard; shard < first_shard + shards; ++shard) {
        auto sum = l.sums().col(shard);
        sum.setZero();
        for (Index j = shard_begin(columns, shard); j < shard_begin(columns, shard + 1); ++j) {
          pull_through_activation(g.col(j), y.col(j), l.activation);
          sum += g.col(j);
        }
      }
      if (!l.x.needs_grad()) return;  // then no layer before it has anything that needs one
      gemm_tn(l.W.value(), g.middleCols(first, count), l.x.grad().middleCols(first, count), i == 0 && add);
    }
  });
}

// dW += g xᵀ and db += g 1. Each part takes some columns or rows of every dW.
void add_weight_gradients(std::span<const Layer> layers) {
  for (const Layer& l : layers) {
    if (l.W.needs_grad()) l.W.grad_for_update();
    if (!l.b.needs_grad()) continue;
    MatrixMap db = l.b.grad_for_update();
    for (Index shard = 0; shard < kShards; ++shard) db += l.sums().col(shard);
  }
  const Index threads = products_divide() ? compute_threads() : 1;
  const Index parts = std::clamp<Index>(static_cast<Index>(operations(layers) / kWorthAThread), 1, threads);
  run_parts(static_cast<int>(parts), [&](int part) {
    for (const Layer& l : layers) {
      if (!l.W.needs_grad()) continue;
      MatrixMap dW = l.W.grad(), g = l.y.grad(), x = l.x.value();
      const bool by_columns = dW.cols() >= dW.rows();
      const Index size = std::max(dW.rows(), dW.cols()), blocks = std::clamp<Index>(size / kLeastPart, 1, parts);
      if (part >= blocks) continue;
      const Index units = size / kPacket, first = units * part / blocks * kPacket;
      const Index count = (part + 1 == blocks ? size : units * (part + 1) / blocks * kPacket) - first;
      if (by_columns)
        gemm_nt(g, x.middleRows(first, count), dW.middleCols(first, count), true);
      else
        gemm_nt(g.middleRows(first, count), x, dW.middleRows(first, count), true);
    }
  });
}

}  // namespace

Var dense(std::span<const DenseLayer> layers, Var x) {
  if (layers.empty()) return x;
  const std::span<Layer> row = x.tape().array<Layer>(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& [W, b, f] = layers[i];
    GP_CHECK(W.cols() == x.rows(), "dense: W is ", detail::shape(W.rows(), W.cols()), " but x is ",
             detail::shape(x.rows(), x.cols()), "; expected x to have ", W.cols(), " rows");
    GP_CHECK(b.rows() == W.rows() && b.cols() == 1, "dense: W is ", detail::shape(W.rows(), W.cols()), " but b is ",
             detail::shape(b.rows(), b.cols()), "; expected b to be ", detail::shape(W.rows(), 1));
    Var y = x.tape().result("dense", W.rows(), x.cols(), {W, b, x});
    row[i] = {W, b, x, y, f, nullptr};
    x = y;
  }
  compute_values(row);
  x.on_backward([row] {
    for (Layer& l : row) l.sums_data = l.y.tape().scratch(l.y.rows(), kShards).data();
    compute_input_gradients(row);
    add_weight_gradients(row);
  });
  return x;
}

Var dense(Var W, Var b, Var x, Activation f) {
  const DenseLayer layer = {W, b, f};
  return dense({&layer, 1}, x);
}

}  // namespace goalpost
