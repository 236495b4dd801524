#include "nn/mlp.h"

#include "core/check.h"

namespace goalpost {

Mlp::Mlp(Index in, Index out, const MlpConfig& config, Rng rng, Index again)
    : again_(config.hidden.empty() ? 0 : again) {
  GP_CHECK(in > 0 && out > 0, "Mlp: in = ", in, " and out = ", out, "; expected positive sizes");
  GP_CHECK(again >= 0 && again <= in, "Mlp: again = ", again, " of ", in, " inputs; expected 0 to ", in);
  std::vector<Index> sizes = {in};
  for (const int width : config.hidden) {
    GP_CHECK(width > 0, "Mlp: a hidden layer has width ", width, "; expected a positive size");
    sizes.push_back(width);
  }
  sizes.push_back(out);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const std::string suffix = std::to_string(i);
    const bool last = i + 2 == sizes.size();
    const Index fan_in = sizes[i] + (i == 1 ? again_ : 0);
    Layer layer{Parameter("W" + suffix, sizes[i + 1], fan_in),
                Parameter("b" + suffix, sizes[i + 1], 1),
                last ? Activation::identity : config.activation,
                {},
                {}};
    initialize_weights(layer.W.value, config.initializer, rng);
    initialize_bias(layer.b.value, fan_in, config.initializer, rng);
    if (last && config.output_init > 0) {
      rng.fill_uniform(Scalar(-config.output_init), Scalar(config.output_init), layer.W.value);
      layer.b.value.setZero();
    }
    if (config.layer_norm || (config.input_norm && i == 0)) {
      layer.norm = {Parameter("norm_gain" + suffix, fan_in, 1), Parameter("norm_bias" + suffix, fan_in, 1)};
      layer.norm[0].value.setOnes();
    }
    if (config.hidden_norm && !last) {
      layer.out_norm = {Parameter("out_norm_gain" + suffix, sizes[i + 1], 1),
                        Parameter("out_norm_bias" + suffix, sizes[i + 1], 1)};
      layer.out_norm[0].value.setOnes();
    }
    layers_.push_back(std::move(layer));
  }
}

namespace {

Var activate(Var x, Activation f) {
  switch (f) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return relu(x);
    case Activation::tanh:
      return tanh(x);
  }
  return x;
}

}  // namespace

template <class Layers, class Place>
Var Mlp::apply(Layers& layers, Index again, Var x, Place place) {
  const Var input = x;
  const std::span<DenseLayer> row = x.tape().array<DenseLayer>(layers.size());
  std::size_t waiting = 0;  // dense layers that follow each other are one call
  for (auto& layer : layers) {
    if (again > 0 && &layer == &layers[1]) {
      x = concat(dense(row.first(waiting), x), slice_rows(input, input.rows() - again, again));
      waiting = 0;
    }
    if (!layer.norm.empty()) {
      x = layer_norm(dense(row.first(waiting), x), place(layer.norm[0]), place(layer.norm[1]));
      waiting = 0;
    }
    if (layer.out_norm.empty()) {
      row[waiting++] = {place(layer.W), place(layer.b), layer.activation};
      continue;
    }
    row[waiting++] = {place(layer.W), place(layer.b), Activation::identity};
    x = layer_norm(dense(row.first(waiting), x), place(layer.out_norm[0]), place(layer.out_norm[1]));
    x = activate(x, layer.activation);
    waiting = 0;
  }
  return dense(row.first(waiting), x);
}

Var Mlp::operator()(Var x) {
  return apply(layers_, again_, x, [&tape = x.tape()](Parameter& p) { return p.on(tape); });
}

Var Mlp::with_frozen_weights(Var x) const {
  return apply(layers_, again_, x, [&tape = x.tape()](const Parameter& p) { return p.frozen_on(tape); });
}

ParameterList Mlp::parameters() {
  ParameterList list;
  for (Layer& layer : layers_) {
    for (Parameter& p : layer.norm) list.push_back(&p);
    list.push_back(&layer.W);
    list.push_back(&layer.b);
    for (Parameter& p : layer.out_norm) list.push_back(&p);
  }
  return list;
}

void Mlp::visit_state(StateVisitor& v) { visit_parameters(v, parameters()); }

}  // namespace goalpost
