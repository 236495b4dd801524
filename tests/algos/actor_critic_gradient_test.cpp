// The losses of the actor-critics against central differences, in double: the whole of them, noise included.
#include "algos/ddpg.h"
#include "algos/hiro/config.h"
#include "algos/hiro/hiro.h"
#include "algos/sac.h"
#include "algos/td3.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "envs/vector_env.h"
#include "support/gradient_check.h"
#include "support/levels.h"
#include "support/matrices.h"

namespace goalpost::test {
namespace {

const EnvSpec& point_reach() {
  static const EnvSpec spec = make_point_reach()->spec();
  return spec;
}

Batch batch(Index size) {
  Batch b(point_reach(), size, Scalar(0.98));
  Rng rng(5);
  rng.fill_uniform(-1, 1, b.s);
  rng.fill_uniform(-1, 1, b.a);
  rng.fill_uniform(-1, 0, b.r);
  rng.fill_uniform(-1, 1, b.s2);
  b.discount(0, size - 1) = 0;
  return b;
}

// tanh networks: finite differences do not meet the corners of a ReLU.
const MlpConfig kNetwork = {.hidden = {6, 5}, .activation = Activation::tanh};

TEST(SacGradient, CriticLoss) {
  Sac sac(point_reach(), {.pi = kNetwork, .q = kNetwork}, Rng(1));
  const Batch b = batch(4);
  expect_parameter_gradient(
      [&] {
        Rng rng(3);
        return sac.critic_loss(b, rng);
      },
      sac.tape(), sac.critic_parameters());
}

TEST(SacGradient, PolicyLossWithItsLogProbability) {
  Sac sac(point_reach(), {.initial_alpha = Scalar(0.3), .pi = kNetwork, .q = kNetwork}, Rng(1));
  for (const Index size : {1, 4}) {
    const Batch b = batch(size);
    expect_parameter_gradient(
        [&] {
          Rng rng(3);
          return sac.policy_loss(b, rng);
        },
        sac.tape(), sac.policy_parameters());
  }
}

TEST(SacGradient, TemperatureLoss) {
  Sac sac(point_reach(), {.initial_alpha = Scalar(0.3), .pi = kNetwork, .q = kNetwork}, Rng(1));
  const Batch b = batch(4);
  Rng rng(3);
  sac.tape().rewind();
  sac.policy_loss(b, rng);  // leaves the log-probabilities
  expect_parameter_gradient([&] { return sac.temperature_loss(); }, sac.tape(), {&sac.log_alpha()});
}

TEST(SacGradient, TheCriticsReceiveNoneFromThePolicyLoss) {
  Sac sac(point_reach(), {.pi = kNetwork, .q = kNetwork}, Rng(1));
  const Batch b = batch(4);
  Rng rng(3);
  sac.tape().rewind();
  sac.tape().backward(sac.policy_loss(b, rng));
  for (const Parameter* p : sac.critic_parameters()) EXPECT_EQ(p->grad.norm(), 0) << p->name;
}

TEST(Td3Gradient, CriticLossWithAndWithoutClippedTargets) {
  for (const bool clip : {false, true}) {
    Td3 td3(point_reach(), {.robotics = {.clip_targets = clip}, .pi = kNetwork, .q = kNetwork}, Rng(1));
    const Batch b = batch(4);
    expect_parameter_gradient(
        [&] {
          Rng rng(3);
          return td3.critic_loss(b, rng);
        },
        td3.tape(), td3.critic_parameters());
  }
}

TEST(Td3Gradient, LossesOfHirosReleasedCode) {
  Td3 td3(point_reach(),
          {.hiro_release = {.target_noise_in_units = true,
                            .clip_target_actions = false,
                            .huber_delta = Scalar(0.3),
                            .actions_again = true,
                            .actions_in_units = true},
           .pi = kNetwork,
           .q = kNetwork},
          Rng(1));
  const Batch b = batch(6);
  expect_parameter_gradient(
      [&] {
        Rng rng(3);
        return td3.critic_loss(b, rng);
      },
      td3.tape(), td3.critic_parameters());
  expect_parameter_gradient([&] { return td3.policy_loss(b); }, td3.tape(), td3.policy_parameters());
}

TEST(Td3Gradient, PolicyLossWithTheActionPenalty) {
  for (const double penalty : {0.0, 0.7}) {
    Td3 td3(point_reach(), {.robotics = {.action_penalty = Scalar(penalty)}, .pi = kNetwork, .q = kNetwork}, Rng(1));
    const Batch b = batch(4);
    expect_parameter_gradient([&] { return td3.policy_loss(b); }, td3.tape(), td3.policy_parameters());
  }
}

TEST(DdpgGradient, CriticLossWithAndWithoutClippedTargets) {
  for (const bool clip : {false, true}) {
    Ddpg ddpg(point_reach(), {.robotics = {.clip_targets = clip}, .pi = kNetwork, .q = kNetwork}, Rng(1));
    const Batch b = batch(4);
    expect_parameter_gradient([&] { return ddpg.critic_loss(b); }, ddpg.tape(), ddpg.critic_parameters());
  }
}

TEST(DdpgGradient, PolicyLossWithTheActionPenalty) {
  for (const double penalty : {0.0, 0.7}) {
    Ddpg ddpg(point_reach(), {.robotics = {.action_penalty = Scalar(penalty)}, .pi = kNetwork, .q = kNetwork}, Rng(1));
    const Batch b = batch(4);
    expect_parameter_gradient([&] { return ddpg.policy_loss(b); }, ddpg.tape(), ddpg.policy_parameters());
  }
}

// The losses of both levels on batches of HIRO's own making, sub-goals in the low level's state, actions beyond the
// range at the high level.
TEST(HiroGradient, BothLevelsLosses) {
  HiroConfig c;
  c.c = 3;
  c.subgoal = {.dims = {0, 1}, .limits = {1, 0.5}};
  c.hidden_from_low = {0, 1};
  c.correction.clip = false;
  for (LevelConfig* level : {&c.low, &c.high}) {
    level->batch_size = 5;
    td3_of(*level).pi = td3_of(*level).q = kNetwork;
  }
  VectorEnv env(make_point_reach, 2, Rng(1));
  Hiro hiro(env.spec(), c, 2, Rng(2));
  Matrix action(2, 2);
  for (int t = 0; t < 12; ++t) {
    hiro.act(env.obs(), env.first(), Mode::explore, action);
    hiro.observe(env.step(action));
  }
  const auto check = [&](Learner& learner, const Batch& b) {
    Td3& td3 = dynamic_cast<Td3&>(learner);
    expect_parameter_gradient(
        [&] {
          Rng rng(3);
          return td3.critic_loss(b, rng);
        },
        td3.tape(), td3.critic_parameters());
    expect_parameter_gradient([&] { return td3.policy_loss(b); }, td3.tape(), td3.policy_parameters());
  };
  check(hiro.low(), hiro.sample_low());
  check(hiro.high(), hiro.sample_high());
}

}  // namespace
}  // namespace goalpost::test
