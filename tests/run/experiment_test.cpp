#include "run/experiment.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <utility>

#include "algos/registry.h"
#include "core/check.h"
#include "report/figure_config.h"
#include "run/pair.h"
#include "run/training_check.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

Experiment with(const std::string& name, const std::vector<std::string>& set) {
  TomlValues values = load_experiment(name);
  for (const std::string& s : set) values.set(s);
  return make_experiment(values);
}

std::string refusal(const std::vector<std::string>& set, const std::string& name = "bit_flip_her") {
  try {
    with(name, set);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "accepted";
}

Experiment from_text(const std::string& text) {
  TomlValues values = TomlValues::from_text(text, "mine.toml");
  set_all(values, {});
  return make_experiment(values);
}

std::string value_of(const Experiment& e, const std::string& path) { return e.settings().at(path); }

TEST(Aliases, OfStableBaselines3SetWhatTheyMean) {
  TomlValues values = load_experiment("fetch_reach_sac");
  set_all(values, {"n_envs=4", "train.learning_starts=1_000", "agent.buffer_size=1e5", "gradient_steps=2",
                   "learning_rate=0.01", "batch_size=64", "agent.sac.tau=0.5", "agent.gamma=0.9", "total_timesteps=2e4",
                   "eval_freq=500", "n_eval_episodes=7"});
  const Experiment e = make_experiment(values);
  EXPECT_EQ(e.train.num_envs, 4);
  EXPECT_EQ(e.train.learning_starts, 1000);
  EXPECT_EQ(e.train.updates_per_step, 0.5) << "two after a step of four environments";
  EXPECT_EQ(e.train.total_steps, 20'000);
  EXPECT_EQ(e.train.eval_every, 2000) << "500 steps of four environments";
  EXPECT_EQ(e.train.eval_episodes, 7);
  EXPECT_EQ(value_of(e, "agent.replay.buffer_size"), "100000");
  EXPECT_EQ(value_of(e, "agent.batch_size"), "64");
  for (const char* path : {"agent.sac.pi_adam.lr", "agent.sac.q_adam.lr", "agent.sac.alpha_adam.lr"})
    EXPECT_EQ(value_of(e, path), "0.01") << path;
  EXPECT_EQ(value_of(e, "agent.sac.tau"), "0.5");
  EXPECT_EQ(value_of(e, "agent.sac.gamma"), "0.9");
  TomlValues other = load_experiment("fetch_reach_sac");
  set_all(other, {"gradient_steps=-1"});
  EXPECT_EQ(make_experiment(other).train.updates_per_step, 1);
}

TEST(Aliases, OfHerAndExplorationAndOfTheOptimizerInUse) {
  TomlValues values = load_experiment("bit_flip_her");
  set_all(values, {"n_sampled_goal=8", "goal_selection_strategy=final", "exploration_final_eps=0.05",
                   "exploration_initial_eps=0.5", "learning_rate=0.01"});
  const Experiment e = make_experiment(values);
  EXPECT_EQ(value_of(e, "agent.her.k"), "8");
  EXPECT_EQ(value_of(e, "agent.her.strategy"), "\"final\"");
  EXPECT_EQ(value_of(e, "agent.dqn.epsilon.to"), "0.05");
  EXPECT_EQ(value_of(e, "agent.dqn.epsilon.from"), "0.5");
  EXPECT_EQ(value_of(e, "agent.dqn.optimizer"), "\"adam\"");
  EXPECT_EQ(value_of(e, "agent.dqn.adam.lr"), "0.01");
  EXPECT_NE(value_of(e, "agent.dqn.rmsprop.lr"), "0.01") << "not in use";
  for (const char* name : {"lr", "agent.dqn.lr", "agent.learning_rate"}) {
    TomlValues other = load_experiment("bit_flip_her");
    set_all(other, {"agent.dqn.optimizer=rmsprop", fmt::format("{}=0.02", name)});
    EXPECT_EQ(value_of(make_experiment(other), "agent.dqn.rmsprop.lr"), "0.02") << name;
  }
}

TEST(Aliases, StandInFilesAndGiveWayToTheCommandLine) {
  const std::string text =
      "name = \"mine\"\nnum_envs = 2\n[env]\nname = \"Pendulum-v1\"\n[agent]\nalgorithm = \"td3\"\n"
      "learning_rate = 0.002\nbuffer_size = 5_000\n";
  const Experiment e = from_text(text);
  EXPECT_EQ(e.train.num_envs, 2);
  EXPECT_EQ(value_of(e, "agent.td3.q_adam.lr"), "0.002");
  EXPECT_EQ(value_of(e, "agent.replay.buffer_size"), "5000");
  TomlValues values = TomlValues::from_text(text, "mine.toml");
  set_all(values, {"train.num_envs=3"});
  EXPECT_EQ(make_experiment(values).train.num_envs, 3);
}

TEST(Aliases, RefuseBothNamesAndWhatTheyCannotMean) {
  const auto message = [](const std::vector<std::string>& set) -> std::string {
    try {
      TomlValues values = load_experiment("fetch_reach_sac");
      set_all(values, set);
      make_experiment(values);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message({"n_envs=4", "train.num_envs=2"}),
              HasSubstr("n_envs is another name of train.num_envs, which is set too"));
  EXPECT_THAT(message({"gradient_steps=often"}), HasSubstr("gradient_steps = "));
  EXPECT_THAT(message({"gradient_steps=-2"}), HasSubstr("gradient_steps = -2; expected an integer, at least -1"));
  EXPECT_THAT(message({"eval_freq=0"}), HasSubstr("eval_freq = 0; expected an integer, at least 1"));
  EXPECT_THAT(message({"n_envs=4", "eval_freq=9223372036854775807"}), HasSubstr("are too many"));
  EXPECT_THAT(message({"agent.n_env=4"}), HasSubstr("agent.n_env"));
  EXPECT_THAT(message({"learning_rat=1"}), HasSubstr("did you mean learning_rate?"));
}

TEST(Aliases, AreSuggestedOnlyWhereTheAlgorithmHasThem) {
  const auto message = [](const std::string& set) -> std::string {
    try {
      TomlValues values = load_experiment("hiro_ant_maze");
      set_all(values, {set});
      make_experiment(values);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message("lr=1"), HasSubstr("did you mean agent.hiro.")) << "its levels have optimizers of their own";
  EXPECT_THAT(message("agent.hiro.lr=1"), HasSubstr("did you mean agent.hiro."));
  EXPECT_THAT(message("learning_rat=1"), testing::Not(HasSubstr("did you mean learning_rate?")));
  EXPECT_THAT(message("num_env=2"), HasSubstr("did you mean num_envs?"));
}

TEST(Aliases, RefuseSettingsOfAnOptimizerThatIsNotUsed) {
  const auto message = [](const std::vector<std::string>& set) -> std::string {
    try {
      TomlValues values = load_experiment("bit_flip_her");
      set_all(values, set);
      make_experiment(values);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message({"agent.dqn.rmsprop.lr=0.1"}),
              HasSubstr("agent.dqn.rmsprop.lr has no effect, as agent.dqn.optimizer is adam; expected a setting of "
                        "agent.dqn.adam (--set"));
  EXPECT_EQ(message({"agent.dqn.optimizer=rmsprop", "agent.dqn.rmsprop.lr=0.1"}), "accepted");
  EXPECT_THAT(message({"agent.dqn.optimizer=rmsprop", "agent.dqn.adam.lr=0.1"}), HasSubstr("optimizer is rmsprop"));
}

TEST(Aliases, NameTheNearestSettingsWhereNoneIsEqual) {
  const auto message = [](const std::vector<std::string>& set, const char* name = "bit_flip_her") -> std::string {
    try {
      TomlValues values = load_experiment(name);
      set_all(values, set);
      make_experiment(values);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message({"net_arch=[64]"}, "fetch_reach_sac"),
              HasSubstr("net_arch: no setting has this name; instead set agent.sac.pi.hidden and agent.sac.q.hidden "
                        "(--set net_arch=[64])"));
  EXPECT_THAT(message({"net_arch=[64]"}),
              HasSubstr("net_arch: no setting has this name; instead set agent.dqn.q.hidden (--set"));
  EXPECT_THAT(message({"policy_kwargs.net_arch=[64]"}),
              HasSubstr("policy_kwargs.net_arch: no setting has this name; instead set agent.dqn.q.hidden ("));
  EXPECT_THAT(
      message({"policy_kwargs={net_arch=[64]}"}),
      HasSubstr(
          "policy_kwargs: no setting has this name; instead set agent.dqn.q.hidden and agent.dqn.q.activation ("));
  EXPECT_THAT(message({"exploration_fraction=0.1"}), HasSubstr("set agent.dqn.epsilon.steps, the transitions until"));
  EXPECT_THAT(message({"agent.target_update_interval=10"}), HasSubstr("set agent.dqn.target_every, which counts"));
  EXPECT_THAT(message({"ent_coef=auto"}, "fetch_reach_sac"),
              HasSubstr("set agent.sac.learn_alpha and agent.sac.initial_alpha ("));
  EXPECT_THAT(message({"ent_coef=auto"}), HasSubstr("ent_coef: no such setting"));
  EXPECT_THAT(message({"train.train_freq=1"}), HasSubstr("set train.updates_per_step and train.cycle_episodes ("));
}

TEST(Extends, TakesTheValuesOfAnotherExperimentUnderANameOfItsOwn) {
  const TemporaryDirectory here;
  const auto file = [&](const std::string& name, const std::string& text) {
    set_content(here / name, text);
    return (here / name).string();
  };
  const std::string child =
      file("child.toml", "extends = \"fetch_reach_sac\"\nname = \"child\"\n[agent.sac]\ngamma = 0.5\n");
  const std::string grandchild = file("grandchild.toml", "extends = \"child.toml\"\nname = \"grandchild\"\n");
  for (const std::string& path : {child, grandchild}) {
    const Experiment e = make_experiment(load_experiment(path)), base = with("fetch_reach_sac", {});
    std::map<std::string, std::string> settings = e.settings();
    EXPECT_EQ(settings.at("agent.sac.gamma"), "0.5");
    settings["agent.sac.gamma"] = base.settings().at("agent.sac.gamma");
    EXPECT_EQ(settings, base.settings());
  }
  EXPECT_EQ(make_experiment(load_experiment(grandchild)).name, "grandchild");
  const auto message = [](const std::string& path) -> std::string {
    try {
      load_experiment(path);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(file("a.toml", "extends = \"b.toml\"\nname = \"a\"\n")), HasSubstr("b.toml"));
  file("b.toml", "extends = \"a.toml\"\nname = \"b\"\n");
  EXPECT_THAT(message((here / "a.toml").string()), HasSubstr("a.toml extends itself"));
  EXPECT_THAT(message(file("c.toml", "extends = \"fetch_reach_sack\"\nname = \"c\"\n")),
              HasSubstr("did you mean fetch_reach_sac?"));
  EXPECT_THAT(message(file("d.toml", "extends = \"fetch_reach_sac\"\n")), HasSubstr("without a name of its own"));
}

// What the base says of itself is not true of what changes it.
TEST(Extends, LeavesOutTheBasesLabelDescriptionAndSource) {
  const TemporaryDirectory here;
  const auto extended = [&](const std::string& base, const std::string& more) {
    set_content(here / "child.toml", "extends = \"" + base + "\"\nname = \"child\"\n" + more);
    return make_experiment(load_experiment((here / "child.toml").string()));
  };
  const Experiment plain = extended("fetch_reach_sac", "");
  EXPECT_EQ(plain.label, "child");
  EXPECT_EQ(plain.description + plain.source.paper + plain.source.row + plain.source.claim, "");
  EXPECT_EQ(plain.source.expected_success, 0);
  const Experiment own = extended("fetch_reach_sac", "label = \"L\"\ndescription = \"D\"\n[source]\nrow = \"R\"\n");
  EXPECT_EQ(own.label + own.description + own.source.row, "LDR");
  EXPECT_EQ(own.source.expected_success, 0.99) << "a [source] of its own goes over the base's";
  const Experiment returns = extended("pendulum_sac", "");
  EXPECT_EQ(returns.source.claim, "");
  EXPECT_TRUE(returns.measures_return());
}

TEST(Extends, OtherAndFormerNamesGoOverTheBasesOwn) {
  const TemporaryDirectory here;
  set_content(here / "child.toml",
              "extends = \"fetch_reach_sac\"\nname = \"child\"\nn_envs = 4\ngradient_steps = 2\nlearning_rate = 0.5\n"
              "buffer_size = 5_000\n[train]\nwarmup_steps = 300\n");
  const std::map<std::string, std::string> settings =
      make_experiment(load_experiment((here / "child.toml").string())).settings();
  EXPECT_EQ(settings.at("train.num_envs"), "4");
  EXPECT_EQ(settings.at("train.updates_per_step"), "0.5");
  EXPECT_EQ(settings.at("train.learning_starts"), "300");
  EXPECT_EQ(settings.at("agent.replay.buffer_size"), "5000");
  EXPECT_EQ(settings.at("agent.sac.pi_adam.lr"), "0.5");
  EXPECT_EQ(settings.at("agent.sac.alpha_adam.lr"), "0.5");
}

TEST(Extends, ShippedExperimentsStateOnlyWhatDiffersFromTheirBase) {
  int extending = 0;
  for (const std::string& name : experiment_names()) {
    const TomlValues own = TomlValues::from_file(experiment_directory() / (name + ".toml"));
    const TomlValues::Value* extends = own.find("extends");
    if (extends == nullptr) continue;
    ++extending;
    const std::map<std::string, std::string> settings = with(name, {}).settings();
    const std::map<std::string, std::string> base = with(std::get<std::string>(extends->value), {}).settings();
    const bool other_env = settings.at("env.name") != base.at("env.name");  // which has defaults of its own
    for (const auto& [path, value] : own.all())
      if (base.contains(path) && settings.contains(path) && !(other_env && path.starts_with("env."))) {
        EXPECT_NE(settings.at(path), base.at(path)) << name << ": " << path;
      }
  }
  EXPECT_GT(extending, 0);
}

TEST(Pair, TakesAnExperimentsSettingsWhereOneHasThePairAndTheDefaultsElsewhere) {
  const auto of = [](const std::string& algorithm, const std::string& env, std::optional<bool> her = {}) {
    return make_experiment(pair_experiment(algorithm, env, her).values);
  };
  EXPECT_EQ(of("sac", "FetchReach-v4").settings(), with("fetch_reach_sac", {}).settings());
  EXPECT_EQ(of("sac", "Pendulum-v1").settings(), with("pendulum_sac", {}).settings());
  const Experiment push = of("td3", "FetchPush-v4");
  EXPECT_EQ(push.name, "td3_fetchpush_v4");
  EXPECT_EQ(push.label, "TD3+HER");
  EXPECT_EQ(value_of(push, "agent.her.strategy"), "\"future\"") << "the reward is sparse";
  EXPECT_EQ(value_of(of("td3", "FetchPush-v4", false), "agent.her.strategy"), "\"none\"");
  EXPECT_EQ(value_of(of("td3", "FetchPushDense-v4"), "agent.her.strategy"), "\"none\"");
  EXPECT_EQ(value_of(of("td3", "FetchPushDense-v4", true), "agent.her.strategy"), "\"future\"");
  EXPECT_EQ(value_of(of("sac", "AntGather-v0"), "agent.her.strategy"), "\"none\"");
  // Any continuous algorithm on any environment, and DQN where actions are discrete.
  for (const AlgorithmEntry& a : algorithms())
    for (const char* env : {"BitFlip-v0", "PointReach-v0", "Pendulum-v1", "RaceCar-v1", "FetchSlide-v4"}) {
      const bool discrete = std::string(env) == "BitFlip-v0";
      if ((a.action_kind == ActionSpace::Kind::discrete) != discrete || a.name == "hiro") continue;
      EXPECT_NO_THROW(of(a.name, env)) << a.name << " " << env;
    }
  EXPECT_THROW(pair_experiment("hiro", "FetchPush-v4", true), UsageError);
  EXPECT_THROW(pair_experiment("sac", "Pendulum-v1", true), UsageError);
  EXPECT_THROW(pair_experiment("sack", "Pendulum-v1", {}), UsageError);
  EXPECT_THROW(pair_experiment("sac", "Pendulum-v2", {}), UsageError);
}

TEST(Experiment, EveryFileIsValidAndNamedLikeItsFile) {
  ASSERT_FALSE(experiment_names().empty());
  for (const std::string& name : experiment_names()) {
    const Experiment e = make_experiment(load_experiment(name));
    EXPECT_EQ(e.name, name);
    EXPECT_FALSE(e.label.empty() || e.description.empty() || e.source.row.empty()) << name;
  }
}

TEST(Experiment, EveryFigureUsesKnownExperiments) {
  ASSERT_FALSE(figure_names().empty());
  for (const std::string& name : figure_names()) {
    const FigureConfig figure = load_figure(name);
    if (!figure.paper_limit.empty()) {
      EXPECT_EQ(figure.experiments.size(), figure.paper_limit.size()) << name;
    }
    for (const std::string& experiment : figure.experiments) {
      EXPECT_NO_THROW(with(experiment, {})) << experiment;
      for (const std::string& value : figure.values)
        EXPECT_NO_THROW(with(experiment, {figure.key + "=" + value})) << experiment << value;
    }
  }
}

TEST(Experiment, WhatIsWrittenIsTheSameExperiment) {
  Experiment e = with("bit_flip_her", {"env.bits=17", "agent.her.k=8", "seed=9"});
  Experiment back = make_experiment(TomlValues::from_text(e.to_toml(), "config.toml"));
  EXPECT_EQ(back.to_toml(), e.to_toml());
  EXPECT_EQ(back.env_factory()()->spec().obs_dim, 17);
  EXPECT_EQ(back.seed, 9);
}

TEST(Experiment, KnowsWithWhatItWasBuilt) {
  const Experiment e = with("bit_flip_her", {});
  EXPECT_FALSE(e.build.revision.empty() || e.build.revision.find('@') != std::string::npos) << e.build.revision;
  EXPECT_FALSE(e.build.cpu.empty());
  EXPECT_THAT(e.build.libraries, HasSubstr("Eigen 3."));
}

TEST(Experiment, EvaluationsMayHaveOtherSettingsThanTraining) {
  const auto goal = [](const EnvFactory& make) {
    const std::unique_ptr<Env> env = make();
    Rng rng(1);
    env->reset(rng);
    Vector obs(env->spec().obs_dim), achieved(2), desired(2);
    env->observe({obs, achieved, desired});
    return desired;
  };
  const auto ant = [&](const std::string& eval_env) {
    return "name = \"ant\"\n[env]\nname = \"AntMazeEuler-v0\"\n[train]\neval_env = " + eval_env +
           "\n[agent]\nalgorithm = \"td3\"\n";
  };
  const auto read = [&](const std::string& eval_env) {
    return make_experiment(TomlValues::from_text(ant(eval_env), "ant.toml"));
  };
  Experiment e = read("[\"env.goals=fixed\"]");
  EXPECT_EQ(goal(e.eval_env_factory()), (Vector(2) << 0, 16).finished());
  EXPECT_NE(goal(e.env_factory()), goal(e.eval_env_factory()));
  EXPECT_THAT(e.to_toml(), HasSubstr("eval_env = [\"env.goals=fixed\"]"));
  e = read("[]");
  EXPECT_EQ(goal(e.env_factory()), goal(e.eval_env_factory()));
  const auto refusal = [&](const std::string& eval_env) -> std::string {
    try {
      read(eval_env);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal("[\"env.goal=1\"]"), testing::MatchesRegex("train.eval_env: .* has no setting env.goal .*"));
  EXPECT_THAT(refusal("[\"env.goal_z=1\"]"), HasSubstr("train.eval_env: AntMazeEuler-v0: goal_z is given"));
  EXPECT_THAT(refusal("[\"agent.gamma=1\"]"), HasSubstr("train.eval_env: "));
}

TEST(Experiment, SuggestsTheNearestName) {
  EXPECT_THAT(refusal({}, "bit_flp_her"),
              HasSubstr("no experiment is called \"bit_flp_her\"; did you mean bit_flip_her?"));
  EXPECT_THAT(refusal({}, "zzz"), HasSubstr("`goalpost list experiments`"));
  EXPECT_THAT(refusal({"env.name=BitFlop-v0"}), HasSubstr("did you mean BitFlip-v0?"));
  EXPECT_THAT(refusal({"agent.algorithm=dqm"}), HasSubstr("did you mean dqn?"));
  EXPECT_THAT(refusal({"agent.her.strategy=futur"}), HasSubstr("did you mean future?"));
  EXPECT_THAT(refusal({"env.n=3"}),
              HasSubstr("no setting env.n (--set env.n=3); `goalpost describe BitFlip-v0` shows them all"));
  EXPECT_THAT(refusal({"env.bit=3"}),
              HasSubstr("BitFlip-v0 has no setting env.bit (--set env.bit=3); did you mean bits?"));
}

TEST(Experiment, RefusesZeroAndNegativeSizes) {
  for (const char* field :
       {"env.bits", "agent.batch_size", "agent.replay.buffer_size", "train.num_envs", "train.threads",
        "train.total_steps", "train.eval_every", "train.eval_episodes", "agent.her.k"}) {
    EXPECT_THAT(refusal({std::string(field) + "=0"}), HasSubstr(std::string(field) + " = 0 lies outside"));
    EXPECT_THAT(refusal({std::string(field) + "=-1"}), HasSubstr(std::string(field) + " = -1 lies outside"));
  }
  EXPECT_THAT(refusal({"agent.dqn.q.hidden=[64, 0]"}), HasSubstr("lies outside"));
}

TEST(Experiment, ChecksRelationsBetweenFields) {
  EXPECT_THAT(refusal({"agent.batch_size=5000", "agent.replay.buffer_size=4000"}),
              HasSubstr("agent.batch_size = 5000 is larger than agent.replay.buffer_size = 4000"));
  EXPECT_THAT(refusal({"agent.replay.buffer_size=500"}),
              HasSubstr("holds no whole episode of 40 steps; expected at least 2560"));
  EXPECT_THAT(refusal({"train.updates_per_step=1"}), HasSubstr("expected one of them to be 0"));
  EXPECT_THAT(refusal({"train.cycle_updates=0"}), HasSubstr("expected both to be positive, or both 0"));
  EXPECT_THAT(
      refusal({"train.cycle_episodes=0", "train.cycle_updates=0", "train.updates_per_step=1"}),
      HasSubstr("lets learning start before the first episode ends; expected at least num_envs x max_steps = 64 x 40"));
  EXPECT_THAT(refusal({"env.name=Pendulum-v1", "env.bits=3"}), HasSubstr("Pendulum-v1 has no setting env.bits"));
}

TEST(TrainingCheck, FindsNothingInShippedExperiments) {
  for (const std::string& name : experiment_names()) {
    const TrainingCheck check = check_training(with(name, {}));
    EXPECT_THAT(check.problems, testing::IsEmpty()) << name;
    EXPECT_THAT(check.warnings, testing::IsEmpty()) << name;
    EXPECT_LT(training_memory(with(name, {}), true).bytes(), 8'000'000'000u) << name;
  }
}

TEST(TrainingCheck, RefusesWhatCannotLearnWhatItIsFor) {
  const auto problems = [](const std::string& name, const std::vector<std::string>& set) {
    return testing::PrintToString(check_training(with(name, set)).problems);
  };
  // 64 lanes, 40 steps: two episodes of each are 5,120 transitions.
  EXPECT_THAT(problems("bit_flip_her", {"agent.replay.buffer_size=5119"}),
              HasSubstr("agent.replay.buffer_size = 5119 over 64 parallel environments is 79 transitions each, less "
                        "than two episodes of "
                        "40 steps: HER replays finished episodes, and the running one would overwrite the only "
                        "finished one; expected at least 5120"));
  EXPECT_EQ(problems("bit_flip_her", {"agent.replay.buffer_size=5120"}), "{}");
  EXPECT_EQ(problems("bit_flip_her", {"agent.replay.buffer_size=2560", "agent.her.strategy=none"}), "{}");

  EXPECT_THAT(problems("fetch_reach_ddpg", {"env.task.reward=reach_bonus"}),
              HasSubstr("clip_targets = true clips targets to [-1/(1 - gamma), 0] = [-50, 0], the returns of rewards "
                        "from -1 to 0, but FetchReach-v4 gives reward 1 at the goal; expected false"));
  EXPECT_THAT(problems("pendulum_td3", {"agent.td3.clip_targets=true"}),
              HasSubstr("but Pendulum-v1 has no goals and other rewards; expected false"));
  EXPECT_EQ(problems("fetch_reach_ddpg", {"env.task.reward=reach_bonus", "agent.ddpg.clip_targets=false"}), "{}");

  const std::vector<std::string> longer = {"agent.hiro.c=101", "agent.hiro.short_segments=drop"};
  EXPECT_THAT(
      problems("point_reach_hiro", {"env.task.max_steps=100", longer[0], longer[1]}),
      HasSubstr("agent.hiro.c = 101 is longer than an episode of PointReach-v0, 100 steps, and short_segments = "
                "\\\"drop\\\" leaves the high level nothing to learn from; expected a smaller c, or \\\"keep\\\""));
  EXPECT_EQ(problems("point_reach_hiro", {"env.task.max_steps=101", longer[0], longer[1]}), "{}");
  EXPECT_EQ(problems("point_reach_hiro", {"env.task.max_steps=100", longer[0]}), "{}");
  EXPECT_THAT(problems("point_reach_hiro", {"agent.hiro.high.buffer_size=20", "agent.hiro.high.batch_size=21"}),
              HasSubstr("agent.hiro.high.batch_size = 21 is larger than agent.hiro.high.buffer_size = 20"));
}

TEST(TrainingCheck, WarnsOfRunsThatLearnNothing) {
  const auto warnings = [](const std::string& name, const std::vector<std::string>& set) {
    return testing::PrintToString(check_training(with(name, set)).warnings);
  };
  EXPECT_THAT(
      warnings("fetch_reach_sac", {"train.total_steps=500"}),
      HasSubstr("train.total_steps = 500 ends the run before learning starts, after train.learning_starts = 500: "
                "nothing is learned"));
  EXPECT_EQ(warnings("fetch_reach_sac", {"train.total_steps=502", "train.stop_success=0"}), "{}");
  EXPECT_THAT(warnings("fetch_reach_sac", {"train.total_steps=501"}),
              HasSubstr("train.updates_per_step = 0.5 makes no update due in the run's 1 transitions after "
                        "train.learning_starts = 500: nothing is learned"));
  EXPECT_THAT(warnings("fetch_reach_sac", {"train.updates_per_step=0"}),
              HasSubstr("train.updates_per_step = 0 and train.cycle_episodes = 0: nothing is learned"));
  EXPECT_THAT(warnings("bit_flip_her", {"train.total_episodes=63"}),
              HasSubstr("train.total_episodes = 63 ends the run before its first cycle of train.cycle_episodes = 64"));
  EXPECT_THAT(
      warnings("bit_flip_her", {"train.total_episodes=0", "train.cycle_episodes=100000", "train.total_steps=3000"}),
      HasSubstr("train.total_steps = 3000 ends the run before its first cycle of train.cycle_episodes = 100000"));
  const std::vector<std::string> still = {"agent.sac.pi_adam.lr=0", "agent.sac.q_adam.lr=0"};
  EXPECT_THAT(warnings("fetch_reach_sac", still),
              HasSubstr("agent.sac.pi_adam.lr = 0, agent.sac.q_adam.lr = 0: nothing is learned"));
  EXPECT_EQ(warnings("fetch_reach_sac", {still[0]}), "{}");
  EXPECT_EQ(
      warnings("fetch_reach_sac", {still[0], still[1], "agent.sac.q_adam.lr_steps=9", "agent.sac.q_adam.lr_end=1"}),
      "{}");
  EXPECT_THAT(warnings("fetch_reach_sac", {"agent.sac.tau=0"}),
              HasSubstr("agent.sac.tau = 0: the target network never moves"));
  EXPECT_EQ(warnings("fetch_reach_hiro", {"agent.hiro.low.ddpg.tau=0"}), "{}") << "its learner is another";
  EXPECT_THAT(warnings("bit_flip_her", {"agent.dqn.target_every=1000000000"}),
              HasSubstr("agent.dqn.target_every = 1000000000 is more than the run's "));
  EXPECT_THAT(warnings("pendulum_td3", {"train.total_steps=320", "train.learning_starts=300",
                                        "train.updates_per_step=1", "agent.td3.policy_delay=1000"}),
              HasSubstr("agent.td3.policy_delay = 1000 is more than the run's 20 updates: the policy never moves"));
  EXPECT_THAT(warnings("fetch_reach_hiro", {"agent.hiro.high.learner=\"td3\"", "agent.hiro.high.updates=0.0001",
                                            "agent.hiro.high.td3.policy_delay=1000"}),
              HasSubstr("agent.hiro.high.td3.policy_delay = 1000 is more than the run's "));
  EXPECT_THAT(warnings("fetch_reach_sac", {"train.eval_every=20000"}),
              HasSubstr("train.stop_success = 1 asks for train.stop_evals = 2 evaluations, but with train.eval_every = "
                        "20000 there are at most 1, one of them before training: the run does not end early"));
  EXPECT_THAT(
      warnings("fetch_reach_fast", {"train.total_steps=2500", "train.stop_evals=2"}),
      HasSubstr("asks for train.stop_evals = 2 evaluations, but with train.eval_every = 2500 there are at most 1: "
                "the run does not end early"))
      << "none before training";
  EXPECT_THAT(warnings("fetch_reach_fast", {"train.total_steps=2500"}), testing::Not(HasSubstr("does not end early")));
  EXPECT_THAT(warnings("fetch_reach_hiro", {"train.total_steps=999"}),
              HasSubstr("agent.hiro.learning_starts = 1000 is more than the run's 999 environment steps"));
  EXPECT_THAT(warnings("fetch_reach_hiro", {"agent.hiro.low.updates=0", "agent.hiro.high.learns=never"}),
              HasSubstr("neither level of agent.hiro learns"));
}

TEST(TrainingMemory, CountsBuffersEnvironmentsAndRecorder) {
  const auto bytes = [](const std::vector<std::string>& set, bool resumed = false) {
    return training_memory(with("bit_flip_her", set), resumed).bytes();
  };
  const std::uint64_t usual = bytes({});
  // 40 bits: 40 + 40 observed, 1 action, 40 desired, 40 achieved, 1 reward, and the header.
  EXPECT_NEAR(static_cast<double>(bytes({"agent.replay.buffer_size=3000000"}) - usual), 2e6 * (162 * 4 + 16), 1e6);
  EXPECT_GE(bytes({"train.record=train", "train.num_envs=128", "train.eval_episodes=1"}) -
                bytes({"train.num_envs=128", "train.eval_episodes=1"}),
            128u * 40 * (40 + 2 * 40 + 5) * sizeof(float) -
                128u * 1024);  // environments are measured: some bytes more or less
  EXPECT_GE(bytes({"train.num_envs=1"}, true) - bytes({"train.num_envs=1"}), 1'000'000u * 660)
      << "the checkpoint is read";
  EXPECT_GE(bytes({"agent.dqn.q.hidden=[50000, 50000]"}), 2'500'000'000u * 5 * sizeof(float));
  // Outputs and gradients of two layers, for every transition of the batch.
  EXPECT_GE(bytes({"agent.batch_size=100000", "agent.dqn.q.hidden=[500, 500]"}) -
                bytes({"agent.batch_size=1", "agent.dqn.q.hidden=[500, 500]"}),
            99'999u * 1000 * 2 * sizeof(float));
  [[maybe_unused]] const auto of_simulators = [](const std::string& lanes) {
    return training_memory(with("fetch_reach_ddpg", {"train.num_envs=" + lanes, "agent.her.strategy=none",
                                                     "agent.replay.buffer_size=10000000"}),
                           false)
        .bytes();
  };
#ifndef __SANITIZE_ADDRESS__  // whose allocator does not count
  EXPECT_GE(of_simulators("65536") - of_simulators("1"), 65'000u * 10'000);
#endif
  const Experiment e = with("bit_flip_her", {"agent.replay.buffer_size=150000000"});
  EXPECT_NO_THROW(check_memory(e, false, {200'000'000'000, "available memory"}));
  try {
    check_memory(e, false, {16'000'000'000, "available memory"});
    FAIL() << "was accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("bit_flip_her needs 99."));
    EXPECT_THAT(error.what(), HasSubstr("(replay buffer 99.6 GB"));
    EXPECT_THAT(error.what(), HasSubstr("but only 16.0 GB are left (available memory)"));
  }
}

TEST(Experiment, RefusesAnAlgorithmForOtherActions) {
  TomlValues values = TomlValues::from_text("[env]\nname = 'Pendulum-v1'\n[agent]\nalgorithm = 'dqn'\n", "x.toml");
  try {
    make_experiment(values);
    FAIL() << "was accepted";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("needs discrete actions, but those of Pendulum-v1 are continuous (x.toml:4)"));
  }
}

TEST(Experiment, HasTheSameIdentityWhateverChangesNoResult) {
  const std::string identity = with("bit_flip_her", {}).identity();
  EXPECT_EQ(identity.size(), 16u);
  for (const char* set :
       {"train.threads=3", "train.record=all", "train.record_compressed=true", "train.checkpoint_every=320",
        "train.checkpoints_kept=7", "train.checkpoint_replay=false", "train.histograms=true", "train.video_every=5",
        "name=other", "label=other", "description=other", "source.claim=other", "source.expected_success=0.5"})
    EXPECT_EQ(with("bit_flip_her", {set}).identity(), identity) << set;
  for (const char* set :
       {"seed=2", "env.bits=9", "agent.dqn.gamma=0.9", "agent.her.k=3", "train.total_steps=5000",
        "train.eval_every=777", "train.num_envs=32", "train.precision=bfloat16", "train.final_eval_episodes=7"})
    EXPECT_NE(with("bit_flip_her", {set}).identity(), identity) << set;
}

TEST(Experiment, HasAnotherIdentityInAnotherBuild) {
  Experiment e = with("bit_flip_her", {});
  const std::string identity = e.identity();
  EXPECT_THAT(e.to_toml(), HasSubstr("identity = \"" + identity + "\""));
  for (std::string BuildInfo::*part :
       {&BuildInfo::revision, &BuildInfo::compiler, &BuildInfo::flags, &BuildInfo::instructions, &BuildInfo::cpu,
        &BuildInfo::features, &BuildInfo::kernels, &BuildInfo::libraries, &BuildInfo::resumed, &BuildInfo::inputs}) {
    const std::string before = std::exchange(e.build.*part, "other");
    EXPECT_NE(e.identity(), identity);
    e.build.*part = before;
  }
  EXPECT_EQ(e.identity(), identity);
}

TEST(BuildInfo, SaysEverythingThatBitsDependOn) {
  const BuildInfo build = BuildInfo::current();
  EXPECT_EQ(unknown_of(build), "");
  for (const char* library : {"Eigen 3.", "MuJoCo ", "Bullet ", "HDF5 1.", "glibc 2."})
    EXPECT_THAT(build.libraries, HasSubstr(library));
  EXPECT_THAT(build.compiler, testing::ContainsRegex("(g\\+\\+|clang) [0-9]+\\."));
  EXPECT_THAT(build.kernels, testing::AnyOf("AMX", "AVX-512", "AVX2", "Eigen"));
  if (build.kernels == "AVX2") {
    EXPECT_THAT(build.features, HasSubstr("AVX2"));
  }
}

TEST(BuildInfo, ComparesWhatBothFilesSay) {
  Experiment e = with("bit_flip_her", {});
  const auto recorded = [](const std::string& text) {
    return BuildInfo::recorded(TomlValues::from_text(text, "config.toml"));
  };
  EXPECT_TRUE(build_differences(recorded(e.to_toml()), BuildInfo::current()).empty());
  EXPECT_EQ(unknown_of(recorded(e.to_toml())), "");
  // A file of an earlier version: it knows revision, compiler, flags, processor and one library.
  BuildInfo old = recorded("[build]\nrevision = \"r\"\ncompiler = \"g++ 1\"\nlibraries = \"Eigen 3.4.0\"\n");
  EXPECT_EQ(unknown_of(old), "flags, instructions, cpu, features, kernels");
  BuildInfo now = old;
  now.kernels = "AVX2";
  now.libraries = "Eigen 3.4.0, MuJoCo 3.0.0";
  EXPECT_TRUE(build_differences(old, now).empty());
  now.libraries = "Eigen 3.3.9, MuJoCo 3.0.0";
  now.revision = "s";
  const std::vector<BuildDifference> found = build_differences(old, now);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].what + found[0].a + found[0].b, "revisionrs");
  EXPECT_EQ(found[1].what + found[1].a + found[1].b, "Eigen3.4.03.3.9");
  // Files that the run began with: compared where both say what they hold.
  BuildInfo one = BuildInfo::current(), other = one;
  one.inputs = "agent.replay.dataset 1";
  EXPECT_TRUE(build_differences(one, other).empty());
  other.inputs = "agent.replay.dataset 2";
  ASSERT_EQ(build_differences(one, other).size(), 1u);
  EXPECT_EQ(build_differences(one, other)[0].what, "inputs");
}

TEST(Experiment, TakesIntegersInEveryNotationAndRefusesOthers) {
  EXPECT_EQ(with("bit_flip_her", {"train.total_steps=1e6"}).train.total_steps, 1'000'000);
  EXPECT_EQ(with("bit_flip_her", {"train.total_steps=1_000_000"}).train.total_steps, 1'000'000);
  EXPECT_EQ(with("bit_flip_her", {"train.total_steps=2.5e3"}).train.total_steps, 2500);
  EXPECT_EQ(with("bit_flip_her", {"env.bits=1e1"}).env_factory()()->spec().obs_dim, 10);
  EXPECT_EQ(with("bit_flip_her", {"agent.dqn.q.hidden=[1e2, 64]"}).settings().at("agent.dqn.q.hidden"), "[100, 64]");
  EXPECT_THAT(refusal({"train.total_steps=1.5e0"}), HasSubstr("train.total_steps = 1.5; expected an integer"));
  EXPECT_THAT(refusal({"agent.dqn.q.hidden=[1.5, 64]"}), HasSubstr("expected a list of integers"));
  EXPECT_THAT(refusal({"seed=0.5"}), HasSubstr("seed = 0.5; expected an integer"));
  EXPECT_THAT(refusal({"seed=-1"}), HasSubstr("seed = -1 lies outside [0, 9000000000000000]"));
  for (const char* seed : {"9223372036854775807", "9223372036854775808", "18446744073709551617", "1e300"}) {
    const std::string sentence = refusal({"seed=" + std::string(seed)});
    EXPECT_THAT(sentence, HasSubstr("lies outside [0, 9000000000000000]")) << seed;
    EXPECT_LT(sentence.size(), 130u) << sentence;
  }
}

TEST(Experiment, RefusesANameThatLeadsOutOfTheDirectoryOfRuns) {
  for (const char* name : {"/abs", "../up", "a/../../up", ".."})
    EXPECT_THAT(refusal({"name=" + std::string(name)}),
                HasSubstr("name = \"" + std::string(name) + "\" is a path outside of the directory of the runs"));
  EXPECT_EQ(with("bit_flip_her", {"name=a..b"}).name, "a..b");
}

}  // namespace
}  // namespace goalpost
