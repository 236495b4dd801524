#include "nn/mlp.h"

#include "core/check.h"

namespace goalpost {

Mlp::Mlp(Index in, Index out, const MlpConfig& config, Rng rng) {
  GP_CHECK(in > 0 && out > 0, "Mlp: in = ", in, " and out = ", out, "; expected positive sizes");
  std::vector<Index> sizes = {in};
  for (const int width : config.hidden) {
    GP_CHECK(width > 0, "Mlp: a hidden layer has width ", width, "; expected a positive size");
    sizes.push_back(width);
  }
  sizes.push_back(out);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const std::string suffix = std::to_string(i);
    const bool last = i + 2 == sizes.size();
    Layer layer{Parameter("W" + suffix, sizes[i + 1], sizes[i]),
                Parameter("b" + suffix, sizes[i + 1], 1),
                last ? Activation::identity : config.activation,
                {}};
    initialize_weights(layer.W.value, config.initializer, rng);
    initialize_bias(layer.b.value, sizes[i], config.initializer, rng);
    if (config.layer_norm || (config.input_norm && i == 0)) {
      layer.norm = {Parameter("norm_gain" + suffix, sizes[i], 1), Parameter("norm_bias" + suffix, sizes[i], 1)};
      layer.norm[0].value.setOnes();
    }
    layers_.push_back(std::move(layer));
  }
}

Var Mlp::operator()(Var x) {
  Tape& tape = x.tape();
  for (Layer& layer : layers_) {
    if (!layer.norm.empty()) x = layer_norm(x, layer.norm[0].on(tape), layer.norm[1].on(tape));
    x = dense(layer.W.on(tape), layer.b.on(tape), x, layer.activation);
  }
  return x;
}

Var Mlp::frozen(Var x) const {
  Tape& tape = x.tape();
  for (const Layer& layer : layers_) {
    if (!layer.norm.empty()) x = layer_norm(x, layer.norm[0].frozen_on(tape), layer.norm[1].frozen_on(tape));
    x = dense(layer.W.frozen_on(tape), layer.b.frozen_on(tape), x, layer.activation);
  }
  return x;
}

ParameterList Mlp::parameters() {
  ParameterList list;
  for (Layer& layer : layers_) {
    for (Parameter& p : layer.norm) list.push_back(&p);
    list.push_back(&layer.W);
    list.push_back(&layer.b);
  }
  return list;
}

void Mlp::visit_state(StateVisitor& v) { visit_parameters(v, parameters()); }

}  // namespace goalpost
