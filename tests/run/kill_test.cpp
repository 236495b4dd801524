// The program is killed during training: the resumed run ends with the bits of a run that was never killed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <random>
#include <thread>

#include "run/runner.h"
#include "storage/checkpoint.h"
#include "storage/csv.h"
#include "storage/episode_format.h"
#include "storage/episode_reader.h"
#include "support/temporary_directory.h"
#include "support/unsynced.h"

namespace goalpost {
namespace {

using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

class Killed : public testing::Test {
 protected:
  pid_t start(Words words) {
    words.insert(words.begin(), "goalpost");
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    const std::string err = (here_ / "err").string();
    const pid_t child = fork();
    if (child == 0) {
      const int file = ::open(err.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0666);
      dup2(file, 1);
      dup2(file, 2);
      if (unsynced_) unsynced_->prepare(GOALPOST_UNSYNCED);
      execv(GOALPOST_PROGRAM, argv.data());
      _exit(127);
    }
    return child;
  }
  // The exit status, or the negative number of the signal that ended it.
  static int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int run(const Words& words) { return wait_for(start(words)); }
  std::string errors() const { return content(here_ / "err"); }

  Words training(const std::string& out, const Words& more = {}) const {
    Words words = {"train", "bit_flip_her", "--quiet", "--steps", "3000", "--out", (here_ / out).string()};
    for (const char* s : {"env.bits=6", "train.num_envs=4", "train.learning_starts=40", "train.eval_every=500",
                          "train.eval_episodes=10", "train.final_eval_episodes=20", "train.stop_success=0",
                          "train.checkpoint_every=300", "agent.batch_size=16", "agent.replay.buffer_size=2000",
                          "agent.dqn.q.hidden=[16]", "train.total_episodes=0", "train.cycle_episodes=0",
                          "train.cycle_updates=0", "train.updates_per_step=0.25", "train.record=all"})
      words.insert(words.end(), {"--set", s});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  void expect_same_run(const std::string& a, const std::string& b) {
    const CsvTable x = read_csv(here_ / a / "eval.csv"), y = read_csv(here_ / b / "eval.csv");
    ASSERT_EQ(x.names, y.names);
    for (const std::string& name : x.names) {
      if (name != "wall_seconds") {
        EXPECT_EQ(x.column(name), y.column(name)) << name;
      }
    }
    for (const char* file : {"policy.h5", "episodes.h5"})
      EXPECT_TRUE(content(here_ / a / file) == content(here_ / b / file)) << file;
  }

  static EpisodeBlock read_all(const std::filesystem::path& path) {
    const EpisodeReader reader(path);
    EpisodeBlock block;
    for (std::uint64_t e = 0; e < reader.episodes(); ++e) reader.read(e, block);
    return block;
  }
  // What is on the disk of a run under way: the first episodes of the whole run, bit for bit.
  static void expect_beginning(const EpisodeBlock& part, const EpisodeBlock& whole) {
    const auto begins = [](const auto& a, const auto& b) {
      return a.size() <= b.size() && std::equal(a.begin(), a.end(), b.begin());
    };
    EXPECT_TRUE(begins(part.observation, whole.observation) && begins(part.achieved, whole.achieved) &&
                begins(part.desired, whole.desired) && begins(part.action, whole.action) &&
                begins(part.reward, whole.reward) && begins(part.terminated, whole.terminated) &&
                begins(part.truncated, whole.truncated) && begins(part.success, whole.success) &&
                begins(part.end, whole.end) && begins(part.lane, whole.lane) && begins(part.run_step, whole.run_step) &&
                begins(part.purpose, whole.purpose))
        << part.episodes() << " episodes";
  }

  TemporaryDirectory here_;
  std::optional<UnsyncedFiles> unsynced_;  // a kill takes what was not synced with it
};

// With the parameter, the machine loses its power at the same moment.
class KilledOrCutOff : public Killed, public testing::WithParamInterface<bool> {};

TEST_P(KilledOrCutOff, AtRandomMomentsEndsAtTheSameBits) {
  using Clock = std::chrono::steady_clock;
  const bool power_fails = GetParam();
  if (power_fails) unsynced_.emplace(here_.path() / "runs", here_.path() / "unsynced");
  std::filesystem::create_directories(here_ / "runs");
  const Clock::time_point begin = Clock::now();
  ASSERT_EQ(run(training("whole")), 0) << errors();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  std::mt19937 random(1);
  const EpisodeBlock whole = read_all(here_ / "whole");
  std::uint64_t most = 0;  // episodes that a kill left behind
  int kills = 0, runs = 0;
  while (kills < 100 || runs < 2) {
    const std::string name = "runs/run" + std::to_string(runs++);
    const std::filesystem::path directory = here_ / name;
    double longest = 0.6 * seconds;  // grows with each kill, or a busy machine might never reach the next checkpoint
    for (int status = -SIGKILL; status == -SIGKILL && !std::filesystem::exists(directory / "result.json");) {
      // A process that had no time for its configuration has not begun.
      const bool begun = !content(directory / "config.toml").empty();
      if (!begun) std::filesystem::remove_all(directory);
      const pid_t child = start(begun ? Words{"train", "--quiet", "--resume", directory.string()} : training(name));
      std::this_thread::sleep_for(std::chrono::duration<double>(std::uniform_real_distribution(0.0, longest)(random)));
      longest *= 1.05;
      kill(child, SIGKILL);
      status = wait_for(child);
      ASSERT_TRUE(status == 0 || status == -SIGKILL) << "status " << status << ": " << errors();
      ASSERT_THAT(errors(), Not(HasSubstr("resuming from"))) << "rows of a checkpoint are lost";
      if (power_fails) unsynced_->lose();
      if (status != -SIGKILL) continue;
      ++kills;
      const std::filesystem::path parts = episode_parts(directory);
      if (std::filesystem::exists(episode_file(directory)) || std::filesystem::exists(parts / "000000.h5")) {
        const EpisodeBlock recorded = read_all(directory);
        most = std::max(most, recorded.episodes());
        expect_beginning(recorded, whole);
      }
    }
    expect_same_run("whole", name);
    ASSERT_FALSE(HasFailure()) << name;
    std::filesystem::remove_all(directory);
  }
  EXPECT_GT(most, whole.episodes() / 4);
}
INSTANTIATE_TEST_SUITE_P(Power, KilledOrCutOff, testing::Bool(),
                         [](const auto& i) { return i.param ? "Fails" : "Stays"; });

// eval.csv shorter than the checkpoint's evaluations, as older revisions left it: they did not sync its rows.
TEST_F(Killed, GoesOnFromACheckpointWhoseRowsAreThere) {
  ASSERT_EQ(run(training("whole")), 0) << errors();
  const std::filesystem::path r = here_ / "r";
  const pid_t child = start(training("r"));
  const auto older = [&] {
    return std::filesystem::exists(r) ? CheckpointSeries::older(r) : std::vector<std::filesystem::path>();
  };
  const auto evaluations = [](const std::filesystem::path& checkpoint) {
    return read_state_counters(checkpoint, "goalpost run", {"train/evaluations"})[0];
  };
  // Two checkpoints, with an evaluation between them.
  for (int i = 0; i < 60'000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    kill(child, SIGSTOP);
    if (!older().empty() && std::filesystem::exists(r / "checkpoint.h5") &&
        evaluations(older().back()) < evaluations(r / "checkpoint.h5"))
      break;
    kill(child, SIGCONT);
    ASSERT_FALSE(std::filesystem::exists(r / "result.json"));
  }
  kill(child, SIGKILL);
  wait_for(child);
  const std::string rows = content(r / "eval.csv");
  std::size_t end = 0;
  for (std::uint64_t i = 0; i < 1 + evaluations(older().back()); ++i) end = rows.find('\n', end) + 1;
  set_content(r / "eval.csv", rows.substr(0, end));

  std::filesystem::copy(r, here_ / "hopeless", std::filesystem::copy_options::recursive);
  set_content(here_ / "hopeless/eval.csv", rows.substr(0, rows.find('\n') + 1));
  EXPECT_EQ(run({"train", "--quiet", "--resume", (here_ / "hopeless").string()}), 2);
  EXPECT_THAT(errors(),
              testing::AllOf(HasSubstr("eval.csv holds 0 of the "), HasSubstr("no older checkpoint has all")));

  EXPECT_EQ(run({"train", "--quiet", "--resume", r.string()}), 0) << errors();
  EXPECT_THAT(errors(), testing::AllOf(HasSubstr("eval.csv holds "), HasSubstr("; resuming from ")));
  expect_same_run("whole", "r");
}

TEST_F(Killed, ByCtrlCSavesWhereItStands) {
  ASSERT_EQ(run(training("whole")), 0) << errors();
  const pid_t child = start(training("cut"));
  for (int i = 0; i < 60'000 && !std::filesystem::exists(here_ / "cut" / "checkpoint.h5"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGINT);
  if (const int status = wait_for(child); status != 0) {
    EXPECT_EQ(status, 130);
    EXPECT_THAT(errors(), HasSubstr("Continue with `goalpost train --resume " + (here_ / "cut").string() + "`"));
    EXPECT_EQ(run({"train", "--quiet", "--resume", (here_ / "cut").string()}), 0) << errors();
  }
  expect_same_run("whole", "cut");
}

TEST_F(Killed, RefusesToGoOnAsAnotherRun) {
  ASSERT_EQ(run(training("r", {"--set", "train.checkpoints_kept=3"})), 0) << errors();
  const std::string r = (here_ / "r").string();
  const auto refused = [&](const Words& words, const std::string& sentence) {
    EXPECT_EQ(run(words), 2);
    EXPECT_THAT(errors(), HasSubstr(sentence));
  };
  refused({"train", "--resume", r}, r + " has finished; to continue training: ");
  refused({"train", "--resume", r, "--set", "agent.dqn.gamma=0.5"}, "agent.dqn.gamma is 0.99 in config.toml, but 0.5");
  refused({"train", "--resume", (here_ / "none").string()}, "is not a run directory: there is no such directory");

  // A checkpoint of another network, below the same configuration file.
  const std::string config = content(here_ / "r/config.toml");
  std::filesystem::remove(here_ / "r/result.json");
  const auto edit = [&](const std::string& from, const std::string& to) {
    std::string text = config;
    text.replace(text.find(from), from.size(), to);
    set_content(here_ / "r/config.toml", text);
  };
  edit("hidden = [16]", "hidden = [32]");
  refused({"train", "--resume", r}, "checkpoint.h5, but [32] in the resumed run");
  set_content(here_ / "r/config.toml", config);

  // Damage.
  const std::string whole = content(here_ / "r/checkpoint.h5");
  set_content(here_ / "r/checkpoint.h5", whole.substr(0, whole.size() / 2));
  refused({"train", "--resume", r}, "checkpoint.h5 is not a complete HDF5 file");
  const std::filesystem::path another = here_ / "r/policy.h5";
  std::filesystem::copy_file(another, here_ / "r/checkpoint.h5", std::filesystem::copy_options::overwrite_existing);
  refused({"train", "--resume", r}, "kind = \"goalpost policy\"; expected \"goalpost run\"");
}

TEST(CheckpointSeries, KeepsTheNewest) {
  const TemporaryDirectory dir;
  CheckpointSeries series(dir.path(), 3);
  std::uint64_t value = 0;
  const StateTraversal visit = [&](StateVisitor& v) { v.visit("value", value); };
  for (const std::int64_t step : {5, 10, 100, 200, 300}) {
    value = static_cast<std::uint64_t>(step);
    series.save(step, "test", visit, "config = 1");
  }
  ASSERT_EQ(CheckpointSeries::older(dir.path()),
            (std::vector<std::filesystem::path>{dir / "checkpoint_100.h5", dir / "checkpoint_200.h5"}));
  load_state(dir / "checkpoint_100.h5", "test", visit);
  EXPECT_EQ(value, 100u);
  load_state(dir / "checkpoint.h5", "test", visit);
  EXPECT_EQ(value, 300u);
  EXPECT_EQ(read_state_config(dir / "checkpoint.h5", "test"), "config = 1");
  series.save(300, "test", visit, "");  // again: nothing older is to be kept of it
  EXPECT_EQ(CheckpointSeries::older(dir.path()).size(), 2u);
  CheckpointSeries::remove_older(dir.path());
  EXPECT_TRUE(CheckpointSeries::older(dir.path()).empty());
}

}  // namespace
}  // namespace goalpost
