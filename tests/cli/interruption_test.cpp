// Runs that are stopped, resumed and changed in between, and output that cannot be written, tested through the program.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>
#include <tuple>

#include "autodiff/gemm.h"
#include "run/policy_file.h"
#include "run/runner.h"
#include "storage/csv.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kTiny = std::string("train bit_flip_her --quiet --set train.eval_every=640") + kSmallRun;
constexpr char kEndless[] = "--steps 1_000_000_000 --set train.checkpoint_every=0 --out r";

class Interruption : public ProgramTest {
 protected:
  std::size_t rows(const std::string& run) const {
    const std::filesystem::path file = here_ / run / "eval.csv";
    return std::filesystem::exists(file) ? read_csv(file).rows() : 0;
  }
  bool wait_for_rows(const std::string& run, std::size_t n) {
    return wait_until([&] { return rows(run) >= n; });
  }
  std::string curve(const std::string& run) const {  // but for times
    std::string text;
    const CsvTable table = read_csv(here_ / run / "eval.csv");
    for (const std::string& name : table.names)
      if (name != "wall_seconds")
        for (const double value : table.column(name)) text += fmt::format("{} {}\n", name, value);
    return text;
  }
};

TEST_F(Interruption, SavesAndTellsASchedulerToStartAgain) {
  ASSERT_EQ(run(kTiny + "--steps 6400 --out whole").status, 0);
  for (const auto& [signal, expected] : {std::pair{SIGTERM, 75}, std::pair{SIGHUP, 75}, std::pair{SIGUSR1, 75},
                                         std::pair{SIGUSR2, 75}, std::pair{SIGXCPU, 75}, std::pair{SIGINT, 130}}) {
    SCOPED_TRACE(strsignal(signal));
    const pid_t child = start(kTiny + "--steps 6400 --out r");
    ASSERT_TRUE(wait_for_rows("r", 3));
    kill(child, signal);
    if (signal != SIGINT)  // from the scheduler and from a parent
      for (int i = 0; i < 3; ++i) kill(child, SIGTERM);
    if (const int status = wait_for(child); status != 0) {  // 0: it was done before
      EXPECT_EQ(status, expected);
      EXPECT_THAT(errors(), HasSubstr("Continue with `goalpost train --resume r`"));
      EXPECT_EQ(run("train --quiet --resume r").status, 0);
    }
    EXPECT_EQ(curve("r"), curve("whole"));
    std::filesystem::remove_all(here_ / "r");
  }
}

TEST_F(Interruption, LeavesASignalIgnoredThatIsIgnoredAtTheStart) {
  const std::string command = "trap '' HUP; cd '" + here_.path().string() + "' && exec '" GOALPOST_PROGRAM "' " +
                              kTiny + "--steps 6400 --out r 2> err";
  const pid_t nohup = fork();
  if (nohup == 0) {
    execl("/bin/bash", "bash", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  ASSERT_TRUE(wait_for_rows("r", 1));
  kill(nohup, SIGHUP);
  EXPECT_EQ(wait_for(nohup), 0) << errors();
}

TEST_F(Interruption, DoesNotDependOnWhatTheParentDoesWithSignals) {
  const auto start_with = [&](const std::vector<std::string>& words) {
    const pid_t child = fork();
    if (child != 0) return child;
    signal(SIGCHLD, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    alarm(300);  // instead of waiting forever
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    if (chdir(here_.path().c_str()) == 0) execv(GOALPOST_PROGRAM, argv.data());
    _exit(127);
  };
  EXPECT_EQ(wait_for(start_with({"goalpost", "reproduce", "bit-flip", "--quick", "--values", "2", "--seeds", "1",
                                 "--jobs", "1", "--out", "f", "--set", "train.total_episodes=400"})),
            0);
  const pid_t child = start_with({"goalpost", "train", "bit_flip_her", "--quiet", "--set", "train.eval_every=640",
                                  "--set", "train.eval_episodes=5", "--set", "train.stop_success=0", "--out", "r"});
  ASSERT_TRUE(wait_for_rows("r", 2));
  kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child), 75);
}

TEST_F(Interruption, EndsWhatTakesNoNoticeOfIt) {
  ASSERT_EQ(::mkfifo((here_ / "never.toml").c_str(), 0666), 0);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const pid_t child = start("describe never.toml");  // waits for somebody who writes to the pipe
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    kill(child, signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const int writer = ::open((here_ / "never.toml").c_str(), O_WRONLY | O_NONBLOCK);  // if it still waits, it ends now
    if (writer >= 0) ::close(writer);
    EXPECT_EQ(wait_for(child), -signal);
  }
}

TEST_F(Interruption, OfARolloutRecordsWholeEpisodesOnly) {
  const pid_t child = start("rollout Pendulum-v1 --random --episodes 10_000_000 --record p.h5 --out p.csv");
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(here_ / "p.h5.tmp"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child), 75);
  const Outcome o = run("dataset info p.h5");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("mean length 200.0,"));
  int episodes = 0, steps = 0;
  ASSERT_EQ(std::sscanf(o.out.c_str(), "p.h5: %d episodes, %d steps", &episodes, &steps), 2);
  EXPECT_EQ(steps, 200 * episodes) << "every episode of the pendulum ends by its time limit";
}

TEST_F(Interruption, LeavesAFinishedRunFinishedUntilMoreIsSaved) {
  ASSERT_EQ(run(kTiny + "--steps 1280 --out r").status, 0);
  const std::string result = content(here_ / "r/result.json"), config = content(here_ / "r/config.toml");
  const std::string on = "train --quiet --resume r --set train.total_steps=2560";
  const std::string limited = "export ASAN_OPTIONS=detect_leaks=0; ulimit -f 2; cd '" + here_.path().string() +
                              "' && exec '" GOALPOST_PROGRAM "' " + on + " > out 2> err";
  EXPECT_EQ(status_of(std::system(("exec bash -c \"" + limited + "\"").c_str())), 1) << errors();
  EXPECT_EQ(content(here_ / "r/result.json"), result);
  EXPECT_EQ(content(here_ / "r/config.toml"), config);
  EXPECT_THAT(run("report r").out, HasSubstr("bit_flip_her"));
  ASSERT_EQ(run(on).status, 0) << errors();
  EXPECT_EQ(read_result(here_ / "r")->progress.step, 2560);
  EXPECT_EQ(content(here_ / "r/result_1280.json"), result);
  EXPECT_THAT(content(here_ / "r/config.toml"), HasSubstr("total_steps = 2560"));
  // Killed between the two files: the new configuration beside the old result.
  std::filesystem::copy_file(here_ / "r/result_1280.json", here_ / "r/result.json",
                             std::filesystem::copy_options::overwrite_existing);
  ASSERT_EQ(run("train --quiet --resume r").status, 0) << errors();
  EXPECT_EQ(read_result(here_ / "r")->progress.step, 2560);
}

TEST_F(Interruption, DoesNotWaitForPipesInPlaceOfFiles) {
  ASSERT_EQ(run(kTiny + "--steps 640 --out r").status, 0);
  const auto replace_by_pipe = [&](const char* file) {
    std::filesystem::remove(here_ / file);
    ASSERT_EQ(::mkfifo((here_ / file).c_str(), 0666), 0);
  };
  replace_by_pipe("r/result.json");
  expect_refusal("train --resume r --set train.total_steps=1280",
                 "r/result.json is a pipe, a socket or a device; expected a file");
  replace_by_pipe("r/config.toml");
  const char* sentence = "r/config.toml is a pipe, a socket or a device; expected a file";
  expect_refusal("train --resume r --set train.total_steps=1280", sentence);
  expect_refusal("evaluate r --episodes 5", sentence);
}

TEST_F(Interruption, GoesOnWhenNobodyReadsItsOutput) {
  const std::string training = std::string(kTiny).erase(kTiny.find("--quiet "), 8);
  EXPECT_EQ(run(training + "--steps 6400 --out piped", "2> err | true; exit \\${PIPESTATUS[0]}").status, 0);
  EXPECT_TRUE(read_result(here_ / "piped"));
  EXPECT_EQ(run(training + "--steps 6400 --out both", "2>&1 | true; exit \\${PIPESTATUS[0]}").status, 0);
  EXPECT_TRUE(read_result(here_ / "both"));
  EXPECT_EQ(run(training + "--steps 6400 --out closed", "<&- >&- 2>&-").status, 0);
  EXPECT_EQ(curve("closed"), curve("piped")) << "what is printed must not land in a file of the run";
  const Outcome o = run(training + "--steps 640 --out told", ">&- 2> err");
  EXPECT_EQ(o.status, 0);
  EXPECT_THAT(o.err, HasSubstr("nobody reads the summary (Bad file descriptor); the run is in told"));
}

TEST_F(Interruption, TellsOfOutputThatCannotBeWritten) {
  ASSERT_EQ(run(kTiny + "--steps 640 --out r --set train.record=all").status, 0);
  for (const char* command :
       {"list", "describe dqn", "--help", "evaluate --help", "--version", "evaluate r --episodes 5",
        "evaluate r --episodes 5 --json", "rollout BitFlip-v0 --random", "rollout FetchReach-v4 --random --episodes 2",
        "report r", "dataset info r", "dataset check r"})
    for (const char* rest : {"> /dev/full 2> err", ">&- 2> err"}) {
      const Outcome o = run(command, rest);
      EXPECT_EQ(o.status, 1) << command << rest;
      EXPECT_THAT(o.err, HasSubstr(*rest == '>' && rest[1] == '&' ? "Bad file descriptor" : "No space left on device"))
          << command;
    }
}

TEST_F(Interruption, FailsWithASentenceAtALimitOfFileSizes) {
  const Outcome o = [&] {
    const std::string command = "export ASAN_OPTIONS=detect_leaks=0; ulimit -f 400; cd '" + here_.path().string() +
                                "' && exec '" GOALPOST_PROGRAM "' " + kTiny +
                                "--steps 6400 --set train.checkpoint_every=640 --out r > out 2> err";
    const int status = std::system(("exec bash -c \"" + command + "\"").c_str());
    return Outcome{status_of(status), "", errors()};
  }();
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, AllOf(HasSubstr("checkpoint.h5"), HasSubstr("File too large")));
}

TEST_F(Interruption, OfARunWithoutCheckpointsLosesNothing) {
  const pid_t child = start(kTiny + kEndless);
  ASSERT_TRUE(wait_for_rows("r", 4));
  const std::string policy = content(here_ / "r/policy.h5");
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child), 130);
  EXPECT_THAT(errors(), AllOf(Not(HasSubstr("--resume")), HasSubstr("train.checkpoint_every = 0")));
  const std::string before = curve("r");
  EXPECT_FALSE(content(here_ / "r/policy.h5").empty());
  for (const char* set : {"", " --set train.checkpoint_every=640", " --set train.total_steps=1280"})
    expect_refusal(std::string("train --quiet --resume r") + set, "r was trained without checkpoints");
  EXPECT_EQ(curve("r"), before);
  EXPECT_EQ(run("evaluate r --episodes 5").status, 0);
}

TEST_F(Interruption, AfterAResumeLeavesWhatTheRunCanGoOnFrom) {
  ASSERT_EQ(run(kTiny + "--steps 1280 --out r").status, 0);
  const pid_t child =
      start("train --quiet --resume r --set train.total_steps=1_000_000_000 --set train.checkpoint_every=0");
  ASSERT_TRUE(wait_for_rows("r", 6));
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child), 130);
  const std::size_t reported = rows("r");
  const std::string refused = run("train --quiet --resume r --set train.total_steps=1").err, before = "r has done ";
  const std::size_t at = refused.find(before);
  ASSERT_NE(at, refused.npos) << refused;
  const std::string steps = std::to_string(std::stoll(refused.substr(at + before.size())));
  EXPECT_EQ(run("train --quiet --resume r --set train.total_steps=" + steps).status, 0);
  EXPECT_EQ(rows("r"), reported);
}

TEST_F(Interruption, OfTheFinalEvaluationKeepsTheTraining) {
  for (const auto& [signal, status, every] : {std::tuple{SIGINT, 130, 0}, std::tuple{SIGINT, 130, 640},
                                              std::tuple{SIGTERM, 75, 0}, std::tuple{SIGHUP, 75, 640}}) {
    const std::string name = fmt::format("r{}_{}", signal, every);
    const pid_t child = start(fmt::format(
        "{} --steps 1280 --set train.final_eval_episodes=100_000_000 --set train.checkpoint_every={} --out {}", kTiny,
        every, name));
    ASSERT_TRUE(wait_for_rows(name, 3));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_FALSE(content(here_ / name / "policy.h5").empty());
    kill(child, signal);
    EXPECT_EQ(wait_for(child), status);
    EXPECT_THAT(errors(), AllOf(HasSubstr("training is done and saved; its final evaluation was interrupted after "),
                                HasSubstr("episodes; only the final evaluation remains"),
                                HasSubstr(fmt::format("Continue with `goalpost train --resume {}`", name))));
    const std::string before = curve(name), acts = run("evaluate --json --episodes 40 " + name).out;
    ASSERT_EQ(run("train --quiet --resume " + name + " --set train.final_eval_episodes=20").status, 0) << errors();
    EXPECT_EQ(curve(name), before);
    EXPECT_EQ(run("evaluate --json --episodes 40 " + name).out, acts);
    const std::optional<RunResult> r = read_result(here_ / name);
    ASSERT_TRUE(r);
    EXPECT_EQ(r->progress.step, 1280);
    EXPECT_EQ(r->final.episodes, 20);
  }
}

TEST_F(Interruption, OfAFigureIsToldOnceToEveryRun) {
  const std::string figure =
      "reproduce bit-flip --quick --values 12 --jobs 3 --out f --set train.total_episodes=0 --set "
      "train.total_steps=1_000_000_000 --set train.stop_success=0 --set train.checkpoint_every=50";
  const pid_t parent = start(figure);
  const auto checkpoints = [&] {
    int count = 0;
    if (std::filesystem::exists(here_ / "f"))
      for (const auto& entry : std::filesystem::recursive_directory_iterator(here_ / "f"))
        count += entry.path().filename() == "eval.csv";
    return count;
  };
  ASSERT_TRUE(wait_until([&] { return checkpoints() >= 3; }));
  kill(-parent, SIGINT);  // as Ctrl-C does: to the group
  EXPECT_EQ(wait_for(parent), 130);
  int saved = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(here_ / "f"))
    if (entry.path().filename() == "config.toml") {
      EXPECT_EQ(run("dataset check " + (entry.path().parent_path() / "checkpoint.h5").string()).status, 0);
      ++saved;
    }
  EXPECT_EQ(saved, 3);
}

TEST_F(Interruption, ARunThatStoppedEarlyGoesOnWithOtherLimits) {
  const std::string easy =
      "train bit_flip_her --quiet --set env.bits=1 --set train.num_envs=4 --set "
      "agent.dqn.q.hidden=[16] --set train.eval_every=64 --set train.eval_episodes=5 --set "
      "train.final_eval_episodes=5 --set train.checkpoint_every=64 --set train.total_episodes=0 ";
  ASSERT_EQ(run(easy + "--steps 640 --set train.stop_success=0.9 --set train.stop_evals=2 --out s").status, 0);
  ASSERT_EQ(read_result(here_ / "s")->end, "success");
  expect_refusal("train --resume s", "to continue training: --set train.stop_success=0");
  expect_refusal("train --resume s --set train.total_steps=1280", "expected --set train.stop_success=0");
  ASSERT_EQ(run("train --quiet --resume s --set train.stop_success=1").status, 0);  // to be reached anew
  EXPECT_GT(read_result(here_ / "s")->progress.step, 64);
  EXPECT_EQ(read_result(here_ / "s")->end, "success");
  ASSERT_EQ(run("train --quiet --resume s --set train.stop_evals=5").status, 0);
  const std::vector<double> success = read_csv(here_ / "s/eval.csv").column("success");
  ASSERT_GE(success.size(), 5u);
  EXPECT_EQ(std::vector<double>(success.end() - 5, success.end()), std::vector<double>(5, 1)) << "five in a row";
  EXPECT_LT(read_result(here_ / "s")->progress.step, 640);
  ASSERT_EQ(run("train --quiet --resume s --set train.stop_success=0").status, 0);
  EXPECT_EQ(read_result(here_ / "s")->end, "budget");
  EXPECT_EQ(read_result(here_ / "s")->progress.step, 640);
  expect_refusal("train --resume s --set train.checkpoints_kept=3",
                 "expected --set train.total_steps=N, more than 640");

  ASSERT_EQ(run(easy + "--steps 6400 --set train.stop_success=0 --set train.total_episodes=40 --out e").status, 0);
  expect_refusal("train --resume e --set train.total_steps=12800",
                 "expected --set train.total_episodes=N, more than 40");
  ASSERT_EQ(run("train --quiet --resume e --set train.total_episodes=80").status, 0);
  EXPECT_EQ(read_result(here_ / "e")->progress.episodes, 80);
  // Measured again, with more episodes.
  ASSERT_EQ(run("train --quiet --resume e --set train.final_eval_episodes=7").status, 0);
  EXPECT_EQ(read_result(here_ / "e")->final.episodes, 7);
}

TEST_F(Interruption, KeepsTheDatasetWhenTheMemoryIsSavedFromThenOn) {
  ASSERT_EQ(run("rollout BitFlip-v0 --random --episodes 40 --set env.bits=4 --record e.h5 --out e.csv").status, 0);
  const std::string training = kTiny +
                               "--steps 640 --set train.learning_starts=0 --set "
                               "agent.replay.dataset=e.h5 --set train.checkpoint_replay=false --out ";
  for (const char* name : {"small", "large"}) ASSERT_EQ(run(training + name).status, 0);
  ASSERT_EQ(run("train --quiet --resume small --set train.total_steps=1920").status, 0);
  ASSERT_EQ(run("train --quiet --resume large --set train.total_steps=1920 --set train.checkpoint_replay=true").status,
            0);
  EXPECT_EQ(curve("small"), curve("large"));
  EXPECT_TRUE(content(here_ / "small/policy.h5") == content(here_ / "large/policy.h5"));
}

TEST_F(Interruption, RecordsEvaluationsOfAnotherTimeLimit) {
  for (const char* limits : {"400", "2"}) {
    ASSERT_EQ(run(fmt::format("{}--steps 1280 --set train.record=all --set "
                              "'train.eval_env=[\\\"env.task.max_steps={}\\\"]' --out r{}",
                              kTiny, limits, limits))
                  .status,
              0)
        << errors();
    const Outcome o = run(fmt::format("dataset check r{}", limits));
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_THAT(o.out, HasSubstr("nothing wrong"));
  }
  expect_refusal(kTiny + "--out no --set 'train.eval_env=[\\\"env.bits=5\\\"]'", "train.eval_env: ");
  expect_refusal(kTiny + "--out no --set 'train.eval_env=[\\\"env.name=FetchReach-v4\\\"]'", "env.name");
}

TEST_F(Interruption, EvaluatesWithIntervals) {
  const auto json = [&](const std::string& arguments) {
    return nlohmann::json::parse(run("evaluate PointReach-v0 --scripted --json --episodes " + arguments).out);
  };
  const nlohmann::json many = json("200"), one = json("1");
  for (const char* name : {"success", "success_any", "return", "length"}) {
    EXPECT_LE(many.at("interval").at(name)[0], many.at(name)) << name;
    EXPECT_GE(many.at("interval").at(name)[1], many.at(name)) << name;
  }
  EXPECT_LT(many.at("interval").at("return")[0], many.at("return"));
  EXPECT_TRUE(one.at("interval").at("return")[0].is_null());
  EXPECT_THAT(run("evaluate PointReach-v0 --scripted --episodes 200").out,
              testing::ContainsRegex("success at the last step [0-9.]+ \\[0\\.[0-9]+, [01]\\.[0-9]+\\]"));
}

TEST_F(Interruption, EvaluatesInThePrecisionOfTheRun) {
  if (!has_precision(Precision::bfloat16)) GTEST_SKIP() << "this processor has no bfloat16 products";
  ASSERT_EQ(
      run("train pendulum_sac --quiet --steps 300 --set train.learning_starts=200 --set train.eval_episodes=1 --set "
          "train.final_eval_episodes=1 --set train.precision=bfloat16 --out r")
          .status,
      0);
  const auto product = [] {  // of factors that bfloat16 rounds
    const Matrix factor = Matrix::Constant(64, 64, Scalar(1.001));
    Matrix out(64, 64);
    gemm(factor, factor, out);
    return out(0, 0);
  };
  const Scalar exact = product();
  load_run(here_ / "r");
  EXPECT_EQ(product(), 64) << "1.001 is 1 in bfloat16";
  EXPECT_NE(exact, 64);
  set_precision(Precision::float32);
}

}  // namespace
}  // namespace goalpost
