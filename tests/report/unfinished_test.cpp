#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/check.h"
#include "report/collect.h"
#include "report/group.h"
#include "report/page.h"
#include "report/plot.h"
#include "storage/file.h"
#include "support/run_files.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

void make_unfinished(const std::filesystem::path& directory, const std::vector<std::string>& set, int seed) {
  make_run(directory, set, seed, 1);
  std::filesystem::remove(directory / "result.json");
  set_curve(directory, {{0, 0, 0}, {40'000, 1, 0.5}});
}

TEST(Unfinished, IsShownAsSuchAndNotPooled) {
  const TemporaryDirectory here;
  const std::vector<std::string> set = {"env.bits=9", "train.total_episodes=0", "train.total_steps=100_000"};
  for (int seed = 1; seed <= 2; ++seed) make_run(here / "runs" / std::to_string(seed), set, seed, 1);
  make_unfinished(here / "runs/3", set, 3);
  make_unfinished(here / "runs/4", set, 4);
  make_unfinished(here / "runs/nothing_yet", set, 5);
  set_content(here / "runs/nothing_yet/eval.csv", "step,wall_seconds,success,success_any,return\n");
  std::vector<std::string> unreadable;
  std::vector<MeasuredRun> unfinished;
  const DirectoryLock at_work(here / "runs/3");
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"}, &unreadable, &unfinished);
  EXPECT_THAT(unreadable, testing::IsEmpty());
  ASSERT_EQ(runs.size(), 2u);
  ASSERT_EQ(unfinished.size(), 2u);
  EXPECT_EQ(state_text(unfinished[0]), "interrupted, 40,000 of 100,000 steps");
  EXPECT_EQ(state_text(unfinished[1]), "running, 40,000 of 100,000 steps");
  EXPECT_EQ(unfinished[1].directory, here / "runs/3");
  std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(summaries[0].runs.size(), 2u);
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const std::vector<Summary> of_unfinished = summarize(unfinished);
  ASSERT_EQ(of_unfinished.size(), 2u);
  summaries.insert(summaries.end(), of_unfinished.begin(), of_unfinished.end());
  const std::string page = content(write_report_page(summaries, here / "page"));
  EXPECT_THAT(page, HasSubstr(">Unfinished runs</h2>"));
  EXPECT_THAT(page, HasSubstr("<td>running, 40,000 of 100,000 steps</td>"));
  const std::string curves = content(here / "page/steps_BitFlip-v0.csv");
  EXPECT_THAT(curves, HasSubstr("running]"));
  EXPECT_THAT(curves, HasSubstr("40000,0.5,"));
  EXPECT_EQ(content(here / "page/final_BitFlip-v0.csv").find("running"), std::string::npos);
  EXPECT_EQ(page.find("nan"), page.npos) << page.substr(page.find("nan"), 200);
}

TEST(Unfinished, AloneHasCurves) {
  const TemporaryDirectory here;
  make_unfinished(here / "runs/1", {"env.bits=9", "train.total_episodes=4_000", "train.total_steps=1_000_000"}, 1);
  std::vector<std::string> unreadable;
  std::vector<MeasuredRun> unfinished;
  EXPECT_TRUE(find_runs({here / "runs"}, &unreadable, &unfinished).empty());
  ASSERT_EQ(unfinished.size(), 1u);
  EXPECT_EQ(state_text(unfinished[0]), "interrupted, 40,000 steps; it ends after 4,000 episodes or 1,000,000 steps");
  EXPECT_THROW(find_runs({here / "runs"}, &unreadable), UsageError);
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const std::string page = content(write_report_page(summarize(unfinished), here / "page"));
  EXPECT_THAT(page, HasSubstr(">Learning curves</h3>"));
  EXPECT_EQ(page.find("Final performance</h3>"), page.npos);
}

TEST(Unfinished, FinishedRunsOfTheSameSeedAreNoDuplicates) {
  const TemporaryDirectory here;
  make_run(here / "a", {"env.bits=9"}, 1, 1);
  make_unfinished(here / "b", {"env.bits=9"}, 1);
  std::vector<std::string> unreadable;
  std::vector<MeasuredRun> unfinished;
  EXPECT_EQ(find_runs({here.path()}, &unreadable, &unfinished).size(), 1u);
  EXPECT_EQ(unfinished.size(), 1u);
  EXPECT_THAT(unreadable, testing::IsEmpty());
}

}  // namespace
}  // namespace goalpost
