#include "run/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/check.h"
#include "storage/file.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

// A finished run as `goalpost train` leaves it, without the training.
void make_run(const std::filesystem::path& directory, const std::vector<std::string>& set, int seed, double success,
              const std::string& revision = "abc") {
  TomlValues values = load_experiment("bit_flip_her");
  for (const std::string& s : set) values.set(s);
  values.set("seed=" + std::to_string(seed));
  Experiment e = make_experiment(values);
  std::filesystem::create_directories(directory);
  set_content(directory / "config.toml", e.to_toml());
  set_content(directory / "eval.csv", "step,wall_seconds,success,success_any,return\n0,0.1,0,0,-40\n");
  const nlohmann::json final = {
      {"episodes", 1000}, {"success", success}, {"success_any", 1}, {"return", -3}, {"length", 4}};
  const nlohmann::json result = {{"experiment", "bit_flip_her"},
                                 {"seed", seed},
                                 {"end", "success"},
                                 {"steps", 1000},
                                 {"episodes", 50},
                                 {"updates", 40},
                                 {"wall_seconds", 1.5},
                                 {"final", final},
                                 {"revision", revision},
                                 {"cpu", "x"}};
  set_content(directory / "result.json", result.dump());
}

TEST(Report, GroupsRunsOfOneSettingOverTheirSeeds) {
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 4; ++seed)
    make_run(here / std::to_string(seed), {"env.bits=9"}, seed, seed == 1 ? 0.2 : 1.0);
  make_run(here / "b", {"env.bits=10", "agent.her.strategy=final", "train.threads=2"}, 1, 0.5);
  std::filesystem::create_directories(here / "unfinished");
  set_content(here / "unfinished" / "config.toml", content(here / "b" / "config.toml"));

  const std::vector<FinishedRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarise(runs);
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
  const std::vector<FinishedRun> runs = find_runs({here.path()});
  const std::vector<Summary> summaries = summarise(runs);
  EXPECT_FALSE(summaries[0].meets_expectation);
  EXPECT_THAT(summary_table(summaries), HasSubstr(">= 0.99 MISSED"));
}

TEST(Report, RefusesTwoRunsOfOneSettingAndSeed) {
  const TemporaryDirectory here;
  make_run(here / "a", {}, 1, 1);
  make_run(here / "b", {}, 1, 1);
  const std::vector<FinishedRun> runs = find_runs({here.path()});
  EXPECT_THROW(summarise(runs), UsageError);
}

TEST(Report, RecordsOnlyCommittedCode) {
  const TemporaryDirectory here;
  make_run(here / "a", {}, 1, 1, "abc-dirty");
  const std::vector<FinishedRun> runs = find_runs({here.path()});
  try {
    record(summarise(runs), here / "results");
    FAIL() << "was recorded";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("only runs of committed code are recorded"));
  }
}

TEST(Report, RecordsEverySettingAndKeepsWhatWasRecordedEarlier) {
  const TemporaryDirectory here;
  const auto record_runs = [&](const std::filesystem::path& directory) {
    const std::vector<FinishedRun> runs = find_runs({directory});
    record(summarise(runs), here / "results");
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

TEST(Report, SaysWhereNothingIsFinished) {
  const TemporaryDirectory here;
  EXPECT_THROW(find_runs({here.path()}), UsageError);
  EXPECT_THROW(find_runs({here / "nowhere"}), UsageError);
}

TEST(Report, TheReadmesTableIsTheRecordedOne) {
  const std::string readme = read_file(std::filesystem::path(GOALPOST_SOURCE_DIR) / "README.md");
  EXPECT_TRUE(readme.find(readme_table()) != std::string::npos) << "`goalpost report --record` renews it";
}

}  // namespace
}  // namespace goalpost
