#include "run/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/check.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/point_reach.h"
#include "envs/goal_task.h"

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

struct Harness {
  FixedAgent agent;
  VectorEnv env, eval_env;
  std::vector<TrainProgress> evaluations;
  Run run;
  Harness(int n, int lanes, bool ends) : Harness(bits(n, ends), lanes) {}
  Harness(const EnvFactory& make, int lanes)
      : env(make, lanes, Rng(1)),
        eval_env(make, 3, Rng(2)),
        run{.agent = agent,
            .env = env,
            .eval_env = eval_env,
            .rng = Rng(3),
            .on_evaluation = [this](const TrainProgress& p, const Evaluation&, const Metrics&) {
              evaluations.push_back(p);
            }} {}
};

TrainConfig config() {
  TrainConfig c;
  c.total_steps = 40;
  c.warmup_steps = 0;
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

TEST(Trainer, WarmsUpWithRandomActionsAndWithoutUpdates) {
  Harness h(4, 2, false);
  TrainConfig c = config();
  c.warmup_steps = 20;
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

TEST(Trainer, EvaluatesAtTheStartAndEveryEvalEverySteps) {
  Harness h(4, 3, false);
  TrainConfig c = config();
  c.eval_every = 10;
  train(h.run, c);
  std::vector<std::int64_t> steps;
  for (const TrainProgress& p : h.evaluations) steps.push_back(p.step);
  EXPECT_THAT(steps, ElementsAre(0, 12, 21, 30, 42));
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
    h.run.on_evaluation = [&](const TrainProgress&, const Evaluation&, const Metrics&) {
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
  h.run.on_evaluation = [&](const TrainProgress&, const Evaluation& e, const Metrics&) {
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
  h.run.on_evaluation = [&](const TrainProgress&, const Evaluation&, const Metrics& m) {
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
  h.run.on_checkpoint = [&] { steps.push_back(h.run.progress().step); };
  TrainConfig c = config();
  c.checkpoint_every = 10;
  train(h.run, c);
  EXPECT_THAT(steps, ElementsAre(12, 21, 30, 42));
}

TEST(Trainer, TellsTheMeansOverTheLastHundredEpisodes) {
  RecentEpisodes recent;
  TrainProgress p;
  for (int i = 1; i <= 130; ++i) {
    recent.add(i > 30 ? 1 : 0, 1, -i, 2 * i);
    recent.write(p);
    const int n = std::min(i, 100);
    const double mean = i - (n - 1) / 2.0;  // of the last n numbers up to i
    ASSERT_NEAR(p.reward, -mean, 1e-9) << i;
    ASSERT_NEAR(p.length, 2 * mean, 1e-9) << i;
    ASSERT_NEAR(p.success, std::max(0, std::min(i - 30, 100)) / static_cast<double>(n), 1e-9) << i;
    ASSERT_NEAR(p.success_any, 1, 1e-9) << i;
  }
}

TEST(Trainer, AnEpisodesReturnAndLengthAreItsOwn) {
  Harness h(4, 2, false);
  train(h.run, config());
  EXPECT_NEAR(h.run.progress().length, 4, 1e-9);
  EXPECT_GE(h.run.progress().reward, -4);
}

TEST(Trainer, EndsCleanlyWhenAskedTo) {
  Harness h(4, 1, false);
  h.run.stop = [&] { return h.agent.observed >= 7; };
  EXPECT_EQ(train(h.run, config()), TrainEnd::interrupted);
  EXPECT_EQ(h.run.progress().step, 7);
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
  EXPECT_EQ(e.reward, 0);
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
  EXPECT_GE(e.reward, -4);
  EXPECT_LE(e.reward, -2);  // of four steps at most two lie on the goal
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
  const GoalTaskConfig c{.offset = {0.08, 0}, .reward = TaskReward::arrival, .max_steps = 3, .waypoints = 2};
  VectorEnv env(with_goal_task(make_point_reach, c, Rng(1)), 5, Rng(1));
  const Evaluation e = evaluate(agent, env, 21, Rng(5));
  ASSERT_EQ(e.kinds.size(), 2u);
  EXPECT_EQ(e.kinds[0].name, "waypoint_1");
  EXPECT_EQ(e.kinds[0].episodes, 11);  // first and second in turn, in one lane five episodes, in the others four
  EXPECT_EQ(e.kinds[1].episodes, 10);
  EXPECT_EQ(e.kinds[0].success, 1);
  EXPECT_EQ(e.kinds[1].success, 0);
  EXPECT_NEAR(e.success, 11. / 21, 1e-12);
}

TEST(Evaluate, RepeatsItselfForOneSeed) {
  FixedAgent agent;
  VectorEnv one(bits(6), 7, Rng(1)), other(bits(6), 7, Rng(99), 2);
  const Evaluation a = evaluate(agent, one, 50, Rng(5)), b = evaluate(agent, other, 50, Rng(5));
  EXPECT_EQ(a.reward, b.reward);
  EXPECT_EQ(a.length, b.length);
}

}  // namespace
}  // namespace goalpost
