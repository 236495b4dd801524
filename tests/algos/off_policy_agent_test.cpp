#include "algos/off_policy_agent.h"

#include <cmath>
#include <cstdlib>

#include "algos/noise.h"
#include "algos/registry.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "support/matrices.h"
#include "support/script.h"
#include "support/settings.h"

namespace goalpost::test {
namespace {

constexpr Scalar kGamma = Scalar(0.9);

// Remembers what it is given.
class Witness final : public Learner {
 public:
  explicit Witness(std::vector<Matrix>* seen) : seen_(seen) {}
  Scalar gamma() const override { return kGamma; }
  void act(ConstMatrixRef s, Mode, Rng&, MatrixRef a) override {
    seen_->push_back(s);
    a.setZero();
  }
  void update(const Batch& batch, Rng&, Metrics&) override {
    seen_->push_back(batch.s);
    seen_->push_back(batch.s2);
  }
  void visit_policy(StateVisitor&) override {}
  void visit_state(StateVisitor&) override {}

 private:
  std::vector<Matrix>* seen_;
};

TEST(OffPolicyAgent, ShowsTheLearnerObservationsWithTheGoalBelow) {
  std::vector<Matrix> seen;
  VectorEnv env([] { return make_bit_flip({.bits = 5}); }, 2, Rng(1));
  const auto agent = make_off_policy_agent(std::make_unique<Witness>(&seen), env.spec(),
                                           {.batch_size = 3, .replay = {.buffer_size = 100}}, 2, Rng(1));
  Matrix action(1, 2), expected(10, 2);
  expected << env.obs().obs, env.obs().desired;
  agent->act(env.obs(), env.first(), Mode::explore, action);
  EXPECT_EQ(seen.at(0), expected);
}

// A step ends the task if the task's end and the time limit coincide, and does not if the time limit alone truncates.
TEST(OffPolicyAgent, TheTasksEndCountsAndTheTimeLimitDoesNot) {
  for (const bool terminated : {false, true})
    for (const bool truncated : {false, true}) {
      VectorEnv env([] { return make_bit_flip({.bits = 5}); }, 1, Rng(1));
      StepBatch step = env.step(Matrix::Zero(1, 1));
      step.terminated[0] = terminated;
      step.truncated[0] = truncated;
      ReplayBuffer buffer(env.spec(), {.buffer_size = 100}, 1);
      buffer.add(step);
      Batch batch(env.spec(), 1, kGamma);
      Rng rng(1);
      UniformSampler(buffer).sample(rng, batch);
      EXPECT_EQ(batch.discount(0, 0), terminated ? 0 : kGamma);
    }
}

TEST(OffPolicyAgent, NormalizesWithTheStatesThatWereActedIn) {
  std::vector<Matrix> seen;
  VectorEnv env([] { return make_pendulum(); }, 3, Rng(1));
  const auto agent = make_off_policy_agent(
      std::make_unique<Witness>(&seen), env.spec(),
      {.batch_size = 3, .replay = {.buffer_size = 3000}, .normalizer = {.enabled = true}}, 3, Rng(1));
  Normalizer reference(3, {.enabled = true});
  Matrix action = Matrix::Zero(1, 3);
  for (int t = 0; t < 10; ++t) {
    const StepBatch& step = env.step(action);
    agent->observe(step);
    reference.observe(step.before.obs);
  }
  Matrix expected = env.obs().obs;
  reference.apply(expected);
  agent->act(env.obs(), env.first(), Mode::exploit, action);
  EXPECT_TRUE(same_bits(seen.at(0), expected));
  Metrics metrics;
  agent->update(metrics);
  for (const Matrix& m : {seen.at(1), seen.at(2)}) EXPECT_LE(m.cwiseAbs().maxCoeff(), 5);
}

// Steps of one environment without its bookkeeping: state t is observed and achieved as (0, e, t) in episode e, and the
// goal pursued is always the same.
class FixedGoal {
 public:
  explicit FixedGoal(int length) : length_(length) {
    step_ = Script(spec, 1).next();
    for (ObsBatch* obs : {&step_.before, &step_.after}) obs->desired << Scalar(0), Scalar(-40), Scalar(-30);
  }
  const StepBatch& next() {
    const auto [e, t] = std::div(taken_++, length_);
    step_.before.obs << Scalar(0), Scalar(e), Scalar(t);
    step_.after.obs << Scalar(0), Scalar(e), Scalar(t + 1);
    step_.before.achieved = step_.before.obs;
    step_.after.achieved = step_.after.obs;
    step_.terminated[0] = 0;
    step_.truncated[0] = t + 1 == length_;
    return step_;
  }
  std::unique_ptr<Agent> agent(std::vector<Matrix>& seen, const HerConfig& her) const {
    return make_off_policy_agent(
        std::make_unique<Witness>(&seen), spec,
        {.batch_size = 5'000, .replay = {.buffer_size = 10'000}, .her = her, .normalizer = {.enabled = true}}, 1,
        Rng(1));
  }
  EnvSpec spec = script_spec(1'000);

 private:
  int length_, taken_ = 0;
  StepBatch step_;
};

TEST(OffPolicyAgent, NormalizesWithTheGoalsThatHerReplays) {
  std::vector<Matrix> seen;
  FixedGoal task(10);
  const auto agent = task.agent(seen, {.strategy = HerStrategy::future});
  for (int t = 0; t < 1'000; ++t) agent->observe(task.next());
  Metrics metrics;
  agent->update(metrics);
  const Matrix goals = seen.at(0).bottomRows(2);  // normalized, 5,000 of them; the first of three numbers is constant
  for (Index i = 0; i < 2; ++i) {
    const double n = 5'000, mean = static_cast<double>(goals.row(i).mean());
    EXPECT_NEAR(mean, 0, 0.1) << "goal number " << i;  // 5 deviations of the difference of two samples
    EXPECT_NEAR(std::sqrt(static_cast<double>(goals.row(i).squaredNorm()) / n), 1, 0.1) << "goal number " << i;
  }
  EXPECT_LT(goals.cwiseAbs().maxCoeff(), 5) << "a goal number is clipped";
}

// By hand: episodes of 3 steps with HER's final goal, so that [s; g] is (0, 0, t, 0, 0, 3) for t = 0, 1, 2, and
// (0, 1, t, 0, 1, 3) in the second episode.
TEST(OffPolicyAgent, TakesStatisticsOfAnEpisodeWithHerGoalsWhenItEnds) {
  const auto shown = [](Agent& agent, std::vector<Matrix>& seen) {
    Matrix action(1, 1);
    const ObsBatch obs = {matrix({{0}, {1}, {3}}), Matrix::Zero(3, 1), matrix({{0}, {1}, {3.04}})};
    agent.act(obs, {0}, Mode::exploit, action);
    return seen.back();
  };
  for (const bool offline : {false, true}) {
    std::vector<Matrix> seen;
    FixedGoal task(3);
    const auto agent = task.agent(seen, {.strategy = HerStrategy::final, .k = 1'000});  // one in 1,001 stays as it was
    const auto take = [&](int steps) {
      for (int t = 0; t < steps; ++t)
        offline ? agent->add_offline_transition(task.next(), 0) : agent->observe(task.next());
    };
    take(2);
    EXPECT_EQ(shown(*agent, seen), matrix({{0}, {1}, {3}, {0}, {1}, {3.04}})) << "nothing has ended";
    take(1);  // t: mean 1, variance 2/3; the other numbers are constant: deviation 0.01, and 1 is clipped
    expect_close(shown(*agent, seen), matrix({{0}, {5}, {2 / std::sqrt(2.0 / 3)}, {0}, {5}, {4}}), 1e-5);
    take(2);
    expect_close(shown(*agent, seen), matrix({{0}, {5}, {2 / std::sqrt(2.0 / 3)}, {0}, {5}, {4}}), 1e-5);
    take(1);  // e and the goal's e: mean 1/2, deviation 1/2
    expect_close(shown(*agent, seen), matrix({{0}, {1}, {2 / std::sqrt(2.0 / 3)}, {0}, {1}, {4}}), 1e-5);
  }
}

TEST(OffPolicyAgent, TakesStatisticsOfEpisodesOfAnyLength) {
  for (const int length : {1, 255, 256, 257, 700}) {
    std::vector<Matrix> seen;
    FixedGoal task(length);
    const auto agent = task.agent(seen, {.strategy = HerStrategy::episode, .k = 4});
    for (int t = 0; t < length; ++t) agent->observe(task.next());
    Normalizer reference(3, {.enabled = true});
    for (int t = 0; t < length; ++t) reference.observe(matrix({{0}, {0}, {double(t)}}));
    Matrix expected = matrix({{0}, {0}, {7}}), action(1, 1);
    agent->act({expected, expected, expected}, {0}, Mode::exploit, action);
    reference.apply(expected);
    EXPECT_EQ(seen.at(0).topRows(3), expected) << "length " << length;
  }
}

TEST(OffPolicyAgent, IsReadyWithHerOnlyAfterAnEpisode) {
  std::vector<Matrix> seen;
  for (const HerStrategy strategy : {HerStrategy::none, HerStrategy::future}) {
    VectorEnv env([] { return make_bit_flip({.bits = 6, .ends_at_goal = false}); }, 1, Rng(1));
    const auto agent = make_off_policy_agent(
        std::make_unique<Witness>(&seen), env.spec(),
        {.batch_size = 3, .replay = {.buffer_size = 100}, .her = {.strategy = strategy}}, 1, Rng(1));
    EXPECT_FALSE(agent->ready());
    for (int t = 1; t <= 6; ++t) {
      agent->observe(env.step(Matrix::Zero(1, 1)));
      EXPECT_EQ(agent->ready(), strategy == HerStrategy::none || t == 6) << "step " << t;
    }
  }
}

TEST(OffPolicyAgent, RefusesWhatCannotWork) {
  std::vector<Matrix> seen;
  const auto env = make_pendulum();
  const auto make = [&](const OffPolicyConfig& c) {
    return make_off_policy_agent(std::make_unique<Witness>(&seen), env->spec(), c, 1, Rng(1));
  };
  EXPECT_THROW_MESSAGE(make({.replay = {.buffer_size = 1000}, .her = {.strategy = HerStrategy::future}}),
                       std::invalid_argument, "HerSampler: the environment has no goal");
  EXPECT_THROW_MESSAGE(make({.batch_size = 0, .replay = {.buffer_size = 1000}}), std::invalid_argument,
                       "agent.batch_size = 0; expected a positive number");
}

TEST(OffPolicyAgent, RefusesOfflineEpisodesThatHerCouldNotReplay) {
  const auto remember = [](HerStrategy strategy, int length) {
    std::vector<Matrix> seen;
    FixedGoal task(length);
    task.spec.max_steps = 10;
    const auto agent = make_off_policy_agent(
        std::make_unique<Witness>(&seen), task.spec,
        {.batch_size = 4, .replay = {.buffer_size = 20}, .her = {.strategy = strategy}}, 1, Rng(1));
    for (int t = 0; t < 2 * length; ++t) agent->add_offline_transition(task.next(), 0);
    EXPECT_TRUE(agent->ready());
    Metrics metrics;
    agent->update(metrics);
  };
  EXPECT_NO_THROW(remember(HerStrategy::future, 20));
  EXPECT_NO_THROW(remember(HerStrategy::none, 21));
  EXPECT_THROW_MESSAGE(remember(HerStrategy::future, 21), std::runtime_error,
                       "an episode is longer than its environment's share of the replay buffer, 20 transitions");
}

// The buffers that the default settings ask for, times a thousand, on any machine: more than can be had.
class GiantBuffers final : public FitPointReach {
 public:
  using FitPointReach::visit;
  void visit(const FieldInfo& info, int& value) override {
    FitPointReach::visit(info, value);
    if (info.name == "buffer_size") value = 1'000'000'000;
    if (info.name == "batch_size") value = 1'000'000;
    if (info.name == "candidates") value = 1'000;
  }
};

TEST(Algorithms, ActWithoutTheMemoryThatLearningTakes) {
  for (const AlgorithmEntry& algorithm : algorithms()) {
    EnvSpec spec = algorithm.action_kind == ActionSpace::Kind::discrete ? make_bit_flip({.bits = 5})->spec()
                                                                        : make_point_reach()->spec();
    spec.max_steps = 2'000'000'000;  // nor does a time limit matter
    const std::unique_ptr<Settings> settings = algorithm.settings();
    GiantBuffers giant;
    settings->visit(giant);
    const auto agent = algorithm.make(*settings, spec, 0, Rng(1));
    const Matrix obs = Matrix::Zero(spec.obs_dim, 3), goal = Matrix::Zero(spec.goal.dim, 3);
    Matrix action = Matrix::Constant(spec.action.dim, 3, 7);
    agent->act({obs, goal, goal}, {1, 1, 1}, Mode::exploit, action);
    EXPECT_LT(action.maxCoeff(), 7) << algorithm.name;
    EXPECT_FALSE(agent->ready()) << algorithm.name;
    EXPECT_THROW(algorithm.make(*settings, spec, 1, Rng(1)), std::invalid_argument) << algorithm.name;
  }
}

TEST(Algorithms, KnowTheMemoryThatLearningTakes) {
  for (const AlgorithmEntry& algorithm : algorithms()) {
    const EnvSpec spec = algorithm.action_kind == ActionSpace::Kind::discrete ? make_bit_flip({.bits = 5})->spec()
                                                                              : make_point_reach()->spec();
    const std::unique_ptr<Settings> settings = algorithm.settings();
    MemoryNeed usual, giant_need;
    algorithm.add_memory(*settings, spec, usual);
    GiantBuffers giant;
    settings->visit(giant);
    algorithm.add_memory(*settings, spec, giant_need);
    const std::uint64_t numbers = 2 * static_cast<std::uint64_t>(spec.obs_dim) + 1;  // of a transition at least
    EXPECT_GE(giant_need.bytes(), 1'000'000'000 * numbers * sizeof(Scalar)) << algorithm.name;
    EXPECT_LT(usual.bytes(), 1'000'000'000u) << algorithm.name;
  }
}

TEST(Algorithms, AreSortedByNameAndFound) {
  const auto entries = algorithms();
  EXPECT_TRUE(
      std::is_sorted(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const AlgorithmEntry& entry : entries) {
    EXPECT_EQ(find_algorithm(entry.name).name, entry.name);
    EXPECT_NE(entry.settings(), nullptr);
  }
  EXPECT_THROW_MESSAGE(find_algorithm("dqm"), UsageError, "no algorithm is called \"dqm\"; did you mean dqn?");
}

TEST(Noise, RandomActionsCoverTheirRange) {
  Rng rng(1);
  const auto env = make_pendulum();
  Matrix a(1, 20'000);
  random_actions(env->spec().action, rng, a);
  EXPECT_GE(a.minCoeff(), -1);
  EXPECT_LT(a.maxCoeff(), 1);
  EXPECT_NEAR(a.mean(), 0, 4 * std::sqrt(1.0 / 3 / 20'000));
  const auto bits = make_bit_flip({.bits = 4});
  random_actions(bits->spec().action, rng, a);
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(static_cast<double>((a.array() == Scalar(i)).count()), 5000, 4 * std::sqrt(20'000 * 0.25 * 0.75));
}

TEST(Noise, IsNormalWithinTheRangeOfActions) {
  Rng rng(1);
  Matrix a = Matrix::Zero(2, 20'000);
  add_gaussian_noise(Scalar(0.2), rng, a);
  EXPECT_NEAR(a.mean(), 0, 4 * 0.2 / std::sqrt(40'000.0));
  EXPECT_NEAR(std::sqrt(a.array().square().mean()), 0.2, 0.004);
  a.setConstant(Scalar(0.9));
  add_gaussian_noise(Scalar(0.2), rng, a);
  EXPECT_EQ(a.maxCoeff(), 1);
  EXPECT_NEAR(static_cast<double>((a.array() == 1).count()) / 40'000, 0.3085, 0.01);  // P(N(0, 1) > 1/2)
  a.setConstant(Scalar(-0.9));
  add_gaussian_noise(Scalar(0.2), rng, a);
  EXPECT_EQ(a.minCoeff(), -1);
}

TEST(Noise, ReplacesWholeActionsByRandomOnesWithTheGivenProbability) {
  Rng rng(1);
  Matrix a = Matrix::Constant(2, 20'000, Scalar(0.5));
  replace_by_random(0.3, rng, a);
  const auto kept = (a.array() == Scalar(0.5)).cast<double>().colwise().sum();
  EXPECT_EQ((kept == 1).count(), 0) << "half an action was replaced";
  EXPECT_NEAR(static_cast<double>((kept == 0).count()) / 20'000, 0.3, 4 * std::sqrt(0.21 / 20'000));
  EXPECT_LT(a.minCoeff(), -0.9);
  EXPECT_GT(a.maxCoeff(), 0.9);
}

}  // namespace
}  // namespace goalpost::test
