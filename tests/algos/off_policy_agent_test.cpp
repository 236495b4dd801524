#include "algos/off_policy_agent.h"

#include <cmath>

#include "algos/noise.h"
#include "algos/registry.h"
#include "algos/schedule.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "support/matrices.h"

namespace goalpost::test {
namespace {

// Remembers what it is given.
class Witness final : public Learner {
 public:
  explicit Witness(std::vector<Matrix>* seen) : seen_(seen) {}
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
                                           {.batch_size = 3, .replay = {.capacity = 100}}, 2, Rng(1));
  Matrix action(1, 2), expected(10, 2);
  expected << env.obs().obs, env.obs().desired;
  agent->act(env.obs(), env.first(), Mode::explore, action);
  EXPECT_EQ(seen.at(0), expected);
}

TEST(OffPolicyAgent, NormalisesWithTheStatesThatWereActedIn) {
  std::vector<Matrix> seen;
  VectorEnv env([] { return make_pendulum(); }, 3, Rng(1));
  const auto agent = make_off_policy_agent(
      std::make_unique<Witness>(&seen), env.spec(),
      {.batch_size = 3, .replay = {.capacity = 3000}, .normalizer = {.enabled = true}}, 3, Rng(1));
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

TEST(OffPolicyAgent, IsReadyWithHerOnlyAfterAnEpisode) {
  std::vector<Matrix> seen;
  for (const HerStrategy strategy : {HerStrategy::none, HerStrategy::future}) {
    VectorEnv env([] { return make_bit_flip({.bits = 6, .ends_at_goal = false}); }, 1, Rng(1));
    const auto agent =
        make_off_policy_agent(std::make_unique<Witness>(&seen), env.spec(),
                              {.batch_size = 3, .replay = {.capacity = 100}, .her = {.strategy = strategy}}, 1, Rng(1));
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
  EXPECT_THROW_MESSAGE(make({.replay = {.capacity = 1000}, .her = {.strategy = HerStrategy::future}}),
                       std::invalid_argument, "HerSampler: the environment has no goal");
  EXPECT_THROW_MESSAGE(make({.batch_size = 0, .replay = {.capacity = 1000}}), std::invalid_argument,
                       "agent.batch_size = 0; expected a positive number");
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

TEST(LinearSchedule, MovesLinearlyAndStays) {
  const LinearSchedule s{.from = 1, .to = 0.2, .steps = 100};
  EXPECT_DOUBLE_EQ(s.at(0), 1);
  EXPECT_DOUBLE_EQ(s.at(25), 0.8);
  EXPECT_DOUBLE_EQ(s.at(100), 0.2);
  EXPECT_DOUBLE_EQ(s.at(1'000'000), 0.2);
  EXPECT_DOUBLE_EQ((LinearSchedule{.from = 1, .to = 0.2, .steps = 0}.at(0)), 0.2);
}

}  // namespace
}  // namespace goalpost::test
