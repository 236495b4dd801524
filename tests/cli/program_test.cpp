// The program as its users meet it: GOALPOST_PROGRAM is run in a directory of its own.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "report/record.h"
#include "run/experiment.h"
#include "run/policy_file.h"
#include "run/run_result.h"
#include "storage/checkpoint.h"
#include "storage/csv.h"
#include "storage/file.h"
#include "support/run_files.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

struct Outcome {
  int status;
  std::string out, err;
};

class Program : public testing::Test {
 protected:
  Outcome run(const std::string& arguments) {
    // LeakSanitizer crashes now and then on threads of the graphics library that end as the process does.
    const bool draws = arguments.starts_with("render") || arguments.find("film") != arguments.npos ||
                       arguments.find("video") != arguments.npos;
    const std::string command = "cd '" + here_.path().string() + "' && " +
                                (draws ? "ASAN_OPTIONS=detect_leaks=0 " : "") + "'" GOALPOST_PROGRAM "' " + arguments +
                                " > out 2> err";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(here_ / "out"), content(here_ / "err")};
  }

  // On a disk that takes no file beyond so many KiB. HDF5 loses memory when it cannot close a file.
  Outcome run_on_full_disk(int kib, const std::string& arguments) {
    const std::string command = "export ASAN_OPTIONS=detect_leaks=0; ulimit -f " + std::to_string(kib) + "; cd '" +
                                here_.path().string() + "' && exec '" GOALPOST_PROGRAM "' " + arguments +
                                " > out 2> err";
    const int status = std::system(("exec bash -c \"" + command + "\"").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(here_ / "out"), content(here_ / "err")};
  }
  // Interrupts the program a moment after a file has appeared. Returns its exit status.
  int interrupt_after(const std::string& arguments, const std::string& file) {
    const std::string command =
        "cd '" + here_.path().string() + "' && exec '" GOALPOST_PROGRAM "' " + arguments + " > out 2> err";
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    for (int i = 0; i < 6000 && !std::filesystem::exists(here_ / file); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    kill(child, SIGINT);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // What a run computed: all but the times it took.
  void expect_same_curve(const std::string& one, const std::string& other) {
    const CsvTable a = read_csv(here_ / one / "eval.csv"), b = read_csv(here_ / other / "eval.csv");
    ASSERT_EQ(a.names, b.names);
    for (const std::string& name : a.names) {
      if (name == "wall_seconds") continue;
      EXPECT_EQ(a.column(name), b.column(name)) << name;
    }
    EXPECT_TRUE(content(here_ / one / "policy.h5") == content(here_ / other / "policy.h5"));
  }

  // A wrong request: exit status 2, the sentence, and nothing created.
  void expect_refusal(const std::string& arguments, const std::string& sentence) {
    const Outcome o = run(arguments);
    EXPECT_EQ(o.status, 2) << arguments << "\n" << o.err;
    EXPECT_THAT(o.err, HasSubstr(sentence)) << arguments;
    EXPECT_EQ(o.out, "") << arguments;
    EXPECT_FALSE(std::filesystem::exists(here_ / "runs")) << arguments;
  }

  TemporaryDirectory here_;
};

constexpr char kShort[] =
    "train bit_flip_her --set env.bits=8 --set train.eval_every=2000 --set train.eval_episodes=20 "
    "--set train.final_eval_episodes=50 --steps 6000 --set train.stop_success=0 ";

TEST_F(Program, TrainsAndEvaluates) {
  const Outcome trained = run(std::string(kShort) + "--out r");
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("saved in r"));
  EXPECT_THAT(trained.err, testing::ContainsRegex("training bit_flip_her, seed 1\nsuccess=[01]\\.[0-9]+ 100% "
                                                  "6\\.02k/6\\.00k .*step/s, [0-9.k]+update/s, training success="));
  const CsvTable log = read_csv(here_ / "r/train.csv");
  for (const char* phase : {"environment", "act", "sample", "update", "evaluate"})
    EXPECT_GT(log.column(std::string("seconds_") + phase).back(), 0) << phase;
  for (const char* file : {"config.toml", "train.csv", "eval.csv", "policy.h5", "result.json"})
    EXPECT_TRUE(std::filesystem::exists(here_ / "r" / file)) << file;
  const CsvTable curve = read_csv(here_ / "r" / "eval.csv");
  EXPECT_EQ(curve.rows(), 4u);
  EXPECT_EQ(curve.column("step").back(), 6016);  // whole steps of 64 lanes
  EXPECT_THAT(content(here_ / "r" / "config.toml"), HasSubstr("revision = "));

  const Outcome evaluated = run("evaluate r --episodes 200 --seed 3 --json");
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_EQ(evaluated.err, "") << "its bar is for terminals, and for what takes long";
  const nlohmann::json j = nlohmann::json::parse(evaluated.out);
  EXPECT_EQ(j.at("episodes"), 200);
  for (const char* key : {"success", "success_any", "return", "length"}) EXPECT_TRUE(j.at(key).is_number()) << key;
  EXPECT_EQ(run("evaluate r --episodes 200 --seed 3 --json").out, evaluated.out);
  EXPECT_EQ(nlohmann::json::parse(run("evaluate r --json --set env.task.max_steps=1").out).at("length"), 1);
  expect_refusal("evaluate r --set train.num_envs=2", "expected env.<setting>=<value>");
}

TEST_F(Program, EvaluatesWithoutTheMemoryThatLearningTakes) {
  // Room for two episodes of 8 steps in each of the 64 lanes, so not for one of 100.
  ASSERT_EQ(run(std::string(kShort) + "--set agent.replay.buffer_size=1024 --out r").status, 0);
  const Outcome longer = run("evaluate r --episodes 20 --set env.task.max_steps=100 --set env.ends_at_goal=false");
  EXPECT_EQ(longer.status, 0) << longer.err;
  EXPECT_THAT(longer.out, HasSubstr("length 100.0"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they take address space by the terabyte
  const std::string limited =
      "exec bash -c \"ulimit -v 2000000; cd '" + here_.path().string() + "' && exec '" + GOALPOST_PROGRAM "' ";
  const auto run_limited = [&](const std::string& arguments) {
    const int status = std::system((limited + arguments + " > out 2> err\"").c_str());
    return Outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(here_ / "out"), content(here_ / "err")};
  };
  ASSERT_EQ(run(std::string(kShort) + "--set agent.replay.buffer_size=20000000 --out large").status, 0);
  const Outcome small = run_limited("evaluate large --episodes 20");
  EXPECT_EQ(small.status, 0) << small.err;
  const Outcome refused = run_limited("train large/config.toml --out again");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, testing::AllOf(HasSubstr("bit_flip_her needs "), HasSubstr("(replay buffer 3.0 GB"),
                                          HasSubstr("are left (RLIMIT_AS, ulimit -v)")));
  EXPECT_FALSE(std::filesystem::exists(here_ / "again"));
  const Outcome fails = run_limited("rollout BitFlip-v0 --random --record e.h5 --set env.task.max_steps=1000000000");
  EXPECT_EQ(fails.status, 1);
  EXPECT_THAT(fails.err, testing::AllOf(testing::StartsWith("goalpost: not enough memory for what was asked: "),
                                        HasSubstr(" are left (RLIMIT_AS, ulimit -v)")));
#endif
}

TEST_F(Program, ComparesWithPoliciesThatAreNotLearned) {
  const auto success = [&](const std::string& arguments) {
    return nlohmann::json::parse(run("evaluate " + arguments + " --episodes 40 --json").out)
        .at("success")
        .get<double>();
  };
  EXPECT_EQ(success("PointReach-v0 --scripted"), 1);
  EXPECT_LT(success("PointReach-v0 --random"), 0.2);
  EXPECT_EQ(success("BitFlip-v0 --scripted --set env.bits=30"), 1);
  EXPECT_EQ(run("rollout PointReach-v0 --scripted --out a.csv").status, 0);
  const CsvTable table = read_csv(here_ / "a.csv");
  EXPECT_EQ(table.column("success").back(), 1);
  expect_refusal("evaluate AntMaze-v0 --scripted", "AntMaze-v0 has no scripted policy");
  expect_refusal("evaluate PointReach-v0 --scripted --random", "excludes");
  expect_refusal("evaluate PointReach-v0", "PointReach-v0 is an environment; expected --random or --scripted");
}

TEST_F(Program, MeasuresTheSameOfChainsForAnyNumberOfEpisodes) {
  for (const int n : {1, 3, 12, 60}) {
    const Outcome o = run(fmt::format(
        "evaluate FetchReach-v4 --scripted --json --episodes {} --set 'env.task.offset=[0.15,0.15,0.15]' --set "
        "env.task.subtasks=5 --set env.task.max_steps=20 --set env.task.reward=reach_bonus",
        n));
    const nlohmann::json j = nlohmann::json::parse(o.out);
    EXPECT_EQ(j.at("success"), 0.2) << n;  // of five the first alone is within reach
    EXPECT_EQ(j.at("episodes"), (n + 4) / 5 * 5);
  }
}

TEST_F(Program, TellsTheKindsOfEpisodesApart) {
  const Outcome trained = run(
      "train point_reach_hiro --quiet --out r --steps 400 --set env.task.waypoints=2 --set train.learning_starts=400 "
      "--set train.eval_episodes=20 --set train.final_eval_episodes=30");
  ASSERT_EQ(trained.status, 0) << trained.err;
  const CsvTable curve = read_csv(here_ / "r" / "eval.csv");
  EXPECT_EQ(curve.column("success_waypoint_1").size(), curve.rows());
  EXPECT_EQ(curve.column("success_waypoint_2").size(), curve.rows());
  const std::optional<RunResult> result = read_result(here_ / "r");
  ASSERT_TRUE(result);
  ASSERT_EQ(result->final.categories.size(), 2u);
  EXPECT_EQ(result->final.categories[0].name, "waypoint_1");
  EXPECT_EQ(result->final.categories[0].episodes, 15);  // chains of at most two
  EXPECT_EQ(result->final.categories[0].episodes + result->final.categories[1].episodes, result->final.episodes);
  EXPECT_GT(result->final.categories[0].episodes, 0);
  const nlohmann::json j = nlohmann::json::parse(run("evaluate r --episodes 20 --json").out);
  EXPECT_GT(j.at("kinds").at("waypoint_1").at("episodes"), 0);
  EXPECT_THAT(run("evaluate r --episodes 20").out, HasSubstr("waypoint_1"));
  const std::string text = run("evaluate r --episodes 5 --set env.task.waypoints=9 --set env.task.max_steps=1").out;
  EXPECT_THAT(text, HasSubstr("waypoint_9             0 episodes\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("nan")));
}

TEST_F(Program, RepeatsARunFromItsConfigurationWithAnyNumberOfThreads) {
  ASSERT_EQ(run(std::string(kShort) + "--out one --threads 1").status, 0);
  ASSERT_EQ(run("train one/config.toml --out two --threads 2").status, 0);
  expect_same_curve("one", "two");
}

// Networks of the shipped experiments: an optimizer of more than 65,536 parameters is divided among the threads.
TEST_F(Program, TrainsTheSamePolicyForAnyNumberOfThreadsAtTheSizesOfExperiments) {
  struct Size {
    const char *algorithm, *hidden;
    int updates;
  };
  for (const auto& [algorithm, hidden, updates] :
       {Size{"td3", "[256,256]", 12}, Size{"td3", "[300,300]", 12}, Size{"sac", "[512,512,512]", 4}}) {
    const auto policy = [&, algorithm = algorithm, hidden = hidden, updates = updates](int threads) {
      const std::string out = fmt::format("{}_{}_{}", algorithm, hidden, threads);
      const Outcome o = run(fmt::format(
          "train pendulum_{0} --quiet --steps {1} --set train.learning_starts=200 --set train.eval_every={1} --set "
          "train.eval_episodes=1 --set train.final_eval_episodes=1 --set train.checkpoint_every=0 --set "
          "agent.{0}.pi.hidden={2} --set agent.{0}.q.hidden={2} --threads {3} --out '{4}'",
          algorithm, 200 + updates, hidden, threads, out));
      EXPECT_EQ(o.status, 0) << o.err;
      return content(here_ / out / "policy.h5");
    };
    const std::string one = policy(1);
    EXPECT_FALSE(one.empty());
    for (const int threads : {2, 3, 7}) EXPECT_TRUE(policy(threads) == one) << hidden << ", " << threads << " threads";
  }
}

TEST_F(Program, RefusesWhatItDoesNotKnow) {
  expect_refusal("trian",
                 "no command is called \"trian\"; did you mean train?\nUsage: goalpost [OPTIONS] SUBCOMMAND\n");
  expect_refusal("trian", "`goalpost --help` shows");
  expect_refusal("", "goalpost: expected a command\nUsage: goalpost [OPTIONS] SUBCOMMAND\n  list ");
  expect_refusal("", "\n  train      train an experiment");
  expect_refusal("", "`goalpost --help` shows");
  expect_refusal("--versio", "goalpost: no option is called --versio; did you mean --version?\n");
  expect_refusal("rollout BitFlip-v0 --policy r --sed 1", "no option is called --sed; did you mean --seed?\n");
  expect_refusal("train --sed 1",
                 "no option is called --sed; did you mean --seed?\nUsage: goalpost train [OPTIONS] "
                 "[EXPERIMENT|ALGORITHM] [ENVIRONMENT]\n`goalpost train --help`");
  expect_refusal("evaluate", "RUN is required\nUsage: goalpost evaluate [OPTIONS] RUN\n");
  expect_refusal("train bit_flp_her", "did you mean bit_flip_her?");
  expect_refusal("train bit_flip_her --set env.name=BitFlop-v0", "did you mean BitFlip-v0?");
  expect_refusal("train bit_flip_her --set agent.her.stratgy=final", "did you mean strategy?");
  expect_refusal("train bit_flip_her --set agent.her.strategy=futur", "did you mean future?");
  expect_refusal("train bit_flip_her --set env.bits=many", "env.bits = \"many\"; expected an integer");
  expect_refusal("train bit_flip_her --set agent.dqn.gamma=1.5", "agent.dqn.gamma = 1.5 lies outside [0, 1]");
  expect_refusal("train bit_flip_her --set env.bits=0", "env.bits = 0 lies outside [1, 4096]");
  expect_refusal("train bit_flip_her --set agent.batch_size=2000000", "lies outside");
  expect_refusal("train bit_flip_her --set agent.replay.buffer_size=100",
                 "agent.batch_size = 128 is larger than agent.replay.buffer_size = 100");
  expect_refusal("train bit_flip_her --steps -5", "train.total_steps = -5 lies outside");
  expect_refusal("train bit_flip_her --threads 0", "train.threads = 0 lies outside");
  expect_refusal("reproduce bit-flop", "did you mean bit-flip?");
  expect_refusal("train bit-flip", "bit-flip is a figure of several experiments: `goalpost reproduce bit-flip`");
  expect_refusal("train fetch-reach-sac", "did you mean fetch_reach_sac?");
  expect_refusal("train sac pendulum", "did you mean Pendulum-v1?");
  expect_refusal("train bit_flip_her --lr 1e-3", "no option is called --lr; settings are changed by --set lr=VALUE");
  expect_refusal("train bit_flip_her --total-timesteps 10", "by --set total_timesteps=VALUE");
  expect_refusal("train bit_flip_her --env.bits 10", "by --set env.bits=VALUE");
  expect_refusal("train bit_flip_her --abracadabra", "settings are changed by --set KEY=VALUE");
  expect_refusal("train bit_flip_her --env BitFlip-v0", "expected `goalpost train ALGORITHM ENVIRONMENT`");
  expect_refusal("train bit_flip_her --set env.bits=4-6", "env.bits = \"4-6\"; expected an integer");
  expect_refusal("train bit_flip_her --set 'env.bits=4#'", "env.bits = \"4#\"; expected an integer");
  expect_refusal("train bit_flip_her --set dqn.lr=1", "did you mean lr?");
  expect_refusal("train bit_flip_her --set xyz=1", "`goalpost describe dqn` and `goalpost describe train` show all");
  expect_refusal("plan sac Pendulum-v1", "sac is an algorithm; expected an experiment");
  expect_refusal("reproduce bit_flip_her", "bit_flip_her is an experiment, not a figure: `goalpost train bit_flip_her");
  expect_refusal("train bit_flip_her --seeds 0", "--seeds 0; expected how many, 1 to 1000");
  expect_refusal("describe nothing_like_it", "nothing is called \"nothing_like_it\"");
  expect_refusal("evaluate nowhere", "nowhere is not a run directory: there is no such directory");
  expect_refusal("evaluate nowhere --episodes 0", "--episodes");
  expect_refusal("report nowhere", "nowhere is not a directory");
  expect_refusal("report nowhere --out page", "nowhere is not a directory");
  expect_refusal("rollout BitFlip --random", "did you mean BitFlip-v0?");
  expect_refusal("rollout BitFlip-v0", "actions");
  expect_refusal("rollout FetchReach-v4 --random --set env.object_x=1.3", "expected neither: there is no object");
  expect_refusal("train fetch_reach_fast --set env.object_x=1.3", "expected neither: there is no object");
}

TEST_F(Program, HelpsWhereAKnownNameStandsInTheWrongPlace) {
  expect_refusal("train FetchReach-v4 sac",
                 "the algorithm comes before the environment: `goalpost train sac FetchReach-v4`");
  expect_refusal("train sac",
                 "sac is an algorithm; expected an environment after it, `goalpost train sac ENVIRONMENT`");
  expect_refusal("train FetchReach-v4",
                 "FetchReach-v4 is an environment; expected an algorithm before it, `goalpost train ALGORITHM "
                 "FetchReach-v4`");
  for (const std::string experiment : {"my.toml", "fetch_reach_sac"})
    expect_refusal("train " + experiment + " FetchReach-v4",
                   experiment + " is an experiment, which names its own environment; expected `goalpost train " +
                       experiment + "`, or an algorithm before FetchReach-v4");
  expect_refusal("train nofile.toml", "cannot read the configuration nofile.toml: No such file or directory");
  expect_refusal("evaluate my.toml", "my.toml is a configuration; expected a run directory or policy.h5");
  expect_refusal("train fetch_reach_sac --set env.bits=4", "FetchReach-v4 has no setting env.bits");
  expect_refusal("train fetch_reach_sac --set train.bits=4", "train.bits: no such setting");
  for (const char* steps : {"1M", "10k"})
    expect_refusal(std::string("train bit_flip_her --steps ") + steps, "expected an integer, e.g. 1_000_000 or 1e6");
  const Outcome o = run("train dqn FetchReach-v4");
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, testing::AllOf(HasSubstr("needs discrete actions"), testing::Not(HasSubstr("default settings"))));
}

TEST_F(Program, NamesTheRunsInsideADirectory) {
  ASSERT_EQ(run(std::string(kShort) + "--quiet --out my/seed_2").status, 0);
  ASSERT_EQ(run(std::string(kShort) + "--quiet --out my/seed_1").status, 0);
  expect_refusal("evaluate my",
                 "my is not a run directory: it holds no policy.h5; expected one of the runs in it: seed_1, seed_2");
  expect_refusal("dataset info my/seed_1",
                 "my/seed_1 holds no recorded episodes; training with --set train.record=train, eval or all");
}

TEST_F(Program, NamesAllProblemsOfAConfigurationAtOnce) {
  const Outcome o = run("train bit_flip_her --set env.bits=0 --set agent.dqn.gamma=2 --set train.lane=3");
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, testing::AllOf(HasSubstr("env.bits"), HasSubstr("agent.dqn.gamma"), HasSubstr("train.lane")));
}

TEST_F(Program, RefusesAUsedOrUnwritableDirectoryAndLeavesItAlone) {
  std::filesystem::create_directory(here_ / "used");
  set_content(here_ / "used" / "thesis.txt", "mine");
  expect_refusal(std::string(kShort) + "--out used", "used");
  EXPECT_EQ(content(here_ / "used" / "thesis.txt"), "mine");
  expect_refusal(std::string(kShort) + "--out /proc/goalpost", "/proc/goalpost");
}

TEST_F(Program, StopsAtWhatIsNotFiniteWithStepAndSizeAndKeepsWhatWasSaved) {
  // The temperature grows by a factor of e with every update, since no policy has the entropy that is asked for.
  const Outcome o = run(
      "train pendulum_sac --set agent.sac.alpha_adam.lr=1 --set agent.sac.target_entropy_per_dim=100 --set "
      "train.learning_starts=20 --set agent.batch_size=8 --set agent.sac.pi.hidden=[8] --set agent.sac.q.hidden=[8] "
      "--out r");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, testing::ContainsRegex("update [0-9]+ at step [0-9]+: the loss is finite, but the square of the "
                                            "gradient of log_alpha .1x1. overflows: its largest size is [0-9.e+]+"));
  EXPECT_EQ(read_csv(here_ / "r" / "eval.csv").rows(), 1u);
  EXPECT_TRUE(std::filesystem::exists(here_ / "r" / "policy.h5"));
}

TEST_F(Program, AnInterruptKeepsEverythingSavedSoFar) {
  const std::string command = "cd '" + here_.path().string() +
                              "' && exec '" GOALPOST_PROGRAM
                              "' train bit_flip_dqn --set train.eval_every=2000 --out r > out 2> err";
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  const auto curve = [&] {
    return std::filesystem::exists(here_ / "r" / "eval.csv") ? read_csv(here_ / "r" / "eval.csv").rows() : 0;
  };
  for (int i = 0; i < 3000 && curve() < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_THAT(content(here_ / "err"), HasSubstr("interrupted; saved in r. Continue with `goalpost train --resume r`"));
  EXPECT_GE(curve(), 3u);
  EXPECT_FALSE(std::filesystem::exists(here_ / "r" / "result.json"));
  EXPECT_EQ(run("evaluate r --episodes 5").status, 0);
}

TEST_F(Program, SavesThePolicyOfTheLastStepWhenItIsInterrupted) {
  for (const std::string checkpoints : {"0", "100000"}) {
    const std::string out = "r" + checkpoints;
    // There is no evaluation between the first step and the interrupt.
    interrupt_after(
        "train bit_flip_dqn --set train.eval_every=100000000 --steps 100000000 --quiet --set "
        "train.stop_success=0 --set train.checkpoint_every=" +
            checkpoints + " --out " + out,
        out + "/policy.h5");
    const Outcome o = run("evaluate " + out + " --episodes 5 --json");
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_GT(nlohmann::json::parse(o.out).at("policy_step"), 0) << checkpoints;
  }
}

TEST_F(Program, AnInterruptOfSeveralRunsCountsOnlyFinishedOnes) {
  const int status = interrupt_after(
      "train bit_flip_dqn --steps 100000000 --set train.stop_success=0 --set train.total_episodes=0 --seed 1-3 --jobs "
      "2 --out many",
      "many/seed_1/policy.h5");
  EXPECT_EQ(status, 130);
  EXPECT_THAT(content(here_ / "err"),
              testing::AllOf(HasSubstr("runs: 0% 0/3 ["), HasSubstr("run the same command again "
                                                                    "to continue the unfinished "
                                                                    "runs")));
}

TEST_F(Program, SaysHowToContinueAnUnfinishedRun) {
  const std::string training =
      "train bit_flip_dqn --quiet --steps 100000000 --set train.stop_success=0 --set train.total_episodes=0 --out r";
  EXPECT_EQ(interrupt_after(training, "r/policy.h5"), 130);
  const std::string config = content(here_ / "r/config.toml");
  expect_refusal(training, "run directory r holds an unfinished run: `goalpost train --resume r` continues it");
  EXPECT_EQ(content(here_ / "r/config.toml"), config);
  ASSERT_EQ(run(std::string(kShort) + "--quiet --out whole").status, 0);
  expect_refusal(std::string(kShort) + "--out whole", "run directory whole is already used");
}

TEST_F(Program, RollsOutActionsOfAFile) {
  set_content(here_ / "a.csv", "a0\n0\n1\n2\n");
  const Outcome o = run("rollout BitFlip-v0 --actions a.csv --seed 4 --set env.bits=3 --set env.ends_at_goal=false");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(std::count(o.out.begin(), o.out.end(), '\n'), 5);  // header, reset and three steps
  EXPECT_THAT(o.out, HasSubstr("episode,step,reward,terminated,truncated,success,obs0,obs1,obs2,achieved0,"
                               "achieved1,achieved2,desired0,desired1,desired2\n"));
  set_content(here_ / "wrong.csv", "a0\n0\n7\n");
  expect_refusal("rollout BitFlip-v0 --actions wrong.csv --set env.bits=3",
                 "wrong.csv:3: a0 = 7; expected an integer in [0, 2]");
  set_content(here_ / "none.csv", "b\n0\n");
  expect_refusal("rollout BitFlip-v0 --actions none.csv", "no column a0");
  expect_refusal("rollout BitFlip-v0 --random --with-state", "BitFlip-v0 has no simulator state to set or show");
}

// Two steps by hand: θ̈ = 15 sin θ + 3 u, in double precision from the given state on.
TEST_F(Program, RollsOutFromAStateInDoublePrecision) {
  set_content(here_ / "a.csv", "a0\n0.1\n-0.7\n");
  set_content(here_ / "s.csv", "theta,theta_dot\n0.3,-0.2\n");
  const Outcome o = run("rollout Pendulum-v1 --actions a.csv --state s.csv --with-state --with-actions --out r.csv");
  ASSERT_EQ(o.status, 0) << o.err;
  const CsvTable table = read_csv(here_ / "r.csv");
  double theta = 0.3, speed = -0.2;
  EXPECT_EQ(table.column("theta")[0], theta);  // the row of the reset
  EXPECT_EQ(table.column("theta_dot")[0], speed);
  const double u[] = {0.1, -0.7};
  for (std::size_t t = 0; t < 2; ++t) {
    speed += (15 * std::sin(theta) + 3 * u[t]) * 0.05;
    theta += speed * 0.05;
    EXPECT_NEAR(table.column("theta")[t + 1], theta, 1e-15);
    EXPECT_NEAR(table.column("theta_dot")[t + 1], speed, 1e-15);
    EXPECT_EQ(table.column("a0")[t + 1], u[t]);
  }
  set_content(here_ / "bad.csv", "theta\n0.3\n");
  expect_refusal("rollout Pendulum-v1 --actions a.csv --state bad.csv",
                 "bad.csv has no column theta_dot; expected theta to theta_dot for Pendulum-v1");
}

TEST_F(Program, RollsOutWithAnObjectAtAGivenPlace) {
  set_content(here_ / "a.csv", "a0,a1,a2,a3\n0,0,0,0\n");
  const Outcome o = run(
      "rollout FetchPush-v4 --actions a.csv --set env.object_x=1.2 --set env.object_y=0.6 --set env.task.max_steps=1 "
      "--out r.csv");
  ASSERT_EQ(o.status, 0) << o.err;
  const CsvTable table = read_csv(here_ / "r.csv");
  EXPECT_NEAR(table.column("achieved0")[1], 1.2, 1e-4);
  EXPECT_NEAR(table.column("achieved1")[1], 0.6, 1e-4);
  EXPECT_EQ(table.column("truncated")[1], 1);
  expect_refusal("rollout FetchReach-v4 --random --set env.task.offset=[0.1]",
                 "env.task.offset holds 1 numbers; expected 3, as a goal of FetchReach-v4");
}

TEST_F(Program, ReproducesAFigureAndGoesOnWithWhatIsMissing) {
  const std::string figure =
      "reproduce bit-flip --quick --values 2,3 --jobs 2 --out f --set train.total_episodes=4_000";
  const Outcome first = run(figure);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out,
              HasSubstr("largest env.bits solved (success >= 0.99): 3 here, the largest tried, 50 in the paper"));
  EXPECT_TRUE(std::filesystem::exists(here_ / "f" / "figure.csv"));
  const Outcome second = run(figure);
  EXPECT_EQ(second.status, 0);
  EXPECT_THAT(second.err, HasSubstr("6 already finished"));
  EXPECT_EQ(second.out, first.out);

  const Outcome report = run("report f");
  EXPECT_EQ(report.status, 0) << report.out;
  EXPECT_THAT(report.out, HasSubstr("env.bits=2"));
  const Outcome page = run("report f --out page");
  EXPECT_EQ(page.status, 0) << page.err;
  EXPECT_EQ(page.out, report.out + "page: page/index.html\n");
}

TEST_F(Program, ReproducesOnlyWithRunsOfTheSameConfiguration) {
  const std::string figure =
      "reproduce bit-flip --quick --values 2 --seeds 1 --jobs 1 --out f --set train.total_episodes=400 ";
  const Outcome first = run(figure);
  ASSERT_EQ(first.status, 0) << first.err;
  const auto unchanged = [&, before = content(here_ / "f/bit_flip_her/env.bits=2/seed_1/result.json")] {
    return content(here_ / "f/bit_flip_her/env.bits=2/seed_1/result.json") == before;
  };
  // Finished with other settings, then by another build.
  expect_refusal(figure + "--set agent.her.k=3", "agent.her.k is ");
  EXPECT_EQ(run(figure + "--set train.threads=2").status, 0) << "of no effect on results";
  std::string config = content(here_ / "f/bit_flip_her/env.bits=2/seed_1/config.toml");
  const std::string path = "f/bit_flip_her/env.bits=2/seed_1/config.toml";
  const std::size_t at = config.find("revision = \"") + 12;
  set_content(here_ / path, config.substr(0, at) + "other-" + config.substr(at));
  expect_refusal(figure, "its revision is other-");
  const Outcome drawn = run(figure + "--draw-only");
  EXPECT_EQ(drawn.status, 0) << drawn.err;
  EXPECT_THAT(drawn.out, HasSubstr("env.bits=2"));
  expect_refusal("reproduce bit-flip --quick --values 3 --seeds 1 --out f --set train.total_episodes=400 --draw-only",
                 "--draw-only: f holds no finished run of these settings, values and seeds");
  EXPECT_TRUE(unchanged());
  // An unfinished run of other settings.
  set_content(here_ / path, config);
  std::filesystem::rename(here_ / "f/bit_flip_her/env.bits=2/seed_1/result.json", here_ / "result.json");
  expect_refusal(figure + "--set agent.her.k=3", "agent.her.k is ");
  EXPECT_TRUE(std::filesystem::exists(here_ / "f/bit_flip_her/env.bits=2/seed_1/policy.h5"));
  std::filesystem::rename(here_ / "result.json", here_ / "f/bit_flip_her/env.bits=2/seed_1/result.json");
  EXPECT_TRUE(unchanged());
  // Runs of other settings below the directory are not drawn.
  ASSERT_EQ(run(std::string(kShort) + "--quiet --out f/mine").status, 0);
  const Outcome again = run(figure);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, first.out);
  EXPECT_THAT(again.err, HasSubstr("f/mine: "));
  std::filesystem::remove_all(here_ / "f");
  expect_refusal(figure + "--draw-only", "--draw-only: there is no f; expected the directory of earlier runs");
  // What the figure sets itself.
  expect_refusal(figure + "--set seed=9", "--seeds says which seeds there are");
  expect_refusal(figure + "--set env.bits=9", "env.bits is the x axis of bit-flip; --values 9 sets its points");
}

// Where there are no runs, recorded results are drawn: the recorded figures.
TEST_F(Program, DrawsTheRecordedFiguresFromRecordedResults) {
  int drawn = 0;
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory() / "figures")) {
    const std::string figure = entry.path().stem().string(), out = "runs/reproduce/" + figure;
    const Outcome o = run("reproduce " + figure + " --draw-only");
    if (o.status == 2) {  // nothing of it is recorded, or settings of other lengths only
      EXPECT_THAT(o.err, HasSubstr("--draw-only: "));
      continue;
    }
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_THAT(o.err, HasSubstr("there is no " + out + ": recorded results are drawn"));
    for (const auto& file : std::filesystem::directory_iterator(here_ / out)) {
      if (file.path().extension() != ".csv") continue;
      const std::string name = figure + file.path().filename().string().substr(std::string("figure").size());
      const std::filesystem::path recorded = results_directory() / "figures" / name;
      if (!std::filesystem::exists(recorded)) continue;
      EXPECT_EQ(content(file.path()), content(recorded)) << name;
      ++drawn;
    }
  }
  EXPECT_GE(drawn, 5);
  std::filesystem::remove_all(here_ / "runs");
  expect_refusal("reproduce bit-flip --draw-only --out f", "--draw-only: there is no f; expected the directory");
  for (const char* part : {"--quick", "--values 10", "--seeds 1", "--set agent.her.k=3"})
    expect_refusal(std::string("reproduce bit-flip --draw-only ") + part,
                   "--draw-only: there is no runs/reproduce/bit-flip");
}

TEST_F(Program, ReproduceLeavesARunThatIsUnderWayAlone) {
  const std::string figure =
      "reproduce bit-flip --quick --values 2 --seeds 1 --jobs 1 --out f --set train.total_episodes=400";
  std::filesystem::create_directories(here_ / "f/bit_flip_her/env.bits=2/seed_1");
  set_content(here_ / "f/bit_flip_her/env.bits=2/seed_1/config.toml", "label = \"mine\"\n");
  const DirectoryLock lock(here_ / "f/bit_flip_her/env.bits=2/seed_1");
  expect_refusal(figure, "f/bit_flip_her/env.bits=2/seed_1 cannot be used for this figure: ");
  EXPECT_EQ(content(here_ / "f/bit_flip_her/env.bits=2/seed_1/config.toml"), "label = \"mine\"\n");
}

TEST_F(Program, ReproduceTrainsFromTheConfigurationThatItBeganWith) {
  const Outcome o =
      run("reproduce bit-flip --quick --values 2 --seeds 1 --jobs 1 --out f --set train.total_episodes=400");
  ASSERT_EQ(o.status, 0) << o.err;
  Experiment frozen = make_experiment(TomlValues::from_file(here_ / "f/bit_flip_her/env.bits=2/setting.toml"));
  Experiment trained = make_experiment(TomlValues::from_file(here_ / "f/bit_flip_her/env.bits=2/seed_1/config.toml"));
  EXPECT_EQ(frozen.to_toml(), trained.to_toml());
  EXPECT_EQ(frozen.train.total_episodes, 400);
}

TEST_F(Program, ReproduceCountsARunThatFailedWhateverItLeaves) {
  const Outcome whole =
      run("reproduce bit-flip --quick --values 2 --seeds 1 --jobs 1 --out f --set train.total_episodes=400");
  ASSERT_EQ(whole.status, 0) << whole.err;
  std::filesystem::rename(here_ / "f", here_ / "g");
  std::filesystem::create_directories(here_ / "f/bit_flip_her/env.bits=2");
  // A finished run of another experiment appears once the runs have been looked through.
  const std::string link = (here_ / "f/bit_flip_her/env.bits=2/seed_1").string();
  std::thread other([&] {
    const std::filesystem::path frozen = here_ / "f/bit_flip_her/env.bits=2/setting.toml";
    for (int i = 0; i < 30'000 && !std::filesystem::exists(frozen); ++i)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::filesystem::create_directory_symlink(here_ / "g/bit_flip_dqn/env.bits=2/seed_1", link);
  });
  const Outcome o =
      run("reproduce bit-flip --quick --values 2 --seeds 1 --jobs 1 --out f --set train.total_episodes=400");
  other.join();
  EXPECT_EQ(o.status, 1) << o.err;
}

TEST_F(Program, ReproduceDoesNotCallUnsolvedWhatCannotBeRead) {
  const std::string figure =
      "reproduce bit-flip --quick --values 2 --seeds 1 --jobs 1 --out f --set train.total_episodes=400";
  ASSERT_EQ(run(figure).status, 0);
  set_content(here_ / "f/bit_flip_her/env.bits=2/seed_1/eval.csv", "step,wall_seconds\nmuch,0\n");
  const Outcome o = run(figure);
  EXPECT_EQ(o.status, 1) << o.err;
  EXPECT_THAT(o.err, HasSubstr("f/bit_flip_her/env.bits=2/seed_1: "));
  EXPECT_THAT(o.out, testing::ContainsRegex("bit_flip_her +largest env.bits solved [^:]*: not measured here"));
}

TEST_F(Program, ActsWithAPolicyFileAlone) {
  ASSERT_EQ(run(std::string(kShort) + "--quiet --out r").status, 0);
  std::filesystem::create_directory(here_ / "elsewhere");
  std::filesystem::copy_file(here_ / "r/policy.h5", here_ / "elsewhere/p.h5");
  const std::string whole = run("evaluate r --episodes 50 --json").out;
  EXPECT_EQ(run("evaluate elsewhere/p.h5 --episodes 50 --json").out, whole);
  const nlohmann::json j = nlohmann::json::parse(whole);
  EXPECT_EQ(j.at("policy_step"), 6016);
  EXPECT_THAT(run("evaluate r --episodes 5").out, HasSubstr("after 6016 environment steps of training"));
  const Outcome rolled = run("rollout --policy elsewhere/p.h5 --out a.csv");
  EXPECT_EQ(rolled.status, 0) << rolled.err;
  EXPECT_THAT(rolled.err, HasSubstr("after 6016 environment steps"));

  const nlohmann::json about =
      nlohmann::json::parse(read_state_text(here_ / "r/policy.h5", "goalpost policy", "about"));
  EXPECT_EQ(about.at("algorithm"), "dqn");
  EXPECT_EQ(about.at("environment"), "BitFlip-v0");
  EXPECT_EQ(about.at("env").at("bits"), 8);
  EXPECT_EQ(about.at("agent").at("dqn.q.activation"), "relu");
  EXPECT_TRUE(about.at("agent").at("normalizer.clip").is_number());
  EXPECT_EQ(about.at("inputs").dump(), R"([{"name":"obs","size":8},{"name":"desired_goal","size":8}])");
  EXPECT_EQ(about.at("action").at("choices"), 8);
  EXPECT_EQ(about.at("step"), 6016);
  EXPECT_EQ(about.at("seed"), 1);
  EXPECT_EQ(about.at("episodes"), read_result(here_ / "r")->progress.episodes);
  EXPECT_EQ(about.at("identity"), read_result(here_ / "r")->identity);

  // Another network beside it is not believed.
  std::string config = content(here_ / "r/config.toml");
  const std::size_t at = config.find("activation = \"relu\"");
  set_content(here_ / "r/config.toml", config.replace(at, 19, "activation = \"tanh\""));
  expect_refusal("evaluate r --episodes 5",
                 "agent.dqn.q.activation is \"relu\" in r/policy.h5, but \"tanh\" in r/config.toml");
  EXPECT_EQ(run("evaluate r/policy.h5 --episodes 50 --json").out, whole);
  std::filesystem::remove(here_ / "r/config.toml");
  EXPECT_EQ(run("evaluate r --episodes 50 --json").out, whole);
}

TEST_F(Program, ReadsPoliciesOfEarlierVersionsWithTheirConfiguration) {
  ASSERT_EQ(run(std::string(kShort) + "--quiet --out r").status, 0);
  const std::string whole = run("evaluate r --episodes 50 --json").out;
  LoadedRun loaded = load_run(here_ / "r");
  save_state(here_ / "r/policy.h5", "goalpost policy", [&](StateVisitor& v) { loaded.agent->visit_policy(v); });
  const Outcome o = run("evaluate r --episodes 50 --json");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.err, HasSubstr("r/policy.h5 is of an earlier version"));
  nlohmann::json then = nlohmann::json::parse(whole), now = nlohmann::json::parse(o.out);
  EXPECT_TRUE(now.at("policy_step").is_null());
  now["policy_step"] = then["policy_step"];
  EXPECT_EQ(now, then);
  std::filesystem::copy_file(here_ / "r/policy.h5", here_ / "alone.h5");
  expect_refusal("evaluate alone.h5", "has no configuration, like all files of earlier versions");
}

TEST_F(Program, TrainsAnAlgorithmOnAnEnvironment) {
  expect_refusal("train td3 PointReach-v1", "no environment is called \"PointReach-v1\"; did you mean PointReach-v0?");
  expect_refusal("train sac Pendulum-v1 --her", "--her: Pendulum-v1 has no goal");
  expect_refusal("train bit_flip_her --her", "--her and --no-her are for `train ALGORITHM ENVIRONMENT`");
  const std::string small =
      "--steps 300 --set learning_starts=200 --set batch_size=8 --set agent.td3.pi.hidden=[8] --set "
      "agent.td3.q.hidden=[8] --set train.eval_episodes=2 --set train.final_eval_episodes=2 ";
  const Outcome o = run("train td3 PointReach-v0 " + small + "--seed 3");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.err, HasSubstr("no experiment has this pair; the algorithm's default settings"));
  EXPECT_THAT(o.err, HasSubstr("with HER, as the reward is sparse"));
  EXPECT_THAT(o.err, HasSubstr("learning_starts = 200 sets train.learning_starts"));
  const std::filesystem::path top = here_ / "runs/td3_pointreach_v0";
  ASSERT_TRUE(std::filesystem::is_directory(top));
  const std::filesystem::path changed = std::filesystem::directory_iterator(top)->path();
  EXPECT_THAT(changed.filename().string(), HasSubstr("batch_size=8,")) << "named by what differs";
  EXPECT_TRUE(std::filesystem::exists(changed / "seed_3/result.json"));
}

TEST_F(Program, TrainsSeveralSeedsSideBySide) {
  const std::string command =
      "train bit_flip_her --set env.bits=3 --set train.total_episodes=30 --set train.final_eval_episodes=5 --set "
      "train.eval_episodes=5 --seed 1-2,7 --jobs 2 --out many";
  const Outcome o = run(command);
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("bit_flip_her"));
  for (const char* seed : {"1", "2", "7"}) {
    const std::string directory = std::string("many/seed_") + seed;
    ASSERT_TRUE(read_result(here_ / directory)) << directory;
    EXPECT_EQ(read_result(here_ / directory)->seed, std::stoi(seed));
    EXPECT_TRUE(std::filesystem::exists(here_ / directory / "checkpoint.h5")) << "it may be trained further";
  }
  EXPECT_THAT(run(command).err, HasSubstr("3 runs, 3 already finished"));
  expect_refusal("train bit_flip_her --seed 2-1", "--seed 2-1; expected a seed, a range A-B of at most 1000 or a list");
  expect_refusal("train bit_flip_her --seed 1,1", "--seed 1,1; expected");
  expect_refusal(
      "train bit_flip_her --set env.bits=4 --set train.total_episodes=30 --seed 1-2 --out many",
      "many/seed_1 cannot be used for this run: env.bits is 3 in the existing run, but 4 in this command; choose "
      "another --out or move the directory");
  expect_refusal("train --resume many/seed_1 --jobs 2", "--resume goes on with one run as it is");
}

TEST_F(Program, ActsInAnotherEnvironmentOfTheSameShape) {
  ASSERT_EQ(
      run("train fetch_reach_sac --quiet --steps 400 --set train.learning_starts=400 --set train.eval_episodes=2 --set "
          "train.final_eval_episodes=2 --out r")
          .status,
      0);
  for (const char* env : {"FetchReach-v3", "FetchReachDense-v4", "FetchReach-v4"}) {
    const Outcome o = run("evaluate r --episodes 3 --json --env " + std::string(env));
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(nlohmann::json::parse(o.out).at("env"), env);
  }
  EXPECT_EQ(nlohmann::json::parse(
                run("evaluate r --episodes 3 --json --env FetchReachDense-v4 --set env.task.max_steps=7").out)
                .at("length"),
            7);
  // --env has its default settings, whatever those of the run were.
  ASSERT_EQ(run("train fetch_reach_sac --quiet --steps 400 --set train.learning_starts=400 --set train.eval_episodes=2 "
                "--set train.final_eval_episodes=2 --set env.task.max_steps=20 --out short")
                .status,
            0);
  const auto length = [&](const std::string& arguments) {
    return nlohmann::json::parse(run("evaluate short --episodes 3 --json " + arguments).out).at("length").get<double>();
  };
  EXPECT_EQ(length(""), 20);
  EXPECT_EQ(length("--env FetchReach-v4"), 50);
  EXPECT_EQ(run("rollout FetchReach-v3 --policy r --out a.csv").status, 0);
  expect_refusal("evaluate r --env FetchPush-v4",
                 "FetchPush-v4 has 25 observations, 3 goals and 4 actions; expected 10 observations, 3 goals and 4 "
                 "actions, as the policy has");
  expect_refusal("evaluate r --env FetchReach-v5", "no environment is called \"FetchReach-v5\"");
  expect_refusal("evaluate FetchReach-v4 --random --env FetchReach-v3", "--env is for a trained policy");
}

TEST_F(Program, KnowsTheKernelsThatItUses) {
  const auto with_kernels = [&](const char* kernels, const std::string& arguments) {
    ::setenv("GOALPOST_KERNELS", kernels, 1);
    const Outcome o = run(arguments);
    ::unsetenv("GOALPOST_KERNELS");
    return o;
  };
  const Outcome unknown = with_kernels("neon", "train bit_flip_her");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err,
              testing::AllOf(HasSubstr("GOALPOST_KERNELS = \"neon\"; expected one of "), HasSubstr("Eigen")));
  EXPECT_FALSE(std::filesystem::exists(here_ / "runs"));
  const std::string training = std::string(kShort) + "--quiet --set train.checkpoint_every=2000 --out r";
  ASSERT_EQ(with_kernels("eIGEN", training).status, 0);
  EXPECT_THAT(content(here_ / "r/config.toml"), HasSubstr("kernels = \"Eigen\""));
  if (BuildInfo::current().kernels == "Eigen") GTEST_SKIP() << "this processor has no other kernels";
  const std::string on = "train --quiet --resume r --set train.total_steps=8000";
  const Outcome other = run(on);
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("build kernels = Eigen; expected " + BuildInfo::current().kernels));
  EXPECT_EQ(with_kernels("Eigen", on).status, 0);
  EXPECT_EQ(run("train --quiet --any-build --resume r --set train.total_steps=9000").status, 0);
  EXPECT_THAT(content(here_ / "r/config.toml"), HasSubstr("resumed = \"from kernels Eigen with "));
}

TEST_F(Program, TakesCountsInEveryNotationAndSaysTheirRangeShortly) {
  ASSERT_EQ(run("evaluate BitFlip-v0 --random --episodes 1e1 --seed 1_000 --json").status, 0);
  EXPECT_EQ(nlohmann::json::parse(run("evaluate BitFlip-v0 --random --episodes 1e1 --json").out).at("episodes"), 10);
  EXPECT_THAT(run("describe bit_flip_her --set train.total_steps=1e6").out,
              HasSubstr("train.total_steps            1000000"));
  for (const char* seed : {"9223372036854775808", "99999999999999999999", "-1", "0.5", "1.5e0", "1e400", "x"})
    for (const char* command : {"evaluate BitFlip-v0 --random", "rollout BitFlip-v0 --random", "train bit_flip_her",
                                "render BitFlip-v0 --random --out a.png"}) {
      const Outcome o = run(fmt::format("{} --seed {}", command, seed));
      EXPECT_EQ(o.status, 2) << command << " " << seed << " " << o.out;
      EXPECT_THAT(o.err, HasSubstr("seed")) << command;
      EXPECT_THAT(o.err,
                  testing::AnyOf(HasSubstr("expected an integer"), HasSubstr("lies outside [0, 9000000000000000]")))
          << command << " " << seed;
      EXPECT_LT(o.err.size(), 200u) << o.err;
    }
  for (const char* command : {"evaluate BitFlip-v0 --random --episodes 0", "rollout BitFlip-v0 --random --episodes 1.5",
                              "render BitFlip-v0 --random --out a.png --distance -1", "reproduce bit-flip --values 0",
                              "reproduce bit-flip --jobs -1"}) {
    const Outcome o = run(command);
    EXPECT_EQ(o.status, 2) << command;
    EXPECT_LT(o.err.size(), 200u) << o.err;
  }
  EXPECT_FALSE(std::filesystem::exists(here_ / "runs"));
}

TEST_F(Program, ReportsWithoutTheRunsThatCannotBeRead) {
  ASSERT_EQ(run(std::string(kShort) + "--quiet --out all/good").status, 0);
  std::filesystem::copy(here_ / "all/good", here_ / "all/bad");
  set_content(here_ / "all/bad/result.json", "{");
  const Outcome o = run("report all");
  EXPECT_EQ(o.status, 1) << o.err;
  EXPECT_THAT(o.out, HasSubstr("bit_flip_her"));
  EXPECT_THAT(o.err, testing::AllOf(HasSubstr("all/bad: "), HasSubstr("left out")));
  const Outcome nothing = run("report all/bad");
  EXPECT_EQ(nothing.status, 1);
  EXPECT_THAT(nothing.err, HasSubstr("all/bad: "));
}

TEST_F(Program, ReportsAgainstABaselineAndDrawsPdf) {
  for (const char* more : {"--out all/a --seed 1", "--out all/b --seed 2", "--out old/a --set agent.her.k=1"})
    ASSERT_EQ(run(std::string(kShort) + "--quiet " + more).status, 0) << more;
  const Outcome o = run("report all --baseline old --threshold 0.5 --out page --pdf --width 8cm --font sans,7");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, testing::AllOf(HasSubstr("success 0.5"), HasSubstr("compared with the baseline old\n")));
  EXPECT_TRUE(read_file(here_ / "page/steps_BitFlip-v0.pdf").starts_with("%PDF"));
  expect_refusal("report all --baseline nothing", "neither a directory nor a revision of the runs");
  expect_refusal("report all --pdf", "--out");
  expect_refusal("report all --out page --width 8cm", "--pdf");
  expect_refusal("report all --out page --pdf --width 8", "--width 8; expected a length from 0.5in to 100in");
  expect_refusal("report all --out page --pdf --font Times,big", "--font Times,big; expected NAME,SIZE");
  std::filesystem::remove(here_ / "all/b/result.json");
  EXPECT_THAT(run("report all").out, HasSubstr("unfinished (not included above):\nall/b: interrupted, "));
  expect_refusal("reproduce bit-flip --values 9,9 --out f", "is among others that are the same");
}

TEST_F(Program, RecordsExchangesAndReplaysEpisodes) {
  ASSERT_EQ(run("rollout BitFlip-v0 --random --episodes 40 --set env.bits=4 --record e.h5 --out e.csv").status, 0);
  EXPECT_THAT(run("dataset info e.h5").out, HasSubstr("of rollouts 40"));
  EXPECT_THAT(run("dataset check e.h5").out, HasSubstr("nothing wrong"));
  for (const char* out : {"--format minari --out bits-v0", "--format d4rl --out bits.hdf5"})
    EXPECT_EQ(run(std::string("dataset export e.h5 ") + out).status, 0) << out;
  for (const char* data : {"e.h5", "bits-v0", "bits.hdf5"}) {
    const Outcome o =
        run("train bit_flip_her --quiet --set env.bits=4 --set train.learning_starts=0 --steps 640 --set "
            "train.eval_every=320 --set train.eval_episodes=5 --set train.final_eval_episodes=5 --out r_" +
            std::string(data) + " --set agent.replay.dataset=" + data);
    EXPECT_EQ(o.status, 0) << o.err;
  }
  const CsvTable one = read_csv(here_ / "r_e.h5/eval.csv"), other = read_csv(here_ / "r_bits-v0/eval.csv");
  EXPECT_EQ(one.column("return"), other.column("return")) << "the formats hold the same episodes";
  EXPECT_EQ(run("dataset import bits-v0 --env BitFlip-v0 --set env.bits=4 --out back.h5").status, 0);

  expect_refusal("dataset info nowhere.h5", "nowhere.h5: there is no such file");
  expect_refusal("dataset check e.csv", "e.csv is not a complete HDF5 file");
  expect_refusal("dataset export e.h5 --format d4rl", "dataset export: --out is missing");
  expect_refusal("train bit_flip_her --set env.bits=5 --set agent.replay.dataset=e.h5",
                 "agent.replay.dataset: e.h5: the observation's dimension = 4; expected 5, as BitFlip-v0 has");
}

constexpr char kTiny[] =
    "train bit_flip_her --quiet --set env.bits=4 --set train.num_envs=4 --set agent.dqn.q.hidden=[16] --set "
    "train.eval_every=640 --set "
    "train.eval_episodes=5 --set train.final_eval_episodes=5 --set train.stop_success=0 ";

TEST_F(Program, FindsNothingWrongWithWhatItWrites) {
  for (const std::string record : {"train", "eval", "all"}) {
    ASSERT_EQ(run(std::string(kTiny) + "--steps 1280 --out " + record + " --set train.record=" + record).status, 0);
    const Outcome o = run("dataset check " + record);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_THAT(o.out, testing::AllOf(HasSubstr(record + "/checkpoint.h5: a goalpost run, "),
                                      HasSubstr(record + "/policy.h5: a goalpost policy, "), HasSubstr(record + ": ")));
    EXPECT_THAT(run("dataset check " + record + "/episodes.h5").out, HasSubstr("steps, nothing wrong"));
  }
  ASSERT_EQ(run("rollout BitFlip-v0 --policy all --episodes 7 --record r.h5 --out r.csv").status, 0);
  EXPECT_THAT(run("dataset check r.h5").out, HasSubstr("r.h5: 7 episodes, "));
  for (const char* how : {"", " --compressed"}) {
    ASSERT_EQ(run(std::string("dataset export all --format minari --out bits-v0") + how).status, 0);
    ASSERT_EQ(run(std::string("dataset export all --format d4rl --out bits.hdf5") + how).status, 0);
    const std::string sound = run("dataset check all/episodes.h5").out;
    const std::string counts = sound.substr(sound.find(": "));
    for (const std::string name : {"bits-v0", "bits.hdf5"}) {
      EXPECT_EQ(run("dataset check " + name + " --env BitFlip-v0 --set env.bits=4").out, name + counts);
      EXPECT_EQ(run("dataset check " + name).status, 2) << "without --env";
      std::filesystem::remove_all(here_ / name);
    }
  }
  // Numbers that are damaged inside a file whose structure is sound.
  std::string damaged = content(here_ / "all/policy.h5");
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  set_content(here_ / "all/policy.h5", damaged);
  expect_refusal("dataset check all/policy.h5", "policy.h5");
  expect_refusal("evaluate all --episodes 5", "policy.h5");
}

TEST_F(Program, ExportsWhatAnotherReaderOfMinariAccepts) {
  std::string python;  // the system's has the package, but another one may come first
  for (const char* candidate : {"python3", "/usr/bin/python3"})
    if (std::system((std::string(candidate) + " -c 'import h5py' 2> /dev/null").c_str()) == 0) python = candidate;
  if (python.empty()) GTEST_SKIP() << "python3-h5py is not installed";
  for (const std::string env : {"BitFlip-v0 --set env.bits=4", "FetchReach-v4", "Pendulum-v1"}) {
    ASSERT_EQ(run("rollout " + env + " --random --episodes 6 --record e.h5 --out e.csv").status, 0);
    ASSERT_EQ(run("dataset export e.h5 --format minari --out x-v0 --compressed").status, 0);
    const CsvTable table = read_csv(here_ / "e.csv");
    double rewards = 0;
    std::size_t rows = 0;
    for (const double r : table.column("reward")) {
      if (std::isnan(r)) continue;  // the row of a reset
      rewards += r;
      ++rows;
    }
    const std::string command = "cd '" + here_.path().string() + "' && " + python +
                                " " GOALPOST_SOURCE "/tests/storage/read_minari.py x-v0 > out 2> err";
    EXPECT_EQ(std::system(command.c_str()), 0) << env << ": " << content(here_ / "err");
    int episodes = 0, steps = 0;
    double read = 0;
    EXPECT_EQ(
        std::sscanf(content(here_ / "out").c_str(), "%d episodes, %d steps, rewards %lf", &episodes, &steps, &read), 3);
    EXPECT_EQ(episodes, 6);
    EXPECT_EQ(static_cast<std::size_t>(steps), rows);
    EXPECT_NEAR(read, rewards, 1e-3 * (1 + std::abs(rewards)));
    for (const char* name : {"e.h5", "e.csv", "x-v0"}) std::filesystem::remove_all(here_ / name);
  }
}

TEST_F(Program, WritesEventFilesThatAnotherReaderOfThemAccepts) {
  const auto read = [&](const std::string& directory) {
    const std::string command = "cd '" + here_.path().string() +
                                "' && python3 " GOALPOST_SOURCE "/tests/storage/read_events.py " + directory +
                                " > out 2> err";
    EXPECT_EQ(std::system(command.c_str()), 0) << content(here_ / "err");
    return content(here_ / "out");
  };
  ASSERT_EQ(run(std::string(kTiny) + "--steps 1280 --out plain").status, 0);
  ASSERT_EQ(run(std::string(kTiny) + "--steps 1280 --out seen --set train.histograms=true").status, 0);
  expect_same_curve("plain", "seen");  // looking changes nothing
  const std::string plain = read("plain"), seen = read("seen");
  EXPECT_EQ(plain.find("histogram"), plain.npos);
  for (const std::string& text : {plain, seen}) {
    EXPECT_EQ(text.find("_hparams_/experiment"), text.npos) << "TensorBoard would show one run's columns only";
    EXPECT_THAT(text, HasSubstr("0 _hparams_/session_start_info hparams group 'bit_flip_her "));
    EXPECT_THAT(text, HasSubstr("seed 1.0, algorithm 'dqn'\n"));
    EXPECT_THAT(text, HasSubstr("1280 _hparams_/session_end_info hparams status 1\n"));
    EXPECT_THAT(text, HasSubstr("0 config text "));
    for (const char* tag :
         {"eval/success_rate", "eval/mean_reward", "eval/mean_ep_length", "rollout/success_rate", "rollout/ep_rew_mean",
          "rollout/ep_len_mean", "rollout/exploration_rate", "train/loss", "time/fps"})
      EXPECT_THAT(text, HasSubstr(std::string("1280 ") + tag + " scalar ")) << tag;
  }
  EXPECT_THAT(seen, HasSubstr("1280 train/q_values histogram 128 numbers, "));
  // The group is the configuration without the seed.
  ASSERT_EQ(run(std::string(kTiny) + "--steps 1280 --seed 2 --out other").status, 0);
  const auto group = [](const std::string& text) {
    const std::size_t at = text.find("group '");
    return text.substr(at, text.find(',', at) - at);
  };
  EXPECT_EQ(group(read("other")), group(plain));
  EXPECT_THAT(read("other"), HasSubstr("seed 2.0, algorithm 'dqn'"));

  const std::string levels_of =
      "train point_reach_hiro --quiet --steps 4000 --set train.eval_every=2000 --set train.eval_episodes=5 --set "
      "train.final_eval_episodes=5 --set agent.hiro.learning_starts=500 ";
  const Outcome hiro = run(levels_of + "--set train.histograms=true --out hiro");
  ASSERT_EQ(hiro.status, 0) << hiro.err;
  ASSERT_EQ(run(levels_of + "--out hiro_plain").status, 0);
  expect_same_curve("hiro_plain", "hiro");
  const std::string levels = read("hiro");
  for (const char* tag : {"lo/q_values", "hi/q_values", "hi/subgoal_0", "hi/subgoal_1"})
    EXPECT_THAT(levels, HasSubstr(std::string("4000 ") + tag + " histogram ")) << tag;
}

TEST_F(Program, TrainsOnWhenTheDiskTakesNoMoreEpisodes) {
  const std::string training =
      std::string(kTiny) + "--steps 6400 --set agent.replay.buffer_size=640 --set train.record=all ";
  ASSERT_EQ(run(training + "--out whole").status, 0);
  const Outcome o = run_on_full_disk(200, training + "--out full");
  ASSERT_EQ(o.status, 0) << o.err;
  const std::string sentence = "recording of episodes stops: ";
  EXPECT_THAT(o.err, testing::AllOf(HasSubstr(sentence), HasSubstr("File too large"), HasSubstr("full/episodes")));
  EXPECT_EQ(o.err.find(sentence), o.err.rfind(sentence));
  expect_same_curve("whole", "full");
  // One file for all does not fit, but the parts of which it would have been made do.
  EXPECT_FALSE(std::filesystem::exists(here_ / "full/episodes.h5"));
  const std::string counts = run("dataset check whole/episodes.h5").out, parts = run("dataset check full/episodes").out;
  EXPECT_EQ(parts.substr(parts.find(": ")), counts.substr(counts.find(": ")));
  EXPECT_EQ(run("dataset check full").status, 0);
}

TEST_F(Program, ResumesWhereTheDiskWasFull) {
  const std::string training = std::string(kTiny) + "--steps 6400 --set train.checkpoint_every=640 ";
  ASSERT_EQ(run(training + "--out whole").status, 0);
  const Outcome o = run_on_full_disk(400, training + "--out full");
  EXPECT_EQ(o.status, 1) << o.err;
  EXPECT_THAT(o.err, testing::AllOf(HasSubstr("checkpoint.h5"), HasSubstr("File too large")));
  EXPECT_EQ(run("dataset check full/checkpoint.h5").status, 0);
  ASSERT_EQ(run("train --quiet --resume full").status, 0);
  expect_same_curve("whole", "full");
}

TEST_F(Program, RendersAPolicyAndAnEnvironment) {
  ASSERT_EQ(run("train bit_flip_her --set env.bits=4 --steps 200 --quiet --set train.eval_episodes=5 --set "
                "train.final_eval_episodes=5 --out r")
                .status,
            0);
  const std::string size = " --size 64x48 --quiet ";
  for (const char* what : {"r", "BitFlip-v0 --random", "RaceCar-v1 --random --camera follow --trail"}) {
    const std::string arguments = std::string("render ") + what + size;
    Outcome o = run(arguments + "--tile 2 --out a.mp4");
    ASSERT_EQ(o.status, 0) << o.err;
    ASSERT_EQ(run(arguments + "--tile 2 --out b.mp4").status, 0);
    EXPECT_GT(content(here_ / "a.mp4").size(), 500u) << what;
    EXPECT_TRUE(content(here_ / "a.mp4") == content(here_ / "b.mp4")) << what;
    o = run(arguments + "--step 2 --out a.png");
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_THAT(content(here_ / "a.png"), HasSubstr("PNG"));
    for (const char* file : {"a.mp4", "b.mp4", "a.png"}) std::filesystem::remove(here_ / file);
  }
  ASSERT_EQ(run("rollout Pendulum-v1 --random --seed 7 --with-actions --out steps.csv").status, 0);
  ASSERT_EQ(run("render Pendulum-v1 --actions steps.csv --seed 7 --out given.png" + size).status, 0);
  ASSERT_EQ(run("render Pendulum-v1 --random --seed 7 --out drawn.png" + size).status, 0);
  ASSERT_EQ(run("render Pendulum-v1 --random --seed 8 --out other.png" + size).status, 0);
  EXPECT_NE(content(here_ / "drawn.png"), content(here_ / "other.png"));

  ASSERT_EQ(run("render PointReach-v0 --random --episodes 2 --relabeled 20 --out goals.png" + size).status, 0);
  EXPECT_THAT(content(here_ / "goals.png"), HasSubstr("PNG"));

  expect_refusal("render Pendulum-v1 --random --relabeled 20 --out c.png", "Pendulum-v1 has none");
  expect_refusal("render PointReach-v0 --random --relabeled 20 --out c.mp4", "expected a file .png");
  expect_refusal("render BitFlip-v0 --random --out a.gif", "expected .mp4 for a video or .png");
  expect_refusal("render BitFlip-v0 --random --out no/a.mp4", "there is no directory no");
  expect_refusal("render BitFlip-v0 --out c.mp4", "expected --random, --scripted or --actions");
  expect_refusal("render BitFlp-v0 --random --out c.mp4", "did you mean BitFlip-v0?");
  expect_refusal("render no/run --out c.mp4", "no/run is not a run directory");
  expect_refusal("render r --random --out c.mp4", "acts by its policy");
  expect_refusal("render r --step 3 --out c.mp4", "expected a file .png");
  expect_refusal("render r --size 64 --out c.mp4", "expected WIDTHxHEIGHT");
  expect_refusal("render r --camera below --out c.mp4", "--camera");
  EXPECT_FALSE(std::filesystem::exists(here_ / "c.mp4"));
}

TEST_F(Program, KeepsTheVideoSoFarWhenInterrupted) {
  const std::string command = "cd '" + here_.path().string() +
                              "' && exec '" GOALPOST_PROGRAM
                              "' render Pendulum-v1 --random --episodes 10000 --size 64x48 --out a.mp4 2> err";
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  for (int i = 0; i < 3000 && !std::filesystem::exists(here_ / "a.mp4.tmp"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_FALSE(std::filesystem::exists(here_ / "a.mp4.tmp"));
  EXPECT_THAT(content(here_ / "a.mp4"), HasSubstr("moov"));  // its table of contents, which is written last
}

TEST_F(Program, RecordsFurtherVideosWhenItIsResumed) {
  const std::string training =
      "train pendulum_sac --set env.task.max_steps=5 --set train.learning_starts=100 --set train.eval_every=100 "
      "--set train.eval_episodes=2 --set train.final_eval_episodes=2 --set train.updates_per_step=0 --quiet ";
  const auto videos = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(here_ / "r/videos"))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  };
  const Outcome o = run(training + "--steps 300 --video-every 200 --out r");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(videos(), testing::ElementsAre("step_0.mp4", "step_200.mp4"));
  std::filesystem::remove(here_ / "r/videos/step_0.mp4");
  ASSERT_EQ(run("train --quiet --resume r --set train.total_steps=500").status, 0);
  EXPECT_THAT(videos(), testing::ElementsAre("step_200.mp4", "step_400.mp4"));
}

TEST_F(Program, SaysWhichLibraryRenderingNeeds) {
  ASSERT_EQ(::setenv("GOALPOST_OSMESA", "libNowhere.so", 1), 0);
  const char* sentence =
      "rendering needs the graphics library libNowhere.so, which cannot be loaded; on Debian "
      "`apt-get install libosmesa6` installs it";
  expect_refusal("render BitFlip-v0 --random --out a.mp4", sentence);
  expect_refusal("train bit_flip_her --video-every 1000", sentence);
  EXPECT_EQ(run("rollout BitFlip-v0 --random --out steps.csv").status, 0);
  ASSERT_EQ(::unsetenv("GOALPOST_OSMESA"), 0);
  ASSERT_EQ(::setenv("GOALPOST_GRAPHICS", "vulkan", 1), 0);
  expect_refusal("render BitFlip-v0 --random --out a.mp4", "GOALPOST_GRAPHICS = \"vulkan\"; expected osmesa or egl");
  ASSERT_EQ(::unsetenv("GOALPOST_GRAPHICS"), 0);
}

TEST_F(Program, DrawsTheSameByEglAsByOsMesa) {
  for (const char* library : {"osmesa", "egl"}) {
    ASSERT_EQ(::setenv("GOALPOST_GRAPHICS", library, 1), 0);
    const Outcome o = run(std::string("render FetchReach-v4 --random --seed 7 --size 96x64 --out ") + library + ".png");
    ASSERT_EQ(::unsetenv("GOALPOST_GRAPHICS"), 0);
    if (o.status == 2 && o.err.find("cannot be loaded; on Debian") != o.err.npos) GTEST_SKIP() << o.err;
    ASSERT_EQ(o.status, 0) << library << ": " << o.err;
  }
  EXPECT_GT(std::filesystem::file_size(here_ / "egl.png"), 500u);
  EXPECT_TRUE(content(here_ / "egl.png") == content(here_ / "osmesa.png"));
}

// A program that was moved or copied works on the files around it, not on those of the tree that it was built in.
class MovedProgram : public Program {
 protected:
  const std::filesystem::path top_ = here_ / "moved", program_ = top_ / "build" / "goalpost";
  void SetUp() override {
    std::filesystem::create_directories(top_ / "build");
    std::filesystem::copy_file(GOALPOST_PROGRAM, program_);
  }
  // A data directory with one experiment, under another name.
  void lay_data(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory / "src/experiments/figures");
    std::filesystem::copy_file(GOALPOST_SOURCE "/src/experiments/bit_flip_her.toml",
                               directory / "src/experiments/moved_bits.toml");
    std::filesystem::create_directories(directory / "envs");
    std::filesystem::copy(GOALPOST_SOURCE "/envs/assets", directory / "envs/assets",
                          std::filesystem::copy_options::recursive);
  }
  Outcome run_moved(const std::string& arguments, const std::string& environment = "") {
    const std::string command = "cd '" + here_.path().string() + "' && env -u GOALPOST_DATA " + environment + " '" +
                                program_.string() + "' " + arguments + " > out 2> err";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(here_ / "out"), content(here_ / "err")};
  }
};

TEST_F(MovedProgram, UsesTheFilesOfTheTreeAboveIt) {
  lay_data(top_);
  const Outcome o = run_moved("list experiments");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(std::count(o.out.begin(), o.out.end(), '\n'), 1) << o.out;
  EXPECT_THAT(o.out, HasSubstr("moved_bits"));
  EXPECT_EQ(run_moved("list figures").out, "");
  std::filesystem::remove(top_ / "envs/assets/fetch/reach.xml");
  EXPECT_THAT(run_moved("rollout FetchReach-v4 --random --out a.csv").err,
              HasSubstr((top_ / "envs/assets/fetch/reach.xml").string()));
}

TEST_F(MovedProgram, UsesTheFilesOfAnInstallation) {
  lay_data(top_ / "share/goalpost");
  EXPECT_THAT(run_moved("list experiments").out, HasSubstr("moved_bits"));
}

TEST_F(MovedProgram, UsesTheFilesThatTheEnvironmentNames) {
  const Outcome o = run_moved("list experiments", "GOALPOST_DATA='" GOALPOST_SOURCE "'");
  EXPECT_THAT(o.out, HasSubstr("bit_flip_her")) << o.err;
  const Outcome wrong = run_moved("list experiments", "GOALPOST_DATA=nowhere");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("GOALPOST_DATA is nowhere, which does not hold src/experiments"));
}

TEST_F(MovedProgram, SaysWhereItSearchedForItsFiles) {
  const Outcome o = run_moved("describe bit_flip_her");
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, testing::AllOf(HasSubstr(program_.parent_path().string()), HasSubstr("set GOALPOST_DATA")));
}

TEST_F(MovedProgram, RecordsOnlyInASourceTree) {
  lay_data(top_ / "share/goalpost");
  for (const char* command : {"report . --record", "reproduce bit-flip --record"}) {
    const Outcome o = run_moved(command, "timeout 60");
    EXPECT_EQ(o.status, 2) << command;
    EXPECT_THAT(o.err, HasSubstr("results are recorded in a source tree of goalpost, but")) << command;
  }
}

TEST_F(Program, ReplacesNoFileThatIsThere) {
  const std::string rollout = "rollout BitFlip-v0 --random --set env.bits=4 ";
  ASSERT_EQ(run(rollout + "--record e.h5 --out e.csv").status, 0);
  const std::string episodes = content(here_ / "e.h5"), rows = content(here_ / "e.csv");
  const std::string there = ": the file already exists; expected a new name";
  expect_refusal(rollout + "--record e.h5 --out f.csv", "e.h5" + there);
  expect_refusal(rollout + "--record f.h5 --out e.csv", "e.csv" + there);
  expect_refusal("dataset filter e.h5 --out e.h5", "e.h5" + there);
  expect_refusal("dataset export e.h5 --format d4rl --out e.csv", "e.csv" + there);
  set_content(here_ / "a.png", "mine");
  expect_refusal("render BitFlip-v0 --random --out a.png", "a.png" + there);
  expect_refusal(rollout + "--record no/f.h5", "no/f.h5: there is no directory no");
  for (const char* file : {"f.h5", "./f.h5"})
    expect_refusal(rollout + "--record f.h5 --out " + file, "--out and --record are both ");
  EXPECT_EQ(content(here_ / "e.h5"), episodes);
  EXPECT_EQ(content(here_ / "e.csv"), rows);
  EXPECT_EQ(content(here_ / "a.png"), "mine");
  for (const char* file : {"f.h5", "f.csv"}) EXPECT_FALSE(std::filesystem::exists(here_ / file)) << file;
}

TEST_F(Program, RefusesAnEmptyValue) {
  for (const char* option : {"--steps", "--seed", "--threads", "--out", "--set"})
    for (const char* form : {" ''", "="})
      expect_refusal(std::string("train bit_flip_her ") + option + form,
                     std::string(option) + " is empty; expected a value");
  expect_refusal("rollout BitFlip-v0 --random --record ''", "--record is empty; expected a value");
  expect_refusal("evaluate r --env ''", "--env is empty; expected a value");
  expect_refusal("reproduce bit-flip --out ''", "--out is empty; expected a value");
  expect_refusal("train ''", "word 2 of the command is empty");
}

TEST_F(Program, RefusesNumbersThatAreNone) {
  for (const char* value : {"nan", "inf", "1e999", "x"}) {
    for (const char* option : {"--azimuth", "--elevation", "--distance"})
      expect_refusal(std::string("render BitFlip-v0 --random --out a.png ") + option + " " + value,
                     std::string(value) + "; expected a ");
    for (const char* option : {"--min-return", "--max-return"})
      expect_refusal(std::string("dataset filter e.h5 --out f.h5 ") + option + " " + value,
                     std::string(value) + "; expected a finite number");
  }
  expect_refusal("dataset filter e.h5 --out f.h5 --first -1", "-1; expected an integer 1 to 1000000000");
}

TEST_F(Program, TellsFaultsOfTheMachineFromThoseOfTheRequest) {
  ASSERT_EQ(run("rollout BitFlip-v0 --random --episodes 40 --set env.bits=4 --record e.h5 --out e.csv").status, 0);
  for (const char* command : {"filter e.h5 --out f.h5", "export e.h5 --format d4rl --out f.h5"}) {
    const Outcome o = run_on_full_disk(4, std::string("dataset ") + command);
    EXPECT_EQ(o.status, 1) << o.err;
    EXPECT_THAT(o.err, HasSubstr("File too large")) << command;
    EXPECT_FALSE(std::filesystem::exists(here_ / "f.h5"));
  }
  expect_refusal("dataset filter e.h5 --out no/f.h5", "no/f.h5: there is no directory no");
  expect_refusal("reproduce bit-flip --out e.csv", "--out e.csv: this is a file; expected a directory");
  expect_refusal("report . --out e.csv", "--out e.csv: this is a file; expected a directory");
  expect_refusal("evaluate e.h5", "kind = \"goalpost episodes\"; expected \"goalpost policy\"");
}

TEST_F(Program, ChecksThatPoliciesAreOfAnEnvironment) {
  ASSERT_EQ(run(std::string(kTiny) + "--steps 640 --out r").status, 0);
  for (const char* path : {"r", "r/policy.h5", "r/checkpoint.h5"}) {
    const std::string check = std::string("dataset check ") + path + " --env ";
    EXPECT_EQ(run(check + "BitFlip-v0 --set env.bits=4").status, 0) << path;
    expect_refusal(check + "BitFlip-v0 --set env.bits=5", "it is of another task: env.bits is 4 there, but 5 here");
    expect_refusal(check + "PointReach-v0", "the environment is BitFlip-v0 there, but PointReach-v0 here");
  }
}

TEST_F(Program, ARunThatGoesOnEndsNoEarlierThanItIs) {
  const std::string training = std::string(kTiny) + "--out r --set train.checkpoint_every=100 --steps ";
  ASSERT_EQ(run(training + "640").status, 0);
  std::filesystem::remove(here_ / "r/result.json");  // as if it had been interrupted
  const std::string config = content(here_ / "r/config.toml");
  expect_refusal("train --resume r --steps 100", "train.total_steps = 100, but r has done 640 steps");
  expect_refusal("train --resume r --set train.total_episodes=1", "train.total_episodes = 1, but r has done");
  EXPECT_EQ(content(here_ / "r/config.toml"), config);
  EXPECT_FALSE(std::filesystem::exists(here_ / "r/result.json"));
  EXPECT_EQ(run("train --resume r --quiet").status, 0);
}

TEST_F(Program, QuietRunsSayWhyTheyFailed) {
  const Outcome o = run_on_full_disk(4, std::string(kTiny) + "--steps 64 --seeds 2 --jobs 1 --quiet --out r");
  EXPECT_EQ(o.status, 1) << o.err;
  EXPECT_THAT(o.err, testing::AllOf(HasSubstr("failed: "), HasSubstr("2 of 2 runs failed")));
}

TEST_F(Program, NamesTheOptionThatWasTyped) {
  expect_refusal("train bit_flip_her --steps -5 --out r", "(--steps -5)");
  expect_refusal("train bit_flip_her --seed -1 --out r", "(--seed -1)");
  expect_refusal("train bit_flip_her --threads x --out r", "(--threads x)");
  expect_refusal("train bit_flip_her --set train.threads=x --out r", "(--set train.threads=x)");
  expect_refusal("train bit_flip_her --resume r", "--resume r goes on with the experiment that is there");
}

TEST_F(Program, SuggestsSettingsOfTheSameKind) {
  expect_refusal("train pendulum_td3 --set gama=0.98", "did you mean gamma?");
  expect_refusal("train pendulum_td3 --set agent.sac.pi_adam.lr=1e-3", "did you mean agent.td3.pi_adam.lr?");
  const Outcome o = run("train pendulum_td3 --set env.goal=3");
  EXPECT_EQ(o.status, 2);
  EXPECT_EQ(o.err.find("goal_selection_strategy"), o.err.npos) << o.err;
  set_content(here_ / "e.toml", "extends = \"pendulum_td3\"\nname = \"\"\n");
  expect_refusal("train e.toml", "name is empty; expected a name");
}

TEST_F(Program, TasksWithoutGoalsHaveNoSuccess) {
  ASSERT_EQ(run("evaluate Pendulum-v1 --random --episodes 2 --json").status, 0);
  EXPECT_THAT(content(here_ / "out"), HasSubstr("\"success\":null"));
  ASSERT_EQ(run("rollout Pendulum-v1 --random --episodes 2 --record e.h5").status, 0);
  EXPECT_EQ(run("dataset info e.h5").out.find("success"), std::string::npos);
}

TEST_F(Program, TellsRunsOfOtherDatasetsApart) {
  const std::string rollout = "rollout BitFlip-v0 --random --episodes 20 --set env.bits=4 ";
  ASSERT_EQ(run(rollout + "--seed 1 --record e.h5 --out e.csv").status, 0);
  ASSERT_EQ(run(rollout + "--seed 2 --record f.h5 --out f.csv").status, 0);
  const std::string training = std::string(kTiny) +
                               "--steps 640 --set train.learning_starts=0 --set agent.replay.dataset=e.h5 --set "
                               "train.checkpoint_replay=false --out ";
  ASSERT_EQ(run(training + "a").status, 0);
  ASSERT_EQ(run(training + "same").status, 0);
  std::filesystem::rename(here_ / "f.h5", here_ / "e.h5");
  ASSERT_EQ(run(training + "b").status, 0);
  const auto identity = [&](const char* name) { return read_result(here_ / name)->identity; };
  EXPECT_EQ(identity("a"), identity("same"));
  EXPECT_NE(identity("a"), identity("b"));
  EXPECT_THAT(content(here_ / "a/config.toml"), HasSubstr("inputs = \"agent.replay.dataset "));
  // A run that is reused began with the dataset as it is now, unless the dataset is gone.
  const std::string reuse = training + "many --seed 1-2 --jobs 1";
  ASSERT_EQ(run(reuse).status, 0);
  EXPECT_THAT(run(reuse).err, HasSubstr("2 runs, 2 already finished"));
  std::filesystem::rename(here_ / "e.h5", here_ / "f.h5");
  EXPECT_THAT(run(reuse).err, testing::AllOf(HasSubstr("e.h5"), HasSubstr("2 runs, 2 already finished")));
  ASSERT_EQ(::mkfifo((here_ / "e.h5").c_str(), 0666), 0);
  EXPECT_THAT(run(reuse).err, testing::AllOf(HasSubstr("e.h5"), HasSubstr("2 runs, 2 already finished")));
  std::filesystem::remove(here_ / "e.h5");
  ASSERT_EQ(run(rollout + "--seed 3 --record e.h5 --out g.csv").status, 0);
  expect_refusal(reuse, "it began with agent.replay.dataset ");
  std::filesystem::rename(here_ / "f.h5", here_ / "e.h5");
  // The memory that a checkpoint lacks would be filled from another dataset.
  const std::string on = "train --quiet --set train.total_steps=1280 --resume ";
  expect_refusal(on + "a", "the dataset as it is now; --any-build resumes anyway");
  EXPECT_EQ(run(on + "b").status, 0);
  EXPECT_EQ(run(on + "a --any-build").status, 0);
}

TEST_F(Program, TellsOfAReturnWhereThatIsMeasured) {
  const Outcome o = run("train pendulum_sac --steps 400 --set train.final_eval_episodes=5 --out r");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, testing::StartsWith("return -"));
  EXPECT_THAT(o.out, testing::Not(HasSubstr("success")));
}

TEST_F(Program, TellsOfWhatDiffersFromTheDefaultsOfAPair) {
  const std::string tiny =
      " --steps 400 --quiet --set train.learning_starts=300 --set train.final_eval_episodes=2 --set "
      "train.eval_episodes=2 ";
  ASSERT_EQ(run("train ddpg Pendulum-v1" + tiny + "--out r/a").status, 0);
  ASSERT_EQ(run("train ddpg Pendulum-v1" + tiny + "--set agent.batch_size=16 --out r/b").status, 0);
  const Outcome o = run("report r --out page");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("ddpg_pendulum_v1"));
  EXPECT_THAT(o.out, HasSubstr("agent.batch_size=16,"));
  EXPECT_THAT(o.out, HasSubstr("train.total_steps=400"));
  EXPECT_THAT(o.out, testing::ContainsRegex("return -[0-9.]+")) << "there is no goal to succeed at";
  EXPECT_THAT(o.out, testing::Not(HasSubstr("success")));
}

TEST_F(Program, SaysWhereADirectoryCannotBeMade) {
  set_content(here_ / "file", "");
  for (const char* command : {"reproduce bit-flip --quick --out file/f", "plan bit_flip_her --out file/f",
                              "train bit_flip_her --seed 1-2 --out file/f"})
    expect_refusal(command, "the directory file/f cannot be created: Not a directory");
}

TEST_F(Program, TakesABaselineByTheNameThatGitKnows) {
  if (std::system("git --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "git is not installed";
  const std::string git = fmt::format("cd '{}' && git -c user.name=a -c user.email=a@b ", here_.path().string());
  for (const char* command : {"init -q .", "commit -q --allow-empty -m first", "commit -q --allow-empty -m second"})
    ASSERT_EQ(std::system((git + command).c_str()), 0);
  ASSERT_EQ(std::system((git + "rev-parse --short=12 HEAD~1 >old").c_str()), 0);
  std::string old = content(here_ / "old");
  old.pop_back();
  make_run(here_ / "r/a", {}, 1, 0.5, old);
  make_run(here_ / "r/b", {}, 1, 0.75, "abc");
  const Outcome o = run("report r --baseline HEAD~1");
  EXPECT_THAT(o.out, HasSubstr("compared with the baseline HEAD~1\n"));
  EXPECT_THAT(o.out, HasSubstr("+0.250"));
  expect_refusal("report r --baseline HEAD", "--baseline HEAD: neither a directory nor a revision of the runs");
}

TEST_F(Program, ProfilesAnExperiment) {
  const std::string profile = "benchmark --profile bit_flip_her --set env.bits=8 --set train.eval_every=640 --set ";
  const Outcome o = run(profile + "train.eval_episodes=5 --evaluations 2");
  ASSERT_EQ(o.status, 0) << o.err;
  // Learning begins with the second cycle, and is in the evaluation after it; two more evaluations are 1,280 steps.
  EXPECT_THAT(o.out,
              testing::ContainsRegex("bit_flip_her: steps [0-9.,k]+ to [0-9.,k]+, [0-9.,k]+ updates, .* float32"));
  double share = 0;
  for (const char* phase :
       {"environment steps", "acting", "storing and sampling", "updates", "evaluations", "checkpoints", "rest"}) {
    const std::size_t at = o.out.find(std::string("\n") + phase + " ");
    ASSERT_NE(at, o.out.npos) << phase << "\n" << o.out;
    std::istringstream numbers(o.out.substr(at + 1 + std::string_view(phase).size()));
    double seconds = -1, percent = -1;
    numbers >> seconds >> percent;
    EXPECT_GE(seconds, 0) << phase;
    share += percent;
  }
  EXPECT_NEAR(share, 100, 1);
  EXPECT_FALSE(std::filesystem::exists(here_ / "runs")) << "the run was kept";
  expect_refusal(profile + "train.total_steps=640", "bit_flip_her ended before the second evaluation that follows");
  expect_refusal("benchmark --profile nothing", "nothing");
  EXPECT_EQ(setenv("TMPDIR", "/nowhere", 1), 0);
  expect_refusal("benchmark --profile bit_flip_her", "no directory for temporary files");
  unsetenv("TMPDIR");
  expect_refusal("benchmark --evaluations 2", "--profile");
  expect_refusal("benchmark --rounds 2", "--peers");
  expect_refusal("benchmark --peers --profile bit_flip_her", "--peers");
  expect_refusal("benchmark --peers adam", "--peers");
}

TEST_F(Program, ListsAndDescribes) {
  EXPECT_THAT(run("list").out, testing::AllOf(HasSubstr("BitFlip-v0"), HasSubstr("dqn"), HasSubstr("bit_flip_her")));
  EXPECT_THAT(run("list experiments").out, HasSubstr(" Bit flipping by DQN with hindsight: solves every n up to 50\n"));
  EXPECT_THAT(run("describe dqn").out,
              testing::AllOf(HasSubstr("dqn.gamma"), HasSubstr("[0, 1]"), HasSubstr("Mnih et al. 2015")));
  EXPECT_THAT(run("describe BitFlip-v0").out, HasSubstr("bits"));
  EXPECT_THAT(run("describe bit_flip_her --set env.bits=7").out, testing::ContainsRegex("env\\.bits +7 +"));
  set_content(here_ / "mine.toml", "title = \"Mine\"\nexperiments = [\"bit_flip_her\"]\n");
  EXPECT_THAT(run("describe mine.toml").out, HasSubstr("mine.toml: Mine"));
  EXPECT_THAT(run("describe train").out, testing::ContainsRegex("\n  total_steps +1000000 +transitions"));
  EXPECT_EQ(run("--help").status, 0);
}

}  // namespace
}  // namespace goalpost
