#include "report/learning_speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/check.h"
#include "report/collect.h"
#include "report/group.h"
#include "support/run_files.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kThousandSteps = {"env.bits=9", "train.total_episodes=0", "train.total_steps=1_000"};

TEST(LearningSpeed, CountsStepsToTheThresholdAndTheAreaOverTheBudget) {
  const TemporaryDirectory here;
  const auto run = [&](int seed, const std::vector<std::array<double, 3>>& rows) {
    make_run(here / std::to_string(seed), kThousandSteps, seed, 1);
    set_curve(here / std::to_string(seed), rows);
  };
  run(1, {{0, 0, 0}, {200, 1, 0.9}, {400, 2, 0.5}, {1000, 3, 1}});  // 0.9 is enough, and the first time counts
  run(2, {{0, 0, 0}, {400, 1, 1}});                                 // ended early: its last value is kept
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(budget_of(summaries[0]), 1000);
  const LearningSpeed s = learning_speed(summaries[0], {});
  EXPECT_EQ(s.threshold, 0.9);
  EXPECT_EQ(s.reached, 2u);
  EXPECT_EQ(s.steps, 300);
  EXPECT_EQ(s.steps_low, 200);
  EXPECT_EQ(s.steps_high, 400);
  ASSERT_EQ(s.areas.size(), 2u);
  EXPECT_NEAR(s.areas[0], 0.2 * 0.9 + 0.6 * 0.5, 1e-12);
  EXPECT_NEAR(s.areas[1], 0.6, 1e-12);
  EXPECT_NEAR(s.area, 0.54, 1e-12);
  EXPECT_NEAR(s.area_low, 0.48, 1e-12);
  EXPECT_NEAR(s.area_high, 0.6, 1e-12);
  EXPECT_THAT(learning_table(summaries, {}),
              HasSubstr("success 0.9      2/2          300     [200, 400]  0.540  [0.480, 0.600]"));

  const LearningSpeed higher = learning_speed(summaries[0], 0.95);
  EXPECT_EQ(higher.steps, 700);
  EXPECT_EQ(higher.reached, 2u);
}

TEST(LearningSpeed, SaysNeverWhereTheThresholdIsNotReached) {
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 2; ++seed) {
    make_run(here / std::to_string(seed), kThousandSteps, seed, 0);
    set_curve(here / std::to_string(seed), {{0, 0, 0}, {500, 1, seed == 1 ? 1. : 0.}});
  }
  make_run(here / "one", {"env.bits=10", "train.total_episodes=0"}, 1, 0);
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 2u);
  const LearningSpeed s = learning_speed(summaries[0], {}), one = learning_speed(summaries[1], {});
  EXPECT_EQ(s.reached, 1u);
  EXPECT_TRUE(std::isinf(s.steps));
  EXPECT_EQ(steps_interval_text(s.steps_low, s.steps_high), "[500, never]");
  EXPECT_TRUE(std::isnan(one.steps_low)) << "one run has no interval";
  EXPECT_TRUE(std::isnan(one.area_low));
  EXPECT_THAT(learning_table(summaries, {}),
              testing::AllOf(HasSubstr("1/2        never"), HasSubstr("0/1        never")));
}

TEST(LearningSpeed, CountsTheFinalEvaluation) {
  const TemporaryDirectory here;
  make_run(here / "a", kThousandSteps, 1, 1);  // success 0 before training, 1 after 1,000 steps, nothing between
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const LearningSpeed s = learning_speed(summarize(runs).front(), {});
  EXPECT_EQ(s.reached, 1u);
  EXPECT_EQ(s.steps, 1000);
  EXPECT_EQ(s.area, 0);
}

TEST(LearningSpeed, BudgetOfEpisodesIsTheirGreatestLength) {
  const TemporaryDirectory here;
  make_run(here / "a", {"env.bits=9", "train.total_episodes=100"}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  EXPECT_EQ(budget_of(summarize(runs).front()), 900);
}

TEST(LearningSpeed, TakesTheExpectedReturnAndOneMeasureOnly) {
  const TemporaryDirectory here;
  make_run(here / "return/a", {}, 1, 0, "abc", "pendulum_sac");
  make_run(here / "success/a", {"env.bits=9"}, 1, 1);
  const std::vector<MeasuredRun> returns = find_runs({here / "return"}), both = find_runs({here.path()});
  const Summary s = summarize(returns).front();
  EXPECT_EQ(learning_speed(s, {}).threshold, s.runs.front()->experiment.source.expected_return);
  EXPECT_EQ(learning_speed(s, -40).reached, 1u);  // the evaluation before training
  EXPECT_THAT(message_of<UsageError>([&] { learning_table(summarize(both), 0.5); }),
              HasSubstr("--threshold 0.5: pendulum_sac is measured by its return and bit_flip_her by its success"));
}

}  // namespace
}  // namespace goalpost
