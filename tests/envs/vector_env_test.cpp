#include "envs/vector_env.h"

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

#include "core/check.h"
#include "core/thread_pool.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/point_reach.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

struct ProbeConfig {
  int max_steps = 4;
  int terminates_after = 0;  // 0: never
  int bad_reward_at = 0, bad_observation_at = 0, throws_at = 0;
  int fails_after = 0;
};

// Shows what it is given: obs = (episode's random number, steps in the episode, the last action).
class Probe final : public Env {
 public:
  explicit Probe(const ProbeConfig& c) : c_(c) {
    spec_.name = "Probe";
    spec_.obs_dim = 4;
    spec_.action.dim = 2;
    spec_.action.low = matrix({{-2}, {0}}).col(0);
    spec_.action.high = matrix({{2}, {10}}).col(0);
    spec_.max_steps = c.max_steps;
  }
  const EnvSpec& spec() const override { return spec_; }
  void reset(Rng& rng) override {
    id_ = rng.uniform();
    steps_ = 0;
    action_.setZero();
    ++episodes_of_world_;
  }
  void reset_world(Rng& rng) override {
    episodes_of_world_ = 0;
    reset(rng);
  }
  int episodes_of_world() const { return episodes_of_world_; }
  StepResult step(ActionRef action) override {
    action_ = action.cast<Scalar>();
    if (c_.throws_at > 0 && steps_ + 1 == Scalar(c_.throws_at)) throw NumericsError("the world has ended");
    ++steps_;
    const bool bad = steps_ == Scalar(c_.bad_reward_at);
    return {.reward = bad ? std::numeric_limits<Scalar>::quiet_NaN() : steps_,
            .terminated = steps_ == Scalar(c_.terminates_after),
            .success = steps_ == 2,
            .failed = steps_ == Scalar(c_.fails_after)};
  }
  void observe(ObsOut out) const override {
    out.obs << id_, steps_, action_;
    if (c_.bad_observation_at > 0 && steps_ == Scalar(c_.bad_observation_at))
      out.obs(2) = std::numeric_limits<Scalar>::infinity();
  }
  void visit_state(StateVisitor& v) override {
    Matrix state(4, 1);
    state << id_, steps_, action_;
    v.visit("state", state);
    id_ = state(0);
    steps_ = state(1);
    action_ = state.col(0).tail(2);
  }
  std::vector<std::string> coordinate_names() const override { return {"steps"}; }
  void get_coordinates(std::span<double> out) const override { out[0] = double(steps_); }
  void set_coordinates(std::span<const double> values) override { steps_ = Scalar(values[0]); }

 private:
  ProbeConfig c_;
  EnvSpec spec_;
  Scalar id_ = 0, steps_ = 0;
  Vector action_ = Vector::Zero(2);
  int episodes_of_world_ = 0;
};

EnvFactory probe(const ProbeConfig& c) {
  return [c] { return std::make_unique<Probe>(c); };
}

TEST(VectorEnv, TheTimeLimitTruncatesAndDoesNotTerminate) {
  VectorEnv env(probe({.max_steps = 4}), 2, Rng(1));
  const Matrix action = Matrix::Zero(2, 2);
  for (int t = 1; t <= 8; ++t) {
    const StepBatch& step = env.step(action);
    for (std::size_t lane = 0; lane < 2; ++lane) {
      EXPECT_EQ(step.terminated[lane], 0);
      EXPECT_EQ(step.truncated[lane], t % 4 == 0) << "step " << t;
      EXPECT_EQ(step.ended(lane), t % 4 == 0);
      EXPECT_EQ(env.first()[lane], t % 4 == 0);
      EXPECT_EQ(step.success[lane], t % 4 == 2);
    }
  }
}

TEST(VectorEnv, AnEndAtTheTimeLimitIsTheTasksOwn) {
  VectorEnv env(probe({.max_steps = 4, .terminates_after = 4}), 1, Rng(1));
  for (int t = 0; t < 3; ++t) EXPECT_FALSE(env.step(Matrix::Zero(2, 1)).ended(0));
  const StepBatch& step = env.step(Matrix::Zero(2, 1));
  EXPECT_EQ(step.terminated[0], 1);
  EXPECT_EQ(step.truncated[0], 0);
}

TEST(VectorEnv, TellsFailures) {
  VectorEnv env(probe({.max_steps = 9, .terminates_after = 3, .fails_after = 3}), 2, Rng(1));
  for (int t = 1; t <= 6; ++t) EXPECT_THAT(env.step(Matrix::Zero(2, 2)).failed, ::testing::Each(t % 3 == 0)) << t;
}

TEST(VectorEnv, EpisodesGoOnInTheSameWorldAndAResetBeginsANewOne) {
  const Probe* world = nullptr;
  VectorEnv env(
      [&] {
        auto made = std::make_unique<Probe>(ProbeConfig{.max_steps = 2});
        world = made.get();
        return made;
      },
      1, Rng(1));
  EXPECT_EQ(world->episodes_of_world(), 1);
  for (int t = 0; t < 4; ++t) env.step(Matrix::Zero(2, 1));
  EXPECT_EQ(world->episodes_of_world(), 3);
  env.reset();
  EXPECT_EQ(world->episodes_of_world(), 1);
}

TEST(VectorEnv, AfterIsTheTrueSuccessorAndObsTheNextEpisodesFirst) {
  for (const ProbeConfig c : {ProbeConfig{.max_steps = 3}, ProbeConfig{.max_steps = 9, .terminates_after = 3}}) {
    VectorEnv env(probe(c), 1, Rng(1));
    const Scalar first_id = env.obs().obs(0, 0);
    EXPECT_EQ(env.obs().obs(1, 0), 0);
    EXPECT_EQ(env.first()[0], 1);
    env.step(Matrix::Zero(2, 1));
    EXPECT_EQ(env.obs().obs(1, 0), 1);
    EXPECT_EQ(env.first()[0], 0);
    env.step(Matrix::Zero(2, 1));
    const StepBatch& last = env.step(Matrix::Zero(2, 1));
    EXPECT_EQ(last.before.obs(1, 0), 2);
    EXPECT_EQ(last.after.obs(1, 0), 3);
    EXPECT_EQ(last.after.obs(0, 0), first_id);
    EXPECT_EQ(env.obs().obs(1, 0), 0);
    EXPECT_NE(env.obs().obs(0, 0), first_id) << "a new episode draws again";
    EXPECT_EQ(env.first()[0], 1);
    const Scalar second_id = env.obs().obs(0, 0);
    EXPECT_EQ(env.step(Matrix::Zero(2, 1)).before.obs(0, 0), second_id);
  }
}

TEST(VectorEnv, ScalesActionsToTheEnvironmentsUnitAndCutsThem) {
  VectorEnv env(probe({.max_steps = 100}), 4, Rng(1));
  // ranges [-2, 2] and [0, 10]; the last lane lies outside of [-1, 1]
  const StepBatch& step = env.step(matrix({{-1, 0, 0.5, 7}, {-1, 0, 1, -3}}));
  EXPECT_EQ(step.action, matrix({{-1, 0, 0.5, 1}, {-1, 0, 1, -1}})) << "what is stored is cut as well";
  EXPECT_EQ(Matrix(step.after.obs.bottomRows(2)), matrix({{-2, 0, 1, 2}, {0, 5, 10, 0}}));
}

TEST(VectorEnv, LanesDifferAndDoNotDependOnTheThreads) {
  std::vector<std::uint64_t> hashes;
  for (const int threads : {1, 2, 4}) {
    VectorEnv env([] { return make_bit_flip({.bits = 6}); }, 5, Rng(3), threads);
    EXPECT_NE(env.obs().obs.col(0), env.obs().obs.col(1));
    Rng rng(4);
    Matrix action(1, 5);
    Scalar total = 0;
    for (int t = 0; t < 100; ++t) {
      for (Index i = 0; i < 5; ++i) action(0, i) = Scalar(rng.below(6));
      total += env.step(action).reward.sum();
    }
    EXPECT_GT(total, -500) << "no lane ever reaches its goal";
    hashes.push_back(state_hash(env));
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_EQ(hashes[0], hashes[2]);
}

TEST(VectorEnv, ALaneDoesNotDependOnTheNumberOfLanes) {
  VectorEnv few([] { return make_point_reach(); }, 2, Rng(5)), many([] { return make_point_reach(); }, 6, Rng(5));
  const Matrix action = random_matrix(2, 6, 1);
  for (int t = 0; t < 250; ++t) {
    few.step(action.leftCols(2));
    many.step(action);
    ASSERT_TRUE(same_bits(few.obs().obs, many.obs().obs.leftCols(2))) << "step " << t;
  }
}

TEST(VectorEnv, ResetBeginsNewEpisodesAndANewGeneratorRepeatsThem) {
  VectorEnv env(probe({}), 3, Rng(6));
  const Matrix first = env.obs().obs;
  env.step(Matrix::Zero(2, 3));
  env.reset();
  EXPECT_NE(env.obs().obs(0, 0), first(0, 0));
  EXPECT_EQ(env.obs().obs(1, 0), 0);
  EXPECT_THAT(env.first(), ::testing::Each(1));
  env.reset(Rng(6));
  EXPECT_TRUE(same_bits(env.obs().obs, first));
}

TEST(VectorEnv, RestoresWithinAnEpisode) {
  VectorEnv a(probe({}), 3, Rng(7)), b(probe({}), 3, Rng(8));
  const Matrix action = random_matrix(2, 3, 1);
  for (int t = 0; t < 6; ++t) a.step(action);
  restore(b, snapshot(a));
  EXPECT_TRUE(same_bits(a.obs().obs, b.obs().obs));
  EXPECT_EQ(a.first(), b.first());
  for (int t = 0; t < 9; ++t) {
    const StepBatch &x = a.step(action), &y = b.step(action);
    ASSERT_EQ(x.truncated, y.truncated) << "the time within the episode is part of the state";
    ASSERT_TRUE(same_bits(a.obs().obs, b.obs().obs));
  }
}

TEST(VectorEnv, ANonFiniteRewardNamesSeedLaneAndStep) {
  for (const int threads : {1, 2}) {
    VectorEnv env(probe({.max_steps = 9, .bad_reward_at = 3}), 2, Rng(77), threads);
    env.step(Matrix::Zero(2, 2));
    env.step(Matrix::Zero(2, 2));
    EXPECT_THROW_MESSAGE(env.step(Matrix::Zero(2, 2)), NumericsError,
                         "Probe: the reward is not finite (seed 77, env 0, step 3 of its episode)");
  }
}

TEST(VectorEnv, ANonFiniteObservationNamesSeedLaneAndStep) {
  VectorEnv env(probe({.max_steps = 9, .bad_observation_at = 2}), 1, Rng(78));
  env.step(Matrix::Zero(2, 1));
  EXPECT_THROW_MESSAGE(env.step(Matrix::Zero(2, 1)), NumericsError,
                       "Probe: the observation is not finite (seed 78, env 0, step 2 of its episode)");
}

TEST(VectorEnv, AnErrorOfTheWorldNamesSeedLaneAndStep) {
  VectorEnv env(probe({.max_steps = 9, .throws_at = 2}), 2, Rng(79), 2);
  env.step(Matrix::Zero(2, 2));
  EXPECT_THROW_MESSAGE(env.step(Matrix::Zero(2, 2)), NumericsError,
                       "the world has ended (seed 79, env 0, step 2 of its episode)");
}

TEST(VectorEnv, CutsUnstableEpisodesWhenAskedTo) {
  for (const ProbeConfig c :
       {ProbeConfig{.max_steps = 9, .bad_reward_at = 3}, ProbeConfig{.max_steps = 9, .throws_at = 3},
        ProbeConfig{.max_steps = 9, .bad_observation_at = 3}}) {
    VectorEnv env(probe(c), 2, Rng(77)), ordinary(probe({.max_steps = 2}), 2, Rng(77));
    env.cut_unstable_episodes();
    const Matrix action = Matrix::Zero(2, 2);
    for (int episode = 0; episode < 3; ++episode) {
      for (int t = 0; t < 2; ++t) EXPECT_FALSE(env.step(action).is_unstable(0));
      const StepBatch& step = env.step(action);
      for (std::size_t lane = 0; lane < 2; ++lane) {
        EXPECT_TRUE(step.is_unstable(lane));
        EXPECT_EQ(step.truncated[lane], 1);
        EXPECT_EQ(step.terminated[lane] + step.success[lane] + step.failed[lane], 0);
        EXPECT_EQ(env.chain_ended()[lane], 1);
        EXPECT_THAT(env.instability(lane), ::testing::HasSubstr("step 3 of its episode)"));
      }
      EXPECT_EQ(step.reward.sum(), 0);
      EXPECT_TRUE(same_bits(step.after.obs, step.before.obs));
      EXPECT_THAT(env.first(), ::testing::Each(1));
      // The next episode is the lane's next, of its own stream.
      for (int t = 0; t < 2; ++t) ordinary.step(action);
      EXPECT_TRUE(same_bits(env.obs().obs.topRows(2), ordinary.obs().obs.topRows(2)));
    }
  }
}

TEST(VectorEnv, DoesSomethingElseMeanwhile) {
  for (const int threads : {1, 2, 5}) {
    VectorEnv env(probe({.max_steps = 4}), 3, Rng(1), threads), plain(probe({.max_steps = 4}), 3, Rng(1));
    const Matrix action = Matrix::Constant(2, 3, Scalar(0.5));
    for (int t = 1; t <= 6; ++t) {
      int calls = 0;
      const Matrix after = env.step(action, [&] { ++calls; }).after.obs;
      EXPECT_EQ(calls, 1);
      EXPECT_TRUE(same_bits(after, plain.step(action).after.obs));
      EXPECT_TRUE(same_bits(env.obs().obs, plain.obs().obs));
    }
    EXPECT_THROW_MESSAGE(env.step(action, [] { throw NumericsError("the learner has failed"); }), NumericsError,
                         "the learner has failed");
  }
}

TEST(VectorEnv, WhatIsDoneBesideAStepHasTheComputeThreads) {
  VectorEnv env(probe({}), 3, Rng(1), 2);
  set_compute_threads(2);
  std::atomic<int> here = 0;
  bool alone = false;
  env.step(Matrix::Zero(2, 3), [&] {
    run_parts(2, [&](int i) {  // both parts wait for each other
      ++here;
      const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (here < 2 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
      if (i == 0 && here < 2) alone = true;
    });
  });
  set_compute_threads(1);
  EXPECT_FALSE(alone);
}

TEST(VectorEnv, TakesActionsInTheEnvironmentsUnitWithoutRounding) {
  VectorEnv env(probe({}), 1, Rng(1));
  const StepBatch& step = env.step_in_unit(Eigen::Vector2d(-1, 1.0 / 3));
  EXPECT_EQ(env.action_in_unit()(1, 0), 1.0 / 3);
  expect_close(step.action, matrix({{-0.5}, {-1 + 2 / 30.0}}), 1e-6);
}

TEST(VectorEnv, KeepsTheWorldsCoordinatesOfBeforeARestart) {
  VectorEnv env(probe({.max_steps = 3}), 2, Rng(1));
  env.keep_coordinates();
  env.set_coordinates(1, std::vector<double>{7});
  EXPECT_EQ(env.obs().obs(1, 0), 0);
  EXPECT_EQ(env.obs().obs(1, 1), 7);
  for (int t = 1; t <= 4; ++t) {
    env.step(Matrix::Zero(2, 2));
    EXPECT_EQ(env.coordinates()(0, 0), (t - 1) % 3 + 1);
    EXPECT_EQ(env.coordinates()(0, 1), t <= 3 ? 7 + t : 1);
  }
  EXPECT_THROW_MESSAGE(env.set_coordinates(0, std::vector<double>{1, 2}), std::invalid_argument,
                       "VectorEnv::set_coordinates: 2 values; expected 1");
}

TEST(VectorEnv, RefusesWrongShapesAndIndices) {
  VectorEnv env(probe({}), 3, Rng(1));
  EXPECT_THROW_MESSAGE(env.step(Matrix::Zero(3, 2)), std::invalid_argument,
                       "VectorEnv::step: action is 3x2; expected 2x3");
  Matrix action = Matrix::Zero(2, 3);
  action(1, 2) = std::numeric_limits<Scalar>::quiet_NaN();
  EXPECT_THROW_MESSAGE(env.step(action), std::invalid_argument, "VectorEnv::step: the action of env 2 is not finite");

  VectorEnv bits([] { return make_bit_flip({.bits = 4}); }, 2, Rng(1));
  EXPECT_THROW_MESSAGE(bits.step(matrix({{0, 4}})), std::invalid_argument,
                       "VectorEnv::step: action of env 1 is 4; expected an integer in [0, 3]");
  EXPECT_THROW_MESSAGE(bits.step(matrix({{-1, 0}})), std::invalid_argument, "action of env 0 is -1");
  EXPECT_THROW_MESSAGE(bits.step(matrix({{0, 1.5}})), std::invalid_argument, "action of env 1 is 1.5");
  EXPECT_THROW_MESSAGE(bits.step(Matrix::Constant(1, 2, std::numeric_limits<Scalar>::quiet_NaN())),
                       std::invalid_argument, "action of env 0 is nan");
}

TEST(VectorEnv, RefusesNumbersThatAreNotPositive) {
  EXPECT_THROW_MESSAGE(VectorEnv(probe({}), 0, Rng(1)), std::invalid_argument,
                       "VectorEnv: lanes = 0; expected a positive number");
  EXPECT_THROW_MESSAGE(VectorEnv(probe({}), 1, Rng(1), 0), std::invalid_argument,
                       "VectorEnv: threads = 0; expected a positive number");
  EXPECT_THROW_MESSAGE(VectorEnv(probe({.max_steps = 0}), 1, Rng(1)), std::invalid_argument,
                       "Probe: max_steps = 0; expected a positive number");
}

}  // namespace
}  // namespace goalpost::test
