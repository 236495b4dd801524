#include "algos/her.h"

#include <cmath>
#include <set>

#include "support/matrices.h"
#include "support/script.h"

namespace goalpost::test {
namespace {

constexpr Scalar kGamma = Scalar(0.9);

constexpr int kLanes = 3, kMaxSteps = 9, kLaneCapacity = 30;

struct Case {
  HerStrategy strategy;
  bool ends_at_goal;
};

// Columns of script.h decode themselves: s = (lane, episode, t | goal), and a goal that was achieved is
// (lane, episode, step); a goal that was pursued has the step -1.
class Her : public ::testing::TestWithParam<Case> {
 protected:
  const EnvSpec spec_ = script_spec(kMaxSteps, GetParam().ends_at_goal);
  ReplayBuffer buffer_{spec_, {.buffer_size = kLanes * kLaneCapacity}, kLanes};
  Script script_{spec_, kLanes};
  HerSampler sampler_{buffer_, spec_.goal, {.strategy = GetParam().strategy, .k = 4}};

  // The place of column j: its lane, and its count in this lane.
  const Written& written(const Batch& b, Index j) const {
    const int lane = static_cast<int>(b.s(0, j)), episode = static_cast<int>(b.s(1, j)),
              t = static_cast<int>(b.s(2, j));
    for (const Written& w : script_.written[static_cast<std::size_t>(lane)])
      if (w.episode == episode && w.t == t) return w;
    throw std::logic_error("a column that was never written");
  }
  Index oldest(int lane) const {
    return std::max<Index>(0,
                           static_cast<Index>(script_.written[static_cast<std::size_t>(lane)].size()) - kLaneCapacity);
  }

  // Every property that a column must have.
  void check(const Batch& b, Index j) const {
    const Written& w = written(b, j);
    const int lane = static_cast<int>(b.s(0, j));
    ASSERT_GE(w.end, 0) << "drawn from an episode that still runs";
    ASSERT_GE(w.begin, oldest(lane)) << "drawn from an episode that is partly overwritten";
    ASSERT_EQ(Matrix(b.s2.col(j).head(2)), Matrix(b.s.col(j).head(2)));
    ASSERT_EQ(b.s2(2, j), b.s(2, j) + 1);

    const Vector goal = b.s.col(j).tail(3), achieved = b.s2.col(j).head(3);
    ASSERT_EQ(Matrix(b.s2.col(j).tail(3)), Matrix(goal)) << "s and s2 must pursue the same goal";
    ASSERT_EQ(b.r(0, j), script_reward(achieved, goal, spec_.goal.radius));
    const bool relabeled = goal(2) >= 0;
    if (!relabeled) {
      ASSERT_EQ(Matrix(goal), matrix({{double(lane)}, {double(w.episode)}, {-1}}));
      ASSERT_EQ(b.discount(0, j), w.terminated ? 0 : kGamma);
      return;
    }
    const Scalar expected_d =
        spec_.goal.ends_at_goal ? Scalar(spec_.goal.reached(achieved, goal)) : Scalar(w.terminated);
    ASSERT_EQ(b.discount(0, j), expected_d != 0 ? 0 : kGamma);

    const int length = static_cast<int>(w.end - w.begin), step = static_cast<int>(goal(2));
    if (GetParam().strategy == HerStrategy::random) {
      const int goal_lane = static_cast<int>(goal(0)), goal_episode = static_cast<int>(goal(1));
      ASSERT_GE(step, 1);
      for (const Written& g : script_.written[static_cast<std::size_t>(goal_lane)])
        if (g.episode == goal_episode && g.t == step - 1) {
          ASSERT_GE(g.end, 0);
          ASSERT_GE(g.begin, oldest(goal_lane));
          return;
        }
      FAIL() << "the goal was never achieved";
    }
    ASSERT_EQ(Matrix(goal.head(2)), Matrix(b.s.col(j).head(2))) << "the goal is of another episode";
    switch (GetParam().strategy) {
      case HerStrategy::future:
        ASSERT_GT(step, w.t);
        ASSERT_LE(step, length);
        break;
      case HerStrategy::final:
        ASSERT_EQ(step, length);
        break;
      default:
        ASSERT_GE(step, 1);
        ASSERT_LE(step, length);
    }
  }
};

TEST_P(Her, EveryColumnKeepsItsPropertiesAlsoAfterTheRingHasWrapped) {
  Rng rng(1);
  Batch batch(spec_, 40, kGamma);
  for (int step = 0; step < 250; ++step) {
    buffer_.add(script_.next());
    if (!sampler_.ready(1)) continue;
    sampler_.sample(rng, batch);
    for (Index j = 0; j < batch.size(); ++j) {
      ASSERT_NO_FATAL_FAILURE(check(batch, j)) << "step " << step << ", column " << j;
    }
  }
}

TEST_P(Her, RelabelsTheShareThatStoringKCopiesGives) {
  for (int step = 0; step < 100; ++step) buffer_.add(script_.next());
  Rng rng(2);
  for (const int k : {1, 4, 8}) {
    const HerSampler sampler(buffer_, spec_.goal, {.strategy = GetParam().strategy, .k = k});
    Batch batch(spec_, 20'000, kGamma);
    sampler.sample(rng, batch);
    const double n = 20'000, share = static_cast<double>((batch.s.row(5).array() >= 0).count()) / n;
    const double expected = k / (k + 1.0);
    EXPECT_NEAR(share, expected, 4 * std::sqrt(expected * (1 - expected) / n)) << "k = " << k;
  }
}

TEST_P(Her, ReachesEveryGoalThatTheStrategyAllows) {
  for (int step = 0; step < 100; ++step) buffer_.add(script_.next());
  Rng rng(3);
  Batch batch(spec_, 20'000, kGamma);
  sampler_.sample(rng, batch);
  std::set<int> distances;  // steps from the transition's successor to its goal
  bool other_episode = false;
  for (Index j = 0; j < batch.size(); ++j) {
    if (batch.s(5, j) < 0) continue;
    other_episode = other_episode || batch.s(4, j) != batch.s(1, j);
    distances.insert(static_cast<int>(batch.s(5, j) - batch.s2(2, j)));
  }
  const int longest = kMaxSteps - 1;
  EXPECT_TRUE(distances.contains(0));
  EXPECT_TRUE(distances.contains(longest));
  EXPECT_EQ(distances.contains(-longest),
            GetParam().strategy == HerStrategy::episode || GetParam().strategy == HerStrategy::random);
  EXPECT_EQ(other_episode, GetParam().strategy == HerStrategy::random);
}

INSTANTIATE_TEST_SUITE_P(Strategies, Her,
                         ::testing::Values(Case{HerStrategy::future, false}, Case{HerStrategy::future, true},
                                           Case{HerStrategy::final, true}, Case{HerStrategy::final, false},
                                           Case{HerStrategy::episode, true}, Case{HerStrategy::episode, false},
                                           Case{HerStrategy::random, false}),
                         [](const ::testing::TestParamInfo<Case>& info) {
                           return std::string(kHerStrategyNames[static_cast<std::size_t>(info.param.strategy)]) +
                                  (info.param.ends_at_goal ? "_ends_at_goal" : "");
                         });

TEST(HerSampler, FutureGoalsAreUniformOverTheRestOfTheEpisode) {
  const EnvSpec spec = script_spec(5);
  ReplayBuffer buffer(spec, {.buffer_size = 1000}, 1);
  Script script(spec, 1);
  for (int i = 0; i < 500; ++i) buffer.add(script.next());
  const HerSampler sampler(buffer, spec.goal, {.strategy = HerStrategy::future, .k = 4});
  Rng rng(1);
  Batch batch(spec, 100'000, kGamma);
  sampler.sample(rng, batch);
  // Columns from the start of an episode of length 5: the goal is the state 1, 2, 3, 4 or 5, each with probability 1/5.
  double counts[6] = {}, n = 0;
  for (Index j = 0; j < batch.size(); ++j) {
    if (batch.s(2, j) != 0 || batch.s(5, j) < 0) continue;
    if (Script::length(0, static_cast<int>(batch.s(1, j)), 5) != 5) continue;
    ++counts[static_cast<int>(batch.s(5, j))];
    ++n;
  }
  ASSERT_GT(n, 3000);
  for (int step = 1; step <= 5; ++step) EXPECT_NEAR(counts[step] / n, 0.2, 4 * std::sqrt(0.16 / n)) << "state " << step;
}

TEST(HerSampler, DrawsGoalsThatHadBeenReachedAgainOnRequest) {
  EnvSpec spec = script_spec(12, true);
  spec.goal.radius = Scalar(3.5);  // states up to three steps apart reach each other
  ReplayBuffer buffer(spec, {.buffer_size = 10'000}, 1);
  Script script(spec, 1);
  for (int i = 0; i < 3'000; ++i) buffer.add(script.next());
  for (const int times : {0, 1, 1'000}) {
    const HerSampler sampler(buffer, spec.goal, {.strategy = HerStrategy::future, .k = 1, .max_redraws = times});
    Rng rng(1);
    Batch batch(spec, 20'000, kGamma);
    sampler.sample(rng, batch);
    int reached = 0, near_the_end = 0;  // of the transitions after an episode's first
    double far = 0, relabeled_far = 0;  // those that have a goal left that had not been reached
    for (Index j = 0; j < batch.size(); ++j) {
      const int episode = static_cast<int>(batch.s(1, j)), t = static_cast<int>(batch.s(2, j));
      const bool relabeled = batch.s(5, j) >= 0;
      if (t == 0) continue;
      reached += relabeled && batch.s(5, j) - batch.s(2, j) < 3.5;
      const bool near = Script::length(0, episode, 12) - t <= 3;
      near_the_end += near && relabeled;
      far += !near;
      relabeled_far += !near && relabeled;
    }
    const double share = relabeled_far / far, deviation = 4 * std::sqrt(0.25 / far);
    if (times == 0) {
      EXPECT_GT(reached, 3'000);
      EXPECT_NEAR(share, 0.5, deviation);
      continue;
    }
    EXPECT_EQ(reached, 0);
    EXPECT_EQ(near_the_end, 0) << "the original goal stays";
    if (times == 1)
      EXPECT_LT(share, 0.5 - deviation) << "some were drawn twice in vain";
    else
      EXPECT_NEAR(share, 0.5, deviation);
  }
}

// In episodes of 12 steps with a radius that three steps lie within, 3 of the 12 - t goals after step t > 0 had been
// reached before it. A relabeled transition keeps its original goal if the first draw and all redraws give a reached
// one.
TEST(HerSampler, DrawsAgainAsOftenAsAsked) {
  EnvSpec spec = script_spec(12, true);
  spec.goal.radius = Scalar(3.5);
  ReplayBuffer buffer(spec, {.buffer_size = 10'000}, 1);
  Script script(spec, 1);
  for (int i = 0; i < 3'000; ++i) buffer.add(script.next());
  for (const int redraws : {1, 2, 4}) {
    const HerSampler sampler(buffer, spec.goal, {.strategy = HerStrategy::future, .k = 1, .max_redraws = redraws});
    Rng rng(1);
    Batch batch(spec, 200'000, kGamma);
    sampler.sample(rng, batch);
    for (const int t : {6, 8}) {
      double n = 0, relabeled = 0;
      for (Index j = 0; j < batch.size(); ++j) {
        if (batch.s(2, j) != Scalar(t) || Script::length(0, static_cast<int>(batch.s(1, j)), 12) != 12) continue;
        ++n;
        relabeled += batch.s(5, j) >= 0;
      }
      const double expected = 0.5 * (1 - std::pow(3.0 / (12 - t), redraws + 1));
      EXPECT_NEAR(relabeled / n, expected, 4 * std::sqrt(0.25 / n)) << redraws << " redraws after step " << t;
    }
  }
}

// State t achieves (lane, episode, t): a step brings it nearer by 1 to any later goal.
TEST(HerSampler, RecomputesTheProgressOfAStep) {
  EnvSpec spec = script_spec(kMaxSteps);
  spec.goal.reward = &minus_distance;
  spec.goal.minus_before = true;
  ReplayBuffer buffer(spec, {.buffer_size = 100}, 1);
  Script script(spec, 1);
  for (int i = 0; i < 60; ++i) buffer.add(script.next());
  Batch batch(spec, 500, kGamma);
  Rng rng(2);
  int relabeled = 0;
  for (const HerStrategy strategy : {HerStrategy::future, HerStrategy::episode}) {
    HerSampler(buffer, spec.goal, {.strategy = strategy}).sample(rng, batch);
    for (Index j = 0; j < batch.size(); ++j) {
      if (batch.s(5, j) < 0) continue;  // the script's own reward
      ++relabeled;
      ASSERT_EQ(batch.r(0, j), batch.s(5, j) > batch.s(2, j) ? 1 : -1);
    }
  }
  EXPECT_GT(relabeled, 700);
}

// Each of k substitutes of the strategy, desired_goals of any episodes and the original goal is drawn equally often.
TEST(HerSampler, DrawsDesiredGoalsOfAllEpisodesOnRequest) {
  const EnvSpec spec = script_spec(kMaxSteps);
  ReplayBuffer buffer(spec, {.buffer_size = 600}, kLanes);
  Script script(spec, kLanes);
  for (int i = 0; i < 150; ++i) buffer.add(script.next());
  const HerSampler sampler(buffer, spec.goal, {.strategy = HerStrategy::future, .k = 2, .desired_goals = 3});
  Batch batch(spec, 20'000, kGamma);
  Rng rng(4);
  sampler.sample(rng, batch);
  int strategy = 0, own = 0, other = 0;
  std::set<std::pair<int, int>> episodes;
  for (Index j = 0; j < batch.size(); ++j) {
    const bool same = batch.s(3, j) == batch.s(0, j) && batch.s(4, j) == batch.s(1, j);
    if (batch.s(5, j) >= 0) {
      ASSERT_TRUE(same);
      ++strategy;
      continue;
    }
    ASSERT_EQ(batch.s2(5, j), -1) << "neither an achieved goal nor a desired one";
    ASSERT_EQ(batch.r(0, j), -1);
    (same ? own : other) += 1;
    episodes.emplace(static_cast<int>(batch.s(3, j)), static_cast<int>(batch.s(4, j)));
  }
  const double n = 20'000, deviations = 4 * std::sqrt(n / 4);
  EXPECT_NEAR(strategy, n * 2 / 6, deviations);
  EXPECT_NEAR(own + other, n * 4 / 6, deviations);
  EXPECT_NEAR(other, n * 3 / 6 * (1 - 1.0 / 90), deviations) << "some 30 finished episodes in each of three lanes";
  EXPECT_GT(episodes.size(), 60u) << "desired goals of few episodes";
}

TEST(HerSampler, RelabelsAllAtFirstOnRequest) {
  const EnvSpec spec = script_spec(kMaxSteps);
  ReplayBuffer buffer(spec, {.buffer_size = 30}, 1);  // smaller than relabel_all_until: what was overwritten counts
  Script script(spec, 1);
  const HerSampler sampler(buffer, spec.goal,
                           {.strategy = HerStrategy::future, .k = 1, .desired_goals = 1, .relabel_all_until = 50});
  Batch batch(spec, 200, kGamma);
  Rng rng(5);
  for (int added = 1; added <= 60; ++added) {
    buffer.add(script.next());
    if (!sampler.ready(1)) continue;
    sampler.sample(rng, batch);
    const Index originals = (batch.s.row(5).array() < 0).count();
    if (added < 50)
      ASSERT_EQ(originals, 0) << added;
    else
      ASSERT_GT(originals, 80) << added;
  }
}

TEST(HerSampler, CountsTheRelabeledTransitionsThatReachTheirGoal) {
  const EnvSpec spec = script_spec(kMaxSteps);
  ReplayBuffer buffer(spec, {.buffer_size = 100}, 1);
  Script script(spec, 1);
  for (int i = 0; i < 60; ++i) buffer.add(script.next());
  const HerSampler sampler(buffer, spec.goal, {.strategy = HerStrategy::future});
  Batch batch(spec, 300, kGamma);
  Rng rng(6);
  sampler.sample(rng, batch);
  const auto relabeled = static_cast<double>((batch.s.row(5).array() >= 0).count());
  const auto reached = static_cast<double>((batch.r.array() == 0).count());
  EXPECT_DOUBLE_EQ(sampler.share_reached(), reached / relabeled);
}

// The published faults that can be switched on, to measure what they cost.
class HerFault : public ::testing::Test {
 protected:
  // Calls check(batch, column, transition) for many drawn columns.
  template <class Check>
  void draw(const ReplayConfig& replay, const HerConfig& her, Check check, bool failures = false) {
    const EnvSpec spec = script_spec(kMaxSteps, true);
    ReplayBuffer buffer(spec, replay, kLanes);
    Script script(spec, kLanes, failures);
    for (int i = 0; i < 60; ++i) buffer.add(script.next());
    const HerSampler sampler(buffer, spec.goal, her);
    Batch batch(spec, 500, kGamma);
    Rng rng(3);
    sampler.sample(rng, batch);
    for (Index j = 0; j < batch.size(); ++j) {
      for (const Written& w : script.written[static_cast<std::size_t>(batch.s(0, j))])
        if (w.episode == static_cast<int>(batch.s(1, j)) && w.t == static_cast<int>(batch.s(2, j))) check(batch, j, w);
    }
  }
};

TEST_F(HerFault, WithoutRecomputingTheEndRelabeledColumnsKeepTheOldOne) {
  int reached = 0;
  draw({.buffer_size = 1000}, {.strategy = HerStrategy::future, .k = 4, .recompute_end = false},
       [&](const Batch& b, Index j, const Written& w) {
         EXPECT_EQ(b.discount(0, j), w.terminated ? 0 : kGamma);
         reached += b.r(0, j) == 0 && b.discount(0, j) != 0;
       });
  EXPECT_GT(reached, 0) << "no column shows the fault";
}

TEST_F(HerFault, WithTimeLimitsAsEndsTheLastTransitionAlwaysEnds) {
  int cut = 0;
  draw({.buffer_size = 1000, .time_limit_ends = true}, {.strategy = HerStrategy::future, .k = 4},
       [&](const Batch& b, Index j, const Written& w) {
         const bool last = w.end == w.begin + w.t + 1, relabeled = b.s(5, j) >= 0;
         const bool reached = b.r(0, j) == 0;
         EXPECT_EQ(b.discount(0, j), (relabeled && reached) || (last && !(relabeled && w.terminated)) ? 0 : kGamma);
         cut += last && !w.terminated && !reached;
       });
  EXPECT_GT(cut, 0) << "no column shows the fault";
}

TEST_F(HerFault, FailuresAreRelabeledOnlyOnRequest) {
  for (const bool relabel : {false, true}) {
    int failures = 0, arrivals = 0;
    draw(
        {.buffer_size = 1000}, {.strategy = HerStrategy::future, .k = 4, .relabel_failures = relabel},
        [&](const Batch& b, Index j, const Written& w) {
          if (!w.terminated || w.end != w.begin + w.t + 1) return;
          const bool relabeled = b.s(5, j) >= 0;
          EXPECT_EQ(b.discount(0, j), 0) << "a failure is an end whatever the goal";
          EXPECT_EQ(b.r(0, j), relabeled && relabel ? 0 : kScriptFailure);
          failures += relabeled;
          arrivals += relabeled && b.r(0, j) == 0;
        },
        true);
    EXPECT_GT(failures, 0);
    EXPECT_EQ(arrivals, relabel ? failures : 0);
  }
}

TEST(HerSampler, RefusesToSampleBeforeTheFirstEpisodeHasEnded) {
  const EnvSpec spec = script_spec(9);
  ReplayBuffer buffer(spec, {.buffer_size = 100}, 1);
  const HerSampler sampler(buffer, spec.goal, {});
  Batch batch(spec, 4, kGamma);
  Rng rng(1);
  EXPECT_FALSE(sampler.ready(1));
  EXPECT_THROW_MESSAGE(sampler.sample(rng, batch), std::logic_error,
                       "HerSampler: the replay buffer holds no finished episode; expected to be ready()");
}

TEST(HerSampler, RefusesWhatItCannotDo) {
  const EnvSpec spec = script_spec(9);
  ReplayBuffer buffer(spec, {.buffer_size = 100}, 1);
  EXPECT_THROW_MESSAGE(HerSampler(buffer, spec.goal, {.strategy = HerStrategy::none}), std::invalid_argument,
                       "HerSampler: strategy = none; expected a strategy, or a UniformSampler");
  EXPECT_THROW_MESSAGE(HerSampler(buffer, spec.goal, {.k = 0}), std::invalid_argument,
                       "HerSampler: k = 0; expected a positive number");
  EXPECT_THROW_MESSAGE(HerSampler(buffer, GoalSpace{}, {}), std::invalid_argument,
                       "HerSampler: the environment has no goal; expected a goal space");
}

}  // namespace
}  // namespace goalpost::test
