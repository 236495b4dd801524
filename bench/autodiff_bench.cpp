// Products, layers, the cost of a node, and the arithmetic peak to compare them with.
#include "autodiff/arena.h"
#include "autodiff/gemm.h"
#include "autodiff/ops.h"
#include "bench/support.h"
#include "core/thread_pool.h"

namespace goalpost::bench {
namespace {

// ---- products -------------------------------------------------------------------------------------------------------

// Fused multiply-adds that never leave the registers, as wide as the vectors of the build: what gemm is measured
// against, in the same run, because the clock wanders. 12 independent chains hide 2 units of latency 4 and still fit
// into 16 registers.
struct Peak {
  std::string name;
  int threads;
};
void BM_fma_peak(State& state, const Peak& peak) {
  using Packet = Eigen::internal::packet_traits<Scalar>::type;
  constexpr int kChains = 12, kRounds = 10'000, kWidth = Eigen::internal::packet_traits<Scalar>::size;
  const Packet scale = Eigen::internal::pset1<Packet>(Scalar(0.5)), shift = Eigen::internal::pset1<Packet>(Scalar(1));
  const double operations = 1.0 * kChains * kRounds * kWidth * peak.threads;
  set_compute_threads(peak.threads);
  measure(state, operations, [&] {
    run_parts(peak.threads, [&](int) {
      Packet x[kChains];
      for (int c = 0; c < kChains; ++c) x[c] = Eigen::internal::pset1<Packet>(Scalar(c));
      for (int i = 0; i < kRounds; ++i)
        for (int c = 0; c < kChains; ++c) x[c] = Eigen::internal::pmadd(x[c], scale, shift);
      Packet sum = x[0];
      for (int c = 1; c < kChains; ++c) sum = Eigen::internal::padd(sum, x[c]);
      Scalar result = Eigen::internal::predux(sum);
      benchmark::DoNotOptimize(result);
    });
  });
  set_compute_threads(1);
  report_flops(state, 2 * operations);
}

// The forward product: y = W x.
void BM_gemm(State& state, const Layer& l) {
  const Matrix W = random_matrix(l.out, l.in, 1), x = random_matrix(l.in, l.batch, 2);
  Matrix y(l.out, l.batch);
  measure(state, double(l.batch), [&] { gemm(W, x, y); });
  report_flops(state, l.flops());
}

// The gradient of the input: dx = Wᵀ dy.
void BM_gemm_tn(State& state, const Layer& l) {
  const Matrix W = random_matrix(l.out, l.in, 1), dy = random_matrix(l.out, l.batch, 2);
  Matrix dx(l.in, l.batch);
  measure(state, double(l.batch), [&] { gemm_tn(W, dy, dx); });
  report_flops(state, l.flops());
}

// The gradient of the weights: dW = dy xᵀ.
void BM_gemm_nt(State& state, const Layer& l) {
  const Matrix dy = random_matrix(l.out, l.batch, 1), x = random_matrix(l.in, l.batch, 2);
  Matrix dW(l.out, l.in);
  measure(state, double(l.batch), [&] { gemm_nt(dy, x, dW); });
  report_flops(state, l.flops());
}

// ---- a layer, forward and backward: one fused node against two nodes ------------------------------------------------

template <class MakeLayer>
void run_dense(State& state, const Layer& l, MakeLayer make_layer) {
  Parameter W("W", l.out, l.in), b("b", l.out, 1), x("x", l.in, l.batch);
  W.value = random_matrix(l.out, l.in, 1);
  x.value = random_matrix(l.in, l.batch, 2);
  Tape tape;
  measure(state, double(l.batch), [&] {
    tape.rewind();
    tape.backward(sum(make_layer(W.on(tape), b.on(tape), x.on(tape))));
  });
  report_flops(state, 3 * l.flops());
}

void BM_dense_fused(State& state, const Layer& l) {
  run_dense(state, l, [](Var W, Var b, Var x) { return dense(W, b, x, Activation::relu); });
}

void BM_dense_composed(State& state, const Layer& l) {
  run_dense(state, l, [](Var W, Var b, Var x) { return relu(dense(W, b, x, Activation::identity)); });
}

// ---- the tape -------------------------------------------------------------------------------------------------------

struct Chain {
  const char* name;
  int length;
};
constexpr Chain kChain = {"1x1", 1000};  // edge: nothing but overhead. An update has 20 to 200 nodes.

// Items are nodes. backward also visits every node, so the difference of the two is its share.
void BM_tape_node_forward(State& state, const Chain& chain) {
  Tape tape;
  const Matrix one = Matrix::Ones(1, 1);
  measure(state, chain.length, [&] {
    tape.rewind();
    Var x = tape.alias(one);
    for (int i = 0; i < chain.length; ++i) x = x + Scalar(1);
    benchmark::DoNotOptimize(x);
  });
}

void BM_tape_node_forward_backward(State& state, const Chain& chain) {
  Tape tape;
  Parameter p("p", 1, 1);
  measure(state, chain.length, [&] {
    tape.rewind();
    Var x = p.on(tape);
    for (int i = 0; i < chain.length; ++i) x = x + Scalar(1);
    tape.backward(x);
  });
}

// Items are allocations of one cache line.
void BM_arena(State& state, const Chain& chain) {
  Arena arena;
  measure(state, chain.length, [&] {
    arena.rewind();
    for (int i = 0; i < chain.length; ++i) benchmark::DoNotOptimize(arena.allocate(Arena::kAlignment));
  });
}

const bool registered = [] {
  for (const int threads : {1, 2})
    add("BM_fma_peak",
        Peak{(sizeof(Scalar) == 4 ? "float" : "double") + ("/threads:" + std::to_string(threads)), threads},
        BM_fma_peak)
        ->UseRealTime();
  for (const Layer& l : kLayers) {
    add("BM_gemm", l, BM_gemm);
    add("BM_gemm_tn", l, BM_gemm_tn);
    add("BM_gemm_nt", l, BM_gemm_nt);
  }
  for (const Layer& l : kLayers) {
    if (l.batch == 1) continue;
    add("BM_dense_fused", l, BM_dense_fused);
    add("BM_dense_composed", l, BM_dense_composed);
  }
  add("BM_tape_node_forward", kChain, BM_tape_node_forward);
  add("BM_tape_node_forward_backward", kChain, BM_tape_node_forward_backward);
  add("BM_arena", Chain{"64B", 1000}, BM_arena);
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
