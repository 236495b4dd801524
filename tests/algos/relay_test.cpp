#include "algos/relay.h"

#include <cmath>

#include "algos/off_policy_agent.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "support/matrices.h"

namespace goalpost::test {
namespace {

constexpr Scalar kGamma = Scalar(0.9);

Scalar reward(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() < radius * radius ? Scalar(0) : Scalar(-1);
}

// An effector at t, and an object at 10 until it is pushed to 11 with the last step; one number each. The goal is 20.
EnvSpec push_spec(int steps) {
  EnvSpec spec;
  spec.name = "Push";
  spec.obs_dim = 3;  // something, the object, the effector
  spec.action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = 2, .low = {}, .high = {}};
  spec.goal = {.dim = 1, .radius = Scalar(0.5), .ends_at_goal = false, .reward = &reward};
  spec.max_steps = steps;
  spec.manipulation = {.effector_at = 2, .object_at = 1};
  return spec;
}
StepBatch push_step(int t, int steps) {
  const auto obs = [&](int at) {
    const double object = at == steps ? 11 : 10;
    return ObsBatch{matrix({{-7}, {object}, {double(at)}}), matrix({{object}}), matrix({{20}})};
  };
  return {.before = obs(t),
          .action = Matrix::Constant(1, 1, Scalar(t % 2)),
          .reward = Matrix::Constant(1, 1, -1),
          .terminated = {0},
          .truncated = {std::uint8_t(t + 1 == steps)},
          .success = {0},
          .failed = {0},
          .after = obs(t + 1)};
}
ReplayBuffer one_episode(const EnvSpec& spec) {
  ReplayBuffer buffer(spec, {.buffer_size = 100}, 1);
  for (int t = 0; t < spec.max_steps; ++t) buffer.add(push_step(t, spec.max_steps));
  return buffer;
}

TEST(Relay, HalfOfABatchIsForTheObjectAndHalfForReachingIt) {
  const EnvSpec spec = push_spec(10);
  const ReplayBuffer buffer = one_episode(spec);
  const int n = 401, first = 201;
  const RelaySampler sampler(buffer, spec, {.strategy = HerStrategy::future, .k = 1}, n);
  Batch batch(with_position_to_reach(spec), n, kGamma);
  Rng rng(1);
  sampler.sample(rng, batch);
  int original = 0, reached = 0;
  for (Index j = 0; j < n; ++j) {
    const int t = static_cast<int>(batch.s(2, j));
    const Scalar object = 10, object_after = t == 9 ? 11 : 10;
    ASSERT_EQ(Matrix(batch.s.col(j).head(3)), matrix({{-7}, {10}, {double(t)}}));
    ASSERT_EQ(Matrix(batch.s2.col(j).head(3)), matrix({{-7}, {double(object_after)}, {double(t + 1)}}));
    ASSERT_EQ(batch.discount(0, j), kGamma);
    ASSERT_EQ(batch.a(0, j), t % 2);
    if (j < first) {  // [obs; 0; goal], relabeled with what the object achieved
      const Scalar goal = batch.s(4, j);
      ASSERT_EQ(batch.s(3, j), 0);
      ASSERT_EQ(batch.s2(3, j), 0);
      ASSERT_EQ(batch.s2(4, j), goal);
      ASSERT_TRUE(goal == 20 || goal == 10 || goal == 11) << goal;
      ASSERT_EQ(batch.r(0, j), goal == object_after ? 0 : -1);
    } else {  // [obs; position; 0]: of the object, or one that the effector has later
      const Scalar goal = batch.s(3, j);
      ASSERT_EQ(batch.s(4, j), 0);
      ASSERT_EQ(batch.s2(4, j), 0);
      // The effector ends at 10, where the object is: the two kinds are told apart before the last step alone.
      if (goal == object && batch.s2(3, j) == object_after) {
        ASSERT_EQ(batch.r(0, j), object_after == Scalar(t + 1) ? 0 : -1);
        ++original;
        continue;
      }
      ASSERT_EQ(batch.s2(3, j), goal);
      ASSERT_GT(goal, t);
      ASSERT_LE(goal, 10);
      ASSERT_EQ(batch.r(0, j), goal == Scalar(t + 1) ? 0 : -1);
      reached += goal == Scalar(t + 1);
    }
  }
  EXPECT_NEAR(original, 115, 40) << "about half, and those relabeled with the last position";
  EXPECT_GT(reached, 10);
}

// Remembers what it is shown, and acts with its kind: 1 for reaching, 0 for the object's goal.
class Witness final : public Learner {
 public:
  explicit Witness(Matrix* seen) : seen_(seen) {}
  Scalar gamma() const override { return kGamma; }
  void act(ConstMatrixRef s, Mode, Rng&, MatrixRef a) override {
    *seen_ = s;
    a.setZero();
  }
  void update(const Batch& batch, Rng&, Metrics&) override { *seen_ = batch.s; }
  void visit_policy(StateVisitor&) override {}
  void visit_state(StateVisitor&) override {}

 private:
  Matrix* seen_;
};

OffPolicyConfig relay_config(double guidance) {
  return {.batch_size = 4,
          .replay = {.buffer_size = 4'000},
          .her = {.strategy = HerStrategy::future},
          .relay = {.enabled = true, .guidance = guidance, .near = 2}};
}

TEST(Relay, GuidesExplorationFarFromTheObjectAlone) {
  const int lanes = 1'000;
  Matrix seen;
  const auto agent =
      make_off_policy_agent(std::make_unique<Witness>(&seen), push_spec(4), relay_config(0.3), lanes, Rng(1));
  ObsBatch obs{Matrix(3, lanes), Matrix::Constant(1, lanes, 10), Matrix::Constant(1, lanes, 20)};
  for (Index j = 0; j < lanes; ++j) obs.obs.col(j) << Scalar(-7), Scalar(10), Scalar(j < 500 ? 5 : 8);
  Matrix action(1, lanes);
  const std::vector<std::uint8_t> first(lanes);
  agent->act(obs, first, Mode::explore, action);
  int guided = 0;
  for (Index j = 0; j < lanes; ++j) {
    ASSERT_EQ(Matrix(seen.col(j).head(3)), Matrix(obs.obs.col(j)));
    const Matrix goals = seen.col(j).tail(2);
    if (goals == matrix({{10}, {0}})) {
      ASSERT_LT(j, 500) << "guided within 2 of the object";
      ++guided;
    } else {
      ASSERT_EQ(goals, matrix({{0}, {20}}));
    }
  }
  EXPECT_NEAR(guided, 150, 4 * std::sqrt(500 * 0.3 * 0.7));
  agent->act(obs, first, Mode::exploit, action);
  EXPECT_EQ((seen.row(3).array() != 0).count(), 0) << "evaluations act for the object's goal";
  EXPECT_EQ((seen.row(4).array() == 20).count(), lanes);
}

TEST(Relay, NormalizesTheObjectsPositionToo) {
  Matrix seen;
  OffPolicyConfig c = relay_config(0);
  c.normalizer = {.enabled = true};
  const EnvSpec spec = push_spec(4);
  const auto agent = make_off_policy_agent(std::make_unique<Witness>(&seen), spec, c, 1, Rng(1));
  for (int t = 0; t < 4; ++t) agent->observe(push_step(t, 4));
  Matrix action(1, 1);
  agent->act(push_step(0, 4).before, {1}, Mode::exploit, action);
  EXPECT_EQ(seen(3, 0), -5) << "0 where all objects are at 10 is clipped";
  EXPECT_EQ(seen(1, 0), 0) << "all objects are at 10";
}

TEST(Relay, IsRefusedWhereItCannotWork) {
  const EnvSpec spec = push_spec(4);
  EXPECT_EQ(off_policy_problem(relay_config(0.5), spec), "");
  EnvSpec without = spec;
  without.manipulation = {};
  EXPECT_EQ(off_policy_problem(relay_config(0.5), without),
            "agent.relay.enabled = true learns to reach an object, but Push has none; expected false");
  OffPolicyConfig c = relay_config(0.5);
  c.her.strategy = HerStrategy::none;
  EXPECT_EQ(off_policy_problem(c, spec),
            "agent.relay.enabled = true relabels goals, but agent.her.strategy is \"none\"; expected a strategy");
  c = relay_config(0.5);
  c.batch_size = 1;
  EXPECT_EQ(off_policy_problem(c, spec),
            "agent.relay.enabled = true with agent.batch_size = 1; expected a transition of each sub-task, 2 or more");
}

// The rows that environments declare hold what they say: the object is what the goal is about.
TEST(Relay, EnvironmentsSayWhereEffectorAndObjectAre) {
  int declared = 0;
  for (const EnvEntry& entry : environments()) {
    const auto settings = entry.settings();
    const EnvFactory factory = entry.factory(*settings, Rng(0));
    if (!factory()->spec().manipulation.known()) continue;
    ++declared;
    VectorEnv env(factory, 3, Rng(1));
    const auto [effector, object] = env.spec().manipulation;
    const Index n = env.spec().goal.dim;
    EXPECT_EQ(env.obs().obs.middleRows(object, n), env.obs().achieved) << entry.name;
    // Up the effector goes with the third action, the object stays.
    Matrix action = Matrix::Zero(env.spec().action.dim, 3);
    action.row(2).setOnes();
    const StepBatch& step = env.step(action);
    EXPECT_GT((step.after.obs.row(effector + 2) - step.before.obs.row(effector + 2)).minCoeff(), 0.005) << entry.name;
    EXPECT_LT((step.after.achieved - step.before.achieved).cwiseAbs().maxCoeff(), 0.005) << entry.name;
  }
  EXPECT_EQ(declared, 6) << "Push, Slide and PickAndPlace, sparse and dense";
}

}  // namespace
}  // namespace goalpost::test
