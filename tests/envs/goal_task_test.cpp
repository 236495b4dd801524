#include "envs/goal_task.h"

#include <memory>

#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "envs/vector_env.h"
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
      with_goal_task(make_point_reach, {.offset = {0.5, 0}, .reward = TaskReward::reach_bonus}, Rng(1))();
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
    EXPECT_EQ(r.reward, env->spec().goal.reward_of(s.achieved, s.achieved, s.desired));
    arrived = r.success;
  }
  EXPECT_TRUE(arrived);
}

TEST(GoalTask, ShapedRewardsAreThoseOfThePaper) {
  const std::tuple<TaskReward, double, int> cases[] = {{TaskReward::distance, 0, 1},
                                                       {TaskReward::squared_distance, 0, 2},
                                                       {TaskReward::progress, 1, 1},
                                                       {TaskReward::squared_progress, 1, 2}};
  for (const auto& [reward, lambda, p] : cases) {
    const auto env = with_goal_task(make_point_reach, {.reward = reward}, Rng(1))();
    Rng rng(2);
    env->reset(rng);
    for (int t = 0; t < 20; ++t) {
      const auto distance = [&](const Seen& s) { return static_cast<double>((s.achieved - s.desired).norm()); };
      const double before = distance(look(*env));
      const StepResult r = env->step(Eigen::Vector2d(0.7, -0.4));
      const double after = distance(look(*env));
      EXPECT_NEAR(r.reward, lambda * std::pow(before, p) - std::pow(after, p), 1e-6) << "p = " << p << ", step " << t;
      EXPECT_FALSE(r.terminated) << "shaped rewards do not end at the goal";
    }
  }
}

TEST(GoalTask, TheSparseRewardIsZeroWithinTheRadius) {
  const auto env = with_goal_task(make_point_reach, {.offset = {0.3, 0.1}, .reward = TaskReward::sparse}, Rng(1))();
  Rng rng(2);
  env->reset(rng);
  bool reached = false;
  for (int t = 0; t < 60; ++t) {
    const Seen before = look(*env);
    Vector action(2);
    env->spec().script(before.obs, before.achieved, before.desired, action);
    const StepResult r = env->step(action.cast<double>());
    const Seen s = look(*env);
    EXPECT_EQ(r.success, (s.achieved - s.desired).norm() < env->spec().goal.radius);
    EXPECT_EQ(r.reward, r.success ? 0 : -1) << "step " << t;
    EXPECT_FALSE(r.terminated);
    EXPECT_EQ(r.reward, env->spec().goal.reward_of(before.achieved, s.achieved, s.desired)) << "as HER computes it";
    reached |= r.success;
  }
  EXPECT_TRUE(reached);
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
  const EnvFactory make = with_goal_task(make_point_reach, {.offsets = 4, .reward = TaskReward::reach_bonus}, Rng(1));
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

// Pushes the mass to its goal: a spring and a damper.
Matrix push(const ObsBatch& o) { return (3 * (o.desired - o.achieved) - 2 * o.obs.bottomRows(2)) / 2; }

TEST(GoalTaskChain, WalksOverWaypointsAndCountsEach) {
  const GoalTaskConfig c{.offset = {0.8, -0.4}, .reward = TaskReward::reach_bonus, .max_steps = 60, .waypoints = 4};
  VectorEnv env(with_goal_task(make_point_reach, c, Rng(1)), 1, Rng(2));
  EXPECT_EQ(env.spec().categories, (std::vector<std::string>{"waypoint_1", "waypoint_2", "waypoint_3", "waypoint_4"}));
  const Vector way = matrix({{0.8}, {-0.4}});
  std::vector<int> reached(4);
  for (int chain = 0; chain < 3; ++chain) {
    const Vector start = env.obs().achieved;
    EXPECT_TRUE(env.obs().obs.bottomRows(2).isZero()) << "the world was not reset";
    for (int j = 0; j < 4; ++j) {
      EXPECT_EQ(env.first()[0], 1);
      expect_close(env.obs().desired, start + Scalar(j + 1) / 4 * way, 1e-5);
      for (bool ended = false; !ended;) {
        const Vector goal = env.obs().desired;
        const StepBatch& step = env.step(push(env.obs()));
        EXPECT_EQ(step.after.desired.col(0), goal) << "the goal changes before the episode has ended";
        EXPECT_EQ(step.terminated[0], step.success[0]);
        EXPECT_EQ(env.categories()[0], static_cast<std::size_t>(j));
        ended = step.ended(0);
        if (!ended) continue;
        reached[static_cast<std::size_t>(j)] += step.success[0];
        if (j == 3) continue;
        EXPECT_EQ(step.after.achieved.col(0), env.obs().achieved.col(0)) << "the mass has jumped";
      }
    }
  }
  EXPECT_EQ(reached, (std::vector<int>{3, 3, 3, 3}));
}

TEST(GoalTaskChain, AMissedWaypointResetsTheWorld) {
  const GoalTaskConfig c{.offset = {0.8, 0}, .reward = TaskReward::reach_bonus, .max_steps = 5, .waypoints = 2};
  VectorEnv env(with_goal_task(make_point_reach, c, Rng(1)), 1, Rng(2));
  const Vector start = env.obs().achieved;
  for (int t = 0; t < 5; ++t) env.step(Matrix::Constant(2, 1, -1));
  EXPECT_EQ(env.first()[0], 1);
  EXPECT_TRUE(env.obs().obs.bottomRows(2).isZero());
  expect_close(env.obs().desired - env.obs().achieved, matrix({{0.4}, {0}}), 1e-5);
  EXPECT_GT((env.obs().achieved - start).norm(), Scalar(0.01));
}

TEST(GoalTaskChain, TwentyLinesAreDrawnOnce) {
  const GoalTaskConfig c{.offsets = 20, .reward = TaskReward::reach_bonus, .max_steps = 100, .waypoints = 5};
  const EnvFactory make = with_goal_task(make_point_reach, c, Rng(1));
  std::vector<Vector> lines;
  const std::unique_ptr<Env> env = make();
  Rng rng(3);
  for (int e = 0; e < 400; ++e) {
    env->reset_world(rng);
    const Seen s = look(*env);
    const Vector first = s.desired - s.achieved;  // a fifth of a line
    if (std::none_of(lines.begin(), lines.end(), [&](const Vector& l) { return (l - first).norm() < Scalar(1e-5); }))
      lines.push_back(first);
  }
  EXPECT_EQ(lines.size(), 20u);
}

TEST(GoalTaskChain, IssuesTheOffsetAgainFromWhereverTheMassIs) {
  const GoalTaskConfig c{.offset = {0.3, 0.1}, .reward = TaskReward::reach_bonus, .max_steps = 4, .subtasks = 3};
  VectorEnv env(with_goal_task(make_point_reach, c, Rng(1)), 1, Rng(2));
  for (int chain = 0; chain < 2; ++chain) {
    EXPECT_TRUE(env.obs().obs.bottomRows(2).isZero());
    for (int j = 0; j < 3; ++j) {
      EXPECT_EQ(env.first()[0], 1);
      expect_close(env.obs().desired - env.obs().achieved, matrix({{0.3}, {0.1}}), 1e-5);
      for (int t = 0; t < 4; ++t) {
        EXPECT_EQ(env.first()[0], t == 0);
        const StepBatch& step = env.step(Matrix::Constant(2, 1, 1));
        if (t < 3 || j == 2) continue;
        EXPECT_EQ(step.after.obs.col(0), env.obs().obs.col(0)) << "the world was reset";
      }
    }
  }
}

TEST(GoalTaskChain, ANewStartOfAllLanesBeginsTheWorldAnew) {
  const GoalTaskConfig c{.offset = {0.3, 0.1}, .max_steps = 4, .subtasks = 3};
  const EnvFactory make = with_goal_task(make_point_reach, c, Rng(1));
  VectorEnv env(make, 2, Rng(2)), other(make, 2, Rng(3));
  for (int t = 0; t < 5; ++t) env.step(Matrix::Ones(2, 2));
  env.reset(Rng(7));
  other.reset(Rng(7));
  EXPECT_EQ(env.obs().obs, other.obs().obs);
  EXPECT_EQ(env.obs().desired, other.obs().desired);
}

TEST(GoalTaskChain, ContinuesFromARestoredState) {
  for (const GoalTaskConfig& c : {GoalTaskConfig{.offsets = 5, .max_steps = 4, .subtasks = 3},
                                  GoalTaskConfig{.reward = TaskReward::reach_bonus, .max_steps = 40, .waypoints = 3}}) {
    const EnvFactory make = with_goal_task(make_point_reach, c, Rng(1));
    VectorEnv env(make, 2, Rng(2)), other(make, 2, Rng(3));
    for (int t = 0; t < 50; ++t) env.step(push(env.obs()));
    restore(other, snapshot(env));
    for (int t = 0; t < 100; ++t) {
      const Matrix a = push(env.obs());
      EXPECT_EQ(env.step(a).after.desired, other.step(a).after.desired);
    }
    EXPECT_EQ(state_hash(env), state_hash(other));
  }
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
  EXPECT_EQ(goal_task_problem({.subtasks = 2}, point),
            "env.task.subtasks = 2 issues an offset again, but there is none; expected env.task.offset or "
            "env.task.offsets");
  EXPECT_EQ(goal_task_problem({.offset = {1, 2}, .subtasks = 2, .waypoints = 3}, point),
            "env.task.subtasks = 2 and env.task.waypoints = 3 are both given; expected one");
  EXPECT_EQ(goal_task_problem({.waypoints = 3}, make_pendulum()->spec()),
            "env.task sets goals or their reward, but Pendulum-v1 has no goals");
  EXPECT_EQ(goal_task_problem({.reward = TaskReward::reach_bonus}, make_pendulum()->spec()),
            "env.task sets goals or their reward, but Pendulum-v1 has no goals");
}

}  // namespace
}  // namespace goalpost::test
