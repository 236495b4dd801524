// Every registered algorithm, and HER, learns a small task; what lacks the part that matters does not. A guard against
// algorithms that are wrong as a whole: which sign or factor it is, tests/algos says, whose numbers are worked out by
// hand. Each test takes less than a minute on one core.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "train/trainer.h"

namespace goalpost {
namespace {

Evaluation train_and_evaluate(const std::string& experiment, const std::vector<std::string>& set) {
  TomlValues values = load_experiment(experiment);
  for (const std::string& s : set) values.set(s);
  const Experiment e = make_experiment(values);
  const Rng rng(7);
  VectorEnv env(e.env_factory(), e.train.num_envs, rng.stream("train")),
      eval_env(e.env_factory(), 100, rng.stream("eval"));
  const auto agent = e.make_agent(env.spec(), e.train.num_envs, rng.stream("agent"));
  Run run{.agent = *agent, .env = env, .eval_env = eval_env, .rng = rng};
  train(run, e.train);
  return evaluate(*agent, eval_env, 200, rng.stream("final"));
}
double success_of(const std::string& experiment, const std::vector<std::string>& set) {
  return train_and_evaluate(experiment, set).success;
}

// ---- every registered algorithm -------------------------------------------------------------------------------------

enum class Measure { success, mean_return };

struct Task {
  std::string algorithm, experiment;
  std::vector<std::string> set;
  Measure measure;
  double least;
};

// The experiments of Pendulum, with smaller networks and less time; an untrained policy returns about -1,200.
std::vector<std::string> short_pendulum(const std::string& algorithm, const std::string& steps) {
  const std::string learner = "agent." + algorithm;
  return {"train.total_steps=" + steps, "train.eval_every=" + steps,     "train.eval_episodes=1",
          "agent.batch_size=128",       learner + ".pi.hidden=[64, 64]", learner + ".q.hidden=[64, 64]"};
}

// The experiments of FetchReach, with less time and without evaluations on the way, which are most of theirs.
const std::vector<std::string> kShortReach = {"train.total_steps=6_000", "train.eval_every=6_000",
                                              "train.eval_episodes=1"};

const std::vector<Task> kTasks = {
    {"ddpg", "fetch_reach_ddpg", kShortReach, Measure::success, 0.95},
    {"dqn", "bit_flip_her", {"env.bits=6", "agent.her.strategy=none"}, Measure::success, 0.99},
    {"hiro", "point_reach_hiro", {}, Measure::success, 0.95},
    {"sac", "pendulum_sac", short_pendulum("sac", "14_000"), Measure::mean_return, -250},
    {"td3", "pendulum_td3", short_pendulum("td3", "8_000"), Measure::mean_return, -250},
};

class Learning : public ::testing::TestWithParam<std::string> {};

TEST_P(Learning, OfTheAlgorithmsTaskSucceeds) {
  const auto task = std::find_if(kTasks.begin(), kTasks.end(), [](const Task& t) { return t.algorithm == GetParam(); });
  ASSERT_NE(task, kTasks.end()) << "the algorithm \"" << GetParam()
                                << "\" has no task in tests/learn; add one to kTasks";
  const Evaluation e = train_and_evaluate(task->experiment, task->set);
  EXPECT_GE(task->measure == Measure::success ? e.success : e.mean_return, task->least);
}

INSTANTIATE_TEST_SUITE_P(Registry, Learning, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const AlgorithmEntry& a : algorithms()) names.emplace_back(a.name);
                           return names;
                         }()),
                         [](const auto& info) { return info.param; });

TEST(LearningTasks, AreThoseOfRegisteredAlgorithms) {
  for (const Task& t : kTasks) {
    EXPECT_EQ(find_algorithm(t.algorithm).name, t.algorithm);
    EXPECT_EQ(make_experiment(load_experiment(t.experiment)).algorithm, t.algorithm) << t.experiment;
  }
}

// Sub-goals that the low level is not paid for lead nowhere.
TEST(HiroLearning, WithoutALowLevelThatLearnsTheHighLevelStaysNearChance) {
  EXPECT_LE(success_of("point_reach_hiro", {"agent.hiro.low.learns=never", "train.total_steps=20_000"}), 0.3);
}

// ---- hindsight ------------------------------------------------------------------------------------------------------

TEST(HerLearning, FlipsTwentyBits) { EXPECT_GE(success_of("bit_flip_her", {"env.bits=20"}), 0.99); }

TEST(HerLearning, EveryStrategyThatUsesTheEpisodeFlipsFifteenBits) {
  for (const char* strategy : {"final", "future", "episode"})
    EXPECT_GE(success_of("bit_flip_her", {"env.bits=15", std::string("agent.her.strategy=") + strategy}), 0.99)
        << strategy;
}

TEST(HerLearning, WithoutItTwentyBitsStayAtChance) {
  EXPECT_LE(success_of("bit_flip_her", {"env.bits=20", "agent.her.strategy=none", "train.total_episodes=20_000"}),
            0.01);
}

TEST(HerLearning, ReachesWithSac) { EXPECT_GE(success_of("fetch_reach_sac", kShortReach), 0.95); }

TEST(HerLearning, WithoutItReachStaysNearChance) {
  std::vector<std::string> set = kShortReach;
  set.push_back("agent.her.strategy=none");
  for (const char* experiment : {"fetch_reach_ddpg", "fetch_reach_sac"})
    EXPECT_LE(success_of(experiment, set), 0.3) << experiment;
}

}  // namespace
}  // namespace goalpost
