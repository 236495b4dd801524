#include "report/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/check.h"
#include "report/collect.h"
#include "report/group.h"
#include "report/page.h"
#include "report/plot.h"
#include "support/run_files.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

void make_seeds(const std::filesystem::path& directory, const std::vector<std::string>& set,
                const std::vector<double>& successes, const std::string& revision) {
  for (std::size_t i = 0; i < successes.size(); ++i)
    make_run(directory / std::to_string(i + 1), set, static_cast<int>(i + 1), successes[i], revision);
}

TEST(Baseline, ComparesRunsOfAnotherRevisionWithEqualSettings) {
  const TemporaryDirectory here;
  make_seeds(here / "old9", {"env.bits=9"}, {0.25, 0.5, 0.75}, "abc1");
  make_seeds(here / "new9", {"env.bits=9"}, {0.5, 0.75, 1}, "def2");
  make_seeds(here / "new10", {"env.bits=10"}, {1, 1, 1}, "def2");  // has no counterpart
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 3u);
  const std::vector<const Summary*> baseline = baseline_of(summaries, "abc");
  ASSERT_EQ(baseline.size(), 1u);
  const std::vector<BaselineComparison> found = compare_with_baseline(summaries, baseline);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].of->runs.front()->result.revision, "def2");
  EXPECT_EQ(found[0].baseline, baseline.front());
  EXPECT_EQ(found[0].quantity, "success");
  EXPECT_NEAR(found[0].difference, 0.25, 1e-12);
  EXPECT_LT(found[0].interval.low, 0);
  EXPECT_GT(found[0].interval.high, 0.25);
  EXPECT_LE(found[0].interval.high, 0.75);
  EXPECT_NEAR(found[0].probability, (2 + 3 + 2 * 0.5 + 1) / 9., 1e-12);
  EXPECT_EQ(found[1].quantity, "area");
  const std::string table = baseline_table(found, "abc");
  EXPECT_THAT(table, HasSubstr("compared with the baseline abc\n"));
  EXPECT_THAT(table, HasSubstr("bit_flip_her env.bits=9 [revision def2]\n"));
  EXPECT_THAT(table, HasSubstr("success      +0.250"));
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const std::string page = content(write_report_page(summaries, here / "page", {.baseline = "abc"}));
  EXPECT_THAT(page, HasSubstr(">Compared with the baseline abc</h2>"));
  EXPECT_THAT(page, HasSubstr("<td>success</td><td class=n>+0.250 ["));
}

TEST(Baseline, ComparesOtherSettingsOfTheSameTaskWithADirectory) {
  const TemporaryDirectory here;
  make_seeds(here / "future", {"env.bits=9"}, {1, 1}, "abc");
  make_seeds(here / "final", {"env.bits=9", "agent.her.strategy=final"}, {0, 0.5}, "abc");
  make_seeds(here / "one", {"env.bits=9", "agent.her.k=9"}, {0.5}, "abc");
  const std::vector<MeasuredRun> runs = find_runs({here.path()}, nullptr, nullptr, here / "future");
  const std::vector<Summary> summaries = summarize(runs);
  const std::vector<BaselineComparison> found =
      compare_with_baseline(summaries, baseline_of(summaries, (here / "future").string()));
  ASSERT_EQ(found.size(), 4u);
  for (const BaselineComparison& c : found) {
    EXPECT_EQ(c.baseline->variant, "env.bits=9");
    if (c.quantity != "success") continue;
    const bool single = c.of->runs.size() == 1;
    EXPECT_NEAR(c.difference, single ? -0.5 : -0.75, 1e-12);
    EXPECT_EQ(std::isnan(c.interval.low), single) << "one seed says nothing of others";
    EXPECT_EQ(std::isnan(c.probability), single);
    if (!single) {
      EXPECT_EQ(c.probability, 0);
      EXPECT_EQ(c.interval.high, -0.5);
    }
  }
  EXPECT_THAT(baseline_table({}, "x"), HasSubstr("no other run is of a task of the baseline"));
}

TEST(Baseline, RunsOfADirectoryWithTheSameSettingsBuildAndSeedsStayApart) {
  const TemporaryDirectory here;
  make_seeds(here / "old", {"env.bits=9"}, {0, 0.5}, "abc");
  make_seeds(here / "new", {"env.bits=9"}, {1, 1}, "abc");
  std::vector<std::string> unreadable;
  const std::vector<MeasuredRun> runs = find_runs({here / "new", here / "old"}, &unreadable, nullptr, here / "old");
  EXPECT_THAT(unreadable, testing::IsEmpty());
  ASSERT_EQ(runs.size(), 4u);
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 2u);
  const std::vector<const Summary*> baseline = baseline_of(summaries, (here / "old").string());
  ASSERT_EQ(baseline.size(), 1u);
  EXPECT_EQ(baseline.front()->build, "baseline");
  const std::vector<BaselineComparison> found = compare_with_baseline(summaries, baseline);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].of->build, "");
  EXPECT_NEAR(found[0].difference, 0.75, 1e-12);
}

TEST(Baseline, NamesWhatFitsNothingOrSeveralRevisions) {
  const TemporaryDirectory here;
  make_run(here / "runs/a", {"env.bits=9"}, 1, 1, "abc1");
  make_run(here / "runs/b", {"env.bits=9"}, 1, 1, "abc1-dirty");
  std::filesystem::create_directories(here / "empty");
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  const std::vector<Summary> summaries = summarize(runs);
  const auto message = [&](const std::string& baseline) {
    return message_of<UsageError>([&] { baseline_of(summaries, baseline); });
  };
  EXPECT_THAT(message("fff"),
              HasSubstr("neither a directory nor a revision of the runs; their revisions: abc1, abc1-dirty"));
  EXPECT_THAT(message("abc"), HasSubstr("several revisions that begin so: abc1, abc1-dirty"));
  EXPECT_THAT(message_of<UsageError>([] { baseline_of({}, "abc"); }), HasSubstr("no run has finished"));
  EXPECT_THAT(message((here / "empty").string()), HasSubstr("no finished run lies below it"));
  EXPECT_EQ(baseline_of(summaries, "abc1").size(), 1u) << "the whole name is one revision";
}

// Whatever determines the bits of a run keeps it out of the seeds of others.
TEST(Baseline, EveryFieldOfABuildKeepsRunsApart) {
  for (const char* field : {"revision", "compiler", "flags", "instructions", "cpu", "features", "kernels", "libraries",
                            "resumed", "inputs"}) {
    const TemporaryDirectory here;
    for (int seed = 1; seed <= 2; ++seed) {
      const std::filesystem::path run = here / std::to_string(seed);
      make_run(run, {"env.bits=9"}, seed, 1, "");
      nlohmann::json result = nlohmann::json::parse(content(run / "result.json"));
      result["cpu"] = "";  // the configuration says which
      set_content(run / "result.json", result.dump());
      std::string config = content(run / "config.toml");
      const std::size_t at = config.find(std::string(field) + " = \"", config.find("[build]"));
      ASSERT_NE(at, config.npos) << field;
      const std::size_t begin = config.find('"', at) + 1, end = config.find('"', begin);
      config.replace(begin, end - begin, "Eigen " + std::to_string(seed));
      set_content(run / "config.toml", config);
    }
    const std::vector<MeasuredRun> runs = find_runs({here.path()});
    EXPECT_EQ(summarize(runs).size(), 2u) << field;
  }
}

}  // namespace
}  // namespace goalpost
