#include "envs/goal_task.h"

#include <memory>

#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

struct Seen {
  Vector obs = Vector::Zero(4), achieved = Vector::Zero(2), desired = Vector::Zero(2);
};
Seen look(const Env& env) {
  Seen seen;
  env.observe({seen.obs, seen.achieved, seen.desired});
  return seen;
}

TEST(GoalTask, LeavesAnEnvironmentAloneIfNothingIsAsked) {
  const std::unique_ptr<Env> env = with_goal_task(make_point_reach, {}, Rng(1))(), plain = make_point_reach();
  EXPECT_EQ(env->spec().max_steps, plain->spec().max_steps);
  EXPECT_EQ(env->spec().goal.reward, plain->spec().goal.reward);
}

TEST(GoalTask, PutsTheGoalAtAnOffsetFromTheStart) {
  const std::unique_ptr<Env> env = with_goal_task(make_point_reach, {.offset = {0.25, -0.5}}, Rng(1))();
  Rng rng(3);
  for (int e = 0; e < 3; ++e) {
    env->reset(rng);
    const Seen start = look(*env);
    expect_close(start.desired - start.achieved, matrix({{0.25}, {-0.5}}), 1e-6);
    env->step(Eigen::Vector2d(2, 2));
    EXPECT_TRUE(same_bits(look(*env).desired, start.desired)) << "the goal moves with the mass";
  }
}

TEST(GoalTask, DrawsItsOffsetsOnceAndShortensThem) {
  const GoalTaskConfig c{.offsets = 3, .max_offset = 0.2};
  const auto offsets = [&](const EnvFactory& make, std::uint64_t seed) {
    const std::unique_ptr<Env> env = make();
    Rng rng(seed);
    std::vector<Vector> distinct;
    for (int e = 0; e < 50; ++e) {
      env->reset(rng);
      const Seen start = look(*env);
      const Vector offset = start.desired - start.achieved;
      EXPECT_LE(offset.norm(), Scalar(0.2001));
      const auto same = [&](const Vector& other) { return (other - offset).norm() < Scalar(1e-5); };
      if (std::none_of(distinct.begin(), distinct.end(), same)) distinct.push_back(offset);
    }
    std::sort(distinct.begin(), distinct.end(), [](const Vector& a, const Vector& b) { return a(0) < b(0); });
    return distinct;
  };
  const EnvFactory make = with_goal_task(make_point_reach, c, Rng(1));
  const std::vector<Vector> training = offsets(make, 3), evaluation = offsets(make, 4);
  ASSERT_EQ(training.size(), 3u);
  ASSERT_EQ(evaluation.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) expect_close(training[i], evaluation[i], 1e-5);
  EXPECT_GT((training[0] - offsets(with_goal_task(make_point_reach, c, Rng(2)), 3)[0]).norm(), Scalar(1e-3))
      << "the offsets do not depend on the generator";
}

TEST(GoalTask, ArrivalPaysOneAndEndsTheEpisode) {
  const std::unique_ptr<Env> env =
      with_goal_task(make_point_reach, {.offset = {0.5, 0}, .reward = TaskReward::arrival}, Rng(1))();
  EXPECT_TRUE(env->spec().goal.ends_at_goal);
  Rng rng(1);
  env->reset(rng);
  bool arrived = false;
  for (int t = 0; t < 100 && !arrived; ++t) {
    const StepResult r = env->step(Eigen::Vector2d(1, 0));
    const Seen s = look(*env);
    const Scalar distance = (s.achieved - s.desired).norm();
    EXPECT_EQ(r.success, distance < Scalar(0.05));
    EXPECT_EQ(r.terminated, r.success);
    EXPECT_EQ(r.reward, r.success ? Scalar(1) : -distance);
    EXPECT_EQ(r.reward, env->spec().goal.reward(s.achieved, s.desired, env->spec().goal.radius));
    arrived = r.success;
  }
  EXPECT_TRUE(arrived);
}

TEST(GoalTask, TheEnvironmentsOwnGoalEndsNothing) {
  // Bit flipping ends at its own goal; with the goal elsewhere it must not.
  const EnvFactory own = [] { return make_bit_flip({.bits = 2}); };
  const std::unique_ptr<Env> env = with_goal_task(own, {.offset = {1, 1}}, Rng(1))();
  Rng rng(1);
  int ends = 0;
  for (int e = 0; e < 30; ++e) {
    env->reset(rng);
    for (int t = 0; t < 8; ++t) {
      const StepResult r = env->step(Eigen::VectorXd::Constant(1, t % 2));
      EXPECT_EQ(r.terminated, r.success);
      ends += r.terminated ? 1 : 0;
    }
  }
  EXPECT_GT(ends, 0);
}

TEST(GoalTask, ChangesTheTimeLimitOfTasksWithoutGoals) {
  EXPECT_EQ(with_goal_task(make_pendulum, {.max_steps = 7}, Rng(1))()->spec().max_steps, 7);
}

TEST(GoalTask, ContinuesFromARestoredState) {
  const EnvFactory make = with_goal_task(make_point_reach, {.offsets = 4, .reward = TaskReward::arrival}, Rng(1));
  const std::unique_ptr<Env> env = make(), other = make();
  Rng rng(2), elsewhere(3);
  env->reset(rng);
  other->reset(elsewhere);
  env->step(Eigen::Vector2d(1, -1));
  restore(*other, snapshot(*env));
  for (int t = 0; t < 5; ++t) {
    EXPECT_TRUE(same_bits(look(*env).desired, look(*other).desired));
    EXPECT_TRUE(same_bits(look(*env).obs, look(*other).obs));
    EXPECT_EQ(env->step(Eigen::Vector2d(1, 1)).reward, other->step(Eigen::Vector2d(1, 1)).reward);
  }
  EXPECT_EQ(state_hash(*env), state_hash(*other));
}

TEST(GoalTask, RefusesWhatMakesNoSense) {
  const EnvSpec& point = make_point_reach()->spec();
  EXPECT_EQ(goal_task_problem({}, point), "");
  EXPECT_EQ(goal_task_problem({.offset = {1}}, point),
            "env.task.offset holds 1 numbers; expected 2, as a goal of PointReach-v0");
  EXPECT_EQ(goal_task_problem({.offset = {1, 2}, .offsets = 3}, point),
            "env.task.offset and env.task.offsets = 3 are both given; expected one");
  EXPECT_EQ(goal_task_problem({.max_offset = 1}, point),
            "env.task.max_offset = 1 shortens drawn offsets, but env.task.offsets = 0");
  EXPECT_EQ(goal_task_problem({.reward = TaskReward::arrival}, make_pendulum()->spec()),
            "env.task sets goals or their reward, but Pendulum-v1 has no goals");
}

}  // namespace
}  // namespace goalpost::test
