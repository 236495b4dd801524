#pragma once

#include <vector>

#include "autodiff/ops.h"
#include "core/config.h"
#include "nn/parameter.h"

namespace goalpost {

inline constexpr std::array kActivationNames = {"identity", "relu", "tanh"};
constexpr EnumNames enum_names(Activation) { return kActivationNames; }
inline constexpr std::array kInitializerNames = {"fan_in", "xavier", "he", "zeros", "fan_in_zero_bias"};
constexpr EnumNames enum_names(Initializer) { return kInitializerNames; }

struct MlpConfig {
  std::vector<int> hidden = {256, 256};
  Activation activation = Activation::relu;
  bool layer_norm = false;
  bool input_norm = false;
  bool hidden_norm = false;
  Initializer initializer = Initializer::fan_in;
  double output_init = 0;
};
constexpr auto fields(const MlpConfig*) {
  return std::tuple{
      field("hidden", &MlpConfig::hidden, "width of each hidden layer, from input to output", 1, 65536),
      field("activation", &MlpConfig::activation, "activation of the hidden layers; the output is linear"),
      field("layer_norm", &MlpConfig::layer_norm, "layer normalization of the input of every layer"),
      field("input_norm", &MlpConfig::input_norm, "layer normalization of the network's input only"),
      field("hidden_norm", &MlpConfig::hidden_norm,
            "layer normalization of the output of every hidden layer, before its activation", "Ba et al. 2016, (4)"),
      field("initializer", &MlpConfig::initializer, "initializer of weights and biases"),
      field("output_init", &MlpConfig::output_init,
            "the output layer's weights start uniform in plus or minus this, its bias at 0; 0: like the other layers",
            0, 1e3, "Lillicrap et al. 2016, section 7 (there 0.003)"),
  };
}
static_assert(complete<MlpConfig>);

/// Multi-layer perceptron: dense layers in a row, a linear output.
/// A value type: copying copies the weights, which is how a target network is made.
class Mlp {
 public:
  /// @param again the last `again` inputs are also fed to the second layer
  Mlp(Index in, Index out, const MlpConfig& config, Rng rng, Index again = 0);
  /// @shape x [in x B] -> [out x B]. Gradients reach x and the weights. @alloc none after the first call
  Var operator()(Var x);
  /// The same function of the same weights; gradients reach x only.
  Var with_frozen_weights(Var x) const;
  ParameterList parameters();
  void visit_state(StateVisitor& v);
  Index in() const { return layers_.front().W.value.cols(); }
  Index out() const { return layers_.back().W.value.rows(); }

 private:
  struct Layer {
    Parameter W, b;
    Activation activation;
    std::vector<Parameter> norm;      // gain and bias of the layer normalization before it, or empty
    std::vector<Parameter> out_norm;  // the same of that between its product and its activation, or empty
  };
  // place(parameter) puts a parameter on the tape
  template <class Layers, class Place>
  static Var apply(Layers& layers, Index again, Var x, Place place);
  std::vector<Layer> layers_;
  Index again_;  // 0 without a second layer
};

}  // namespace goalpost
