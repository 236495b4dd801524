// Plans, and the processes that work at them, tested through the program.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "run/plan.h"
#include "storage/csv.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kTiny = std::string(kSmallRun) +
                          "--set agent.batch_size=16 --set train.learning_starts=40 --set train.eval_every=200 --set "
                          "train.cycle_episodes=0 --set train.cycle_updates=0 --set train.updates_per_step=0.25 --set "
                          "train.checkpoint_every=200 --set agent.replay.buffer_size=2000 ";

class Work : public ProgramTest {
 protected:
  void plan(const std::string& out, const std::string& arguments) {
    const Outcome o = run("plan bit_flip_her --out " + out + kTiny + arguments);
    ASSERT_EQ(o.status, 0) << o.err;
  }
  // What each run has come to, but for times.
  std::map<std::string, std::string> results(const std::string& directory) {
    std::map<std::string, std::string> all;
    const Plan plan = read_plan(here_ / directory);
    for (const PlannedRun& run : plan.runs) {
      std::string text;
      const CsvTable curve = read_csv(run.directory / "eval.csv");
      for (const std::string& name : curve.names)
        if (name != "wall_seconds")
          for (const double value : curve.column(name)) text += fmt::format("{} {}\n", name, value);
      nlohmann::json result = nlohmann::json::parse(content(run.directory / "result.json"));
      result.erase("wall_seconds");
      all[run.name()] = text + result.dump() + content(run.directory / "policy.h5");
    }
    return all;
  }
  // What is left beside the runs.
  std::vector<std::string> others(const std::string& directory) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(here_ / directory))
      if (const std::string name = entry.path().filename().string();
          name.find(".claim_") != name.npos || name.ends_with(".log") || name.ends_with(".failed"))
        names.push_back(name);
    return names;
  }
};

TEST_F(Work, APlanHoldsEveryCombinationInOrder) {
  const Outcome o = run(std::string("plan bit_flip_her --seeds 1-3 --out p") + kTiny +
                        "--steps 400 --set agent.her.strategy=future,final --set agent.dqn.q.hidden=[8],[8,8]");
  EXPECT_EQ(o.status, 2) << "steps is no option of plan";
  const Outcome made = run(std::string("plan bit_flip_her --seeds 1-3 --out p") + kTiny +
                           "--set agent.her.strategy=future,final --set agent.dqn.gamma=0.9,0.98");
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out, AllOf(HasSubstr("p: 12 runs, numbers 0 to 11\n"),
                              HasSubstr("bit_flip_her: 4 settings, 3 seeds\n"), HasSubstr("`goalpost work p`")));
  const Plan plan = read_plan(here_ / "p");
  ASSERT_EQ(plan.runs.size(), 12u);
  EXPECT_EQ(plan.runs[0].name(), "bit_flip_her agent.her.strategy=future,agent.dqn.gamma=0.9 seed 1");
  EXPECT_EQ(plan.runs[4].name(), "bit_flip_her agent.her.strategy=future,agent.dqn.gamma=0.98 seed 2");
  EXPECT_EQ(plan.runs[11].name(), "bit_flip_her agent.her.strategy=final,agent.dqn.gamma=0.98 seed 3");
  EXPECT_EQ(experiment_of(plan.runs[11]).seed, 3);
  EXPECT_EQ(experiment_of(plan.runs[11]).settings().at("agent.dqn.gamma"), "0.98");

  expect_refusal("plan bit_flip_her --out p", "p holds a plan already");
  expect_refusal("plan bitflip --out q", "no figure or experiment is called \"bitflip\"; did you mean bit-flip?");
  expect_refusal("plan bit_flip_her --out q --set env.bits=x", "env.bits");
  expect_refusal("plan bit_flip_her --out q --set env.bits=4,4", "among others that are the same");
  expect_refusal("plan bit_flip_her --out q --set seed=1,2", "--seeds says which seeds there are");
  expect_refusal("plan bit_flip_her --out q --seeds 1-", "--seeds 1-; expected how many");
  expect_refusal("plan bit_flip_her --out q --quick", "--values and --quick are for figures");
  expect_refusal("plan nothing --out q", "nothing");
  EXPECT_FALSE(std::filesystem::exists(here_ / "q"));
  expect_refusal("work q", "q is not a directory");
  expect_refusal("work p/bit_flip_her", "holds no plan.json");
  expect_refusal("work p --index 12", "--index 12; expected a number from 0 to 11");
  const std::filesystem::path setting = plan.runs[0].config_file();
  set_content(setting, content(setting) + "\n[agent.her]\n");  // as if somebody had edited it
  EXPECT_EQ(run("work p").status, 2);
}

TEST_F(Work, SaysOnceThatARunGoesOn) {
  const std::string train = std::string("train bit_flip_her --seed 1-2 --jobs 1 --out r") + kTiny + "--steps 400";
  ASSERT_EQ(run(train).status, 0);
  std::filesystem::remove(here_ / "r/seed_2/result.json");
  const Outcome o = run(train);
  EXPECT_EQ(o.status, 0) << o.err;
  const std::string sentence = "r/seed_2: unfinished; it continues";
  const std::size_t at = o.err.find(sentence);
  ASSERT_NE(at, o.err.npos) << o.err;
  EXPECT_EQ(o.err.find(sentence, at + 1), o.err.npos) << o.err;
}

TEST_F(Work, SeedsAreHowManyOrAList) {
  for (const auto& [seeds, runs] : {std::pair{"3", 3u}, {"2-3", 2u}, {"4,9", 2u}}) {
    const std::string out = fmt::format("p{}", seeds);
    plan(out, fmt::format("--seeds {}", seeds));
    const Plan plan = read_plan(here_ / out);
    ASSERT_EQ(plan.runs.size(), runs) << seeds;
    EXPECT_EQ(plan.runs.back().seed, seeds == std::string("4,9") ? 9 : 3) << seeds;
  }
  const Outcome o = run(std::string("train bit_flip_her --seeds 2 --out r") + kTiny + "--steps 400");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_TRUE(std::filesystem::exists(here_ / "r/seed_2/result.json"));
  expect_refusal("train bit_flip_her --seeds many", "--seeds many; expected how many, 1 to 1000");
}

TEST_F(Work, AChangedSettingIsNotThePlansAnyMore) {
  plan("p", "--seeds 1");
  const std::filesystem::path setting = read_plan(here_ / "p").runs[0].config_file();
  std::string text = content(setting);
  text.replace(text.find("bits = 4"), 8, "bits = 5");
  set_content(setting, text);
  expect_refusal("work p", "setting.toml has been changed since the plan was made");
}

TEST_F(Work, AFigureIsAPlan) {
  const Outcome o = run("plan bit-flip --quick --values 5,6 --seeds 1 --out p");
  ASSERT_EQ(o.status, 0) << o.err;
  const Plan plan = read_plan(here_ / "p");
  ASSERT_EQ(plan.runs.size(), 6u) << "two values of three experiments";
  EXPECT_EQ(plan.runs[0].setting, "env.bits=6") << "the longer ones first";
}

// Three processes, two of which are killed, ten times over: every run is done once, to the bits of a single process.
TEST_F(Work, ProcessesThatAreKilledLoseNothingAndDoNothingTwice) {
  plan("whole", "--seeds 1-40 --set train.total_steps=800");
  ASSERT_EQ(run("work whole --jobs 0").status, 0) << errors();
  const std::map<std::string, std::string> whole = results("whole");
  ASSERT_EQ(whole.size(), 40u);
  EXPECT_THAT(others("whole"), testing::IsEmpty());
  std::mt19937 random(1);
  const auto wait = [&](double longest) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::uniform_real_distribution(0.0, longest)(random)));
  };
  for (int round = 0; round < 10; ++round) {
    const std::string name = fmt::format("p{}", round);
    plan(name, "--seeds 1-40 --set train.total_steps=800");
    std::array<pid_t, 3> processes{};
    for (std::size_t i = 0; i < 3; ++i) {
      processes[i] = start("work " + name, fmt::format("> out{} 2>&1", i));
      wait(0.5);
    }
    for (const std::size_t i : {0u, 1u}) {
      wait(1);
      ::kill(processes[i], SIGKILL);
      wait_for(processes[i]);
    }
    ASSERT_EQ(wait_for(processes[2]), 0) << content(here_ / "out2");
    EXPECT_THAT(content(here_ / "out2"), HasSubstr("40 done, 0 failed, 0 unfinished of 40 runs"));
    EXPECT_TRUE(results(name) == whole) << "round " << round;
    EXPECT_THAT(others(name), testing::Each(testing::EndsWith(".log"))) << "logs of killed runs may stay";
    std::map<std::string, int> told;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string out = content(here_ / fmt::format("out{}", i));
      for (std::size_t at = 0; (at = out.find(": success ", at)) != out.npos; ++at)
        ++told[out.substr(out.rfind('\n', at) + 1, at - out.rfind('\n', at) - 1)];
    }
    for (const auto& [run, times] : told) EXPECT_EQ(times, 1) << run;
    EXPECT_GE(told.size(), 38u) << "a kill may come between a run's end and its line";
    std::filesystem::remove_all(here_ / name);
  }
}

TEST_F(Work, StopsAtItsLimitAndWhenAskedAndGoesOn) {
  plan("whole", "--seeds 1-2 --set train.total_steps=4000");
  ASSERT_EQ(run("work whole --jobs 2").status, 0) << errors();
  plan("p", "--seeds 1-2 --set train.total_steps=4000");
  Outcome o = run("work p --limit 0.00005");
  EXPECT_EQ(o.status, 75) << o.err;
  EXPECT_THAT(o.err, HasSubstr("unfinished of 2 runs"));
  const pid_t stopped = start("work p");
  const auto claimed = [](const std::string& name) { return name.find(".claim_") != name.npos; };
  wait_until([&] {
    const std::vector<std::string> names = others("p");
    return std::any_of(names.begin(), names.end(), claimed);
  });
  ::kill(stopped, SIGTERM);
  EXPECT_EQ(wait_for(stopped), 75) << errors();
  o = run("status p");
  EXPECT_THAT(o.out, AllOf(HasSubstr("bit_flip_her seed 1"), HasSubstr("of 2 runs")));
  ASSERT_EQ(run("work p").status, 0) << errors();
  EXPECT_TRUE(results("p") == results("whole"));
  o = run("work p --index 1");
  EXPECT_EQ(o.status, 0);
  EXPECT_THAT(o.err, HasSubstr("1 done, 0 failed, 0 unfinished of 1 run"));
}

// What a run has come to is what its checkpoint holds, which may be later than its last evaluation.
TEST_F(Work, AnInterruptedRunHasComeAsFarAsItsCheckpoint) {
  plan("p", "--seeds 1-1 --set train.total_steps=100_000_000 --set train.eval_every=100_000_000");
  const std::filesystem::path checkpoint = here_ / "p/bit_flip_her/seed_1/checkpoint.h5";
  const auto interrupt_after = [&](const auto& condition) {
    const pid_t work = start("work p");
    wait_until(condition);
    ::kill(work, SIGTERM);
    EXPECT_EQ(wait_for(work), 75) << errors();
  };
  const auto done = [&](const std::string& directory) -> std::int64_t {
    const nlohmann::json json = nlohmann::json::parse(run("status " + directory + " --json").out);
    EXPECT_EQ(json.at("runs").at(0).at("state"), "interrupted");
    return json.at("runs").at(0).at("done");
  };
  interrupt_after([&] { return std::filesystem::exists(checkpoint); });
  const std::int64_t early = done("p");
  EXPECT_GE(early, 200);
  EXPECT_EQ(read_csv(here_ / "p/bit_flip_her/seed_1/eval.csv").rows(), 1u);
  std::filesystem::copy(here_ / "p", here_ / "early", std::filesystem::copy_options::recursive);
  const auto time = std::filesystem::last_write_time(checkpoint);
  interrupt_after([&] { return std::filesystem::last_write_time(checkpoint) != time; });
  const std::int64_t late = done("p");
  EXPECT_GT(late, early);
  EXPECT_EQ(run("collect early p --out all").status, 1);  // unfinished
  EXPECT_EQ(done("all"), late) << "collect takes the copy that has come further";
}

TEST_F(Work, SaysWhoHoldsTheRest) {
  plan("p", "--seeds 1-2 --set train.total_steps=400");
  const Plan plan = read_plan(here_ / "p");
  set_content(plan.runs[0].directory.string() + ".claim_0", "node3 17 boot/1 pid:[1]\n1700000000\n");
  const Outcome o = run("work p --no-wait");
  EXPECT_EQ(o.status, 75);
  EXPECT_THAT(o.err, AllOf(HasSubstr("bit_flip_her seed 1: process 17 on node3 is training it"),
                           HasSubstr("1 done, 0 failed, 1 unfinished")));
  const nlohmann::json json = nlohmann::json::parse(run("status p --json").out);
  EXPECT_EQ(json.at("runs").at(0).at("state"), "running");
  EXPECT_EQ(json.at("runs").at(0).at("host"), "node3");
  EXPECT_EQ(json.at("runs").at(1).at("state"), "done");
  EXPECT_EQ(json.at("runs").at(1).at("done"), 400);
  EXPECT_THAT(run("status p").out, HasSubstr("1 done, 1 running of 2 runs"));
}

TEST_F(Work, AFailedRunIsMarkedAndTriedAgainWhenAsked) {
  plan("p", "--seeds 1-2 --set train.total_steps=400");
  const Plan plan = read_plan(here_ / "p");
  std::filesystem::create_directories(plan.runs[0].directory);
  set_content(plan.runs[0].directory / "notes.txt", "not a run");
  Outcome o = run("work p");
  EXPECT_EQ(o.status, 1) << o.err;
  EXPECT_THAT(o.err, AllOf(HasSubstr("bit_flip_her seed 1: failed: "), HasSubstr("1 done, 1 failed, 0 unfinished")));
  EXPECT_THAT(run("status p").out, HasSubstr("bit_flip_her seed 1: failed: "));
  EXPECT_EQ(content(plan.runs[0].directory / "notes.txt"), "not a run");
  std::filesystem::remove_all(plan.runs[0].directory);
  EXPECT_EQ(run("work p").status, 1) << "it is not tried again";
  EXPECT_EQ(run("work p --retry").status, 0) << errors();
  EXPECT_THAT(others("p"), testing::IsEmpty());
}

// On a terminal each run under way has a bar with its name, which moves between evaluations.
TEST_F(Work, ShowsABarForEveryRunUnderWay) {
  plan("p", "--seeds 1-2 --set agent.her.k=3,4 --set train.total_steps=48_000 --set train.eval_every=40_000");
  const std::string work = "'" GOALPOST_PROGRAM "' work p --jobs 2";
  const std::string command = "cd '" + here_.path().string() + "' && TERM=xterm LC_ALL=C script -qec \"stty cols 80; " +
                              work + "\" shown < /dev/null > /dev/null";
  const int status = status_of(std::system(command.c_str()));
  if (status == 127) GTEST_SKIP() << "script(1) is not installed";
  EXPECT_EQ(status, 0);
  const std::string shown = content(here_ / "shown");
  EXPECT_EQ(shown.find('\0'), shown.npos);
  for (const char* name : {"k=3 seed 1: ", "k=3 seed 2: ", "k=4 seed 1: ", "k=4 seed 2: "})
    EXPECT_THAT(shown, HasSubstr(name));
  std::set<std::string> percents;  // before the evaluation after 40,000 steps
  for (std::size_t at = 0; (at = shown.find(" seed ", at)) != shown.npos; ++at)
    if (shown.substr(at + 7, 2) == ": ") percents.insert(shown.substr(at + 9, 4));
  EXPECT_GE(percents.size(), 2u) << shown;
}

TEST_F(Work, RunsFromSeveralMachinesAreCollected) {
  plan("a", "--seeds 1-3 --set train.total_steps=400");
  std::filesystem::copy(here_ / "a", here_ / "b", std::filesystem::copy_options::recursive);
  ASSERT_EQ(run("work a --index 0").status, 0);
  ASSERT_EQ(run("work b --index 0").status, 0);
  ASSERT_EQ(run("work b --index 2").status, 0);
  Outcome o = run("collect a b --out all");
  EXPECT_EQ(o.status, 1) << "one is missing";
  EXPECT_THAT(o.out, AllOf(HasSubstr("missing: bit_flip_her seed 2: not begun"),
                           HasSubstr("all: 2 of 3 runs have finished, 2 copied")));
  ASSERT_EQ(run("work all").status, 0) << errors();
  EXPECT_EQ(run("collect all").status, 0);
  ASSERT_EQ(run("work a").status, 0);
  EXPECT_TRUE(results("a") == results("all"));
  o = run("report all");
  EXPECT_THAT(o.out, HasSubstr("bit_flip_her"));

  plan("other", "--seeds 1-3 --set train.total_steps=500");
  expect_refusal("collect a other --out x", "hold different plans: train.total_steps is 400 in a, but 500 in other");
  const Plan b = read_plan(here_ / "b");
  std::string config = content(b.runs[2].directory / "config.toml");
  config.replace(config.find("cpu = \""), 7, "cpu = \"another ");
  set_content(b.runs[2].directory / "config.toml", config);
  expect_refusal("collect a b --out y", "expected runs of one build and processor, or --mixed");
  EXPECT_FALSE(std::filesystem::exists(here_ / "y"));
  EXPECT_EQ(run("collect a b --out y --mixed").status, 0) << errors();
}

TEST_F(Work, CollectDeletesNothingAndTakesWholeRunsOnly) {
  plan("a", "--seeds 1-2 --set train.total_steps=400");
  ASSERT_EQ(run("work a").status, 0) << errors();
  const auto copy = [&](const std::string& name) {
    std::filesystem::remove_all(here_ / name);
    std::filesystem::copy(here_ / "a", here_ / name, std::filesystem::copy_options::recursive);
    return here_ / name / "bit_flip_her/seed_1";
  };
  // A user's own files where a run would be.
  std::filesystem::path place = copy("own");
  std::filesystem::remove_all(place);
  std::filesystem::create_directories(place);
  set_content(place / "notes.txt", "precious");
  expect_refusal("collect a --out own", "own/bit_flip_her/seed_1: it is no run; expected the plan's run there");
  EXPECT_EQ(content(place / "notes.txt"), "precious");
  // A run that another process has.
  place = copy("held");
  std::filesystem::remove(place / "result.json");
  set_content(place.string() + ".claim_0", "node3 17 boot/1 pid:[1]\n1700000000\n");
  Outcome o = run("collect held a --out held");
  EXPECT_EQ(o.status, 1) << o.err;
  EXPECT_THAT(o.err, HasSubstr("held/bit_flip_her/seed_1: process 17 on node3 is training it; left out"));
  EXPECT_THAT(o.out, HasSubstr("missing: bit_flip_her seed 1: running"));
  EXPECT_FALSE(std::filesystem::exists(place / "result.json"));
  // What a copy that was cut off leaves, and another run.
  for (const char* file : {"train.csv", "eval.csv", "policy.h5", "result.json"})
    for (const bool missing : {true, false}) {
      place = copy("part");
      const std::string whole = content(place / file);
      if (missing)
        std::filesystem::remove(place / file);
      else
        set_content(place / file, whole.substr(0, whole.size() / 2));
      std::filesystem::remove_all(here_ / "all");
      o = run("collect part a --out all");
      EXPECT_EQ(o.status, 0) << file << "\n" << o.err << o.out;
      const bool goes_on = missing && std::string(file) == "result.json";  // a run that has not finished
      EXPECT_EQ(o.err.find("part/bit_flip_her/seed_1: ") == o.err.npos, goes_on) << file;
      EXPECT_TRUE(results("all") == results("a")) << file;
    }
  place = copy("other");
  std::filesystem::remove_all(place);
  ASSERT_EQ(run(std::string("train bit_flip_her --quiet --steps 400 --seed 7 --out other/bit_flip_her/seed_1") + kTiny)
                .status,
            0);
  std::filesystem::remove_all(here_ / "all");
  EXPECT_THAT(run("collect other --out all").out, HasSubstr("missing: bit_flip_her seed 1: not begun"));
  o = run("status other");
  EXPECT_THAT(o.out, AllOf(HasSubstr("bit_flip_her seed 1: unreadable: seed is 7 in the existing run, but 1 in"),
                           HasSubstr("1 done, 1 unreadable of 2 runs")));
}

TEST_F(Work, OneOfTwoPlansWins) {
  for (int i = 0; i < 5; ++i) {
    std::array<pid_t, 2> processes{};
    for (std::size_t k = 0; k < 2; ++k)
      processes[k] =
          start(fmt::format("plan bit_flip_her --seeds 2 --out p --set agent.dqn.gamma=0.{}{}", k + 8, kTiny),
                fmt::format("> out{} 2>&1", k));
    const int first = wait_for(processes[0]), second = wait_for(processes[1]);
    EXPECT_EQ(std::min(first, second), 0) << content(here_ / "out0") << content(here_ / "out1");
    EXPECT_EQ(std::max(first, second), 2) << content(here_ / "out0") << content(here_ / "out1");
    EXPECT_EQ(experiment_of(read_plan(here_ / "p").runs[0]).settings().at("agent.dqn.gamma"),
              first == 0 ? "0.8" : "0.9");
    std::filesystem::remove_all(here_ / "p");
  }
}

TEST_F(Work, RefusesWhatNobodyMeans) {
  for (const auto& [arguments, sentence] : std::initializer_list<std::pair<const char*, const char*>>{
           {"--set env.bits=4,", "--set env.bits=4,: a value is empty"},
           {"--set agent.her.k=", "a value is empty"},
           {"--set agent.her.k=1 --set agent.her.k=2,3", "agent.her.k is set twice"},
           {"--seeds 1,1", "1 is there twice"},
           {"--seeds 9223372036854775807", "--seeds 9223372036854775807; expected how many"},
           {"--seeds 9223372036854775800-9223372036854775807", "expected how many"},
           {"--seeds -3", "expected how many"},
           {"--set agent.replay.dataset=nowhere.h5", "agent.replay.dataset: there is no nowhere.h5 here"}})
    expect_refusal(std::string("plan bit_flip_her --out p ") + arguments, sentence);
  plan("p", "--seeds 1-2 --set train.total_steps=400");
  const std::string file = (here_ / "p/plan.json").string(), json = content(file);
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string text = json;
    text.replace(text.find(what), what.size(), by);
    return text;
  };
  for (const auto& [text, sentence] : std::initializer_list<std::pair<std::string, const char*>>{
           {json.substr(0, json.size() / 2), "p/plan.json: not a plan"},
           {"{\"goalpost_plan\": 1, \"build\": {}, \"runs\": []}", "p/plan.json: a plan without runs"},
           {"{\"goalpost_plan\": 2}", "p/plan.json: version 2 of plans; expected 1"},
           {replaced("\"seed\": 1", "\"seed\": 1.5"), "p/plan.json: the seed 1.5"},
           {replaced("bit_flip_her/seed_1", "../seed_1"), "expected one below the plan's"},
           {replaced("bit_flip_her/seed_1", "bit_flip_her/seed_2"), "two runs in p/bit_flip_her/seed_2"}}) {
    set_content(file, text);
    expect_refusal("work p", sentence);
    expect_refusal("status p", sentence);
  }
  set_content(file, json);
  // One run's trouble is its own.
  std::filesystem::create_directories(here_ / "p/bit_flip_her/seed_1.log");
  const Outcome o = run("work p --jobs 2");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, AllOf(HasSubstr("bit_flip_her seed 1: failed: cannot write "), HasSubstr("1 done, 1 failed")));
}

TEST_F(Work, GoesOnWithRunsOfAnotherBuildIfAsked) {
  plan("p", "--seeds 1-2 --set train.total_steps=400");
  ASSERT_EQ(run("work p --index 0").status, 0) << errors();
  for (const char* name : {"p/plan.json", "p/bit_flip_her/seed_1/config.toml"}) {
    std::string text = content(here_ / name);
    const std::size_t at = text.find('"', text.find("revision") + std::string("revision\":").size()) + 1;
    set_content(here_ / name, text.replace(at, 1, "x"));
  }
  expect_refusal("work p", "expected the same, or --any-build");
  EXPECT_EQ(run("work p --any-build").status, 0) << errors();
}

TEST_F(Work, TrainsFromTheConfigurationThatItBeganWith) {
  plan("p", "--seeds 1-2 --set train.total_steps=8000");
  const pid_t work = start("work p");
  wait_until([&] { return !others("p").empty(); });
  const std::filesystem::path setting = here_ / "p/bit_flip_her/setting.toml";
  std::string text = content(setting);
  text.replace(text.find("bits = 4"), 8, "bits = 5");
  set_content(setting, text);
  EXPECT_EQ(wait_for(work), 1);
  EXPECT_THAT(errors(), HasSubstr("seed 2: failed: p/bit_flip_her/setting.toml has been changed since the work began"));
}

}  // namespace
}  // namespace goalpost
