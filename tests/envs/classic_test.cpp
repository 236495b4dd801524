#include <cmath>

#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "envs/vector_env.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

// Reads or writes one named part of an environment's state.
class Part final : public StateVisitor {
 public:
  Part(std::string name, Matrix value) : name_(std::move(name)), value_(std::move(value)) {}
  void visit(std::string_view name, MatrixRef values) override {
    if (name == name_) values = value_;
  }
  void visit(std::string_view name, std::span<double> values) override {
    if (name == name_) values[0] = static_cast<double>(value_(0, 0));
  }
  void visit(std::string_view, std::span<std::uint64_t>) override {}

 private:
  void enter(std::string_view) override {}
  void leave() override {}
  std::string name_;
  Matrix value_;
};
void set(Env& env, const std::string& name, const Matrix& value) {
  Part part(name, value);
  env.visit_state(part);
}

// ---- bit flip ----

Eigen::VectorXd flip(double bit) { return Eigen::VectorXd::Constant(1, bit); }

TEST(BitFlip, FlipsTheBitAndEndsAtTheGoal) {
  const std::unique_ptr<Env> env = make_bit_flip({.bits = 3});
  set(*env, "bits", matrix({{0}, {1}, {0}}));
  set(*env, "goal", matrix({{1}, {1}, {1}}));
  StepResult r = env->step(flip(0));
  EXPECT_EQ(r.reward, -1);
  EXPECT_FALSE(r.terminated);
  EXPECT_FALSE(r.success);
  env->step(flip(1));
  env->step(flip(1));
  r = env->step(flip(2));
  EXPECT_EQ(r.reward, 0);
  EXPECT_TRUE(r.terminated);
  EXPECT_TRUE(r.success);
}

TEST(BitFlip, NeedNotEndAtTheGoal) {
  const std::unique_ptr<Env> env = make_bit_flip({.bits = 2, .ends_at_goal = false});
  EXPECT_FALSE(env->spec().goal.ends_at_goal);
  set(*env, "bits", matrix({{0}, {1}}));
  set(*env, "goal", matrix({{1}, {1}}));
  StepResult r = env->step(flip(0));
  EXPECT_EQ(r.reward, 0);
  EXPECT_TRUE(r.success);
  EXPECT_FALSE(r.terminated);
  r = env->step(flip(0));
  EXPECT_EQ(r.reward, -1);
  EXPECT_FALSE(r.success);
}

TEST(BitFlip, LastsAsManyStepsAsItHasBits) {
  for (const bool ends_at_goal : {true, false}) {
    VectorEnv env([=] { return make_bit_flip({.bits = 12, .ends_at_goal = ends_at_goal}); }, 1, Rng(1));
    for (int t = 1; t <= 36; ++t)  // the same bit to and fro: with 12 bits the goal is not reached by this
      EXPECT_EQ(env.step(Matrix::Zero(1, 1)).truncated[0], t % 12 == 0) << "step " << t;
  }
}

TEST(BitFlip, NeverStartsAtItsGoalAndVisitsAllOtherPairs) {
  const std::unique_ptr<Env> env = make_bit_flip({.bits = 2});
  Rng rng(1);
  int counts[4][4] = {};
  for (int i = 0; i < 12'000; ++i) {
    env->reset(rng);
    Vector obs(2), achieved(2), desired(2);
    env->observe({obs, achieved, desired});
    ++counts[static_cast<int>(obs(0) + 2 * obs(1))][static_cast<int>(desired(0) + 2 * desired(1))];
  }
  for (int s = 0; s < 4; ++s)
    for (int g = 0; g < 4; ++g)  // twelve pairs of probability 1/12: 1000 ± 5 deviations of 30
      EXPECT_NEAR(counts[s][g], s == g ? 0 : 1000, s == g ? 0 : 150) << s << " to " << g;
}

TEST(BitFlip, NeedsAtLeastOneBit) {
  EXPECT_THROW_MESSAGE(make_bit_flip({.bits = 0}), std::invalid_argument,
                       "BitFlip: bits = 0; expected a positive number");
}

// ---- pendulum ----

struct PendulumStep {
  double u, cosine, sine, speed, reward;
};

void expect_trajectory(double theta, double speed, const std::vector<PendulumStep>& reference) {
  const std::unique_ptr<Env> env = make_pendulum();
  set(*env, "theta", Matrix::Constant(1, 1, Scalar(theta)));
  set(*env, "theta_dot", Matrix::Constant(1, 1, Scalar(speed)));
  Vector obs(3), none(0);
  for (const PendulumStep& step : reference) {
    EXPECT_NEAR(env->step(Eigen::VectorXd::Constant(1, step.u)).reward, step.reward, 2e-5);
    env->observe({obs, none, none});
    EXPECT_NEAR(obs(0), step.cosine, 1e-6);
    EXPECT_NEAR(obs(1), step.sine, 1e-6);
    EXPECT_NEAR(obs(2), step.speed, 1e-6);
  }
}

// Python, Pendulum-v1 of Gymnasium 0.29 written out:
//   cost = (((th + pi) % (2*pi)) - pi)**2 + 0.1*td**2 + 0.001*u**2
//   td = clip(td + (3*g/(2*l)*sin(th) + 3/(m*l**2)*u)*dt, -8, 8); th = th + td*dt        g 10, m 1, l 1, dt 0.05
TEST(Pendulum, FollowsGymnasiumAcrossTheLowestPoint) {
  expect_trajectory(3.0, 0.5,
                    {{2.0, -0.995366674, 0.096151877, 0.905840006, -9.029000000},
                     {-2.0, -0.998053567, 0.062362465, 0.677953913, -9.359857979},
                     {1.0, -0.999825783, 0.018665585, 0.874725762, -9.528371335},
                     {0.5, -0.999564329, -0.029515291, 0.963724951, -9.829431218},
                     {-1.5, -0.997865514, -0.065302500, 0.716588483, -9.780125406},
                     {2.0, -0.993539759, -0.113484570, 0.967611608, -9.518624908},
                     {2.0, -0.985097823, -0.171994999, 1.182498180, -9.265581999},
                     {2.0, -0.971211954, -0.238217002, 1.353501931, -8.957236469}});
}
TEST(Pendulum, FollowsGymnasiumAtTheLimitOfSpeed) {
  expect_trajectory(1.2, 7.9,
                    {{2.0, -0.029199522, 0.999573603, 8.0, -7.685},
                     {2.0, -0.416146837, 0.909297427, 8.0, -8.964},
                     {-2.0, -0.737393716, 0.675463181, 8.0, -10.404}});
}

TEST(Pendulum, StartsAnywhereAtLowSpeed) {
  const std::unique_ptr<Env> env = make_pendulum();
  Rng rng(1);
  Vector obs(3), none(0);
  int upper = 0, right = 0, forward = 0;
  for (int i = 0; i < 4000; ++i) {
    env->reset(rng);
    env->observe({obs, none, none});
    EXPECT_NEAR(obs(0) * obs(0) + obs(1) * obs(1), 1, 1e-6);
    EXPECT_LE(std::abs(obs(2)), 1);
    upper += obs(0) > 0;
    right += obs(1) > 0;
    forward += obs(2) > 0;
  }
  for (const int count : {upper, right, forward}) EXPECT_NEAR(count, 2000, 160);  // five deviations of √4000/2
}

// ---- point reach ----

TEST(PointReach, MovesAsComputedByHand) {
  const std::unique_ptr<Env> env = make_point_reach();
  set(*env, "p", matrix({{0}, {0.5}}));
  set(*env, "v", matrix({{0}, {0}}));
  set(*env, "goal", matrix({{1}, {1}}));
  Vector obs(4), achieved(2), desired(2);
  // v = 0.05 * (2, -1) = (0.1, -0.05); p = (0, 0.5) + 0.05 v = (0.005, 0.4975)
  EXPECT_EQ(env->step(Eigen::Vector2d(2, -1)).reward, -1);
  env->observe({obs, achieved, desired});
  expect_close(obs, matrix({{0.005}, {0.4975}, {0.1}, {-0.05}}), 1e-6);
  EXPECT_EQ(achieved, Vector(obs.head(2)));
  EXPECT_EQ(desired, matrix({{1}, {1}}));
  // v = (0.1, -0.05) + 0.05 (0 - 0.5 v) = (0.0975, -0.04875); p = (0.005, 0.4975) + 0.05 v = (0.009875, 0.4950625)
  env->step(Eigen::Vector2d::Zero());
  env->observe({obs, achieved, desired});
  expect_close(obs, matrix({{0.009875}, {0.4950625}, {0.0975}, {-0.04875}}), 1e-6);
}

TEST(PointReach, SucceedsWithinFiveCentimetersAndGoesOn) {
  const std::unique_ptr<Env> env = make_point_reach();
  set(*env, "p", matrix({{0}, {0}}));
  set(*env, "v", matrix({{0}, {0}}));
  set(*env, "goal", matrix({{0.03}, {0.0399}}));  // 0.04992 m away
  StepResult r = env->step(Eigen::Vector2d::Zero());
  EXPECT_EQ(r.reward, 0);
  EXPECT_TRUE(r.success);
  EXPECT_FALSE(r.terminated);
  set(*env, "goal", matrix({{0.03}, {0.0401}}));  // 0.05008 m away
  r = env->step(Eigen::Vector2d::Zero());
  EXPECT_EQ(r.reward, -1);
  EXPECT_FALSE(r.success);
}

TEST(PointReach, StartsAtRestWithPositionAndGoalInTheSquare) {
  const std::unique_ptr<Env> env = make_point_reach();
  Rng rng(1);
  Vector obs(4), achieved(2), desired(2);
  Vector low = Vector::Constant(4, 9), high = Vector::Constant(4, -9);
  for (int i = 0; i < 1000; ++i) {
    env->reset(rng);
    env->observe({obs, achieved, desired});
    EXPECT_TRUE(obs.tail(2).isZero(0));
    Vector both(4);
    both << achieved, desired;
    low = low.cwiseMin(both);
    high = high.cwiseMax(both);
  }
  EXPECT_GE(low.minCoeff(), -1);
  EXPECT_LE(high.maxCoeff(), 1);
  EXPECT_LT(low.maxCoeff(), -0.97);
  EXPECT_GT(high.minCoeff(), 0.97);
}

}  // namespace
}  // namespace goalpost::test
