// Two workers (core/worker.h): an update of both, and the sum of their gradients alone. In one process, or over two:
//
//   mpirun -np 2 build/goalpost-bench --benchmark_filter=BM_workers
//
// All processes do the same number of iterations, so that number is fixed.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "algos/ddpg.h"
#include "bench/support.h"
#include "core/communicator.h"
#include "core/thread_pool.h"
#include "core/worker.h"
#include "envs/spec.h"

namespace goalpost::bench {
namespace {

constexpr int kWorkers = 2, kRepeats = 20;  // updates of an iteration

// FetchPush with the networks of Plappert et al.
constexpr Index kInputs = 28, kActions = 4, kBatch = 256;

EnvSpec push_spec() {
  EnvSpec spec;
  spec.name = "FetchPush";
  spec.obs_dim = kInputs - 3;
  spec.goal.dim = 3;
  spec.action.kind = ActionSpace::Kind::continuous;
  spec.action.dim = kActions;
  spec.action.low = Vector::Constant(kActions, -1);
  spec.action.high = Vector::Constant(kActions, 1);
  spec.max_steps = 50;
  return spec;
}

DdpgConfig authors_ddpg() {
  DdpgConfig c{.gamma = Scalar(0.98), .tau = Scalar(0.05), .target_every = 40};
  c.robotics = {.clip_targets = true, .action_penalty = 1};
  c.pi.hidden = c.q.hidden = {256, 256, 256};
  return c;
}

Batch random_batch(const EnvSpec& spec, std::uint64_t stream) {
  Batch batch(spec, kBatch, Scalar(0.98));
  batch.s = random_matrix(kInputs, kBatch, stream);
  batch.s2 = random_matrix(kInputs, kBatch, stream + 1);
  batch.a = random_matrix(kActions, kBatch, stream + 2);
  batch.r.setConstant(-1);
  batch.discount.setConstant(Scalar(0.98));
  return batch;
}

// f(worker) kRepeats times in every worker, timed as a whole; items are calls of f of one worker.
template <class Make>
void in_workers(State& state, int threads, Make make) {
  set_compute_threads(threads);
  WorkerTeam team(kWorkers, threads);
  std::vector<decltype(make(0))> calls;
  for (int k = 0; k < team.hosted(); ++k) calls.push_back(make(team.first() + k));
  const auto iteration = [&] {
    team.run([&](Worker& worker) {
      for (int i = 0; i < kRepeats; ++i) calls[static_cast<std::size_t>(worker.index() - team.first())](worker);
    });
  };
  iteration();
  for (auto _ : state) iteration();
  state.SetItemsProcessed(static_cast<std::int64_t>(kRepeats) * static_cast<std::int64_t>(state.iterations()));
  state.SetLabel(std::to_string(job().ranks()) + (job().ranks() == 1 ? " process" : " processes"));
  set_compute_threads(1);
}

void BM_workers_update(State& state, int threads) {
  const EnvSpec spec = push_spec();
  in_workers(state, threads, [&](int worker) {
    const auto learner = std::make_shared<Ddpg>(spec, authors_ddpg(), Rng(1));
    const auto batch = std::make_shared<Batch>(random_batch(spec, static_cast<std::uint64_t>(10 * worker)));
    return [=](Worker&) {
      Rng rng(2);
      Metrics metrics;
      learner->update(*batch, rng, metrics);
    };
  });
}

// The gradients of both networks.
void BM_workers_sum(State& state, int threads) {
  in_workers(state, threads, [&](int) {
    constexpr std::size_t kNumbers = 2 * (28 * 256 + 2 * 256 * 256);
    const auto gradients = std::make_shared<std::vector<Scalar>>(kNumbers, Scalar(1e-3));
    return [=](Worker& worker) {
      const std::span<Scalar> all(*gradients);
      const std::vector<std::span<Scalar>> parts = {all};
      worker.sum(parts);
    };
  });
}

const bool registered = [] {
  const auto add_threads = [](const std::string& name, void (*body)(State&, int)) {
    for (const int threads : {1, 2})
      benchmark::RegisterBenchmark((name + "/workers:2/threads:" + std::to_string(threads)).c_str(),
                                   [body, threads](State& state) { body(state, threads); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond)
          ->Iterations(10);
  };
  add_threads("BM_workers_update", BM_workers_update);
  add_threads("BM_workers_sum", BM_workers_sum);
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
