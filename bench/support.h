// What every benchmark shares: how it is registered, what it reports, and the standard sizes with their reasons.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/matrix.h"
#include "core/rng.h"
#include "nn/mlp.h"
#include "support/alloc_guard.h"

namespace goalpost::bench {

using benchmark::Counter;
using benchmark::State;

// ---- registration and measurement -----------------------------------------------------------------------------------

/// Registers body(state, size) as "component/size.name".
template <class Size>
benchmark::internal::Benchmark* add(const std::string& component, const Size& size, void (*body)(State&, const Size&)) {
  const std::string name = component + "/" + size.name;
  return benchmark::RegisterBenchmark(name.c_str(), [=](State& state) { body(state, size); })
      ->Unit(benchmark::kMicrosecond);
}

inline void report(State& state, double items, std::uint64_t allocations) {
  if (allocations_are_counted())
    state.counters["allocs"] = Counter(static_cast<double>(allocations), Counter::kAvgIterations);
  state.SetItemsProcessed(static_cast<std::int64_t>(items * static_cast<double>(state.iterations())));
}

/// Times body, which handles `items` items (samples, steps, updates, ...) per call, and reports items_per_second and
/// the heap allocations of a call, `allocs`. A few calls before the clock starts bring arenas and caches to their
/// steady state. prepare runs before every call with the clock stopped (some 0.5 us each: not for short bodies).
template <class Prepare, class Body>
void measure_prepared(State& state, double items, Prepare prepare, Body body) {
  for (int i = 0; i < 3; ++i) {
    prepare();
    body();
  }
  std::uint64_t allocations = 0;
  for (auto _ : state) {
    state.PauseTiming();
    prepare();
    const std::uint64_t before = allocation_count();
    state.ResumeTiming();
    body();
    allocations += allocation_count() - before;
  }
  report(state, items, allocations);
}

/// The same without preparation.
template <class Body>
void measure(State& state, double items, Body body) {
  for (int i = 0; i < 3; ++i) body();
  const std::uint64_t before = allocation_count();
  for (auto _ : state) body();
  const std::uint64_t allocations = allocation_count() - before;
  report(state, items, allocations);
}

/// Adds the counter GFLOP/s; to be read against BM_fma_peak of the same run.
inline void report_flops(State& state, double flops_per_iteration) {
  state.counters["GFLOP/s"] = Counter(flops_per_iteration * 1e-9, Counter::kIsIterationInvariantRate);
}

/// Uniform in [-1, 1): no denormal numbers, no infinities.
inline Matrix random_matrix(Index rows, Index cols, std::uint64_t stream = 0) {
  Matrix m(rows, cols);
  Rng(1, stream).fill_uniform(-1, 1, m);
  return m;
}

// ---- standard sizes -------------------------------------------------------------------------------------------------

/// One dense layer on a batch; its three products are gemm (forward), gemm_tn (dX) and gemm_nt (dW).
struct Layer {
  const char* name;  // in-out/batch
  Index in, out, batch;
  double flops() const { return 2.0 * double(in) * double(out) * double(batch); }  // of any one of the three products
};

inline constexpr Layer kLayers[] = {
    {"80-256/128", 80, 256, 128},    // paper: DQN with HER, bit flip n = 40 (Andrychowicz et al. 2017), first layer
    {"256-40/128", 256, 40, 128},    // and last layer
    {"16-256/256", 16, 256, 256},    // paper: SAC (Haarnoja et al. 2018b) on a reaching arm: narrow input
    {"256-256/256", 256, 256, 256},  // the product that most of a SAC update consists of
    {"256-4/256", 256, 4, 256},      // narrow output
    {"64-64/100", 64, 64, 100},      // small networks, where everything but products counts; batch is no power of two
    {"300-300/128", 300, 300, 128},  // paper: HIRO (Nachum et al. 2018); no multiple of a vector's width
    {"256-256/1", 256, 256, 1},      // edge: acting on one observation is a matrix times a vector
};

/// A perceptron of `depth` hidden layers of equal width, on a batch.
struct Network {
  const char* name;  // in-width-...-out/batch
  Index in;
  int width, depth;
  Index out, batch;

  MlpConfig config() const { return {.hidden = std::vector<int>(static_cast<std::size_t>(depth), width)}; }
  double weights() const {
    return double(width) * double(in + out) + double(depth - 1) * double(width) * double(width);
  }
  double forward_flops() const { return 2 * weights() * double(batch); }
  /// Weight gradients of every layer, input gradients of all but the first.
  double backward_flops() const { return forward_flops() + 2 * (weights() - double(in * width)) * double(batch); }
};

inline constexpr Network kBitFlipDqn = {"80-256-40/128", 80, 256, 1, 40, 128};   // paper: bit flip n = 40, DQN
inline constexpr Network kSac = {"16-256-256-4/256", 16, 256, 2, 4, 256};        // paper: SAC, observation and goal
inline constexpr Network kSmall = {"3-64-64-1/100", 3, 64, 2, 1, 100};           // pendulum-sized
inline constexpr Network kHiro = {"45-300-300-8/128", 45, 300, 2, 8, 128};       // paper: HIRO on the ant, low level
inline constexpr Network kSacActing = {"16-256-256-4/1", 16, 256, 2, 4, 1};      // edge: acting, one lane
inline constexpr Network kSacActing16 = {"16-256-256-4/16", 16, 256, 2, 4, 16};  // acting, 16 lanes
inline constexpr Network kTraining[] = {kBitFlipDqn, kSac, kSmall, kHiro};
inline constexpr Network kActing[] = {kSacActing, kSacActing16};

/// A matrix that is passed over once, sample by sample.
struct Columns {
  const char* name;  // rows/columns
  Index rows, cols;
};
inline constexpr Columns kHidden[] = {{"256/128", 256, 128}, {"256/256", 256, 256}, {"64/100", 64, 100}};
inline constexpr Columns kInputs[] = {
    {"16/1", 16, 1},      // edge: acting, one lane
    {"80/16", 80, 16},    // acting, 16 lanes
    {"80/128", 80, 128},  // paper: a minibatch of bit flip n = 40
    {"16/256", 16, 256},  // paper: a minibatch of SAC on a reaching arm
};

inline constexpr int kBitFlipBits[] = {10, 40, 50};    // paper: easy; where HER solves all; edge of its Figure 1
inline constexpr Index kBitFlipBatch = 128;            // paper: Andrychowicz et al. 2017, App. A
inline constexpr int kBitFlipTransitions = 200'000;    // 5,000 episodes at n = 40; 128 MB: in no cache
inline constexpr int kFetchTransitions = 1'000'000;    // paper and default: a full memory
inline constexpr int kFetchCachedTransitions = 2'000;  // edge: 0.3 MB, which fits into a second-level cache
inline constexpr Index kFetchBatch = 256;              // default batch size
inline constexpr int kLanes = 16;                      // enough work per step for a second thread to be worth trying

}  // namespace goalpost::bench
