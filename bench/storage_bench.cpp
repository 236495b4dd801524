// Recording episodes and saving checkpoints; bytes are those of the recorded numbers, items are episodes or updates.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "algos/registry.h"
#include "algos/sac.h"
#include "bench/support.h"
#include "envs/classic/bit_flip.h"
#include "envs/mujoco/fetch.h"
#include "storage/checkpoint.h"
#include "storage/episode_format.h"
#include "storage/episode_recorder.h"
#include "storage/episode_writer.h"
#include "storage/hdf5_file.h"
#include "train/trainer.h"

namespace goalpost::bench {
namespace {

namespace fs = std::filesystem;

// A directory of this process, emptied for every benchmark.
fs::path empty_directory() {
  const fs::path path = fs::temp_directory_path() / ("goalpost_bench_" + std::to_string(getpid()));
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

// FetchReach's sizes; 100 episodes of 50 steps, as one block.
EnvSpec fetch_spec() {
  return {.name = "fetch",
          .obs_dim = 10,
          .action = {.dim = 4, .choices = 0, .low = -Vector::Ones(4), .high = Vector::Ones(4)},
          .goal = {.dim = 3, .radius = Scalar(0.05)},
          .max_steps = 50};
}
constexpr int kEpisodes = 100;

EpisodeBlock random_episodes(const EnvSpec& spec) {
  EpisodeStage stage(spec, 1, EpisodePurpose::training);
  const auto random_obs = [&] {
    return ObsBatch{random_matrix(spec.obs_dim, 1, 1), random_matrix(spec.goal.dim, 1, 2),
                    random_matrix(spec.goal.dim, 1, 3)};
  };
  StepBatch step{.before = random_obs(),
                 .action = random_matrix(spec.action.dim, 1),
                 .reward = -Matrix::Ones(1, 1),
                 .terminated = {0},
                 .truncated = {0},
                 .success = {0},
                 .failed = {0},
                 .after = random_obs()};
  EpisodeBlock block;
  Rng rng(1);
  for (int e = 0; e < kEpisodes; ++e) {
    for (int t = 0; t < spec.max_steps; ++t) {
      rng.fill_uniform(-1, 1, step.after.obs);
      stage.add(step, 0);
    }
    stage.move_episode(0, 0, block);
  }
  return block;
}

std::size_t bytes_of(const EpisodeBlock& b) {
  return (b.observation.size() + b.achieved.size() + b.desired.size() + b.action.size() + b.reward.size()) *
             sizeof(float) +
         3 * b.steps() + 25 * b.episodes();
}

void report(benchmark::State& state, const EpisodeBlock& block) {
  state.SetItemsProcessed(state.iterations() * kEpisodes);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes_of(block)));
}

void BM_record_part(benchmark::State& state) {
  const EnvSpec spec = fetch_spec();
  const EpisodeBlock block = random_episodes(spec);
  const fs::path file = empty_directory() / "part.h5";
  for (auto _ : state) {
    EpisodeFileWriter writer(file, EpisodeHeader::of(spec, 1, ""), state.range(0) != 0);
    writer.append(block);
    writer.close();  // with fsync, as parts are sealed
  }
  report(state, block);
}
BENCHMARK(BM_record_part)->ArgName("compressed")->Arg(0)->Arg(1)->UseRealTime();

// The same bytes by write(2), with one fsync: the bound.
void BM_record_plain_write(benchmark::State& state) {
  const EpisodeBlock block = random_episodes(fetch_spec());
  const std::string bytes(bytes_of(block), 'x');
  const fs::path file = empty_directory() / "plain";
  for (auto _ : state) {
    const int descriptor = ::open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0666);
    if (::write(descriptor, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        ::fsync(descriptor) != 0)
      state.SkipWithError("cannot write");
    ::close(descriptor);
  }
  report(state, block);
}
BENCHMARK(BM_record_plain_write)->UseRealTime();

// One group per episode, as Minari has it.
void BM_record_group_per_episode(benchmark::State& state) {
  const EnvSpec spec = fetch_spec();
  const EpisodeBlock b = random_episodes(spec);
  const fs::path path = empty_directory() / "groups.h5";
  for (auto _ : state) {
    Hdf5File file = Hdf5File::create(path);
    for (std::uint64_t e = 0; e < b.episodes(); ++e) {
      const std::string group = "episode_" + std::to_string(e) + "/";
      const std::uint64_t begin = b.begin_of(e), steps = b.end[e] - begin;
      const auto write = [&](const char* name, const auto& column, std::uint64_t row, std::uint64_t rows, int width) {
        const auto n = static_cast<std::uint64_t>(width);
        file.write(group + name, {rows, n}, std::span(column).subspan(row * n, rows * n));
      };
      write("observation", b.observation, begin + e, steps + 1, spec.obs_dim);
      write("achieved_goal", b.achieved, begin + e, steps + 1, spec.goal.dim);
      write("desired_goal", b.desired, begin + e, steps + 1, spec.goal.dim);
      write("action", b.action, begin, steps, spec.action.dim);
      write("reward", b.reward, begin, steps, 1);
      write("terminated", b.terminated, begin, steps, 1);
      write("truncated", b.truncated, begin, steps, 1);
      write("success", b.success, begin, steps, 1);
    }
    file.close();
    const int descriptor = ::open(path.c_str(), O_RDONLY);
    if (::fsync(descriptor) != 0) state.SkipWithError("cannot write");
    ::close(descriptor);
  }
  report(state, b);
}
BENCHMARK(BM_record_group_per_episode)->UseRealTime();

// One step of 8 lanes with an update per transition, the pair recording off and on; items are transitions.
void train(benchmark::State& state, const EnvFactory& environment, const char* algorithm_name) {
  constexpr int kLanes = 8;
  VectorEnv env(environment, kLanes, Rng(1));
  const AlgorithmEntry& algorithm = find_algorithm(algorithm_name);
  const std::unique_ptr<Settings> settings = algorithm.settings();
  const std::unique_ptr<Agent> agent = algorithm.make(*settings, env.spec(), kLanes, Rng(2));
  std::unique_ptr<EpisodeRecorder> recorder;
  EpisodeStage stage(env.spec(), kLanes, EpisodePurpose::training);
  if (state.range(0) != 0)
    recorder = std::make_unique<EpisodeRecorder>(empty_directory(), env.spec(), EpisodeHeader::of(env.spec(), 1, ""),
                                                 EpisodeRecorder::Options{});
  Matrix action(env.spec().action.dim, kLanes);
  Metrics metrics;
  for (auto _ : state) {
    agent->act(env.obs(), env.first(), Mode::explore, action);
    const StepBatch& step = env.step(action);
    agent->observe(step);
    for (std::size_t lane = 0; recorder && lane < kLanes; ++lane) recorder->append(stage, step, lane, 0);
    if (!agent->ready()) continue;
    for (int i = 0; i < kLanes; ++i) agent->update(metrics);
  }
  state.SetItemsProcessed(state.iterations() * kLanes);
}
void BM_train_fetch_reach(benchmark::State& state) {
  train(state, fetch_factory(FetchTask::reach, FetchReward::sparse, 4, {}), "sac");
}
BENCHMARK(BM_train_fetch_reach)->ArgName("recording")->Arg(0)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);
void BM_train_bit_flip(benchmark::State& state) {
  train(
      state, [] { return make_bit_flip({.bits = 40}); }, "dqn");
}
BENCHMARK(BM_train_bit_flip)->ArgName("recording")->Arg(0)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);

// A replay buffer of so many FetchReach transitions, and the networks of SAC.
class SavedAgent {
 public:
  explicit SavedAgent(int transitions) {
    const AlgorithmEntry& sac = find_algorithm("sac");
    const std::unique_ptr<Settings> settings = sac.settings();
    const EnvSpec spec = fetch_spec();
    agent_ = sac.make(*settings, spec, 1, Rng(2));
    StepBatch step{.before = {Matrix::Zero(10, 1), Matrix::Zero(3, 1), Matrix::Zero(3, 1)},
                   .action = Matrix::Zero(4, 1),
                   .reward = Matrix::Zero(1, 1),
                   .terminated = {0},
                   .truncated = {0},
                   .success = {0},
                   .failed = {0},
                   .after = {Matrix::Zero(10, 1), Matrix::Zero(3, 1), Matrix::Zero(3, 1)}};
    for (int t = 0; t < transitions; ++t) {
      step.truncated[0] = t % 50 == 49;
      agent_->observe(step);
    }
  }
  StateTraversal state() {
    return [this](StateVisitor& v) { agent_->visit_state(v); };
  }

 private:
  std::unique_ptr<Agent> agent_;
};

void BM_checkpoint_save(benchmark::State& state) {
  SavedAgent agent(static_cast<int>(state.range(0)));
  const fs::path file = empty_directory() / "checkpoint.h5";
  for (auto _ : state) save_state(file, "bench", agent.state());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(fs::file_size(file)));
}
BENCHMARK(BM_checkpoint_save)->Arg(0)->Arg(10'000)->Arg(1'000'000)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_checkpoint_load(benchmark::State& state) {
  SavedAgent agent(static_cast<int>(state.range(0)));
  const fs::path file = empty_directory() / "checkpoint.h5";
  save_state(file, "bench", agent.state());
  for (auto _ : state) load_state(file, "bench", agent.state());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(fs::file_size(file)));
}
BENCHMARK(BM_checkpoint_load)->Arg(0)->Arg(10'000)->Arg(1'000'000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace goalpost::bench
