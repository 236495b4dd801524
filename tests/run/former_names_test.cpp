// Settings under the names of earlier versions, in everything that an experiment is read from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "report/figure_config.h"
#include "run/experiment.h"
#include "run/policy_file.h"
#include "storage/checkpoint.h"
#include "storage/config_text.h"
#include "storage/run_directory.h"
#include "storage/toml.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kFormer[] = R"(name = "mine"
[env]
name = "PointReach-v0"
[env.task]
reward = "arrival"
[train]
lanes = 2
warmup_steps = 300
eval_env = ["env.task.reward=own"]
[agent]
algorithm = "hiro"
[agent.hiro]
learning_starts = 400
low_relabelled = 0.25
subgoal = { dims = [0, 1], limits = [0.5, 0.5] }
[agent.hiro.low]
capacity = 5000
[agent.hiro.high]
capacity = 600
)";
constexpr char kPresent[] = R"(name = "mine"
[env]
name = "PointReach-v0"
[env.task]
reward = "reach_bonus"
[train]
num_envs = 2
learning_starts = 300
eval_env = ["env.task.reward=environment"]
[agent]
algorithm = "hiro"
[agent.hiro]
learning_starts = 400
low_relabeled = 0.25
subgoal = { dims = [0, 1], limits = [0.5, 0.5] }
[agent.hiro.low]
buffer_size = 5000
[agent.hiro.high]
buffer_size = 600
)";

Experiment of(const std::string& text) { return make_experiment(TomlValues::from_text(text, "config.toml")); }

// What is written to stderr meanwhile.
std::string told(const std::function<void()>& f) {
  testing::internal::CaptureStderr();
  f();
  return testing::internal::GetCapturedStderr();
}

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const UsageError& e) {
    return e.what();
  }
  return "accepted";
}

std::string with_former_names(std::string text) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  replace("num_envs", "lanes");
  replace("buffer_size", "capacity");
  replace("low_relabeled", "low_relabelled");
  replace("=environment", "=own");
  replace("reach_bonus", "arrival");
  return text;
}

TEST(FormerSettings, InFilesThatRunsWriteAreTheSameExperimentWithoutANote) {
  const std::string notes = told([] {
    Experiment former = of(kFormer), present = of(kPresent);
    EXPECT_EQ(former.settings(), present.settings());
    EXPECT_EQ(former.to_toml(), present.to_toml());
    EXPECT_EQ(former.identity(), present.identity());
    EXPECT_EQ(of(with_former_names(present.to_toml())).settings(), present.settings());
  });
  EXPECT_EQ(notes, "");
  EXPECT_THAT(
      of("name = 'x'\n[env]\nname = 'RaceCar-v1'\ngoals = 'centre_line'\n[agent]\nalgorithm = 'sac'\n").to_toml(),
      HasSubstr("goals = \"center_line\""));
  const Experiment flat =
      of("name = 'x'\n[env]\nname = 'BitFlip-v0'\n[agent]\nalgorithm = 'dqn'\nher.redraw_reached = 3\n"
         "replay.capacity = 70_000\n");
  EXPECT_EQ(flat.settings().at("agent.her.max_redraws"), "3");
  EXPECT_EQ(flat.settings().at("agent.replay.buffer_size"), "70000");
}

TEST(FormerSettings, OfAUserAreNoted) {
  const TemporaryDirectory here;
  const std::string file = (here / "mine.toml").string();
  set_content(file, kFormer);
  TomlValues values;
  EXPECT_THAT(told([&] { values = load_experiment(file); }),
              AllOf(HasSubstr("goalpost: train.lanes is now train.num_envs (mine.toml:7)\n"),
                    HasSubstr("env.task.reward = \"arrival\" is now \"reach_bonus\" (mine.toml:5)\n"),
                    HasSubstr("env.task.reward = \"own\" is now \"environment\" (mine.toml:9)")));
  EXPECT_EQ(make_experiment(values).settings(), of(kPresent).settings());
  EXPECT_EQ(told([&] { set_all(values, {"train.lanes=3"}); }),
            "goalpost: train.lanes is now train.num_envs (--set train.lanes=3)\n");
  EXPECT_EQ(make_experiment(values).train.num_envs, 3);
  set_content(file, std::string(kFormer) + "[build]\nrevision = \"abc\"\n");
  EXPECT_EQ(told([&] { load_experiment(file); }), "") << "written by a run";
}

TEST(FormerSettings, GoOverPresentOnesAndTheOtherWayRound) {
  const TemporaryDirectory here;
  const auto file = [&](const char* name, const std::string& text) {
    set_content(here / name, text);
    return (here / name).string();
  };
  const std::string child = file("child.toml", "extends = \"fetch_reach_sac\"\nname = \"child\"\n[train]\nlanes = 7\n");
  EXPECT_EQ(make_experiment(load_experiment(child)).train.num_envs, 7);
  const std::string grandchild =
      file("grandchild.toml", "extends = \"child.toml\"\nname = \"grandchild\"\n[train]\nnum_envs = 8\n");
  EXPECT_EQ(make_experiment(load_experiment(grandchild)).train.num_envs, 8);
  TomlValues former = TomlValues::from_text(kFormer, "mine.toml");
  set_all(former, {"train.num_envs=5"});
  EXPECT_EQ(make_experiment(former).train.num_envs, 5);
}

TEST(FormerSettings, BesideThePresentNameAreRefused) {
  const std::string both = "[train]\nlanes = 2\nnum_envs = 2\n";
  EXPECT_THAT(refusal([&] { of("name = 'x'\n[env]\nname = 'BitFlip-v0'\n[agent]\nalgorithm = 'dqn'\n" + both); }),
              HasSubstr("train.lanes is the former name of train.num_envs, which is set too"));
  const auto set = [](const std::vector<std::string>& assignments) {
    return refusal([&] {
      TomlValues values = load_experiment("fetch_reach_sac");
      set_all(values, assignments);
    });
  };
  EXPECT_THAT(set({"train.lanes=2", "train.num_envs=2"}), HasSubstr("is the former name of train.num_envs"));
  EXPECT_THAT(set({"train.lanes=2", "n_envs=2"}), HasSubstr("n_envs is another name of train.num_envs"));
}

TEST(FormerSettings, OfAnEnvironmentAloneAreNotedOnce) {
  const std::vector<std::string> former = {"env.task.reward=arrival"}, present = {"env.task.reward=reach_bonus"};
  EXPECT_EQ(told([&] { make_environment("PointReach-v0", former, 1); }),
            "goalpost: env.task.reward = \"arrival\" is now \"reach_bonus\" (--set env.task.reward=arrival)\n");
  const auto text = [](const std::vector<std::string>& set) {
    const auto settings = environment_settings("PointReach-v0", set);
    return to_toml([&](ConfigVisitor& v) { settings->visit(v); });
  };
  EXPECT_EQ(text(former), text(present));
}

TEST(FormerSettings, InAPolicyAreThoseOfItsRun) {
  const TemporaryDirectory here;
  Experiment e = of(kPresent);
  const EnvSpec spec = e.env_factory()()->spec();
  const std::unique_ptr<Agent> agent = e.make_agent(spec, 0, Rng(1));
  save_policy(here / "present.h5", e, spec, {}, *agent);
  const std::string kind = "goalpost policy";
  save_state(here / kPolicyFile, kind, [&](StateVisitor& v) { agent->visit_policy(v); },
             with_former_names(read_state_config(here / "present.h5", kind)),
             {{"about", read_state_text(here / "present.h5", kind, "about")}});
  set_content(here / kConfigFile, e.to_toml());
  EXPECT_EQ(told([&] { EXPECT_EQ(load_run(here.path()).experiment.settings(), e.settings()); }), "");
  EXPECT_THAT(told([&] { load_run(here.path(), {"env.task.reward=arrival"}); }), HasSubstr("is now \"reach_bonus\""));
}

TEST(FormerSettings, MayBeTheAxisOfAFigure) {
  const TemporaryDirectory here;
  set_content(here / "f.toml",
              "title = \"t\"\nkey = \"train.lanes\"\nvalues = [1]\nexperiments = [\"bit_flip_her\"]\n");
  FigureConfig figure;
  EXPECT_EQ(told([&] { figure = load_figure((here / "f.toml").string()); }),
            "goalpost: train.lanes is now train.num_envs (f.toml:2)\n");
  EXPECT_EQ(figure.key, "train.num_envs");
}

}  // namespace
}  // namespace goalpost
