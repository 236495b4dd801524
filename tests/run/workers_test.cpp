// A run with several workers: the same bits for any number of threads and across a resume. Over several processes:
// tests/mpi_test.sh.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/state_hash.h"
#include "run/experiment.h"
#include "run/policy_file.h"
#include "run/resume.h"
#include "run/run_parts.h"
#include "run/runner.h"
#include "run/training_check.h"
#include "storage/checkpoint.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Experiment experiment(const std::vector<std::string>& set = {}) {
  TomlValues values = TomlValues::from_text(R"(
name = "test"
[train]
workers = 5
num_envs = 2
total_steps = 3000
learning_starts = 1200
updates_per_step = 0.02
eval_every = 1000
eval_episodes = 12
final_eval_episodes = 23
[env]
name = "PointReach-v0"
[agent]
algorithm = "ddpg"
batch_size = 8
her.strategy = "future"
normalizer.enabled = true
ddpg.pi.hidden = [8]
ddpg.q.hidden = [8]
)",
                                            "test");
  set_all(values, set);
  return make_experiment(values);
}

std::uint64_t policy_of(const std::filesystem::path& directory) {
  const LoadedRun run = load_run(directory);
  return state_hash([&](StateVisitor& v) { run.agent->visit_policy(v); });
}

// The curve without its column of seconds.
std::vector<std::string> curve_of(const std::filesystem::path& directory) {
  std::vector<std::string> rows;
  std::istringstream in(content(directory / "eval.csv"));
  for (std::string line; std::getline(in, line);) {
    std::size_t third = 0;
    for (int i = 0; i < 3; ++i) third = line.find(',', third) + 1;
    rows.push_back(line.substr(0, third) + line.substr(line.find(',', third) + 1));
  }
  return rows;
}

TEST(Workers, TheSameBitsForAnyNumberOfThreads) {
  const TemporaryDirectory dir;
  Experiment one = experiment();
  const std::optional<RunResult> expected = train_in_directory(one, dir / "one");
  ASSERT_TRUE(expected);
  EXPECT_EQ(expected->progress.step, 3000);
  EXPECT_EQ(expected->progress.updates, 36);
  EXPECT_EQ(expected->final.episodes, 23);
  for (const int threads : {2, 3, 8}) {
    Experiment e = experiment({"train.threads=" + std::to_string(threads)});
    const std::optional<RunResult> result = train_in_directory(e, dir / std::to_string(threads));
    EXPECT_EQ(policy_of(dir / std::to_string(threads)), policy_of(dir / "one")) << threads;
    EXPECT_EQ(curve_of(dir / std::to_string(threads)), curve_of(dir / "one")) << threads;
    EXPECT_EQ(result->final.mean_return, expected->final.mean_return) << threads;
  }
  Experiment other = experiment({"train.workers=4"});
  train_in_directory(other, dir / "four");
  EXPECT_NE(policy_of(dir / "four"), policy_of(dir / "one"));
}

TEST(Workers, AResumedRunEqualsTheUninterruptedOne) {
  const TemporaryDirectory dir;
  std::atomic<int> asked = 0;
  Experiment whole = experiment();
  train_in_directory(whole, dir / "whole", {.stop = [&] { return ++asked < 0; }});
  const int questions = asked;
  for (int percent = 1; percent < 100; percent += 3) {
    SCOPED_TRACE(percent);
    const std::filesystem::path place = dir / std::to_string(percent);
    asked = 0;
    Experiment e = experiment();
    const auto stop = [&] { return ++asked > questions * percent / 100; };
    ASSERT_FALSE(train_in_directory(e, place, {.stop = stop}));
    ASSERT_TRUE(resume_in_directory(place, {"train.threads=2"}, false));
    EXPECT_EQ(policy_of(place), policy_of(dir / "whole"));
    EXPECT_EQ(curve_of(place), curve_of(dir / "whole"));
  }
}

TEST(Workers, BeginEqualAndSeeDifferentWorlds) {
  Experiment e = experiment();
  const RunOptions options;
  RunParts first(e, options, 0, 1), second(e, options, 1, 1);
  const auto policy = [](RunParts& p) { return state_hash([&](StateVisitor& v) { p.agent->visit_policy(v); }); };
  EXPECT_EQ(policy(first), policy(second));
  EXPECT_NE(first.env.obs().desired, second.env.obs().desired);
  EXPECT_NE(first.eval_env.obs().desired.col(0), second.eval_env.obs().desired.col(0));
  Matrix a(2, 2), b(2, 2);
  first.agent->act(first.env.obs(), first.env.first(), Mode::explore, a);
  second.agent->act(first.env.obs(), first.env.first(), Mode::explore, b);
  EXPECT_NE(a, b) << "the same noise";
  first.agent->act(first.env.obs(), first.env.first(), Mode::exploit, a);
  second.agent->act(first.env.obs(), first.env.first(), Mode::exploit, b);
  EXPECT_EQ(a, b);
}

TEST(Workers, ACheckpointHoldsAllOfThem) {
  const TemporaryDirectory dir;
  Experiment e = experiment({"train.total_steps=1500"});
  train_in_directory(e, dir / "run");
  std::vector<std::uint64_t> counts =
      read_state_counters(dir / "run" / "checkpoint.h5", "goalpost run",
                          {"train/progress/step", "worker1/agent/act_rng/position", "worker4/agent/act_rng/position"});
  EXPECT_EQ(counts[0], 1500u);
  EXPECT_GT(counts[1], 0u);
  EXPECT_GT(counts[2], 0u);
}

// 30 episodes of 100 steps: all of them are in the statistics of the policy.
TEST(Workers, NormalizeWithTheStatesOfAll) {
  struct CountOf final : PathVisitor {
    double count = 0;
    void visit(std::string_view, MatrixRef) override {}
    void visit(std::string_view name, std::span<double> values) override {
      if (path(name) == "normalizer/count") count = values[0];
    }
    void visit(std::string_view, std::span<std::uint64_t>) override {}
  };
  const TemporaryDirectory dir;
  Experiment e = experiment();
  train_in_directory(e, dir / "run");
  CountOf count;
  load_run(dir / "run").agent->visit_policy(count);
  EXPECT_EQ(count.count, 3000);
}

TEST(Workers, WhatCannotBeTrainedByThemIsRefused) {
  EXPECT_THAT(check_training(experiment({"train.overlap=true"})).problems,
              ElementsAre(HasSubstr("train.overlap = true: workers wait for each other; expected false")));
  TomlValues values = load_experiment("point_reach_hiro");
  set_all(values, {"train.workers=2"});
  EXPECT_THAT(check_training(make_experiment(values)).problems,
              ElementsAre("train.workers = 2, but hiro cannot be trained by several workers; expected 1"));
}

// Each has a replay buffer, and batches, of its own.
TEST(Workers, NeedMemoryEach) {
  const std::uint64_t one = training_memory(experiment({"train.workers=1"}), false).bytes();
  const std::uint64_t five = training_memory(experiment(), false).bytes();
  EXPECT_GT(five, 4.8 * static_cast<double>(one));
  EXPECT_LT(five, 5.2 * static_cast<double>(one));
}

}  // namespace
}  // namespace goalpost
