// Each algorithm learns its smallest task, and without the part that matters it does not.
#include <gtest/gtest.h>

#include "run/experiment.h"
#include "run/trainer.h"

namespace goalpost {
namespace {

double success_of(const std::vector<std::string>& set, const std::string& experiment = "bit_flip_her") {
  TomlValues values = load_experiment(experiment);
  for (const std::string& s : set) values.set(s);
  const Experiment e = make_experiment(values);
  const Rng rng(7);
  VectorEnv env(e.env_factory(), e.train.lanes, rng.stream("train")),
      eval_env(e.env_factory(), 100, rng.stream("eval"));
  const auto agent = e.make_agent(env.spec(), e.train.lanes, rng.stream("agent"));
  Run run{.agent = *agent,
          .env = env,
          .eval_env = eval_env,
          .rng = rng,
          .on_evaluation = [](const TrainProgress&, const Evaluation&, const Metrics&) {}};
  train(run, e.train);
  return evaluate(*agent, eval_env, 1000, rng.stream("final")).success;
}

TEST(Learning, DqnWithHerFlipsTwentyBits) { EXPECT_GE(success_of({"env.bits=20"}), 0.99); }

TEST(Learning, EveryHerStrategyThatUsesTheEpisodeFlipsFifteenBits) {
  for (const char* strategy : {"final", "future", "episode"})
    EXPECT_GE(success_of({"env.bits=15", std::string("agent.her.strategy=") + strategy}), 0.99) << strategy;
}

TEST(Learning, DqnWithoutHerStaysAtChance) {
  EXPECT_LE(success_of({"env.bits=20", "agent.her.strategy=none", "train.total_episodes=20_000"}), 0.01);
}

TEST(Learning, DqnWithoutHerFlipsSixBits) { EXPECT_GE(success_of({"env.bits=6", "agent.her.strategy=none"}), 0.99); }

TEST(Learning, HiroReachesPointsOverSubgoals) { EXPECT_GE(success_of({}, "point_reach_hiro"), 0.95); }

// Sub-goals that the low level is not paid for lead nowhere.
TEST(Learning, WithoutALowLevelThatLearnsTheHighLevelStaysNearChance) {
  EXPECT_LE(success_of({"agent.hiro.low.learns=never", "train.total_steps=20_000"}, "point_reach_hiro"), 0.3);
}

}  // namespace
}  // namespace goalpost
