#include "storage/run_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;
using Row = std::vector<RunLog::Column>;

std::vector<std::string> entries(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(RunLog, CreatesTheDirectoryAndItsParents) {
  const TemporaryDirectory dir;
  const RunLog log(dir / "runs/a/seed_0/", "seed = 0\n");
  EXPECT_EQ(content(dir / "runs/a/seed_0/config.toml"), "seed = 0\n");
  const std::vector<std::string> names = entries(dir / "runs/a/seed_0");
  ASSERT_EQ(names.size(), 2u);
  EXPECT_TRUE(names[1].starts_with("events.out.tfevents."));
}

TEST(RunLog, TakesAnEmptyDirectory) {
  const TemporaryDirectory dir;
  RunLog::check_unused(dir.path());
  EXPECT_NO_THROW(RunLog(dir.path(), ""));
}

TEST(RunLog, RefusesADirectoryThatIsUsed) {
  const TemporaryDirectory dir;
  const fs::path run = dir / "run";
  { const RunLog log(run, "first"); }
  const std::string expected = "run directory " + run.string() +
                               " is already used (it holds config.toml); choose another with --out or remove it";
  EXPECT_EQ(message_of<UsageError>([&] { RunLog(run, "second"); }), expected);
  EXPECT_EQ(message_of<UsageError>([&] { RunLog::check_unused(run); }), expected);
  EXPECT_EQ(content(run / "config.toml"), "first");

  set_content(dir / "note.txt", "mine");
  fs::remove_all(run);
  EXPECT_EQ(message_of<UsageError>([&] { RunLog::check_unused(dir.path()); }),
            "run directory " + dir.path().string() +
                " is already used (it holds note.txt); choose another with --out or remove it");
}

TEST(RunLog, SaysWhyADirectoryCannotBeCreated) {
  const TemporaryDirectory dir;
  set_content(dir / "file", "");
  const fs::path below = dir / "file/run";
  const std::string expected =
      "cannot create run directory " + below.string() + ": " + (dir / "file").string() + " is not a directory";
  EXPECT_EQ(message_of<UsageError>([&] { RunLog::check_unused(below); }), expected);
  EXPECT_EQ(message_of<UsageError>([&] { RunLog(below, ""); }), expected);
  EXPECT_EQ(message_of<UsageError>([&] { RunLog(dir / "file", ""); }),
            "cannot create run directory " + (dir / "file").string() + ": Not a directory");
  EXPECT_NE(message_of<UsageError>([&] { RunLog("/proc/goalpost/run", ""); }), "");
  EXPECT_THROW(RunLog::check_unused(""), UsageError);
}

TEST(RunLog, CheckUnusedCreatesNothing) {
  const TemporaryDirectory dir;
  RunLog::check_unused(dir / "a/b");
  EXPECT_TRUE(entries(dir.path()).empty());
}

TEST(RunLog, LeavesNothingBehindOnFailure) {
  const TemporaryDirectory dir;
  {
    const FileSizeLimit limit(0);  // config.toml cannot be written
    EXPECT_THROW(RunLog(dir / "a/b", "seed = 0\n"), std::runtime_error);
  }
  EXPECT_TRUE(entries(dir.path()).empty());
  {
    const FileSizeLimit limit(10);  // config.toml can, the event file cannot
    EXPECT_THROW(RunLog(dir / "a/b", "seed = 0\n"), std::runtime_error);
  }
  EXPECT_TRUE(entries(dir.path()).empty());
}

TEST(RunLog, WritesStreams) {
  const TemporaryDirectory dir;
  RunLog log(dir / "run", "");
  EXPECT_FALSE(fs::exists(dir / "run/train.csv"));
  log.write("train", 1000, Row{{"loss", 0.5, "train/critic_loss"}, {"updates", 40, ""}});
  EXPECT_EQ(content(dir / "run/train.csv"), "step,loss,updates\n1000,0.5,40\n");
  EXPECT_FALSE(fs::exists(dir / "run/eval.csv"));
  log.write("eval", 1000, Row{{"success", 0.25, "eval/success_rate"}});
  EXPECT_EQ(content(dir / "run/eval.csv"), "step,success\n1000,0.25\n");
  log.note("config", "| a | b |");
  const std::string events = content(log.events().path());
  EXPECT_NE(events.find("train/critic_loss"), events.npos);
  EXPECT_NE(events.find("eval/success_rate"), events.npos);
  EXPECT_NE(events.find("| a | b |"), events.npos);
  EXPECT_EQ(events.find("updates"), events.npos);
  EXPECT_EQ(message_of<std::invalid_argument>([&] { log.write("test", 1, Row{}); }),
            "RunLog::write: stream = \"test\"; expected \"train\" or \"eval\"");
}

TEST(RunLog, ResumesAtAStep) {
  const TemporaryDirectory dir;
  fs::path first;
  {
    RunLog log(dir / "run", "seed = 0\n");
    for (const int step : {1000, 2000, 3000}) log.write("train", step, Row{{"loss", 0.5, "train/loss"}});
    first = log.events().path();
  }
  RunLog log = RunLog::resume(dir / "run", 2000);
  EXPECT_EQ(content(dir / "run/config.toml"), "seed = 0\n");
  log.write("train", 3000, Row{{"loss", 0.25, "train/loss"}});
  EXPECT_EQ(content(dir / "run/train.csv"), "step,loss\n1000,0.5\n2000,0.5\n3000,0.25\n");
  EXPECT_LT(first, log.events().path());  // readers take event files in the order of their names
  EXPECT_EQ(
      message_of<UsageError>([&] { RunLog::resume(dir / "none", 0); }),
      "cannot resume in " + (dir / "none").string() + ": it holds no config.toml; expected the directory of a run");
}

}  // namespace
}  // namespace goalpost
