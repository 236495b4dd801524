// Storing transitions and drawing minibatches; items are transitions. Memories are filled once per process.
#include "algos/replay_buffer.h"

#include "algos/her.h"
#include "algos/sampler.h"
#include "bench/support.h"

namespace goalpost::bench {
namespace {

Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
}

EnvSpec bit_flip_spec(int bits) {
  return {.name = "bit flip",
          .obs_dim = bits,
          .action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = bits, .low = {}, .high = {}},
          .goal = {.dim = bits, .radius = Scalar(0.5), .ends_at_goal = true, .reward = &sparse},
          .max_steps = bits};
}

EnvSpec fetch_spec() {
  return {.name = "fetch",
          .obs_dim = 10,
          .action = {.dim = 4, .choices = 0, .low = -Vector::Ones(4), .high = Vector::Ones(4)},
          .goal = {.dim = 3, .radius = Scalar(0.05), .reward = &sparse},
          .max_steps = 50};
}

// Random transitions in episodes of full length.
class Source {
 public:
  Source(const EnvSpec& spec, int lanes) : max_steps_(spec.max_steps) {
    const auto random_obs = [&] {
      return ObsBatch{random_matrix(spec.obs_dim, lanes, 1), random_matrix(spec.goal.dim, lanes, 2),
                      random_matrix(spec.goal.dim, lanes, 3)};
    };
    const auto flags = std::vector<std::uint8_t>(static_cast<std::size_t>(lanes), 0);
    step_ = {.before = random_obs(),
             .action = random_matrix(spec.action.dim, lanes),
             .reward = -Matrix::Ones(1, lanes),
             .terminated = flags,
             .truncated = flags,
             .success = flags,
             .failed = flags,
             .after = random_obs()};
  }
  const StepBatch& next() {
    const bool end = ++t_ % max_steps_ == 0;
    std::fill(step_.truncated.begin(), step_.truncated.end(), static_cast<std::uint8_t>(end));
    return step_;
  }
  // New numbers: otherwise every relabeled goal would be reached, and its branch be predicted.
  const StepBatch& next(Rng& rng) {
    rng.fill_uniform(-1, 1, step_.after.obs);
    rng.fill_uniform(-1, 1, step_.after.achieved);
    return next();
  }

 private:
  int max_steps_, t_ = 0;
  StepBatch step_;
};

struct Memory {
  Memory(EnvSpec s, int capacity) : spec(std::move(s)), buffer(spec, {.buffer_size = capacity}, 1) {
    Source source(spec, 1);
    Rng rng(1);
    while (buffer.size() < capacity) buffer.add(source.next(rng));
  }
  EnvSpec spec;
  ReplayBuffer buffer;
};

struct Task {
  const char* name;  // obs+goal/transitions/batch
  const Memory& (*memory)();
  Index batch;
};
const Memory& bit_flip() {
  static const Memory memory(bit_flip_spec(40), kBitFlipTransitions);
  return memory;
}
const Memory& fetch() {
  static const Memory memory(fetch_spec(), kFetchTransitions);
  return memory;
}
const Memory& fetch_cached() {
  static const Memory memory(fetch_spec(), kFetchCachedTransitions);
  return memory;
}
constexpr Task kBitFlip = {"40+40/2e5/128", bit_flip, kBitFlipBatch};
constexpr Task kFetch = {"10+3/1e6/256", fetch, kFetchBatch};
constexpr Task kFetchCached = {"10+3/2e3/256", fetch_cached, kFetchBatch};

struct Lanes {
  const char* name;
  int lanes;
};

// Into a full memory that overwrites its oldest transitions; every max_steps calls an episode ends.
void BM_replay_add(State& state, const Lanes& l) {
  const EnvSpec spec = fetch_spec();
  ReplayBuffer buffer(spec, {.buffer_size = 100'000}, l.lanes);
  Source source(spec, l.lanes);
  for (int i = 0; i < 2 * 100'000 / l.lanes; ++i) buffer.add(source.next());
  measure(state, l.lanes, [&] { buffer.add(source.next()); });
}

void run_sample(State& state, const Task& task, const Sampler& sampler) {
  Batch batch(task.memory().spec, task.batch, Scalar(0.98));
  Rng rng(2);
  measure(state, double(task.batch), [&] { sampler.sample(rng, batch); });
}

void BM_replay_uniform(State& state, const Task& task) {
  run_sample(state, task, UniformSampler(task.memory().buffer));
}

template <HerStrategy strategy>
void BM_replay_her(State& state, const Task& task) {
  run_sample(state, task, HerSampler(task.memory().buffer, task.memory().spec.goal, {.strategy = strategy, .k = 4}));
}

const bool registered = [] {
  add("BM_replay_add", Lanes{"10+3/lanes:1", 1}, BM_replay_add);
  add("BM_replay_add", Lanes{"10+3/lanes:16", kLanes}, BM_replay_add);
  for (const Task& task : {kBitFlip, kFetch, kFetchCached}) {
    add("BM_replay_uniform", task, BM_replay_uniform);
    add("BM_replay_her_final", task, BM_replay_her<HerStrategy::final>);
    add("BM_replay_her_future", task, BM_replay_her<HerStrategy::future>);
    add("BM_replay_her_episode", task, BM_replay_her<HerStrategy::episode>);
    add("BM_replay_her_random", task, BM_replay_her<HerStrategy::random>);
  }
  return true;
}();

}  // namespace
}  // namespace goalpost::bench
