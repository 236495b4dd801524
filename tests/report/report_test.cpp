#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "report/collect.h"
#include "report/figure.h"
#include "report/figure_config.h"
#include "report/group.h"
#include "report/page.h"
#include "report/plot.h"
#include "report/record.h"

#include "report/tables.h"
#include "run/experiment.h"
#include "storage/file.h"
#include "storage/toml.h"
#include "support/run_files.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

TEST(Report, GroupsRunsOfOneSettingOverTheirSeeds) {
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 4; ++seed)
    make_run(here / std::to_string(seed), {"env.bits=9"}, seed, seed == 1 ? 0.2 : 1.0);
  make_run(here / "b", {"env.bits=10", "agent.her.strategy=final", "train.threads=2"}, 1, 0.5);
  std::filesystem::create_directories(here / "unfinished");
  set_content(here / "unfinished" / "config.toml", content(here / "b" / "config.toml"));

  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 2u);
  EXPECT_EQ(summaries[0].variant, "env.bits=9");
  EXPECT_EQ(summaries[0].runs.size(), 4u);
  EXPECT_EQ(summaries[0].value, 1.0);  // the middle half
  EXPECT_LT(summaries[0].low, 1.0);
  EXPECT_TRUE(summaries[0].meets_expectation);
  EXPECT_EQ(summaries[1].variant, "env.bits=10,agent.her.strategy=final");  // threads change no result
  EXPECT_TRUE(summaries[1].meets_expectation);  // another strategy than the file's: nothing is expected of it
  EXPECT_NEAR(summaries[1].low, 0.469, 0.001);  // Wilson's interval of 500 in 1000
  EXPECT_THAT(summary_table(summaries), HasSubstr(">= 0.99 met"));
}

TEST(Report, SaysWhenAnExpectationIsMissed) {
  const TemporaryDirectory here;
  make_run(here / "a", {"env.bits=9"}, 1, 0.98);
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  EXPECT_FALSE(summaries[0].meets_expectation);
  EXPECT_THAT(summary_table(summaries), HasSubstr(">= 0.99 MISSED"));
}

// The mean of three times 0.99 is less than 0.99 in floating point.
TEST(Report, MeetsAnExpectationUpToRounding) {
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 3; ++seed) make_run(here / std::to_string(seed), {"env.bits=9"}, seed, 0.99);
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_TRUE(summaries[0].meets_expectation);
  EXPECT_THAT(summary_table(summaries), HasSubstr(">= 0.99 met"));
  FigureConfig config;
  config.key = "env.bits";
  config.experiments = {"bit_flip_her", "bit_flip_dqn"};
  const MeasuredFigure figure = measured_figure(config, summaries, "figure");
  EXPECT_EQ(figure.solved[0], 9);
  EXPECT_FALSE(figure.solved[1].has_value()) << "nothing of it was measured";
}

TEST(Report, OneSeedHasAnIntervalOnlyWhereItsEpisodesTellOne) {
  const TemporaryDirectory here;
  make_run(here / "runs/return", {}, 1, 0, "abc", "pendulum_sac");
  make_run(here / "runs/chains", {}, 1, 0.6, "abc", "fetch_reach_reissued");
  make_run(here / "runs/episodes", {"env.bits=9"}, 1, 0.6);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 3u);
  for (const Summary& s : summaries) {
    const bool known = s.experiment == "bit_flip_her";
    EXPECT_EQ(std::isnan(s.low), !known) << s.experiment;
    EXPECT_EQ(std::isnan(s.high), !known) << s.experiment;
    EXPECT_EQ(s.chained, s.experiment == "fetch_reach_reissued");
    EXPECT_THAT(summary_table({s}), HasSubstr(known ? " [0.569, 0.630] " : " - ")) << s.experiment;
  }
  record(summaries, here / "results");
  const auto interval = [&](const std::string& experiment) {
    return nlohmann::json::parse(content(here / "results" / experiment / "summary.json"))
        .at("settings")[0]
        .at("interval_95");
  };
  EXPECT_TRUE(interval("pendulum_sac").is_null());
  EXPECT_TRUE(interval("fetch_reach_reissued").is_null());
  EXPECT_EQ(interval("bit_flip_her").size(), 2u);
  FigureConfig bars;
  bars.experiments = {"fetch_reach_reissued", "bit_flip_her"};
  EXPECT_THAT(measured_figure(bars, summaries, "figure").csv, HasSubstr("fetch_reach_reissued,0,1,0.6000,,,1000\n"));
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const std::string page = content(write_report_page(summaries, here / "page"));
  EXPECT_THAT(page, HasSubstr("<td class=n>0.600 -</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=n>-3.00 -</td>"));
  EXPECT_THAT(page, HasSubstr("(none for a single seed)"));
  EXPECT_THAT(content(here / "page/final_FetchReach-v4.csv"), HasSubstr(",IQM,0.6,,,"));
}

TEST(Report, PoolsSeedsWhateverChangesNoResult) {
  const TemporaryDirectory here;
  const std::vector<std::string> sets = {
      "train.record=all",         "train.record_compressed=true",  "train.checkpoint_every=320",
      "train.checkpoints_kept=9", "train.checkpoint_replay=false", "train.threads=2",
      "train.video_every=9",      "train.histograms=true",         "label=mine",
      "description=mine"};
  for (std::size_t i = 0; i < sets.size(); ++i)
    make_run(here / std::to_string(i), {"env.bits=9", sets[i]}, static_cast<int>(i), 1);
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 1u) << summary_table(summaries);
  EXPECT_EQ(summaries[0].setting(), "env.bits=9");
  EXPECT_EQ(summaries[0].runs.size(), sets.size());
}

TEST(Report, KeepsRunsOfOtherRevisionsAndBuildsApart) {
  const TemporaryDirectory here;
  make_run(here / "1", {"env.bits=9"}, 1, 1, "abc");
  make_run(here / "2", {"env.bits=9"}, 2, 1, "abc");
  make_run(here / "3", {"env.bits=9"}, 1, 0, "def");
  make_run(here / "4", {"env.bits=9"}, 3, 0.5, "abc");
  std::string config = content(here / "4/config.toml");
  const std::size_t at = config.find("kernels = \"") + 11;
  set_content(here / "4/config.toml", config.substr(0, at) + "another " + config.substr(at));
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarize(runs);
  ASSERT_EQ(summaries.size(), 3u) << summary_table(summaries);
  for (const Summary& s : summaries) {
    EXPECT_EQ(s.variant, "env.bits=9");
    const bool other_revision = s.build.find("revision def") != s.build.npos,
               other_kernels = s.build.find("kernels another ") != s.build.npos;
    EXPECT_EQ(s.runs.size(), other_revision || other_kernels ? 1u : 2u) << s.build;
    EXPECT_EQ(s.value, other_revision ? 0 : other_kernels ? 0.5 : 1);
  }
  EXPECT_THAT(summary_table(summaries), HasSubstr("env.bits=9 [kernels another "));
  EXPECT_THAT(message_of<UsageError>([&] { record(summaries, here / "results"); }), HasSubstr("are of several builds"));
  if (gnuplot_is_installed()) {
    const std::string page = content(write_report_page(summaries, here / "page"));
    EXPECT_THAT(page, HasSubstr("revision def"));
  }
}

// Files of earlier versions say less of their build: what only one of two runs knows does not keep them apart.
TEST(Report, PoolsRunsThatDoNotSayEverythingOfTheirBuild) {
  const TemporaryDirectory here;
  make_run(here / "1", {"env.bits=9"}, 1, 1);
  make_run(here / "2", {"env.bits=9"}, 2, 1);
  const std::string config = content(here / "2/config.toml");
  set_content(here / "2/config.toml", config.substr(0, config.find("[build]")) + "[build]\nrevision = \"abc\"\n");
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  ASSERT_EQ(summarize(runs).size(), 1u);
}

TEST(Report, PoolsOnlyEqualSettingsOfExperimentsThatHaveNoFile) {
  const TemporaryDirectory here;
  for (const std::string name : {"", "mine"}) {
    const std::filesystem::path top = here / ("runs_" + name);
    std::filesystem::create_directories(top);
    const auto set = [&](const std::string& more) { return std::vector<std::string>{"name=" + name, more}; };
    int seed = 0;
    for (const char* gamma : {"0.99", "0.5", "0.1"})
      make_run(top / gamma, set("agent.sac.gamma=" + std::string(gamma)), ++seed, 1, "abc", "pendulum_sac");
    make_run(top / "again", set("agent.sac.gamma=0.5"), 9, 1, "abc", "pendulum_sac");
    make_run(top / "td3", set("train.threads=1"), 5, 1, "abc", "pendulum_td3");
    make_run(top / "bits", set("train.threads=1"), 6, 1, "abc", "bit_flip_her");
    const std::vector<MeasuredRun> runs = find_runs({top});
    const std::vector<Summary> summaries = summarize(runs);
    EXPECT_EQ(summaries.size(), 5u) << summary_table(summaries);
    for (const Summary& s : summaries) {
      EXPECT_EQ(s.runs.size(), s.variant.find("gamma=0.5") != s.variant.npos ? 2u : 1u) << s.variant;
      EXPECT_THAT(s.variant, HasSubstr("agent.algorithm="));
    }
    EXPECT_THAT(message_of<UsageError>([&] { record(summaries, here / "results"); }), HasSubstr("has no file"));
    if (gnuplot_is_installed()) {
      EXPECT_THAT(content(write_report_page(summaries, here / ("page_" + name))), HasSubstr("sac.gamma=0.1"));
    }
  }
}

TEST(Report, GoesOnWithoutTheRunsThatCannotBeRead) {
  const TemporaryDirectory here;
  make_run(here / "good", {"env.bits=9"}, 1, 1);
  for (const char* bad : {"config", "result", "curve", "no_curve", "nan"}) make_run(here / bad, {"env.bits=9"}, 2, 1);
  set_content(here / "config/config.toml", "label = ");
  set_content(here / "result/result.json", "{");
  set_content(here / "curve/eval.csv", "step,wall_seconds,success,success_any,return\n0,0.1,much,0,-40\n");
  std::filesystem::remove(here / "no_curve/eval.csv");
  set_content(here / "nan/eval.csv", "step,wall_seconds,success,success_any,return\n0,0.1,,0,-40\n");
  make_run(here / "training", {"env.bits=9"}, 2, 1);
  set_content(here / "training/train.csv", "step,lo_reward\n0,much\n");
  std::filesystem::create_directories(here / "recorded");
  set_content(here / "recorded/summary.json", "{\"settings\": 3}");
  std::vector<std::string> unreadable;
  const std::vector<MeasuredRun> runs = find_runs({here.path()}, &unreadable);
  EXPECT_EQ(runs.size(), 1u);
  ASSERT_EQ(unreadable.size(), 7u);
  for (const char* bad : {"config", "result", "curve", "no_curve", "nan", "training", "recorded"})
    EXPECT_THAT(unreadable, testing::Contains(testing::StartsWith((here / bad).string() + ": "))) << bad;
  EXPECT_THROW(find_runs({here.path()}), std::exception);
}

TEST(Report, NamesNumbersThatNoRunHas) {
  const TemporaryDirectory here;
  make_run(here / "good", {"env.bits=9"}, 1, 1);
  const auto damage = [&](const char* name, const auto& change) {
    make_run(here / name, {"env.bits=9"}, 2, 1);
    nlohmann::json result = nlohmann::json::parse(content(here / name / "result.json"));
    change(result);
    set_content(here / name / "result.json", result.dump());
  };
  damage("episodes", [](nlohmann::json& j) { j["final"]["episodes"] = 0; });
  damage("success", [](nlohmann::json& j) { j["final"]["success"] = 2.0; });
  damage("any", [](nlohmann::json& j) { j["final"]["success_any"] = -0.5; });
  damage("steps", [](nlohmann::json& j) { j["steps"] = -1; });
  damage("kind", [](nlohmann::json& j) { j["final"]["kinds"]["far"] = {{"episodes", 3}, {"success", 7}}; });
  std::vector<std::string> unreadable;
  EXPECT_EQ(find_runs({here.path()}, &unreadable).size(), 1u);
  EXPECT_THAT(unreadable,
              testing::UnorderedElementsAre(
                  HasSubstr("result.json: the number of final episodes of seed 2 is 0; expected at least 1"),
                  HasSubstr("result.json: success of seed 2 is 2; expected a number from 0 to 1"),
                  HasSubstr("result.json: success_any of seed 2 is -0.5; expected a number from 0 to 1"),
                  HasSubstr("result.json: steps of seed 2 is -1; expected at least 0"),
                  HasSubstr("result.json: success of far of seed 2 is 7; expected a number from 0 to 1")));
}

// Files are opened with the rights of nobody while it lives: root may read everything.
class RightsOfNobody {
 public:
  RightsOfNobody() : before_(::setfsuid(::geteuid() == 0 ? 65534 : ::geteuid())) {}
  ~RightsOfNobody() { ::setfsuid(static_cast<uid_t>(before_)); }
  RightsOfNobody(const RightsOfNobody&) = delete;
  RightsOfNobody& operator=(const RightsOfNobody&) = delete;

 private:
  int before_;
};

TEST(Report, GoesOnWithoutADirectoryThatMayNotBeRead) {
  const TemporaryDirectory here;
  make_run(here / "good", {"env.bits=9"}, 1, 1);
  make_run(here / "closed/run", {"env.bits=9"}, 2, 1);
  std::filesystem::permissions(here.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(here / "closed", std::filesystem::perms::none);
  std::vector<std::string> unreadable;
  std::size_t found = 0;
  bool possible = true;
  const std::filesystem::path of_the_source = experiment_directory() / "bit_flip_her.toml";
  {
    const RightsOfNobody rights;
    possible = !content(of_the_source).empty();
    if (possible) found = find_runs({here.path()}, &unreadable).size();
  }
  std::filesystem::permissions(here / "closed", std::filesystem::perms(0755));
  if (!possible) GTEST_SKIP() << "the source tree is not for everybody to read";
  EXPECT_EQ(found, 1u);
  EXPECT_THAT(unreadable, testing::ElementsAre((here / "closed").string() + ": cannot be read: Permission denied"));
}

TEST(Report, ShowsMeasuredRunsBesideUnfinishedOnes) {
  const TemporaryDirectory here;
  make_run(here / "good", {"env.bits=9"}, 1, 1);
  make_run(here / "unfinished", {"env.bits=9"}, 2, 1);
  std::filesystem::remove(here / "unfinished/result.json");
  std::vector<std::string> unreadable;
  EXPECT_EQ(find_runs({here / "unfinished", here / "good"}, &unreadable).size(), 1u);
  EXPECT_THAT(unreadable, testing::ElementsAre((here / "unfinished").string() + " holds no finished run"));
  unreadable.clear();
  EXPECT_THAT(message_of<UsageError>([&] { find_runs({here / "unfinished"}, &unreadable); }),
              HasSubstr("holds no finished run"));
}

TEST(Report, LeavesOutTheSecondRunOfOneSettingAndSeed) {
  const TemporaryDirectory here;
  make_run(here / "a", {"env.bits=9"}, 1, 1);
  make_run(here / "b", {"env.bits=9"}, 1, 0.5);
  make_run(here / "c", {"env.bits=9"}, 2, 1);
  std::vector<std::string> unreadable;
  const std::vector<MeasuredRun> runs = find_runs({here.path()}, &unreadable);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].directory, here / "a");
  EXPECT_THAT(unreadable, testing::ElementsAre((here / "b").string() + ": a run of the same setting and seed as " +
                                               (here / "a").string()));
  EXPECT_EQ(summarize(runs).size(), 1u);
}

TEST(Report, RefusesTwoRunsOfOneSettingAndSeed) {
  const TemporaryDirectory here;
  make_run(here / "a", {}, 1, 1);
  make_run(here / "b", {}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here.path()});
  EXPECT_THROW(summarize(runs), UsageError);
}

TEST(Report, RecordsOnlyCommittedCode) {
  for (const char* revision : {"abc-dirty", "abc-dirty.1234abcd", "unknown"}) {
    const TemporaryDirectory here;
    make_run(here / "a", {}, 1, 1, revision);
    const std::vector<MeasuredRun> runs = find_runs({here.path()});
    try {
      record(summarize(runs), here / "results");
      FAIL() << "was recorded: " << revision;
    } catch (const UsageError& e) {
      EXPECT_THAT(e.what(), HasSubstr("only runs of committed code are recorded"));
    }
  }
}

TEST(Report, RecordsEverySettingAndKeepsWhatWasRecordedEarlier) {
  const TemporaryDirectory here;
  const auto record_runs = [&](const std::filesystem::path& directory) {
    const std::vector<MeasuredRun> runs = find_runs({directory});
    record(summarize(runs), here / "results");
  };
  make_run(here / "first/a", {"env.bits=9"}, 1, 1);
  make_run(here / "first/b", {"env.bits=10"}, 1, 1);
  record_runs(here / "first");
  make_run(here / "second/a", {"env.bits=10"}, 1, 0.5);
  make_run(here / "second/b", {"env.bits=10"}, 2, 0.5);
  record_runs(here / "second");
  const nlohmann::json summary = nlohmann::json::parse(content(here / "results/bit_flip_her/summary.json"));
  ASSERT_EQ(summary.at("settings").size(), 2u);
  EXPECT_EQ(summary.at("settings")[0].at("variant"), "env.bits=9");
  EXPECT_EQ(summary.at("settings")[1].at("seeds").size(), 2u);
  EXPECT_EQ(summary.at("settings")[1].at("interquartile_mean"), 0.5);
  EXPECT_EQ(content(here / "results/bit_flip_her/env.bits=10/seed_2.csv"),
            "step,wall_seconds,success,success_any,return\n0,0.1,0,0,-40\n");
}

TEST(Report, RecordsSettingsSoThatTheyReadBack) {
  const TemporaryDirectory here;
  const std::vector<std::string> set = {R"(train.eval_env=["env.task.max_steps=3", "env.bits=9"])",
                                        R"(agent.replay.dataset="t/d,2 [x].h5")",
                                        R"(agent.replay.dataset="640")",
                                        R"(agent.replay.dataset="a \"b\\")",
                                        "agent.replay.dataset=plain/d.h5",
                                        "agent.her.strategy=final"};
  for (std::size_t i = 0; i < set.size(); ++i)
    make_run(here / "runs" / std::to_string(i), {"env.bits=9", set[i]}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  const std::vector<Summary> summaries = summarize(runs);
  std::vector<std::string> variants;
  for (const Summary& s : summaries) variants.push_back(s.variant);
  EXPECT_THAT(variants,
              testing::UnorderedElementsAre("env.bits=9," + set[0], "env.bits=9," + set[1], "env.bits=9," + set[2],
                                            "env.bits=9," + set[3], "env.bits=9," + set[4], "env.bits=9," + set[5]));
  record(summaries, here / "results");
  std::vector<std::string> unreadable;
  const std::vector<MeasuredRun> recorded = find_runs({here / "results"}, &unreadable);
  EXPECT_THAT(unreadable, testing::IsEmpty());
  ASSERT_EQ(recorded.size(), runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(recorded[i].experiment.settings(), runs[i].experiment.settings()) << runs[i].variant;
    EXPECT_EQ(recorded[i].changes.size(), 2u) << runs[i].variant;
  }
}

TEST(Report, RefusesToRecordWhatDoesNotReadBackBeforeAnythingIsWritten) {
  const TemporaryDirectory here;
  const auto refusal = [&](const char* directory) {
    std::vector<MeasuredRun> runs = find_runs({here / directory});
    if (std::string_view(directory) == "text") runs.back().variant = "env.bits=9,train.eval_env=[env.task.max_steps=3]";
    const std::string sentence = message_of<UsageError>([&] { record(summarize(runs), here / "results"); });
    EXPECT_FALSE(std::filesystem::exists(here / "results")) << directory;
    return sentence;
  };
  make_run(here / "text/a", {"env.bits=9"}, 1, 1);
  make_run(here / "text/b", {"env.bits=9", "agent.her.strategy=final"}, 1, 1);
  EXPECT_THAT(refusal("text"), HasSubstr("is not read back to them: "));
  make_run(here / "place/a", {"agent.replay.dataset=a/b.h5"}, 1, 1);
  make_run(here / "place/b", {"agent.replay.dataset=a_b.h5"}, 1, 1);
  EXPECT_THAT(refusal("place"), HasSubstr("would hold two settings"));
  make_run(here / "long/a", {"agent.replay.dataset=" + std::string(300, 'a')}, 1, 1);
  EXPECT_THAT(refusal("long"), HasSubstr("too long for a directory's name"));
}

TEST(Report, ARecordedSettingThatCannotBeReadDoesNotHideTheOthers) {
  const TemporaryDirectory here;
  make_run(here / "runs/a", {"env.bits=9"}, 1, 1);
  make_run(here / "runs/b", {"env.bits=9"}, 2, 1);
  make_run(here / "runs/c", {"env.bits=10"}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  record(summarize(runs), here / "results");
  const std::filesystem::path file = here / "results/bit_flip_her/summary.json";
  nlohmann::ordered_json summary = nlohmann::ordered_json::parse(content(file));
  nlohmann::ordered_json wrong = summary["settings"][0];
  wrong["variant"] = "env.bits=9,train.eval_env=[env.task.max_steps=3]";
  summary["settings"].push_back(wrong);
  summary["settings"].push_back(3);
  summary["settings"][0]["seeds"][1]["success"] = 2;
  set_content(file, summary.dump());
  std::vector<std::string> unreadable;
  EXPECT_EQ(find_runs({here / "results"}, &unreadable).size(), 2u);
  EXPECT_THAT(unreadable,
              testing::UnorderedElementsAre(HasSubstr("train.eval_env"), HasSubstr("not a summary of"),
                                            HasSubstr("summary.json: success of seed 2 is 2; expected a number")));
}

TEST(Report, KeepsTheSeedsThatWereRecordedEarlier) {
  const TemporaryDirectory here;
  for (const auto& [directory, seed, success] :
       {std::tuple{"first/a", 2, 0.5}, {"first/b", 1, 0.0}, {"second/a", 3, 1.0}, {"second/b", 1, 1.0}})
    make_run(here / directory, {"env.bits=9"}, seed, success);
  for (const char* directory : {"first", "second"}) {
    const std::vector<MeasuredRun> runs = find_runs({here / directory});
    record(summarize(runs), here / "results");
  }
  const nlohmann::json summary = nlohmann::json::parse(content(here / "results/bit_flip_her/summary.json"));
  ASSERT_EQ(summary.at("settings").size(), 1u);
  const nlohmann::json& setting = summary.at("settings")[0];
  ASSERT_EQ(setting.at("seeds").size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(setting.at("seeds")[static_cast<std::size_t>(i)].at("seed"), i + 1);
  EXPECT_EQ(setting.at("seeds")[0].at("success"), 1) << "the same seed again takes the earlier one's place";
  EXPECT_NEAR(setting.at("interquartile_mean").get<double>(), 2.5 / 3, 1e-12);
  EXPECT_EQ(find_runs({here / "results"}).size(), 3u);
}

TEST(Report, RecordsWhatTrainingHasMeasured) {
  const TemporaryDirectory here;
  make_run(here / "run", {"env.bits=9"}, 1, 1);
  set_content(here / "run/eval.csv",
              "step,wall_seconds,success,success_any,return\n0,0.1,0,0,-40\n50,1,0,0,-30\n100,2,1,1,-20\n");
  set_content(here / "run/train.csv", "step,lo_reward,success,return\n0,,,\n50,-1.5,0.25,-9\n75,-1,1,-8\n");
  const std::vector<MeasuredRun> runs = find_runs({here / "run"});
  record(summarize(runs), here / "results");
  EXPECT_EQ(content(here / "results/bit_flip_her/env.bits=9/seed_1.csv"),
            "step,wall_seconds,success,success_any,return,train_success,train_return,lo_reward\n0,0.1,0,0,-40,,,\n"
            "50,1.0,0,0,-30,0.25,-9,-1.5\n100,2.0,1,1,-20,,,\n");
  const std::vector<MeasuredRun> recorded = find_runs({here / "results"});
  for (const MeasuredRun* run : std::array<const MeasuredRun*, 2>{&runs.front(), &recorded.front()}) {
    const std::vector<double> reward = read_measure(*run, find_measure("lo_reward"));
    ASSERT_EQ(reward.size(), 3u);
    EXPECT_TRUE(std::isnan(reward[0]));
    EXPECT_EQ(reward[1], -1.5);
    EXPECT_EQ(read_measure(*run, find_measure("return")), (std::vector<double>{-40, -30, -20}));
  }
  EXPECT_THAT(message_of<UsageError>([] { find_measure("reward"); }),
              HasSubstr("no learning curve shows \"reward\"; expected one of: success, return, train_success, "
                        "train_return, lo_reward, her_reached, her_moved"));
}

TEST(Report, DrawsLearningCurvesOfSeveralMeasures) {
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 2; ++seed) {
    const std::filesystem::path run = here / "runs" / std::to_string(seed);
    make_run(run, {"env.bits=9"}, seed, 1);
    set_content(run / "eval.csv", "step,wall_seconds,success,success_any,return\n0,0.1,0,0,-40\n50,1,1,1,-30\n");
    set_content(run / "train.csv", "step,lo_reward\n0,\n50,-" + std::to_string(seed) + "\n");
  }
  make_run(here / "runs" / "without", {"env.bits=9", "agent.her.strategy=final"}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  FigureConfig config;
  config.title = "T";
  config.measures = {"return", "lo_reward"};
  const std::vector<MeasuredFigure> figures = learning_curves(config, summarize(runs), "figure");
  ASSERT_EQ(figures.size(), 2u);
  EXPECT_EQ(figures[0].plot.name, "figure_return");
  EXPECT_EQ(figures[1].plot.name, "figure_lo_reward");
  EXPECT_EQ(figures[1].csv, "method,steps,value,low,high,seeds,ended\nbit_flip_her,50,-1.5,-2,-1,2,0\n");
  EXPECT_THAT(figures[0].csv, HasSubstr("bit_flip_her,50,-30,-30,-30,2,0\n"));
  EXPECT_THAT(figures[0].csv, HasSubstr("bit_flip_her agent.her.strategy=final,0,-40,,,1,0\n"));
  EXPECT_THAT(figures[1].plot.settings, HasSubstr("set ylabel 'intrinsic reward per step in training'"));
}

TEST(Report, SaysWhereNothingIsFinished) {
  const TemporaryDirectory here;
  EXPECT_THROW(find_runs({here.path()}), UsageError);
  EXPECT_THROW(find_runs({here / "nowhere"}), UsageError);
}

TEST(Report, ReadsRecordedResultsLikeRuns) {
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 3; ++seed)
    make_run(here / "runs" / std::to_string(seed), {"env.bits=9"}, seed, 0.3 * seed);
  make_run(here / "runs" / "b", {"env.bits=10", "agent.dqn.q.hidden=[64,64]", "agent.her.strategy=final"}, 1, 0.5);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  record(summarize(runs), here / "results");

  const std::filesystem::path top = here / "results/bit_flip_her";
  const std::vector<MeasuredRun> recorded = find_runs({top, top / "env.bits=9"});  // one of them twice
  EXPECT_EQ(summary_table(summarize(recorded)), summary_table(summarize(runs)));
  ASSERT_EQ(recorded.size(), 4u);
  EXPECT_TRUE(recorded.front().recorded);
  EXPECT_EQ(recorded.back().changes.size(), 3u);
  EXPECT_EQ(find_runs({top / "env.bits=9"}).size(), 3u);
  EXPECT_EQ(find_runs({here / "results"}).size(), 4u);
  EXPECT_FALSE(record(summarize(recorded), here / "again"));
  EXPECT_FALSE(std::filesystem::exists(here / "again"));
  make_run(here / "fresh", {"env.bits=11"}, 1, 0.5);
  EXPECT_THAT(message_of<UsageError>([&] {
                record(summarize(find_runs({top, here / "fresh"})), here / "again");
              }),
              HasSubstr("is recorded already"));

  std::filesystem::remove(top / "env.bits=9" / "seed_2.csv");
  EXPECT_THAT(message_of<UsageError>([&] { find_runs({top}); }), HasSubstr("seed_2.csv, which is missing"));
  set_content(top / "summary.json", "{\"settings\": 3}");
  EXPECT_THAT(message_of<UsageError>([&] { find_runs({top}); }), HasSubstr("not a summary of"));
}

TEST(Report, TakesRecordedSettingsUnderTheNamesOfEarlierVersions) {
  const TemporaryDirectory here;
  const std::vector<std::string> set = {"env.bits=9", "train.num_envs=32"};
  make_run(here / "runs/1", set, 1, 0.5);
  record(summarize(find_runs({here / "runs/1"})), here / "results");
  const std::filesystem::path top = here / "results/bit_flip_her", file = top / "summary.json";
  const std::string present = "env.bits=9,train.num_envs=32", former = "env.bits=9,train.lanes=32";
  std::string summary = content(file);
  ASSERT_NE(summary.find(present), summary.npos);
  summary.replace(summary.find(present), present.size(), former);
  set_content(file, summary);
  std::filesystem::rename(top / present, top / former);

  const std::vector<MeasuredRun> recorded = find_runs({here / "results"}), run = find_runs({here / "runs"});
  ASSERT_EQ(recorded.size(), 1u);
  EXPECT_EQ(find_runs({top / former}).size(), 1u);
  EXPECT_EQ(recorded[0].experiment.settings(), run[0].experiment.settings());
  EXPECT_EQ(recorded[0].variant, run[0].variant);
  EXPECT_EQ(recorded[0].changes.back().path, "train.num_envs");
  EXPECT_EQ(summarize(recorded)[0].setting(), former) << "shown as it was recorded";

  // A seed more belongs to the same setting, and is recorded beside the first.
  make_run(here / "runs/2", set, 2, 1);
  const std::vector<MeasuredRun> both = find_runs({here / "results", here / "runs/2"});
  ASSERT_EQ(summarize(both).size(), 1u);
  EXPECT_EQ(summarize(both)[0].runs.size(), 2u);
  record(summarize(find_runs({here / "runs/2"})), here / "results");
  const nlohmann::json j = nlohmann::json::parse(content(file));
  ASSERT_EQ(j.at("settings").size(), 1u);
  EXPECT_EQ(j.at("settings")[0].at("variant"), former);
  EXPECT_EQ(j.at("settings")[0].at("seeds").size(), 2u);
  EXPECT_TRUE(std::filesystem::exists(top / former / "seed_2.csv"));
  EXPECT_FALSE(std::filesystem::exists(top / present));
}

// The statistics of kept results do not move under them.
TEST(Report, RecordedResultsHaveTheRecordedStatistics) {
  const std::vector<MeasuredRun> runs = find_runs({results_directory()});
  std::map<std::string, nlohmann::json> files;
  std::size_t settings = 0;
  for (const Summary& s : summarize(runs)) {
    nlohmann::json& file = files[s.experiment];
    if (file.is_null()) {
      file = nlohmann::json::parse(content(results_directory() / s.experiment / "summary.json"));
      settings += file.at("settings").size();
    }
    for (const nlohmann::json& one : file.at("settings")) {
      if (one.at("variant") != s.setting()) continue;
      EXPECT_EQ(one.at("interquartile_mean"), s.value) << s.experiment << " " << s.variant;
      --settings;
      const nlohmann::json& interval = one.at("interval_95");
      EXPECT_EQ(interval.is_null(), std::isnan(s.low)) << s.experiment << " " << s.variant;
      if (interval.is_null()) continue;
      EXPECT_EQ(interval.at(0), s.low) << s.experiment << " " << s.variant;
      EXPECT_EQ(interval.at(1), s.high) << s.experiment << " " << s.variant;
    }
  }
  EXPECT_EQ(settings, 0u);
}

// One kind of episodes for a run of make_run.
void set_kind(const std::filesystem::path& run, const char* name, int episodes, double success) {
  nlohmann::json result = nlohmann::json::parse(content(run / "result.json"));
  result["final"]["kinds"][name] = {{"episodes", episodes}, {"success", success}};
  set_content(run / "result.json", result.dump());
}

TEST(ReportPage, HoldsEverythingItShows) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 3; ++seed) {
    const std::string s = std::to_string(seed);
    make_run(here / "runs" / ("plain" + s), {"env.bits=9"}, seed, 0.5);
    make_run(here / "runs" / ("other" + s), {"env.bits=9", "agent.dqn.gamma=0.5", "agent.her.strategy=final"}, seed, 1);
    set_curve(here / "runs" / ("plain" + s), {{0, 0, 0}, {100, 1, 0.5}, {200, 2. + seed, 1}});
    set_curve(here / "runs" / ("other" + s), {{0, 0, 0}, {100, 1, 0.25}, {100. + 50 * seed, 2, 1}});
    set_kind(here / "runs" / ("other" + s), "far away", 7 * (seed - 1), 0.5 * (seed - 1));  // the first run had none
  }
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  const std::filesystem::path out = here / "it's a report", index = write_report_page(summarize(runs), out);
  EXPECT_EQ(index, out / "index.html");
  const std::string page = content(index);
  EXPECT_EQ(page.find("src="), page.npos);  // nothing is loaded
  EXPECT_EQ(page.find("<link"), page.npos);
  EXPECT_EQ(page.find("url(http"), page.npos);
  EXPECT_THAT(page, HasSubstr("at least 0.99: <strong>missed</strong>"));
  EXPECT_THAT(page, HasSubstr("last evaluations at 150 to 250 steps, carried forward"));
  EXPECT_THAT(page, HasSubstr("arXiv:1707.01495v3"));
  EXPECT_THAT(page, HasSubstr("<td>far away</td><td class=n>2</td><td class=n>21</td><td class=n>0.750</td>"
                              "<td class=n>0.500</td></tr>"));
  for (const char* figure : {"final_BitFlip-v0_1", "improvement_BitFlip-v0", "steps_BitFlip-v0", "time_BitFlip-v0",
                             "seeds_BitFlip-v0", "return_BitFlip-v0", "steps_BitFlip-v0_2"}) {
    const std::string name = figure;
    EXPECT_GT(content(out / (name + ".png")).size(), 1000u) << figure;
    const std::string svg = content(out / (name + ".svg"));
    EXPECT_EQ(svg.find("black"), svg.npos) << figure;  // text and axes take the color of what is around them
    EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
    EXPECT_THAT(page, HasSubstr("download=\"" + name + ".csv\" href=\"data:text/csv")) << figure;
  }
  // The middle curve of three has 1 at 200 steps; at 150 the first has ended.
  EXPECT_THAT(content(out / "steps_BitFlip-v0_2.csv"),
              HasSubstr("agent.her.strategy=final; agent.dqn.gamma=0.5,200,0.75,0.25,1,3,1\n"));
  // Every pair is lost: 0.5 against 1 in every run.
  EXPECT_THAT(content(out / "improvement_BitFlip-v0.csv"),
              HasSubstr("0,her.strategy=final; dqn.gamma=0.5,DQN+HER; future,1,3,3,1,1,1\n"));

  EXPECT_EQ(write_report_page(summarize(runs), out), index);  // an earlier report gives way
  EXPECT_EQ(content(index), page);
}

TEST(ReportPage, DrawsLabelsWithLineEndsAndQuotes) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryDirectory here;
  make_run(here / "runs/a", {"env.bits=9", R"(label="two\nlines\t'\u001b")"}, 1, 1);
  make_run(here / "runs/b", {"env.bits=9", R"(train.eval_env=["env.bits=9", "env.task.max_steps=3"])"}, 1, 1);
  make_run(here / "runs/c", {R"(name="un\nknown")"}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  const std::string page = content(write_report_page(summarize(runs), here / "page"));
  EXPECT_THAT(page, HasSubstr("two lines "));
  EXPECT_EQ(gnuplot_string("a\nb\x7f'"), "'a b '''");
}

TEST(ReportPage, SaysWhyItCannotBeWritten) {
  const TemporaryDirectory here;
  make_run(here / "run", {"env.bits=9"}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here / "run"});
  const std::vector<Summary> summaries = summarize(runs);
  const auto message = [&](const std::filesystem::path& out) {
    return message_of<UsageError>([&] { write_report_page(summaries, out); });
  };
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  EXPECT_THAT(message(here / "out"), HasSubstr("gnuplot, which draws the figures, is not installed"));
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_FALSE(std::filesystem::exists(here / "out"));
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_THAT(message("/proc/goalpost"), HasSubstr("the directory /proc/goalpost cannot be created: "));
  std::filesystem::create_directories(here / "thesis");
  set_content(here / "thesis/index.html", "mine");
  EXPECT_THAT(message(here / "thesis"), HasSubstr("exists and is no report"));
  EXPECT_EQ(content(here / "thesis/index.html"), "mine");
  set_content(here / "run/eval.csv", "step,wall_seconds,success,success_any,return\n");
  EXPECT_THAT(message(here / "out"), HasSubstr("eval.csv holds no evaluation"));
  set_content(here / "run/eval.csv", "step,wall_seconds,success,success_any,return\n0,0,much,1,-3\n");
  EXPECT_THAT(message(here / "out"), HasSubstr("eval.csv:2"));
  set_content(here / "run/eval.csv", "step,wall_seconds,success,success_any,return\n0,0,,1,-3\n");
  EXPECT_THAT(message(here / "out"), HasSubstr("eval.csv: a number of an evaluation is missing"));
  for (const char* rows :
       {"0,0,inf,1,-3\n", "0,0,7,1,-3\n", "0,0,-0.5,1,-3\n", "-5,0,1,1,-3\n", "9,0,1,1,-3\n8,1,1,1,-3\n"}) {
    set_content(here / "run/eval.csv", std::string("step,wall_seconds,success,success_any,return\n") + rows);
    EXPECT_THAT(message(here / "out"), HasSubstr("eval.csv: ")) << rows;
  }
}

TEST(Report, TheTablesOfTheDocumentsAreTheRecordedOnes) {
  for (const std::filesystem::path& document : documents_with_tables()) {
    const std::string text = read_file(document);
    EXPECT_TRUE(with_tables(text) == text) << document << ": `goalpost report --record` renews it";
  }
  const std::string page = read_file(experiment_directory() / "README.md");
  EXPECT_TRUE(page.find(results_table()) != std::string::npos);
  const std::string readme = read_file(documents_with_tables().front());
  EXPECT_THAT(readme, HasSubstr("| [`fetch_reach_sac`](src/experiments/fetch_reach_sac.toml) | SAC+HER"));
  EXPECT_THAT(readme, testing::Not(HasSubstr("not recorded")));
}

TEST(Report, TellsIntervalsOverEpisodesFromThoseOverSeedsAndOtherNumbersOfEpisodes) {
  const std::string page =
      page_table({"race_car_v1_sac", "race_car_v0_sac_her", "pendulum_sac", "fetch_push_workers", "fetch_reach_hiro"});
  for (const std::string& table : {results_table(), page}) {
    EXPECT_THAT(table, HasSubstr("0.000 [0.000, 0.000], 100 episodes |"));  // three seeds
    EXPECT_THAT(table, HasSubstr("-144.475 [-145.667, -142.200] |"));       // five seeds, 1,000 episodes
    EXPECT_THAT(table, HasSubstr("0.924 [0.906, 0.939]¹ |"));               // one seed, 1,000 episodes
  }
  EXPECT_THAT(results_table(), HasSubstr("1.000 [0.990, 1.000]¹, 400 episodes |"));  // movable walls, one seed
  EXPECT_THAT(page, HasSubstr("0.988 [0.971, 0.995]¹, 400 episodes |"));             // one seed
  EXPECT_THAT(page, HasSubstr("0.000 [0.000, 0.004]¹ |"));                           // one seed, 1,000 episodes
}

TEST(Report, PutsTablesOfTheExperimentsThatAMarkerNames) {
  const std::string begin = "<!-- results of pendulum_sac none_such (written by `goalpost report --record`) -->",
                    end = "<!-- results: end -->";
  const std::string text = with_tables("above\n" + begin + "\nold\n" + end + "\nbelow " + begin + end);
  EXPECT_EQ(text, "above\n" + begin + "\n" + page_table({"pendulum_sac", "none_such"}) + end + "\nbelow " + begin +
                      "\n" + page_table({"pendulum_sac", "none_such"}) + end);
  EXPECT_THAT(text, HasSubstr("| [`pendulum_sac`](pendulum_sac.toml) | SAC | 5 |"));
  EXPECT_THAT(text, HasSubstr("| `none_such` | not recorded |"));
  const std::string in_short =
      "<!-- results in short: bit_flip_her/env.bits=50 bit_flip_her/env.bits=51 (written by "
      "`goalpost report --record`) -->";
  EXPECT_THAT(with_tables(in_short + end), testing::AllOf(HasSubstr(", `env.bits=50` | DQN+HER, future | 5 | success "),
                                                          HasSubstr("| `bit_flip_her/env.bits=51` | not recorded |")));
  EXPECT_THROW(with_tables(begin), std::runtime_error);
  EXPECT_EQ(with_tables("nothing"), "nothing");
}

}  // namespace
}  // namespace goalpost
