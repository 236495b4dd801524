// Nothing allocates in steady state: after the first three calls.
#include "support/alloc_guard.h"

#include <cstdlib>
#include <memory>
#include <thread>

#include "algos/ddpg.h"
#include "algos/dqn.h"
#include "algos/hiro/config.h"
#include "algos/hiro/hiro.h"
#include "algos/off_policy_agent.h"
#include "algos/registry.h"
#include "algos/td3.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/point_reach.h"
#include "envs/mujoco/fetch.h"
#include "envs/registry.h"
#include "nn/normalizer.h"
#include "nn/optimizer.h"
#include "storage/episode_format.h"
#include "storage/episode_reader.h"
#include "storage/episode_recorder.h"
#include "support/levels.h"
#include "support/matrices.h"
#include "support/script.h"
#include "support/settings.h"
#include "support/temporary_directory.h"

namespace goalpost::test {
namespace {

template <class F>
std::uint64_t allocations_after_three_calls(F call, int calls = 10) {
  for (int i = 0; i < 3; ++i) call();
  const AllocGuard guard;
  for (int i = 0; i < calls; ++i) call();
  return guard.count();
}

class Alloc : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!allocations_are_counted()) GTEST_SKIP() << "sanitizers bring their own allocator";
  }
};

TEST_F(Alloc, TheGuardCountsEveryWayToAllocateInEveryThread) {
  const auto count = [](auto allocate) {
    const AllocGuard guard;
    void* volatile memory = allocate();
    const std::uint64_t n = guard.count();
    std::free(memory);
    return n;
  };
  EXPECT_EQ(count([] { return std::malloc(10); }), 1u);
  EXPECT_EQ(count([] { return std::calloc(10, 10); }), 1u);
  EXPECT_EQ(count([] { return std::realloc(nullptr, 10); }), 1u);
  EXPECT_EQ(count([] { return std::aligned_alloc(64, 64); }), 1u);
  EXPECT_EQ(count([] { return ::operator new(10); }), 1u);
  EXPECT_EQ(count([] { return ::operator new(64, std::align_val_t(64)); }), 1u);
  EXPECT_GE(count([] {
              void* memory = nullptr;
              return posix_memalign(&memory, 64, 64) == 0 ? memory : nullptr;
            }),
            1u);

  void* volatile memory = nullptr;
  std::uint64_t in_thread = 0;
  std::thread([&] {
    const AllocGuard guard;
    memory = std::malloc(10);
    in_thread = guard.count();
  }).join();
  std::free(memory);
  EXPECT_EQ(in_thread, 1u);
  const ThreadAllocGuard own;
  std::thread other([&] { memory = std::malloc(10); });
  const std::uint64_t to_start_it = own.count();
  other.join();
  std::free(memory);
  EXPECT_EQ(own.count(), to_start_it);
  const AllocGuard idle;
  EXPECT_EQ(idle.count(), 0u);
}

// BitFlip-v0 with 40 bits, two layers of 256 units, batches of 128, HER and normalized inputs.
class AgentAlloc : public Alloc {
 protected:
  AgentAlloc() {
    DqnConfig dqn;
    dqn.optimizer = OptimizerKind::adam;
    dqn.q.hidden = {256, 256};
    dqn.target_every = 2;
    dqn.double_q = true;
    dqn.clip_targets = true;
    dqn.max_grad_norm = 10;
    agent_ = make_off_policy_agent(std::make_unique<Dqn>(env_.spec(), dqn, Rng(2)), env_.spec(),
                                   {.batch_size = 128,
                                    .replay = {.buffer_size = 400},  // wraps within the tests
                                    .her = {.strategy = HerStrategy::future},
                                    .normalizer = {.enabled = true}},
                                   kLanes, Rng(3));
  }
  void explore() {
    agent_->act(env_.obs(), env_.first(), Mode::explore, action_);
    agent_->observe(env_.step(action_));
  }
  static constexpr int kLanes = 4;
  VectorEnv env_{[] { return make_bit_flip({.bits = 40}); }, kLanes, Rng(1)};
  std::unique_ptr<Agent> agent_;
  Matrix action_ = Matrix::Zero(1, kLanes);
  Metrics metrics_;
};

TEST_F(AgentAlloc, AnAgentActs) {
  EXPECT_EQ(allocations_after_three_calls([&] { agent_->act(env_.obs(), env_.first(), Mode::explore, action_); }), 0u);
  EXPECT_EQ(allocations_after_three_calls([&] { agent_->act(env_.obs(), env_.first(), Mode::exploit, action_); }), 0u);
}
TEST_F(AgentAlloc, AnAgentObservesWhileItsMemoryFillsAndWraps) {
  const StepBatch& step = env_.step(action_);
  EXPECT_EQ(allocations_after_three_calls([&] { agent_->observe(step); }, 300), 0u);
}
TEST_F(AgentAlloc, AnAgentUpdates) {
  while (!agent_->ready()) explore();
  EXPECT_EQ(allocations_after_three_calls([&] { agent_->update(metrics_); }), 0u);
}
TEST_F(AgentAlloc, AnAgentLives) {
  while (!agent_->ready()) explore();
  EXPECT_EQ(allocations_after_three_calls(
                [&] {
                  explore();
                  agent_->update(metrics_);
                },
                120),
            0u);
}

TEST_F(Alloc, DqnActsAndUpdatesWithEitherOptimizer) {
  const auto env = make_bit_flip({.bits = 40});
  for (const OptimizerKind optimizer : {OptimizerKind::adam, OptimizerKind::rmsprop}) {
    DqnConfig c;
    c.optimizer = optimizer;
    c.q.layer_norm = optimizer == OptimizerKind::rmsprop;
    c.q.activation = optimizer == OptimizerKind::rmsprop ? Activation::tanh : Activation::relu;
    c.target_every = 1;
    Dqn dqn(env->spec(), c, Rng(1));
    Batch batch(env->spec(), 128, Scalar(0.98));
    batch.s = random_matrix(80, 128, 1);
    batch.s2 = random_matrix(80, 128, 2);
    Rng rng(1);
    Metrics metrics;
    Matrix a(1, 7);
    const Matrix s = random_matrix(80, 7, 3);
    EXPECT_EQ(allocations_after_three_calls([&] { dqn.act(s, Mode::explore, rng, a); }), 0u);
    EXPECT_EQ(allocations_after_three_calls([&] { dqn.update(batch, rng, metrics); }), 0u);
    EXPECT_EQ(allocations_after_three_calls([&] {
                dqn.act(s, Mode::explore, rng, a);
                dqn.update(batch, rng, metrics);
              }),
              0u);
  }
}

TEST_F(Alloc, SamplersSample) {
  const EnvSpec spec = script_spec(9);
  ReplayBuffer buffer(spec, {.buffer_size = 90}, 3);
  Script script(spec, 3);
  for (int i = 0; i < 100; ++i) buffer.add(script.next());
  Batch batch(spec, 64, Scalar(0.98));
  Rng rng(1);
  const UniformSampler uniform(buffer);
  EXPECT_EQ(allocations_after_three_calls([&] { uniform.sample(rng, batch); }), 0u);
  for (const HerStrategy strategy :
       {HerStrategy::final, HerStrategy::future, HerStrategy::episode, HerStrategy::random}) {
    const HerSampler her(buffer, spec.goal, {.strategy = strategy});
    EXPECT_EQ(allocations_after_three_calls([&] { her.sample(rng, batch); }), 0u);
  }
}

// HER with goals of both kinds, the relay, and layer normalization of the hidden layers.
TEST_F(Alloc, AnAgentWithTheRelayLives) {
  VectorEnv env(fetch_factory<FetchTask::push>({}), 2, Rng(1));
  const OffPolicyConfig c{.batch_size = 65,
                          .replay = {.buffer_size = 400},
                          .her = {.strategy = HerStrategy::future, .desired_goals = 2},
                          .relay = {.enabled = true},
                          .normalizer = {.enabled = true}};
  DdpgConfig ddpg;
  ddpg.pi = ddpg.q = {.hidden = {32, 32}, .hidden_norm = true};
  const auto agent = make_off_policy_agent(std::make_unique<Ddpg>(learner_spec(c, env.spec()), ddpg, Rng(2)),
                                           env.spec(), c, 2, Rng(3));
  Matrix action(env.spec().action.dim, 2);
  Metrics metrics;
  const auto live = [&] {
    agent->act(env.obs(), env.first(), Mode::explore, action);
    agent->observe(env.step(action));
    if (agent->ready()) agent->update(metrics);
  };
  for (int t = 0; t < 60; ++t) live();
  EXPECT_EQ(allocations_after_three_calls(live, 120), 0u);
}

TEST_F(Alloc, Td3UpdatesWithTheOptionsOfHirosReleasedCode) {
  EnvSpec spec = make_point_reach()->spec();
  Td3Config c;
  c.pi.hidden = c.q.hidden = {32};
  c.hiro_release = {.actions_again = true, .actions_in_units = true, .coasting_policy = true};
  Td3 td3(spec, c, Rng(1));
  Batch batch(spec, 33, Scalar(0.98));
  Rng rng(1);
  Metrics metrics;
  EXPECT_EQ(allocations_after_three_calls([&] { td3.update(batch, rng, metrics); }), 0u);
}

TEST_F(Alloc, EveryEnvironmentStepsAndRestarts) {
  for (const EnvEntry& entry : environments()) {
    const std::unique_ptr<EnvSettings> settings = entry.settings();
    if (entry.name.starts_with("Ant")) settings->task.max_steps = 20;  // their episodes are long, their steps slow
    for (const int threads : {1, 2}) {
      VectorEnv env(entry.factory(*settings, Rng(1)), 4, Rng(1), threads);
      const Matrix action = Matrix::Zero(env.spec().action.dim, 4);
      const int steps = std::min(env.spec().max_steps + 5, 500);
      EXPECT_EQ(allocations_after_three_calls([&] { env.step(action); }, steps), 0u)
          << entry.name << " with " << threads << " threads";
    }
  }
}

// Blocks are handed over, written as parts and come back all the while; only the writing thread allocates.
TEST_F(Alloc, EpisodesAreRecordedWhileLanesStep) {
  constexpr int kLanes = 4;
  const TemporaryDirectory dir;
  VectorEnv env([] { return make_bit_flip({.bits = 6}); }, kLanes, Rng(1));
  const Matrix action = Matrix::Zero(1, kLanes);
  EpisodeStage stage(env.spec(), kLanes, EpisodePurpose::training);
  EpisodeRecorder recorder(dir.path(), env.spec(), EpisodeHeader::of(env.spec(), 1, ""), {.block_bytes = 4096});
  std::uint64_t run_step = 0;
  const ThreadAllocGuard guard;
  for (int t = 0; t < 500; ++t) {
    const StepBatch& step = env.step(action);
    run_step += kLanes;
    for (std::size_t lane = 0; lane < kLanes; ++lane) recorder.append(stage, step, lane, run_step);
  }
  EXPECT_EQ(guard.count(), 0u);
  recorder.seal();
  EXPECT_EQ(EpisodeReader(dir.path()).episodes(), recorder.episodes());
  EXPECT_GT(EpisodeReader(dir.path()).files().size(), 10u);
}

TEST_F(Alloc, NormalizersObserveAndApply) {
  Normalizer n(80, {});
  const Matrix seen = random_matrix(80, 16, 1);
  Matrix x = random_matrix(80, 128, 2);
  EXPECT_EQ(allocations_after_three_calls([&] {
              n.observe(seen);
              n.apply(x);
            }),
            0u);
}

TEST_F(Alloc, OptimizersStepAndTargetsMove) {
  Mlp net(80, 40, {}, Rng(1)), target = net;
  const ParameterList online = net.parameters(), to = target.parameters();
  Adam adam(online, {});
  RmsProp centerd(online, {}), uncenterd(online, {.centered = false});
  for (Parameter* p : online) p->grad = random_matrix(p->grad.rows(), p->grad.cols(), 1);
  EXPECT_EQ(allocations_after_three_calls([&] { clip_grad_norm(online, 0.5); }), 0u);
  EXPECT_EQ(allocations_after_three_calls([&] { adam.step(); }), 0u);
  EXPECT_EQ(allocations_after_three_calls([&] { centerd.step(); }), 0u);
  EXPECT_EQ(allocations_after_three_calls([&] { uncenterd.step(); }), 0u);
  EXPECT_EQ(allocations_after_three_calls([&] { polyak(Scalar(0.01), online, to); }), 0u);
}

// Every registered algorithm with its default settings.
class AlgorithmAlloc : public Alloc, public ::testing::WithParamInterface<std::string> {};

TEST_P(AlgorithmAlloc, ActsObservesAndUpdates) {
  const AlgorithmEntry& algorithm = find_algorithm(GetParam());
  const bool discrete = algorithm.action_kind == ActionSpace::Kind::discrete;
  VectorEnv env(discrete ? EnvFactory([] { return make_bit_flip({.bits = 6}); }) : EnvFactory(make_point_reach), 2,
                Rng(1));
  const std::unique_ptr<Settings> settings = algorithm.settings();
  FitPointReach fit;
  settings->visit(fit);
  const auto agent = algorithm.make(*settings, env.spec(), 2, Rng(2));
  Matrix action = Matrix::Zero(env.spec().action.dim, 2);
  Metrics metrics;
  const auto live = [&] {
    agent->act(env.obs(), env.first(), Mode::explore, action);
    agent->observe(env.step(action));
    agent->act(env.obs(), env.first(), Mode::exploit, action);
    agent->update(metrics);
  };
  EXPECT_EQ(allocations_after_three_calls(live), 0u);
}

// Episodes end, are given to the normalizer with HER's goals, and are overwritten.
TEST_F(Alloc, OffPolicyAgentsNormalizeReplayedGoals) {
  VectorEnv env([] { return make_bit_flip({.bits = 6}); }, 3, Rng(1));
  DqnConfig dqn;
  dqn.q.hidden = {16};
  const auto agent = make_off_policy_agent(std::make_unique<Dqn>(env.spec(), dqn, Rng(2)), env.spec(),
                                           {.batch_size = 16,
                                            .replay = {.buffer_size = 60},
                                            .her = {.strategy = HerStrategy::future},
                                            .normalizer = {.enabled = true}},
                                           3, Rng(2));
  Matrix action = Matrix::Zero(1, 3);
  Metrics metrics;
  const auto live = [&] {
    agent->act(env.obs(), env.first(), Mode::explore, action);
    agent->observe(env.step(action));
    if (agent->ready()) agent->update(metrics);
  };
  for (int t = 0; t < 20; ++t) live();
  EXPECT_EQ(allocations_after_three_calls(live, 100), 0u);
}

// HIRO with everything that may happen: every update corrects and relabels, segments end at goals and at ends of
// episodes, lanes decide at different times, the memories wrap.
TEST_F(Alloc, HiroLives) {
  for (const NextSubgoal next : {NextSubgoal::transition, NextSubgoal::decision}) {
    VectorEnv env(make_point_reach, 3, Rng(1));
    HiroConfig c;
    c.learning_starts = 0;
    c.next_subgoal = next;
    c.low_relabeled = 0.5;
    c.hidden_from_low = {0};
    c.subgoal = {.dims = {0, 1}, .limits = {0.2, 0.2}};
    c.intrinsic = {.reached = 0.1, .at_subgoal = AtSubgoal::end_segment};
    c.pretraining.episodes = 4;
    c.low.buffer_size = 300;
    c.low.learner = "sac";
    c.high.buffer_size = 20;
    c.high.updates = 1;
    for (LevelConfig* level : {&c.low, &c.high})
      sac_of(*level).pi.hidden = sac_of(*level).q.hidden = td3_of(*level).pi.hidden =
          td3_of(*level).q.hidden = {32, 32};
    const std::unique_ptr<Agent> agent = std::make_unique<Hiro>(env.spec(), c, 3, Rng(2));
    Matrix action = Matrix::Zero(2, 3);
    Metrics metrics;
    const auto live = [&](bool learn) {
      agent->act(env.obs(), env.first(), Mode::explore, action);
      agent->observe(env.step(action));
      agent->act(env.obs(), env.first(), Mode::exploit, action);
      if (learn) agent->update(metrics);
    };
    for (int t = 0; t < 250; ++t) live(false);  // beyond pre-training, with some segments stored
    EXPECT_EQ(allocations_after_three_calls([&] { live(true); }, 120), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, AlgorithmAlloc, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const AlgorithmEntry& a : algorithms()) names.emplace_back(a.name);
                           return names;
                         }()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace goalpost::test
