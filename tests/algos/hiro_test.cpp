#include "algos/hiro/hiro.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "algos/hiro/config.h"
#include "algos/hiro/segment_buffer.h"
#include "algos/hiro/subgoal_space.h"
#include "algos/registry.h"
#include "autodiff/gemm.h"
#include "envs/classic/point_reach.h"
#include "envs/vector_env.h"
#include "support/levels.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

// Observations (x, y, z) are what a test says, sub-goals are about x and z; one action in ±2.
EnvSpec toy_spec() {
  return {.name = "Toy",
          .obs_dim = 3,
          .action = {.dim = 1, .choices = 0, .low = Vector::Constant(1, -2), .high = Vector::Constant(1, 2)},
          .goal = {.dim = 1, .radius = 1, .ends_at_goal = false, .reward = nullptr},
          .max_steps = 7,
          .dt = 1};
}

// Linear networks, so that what they do can be worked out by hand, and no noise.
HiroConfig toy_config() {
  HiroConfig c;
  c.c = 3;
  c.learning_starts = 0;
  c.subgoal = {.dims = {0, 2}, .limits = {10, 0.5}};
  for (LevelConfig* level : {&c.low, &c.high}) {
    level->batch_size = 4;
    level->buffer_size = 100;
    level->exploration_noise = 0;
    td3_of(*level).pi.hidden = {};
    td3_of(*level).q.hidden = {4};
  }
  c.high.reward_scale = Scalar(0.1);
  return c;
}

constexpr Scalar kAtanhHalf = Scalar(0.54930614433405484570);

struct Toy {
  HiroConfig config;
  int n;
  Hiro agent;
  ObsBatch now;
  std::vector<std::uint8_t> first;
  StepBatch step;
  Matrix action;

  explicit Toy(const HiroConfig& c, int lanes = 1)
      : config(c),
        n(lanes),
        agent(toy_spec(), c, lanes, Rng(3)),
        now{Matrix::Zero(3, lanes), Matrix::Zero(1, lanes), Matrix::Constant(1, lanes, 9)},
        first(static_cast<std::size_t>(lanes), 1),
        action(Matrix::Zero(1, lanes)) {
    const std::vector<std::uint8_t> no(first.size());
    step = {now, action, Matrix::Zero(1, lanes), no, no, no, no, now};
    // The high level always asks for half of what it may: (5, 0.25).
    set_state(agent, "high/learner/pi/W0", Matrix::Zero(2, 4));
    set_state(agent, "high/learner/pi/b0", Matrix::Constant(2, 1, kAtanhHalf));
    set_low(matrix({{0, 0, 0, 0, 0}}));
  }
  // a = tanh(W [s; g])
  void set_low(const Matrix& W) {
    set_state(agent, "low/learner/pi/W0", W);
    set_state(agent, "low/learner/pi/b0", Matrix::Zero(1, 1));
  }
  // One step of all lanes to the given states; lanes that end begin again at the origin.
  void move(const Matrix& to, Scalar reward = 0, std::vector<std::uint8_t> terminated = {},
            std::vector<std::uint8_t> truncated = {}) {
    agent.act(now, first, Mode::explore, action);
    take(to, reward, terminated, truncated);
  }
  void take(const Matrix& to, Scalar reward, std::vector<std::uint8_t> terminated,
            std::vector<std::uint8_t> truncated) {
    terminated.resize(first.size());
    truncated.resize(first.size());
    step.before = now;
    step.after = now;
    step.after.obs = to;
    step.action = action;
    step.reward.setConstant(reward);
    step.terminated = terminated;
    step.truncated = truncated;
    agent.observe(step);
    now.obs = to;
    for (std::size_t i = 0; i < first.size(); ++i) {
      first[i] = step.ended(i);
      if (first[i]) now.obs.col(static_cast<Index>(i)).setZero();
    }
  }
  // A segment of c steps from the origin along x and z, with the given actions.
  void segment(Scalar dx, Scalar dz, const std::vector<Scalar>& actions, bool truncated_at_end = false) {
    for (std::size_t t = 0; t < actions.size(); ++t) {
      agent.act(now, first, Mode::explore, action);
      action(0, 0) = actions[t];
      const Scalar k = Scalar(t + 1);
      take(matrix({{k * dx}, {7}, {k * dz}}), -1, {}, {truncated_at_end && t + 1 == actions.size()});
    }
  }
};

// The high level always asks for (5, 0.25); the first sub-goal of an episode is to stay if so configured.
TEST(Hiro, TheFirstSubgoalOfAnEpisodeMayBeZero) {
  HiroConfig c = toy_config();
  for (const bool zero : {false, true}) {
    c.first_subgoal_zero = zero;
    Toy toy(c);
    for (int episode = 0; episode < 2; ++episode)
      for (int t = 0; t < 7; ++t) {
        for (const Mode mode : {Mode::exploit, Mode::explore}) {  // taken from the same state
          toy.agent.act(toy.now, toy.first, mode, toy.action);
          Vector aimed_at(3);
          toy.agent.subgoal(mode, 0, aimed_at);
          const bool stay = zero && t < 3;
          EXPECT_NEAR(aimed_at(0), stay ? 0 : 5, 1e-5) << "step " << t;
          EXPECT_NEAR(aimed_at(2), stay ? 0 : 0.25, 1e-5) << "step " << t;
        }
        toy.take(matrix({{0}, {7}, {0}}), 0, {}, {std::uint8_t(t == 6)});
      }
  }
}

TEST(Hiro, GoalTransitionKeepsThePointThatIsAimedAt) {
  const HiroConfig c = toy_config();
  const SubgoalSpace space(c.subgoal, c.intrinsic);
  const Vector s = matrix({{1}, {9}, {2}}), g = matrix({{0.5}, {-1}}), s2 = matrix({{1.25}, {7}, {0.5}});
  Vector g2(2);
  space.goal_transition(s, g, s2, g2);
  EXPECT_EQ(g2, Vector(matrix({{0.25}, {0.5}})));  // 1 + 0.5 - 1.25, 2 - 1 - 0.5
}

TEST(Hiro, IntrinsicRewardIsMinusTheDistanceOrTheMeanSquare) {
  HiroConfig c = toy_config();
  c.intrinsic.reached = 0.56;
  const Vector g2 = matrix({{0.25}, {0.5}});
  const SubgoalSpace distance(c.subgoal, c.intrinsic);
  EXPECT_NEAR(distance.intrinsic_reward(g2), -std::sqrt(0.3125), 1e-6);
  EXPECT_TRUE(distance.reached(g2));
  EXPECT_FALSE(distance.reached(Vector(2 * g2)));
  c.intrinsic = {.reward = IntrinsicReward::mean_square, .reached = 0.15};
  const SubgoalSpace square(c.subgoal, c.intrinsic);
  EXPECT_NEAR(square.intrinsic_reward(g2), -0.15625, 1e-7);
  EXPECT_FALSE(square.reached(g2));
  c.intrinsic.reached = 0;
  EXPECT_FALSE(SubgoalSpace(c.subgoal, c.intrinsic).reached(Vector::Zero(2))) << "0 means that nobody asks";
}

TEST(Hiro, DecidesEveryCStepsAndAtTheStartOfEpisodesLaneByLane) {
  Toy toy(toy_config(), 2);
  const auto points = [&] { return toy.agent.points(Mode::explore); };
  const auto left = [&] { return toy.agent.subgoals(Mode::explore); };
  toy.move(matrix({{1, 2}, {0, 0}, {0.5, 1}}));
  expect_close(points(), matrix({{5, 5}, {0.25, 0.25}}), 1e-6);
  expect_close(left(), points(), 1e-6);
  toy.move(matrix({{2, 4}, {0, 0}, {1, 2}}), 0, {}, {0, 1});  // lane 1 ends after two steps
  expect_close(points(), matrix({{5, 5}, {0.25, 0.25}}), 1e-6);
  expect_close(left(), matrix({{4, 3}, {-0.25, -0.75}}), 1e-6);  // the point less where the lanes are
  toy.move(matrix({{3, 1}, {0, 0}, {1.5, 0}}));
  expect_close(points(), matrix({{5, 5}, {0.25, 0.25}}), 1e-6);
  expect_close(left(), matrix({{3, 5}, {-0.75, 0.25}}), 1e-6);  // lane 1 was asked anew, at the origin
  toy.move(matrix({{4, 2}, {0, 0}, {2, 0}}));
  expect_close(points(), matrix({{8, 5}, {1.75, 0.25}}), 1e-6);  // lane 0 was asked anew, at (3, 1.5)
  toy.move(matrix({{4, 3}, {0, 0}, {2, 0}}));
  toy.move(matrix({{4, 3}, {0, 0}, {2, 0}}));  // lane 1 after three steps: at (3, 0)
  expect_close(points(), matrix({{8, 8}, {1.75, 0.25}}), 1e-6);
}

// Of both levels, also where ranges differ: the actions' is 2, those of the sub-goals are 10 and 0.5.
TEST(Hiro, ALevelsNoiseIsInTheUnitOfItsActions) {
  constexpr int n = 4000;
  HiroConfig c = toy_config();
  c.low.buffer_size = 7 * n;
  c.low.exploration_noise = Scalar(0.3);
  c.high.exploration_noise = Scalar(0.05);
  Toy toy(c, n);
  const auto deviation = [](const Matrix& row) { return std::sqrt((row.array() - row.mean()).square().mean()); };
  toy.agent.act(toy.now, toy.first, Mode::explore, toy.action);
  EXPECT_NEAR(deviation(2 * toy.action), 0.3, 0.02);
  const Matrix explored = toy.agent.subgoals(Mode::explore);
  EXPECT_NEAR(explored.row(0).mean(), 5, 0.005);
  EXPECT_NEAR(deviation(explored.row(0)), 0.05, 0.003);
  EXPECT_NEAR(explored.row(1).mean(), 0.25, 0.005);
  EXPECT_NEAR(deviation(explored.row(1)), 0.05, 0.003);
  toy.agent.act(toy.now, toy.first, Mode::exploit, toy.action);
  EXPECT_EQ(toy.action.cwiseAbs().maxCoeff(), 0) << "an evaluation has none";
  expect_close(toy.agent.subgoals(Mode::exploit), matrix({{5}, {0.25}}).replicate(1, n), 1e-6);
}

// The first episode desires 9, the second 20. A quarter of the lanes then pursue 9 for two decisions, and after that
// what any stored decision desired. Sub-goals tell what is pursued: x is 10 tanh(g / 20).
TEST(Hiro, ExploresByGoalsOfOtherDecisions) {
  constexpr int n = 2000;
  HiroConfig c = toy_config();
  c.low.buffer_size = 14 * n;
  c.high.buffer_size = 6 * n;
  c.exploration_goals = {.episodes = 0.25, .decisions = 2};
  Toy toy(c, n), resumed(c, n);
  Matrix W = Matrix::Zero(2, 4);
  W(0, 3) = Scalar(0.05);
  set_state(toy.agent, "high/learner/pi/W0", W);
  set_state(toy.agent, "high/learner/pi/b0", Matrix::Zero(2, 1));
  const auto pursues = [](const Toy& t, Mode mode, Scalar goal) {
    return ((t.agent.points(mode).row(0).array() - 10 * std::tanh(goal / 20)).abs() < Scalar(1e-4)).eval();
  };
  const auto step = [](Toy& t, int i) {
    t.move(Matrix::Zero(3, n), -1, {}, std::vector<std::uint8_t>(n, std::uint8_t(i == 6)));
  };
  for (int t = 0; t < 7; ++t) {
    step(toy, t);
    EXPECT_TRUE(pursues(toy, Mode::explore, 9).all()) << "there is no other yet";
  }
  toy.now.desired.setConstant(20);
  step(toy, 0);
  const auto exploring = pursues(toy, Mode::explore, 9);
  EXPECT_NEAR(exploring.count(), 0.25 * n, 4 * std::sqrt(0.25 * 0.75 * n));
  EXPECT_TRUE((exploring || pursues(toy, Mode::explore, 20)).all());
  for (int t = 1; t < 6; ++t) {
    step(toy, t);
    EXPECT_TRUE((pursues(toy, Mode::explore, 9) == exploring).all()) << "step " << t;
    toy.agent.act(toy.now, toy.first, Mode::exploit, toy.action);
    EXPECT_TRUE(pursues(toy, Mode::exploit, 20).all()) << "an evaluation pursues its own";
    if (t != 4) continue;
    resumed.now = toy.now;
    resumed.first = toy.first;
    restore(resumed.agent, snapshot(toy.agent));
  }
  step(toy, 6);  // stored so far: three decisions for 9 and two for 20, of each lane
  const auto drawn = pursues(toy, Mode::explore, 9);
  EXPECT_FALSE((drawn && !exploring).any());
  const double k = double(exploring.count());
  EXPECT_NEAR(double(drawn.count()), 0.6 * k, 4 * std::sqrt(0.6 * 0.4 * k));
  const SegmentBuffer& segments = toy.agent.segments();
  ASSERT_EQ(segments.size(), 6 * n);
  for (Index i = 0; i < segments.size(); ++i)
    EXPECT_EQ(segments.at(i).desired()(0), i < 3 * n ? 9 : 20) << "what is learned from is the task's own";
  for (const int t : {5, 6}) step(resumed, t);
  EXPECT_EQ(resumed.agent.points(Mode::explore), toy.agent.points(Mode::explore)) << "after a checkpoint";
}

TEST(Hiro, AnEvaluationHasSubgoalsOfItsOwn) {
  Toy toy(toy_config(), 2);
  toy.move(matrix({{1, 2}, {0, 0}, {0.5, 1}}));
  const Matrix points = toy.agent.points(Mode::explore);
  ObsBatch obs{Matrix::Ones(3, 5), Matrix::Zero(1, 5), Matrix::Zero(1, 5)};
  Matrix action(1, 5);
  const std::vector<std::uint8_t> begin(5, 1), go_on(5, 0);
  for (int t = 0; t < 4; ++t) {
    toy.agent.act(obs, t == 0 ? begin : go_on, Mode::exploit, action);
    obs.obs.row(0).array() += 1;
    EXPECT_EQ(toy.agent.points(Mode::exploit).cols(), 5);
    EXPECT_NEAR(toy.agent.points(Mode::exploit)(0, 3), t < 3 ? 6 : 9, 1e-5);
  }
  EXPECT_EQ(toy.agent.points(Mode::explore), points);
  toy.move(matrix({{2, 3}, {0, 0}, {1, 1}}));
  EXPECT_EQ(toy.agent.points(Mode::explore), points);
}

TEST(Hiro, TellsThePointAimedAtAsAnObservation) {
  Toy toy(toy_config());
  toy.move(matrix({{1}, {7}, {2}}));
  Vector target(3);
  toy.agent.subgoal(Mode::explore, 0, target);
  EXPECT_NEAR(target(0), 5, 1e-5);
  EXPECT_TRUE(std::isnan(target(1))) << "nothing is asked of it";
  EXPECT_NEAR(target(2), 0.25, 1e-5);
}

TEST(Hiro, ASegmentHoldsStatesActionsAndTheSumOfRewards) {
  Toy toy(toy_config());
  toy.segment(1, 0.5, {Scalar(0.1), Scalar(0.2), Scalar(0.3)});
  ASSERT_EQ(toy.agent.segments().size(), 1);
  const Segment segment = toy.agent.segments().at(0);
  EXPECT_EQ(segment.length(), 3);
  expect_close(segment.obs(), matrix({{0, 1, 2, 3}, {0, 7, 7, 7}, {0, 0.5, 1, 1.5}}), 1e-6);
  expect_close(segment.actions(), matrix({{0.1, 0.2, 0.3}}), 1e-6);
  expect_close(segment.subgoal(), matrix({{5}, {0.25}}), 1e-6);
  EXPECT_EQ(segment.reward(), -3);
  EXPECT_EQ(segment.terminated(), 0);
  EXPECT_EQ(segment.desired()(0), 9);
  const Batch& b = toy.agent.sample_high();
  expect_close(b.s.col(0), matrix({{0}, {0}, {0}, {9}}), 1e-6);
  expect_close(b.s2.col(0), matrix({{3}, {7}, {1.5}, {9}}), 1e-6);
  EXPECT_NEAR(b.r(0, 0), -0.3, 1e-6);
}

// In their own units: actions in ±2, sub-goals in ±10 and ±0.5.
TEST(Hiro, EachLevelExploresWithNoiseInTheUnitOfItsActions) {
  constexpr int lanes = 4000;
  HiroConfig c = toy_config();
  c.low.buffer_size = 7 * lanes;
  c.low.exploration_noise = Scalar(0.5);
  c.high.exploration_noise = Scalar(0.05);
  Toy toy(c, lanes);
  toy.agent.act(toy.now, toy.first, Mode::explore, toy.action);
  const auto expect_moments = [](const Matrix& x, double mean, double stddev) {
    EXPECT_NEAR(x.mean(), mean, 4 * stddev / std::sqrt(double(lanes)) + 1e-5);
    EXPECT_NEAR(std::sqrt((x.array() - Scalar(mean)).square().mean()), stddev, 4 * stddev / std::sqrt(2.0 * lanes));
  };
  expect_moments(toy.action, 0, 0.25);  // in units of the range: 0.5 of 2
  expect_moments(toy.agent.subgoals(Mode::explore).row(0), 5, 0.05);
  expect_moments(toy.agent.subgoals(Mode::explore).row(1), 0.25, 0.05);
  toy.agent.act(toy.now, toy.first, Mode::exploit, toy.action);
  EXPECT_TRUE(toy.action.isZero(0)) << "an evaluation has no noise";
  expect_close(toy.agent.subgoals(Mode::exploit), matrix({{5}, {0.25}}).replicate(1, lanes), 1e-6);
}

// gamma is the discount of c steps: of k steps it is gamma^(k/c), so that time is discounted alike however it is cut.
TEST(Hiro, ASegmentIsDiscountedForTheStepsThatItTook) {
  HiroConfig c = toy_config();  // c = 3
  c.correction.kind = Correction::none;
  td3_of(c.high).gamma = Scalar(0.5);
  td3_of(c.high).q.hidden = {};
  td3_of(c.high).target_noise = 0;
  for (const int steps : {1, 2, 3}) {
    for (const bool terminated : {false, true}) {
      Toy toy(c);
      for (int t = 1; t <= steps; ++t) {
        const bool last = t == steps;
        toy.move(matrix({{Scalar(t)}, {0}, {0}}), -2, {std::uint8_t(last && terminated)},
                 {std::uint8_t(last && !terminated)});
      }
      const Batch& b = toy.agent.sample_high();
      EXPECT_NEAR(b.discount(0, 0), terminated ? 0 : std::pow(0.5, steps / 3.0), 1e-6);
      // Q = 0 and Q' = 8: y = 0.1 (-2 steps) + 0.5^(steps/3) 8, and the loss is 2 y².
      for (const char* q : {"q1", "q2", "q1_target", "q2_target"}) {
        const std::string name = std::string("high/learner/") + q;
        set_state(toy.agent, name + "/W0", Matrix::Zero(1, 6));
        set_state(toy.agent, name + "/b0", Matrix::Constant(1, 1, name.ends_with("target") ? 8 : 0));
      }
      const double y = -0.2 * steps + (terminated ? 0 : std::pow(0.5, steps / 3.0) * 8);
      Rng rng(1);
      EXPECT_NEAR(dynamic_cast<Td3&>(toy.agent.high()).critic_loss(b, rng).item(), 2 * y * y, 1e-4) << steps;
    }
  }
}

TEST(Hiro, AnEpisodesLastSegmentIsKeptWithItsLengthOrDropped) {
  for (const ShortSegments kind : {ShortSegments::keep, ShortSegments::drop}) {
    HiroConfig c = toy_config();
    c.short_segments = kind;
    Toy toy(c);
    toy.segment(1, 0, {0, 0}, true);
    ASSERT_EQ(toy.agent.segments().size(), kind == ShortSegments::keep ? 1 : 0);
    toy.segment(1, 0, {0, 0, 0}, true);  // as long as any other: kept
    ASSERT_EQ(toy.agent.segments().size(), kind == ShortSegments::keep ? 2 : 1);
    if (kind == ShortSegments::drop) continue;
    const Segment segment = toy.agent.segments().at(0);
    EXPECT_EQ(segment.length(), 2);
    expect_close(segment.last_obs(), matrix({{2}, {7}, {0}}), 1e-6);
    EXPECT_TRUE(segment.obs().col(3).isZero()) << "rows of an earlier segment are left";
    EXPECT_EQ(segment.reward(), -2);
  }
}

TEST(Hiro, TimeLimitsEndNeitherTaskAndTaskEndsBoth) {
  for (const bool terminated : {false, true}) {
    for (const bool low_too : {false, true}) {
      HiroConfig c = toy_config();
      c.task_end_ends_low = low_too;
      Toy toy(c);
      const std::vector<std::uint8_t> yes = {1}, no = {0};
      toy.move(matrix({{1}, {0}, {0}}), -1, terminated ? yes : no, terminated ? no : yes);
      EXPECT_EQ(toy.agent.segments().at(0).terminated(), terminated);
      EXPECT_EQ(toy.agent.sample_high().discount(0, 0) == 0, terminated);
      EXPECT_EQ(toy.agent.sample_low().discount(0, 0) == 0, terminated && low_too);
    }
  }
}

TEST(Hiro, TheLowLevelLearnsFromTransitionsOfItsOwn) {
  HiroConfig c = toy_config();
  c.low.reward_scale = Scalar(0.5);
  Toy toy(c);
  toy.agent.act(toy.now, toy.first, Mode::explore, toy.action);
  toy.action(0, 0) = Scalar(0.75);
  toy.take(matrix({{2}, {7}, {1}}), -1, {}, {});
  const Batch& b = toy.agent.sample_low();
  expect_close(b.s.col(0), matrix({{0}, {0}, {0}, {5}, {0.25}}), 1e-6);
  expect_close(b.s2.col(0), matrix({{2}, {7}, {1}, {3}, {-0.75}}), 1e-6);
  EXPECT_NEAR(b.a(0, 0), 0.75, 1e-6);
  EXPECT_NEAR(b.r(0, 0), -0.5 * std::sqrt(3 * 3 + 0.75 * 0.75), 1e-5);
  EXPECT_EQ(b.discount(0, 0), td3_of(c.low).gamma);
}

TEST(Hiro, AcrossADecisionTheNextSubgoalIsTheOldOneOrTheNewOne) {
  for (const NextSubgoal kind : {NextSubgoal::transition, NextSubgoal::decision}) {
    HiroConfig c = toy_config();
    c.c = 1;
    c.next_subgoal = kind;
    Toy toy(c);
    toy.move(matrix({{2}, {0}, {0}}));
    EXPECT_EQ(toy.agent.transitions().size(), kind == NextSubgoal::transition ? 1 : 0);
    toy.move(matrix({{4}, {0}, {0}}), 0, {}, {1});
    EXPECT_EQ(toy.agent.transitions().size(), 2) << "the end of an episode is stored at once";
    bool seen = false;
    for (int i = 0; i < 20; ++i) {
      const Batch& b = toy.agent.sample_low();
      for (Index j = 0; j < b.size(); ++j) {
        if (b.s(0, j) != 0) continue;
        seen = true;
        EXPECT_NEAR(b.s2(3, j), kind == NextSubgoal::transition ? 3 : 5, 1e-5);  // of 5, 2 are done
        EXPECT_NEAR(b.r(0, j), -std::sqrt(9 + 0.0625), 1e-5) << "the reward is of the old one";
      }
    }
    EXPECT_TRUE(seen);
  }
}

TEST(Hiro, HidesNumbersFromTheLowLevelOnlyAndShowsPoints) {
  HiroConfig c = toy_config();
  c.hidden_from_low = {0};
  c.subgoal_input = SubgoalInput::point;
  Toy toy(c);
  toy.set_low(matrix({{0.5, 0, 0, 0.01, 0}}));
  toy.now.obs = matrix({{3}, {1}, {1}});
  toy.move(matrix({{4}, {2}, {2}}));
  EXPECT_NEAR(toy.action(0, 0), std::tanh(0.01 * 8), 1e-6);  // x = 3 is not seen, the point 3 + 5 is
  const Batch& b = toy.agent.sample_low();
  expect_close(b.s.col(0), matrix({{0}, {1}, {1}, {8}, {1.25}}), 1e-6);
  expect_close(b.s2.col(0), matrix({{0}, {2}, {2}, {8}, {1.25}}), 1e-6);
  toy.move(matrix({{4}, {2}, {2}}), 0, {}, {1});
  EXPECT_EQ(toy.agent.sample_high().s(0, 0), 3);
}

TEST(Hiro, ReachedSubgoalsEndTheLowLevelsTaskOrTheSegmentIfAsked) {
  for (const AtSubgoal kind : {AtSubgoal::go_on, AtSubgoal::end, AtSubgoal::end_segment}) {
    HiroConfig c = toy_config();
    c.intrinsic = {.reward = IntrinsicReward::mean_square, .reached = 0.01, .at_subgoal = kind};
    Toy toy(c);
    toy.move(matrix({{5}, {0}, {0.25}}));  // exactly there
    const Batch& b = toy.agent.sample_low();
    EXPECT_NEAR(b.r(0, 0), 0, 1e-6);
    EXPECT_EQ(b.discount(0, 0), kind == AtSubgoal::go_on ? td3_of(c.low).gamma : 0);
    EXPECT_EQ(toy.agent.segments().size(), kind == AtSubgoal::end_segment ? 1 : 0);
    toy.move(matrix({{6}, {0}, {0.25}}));
    EXPECT_NEAR(toy.agent.points(Mode::explore)(0, 0), kind == AtSubgoal::end_segment ? 10 : 5, 1e-5);
  }
}

// ---- off-policy correction ------------------------------------------------------------------------------------------

TEST(HiroCorrection, CandidatesAreTheGivenTheReachedAndDrawsAroundIt) {
  HiroConfig c = toy_config();
  c.correction.candidates = 1000;
  c.correction.clip = false;
  c.high.batch_size = 1;
  Toy toy(c);
  toy.segment(1, 2, {0, 0, 0});
  toy.agent.sample_high();
  const Matrix& g = toy.agent.candidates();
  expect_close(g.col(0), matrix({{5}, {0.25}}), 1e-6);
  expect_close(g.col(1), matrix({{3}, {6}}), 1e-6);  // from (0, 0) to s_{t+c} = (3, 6)
  const Matrix draws = g.rightCols(998);
  const Vector mean = draws.rowwise().mean();
  EXPECT_NEAR(mean(0), 3, 4 * 5 / std::sqrt(998.0));
  EXPECT_NEAR(mean(1), 6, 4 * 0.25 / std::sqrt(998.0));
  for (Index d = 0; d < 2; ++d) {
    const double variance = (draws.row(d).array() - mean(d)).square().mean();
    EXPECT_NEAR(std::sqrt(variance), d == 0 ? 5 : 0.25, d == 0 ? 0.5 : 0.025);  // half of the limits
  }
}

TEST(HiroCorrection, CutsCandidatesToTheLimits) {
  Toy toy(toy_config());
  toy.segment(1, 2, {0, 0, 0});
  toy.agent.sample_high();
  const Matrix& g = toy.agent.candidates();
  expect_close(g.col(1), matrix({{3}, {0.5}}), 1e-6);
  EXPECT_LE(g.row(0).cwiseAbs().maxCoeff(), 10);
  EXPECT_LE(g.row(1).cwiseAbs().maxCoeff(), Scalar(0.5));
}

// With a = tanh(g_x / 10) the score of a candidate g is −½ Σᵢ (aᵢ − tanh((g_x − xᵢ) / 10))², xᵢ = 0, 1, 2.
TEST(HiroCorrection, TakesTheCandidateThatMakesTheActionsLikeliest) {
  const auto mu = [](double g, int i) { return std::tanh((g - i) / 10); };
  // The policy was heading for 3, and reached it; then for the 5 that it was given; then it did nothing of the kind.
  const std::vector<std::vector<double>> aims = {{3, 3, 3}, {5, 5, 5}, {4, -8, 2}};
  for (const auto& aim : aims) {
    SCOPED_TRACE(testing::PrintToString(aim));
    Toy one(toy_config());
    one.set_low(matrix({{0, 0, 0, 0.1, 0}}));
    std::vector<Scalar> actions;
    for (int i = 0; i < 3; ++i) actions.push_back(Scalar(mu(aim[static_cast<std::size_t>(i)], i)));
    one.segment(1, 0.1, actions);
    const Batch& b = one.agent.sample_high();
    const Matrix& g = one.agent.candidates();
    for (Index j = 0; j < b.size(); ++j) {
      Index best = -1;
      double best_score = -1e9;
      for (Index n = 10 * j; n < 10 * j + 10; ++n) {
        double score = 0;
        for (int i = 0; i < 3; ++i) {
          const double error = actions[static_cast<std::size_t>(i)] - mu(g(0, n), i);
          score -= error * error / 2;
        }
        EXPECT_NEAR(one.agent.scores()(0, n), score, 1e-6);
        if (score > best_score) {
          best = n;
          best_score = score;
        }
      }
      if (&aim == &aims[0]) {
        EXPECT_EQ(best, 10 * j + 1);
      } else if (&aim == &aims[1]) {
        EXPECT_EQ(best, 10 * j);
      }
      EXPECT_NEAR(b.a(0, j), g(0, best) / 10, 1e-6);
      EXPECT_NEAR(b.a(1, j), g(1, best) / 0.5, 1e-6);
    }
  }
}

// Whatever the number of steps by which candidates are dropped, the choice and its score are the same bits.
TEST(HiroCorrection, DroppingCandidatesEarlyChangesNoChoice) {
  HiroConfig c = toy_config();
  c.c = 6;
  c.high.batch_size = 40;
  c.high.updates = 1;
  std::vector<Matrix> chosen;
  std::vector<double> rolled;
  for (const int first_steps : {6, 1, 2, 3, 5, 100}) {
    c.correction.first_steps = first_steps;
    Toy toy(c);
    toy.set_low(matrix({{0.2, -0.1, 0.3, 0.1, 2}}));
    Rng rng(5);
    for (int n = 0; n < 30; ++n) {
      std::vector<Scalar> actions;
      for (int i = 0; i < 1 + n % 6; ++i) actions.push_back(rng.uniform() * 2 - 1);
      toy.segment(rng.normal(), Scalar(0.1) * rng.normal(), actions, true);
    }
    Matrix all(2, 0);  // of several batches: what one leaves behind must not enter the scores of the next
    for (int n = 0; n < 5; ++n) {
      const Matrix a = toy.agent.sample_high().a;
      all.conservativeResize(2, all.cols() + a.cols());
      all.rightCols(a.cols()) = a;
    }
    chosen.push_back(all);
    rolled.push_back(toy.agent.correction().rolled());
    EXPECT_TRUE(same_bits(chosen.back(), chosen.front())) << first_steps << " first steps";
  }
  EXPECT_EQ(rolled.front(), 1);
  EXPECT_EQ(rolled.back(), 1);
  for (const std::size_t i : {1, 2, 3}) EXPECT_LT(rolled[i], 0.98) << "nothing was dropped";
}

// Candidates scored in bfloat16 are as good as the best ones but for the rounding, most often the same, and the same
// whatever the number of steps by which candidates are dropped.
TEST(HiroCorrection, ScoringInBfloat16ChoosesAmongNearlyEqualCandidates) {
  if (!has_precision(Precision::bfloat16)) GTEST_SKIP() << "this processor has no bfloat16 products";
  HiroConfig c = toy_config();
  c.c = 10;
  c.high.batch_size = 40;
  c.low.exploration_noise = 1;
  td3_of(c.low).pi.hidden = {64, 64};
  struct Choice {
    Matrix candidates, scores, actions;
  };
  const auto choose = [&](Scoring scoring, int first_steps) {
    c.correction.scoring = scoring;
    c.correction.first_steps = first_steps;
    Hiro agent(toy_spec(), c, 1, Rng(4));
    ObsBatch now = {Matrix::Zero(3, 1), Matrix::Zero(1, 1), Matrix::Constant(1, 1, 9)};
    const std::vector<std::uint8_t> no(1);
    StepBatch step = {now, Matrix::Zero(1, 1), Matrix::Zero(1, 1), no, no, no, no, now};
    Rng rng(6);
    for (int t = 0; t < 700; ++t) {
      agent.act(step.before, {std::uint8_t(t % 7 == 0)}, Mode::explore, step.action);
      for (Index i = 0; i < 3; ++i) step.after.obs(i, 0) += rng.normal();
      step.truncated[0] = t % 7 == 6;
      agent.observe(step);
      step.before = step.after;
    }
    const Batch& batch = agent.sample_high();
    return Choice{agent.candidates(), agent.scores(), batch.a};
  };
  const Choice exact = choose(Scoring::as_training, 10), rounded = choose(Scoring::bfloat16, 10);
  EXPECT_TRUE(same_bits(choose(Scoring::bfloat16, 3).actions, rounded.actions));
  ASSERT_TRUE(same_bits(exact.candidates, rounded.candidates));
  EXPECT_FALSE(same_bits(exact.scores, rounded.scores)) << "nothing was rounded";
  EXPECT_TRUE(same_bits(exact.scores, choose(Scoring::as_training, 10).scores)) << "other products are rounded, too";
  {
    const PrecisionScope training(Precision::bfloat16);
    EXPECT_TRUE(same_bits(rounded.scores, choose(Scoring::as_training, 10).scores));
  }
  Index equal = 0;
  for (Index j = 0; j < 40; ++j) {
    const auto best_of = [&](const Matrix& scores) {
      Index best = 0;
      scores.middleCols(j * 10, 10).row(0).maxCoeff(&best);
      return j * 10 + best;
    };
    const Index best = best_of(exact.scores), chosen = best_of(rounded.scores);
    equal += best == chosen;
    // An error e of each action changes a score S by up to e |sum of the differences|, that is e sqrt(2 |S| steps).
    EXPECT_GE(exact.scores(0, chosen),
              exact.scores(0, best) - 2 * Scalar(0.01) * std::sqrt(2 * -exact.scores(0, chosen) * 7));
  }
  EXPECT_GE(equal, 30);
}

TEST(HiroCorrection, AShortSegmentIsScoredOverItsOwnSteps) {
  Toy toy(toy_config());
  toy.set_low(matrix({{0, 0, 0, 0.1, 0}}));
  toy.segment(1, 0.1, {Scalar(std::tanh(0.2)), Scalar(std::tanh(0.1))}, true);  // heading for 2, two steps
  toy.agent.sample_high();
  EXPECT_NEAR(toy.agent.candidates()(0, 1), 2, 1e-6);
  EXPECT_NEAR(toy.agent.scores()(0, 1), 0, 1e-9);
  // Heading for the 5 that it was given, it would have done so; a third step, from 2, is none of the segment's.
  EXPECT_NEAR(toy.agent.candidates()(0, 0), 5, 1e-6);
  const double first = std::tanh(0.2) - std::tanh(0.5), second = std::tanh(0.1) - std::tanh(0.4);
  EXPECT_NEAR(toy.agent.scores()(0, 0), -(first * first + second * second) / 2, 1e-6);
}

TEST(HiroCorrection, LooksAtWhatTheLowLevelSees) {
  HiroConfig c = toy_config();
  c.hidden_from_low = {0};
  Toy toy(c);
  toy.set_low(matrix({{0.5, 0, 0, 0, 0}}));
  toy.segment(1, 0, {0, 0, 0});
  toy.agent.sample_high();
  EXPECT_TRUE(toy.agent.scores().isZero()) << "x is not hidden";
}

TEST(HiroCorrection, Ablations) {
  HiroConfig c = toy_config();
  c.correction.kind = Correction::none;
  Toy none(c);
  none.segment(1, 0.1, {0, 0, 0});
  expect_close(none.agent.sample_high().a.col(0), matrix({{0.5}, {0.5}}), 1e-6);
  EXPECT_EQ(none.agent.candidates().size(), 0);

  c.correction = {.kind = Correction::one_draw, .stddev = 0.1, .clip = false};
  c.high.batch_size = 1000;
  Toy one(c);
  one.segment(1, 0.1, {0, 0, 0});
  const Matrix a = one.agent.sample_high().a;
  const Vector mean = a.rowwise().mean();
  EXPECT_NEAR(mean(0), 0.3, 0.015);  // reached (3, 0.3) in units of (10, 0.5)
  EXPECT_NEAR(mean(1), 0.6, 0.015);
  for (Index d = 0; d < 2; ++d) EXPECT_NEAR(std::sqrt((a.row(d).array() - mean(d)).square().mean()), 0.1, 0.01);
}

TEST(HiroRelabeling, TheLowLevelsSubgoalsBecomeTheWayToOtherStates) {
  HiroConfig c = toy_config();
  c.low_relabeled = 1;
  c.low_relabel_stddev = 0;
  c.low.batch_size = 20;
  Toy toy(c);
  for (int t = 1; t <= 6; ++t) toy.move(matrix({{Scalar(t * t)}, {0}, {Scalar(-t)}}));
  const Batch& b = toy.agent.sample_low();
  for (Index j = 0; j < b.size(); ++j) {
    bool found = false;
    for (Index k = 0; k < b.size(); ++k)
      found = found || (k != j && std::abs(b.s(0, j) + b.s(3, j) - b.s(0, k)) < 1e-5 &&
                        std::abs(b.s(2, j) + b.s(4, j) - b.s(2, k)) < 1e-5);
    EXPECT_TRUE(found) << "column " << j;
    EXPECT_NEAR(b.s2(3, j), b.s(0, j) + b.s(3, j) - b.s2(0, j), 1e-5);
    EXPECT_NEAR(b.s2(4, j), b.s(2, j) + b.s(4, j) - b.s2(2, j), 1e-5);
    EXPECT_NEAR(b.r(0, j), -std::hypot(b.s2(3, j), b.s2(4, j)), 1e-5);
  }
}

// ---- when levels learn ----------------------------------------------------------------------------------------------

std::uint64_t hash_of(Hiro& agent, const std::string& begin) {
  Snapshot state = snapshot(agent);
  std::erase_if(state, [&](const StateEntry& e) { return !e.name.starts_with(begin); });
  EXPECT_FALSE(state.empty());
  return hash(state);
}
std::uint64_t updates_of(Hiro& agent, const std::string& level) {
  for (const StateEntry& e : snapshot(agent))
    if (e.name == level + "/learner/updates") {
      std::uint64_t n;
      std::memcpy(&n, e.bytes.data(), sizeof n);
      return n;
    }
  return 0;
}

// Two episodes of 7 steps in which the achieved goal is 1, 2, ... 7 after the steps, and 101, 102, ... 107; c = 3, so
// that their segments begin at 0, 3, 6, and at 100, 103, 106. Observations have the achieved goal as x.
struct Walked {
  EnvSpec spec = toy_spec();
  HiroConfig config = toy_config();
  bool failed = false;      // each episode ends in a failure
  Scalar second_goal = 50;  // desired in the second episode; 50 in the first

  Walked() {
    spec.goal.reward = &minus_distance;
    config.high.batch_size = 600;
    config.high_relabeled = 1;
    config.correction.kind = Correction::none;
  }
  std::unique_ptr<Hiro> agent() const {
    auto hiro = std::make_unique<Hiro>(spec, config, 1, Rng(3));
    for (const Scalar start : {0, 100})
      for (int t = 0; t < 7; ++t) {
        const auto at = [&](int k) {
          Matrix obs = Matrix::Zero(3, 1);
          obs(0, 0) = start + Scalar(k);
          return ObsBatch{obs, Matrix::Constant(1, 1, start + Scalar(k)),
                          Matrix::Constant(1, 1, start > 0 ? second_goal : Scalar(50))};
        };
        StepBatch step = {at(t),
                          Matrix::Zero(1, 1),
                          Matrix::Constant(1, 1, -1000),
                          {std::uint8_t(failed && t == 6)},
                          {std::uint8_t(t == 6)},
                          {0},
                          {std::uint8_t(failed && t == 6)},
                          at(t + 1)};
        hiro->act(step.before, {std::uint8_t(t == 0)}, Mode::explore, step.action);
        hiro->observe(step);
      }
    return hiro;
  }
};

TEST(HiroRelabeling, TheHighLevelsGoalsBecomeThoseAchievedLaterInTheEpisode) {
  const Walked walked;
  const auto agent = walked.agent();
  const Batch& b = agent->sample_high();
  std::set<std::pair<int, int>> seen;
  for (Index j = 0; j < b.size(); ++j) {
    const int from = int(b.s(0, j)), to = int(b.s2(0, j)), goal = int(b.s(3, j));
    seen.insert({from, goal});
    EXPECT_EQ(to, from % 100 == 6 ? from + 1 : from + 3);
    EXPECT_EQ(b.s2(3, j), Scalar(goal));
    EXPECT_GT(goal, from);
    EXPECT_LE(goal, from / 100 * 100 + 7);
    Scalar reward = 0;
    for (int k = from + 1; k <= to; ++k) reward -= Scalar(0.1) * Scalar(std::abs(k - goal));
    EXPECT_NEAR(b.r(0, j), reward, 1e-5);
    EXPECT_NEAR(b.discount(0, j), to - from == 3 ? 0.99 : std::pow(0.99, 1.0 / 3), 1e-6);
  }
  EXPECT_EQ(seen.size(), 2u * (7 + 4 + 1)) << "every goal that was achieved later is drawn";
}

TEST(HiroRelabeling, AGoalThatEndsTheTaskEndsTheSegment) {
  Walked walked;
  walked.spec.goal.ends_at_goal = true;
  walked.spec.goal.radius = Scalar(0.5);
  const auto agent = walked.agent();
  const Batch& b = agent->sample_high();
  for (Index j = 0; j < b.size(); ++j) {
    const int from = int(b.s(0, j)), goal = int(b.s(3, j)), last = from % 100 == 6 ? from + 1 : from + 3;
    EXPECT_EQ(int(b.s2(0, j)), std::min(goal, last));
    EXPECT_EQ(b.discount(0, j) == 0, goal <= last);
  }
}

TEST(HiroRelabeling, AFailureKeepsItsGoalAndAShareKeepsTheirs) {
  Walked walked;
  walked.failed = true;
  walked.config.high_relabeled = 0.8;
  const auto agent = walked.agent();
  const Batch& b = agent->sample_high();
  double kept = 0, others = 0;
  for (Index j = 0; j < b.size(); ++j) {
    if (int(b.s(0, j)) % 100 == 6) {
      EXPECT_EQ(b.s(3, j), 50);
      EXPECT_EQ(b.r(0, j), -100);
      EXPECT_EQ(b.discount(0, j), 0);
    } else {
      ++others;
      kept += b.s(3, j) == 50;
    }
  }
  EXPECT_NEAR(kept / others, 0.2, 4 * std::sqrt(0.2 * 0.8 / others));
}

// Both episodes pursue 50 at first, the second 60 from here on: a decision that pursued one learns about the other,
// too.
TEST(HiroRelabeling, TheHighLevelsGoalsBecomeThoseOfOtherDecisions) {
  Walked walked;
  walked.config.high_relabeled = 0.25;
  walked.config.high_desired_goals = 0.5;
  walked.second_goal = 60;
  const auto agent = walked.agent();
  const Batch& b = agent->sample_high();
  std::map<std::pair<bool, int>, double> share;  // (of the second episode, goal)
  for (Index j = 0; j < b.size(); ++j) {
    const int from = int(b.s(0, j)), to = int(b.s2(0, j)), goal = int(b.s(3, j));
    const bool second = from >= 100, own = goal == (second ? 60 : 50), other = goal == (second ? 50 : 60);
    share[{second, own || other ? goal : 0}] += 1;
    EXPECT_EQ(b.s2(3, j), Scalar(goal));
    if (own && b.r(0, j) == Scalar(-100 * (to - from))) continue;  // as it was stored
    Scalar reward = 0;
    for (int k = from + 1; k <= to; ++k) reward -= Scalar(0.1) * Scalar(std::abs(k - goal));
    EXPECT_NEAR(b.r(0, j), reward, 1e-4) << from << " to " << goal;
  }
  for (const bool second : {false, true}) {
    const double n = share[std::pair{second, 0}] + share[std::pair{second, 50}] + share[std::pair{second, 60}];
    EXPECT_NEAR((share[std::pair{second, 0}]) / n, 0.25, 0.12) << "achieved later";
    EXPECT_NEAR((share[std::pair{second, second ? 50 : 60}]) / n, 0.25, 0.12)
        << "half of the desired goals are the other's";
  }
}

TEST(HiroRelabeling, SharesOfSubstitutedGoalsAddUpToOneAtMost) {
  Walked walked;
  walked.config.high_relabeled = 0.7;
  walked.config.high_desired_goals = 0.4;
  EXPECT_THROW_MESSAGE(
      walked.agent(), std::invalid_argument,
      "agent.hiro.high_relabeled = 0.7 and high_desired_goals = 0.4; expected shares that add up to at most 1");
}

// The oldest segments are overwritten; what follows a segment is found all the same, and from a saved state too.
TEST(SegmentBuffer, KnowsWhatFollowsInTheEpisode) {
  const SegmentShape shape = {.obs = 1, .action = 1, .desired = 1, .subgoal = 1, .steps = 2, .achieved = true};
  SegmentBuffer buffer(shape, 5, 2);
  const Vector zero = Vector::Zero(1);
  const auto add = [&](Index lane, bool first, Scalar number) {
    if (first) buffer.begin_episode(lane);
    buffer.begin_segment(lane, Vector::Constant(1, number), zero, zero);
    buffer.open(lane).set_length(1);
    buffer.add(lane);
  };
  const auto after = [&](Index i) { return buffer.at(buffer.next_of_episode(i)).first_obs()(0); };
  add(0, true, 0);
  add(1, true, 10);
  add(0, false, 1);
  add(0, false, 2);
  add(1, false, 11);
  EXPECT_EQ(after(0), 1);
  EXPECT_EQ(after(1), 11);
  EXPECT_EQ(after(2), 2);
  EXPECT_EQ(after(3), 2) << "the last one so far is followed by itself";
  add(0, false, 3);  // over 0
  add(1, true, 20);  // over 10
  EXPECT_EQ(after(3), 3);
  EXPECT_EQ(after(4), 11) << "another episode";
}

// A segment that is followed by an older one would make an endless walk.
TEST(SegmentBuffer, RefusesASavedEpisodeThatGoesInACircle) {
  const SegmentShape shape = {.obs = 1, .action = 1, .desired = 1, .subgoal = 1, .steps = 2, .achieved = true};
  SegmentBuffer buffer(shape, 5, 1);
  const Vector zero = Vector::Zero(1);
  for (int n = 0; n < 7; ++n) {
    buffer.begin_segment(0, zero, zero, zero);
    buffer.open(0).set_length(1);
    buffer.add(0);
  }
  SegmentBuffer other(shape, 5, 1);
  restore(other, snapshot(buffer));
  EXPECT_EQ(other.next_of_episode(0), 1);
  buffer.at(1).until_next() = 1;  // of the newest one
  EXPECT_THROW_MESSAGE(snapshot(buffer), std::runtime_error, "1 later; expected steps, and 0 to 0");
}

TEST(HiroLearning, EachLevelHasItsRateOfUpdates) {
  HiroConfig c = toy_config();
  c.high.updates = 0.1;
  c.low.updates = 2;
  Toy toy(c);
  Metrics metrics;
  toy.segment(1, 0, {0, 0, 0});
  for (int i = 0; i < 30; ++i) toy.agent.update(metrics);
  EXPECT_EQ(updates_of(toy.agent, "low"), 60u);
  EXPECT_EQ(updates_of(toy.agent, "high"), 3u);
  std::set<std::string> names;
  for (const Metrics::Slot& m : metrics) names.emplace(m.name());
  for (const char* name : {"lo/critic_loss", "lo/actor_loss", "lo/reward", "hi/critic_loss", "hi/actor_loss",
                           "hi/reward", "hi/kept_subgoals"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(HiroLearning, TheDocumentsNamesOfMetrics) {
  HiroConfig c = toy_config();
  c.low.learner = c.high.learner = "sac";
  sac_of(c.low).pi.hidden = sac_of(c.low).q.hidden = sac_of(c.high).pi.hidden = sac_of(c.high).q.hidden = {4};
  c.intrinsic.reached = 0.1;
  c.high.updates = 1;
  Hiro agent(toy_spec(), c, 1, Rng(1));
  Metrics metrics;
  Matrix action(1, 1);
  const Toy source(toy_config());
  ObsBatch now{Matrix::Zero(3, 1), Matrix::Zero(1, 1), Matrix::Zero(1, 1)};
  for (int t = 0; t < 4; ++t) {
    agent.act(now, {std::uint8_t(t == 0)}, Mode::explore, action);
    StepBatch step = source.step;
    step.before = step.after = now;
    step.action = action;
    agent.observe(step);
  }
  agent.update(metrics);
  std::set<std::string> names;
  for (const Metrics::Slot& m : metrics) names.emplace(m.name());
  for (const char* name :
       {"lo/alpha", "lo/suc_ratio", "lo/alpha_loss", "lo/learning_rate", "hi/alpha", "hi/critic_loss"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(HiroLearning, AFrozenLevelNeitherLearnsNorExplores) {
  for (const bool low : {true, false}) {
    HiroConfig c = toy_config();
    (low ? c.low : c.high).learns = Learns::never;
    c.low.exploration_noise = c.high.exploration_noise = 1;
    c.high.updates = 1;
    Toy toy(c);
    const std::string frozen = low ? "low/learner" : "high/learner", other = low ? "high/learner" : "low/learner";
    const std::uint64_t before = hash_of(toy.agent, frozen), other_before = hash_of(toy.agent, other);
    Metrics metrics;
    for (int t = 1; t < 8; ++t) {
      toy.move(matrix({{Scalar(t)}, {0}, {0}}));
      if (low) {
        EXPECT_EQ(toy.action(0, 0), 0) << "the low level explores";
      } else if (t <= 3) {
        EXPECT_NEAR(toy.agent.points(Mode::explore)(0, 0), 5, 1e-5) << "the high level explores";
      }
      toy.agent.update(metrics);
    }
    EXPECT_EQ(hash_of(toy.agent, frozen), before);
    EXPECT_NE(hash_of(toy.agent, other), other_before);
  }
}

std::vector<std::string> continuous_learners() {
  std::vector<std::string> names;
  for (const LearnerEntry& e : learners())
    if (e.action_kind == ActionSpace::Kind::continuous) names.push_back(e.name);
  EXPECT_GE(names.size(), 3u);
  return names;
}

// A target policy of random weights would tell the critic of actions that nobody takes.
TEST(HiroLearning, ALevelThatBeginsWithAPolicyHasItAsItsTargetPolicyToo) {
  for (const std::string& kind : continuous_learners()) {
    HiroConfig c = toy_config();
    for (LevelConfig* level : {&c.low, &c.high}) {
      level->learner = kind;
      level->policy = "a run";
    }
    Hiro earlier(toy_spec(), c, 1, Rng(1)), agent(toy_spec(), c, 1, Rng(2));
    const Snapshot critics = snapshot(agent);
    std::vector<WarmStart> wanted = agent.warm_starts();
    ASSERT_EQ(wanted.size(), 2u);
    for (const WarmStart& policy : wanted) {
      SnapshotVisitor there;
      (policy.part == "low" ? earlier.low() : earlier.high()).visit_policy(there);
      RestoreVisitor give(there.entries);
      policy.visit(give);
      const std::string learner = policy.part + "/learner/";
      int parameters = 0;
      for (const StateEntry& e : snapshot(earlier)) {
        if (!e.name.starts_with(learner + "pi/")) continue;
        ++parameters;
        const std::string name = e.name.substr(learner.size() + 3);
        const Vector expected = get_state(earlier, e.name);
        EXPECT_TRUE(same_bits(get_state(agent, e.name), expected)) << e.name;
        if (kind != "sac") {
          EXPECT_TRUE(same_bits(get_state(agent, learner + "pi_target/" + name), expected)) << e.name;
        }
      }
      EXPECT_GT(parameters, 0);
    }
    for (const StateEntry& e : critics) {
      if (e.name.find("/learner/q") == std::string::npos || e.name.find("_opt") != std::string::npos) continue;
      Vector before(static_cast<Index>(e.bytes.size() / sizeof(Scalar)));
      std::memcpy(before.data(), e.bytes.data(), e.bytes.size());
      EXPECT_TRUE(same_bits(get_state(agent, e.name), before)) << e.name << ": a policy has no critic";
    }
  }
}

TEST(HiroLearning, PretrainingGivesRandomSubgoalsAndTheHighLevelWaits) {
  HiroConfig c = toy_config();
  c.pretraining = {.episodes = 2, .low = 0.1, .high = 0.2};
  c.low.learns = Learns::pretraining;
  c.high.updates = 1;
  Toy toy(c);
  const std::uint64_t high = hash_of(toy.agent, "high/learner");
  Metrics metrics;
  int negative = 0;
  for (int t = 0; t < 14; ++t) {  // two episodes of seven steps: decisions at 0, 3, 6
    EXPECT_TRUE(toy.agent.pretraining());
    toy.move(Matrix::Zero(3, 1), 0, {}, {std::uint8_t(t % 7 == 6)});
    const Vector g = toy.agent.subgoals(Mode::explore);
    for (Index d = 0; d < 2; ++d) {
      EXPECT_GE(std::abs(g(d)), Scalar(0.1));
      EXPECT_LE(std::abs(g(d)), Scalar(0.2));
      negative += g(d) < 0;
    }
    toy.agent.update(metrics);
  }
  EXPECT_GT(negative, 0);
  EXPECT_LT(negative, 28);
  EXPECT_EQ(toy.agent.segments().size(), 0);
  EXPECT_EQ(hash_of(toy.agent, "high/learner"), high);
  EXPECT_EQ(updates_of(toy.agent, "low"), 14u);
  for (int t = 0; t < 4; ++t) {
    toy.move(Matrix::Zero(3, 1));
    toy.agent.update(metrics);
    EXPECT_FALSE(toy.agent.pretraining());
    EXPECT_EQ(updates_of(toy.agent, "low"), 14u) << "it learns after pre-training";
  }
  EXPECT_GT(updates_of(toy.agent, "high"), 0u);
}

TEST(HiroLearning, StartsWhenItIsSaid) {
  HiroConfig c = toy_config();
  c.learning_starts = 3;
  Toy toy(c);
  for (int t = 0; t < 3; ++t) {
    EXPECT_FALSE(toy.agent.ready());
    toy.move(Matrix::Zero(3, 1));
  }
  EXPECT_TRUE(toy.agent.ready());
}

TEST(HiroLearning, ActionsOfOthersAreRememberedWithSubgoals) {
  Toy toy(toy_config());
  for (int t = 0; t < 3; ++t) {  // act is not called: the loop's random actions
    toy.action(0, 0) = Scalar(0.1 * (t + 1));
    toy.take(matrix({{Scalar(t + 1)}, {0}, {0}}), -1, {}, {});
  }
  ASSERT_EQ(toy.agent.segments().size(), 1);
  expect_close(toy.agent.segments().at(0).actions(), matrix({{0.1, 0.2, 0.3}}), 1e-6);
  expect_close(toy.agent.segments().at(0).subgoal(), matrix({{5}, {0.25}}), 1e-6);
}

TEST(HiroLearning, AnyTwoLearnersWork) {
  for (const std::string& low : continuous_learners()) {
    for (const std::string& high : continuous_learners()) {
      HiroConfig c = toy_config();
      c.low.learner = low;
      c.high.learner = high;
      c.high.updates = 1;
      VectorEnv env(make_point_reach, 2, Rng(1));
      c.subgoal = {.dims = {0, 1}, .limits = {1, 1}};
      c.low.buffer_size = 200;
      Hiro agent(env.spec(), c, 2, Rng(2));
      Matrix action(2, 2);
      Metrics metrics;
      for (int t = 0; t < 8; ++t) {
        agent.act(env.obs(), env.first(), Mode::explore, action);
        EXPECT_LE(action.cwiseAbs().maxCoeff(), 1);
        agent.observe(env.step(action));
        agent.update(metrics);
      }
      EXPECT_FALSE(std::isnan(metrics.mean("hi/critic_loss", NAN)));
    }
  }
}

// ---- settings -------------------------------------------------------------------------------------------------------

TEST(HiroSettings, WhatIsWrongIsASentence) {
  const auto problem = [](auto change) {
    HiroConfig c = toy_config();
    change(c);
    return hiro_problem(c, toy_spec(), 2);
  };
  EXPECT_EQ(problem([](HiroConfig&) {}), "");
  EXPECT_EQ(problem([](HiroConfig& c) { c.subgoal.limits = {1}; }),
            "agent.hiro.subgoal.dims holds 2 indices, but subgoal.limits 1 numbers; expected equally many, and at "
            "least one");
  EXPECT_EQ(problem([](HiroConfig& c) {
              c.subgoal.dims = {0, 3};
            }),
            "agent.hiro.subgoal.dims holds 3, but an observation of Toy has 3 numbers; expected 0 to 2");
  EXPECT_EQ(problem([](HiroConfig& c) {
              c.subgoal.dims = {1, 1};
            }),
            "agent.hiro.subgoal.dims holds 1 more than once; expected different numbers");
  EXPECT_EQ(problem([](HiroConfig& c) {
              c.subgoal.limits = {1, 0};
            }),
            "agent.hiro.subgoal.limits holds 0; expected positive numbers");
  EXPECT_EQ(problem([](HiroConfig& c) { c.hidden_from_low = {4}; }),
            "agent.hiro.hidden_from_low holds 4, but an observation of Toy has 3 numbers; expected 0 to 2");
  EXPECT_EQ(problem([](HiroConfig& c) { c.exploration_goals.episodes = 0.5; }), "");
  EnvSpec without_goal = toy_spec();
  without_goal.goal = {};
  HiroConfig exploring = toy_config();
  exploring.exploration_goals.episodes = 0.5;
  EXPECT_EQ(hiro_problem(exploring, without_goal, 2),
            "agent.hiro.exploration_goals.episodes = 0.5, but Toy has no goals; expected 0");
  EXPECT_EQ(problem([](HiroConfig& c) { c.low.buffer_size = 13; }),
            "agent.hiro.low.buffer_size = 13 over 2 parallel environments holds no whole episode of 7 steps; expected "
            "at least 14");
  EXPECT_EQ(problem([](HiroConfig& c) { c.intrinsic.at_subgoal = AtSubgoal::end; }),
            "agent.hiro.intrinsic.at_subgoal = \"end\", but intrinsic.reached = 0 disables reaching; expected "
            "intrinsic.reached > 0");
  EXPECT_EQ(problem([](HiroConfig& c) { c.low.learns = Learns::pretraining; }),
            "agent.hiro.low.learns = \"pretraining\", but pretraining.episodes = 0; expected some episodes");
  EXPECT_EQ(problem([](HiroConfig& c) { c.high.learns = Learns::pretraining; }),
            "agent.hiro.high.learns = \"pretraining\", but the high level does not learn during pre-training; expected "
            "\"always\" or \"never\"");
  EXPECT_THROW_MESSAGE(Hiro(toy_spec(), HiroConfig{}, 1, Rng(1)), std::invalid_argument,
                       "agent.hiro.subgoal.dims holds 3, but an observation of Toy has 3 numbers");
}

TEST(Hiro, RefusesAStateWithASegmentOfMoreStepsThanC) {
  Toy toy(toy_config());
  Snapshot state = snapshot(toy.agent);
  const auto load = [&](std::uint64_t steps) {
    for (StateEntry& e : state)
      if (e.name == "steps_of_segments") std::memcpy(e.bytes.data(), &steps, sizeof steps);
    restore(toy.agent, state);
  };
  load(3);
  EXPECT_THROW_MESSAGE(load(4), std::runtime_error, "Hiro: a segment was saved after 4 steps; expected at most 3");
}

TEST(SegmentBuffer, OverwritesTheOldestAndRefusesBadLengths) {
  const SegmentShape shape{.obs = 2, .action = 1, .desired = 1, .subgoal = 1, .steps = 3};
  SegmentBuffer buffer(shape, 2, 1);
  for (int i = 1; i <= 3; ++i) {
    buffer.begin_segment(0, Vector::Zero(2), Vector::Zero(1), Vector::Zero(1));
    buffer.open(0).reward() = Scalar(i);
    buffer.open(0).set_length(i);
    buffer.add(0);
  }
  ASSERT_EQ(buffer.size(), 2);
  EXPECT_EQ(buffer.at(0).reward(), 3);
  EXPECT_EQ(buffer.at(1).reward(), 2);
  SegmentBuffer other(shape, 2, 1);
  restore(other, snapshot(buffer));
  EXPECT_EQ(other.at(0).length(), 3);
  buffer.open(0).set_length(4);
  buffer.add(0);
  EXPECT_THROW(restore(other, snapshot(buffer)), std::runtime_error);
  EXPECT_THROW_MESSAGE(SegmentBuffer(shape, 0, 1), std::invalid_argument, "SegmentBuffer: capacity = 0");
}

}  // namespace
}  // namespace goalpost::test
