#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "core/check.h"
#include "core/timed.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/point_reach.h"
#include "envs/goal_task.h"
#include "report/statistics.h"
#include "run/experiment.h"
#include "storage/checkpoint.h"
#include "support/callbacks.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Always takes the same action, 0 unless told, and records its calls.
class FixedAgent final : public Agent {
 public:
  void act(const ObsBatch& obs, const std::vector<std::uint8_t>&, Mode mode, MatrixRef action) override {
    acted += obs.obs.cols();
    modes.push_back(mode);
    action.setConstant(chosen);
  }
  void observe(const StepBatch& step) override { observed += step.reward.cols(); }
  bool ready() const override { return true; }
  void update(Metrics& metrics) override {
    metrics.add("updates", 1 + static_cast<double>(update_at.size()));  // the number of this one
    update_at.push_back(static_cast<int>(observed));
    if (fail_at > 0 && static_cast<int>(update_at.size()) == fail_at) throw NumericsError("dense: NaN");
  }
  void visit_policy(StateVisitor&) override {}
  void visit_state(StateVisitor&) override {}
  Index acted = 0, observed = 0;
  int fail_at = 0;
  Scalar chosen = 0;
  std::vector<int> update_at;  // transitions observed at each update
  std::vector<Mode> modes;     // of each call of act
};

// Episodes of one step that succeed with action 0 and fail with action 1.
class FirstBit final : public Env {
 public:
  FirstBit() {
    spec_.name = "FirstBit";
    spec_.obs_dim = 1;
    spec_.action.kind = ActionSpace::Kind::discrete;
    spec_.action.dim = 1;
    spec_.action.choices = 2;
    spec_.max_steps = 1;
  }
  const EnvSpec& spec() const override { return spec_; }
  void reset(Rng&) override {}
  StepResult step(ActionRef action) override { return {.reward = 0, .terminated = false, .success = action(0) == 0}; }
  void observe(ObsOut out) const override { out.obs.setZero(); }
  void visit_state(StateVisitor&) override {}

 private:
  EnvSpec spec_;
};

EnvFactory bits(int n, bool ends = true) {
  return [=] { return make_bit_flip({.bits = n, .ends_at_goal = ends}); };
}

// A corridor of 2 m, walked through at 1 m per step, in tasks of one step: chains on it succeed twice.
class Corridor final : public Env {
 public:
  const EnvSpec& spec() const override {
    static const EnvSpec spec{
        .name = "Corridor",
        .obs_dim = 1,
        .action = {.dim = 1, .choices = 0, .low = Vector::Constant(1, -1), .high = Vector::Constant(1, 1)},
        .goal = {.dim = 1, .radius = Scalar(0.5), .ends_at_goal = false, .reward = &distance},
        .max_steps = 1};
    return spec;
  }
  void reset(Rng& rng) override {
    rng.below(2);
    at_ = 0;
  }
  StepResult step(ActionRef) override {
    at_ = std::min(at_ + 1, 2.0);
    return {.reward = Scalar(at_ - 5)};
  }
  void observe(ObsOut out) const override {
    out.obs(0) = out.achieved(0) = Scalar(at_);
    out.desired(0) = 5;
  }
  void visit_state(StateVisitor& v) override { v.visit("at", at_); }

 private:
  static Scalar distance(ConstVectorRef achieved, ConstVectorRef desired, Scalar) {
    return -(achieved - desired).norm();
  }
  double at_ = 0;
};

// PointReach that breaks at the third step of every episode whose number in its lane `every` divides; 0: of none.
class Fragile final : public Env {
 public:
  explicit Fragile(int every) : world_(make_point_reach()), every_(static_cast<std::uint64_t>(every)) {}
  const EnvSpec& spec() const override { return world_->spec(); }
  void reset(Rng& rng) override {
    world_->reset(rng);
    ++episode_;
    steps_ = 0;
  }
  StepResult step(ActionRef action) override {
    if (++steps_ == 3 && every_ > 0 && episode_ % every_ == 0) throw std::runtime_error("the simulator has failed");
    return world_->step(action);
  }
  void observe(ObsOut out) const override { world_->observe(out); }
  void visit_state(StateVisitor& v) override {
    world_->visit_state(v);
    v.visit("episode", episode_);
    v.visit("steps", steps_);
  }

 private:
  std::unique_ptr<Env> world_;
  std::uint64_t every_, episode_ = 0, steps_ = 0;
};

EnvFactory fragile(int every) {
  return with_goal_task([every] { return std::make_unique<Fragile>(every); }, {.max_steps = 5}, Rng(1));
}

EnvFactory corridor(const GoalTaskConfig& c) {
  return with_goal_task([] { return std::make_unique<Corridor>(); }, c, Rng(1));
}

struct Harness {
  FixedAgent agent;
  VectorEnv env, eval_env;
  std::vector<TrainProgress> evaluations;
  FunctionCallback callback;
  Run run;
  Harness(int n, int lanes, bool ends) : Harness(bits(n, ends), lanes) {}
  Harness(const EnvFactory& make, int lanes)
      : env(make, lanes, Rng(1)),
        eval_env(make, 3, Rng(2)),
        run{.agent = agent, .env = env, .eval_env = eval_env, .rng = Rng(3), .callbacks = {&callback}} {
    callback.evaluation = [this](const TrainProgress& p, const Evaluation&, const Metrics&) {
      evaluations.push_back(p);
    };
  }
};

TrainConfig config() {
  TrainConfig c;
  c.total_steps = 40;
  c.learning_starts = 0;
  c.eval_every = 1000;
  c.eval_episodes = 3;
  return c;
}

TEST(Trainer, UpdatesPerStepMayBeAFraction) {
  Harness h(4, 2, false);
  TrainConfig c = config();
  c.updates_per_step = 0.25;  // every second step of two lanes
  EXPECT_EQ(train(h.run, c), TrainEnd::budget);
  EXPECT_EQ(h.run.progress().step, 40);
  EXPECT_EQ(h.run.progress().updates, 10);
  EXPECT_EQ(h.agent.update_at.front(), 4);
}

TEST(Trainer, DoesExactlyTheUpdatesThatItsStepsMakeDue) {
  struct Case {
    double per_step;
    std::int64_t steps, updates;
    int lanes;
  };
  for (const Case& k : {Case{0.1, 1000, 100, 1}, Case{0.3, 1000, 300, 1}, Case{0.29, 1000, 290, 1},
                        Case{0.333, 1000, 333, 1}, Case{0.7, 10'000, 7'000, 1}, Case{1.1, 1000, 1100, 4},
                        Case{0.1, 10'000, 1000, 8}, Case{0.007, 9'999, 69, 3}, Case{1. / 3, 999, 333, 1}}) {
    SCOPED_TRACE(testing::Message() << k.per_step << " over " << k.steps << " steps");
    TrainConfig c = config();
    c.total_steps = k.steps;
    c.eval_every = 1'000'000;
    c.updates_per_step = k.per_step;
    Harness whole(4, k.lanes, false);
    train(whole.run, c);
    EXPECT_EQ(whole.run.progress().updates, k.updates);
    Harness stopped(4, k.lanes, false);
    int asked = 0;
    stopped.run.stop = [&] { return ++asked % 101 == 0; };
    while (train(stopped.run, c) == TrainEnd::interrupted) {
    }
    EXPECT_EQ(stopped.run.progress().updates, k.updates);
  }
}

TEST(Trainer, GoesOnFromDueUpdatesThatWereSavedWithRoundingErrors) {
  Harness h(4, 1, false);
  h.run.state.updates_due = 0.8999999999999999;  // after nine steps, as sums of 0.1 have it
  TrainConfig c = config();
  c.total_steps = 1;
  c.updates_per_step = 0.1;
  train(h.run, c);
  EXPECT_EQ(h.run.progress().updates, 1);
  EXPECT_EQ(h.run.state.updates_due, 0);
}

TEST(Trainer, WarmsUpWithRandomActionsAndWithoutUpdates) {
  Harness h(4, 2, false);
  TrainConfig c = config();
  c.learning_starts = 20;
  train(h.run, c);
  EXPECT_EQ(h.agent.update_at.front(), 22);
  EXPECT_EQ(h.run.progress().updates, 20);
}

TEST(Trainer, CyclesCollectEpisodesAndThenUpdate) {
  Harness h(5, 2, false);  // two episodes end every 10 transitions
  TrainConfig c = config();
  c.updates_per_step = 0;
  c.cycle_episodes = 4;
  c.cycle_updates = 3;
  train(h.run, c);
  EXPECT_THAT(h.agent.update_at, ElementsAre(20, 20, 20, 40, 40, 40));
  EXPECT_EQ(h.run.progress().episodes, 8);
}

TEST(Trainer, OverlappedUpdatesSeeTheDataOfOneStepAgo) {
  Harness h(4, 2, false);
  TrainConfig c = config();
  c.updates_per_step = 1;
  c.total_steps = 8;
  c.overlap = true;
  train(h.run, c);
  EXPECT_THAT(h.agent.update_at, ElementsAre(2, 2, 4, 4, 6, 6));  // of each step but the last
  EXPECT_EQ(h.run.progress().updates, 6);
}

TEST(Trainer, EndsByEpisodesToo) {
  Harness h(5, 2, false);
  TrainConfig c = config();
  c.total_episodes = 3;
  EXPECT_EQ(train(h.run, c), TrainEnd::budget);
  EXPECT_EQ(h.run.progress().step, 20);  // the third and the fourth end together
  Harness one(5, 1, false);
  EXPECT_EQ(train(one.run, c), TrainEnd::budget);
  EXPECT_EQ(one.run.progress().step, 15);
}

TEST(Trainer, EvaluatesAtTheStartUnlessToldNotToAndEveryEvalEverySteps) {
  for (const bool at_start : {true, false}) {
    Harness h(4, 3, false);
    TrainConfig c = config();
    c.eval_every = 10;
    c.eval_at_start = at_start;
    train(h.run, c);
    std::vector<std::int64_t> steps;
    for (const TrainProgress& p : h.evaluations) steps.push_back(p.step);
    if (at_start) {
      EXPECT_THAT(steps, ElementsAre(0, 12, 21, 30, 42));
    } else {
      EXPECT_THAT(steps, ElementsAre(12, 21, 30, 42));
    }
  }
}

TEST(Trainer, StopsEarlyAfterEnoughSuccessfulEvaluations) {
  Harness h(1, 1, true);  // one bit: the only action always succeeds
  TrainConfig c = config();
  c.eval_every = 5;
  c.stop_success = 1;
  c.stop_evals = 3;
  EXPECT_EQ(train(h.run, c), TrainEnd::success);
  EXPECT_EQ(h.evaluations.size(), 3u);
  EXPECT_EQ(h.run.progress().success, 1);
}

// Each evaluation has starts and goals of its own, and a second run has the same ones.
TEST(Trainer, EvaluationsSeeOtherEpisodesEachTimeAndTheSameInEveryRun) {
  const auto goals = [] {
    Harness h(20, 1, false);
    std::vector<Matrix> seen;
    TrainConfig c = config();
    c.eval_every = 10;
    h.callback.evaluation = [&](const TrainProgress&, const Evaluation&, const Metrics&) {
      seen.push_back(h.eval_env.obs().desired);  // of the episodes after those that were counted
    };
    train(h.run, c);
    EXPECT_EQ(seen.size(), 5u);
    return seen;
  };
  const std::vector<Matrix> one = goals(), other = goals();
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i], other[i]);
    for (std::size_t k = 0; k < i; ++k) EXPECT_NE(one[i], one[k]) << "evaluations " << k << " and " << i;
  }
}

TEST(Trainer, StopsAfterSuccessfulEvaluationsInARowOnly) {
  Harness h([] { return std::make_unique<FirstBit>(); }, 1);
  std::vector<double> successes;
  h.callback.evaluation = [&](const TrainProgress&, const Evaluation& e, const Metrics&) {
    successes.push_back(e.success);
    h.agent.chosen = successes.size() == 2 || successes.size() == 5 ? 1 : 0;  // the next evaluation fails
  };
  TrainConfig c = config();
  c.total_steps = 1000;
  c.eval_every = 5;
  c.stop_success = 1;
  c.stop_evals = 3;
  EXPECT_EQ(train(h.run, c), TrainEnd::success);
  EXPECT_THAT(successes, ElementsAre(1, 1, 0, 1, 1, 0, 1, 1, 1));
}

TEST(Trainer, MetricsAreOfTheUpdatesSinceTheLastEvaluation) {
  Harness h(4, 1, false);
  std::vector<double> means;
  h.callback.evaluation = [&](const TrainProgress&, const Evaluation&, const Metrics& m) {
    means.push_back(m.mean("updates", -1));
  };
  TrainConfig c = config();
  c.eval_every = 10;
  train(h.run, c);
  EXPECT_THAT(means, ElementsAre(-1, 5.5, 15.5, 25.5, 35.5));  // of updates 1 to 10, 11 to 20, ...
}

TEST(Trainer, CyclesThatEndTogetherHaveTheirUpdatesTogether) {
  Harness h(5, 4, false);  // four episodes end every 20 transitions
  TrainConfig c = config();
  c.updates_per_step = 0;
  c.cycle_episodes = 2;
  c.cycle_updates = 3;
  train(h.run, c);
  EXPECT_THAT(h.agent.update_at, ElementsAre(20, 20, 20, 20, 20, 20, 40, 40, 40, 40, 40, 40));
}

TEST(Trainer, SavesACheckpointWheneverSoManyStepsHavePassedAndAtTheEnd) {
  Harness h(4, 3, false);
  std::vector<std::int64_t> steps;
  h.callback.checkpoint = [&](const TrainProgress&) { steps.push_back(h.run.progress().step); };
  TrainConfig c = config();
  c.checkpoint_every = 10;
  train(h.run, c);
  EXPECT_THAT(steps, ElementsAre(12, 21, 30, 42));
}

TEST(Trainer, LeavesOutCheckpointsThatTakeALargeShareOfTheTime) {
  const auto saved = [](double share, int milliseconds) {
    Harness h(4, 3, false);
    std::vector<std::int64_t> steps;
    h.callback.checkpoint = [&](const TrainProgress&) {
      steps.push_back(h.run.progress().step);
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    };
    TrainConfig c = config();
    c.checkpoint_every = 10;
    c.checkpoint_share = share;
    train(h.run, c);
    return steps;
  };
  EXPECT_THAT(saved(0.02, 210), ElementsAre(12, 42)) << "the last one is always saved";
  EXPECT_THAT(saved(1, 210), ElementsAre(12, 21, 30, 42));
  EXPECT_THAT(saved(0.001, 1), ElementsAre(12, 21, 30, 42)) << "cheap ones are saved";
}

TEST(Trainer, TellsTheMeansOverTheLastHundredEpisodes) {
  RecentEpisodes recent;
  TrainProgress p;
  for (int i = 1; i <= 130; ++i) {
    recent.add(i > 30 ? 1 : 0, 1, -i, 2 * i);
    recent.write(p);
    const int n = std::min(i, 100);
    const double mean = i - (n - 1) / 2.0;  // of the last n numbers up to i
    ASSERT_NEAR(p.mean_return, -mean, 1e-9) << i;
    ASSERT_NEAR(p.length, 2 * mean, 1e-9) << i;
    ASSERT_NEAR(p.success, std::max(0, std::min(i - 30, 100)) / static_cast<double>(n), 1e-9) << i;
    ASSERT_NEAR(p.success_any, 1, 1e-9) << i;
  }
}

TEST(Trainer, AnEpisodesReturnAndLengthAreItsOwn) {
  Harness h(4, 2, false);
  train(h.run, config());
  EXPECT_NEAR(h.run.progress().length, 4, 1e-9);
  EXPECT_GE(h.run.progress().mean_return, -4);
}

TEST(Trainer, StopsEarlyHoweverManyEpisodesAnEvaluationHas) {
  Harness h(1, 1, true);
  TrainConfig c = config();
  c.eval_every = 1;
  c.eval_episodes = 49;  // 49 * (1 / 49.) is less than 1
  c.stop_success = 1;
  EXPECT_EQ(train(h.run, c), TrainEnd::success);
}

TEST(Trainer, StopsEarlyBySuccessInWholeChains) {
  for (const int episodes : {1, 3, 49, 150}) {
    Harness h(1, 1, true);
    VectorEnv chains(corridor({.offset = {1}, .subtasks = 5}), 3, Rng(2));
    goalpost::Run run{.agent = h.agent, .env = h.env, .eval_env = chains, .rng = Rng(3)};
    TrainConfig c = config();
    c.eval_every = 1;
    c.eval_episodes = episodes;
    c.stop_success = 0.41;  // 2 of 5 succeed
    EXPECT_EQ(train(run, c), TrainEnd::budget) << episodes;
  }
}

TEST(Trainer, EndsCleanlyWhenAskedTo) {
  Harness h(4, 1, false);
  h.run.stop = [&] { return h.agent.observed >= 7; };
  EXPECT_EQ(train(h.run, config()), TrainEnd::interrupted);
  EXPECT_EQ(h.run.progress().step, 7);
}

TEST(Trainer, CutsAnEpisodeWhoseSimulationIsUnstableAndGoesOn) {
  FixedAgent agent;
  VectorEnv env(fragile(20), 2, Rng(1)), eval_env(fragile(2), 2, Rng(2));
  std::vector<std::string> told;
  std::vector<Evaluation> evaluations;
  FunctionCallback callback;
  callback.evaluation = [&](const TrainProgress&, const Evaluation& e, const Metrics&) { evaluations.push_back(e); };
  callback.unstable = [&](const std::string& sentence) { told.push_back(sentence); };
  goalpost::Run run{.agent = agent, .env = env, .eval_env = eval_env, .rng = Rng(3), .callbacks = {&callback}};
  TrainConfig c = config();
  c.total_steps = 800;
  c.eval_episodes = 4;
  EXPECT_EQ(train(run, c), TrainEnd::budget);
  EXPECT_EQ(run.progress().step, 800);
  // 400 steps of a lane: 19 episodes of five steps, one of three, and so on.
  EXPECT_EQ(run.progress().unstable_episodes, 8);
  EXPECT_EQ(run.state.recent.unstable(), 6);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0],
              testing::AllOf(HasSubstr("the simulator has failed (seed "), HasSubstr("step 3 of its episode")));
  ASSERT_EQ(evaluations.size(), 1u);
  EXPECT_EQ(evaluations[0].episodes, 4);
  EXPECT_EQ(evaluations[0].unstable, 2);
}

TEST(Trainer, EndsWhenMoreThanATenthOfTheEpisodesAreUnstable) {
  Harness h(4, 1, false);
  VectorEnv env(fragile(2), 1, Rng(1));
  int saved = 0;
  goalpost::Run run{.agent = h.agent, .env = env, .eval_env = h.eval_env, .rng = Rng(3)};
  FunctionCallback callback;
  callback.checkpoint = [&](const TrainProgress&) { ++saved; };
  run.callbacks = {&callback};
  TrainConfig c = config();
  c.total_steps = 10'000;
  c.checkpoint_every = 0;
  try {
    train(run, c);
    FAIL() << "went on";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("11 of the last 100 training episodes"),
                                         HasSubstr("the simulator has failed (seed ")));
  }
  EXPECT_EQ(run.progress().unstable_episodes, 11);
  EXPECT_EQ(saved, 1);
}

TEST(Trainer, DoesNotLearnFromUnstableSteps) {
  for (const char* algorithm : {"algorithm = \"sac\"\nher.strategy = \"future\"",
                                "algorithm = \"hiro\"\nhiro.c = 4\nhiro.learning_starts = 20\nhiro.next_subgoal = "
                                "\"decision\"\nhiro.subgoal = { dims = [0, 1], limits = [1, 1] }"}) {
    SCOPED_TRACE(algorithm);
    const Experiment e = make_experiment(
        TomlValues::from_text(std::string("name = \"test\"\n[train]\nnum_envs = 2\nlearning_starts = 200\n"
                                          "[env]\nname = \"PointReach-v0\"\n[agent]\n") +
                                  algorithm,
                              "test"));
    VectorEnv env(fragile(20), 2, Rng(1)), eval_env(fragile(0), 2, Rng(2));
    const std::unique_ptr<Agent> agent = e.make_agent(env.spec(), 2, Rng(4));
    goalpost::Run run{.agent = *agent, .env = env, .eval_env = eval_env, .rng = Rng(3)};
    TrainConfig c = config();
    c.total_steps = 400;
    c.learning_starts = 50;
    c.updates_per_step = 0.1;
    EXPECT_EQ(train(run, c), TrainEnd::budget);
    EXPECT_EQ(run.progress().unstable_episodes, 4);
    EXPECT_FALSE(agent->remembers(400));  // all of the others are there
    EXPECT_TRUE(agent->remembers(396));
  }
}

// Takes 3 ms to act, 2 ms to observe, and 1 ms to draw a batch within the 5 ms of an update.
class SlowAgent final : public Agent {
 public:
  void act(const ObsBatch&, const std::vector<std::uint8_t>&, Mode, MatrixRef action) override {
    wait(3);
    action.setZero();
  }
  void observe(const StepBatch&) override { wait(2); }
  bool ready() const override { return true; }
  void update(Metrics&) override {
    timed(sampled, [&] { wait(1); });
    wait(4);
  }
  double sample_seconds() const override { return sampled; }
  void visit_policy(StateVisitor&) override {}
  void visit_state(StateVisitor&) override {}
  static void wait(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
  double sampled = 0;
};

TEST(Trainer, TellsTheSecondsOfEachPhase) {
  for (const bool overlap : {false, true}) {
    SlowAgent agent;
    VectorEnv env(bits(4, false), 1, Rng(1)), eval_env(bits(4, false), 3, Rng(2));
    goalpost::Run run{.agent = agent, .env = env, .eval_env = eval_env, .rng = Rng(3)};
    TrainConfig c = config();
    c.total_steps = 10;
    c.overlap = overlap;
    train(run, c);
    const TrainProgress& p = run.progress();
    const PhaseSeconds& s = p.phases;
    const double updates = static_cast<double>(p.updates);
    ASSERT_GE(p.updates, 8);
    EXPECT_GE(s.act, 0.030);
    EXPECT_GE(s.sample, 0.020 + 0.001 * updates);
    EXPECT_GE(s.update, 0.004 * updates);
    EXPECT_GE(s.evaluate, 0.003 * 4) << "4 steps of an episode";
    if (overlap) {
      EXPECT_GE(s.environment, s.update) << "steps end with the updates beside them";
      EXPECT_LE(s.environment + s.act + s.evaluate, p.wall_seconds);
    } else {
      EXPECT_LE(s.environment + s.act + s.sample + s.update + s.evaluate, p.wall_seconds) << "nothing counts twice";
    }
  }
}

TEST(TrainState, ReadsCheckpointsFromBeforeUnstableEpisodesWereCounted) {
  const TemporaryDirectory dir;
  TrainState before(Rng(1), 2), now(Rng(1), 2);
  save_state(dir / "c.h5", "run", [&](StateVisitor& v) { before.visit_state(v); });
  now.progress.unstable_episodes = 7;
  now.recent.add(0, 0, 0, 1, true);
  load_state(dir / "c.h5", "run", [&](StateVisitor& v) { now.visit_state(v); });
  EXPECT_EQ(now.progress.unstable_episodes, 0);
  EXPECT_EQ(now.recent.unstable(), 0);
  now.progress.unstable_episodes = 7;
  now.recent.add(0, 0, 0, 1, true);
  save_state(dir / "c.h5", "run", [&](StateVisitor& v) { now.visit_state(v); });
  load_state(dir / "c.h5", "run", [&](StateVisitor& v) { before.visit_state(v); });
  EXPECT_EQ(before.progress.unstable_episodes, 7);
  EXPECT_EQ(before.recent.unstable(), 1);
}

TEST(Trainer, NamesStepAndUpdateOfANumericalError) {
  Harness h(4, 1, false);
  h.agent.fail_at = 6;
  try {
    train(h.run, config());
    FAIL() << "went on";
  } catch (const NumericsError& e) {
    EXPECT_THAT(e.what(), HasSubstr("update 6 at step 6: dense: NaN"));
  }
}

TEST(Evaluate, CountsExactlyTheEpisodesAskedFor) {
  FixedAgent agent;
  VectorEnv env(bits(1), 4, Rng(1));
  const Evaluation e = evaluate(agent, env, 10, Rng(5));
  EXPECT_EQ(e.episodes, 10);
  EXPECT_EQ(e.success, 1);
  EXPECT_EQ(e.success_any, 1);
  EXPECT_EQ(e.mean_return, 0);
  EXPECT_EQ(e.length, 1);
}

TEST(Evaluate, ActsWithoutExploration) {
  FixedAgent agent;
  VectorEnv env(bits(3), 2, Rng(1));
  evaluate(agent, env, 5, Rng(5));
  EXPECT_THAT(agent.modes, testing::Each(Mode::exploit));
}

TEST(Evaluate, TellsTheMeansOfWholeEpisodes) {
  FixedAgent agent;
  VectorEnv env(bits(4, false), 3, Rng(1));
  const Evaluation e = evaluate(agent, env, 9, Rng(5));
  EXPECT_EQ(e.length, 4);
  EXPECT_GE(e.mean_return, -4);
  EXPECT_LE(e.mean_return, -2);  // of four steps at most two lie on the goal
}

TEST(Evaluate, TellsSuccessAtTheEndFromSuccessAtAnyStep) {
  FixedAgent agent;  // flips bit 0 for ever: of two bits it meets a goal that differs in bit 0, and leaves it again
  VectorEnv env(bits(2, false), 5, Rng(1));
  const Evaluation e = evaluate(agent, env, 2000, Rng(5));
  EXPECT_EQ(e.length, 2);
  EXPECT_NEAR(e.success_any, 1.0 / 3, 0.05);  // one of the three goals that are not the start
  EXPECT_EQ(e.success, 0);                    // after two flips the state is the start, which is never the goal
}

TEST(Evaluate, CountsTheKindsOfEpisodesApart) {
  // An agent that stands still reaches the first way-point alone, which is where it stands.
  FixedAgent agent;
  const GoalTaskConfig c{.offset = {0.08, 0}, .reward = TaskReward::reach_bonus, .max_steps = 3, .waypoints = 2};
  VectorEnv env(with_goal_task(make_point_reach, c, Rng(1)), 5, Rng(1));
  const Evaluation e = evaluate(agent, env, 21, Rng(5));
  ASSERT_EQ(e.categories.size(), 2u);
  EXPECT_EQ(e.categories[0].name, "waypoint_1");
  EXPECT_EQ(e.categories[0].episodes, 11);  // chains of two: 11 hold at least 21 episodes
  EXPECT_EQ(e.categories[1].episodes, 11);
  EXPECT_EQ(e.categories[0].success, 1);
  EXPECT_EQ(e.categories[1].success, 0);
  EXPECT_EQ(e.success, 0.5);
}

TEST(Evaluate, OfChainsDoesNotDependOnEpisodesOrEnvironments) {
  FixedAgent agent;
  const GoalTaskConfig subtasks{.offset = {1}, .subtasks = 5}, waypoints{.offset = {5}, .waypoints = 5};
  for (const int lanes : {1, 7, 100})
    for (const int episodes : {1, 3, 49, 100, 150, 500}) {
      SCOPED_TRACE(testing::Message() << episodes << " episodes in " << lanes << " lanes");
      const int chains = (episodes + 4) / 5;
      VectorEnv fixed(corridor(subtasks), lanes, Rng(1)), broken(corridor(waypoints), lanes, Rng(1));
      const Evaluation a = evaluate(agent, fixed, episodes, Rng(5)), b = evaluate(agent, broken, episodes, Rng(5));
      EXPECT_TRUE(a.complete && b.complete);
      EXPECT_EQ(a.episodes, 5 * chains);
      EXPECT_EQ(a.success, 0.4);  // of five 1 m of a 2 m corridor
      EXPECT_EQ(b.episodes, 3 * chains);
      EXPECT_EQ(b.success, 0.4);  // the third is missed, and the chain is broken: the last two are never tried
      ASSERT_EQ(a.categories.size(), 5u);
      ASSERT_EQ(b.categories.size(), 5u);
      for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(a.categories[i].episodes, chains);
        EXPECT_EQ(a.categories[i].success, i < 2 ? 1 : 0);
        EXPECT_EQ(b.categories[i].episodes, i < 3 ? chains : 0);
      }
    }
}

TEST(Evaluate, GivesAPerfectPolicyOneForAnyNumberOfEpisodes) {
  FixedAgent agent;
  VectorEnv env(bits(1), 50, Rng(1));
  for (int n = 1; n <= 2000; ++n) {
    const Evaluation e = evaluate(agent, env, n, Rng(5));
    ASSERT_EQ(e.success, 1) << n;
    ASSERT_EQ(e.success_any, 1) << n;
    ASSERT_EQ(e.length, 1) << n;
  }
}

TEST(RecentEpisodes, GivePerfectEpisodesOneForAnyNumber) {
  RecentEpisodes recent;
  for (int n = 1; n <= 150; ++n) {
    recent.add(1, 1, 1, 1);
    TrainProgress p;
    recent.write(p);
    ASSERT_EQ(p.success, 1) << n;
    ASSERT_EQ(p.success_any, 1) << n;
    ASSERT_EQ(p.mean_return, 1) << n;
  }
}

TEST(Evaluate, GivesIntervalsOfItsMeans) {
  FixedAgent agent;
  VectorEnv env(bits(2), 10, Rng(1)), chains(corridor({.offset = {1}, .subtasks = 5}), 10, Rng(1));
  const Evaluation e = evaluate(agent, env, 200, Rng(5));
  ASSERT_EQ(e.chains.size(), 200u);
  const EvaluationIntervals i = evaluation_intervals(e);
  const Interval wilson = wilson_interval(std::llround(e.success * 200), 200);
  EXPECT_NEAR(i.success.low, wilson.low, 1e-12);
  EXPECT_NEAR(i.success.high, wilson.high, 1e-12);
  EXPECT_LT(i.reward.low, e.mean_return);
  EXPECT_GT(i.reward.high, e.mean_return);
  // Five episodes of a chain are one trial.
  const EvaluationIntervals c = evaluation_intervals(evaluate(agent, chains, 100, Rng(5)));
  EXPECT_NEAR(c.success.low, wilson_interval(8, 20).low, 1e-12);
}

TEST(Evaluate, SaysWhetherItWasStopped) {
  FixedAgent agent;
  VectorEnv env(bits(4, false), 2, Rng(1));
  int asked = 0;
  const Evaluation e = evaluate(agent, env, 8, Rng(5), [&] { return ++asked > 5; });
  EXPECT_FALSE(e.complete);
  EXPECT_EQ(e.episodes, 2);
}

TEST(Evaluate, RepeatsItselfForOneSeed) {
  FixedAgent agent;
  VectorEnv one(bits(6), 7, Rng(1)), other(bits(6), 7, Rng(99), 2);
  const Evaluation a = evaluate(agent, one, 50, Rng(5)), b = evaluate(agent, other, 50, Rng(5));
  EXPECT_EQ(a.mean_return, b.mean_return);
  EXPECT_EQ(a.length, b.length);
}

}  // namespace
}  // namespace goalpost
