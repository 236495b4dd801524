// Networks forward and backward, and everything that touches every parameter or every input once per update.
#include "nn/mlp.h"

#include "bench/support.h"
#include "nn/normalizer.h"
#include "nn/optimizer.h"

namespace goalpost::bench {
namespace {

// ---- networks; items are samples ------------------------------------------------------------------------------------

void BM_mlp_forward(State& state, const Network& n) {
  const Mlp net(n.in, n.out, n.config(), Rng(1));
  const Matrix x = random_matrix(n.in, n.batch);
  Tape tape;
  measure(state, double(n.batch), [&] {
    tape.rewind();
    net.with_frozen_weights(tape.alias(x));
  });
  report_flops(state, n.forward_flops());
}

void run_forward_backward(State& state, const Network& n, const MlpConfig& config) {
  Mlp net(n.in, n.out, config, Rng(1));
  const Matrix x = random_matrix(n.in, n.batch);
  Tape tape;
  measure(state, double(n.batch), [&] {
    tape.rewind();
    tape.backward(mean(square(net(tape.alias(x)))));
  });
  report_flops(state, n.forward_flops() + n.backward_flops());
}

void BM_mlp_forward_backward(State& state, const Network& n) { run_forward_backward(state, n, n.config()); }

void BM_mlp_layer_norm_forward_backward(State& state, const Network& n) {
  MlpConfig config = n.config();
  config.layer_norm = true;
  run_forward_backward(state, n, config);
}

void BM_layer_norm(State& state, const Columns& c) {
  Parameter x("x", c.rows, c.cols), gain("gain", c.rows, 1), bias("bias", c.rows, 1);
  x.value = random_matrix(c.rows, c.cols);
  gain.value.setOnes();
  Tape tape;
  measure(state, double(c.cols), [&] {
    tape.rewind();
    tape.backward(sum(layer_norm(x.on(tape), gain.on(tape), bias.on(tape))));
  });
}

// ---- parameters; items are parameters -------------------------------------------------------------------------------

struct Weights {
  std::string name;  // the network without its batch
  Network network;
};

struct Parameters {
  explicit Parameters(const Network& n) : net(n.in, n.out, n.config(), Rng(1)), list(net.parameters()) {}
  // Zero gradients would let the running means decay into denormal numbers.
  void fill_gradients() {
    for (Parameter* p : list) p->grad.setConstant(Scalar(0.01));
  }
  double count() const {
    double sum = 0;
    for (const Parameter* p : list) sum += double(p->value.size());
    return sum;
  }
  Mlp net;
  ParameterList list;
};

template <class AnyOptimizer, class Config>
void run_step(State& state, const Weights& w, const Config& config) {
  Parameters parameters(w.network);
  AnyOptimizer optimizer(parameters.list, config);
  measure_prepared(
      state, parameters.count(), [&] { parameters.fill_gradients(); }, [&] { optimizer.step(); });
}

void BM_adam(State& state, const Weights& w) { run_step<Adam>(state, w, AdamConfig{}); }

// Half of the gradients have become zero, as those of ReLUs that never fire, and their running means have decayed.
void BM_adam_vanished(State& state, const Weights& w) {
  Parameters parameters(w.network);
  Adam adam(parameters.list, AdamConfig{});
  const auto fill_half = [&] {
    for (Parameter* p : parameters.list) p->grad.topRows(p->grad.rows() / 2).setConstant(Scalar(0.01));
  };
  parameters.fill_gradients();
  for (int t = 0; t < 1'000; ++t) {
    adam.step();
    fill_half();
  }
  measure_prepared(state, parameters.count(), fill_half, [&] { adam.step(); });
}

void BM_rmsprop(State& state, const Weights& w) { run_step<RmsProp>(state, w, RmsPropConfig{}); }

void BM_polyak(State& state, const Weights& w) {
  Parameters online(w.network), target(w.network);
  measure(state, online.count(), [&] { polyak(Scalar(0.005), online.list, target.list); });
}

// The norm lies below the bound: read only, which is the common case.
void BM_clip_grad_norm_unclipped(State& state, const Weights& w) {
  Parameters parameters(w.network);
  parameters.fill_gradients();
  measure(state, parameters.count(), [&] { benchmark::DoNotOptimize(clip_grad_norm(parameters.list, 1e6)); });
}

// The norm lies a little above the bound, again and again.
void BM_clip_grad_norm_clipped(State& state, const Weights& w) {
  Parameters parameters(w.network);
  parameters.fill_gradients();
  double bound = grad_norm(parameters.list);
  measure(state, parameters.count(), [&] { clip_grad_norm(parameters.list, bound *= 1 - 1e-5); });
}

// ---- inputs; items are samples --------------------------------------------------------------------------------------

void BM_normalizer_apply(State& state, const Columns& c) {
  Normalizer normalizer(c.rows, {.enabled = true});
  Matrix x = random_matrix(c.rows, c.cols);
  normalizer.observe(random_matrix(c.rows, 1000, 1));
  measure(state, double(c.cols), [&] { normalizer.apply(x); });
}

void BM_normalizer_observe(State& state, const Columns& c) {
  Normalizer normalizer(c.rows, {.enabled = true});
  const Matrix x = random_matrix(c.rows, c.cols);
  measure(state, double(c.cols), [&] { normalizer.observe(x); });
}

const bool registered = [] {
  for (const Network& n : kActing) add("BM_mlp_forward", n, BM_mlp_forward);
  for (const Network& n : kTraining) {
    add("BM_mlp_forward", n, BM_mlp_forward);
    add("BM_mlp_forward_backward", n, BM_mlp_forward_backward);
    add("BM_mlp_layer_norm_forward_backward", n, BM_mlp_layer_norm_forward_backward);
  }
  for (const Columns& c : kHidden) add("BM_layer_norm", c, BM_layer_norm);
  for (const Network& n : {kBitFlipDqn, kSac, kSmall}) {
    const std::string name = n.name;
    const Weights w{name.substr(0, name.find('/')), n};
    add("BM_adam", w, BM_adam);
    add("BM_adam_vanished", w, BM_adam_vanished);
    add("BM_rmsprop", w, BM_rmsprop);
    add("BM_polyak", w, BM_polyak);
    add("BM_clip_grad_norm_unclipped", w, BM_clip_grad_norm_unclipped);
    add("BM_clip_grad_norm_clipped", w, BM_clip_grad_norm_clipped);
  }
  for (const Columns& c : kInputs) {
    add("BM_normalizer_apply", c, BM_normalizer_apply);
    add("BM_normalizer_observe", c, BM_normalizer_observe);
  }
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
