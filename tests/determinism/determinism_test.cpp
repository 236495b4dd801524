// Whole agents, and the ant's worlds: equal seeds give equal bits, whatever the number of threads and wherever the run
// was interrupted.
#include <functional>
#include <memory>
#include <ostream>
#include <tuple>

#include "algos/ddpg.h"
#include "algos/dqn.h"
#include "algos/off_policy_agent.h"
#include "algos/registry.h"
#include "autodiff/gemm.h"
#include "core/thread_pool.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/point_reach.h"
#include "envs/mujoco/fetch.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "support/matrices.h"
#include "support/settings.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

class Training {
 public:
  Training(std::uint64_t seed, int threads)
      : env_([] { return make_bit_flip({.bits = 8}); }, kLanes, Rng(seed).stream("training"), threads) {
    DqnConfig dqn;
    dqn.optimizer = OptimizerKind::adam;
    dqn.q.hidden = {48, 48};
    dqn.target_every = 10;
    dqn.tau = Scalar(0.5);
    dqn.epsilon = {.from = 1, .to = 0.1, .steps = 500};
    agent_ = make_off_policy_agent(std::make_unique<Dqn>(env_.spec(), dqn, Rng(seed).stream("learner")), env_.spec(),
                                   {.batch_size = 32,
                                    .replay = {.buffer_size = 400},  // wraps after 100 of the steps
                                    .her = {.strategy = HerStrategy::future},
                                    .normalizer = {.enabled = true}},
                                   kLanes, Rng(seed).stream("agent"));
  }
  void train(int updates) {
    Metrics metrics;
    for (int done = 0; done < updates;) {
      agent_->act(env_.obs(), env_.first(), Mode::explore, action_);
      agent_->observe(env_.step(action_));
      if (!agent_->ready()) continue;
      agent_->update(metrics);
      ++done;
    }
  }
  void visit_state(StateVisitor& v) {
    {
      const StateVisitor::Scope scope(v, "env");
      env_.visit_state(v);
    }
    const StateVisitor::Scope scope(v, "agent");
    agent_->visit_state(v);
  }

 private:
  static constexpr int kLanes = 4;
  VectorEnv env_;
  std::unique_ptr<Agent> agent_;
  Matrix action_ = Matrix::Zero(1, kLanes);
};

/// Among the properties of the test in --gtest_output=xml, to compare two revisions.
void record_hash(std::uint64_t hash) { ::testing::Test::RecordProperty("state_hash", std::to_string(hash)); }

std::uint64_t trained(std::uint64_t seed, int threads) {
  Training t(seed, threads);
  t.train(200);
  return state_hash(t);
}

TEST(Determinism, TheNumberOfThreadsChangesNothing) {
  const std::uint64_t one = trained(1, 1);
  EXPECT_EQ(trained(1, 2), one);
  EXPECT_EQ(trained(1, 4), one);
  record_hash(one);
}

TEST(Determinism, TwoRunsOfOneSeedAreEqual) { EXPECT_EQ(trained(2, 1), trained(2, 1)); }

TEST(Determinism, AnotherSeedIsAnotherRun) { EXPECT_NE(trained(3, 1), trained(4, 1)); }

TEST(Determinism, ARunThatIsResumedEqualsTheUninterruptedOne) {
  for (const int before : {1, 37, 100}) {
    Training uninterrupted(5, 1), resumed(6, 2);
    uninterrupted.train(before);
    restore(resumed, snapshot(uninterrupted));
    EXPECT_EQ(state_hash(resumed), state_hash(uninterrupted)) << "directly after loading";
    uninterrupted.train(200 - before);
    resumed.train(200 - before);
    const Snapshot a = snapshot(uninterrupted), b = snapshot(resumed);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i], b[i]) << a[i].name << " differs";
    EXPECT_EQ(hash(a), trained(5, 1)) << "taking a snapshot has changed the run";
  }
}

// Every registered algorithm, on three environments of PointReach or, for discrete actions, of bit flipping.
struct Parts {
  VectorEnv env;
  std::unique_ptr<Agent> agent;
  void visit_state(StateVisitor& v) {
    visit_part(v, "env", env);
    visit_part(v, "agent", *agent);
  }
};

Parts make(const std::string& name, Resize size, std::uint64_t seed, int threads) {
  const AlgorithmEntry& algorithm = find_algorithm(name);
  const EnvFactory factory = algorithm.action_kind == ActionSpace::Kind::discrete
                                 ? EnvFactory([] { return make_bit_flip({.bits = 8}); })
                                 : EnvFactory(make_point_reach);
  VectorEnv env(factory, 3, Rng(seed).stream("training"), threads);
  const std::unique_ptr<Settings> settings = algorithm.settings();
  settings->visit(size);
  auto agent = algorithm.make(*settings, env.spec(), 3, Rng(seed).stream("agent"));
  return {std::move(env), std::move(agent)};
}

void train(Parts& p, int updates, bool overlap = false) {
  Matrix action = Matrix::Zero(p.env.spec().action.dim, 3);
  Metrics metrics;
  const std::function<void()> update = [&] { p.agent->update(metrics); };
  for (int i = 0; i < updates; ++i) {
    p.agent->act(p.env.obs(), p.env.first(), Mode::explore, action);
    p.agent->observe(overlap ? p.env.step(action, update) : p.env.step(action));
    if (!overlap) update();
  }
}

std::vector<std::string> algorithm_names() {
  std::vector<std::string> names;
  for (const AlgorithmEntry& a : algorithms()) names.emplace_back(a.name);
  return names;
}

class Algorithm : public ::testing::TestWithParam<std::string> {};

TEST_P(Algorithm, GivesTheSameBitsForAnyThreadsAndAfterARestore) {
  Parts uninterrupted = make(GetParam(), Resize(), 5, 1), first = make(GetParam(), Resize(), 5, 2),
        resumed = make(GetParam(), Resize(), 6, 3);
  train(uninterrupted, 12);
  train(first, 5);
  restore(resumed, snapshot(first));
  train(resumed, 7);
  EXPECT_EQ(state_hash(resumed), state_hash(uninterrupted));
  record_hash(state_hash(uninterrupted));
  Parts other = make(GetParam(), Resize(), 6, 1);
  train(other, 12);
  EXPECT_NE(state_hash(other), state_hash(uninterrupted));
}

TEST_P(Algorithm, GivesTheSameBitsForAnyThreadsWhileItLearnsAndStepsAtOnce) {
  const auto train_overlapped = [](int threads, int updates) {
    Parts p = make(GetParam(), Resize(), 5, threads);
    train(p, 3);
    train(p, updates, true);
    return state_hash(p);
  };
  const std::uint64_t one = train_overlapped(1, 10);
  for (const int threads : {2, 3, 5}) EXPECT_EQ(train_overlapped(threads, 10), one) << threads << " threads";
  EXPECT_NE(train_overlapped(1, 9), one);
  record_hash(one);
}

// HER's second sub-task and its goals of both kinds, on a task of moving an object.
TEST(Relay, GivesTheSameBitsForAnyThreadsAndAfterARestore) {
  const OffPolicyConfig c{
      .batch_size = 33,
      .replay = {.buffer_size = 600},
      .her = {.strategy = HerStrategy::future, .k = 2, .desired_goals = 2, .relabel_all_until = 130},
      .relay = {.enabled = true},
      .normalizer = {.enabled = true}};
  const auto make_parts = [&](std::uint64_t seed, int threads) {
    VectorEnv env(fetch_factory<FetchTask::push>({}), 3, Rng(seed), threads);
    DdpgConfig ddpg;
    ddpg.pi = ddpg.q = {.hidden = {16, 16}, .hidden_norm = true};
    auto agent = make_off_policy_agent(std::make_unique<Ddpg>(learner_spec(c, env.spec()), ddpg, Rng(seed)), env.spec(),
                                       c, 3, Rng(seed));
    return Parts{std::move(env), std::move(agent)};
  };
  const auto steps = [](Parts& p, int n) {
    Matrix action = Matrix::Zero(p.env.spec().action.dim, 3);
    Metrics metrics;
    for (int i = 0; i < n; ++i) {
      p.agent->act(p.env.obs(), p.env.first(), Mode::explore, action);
      p.agent->observe(p.env.step(action));
      if (p.agent->ready()) p.agent->update(metrics);
    }
  };
  Parts uninterrupted = make_parts(5, 1), first = make_parts(5, 2), resumed = make_parts(6, 3);
  steps(uninterrupted, 120);
  steps(first, 70);
  restore(resumed, snapshot(first));
  steps(resumed, 50);
  EXPECT_EQ(state_hash(resumed), state_hash(uninterrupted));
}

INSTANTIATE_TEST_SUITE_P(Registry, Algorithm, ::testing::ValuesIn(algorithm_names()),
                         [](const auto& info) { return info.param; });

// Networks as large as those of the experiments, where an update is divided among the compute threads. Sides that are
// no multiples of a vector register are the ones that would tell the threads apart.
struct RealSize {
  const char* name;
  Resize size;
  friend void PrintTo(const RealSize& s, std::ostream* out) { *out << s.name; }
};
const RealSize kRealSizes[] = {
#ifndef __SANITIZE_THREAD__  // one size is enough to find races, and takes long enough
    {"256x256", Resize({256, 256}, 256)},
    {"300x300", Resize({300, 300}, 100)},
    {"256x256x256", Resize({256, 256, 256}, 256)},
    {"512x512x512", Resize({512, 512, 512}, 256)},
#endif
    {"tanh_norm_301x203", Resize({301, 203}, 131, Activation::tanh, true)},
};

class RealSizes : public ::testing::TestWithParam<std::tuple<std::string, RealSize, Precision>> {
 protected:
  void TearDown() override {
    set_precision(Precision::float32);
    set_compute_threads(1);
  }
};

TEST_P(RealSizes, GiveTheSameBitsForAnyThreads) {
  const std::string& algorithm = std::get<0>(GetParam());
  const RealSize& size = std::get<1>(GetParam());
  const Precision precision = std::get<2>(GetParam());
  if (!has_precision(precision)) GTEST_SKIP() << "bfloat16 products need a processor with AVX512-BF16";
  set_precision(precision);
  const auto trained = [&](int threads) {
    Parts p = make(algorithm, size.size, 5, threads);
    while (!p.agent->ready()) {
      p.agent->observe(p.env.step(Matrix::Zero(p.env.spec().action.dim, 3)));
    }
    set_compute_threads(threads);
    train(p, 4);
    return state_hash(p);
  };
  const std::uint64_t one = trained(1);
  for (const int threads : {2, 3, 4, 7}) EXPECT_EQ(trained(threads), one) << threads << " threads";
  record_hash(one);
}

INSTANTIATE_TEST_SUITE_P(Registry, RealSizes,
                         ::testing::Combine(::testing::ValuesIn(algorithm_names()), ::testing::ValuesIn(kRealSizes),
                                            ::testing::Values(Precision::float32, Precision::bfloat16)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param).name + "_" +
                                  kPrecisionNames[static_cast<std::size_t>(std::get<2>(info.param))];
                         });

// Worlds of a simulator, whose lanes share a model.
TEST(Worlds, AntsGiveTheSameBitsForAnyThreads) {
  for (const char* name : {"AntFall-v0", "AntGather-v0", "AntMaze-v0", "AntMazeEuler-v0", "AntMazeSparse-v0",
                           "AntPush-v0", "AntMaze_Medium_Diverse_GR-v5"}) {
    const auto stepped = [&](std::uint64_t seed, int threads) {
      const EnvEntry& entry = find_environment(name);
      VectorEnv env(entry.world(*entry.settings()), 3, Rng(seed), threads);
      for (int t = 0; t < 40; ++t) env.step(random_matrix(8, 3, static_cast<std::uint64_t>(t)));
      return state_hash(env);
    };
    const std::uint64_t one = stepped(1, 1);
    EXPECT_EQ(stepped(1, 1), one) << name;
    EXPECT_EQ(stepped(1, 2), one) << name;
    EXPECT_NE(stepped(2, 1), one) << name;
    ::testing::Test::RecordProperty(std::string("state_hash_") + name, std::to_string(one));
  }
}

}  // namespace
}  // namespace goalpost::test
