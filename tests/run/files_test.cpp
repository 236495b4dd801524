// Files that users give and take, by the program itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "report/plot.h"
#include "storage/csv.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Outcome {
  int status;
  std::string out, err;
};

class Files : public testing::Test {
 protected:
  Outcome run(const std::string& arguments, const std::string& before = "") {
    const std::string command =
        "cd '" + here_.path().string() + "' && " + before + " '" GOALPOST_PROGRAM "' " + arguments + " > out 2> err";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(here_ / "out"), content(here_ / "err")};
  }
  void expect_refusal(const std::string& arguments, const std::string& sentence) {
    const Outcome o = run(arguments);
    EXPECT_EQ(o.status, 2) << arguments << "\n" << o.err;
    EXPECT_THAT(o.err, HasSubstr(sentence)) << arguments;
  }
  TemporaryDirectory here_;
};

constexpr char kTiny[] =
    "train bit_flip_her --quiet --set env.bits=4 --set train.num_envs=4 --set agent.dqn.q.hidden=[16] --steps 640 "
    "--set train.eval_every=640 --set train.eval_episodes=5 --set train.final_eval_episodes=5 --set "
    "train.stop_success=0 ";

TEST_F(Files, OutputGoesIntoPipesAndThroughLinks) {
  ASSERT_EQ(run("rollout BitFlip-v0 --random --out plain.csv").status, 0);
  EXPECT_EQ(run("rollout BitFlip-v0 --random --out /dev/stdout").out, content(here_ / "plain.csv"));
  ASSERT_EQ(::symlink("far.csv", (here_ / "link.csv").c_str()), 0);
  ASSERT_EQ(::symlink("far.h5", (here_ / "link.h5").c_str()), 0);
  ASSERT_EQ(run("rollout BitFlip-v0 --random --out link.csv --record link.h5").status, 0);
  EXPECT_EQ(content(here_ / "far.csv"), content(here_ / "plain.csv"));
  EXPECT_TRUE(std::filesystem::is_symlink(here_ / "link.csv") && std::filesystem::is_symlink(here_ / "link.h5"));
  EXPECT_EQ(run("dataset check far.h5").status, 0);
  ASSERT_EQ(::mkfifo((here_ / "pipe").c_str(), 0666), 0);
  std::string copy;
  std::thread reader([&] { copy = content(here_ / "pipe"); });
  const int status = run("rollout BitFlip-v0 --random --out pipe").status;
  reader.join();
  EXPECT_EQ(status, 0);
  EXPECT_EQ(copy, content(here_ / "plain.csv"));
  EXPECT_TRUE(std::filesystem::is_fifo(here_ / "pipe"));
  // A device of our own: /dev/null itself would be lost if this failed.
  if (::mknod((here_ / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    EXPECT_EQ(run("rollout BitFlip-v0 --random --out null --record null").status, 0);
    EXPECT_TRUE(std::filesystem::is_character_file(here_ / "null"));
  }
  EXPECT_NE(run("rollout BitFlip-v0 --random --out /dev/full").status, 0);
}

TEST_F(Files, TheFirstActionCanBeRepeatedFromTheRollout) {
  ASSERT_EQ(run("rollout PointReach-v0 --scripted --episodes 3 --with-actions --out r.csv").status, 0);
  const CsvTable table = read_csv(here_ / "r.csv");
  int resets = 0;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (table.column("step")[i] != -1) continue;
    ++resets;
    EXPECT_TRUE(std::isnan(table.column("reward")[i]) && std::isnan(table.column("a0")[i]));
    EXPECT_FALSE(std::isnan(table.column("obs0")[i]) || std::isnan(table.column("desired0")[i]));
    EXPECT_EQ(table.column("episode")[i], table.column("episode")[i + 1]);
    EXPECT_EQ(table.column("step")[i + 1], 0);
  }
  EXPECT_EQ(resets, 3);
  // Given back, the whole file is repeated; so is the form without rows of resets.
  ASSERT_EQ(run("rollout PointReach-v0 --actions r.csv --with-actions --out again.csv").status, 0);
  EXPECT_EQ(content(here_ / "again.csv"), content(here_ / "r.csv"));
  std::string old = "a0,a1\r\n";
  for (std::size_t i = 0; i < table.rows(); ++i)
    if (table.column("step")[i] != -1)
      old += shortest(table.column("a0")[i]) + "," + shortest(table.column("a1")[i]) + "\r\n";
  old.resize(old.size() - 2);  // no line end, as editors leave it
  set_content(here_ / "old.csv", "\xef\xbb\xbf" + old);
  ASSERT_EQ(run("rollout PointReach-v0 --actions old.csv --with-actions --out old_again.csv").status, 0);
  EXPECT_EQ(content(here_ / "old_again.csv"), content(here_ / "r.csv"));
  set_content(here_ / "ragged.csv", "a0,a1\n0,0\n0\n");
  expect_refusal("rollout PointReach-v0 --actions ragged.csv", "ragged.csv:3: the line has 1 cells; expected 2");
}

TEST_F(Files, ADatasetOfAnotherTaskIsRefused) {
  ASSERT_EQ(run("rollout BitFlip-v0 --random --episodes 20 --set env.bits=4 --set env.task.max_steps=3 --record e.h5 "
                "--out e.csv")
                .status,
            0);
  const std::string use = std::string(kTiny) + "--set agent.replay.dataset=e.h5 --out ";
  expect_refusal(use + "a", "agent.replay.dataset: e.h5: the episodes are of another task: ");
  expect_refusal(use + "a", "env.task.max_steps is 3 there, but ");
  expect_refusal(use + "a", "agent.replay.dataset_check=false accepts it");
  EXPECT_FALSE(std::filesystem::exists(here_ / "a"));
  EXPECT_EQ(run(use + "a --set agent.replay.dataset_check=false").status, 0);
  expect_refusal("dataset check e.h5 --env BitFlip-v0 --set env.bits=4", "env.task.max_steps is 3 there, but 0 here");
  expect_refusal("dataset check e.h5 --env PointReach-v0", "as PointReach-v0 has");
  EXPECT_EQ(run("dataset check e.h5 --env BitFlip-v0 --set env.bits=4 --set env.task.max_steps=3").status, 0);
  ASSERT_EQ(run("rollout FetchReachDense-v4 --random --record d.h5 --out d.csv").status, 0);
  expect_refusal("dataset check d.h5 --env FetchReach-v4",
                 "the environment is FetchReachDense-v4 there, but FetchReach-v4 here");
}

TEST_F(Files, RunDirectoriesOfEarlierVersionsGoOnUnderThePresentNamesOfSettings) {
  ASSERT_EQ(run(std::string(kTiny) + "--out r").status, 0);
  std::string config = content(here_ / "r/config.toml");
  const auto rename = [&](const std::string& from, const std::string& to) {
    ASSERT_NE(config.find(from), config.npos) << from;
    config.replace(config.find(from), from.size(), to);
  };
  rename("num_envs", "lanes");
  rename("learning_starts", "warmup_steps");
  rename("buffer_size", "capacity");
  rename("max_redraws", "redraw_reached");
  set_content(here_ / "r/config.toml", config);
  EXPECT_EQ(run("evaluate r --episodes 3").err.find("is now"), std::string::npos);
  Outcome o = run("train --quiet --resume r --set train.total_steps=1280");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(o.err.find("is now"), std::string::npos) << o.err;
  EXPECT_EQ(read_csv(here_ / "r/eval.csv").column("step").back(), 1280);
  expect_refusal("train --resume r --set train.lanes=8 --set train.total_steps=1920", "train.num_envs is 4 in");
  o = run(std::string(kTiny) + "--set train.lanes=8 --out s");
  EXPECT_EQ(o.status, 2) << "both names";
  o = run("describe bit_flip_her --set train.lanes=8");
  EXPECT_THAT(o.err, HasSubstr("goalpost: train.lanes is now train.num_envs (--set train.lanes=8)"));
  EXPECT_EQ(o.out.find("lanes"), std::string::npos);
}

TEST_F(Files, DatasetsAreFilteredAndMerged) {
  ASSERT_EQ(run("rollout BitFlip-v0 --random --episodes 40 --set env.bits=3 --record e.h5 --out e.csv").status, 0);
  Outcome o = run("dataset filter e.h5 --out s.h5 --success --first 5");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(o.out, "5 of 40 episodes are in s.h5\n");
  EXPECT_THAT(run("dataset info s.h5").out, HasSubstr("success at the last step 1.000"));
  o = run("dataset merge e.h5 s.h5 --out m.h5 --compressed");
  EXPECT_EQ(o.out, "45 episodes of 2 files are in m.h5\n") << o.err;
  EXPECT_THAT(run("dataset check m.h5").out, HasSubstr("45 episodes"));
  ASSERT_EQ(run("rollout BitFlip-v0 --random --set env.bits=4 --record f.h5 --out f.csv").status, 0);
  expect_refusal("dataset merge e.h5 f.h5 --out n.h5", "expected the same environment and spaces");
  expect_refusal("dataset filter e.h5 --out n.h5 --purpose eval", "none of 40 episodes is left");
  expect_refusal("dataset filter e.h5 --out n.h5 --steps 5", "--steps 5; expected two counts A-B");
  expect_refusal("dataset check e.h5 --success", "--success is an option of filter");
  expect_refusal("dataset info e.h5 m.h5", "2 paths; expected one");
  EXPECT_FALSE(std::filesystem::exists(here_ / "n.h5"));
}

TEST_F(Files, TextThatCannotBeReadAgainIsRefusedBeforeTraining) {
  set_content(here_ / "label", "label=caf\xe9");
  expect_refusal(std::string(kTiny) + "--out r --set \"$(cat label)\"", "the value is not UTF-8");
  EXPECT_FALSE(std::filesystem::exists(here_ / "r"));
  set_content(here_ / "label", "label=a\rb\x1b[31m\x7f\"\\ \xc3\xa9");
  ASSERT_EQ(run(std::string(kTiny) + "--out r --set \"$(cat label)\"").status, 0);
  EXPECT_EQ(run("evaluate r --episodes 5").status, 0);
  EXPECT_EQ(run("train --quiet --resume r --set train.total_steps=700").status, 0);
}

TEST_F(Files, FileSystemsWithoutLocksAreWorkedOnAllTheSame) {
  for (const char* error : {"37", "95"}) {  // ENOLCK, EOPNOTSUPP
    const std::string unlockable = std::string("env LD_PRELOAD=" GOALPOST_UNSYNCED " UNSYNCED_ROOT=/none UNLOCKABLE=") +
                                   error + " ASAN_OPTIONS=verify_asan_link_order=0";
    const std::string out = std::string("r") + error;
    Outcome o = run(std::string(kTiny) + "--set train.record=all --out " + out, unlockable);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(run("dataset check " + out, unlockable).status, 0);
    EXPECT_FALSE(std::filesystem::exists(here_ / out / ".goalpost.lock"));
    // Somebody else's; one that a process that is no more has left; and one of this host that lives.
    const std::string more = "train --quiet --resume " + out + " --set train.total_steps=";
    set_content(here_ / out / ".goalpost.lock", "elsewhere 17 boot/1\n");
    o = run(more + "700", unlockable);
    EXPECT_NE(o.status, 0);
    EXPECT_THAT(o.err, AllOf(HasSubstr("another process is at work in " + out + ": process 17 of elsewhere"),
                             HasSubstr("remove this file")));
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    set_content(here_ / out / ".goalpost.lock", std::string(host) + " " + std::to_string(::getpid()) + " boot/1\n");
    o = run(more + "700", unlockable);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_FALSE(std::filesystem::exists(here_ / out / ".goalpost.lock"));
  }
}

TEST_F(Files, PipesInRunDirectoriesAreNamed) {
  ASSERT_EQ(run(std::string(kTiny) + "--out all/good").status, 0);
  for (const char* name : {"result.json", "config.toml", "eval.csv", "train.csv", "summary.json"}) {
    const std::filesystem::path copy = here_ / "all" / ("run_with_" + std::string(name)), pipe = copy / name;
    std::filesystem::copy(here_ / "all/good", copy, std::filesystem::copy_options::recursive);
    std::filesystem::remove(pipe);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
    const Outcome o = run("report all", "timeout 60");
    EXPECT_NE(o.status, 124) << name << ": it waits for the pipe";
    EXPECT_THAT(o.out, HasSubstr("bit_flip_her")) << name;
    if (name != std::string_view("summary.json")) {  // which may be somebody's own
      EXPECT_THAT(o.err, HasSubstr(std::string(name) + " is no regular file; expected one; left out")) << name;
    }
    std::filesystem::remove_all(copy);
  }
}

TEST_F(Files, FiguresThatCannotBeReadAreLeftOut) {
  const std::filesystem::path data = here_ / "data", experiments = data / "src/experiments";
  std::filesystem::create_directories(data / "src");
  std::filesystem::create_directory_symlink(GOALPOST_SOURCE "/envs", data / "envs");
  std::filesystem::create_directories(experiments / "figures");
  for (const char* file : {"bit_flip_her.toml", "figures/bit-flip.toml"})
    std::filesystem::copy_file(std::filesystem::path(GOALPOST_SOURCE "/src/experiments") / file, experiments / file);
  set_content(experiments / "figures/half.toml", "title = ");
  ASSERT_EQ(::symlink("nowhere", (experiments / "figures/gone.toml").c_str()), 0);
  ASSERT_EQ(::mkfifo((experiments / "figures/pipe.toml").c_str(), 0666), 0);
  const std::string before = "GOALPOST_DATA='" + data.string() + "' timeout 60";
  ASSERT_EQ(run(std::string(kTiny) + "--out r").status, 0);
  set_content(experiments / "half_experiment.toml", "name = ");
  const Outcome list = run("list experiments", before);
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("bit_flip_her"));
  EXPECT_THAT(list.err, HasSubstr("half_experiment.toml:1: not TOML"));
  for (const char* command : {"report r", "list figures"}) {
    const Outcome o = run(command, before);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_THAT(o.out, HasSubstr(command[0] == 'r' ? "bit_flip_her" : "bit-flip"));
    EXPECT_THAT(o.err, AllOf(HasSubstr("half.toml:1: not TOML"), HasSubstr("gone.toml"),
                             HasSubstr("pipe.toml is no regular file")));
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 3) << "each is told once: " << o.err;
  }
  const Outcome wrong = run("reproduce half", before);
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("half.toml:1: not TOML"));
}

// A parent may have told this process to forget its children.
TEST(Plot, DoesNotMissGnuplotWhereChildrenAreForgotten) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryDirectory here;
  const Plot plot{.name = "p", .drawing = "plot x\n"};
  auto* const before = std::signal(SIGCHLD, SIG_IGN);
  EXPECT_TRUE(gnuplot_is_installed());
  EXPECT_THAT(message_of<std::runtime_error>([&] {
                draw({&plot, 1}, here.path(), "s");
              }),
              HasSubstr("gnuplot cannot be run, or not be waited for: "));
  std::signal(SIGCHLD, before);
}

TEST_F(Files, FiguresDoNotDependOnTheUsersGnuplot) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const std::filesystem::path home = here_ / "home", out = here_ / "figures";
  std::filesystem::create_directories(home);
  std::filesystem::create_directories(out);
  set_content(home / ".gnuplot", "exit status 3\n");
  const std::string old_home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  ::setenv("HOME", home.c_str(), 1);
  ::setenv("GNUTERM", "no such terminal", 1);
  const Plot plot{.name = "p", .drawing = "plot x\n"};
  EXPECT_TRUE(draw({&plot, 1}, out, "s")) << content(out / "s.log");
  ::unsetenv("GNUTERM");
  ::setenv("HOME", old_home.c_str(), 1);
  EXPECT_EQ(content(out / "s.log"), "");
  EXPECT_THAT(content(out / "p.svg"), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace goalpost
