#include "algos/ddpg.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "envs/classic/bit_flip.h"
#include "support/by_hand.h"

namespace goalpost::test {
namespace {

// The second transition ended the task; the first did not (a truncation by the time limit is the same).
const std::vector<Transition> kTransitions = {
    {0.8, 0.5, -1, 0.6, 0}, {-0.4, -0.9, 0.5, -0.7, 1}, {0.3, 0.1, -0.2, 1.1, 0}};

// μ(s) = tanh(w s + b), Q(s,a) = w₀ s + w₁ a + b; of targets likewise.
//   y = r + γ (1 − d) Q'(s', μ'(s')), cut to [−1/(1−γ), 0] if asked for
//   L = 1/B Σ (Q(s,a) − y)²,      ∂L/∂Q = 2 (Q − y)/B
//   J = 1/B Σ −Q(s,μ(s)) + λ μ(s)²,   ∂J/∂u = (−w₁ + 2 λ a)(1 − a²)/B  with a = tanh u
struct ByHand {
  DdpgConfig c;
  Policy pi{{0.5, -0.1}}, pi_target{{-0.3, 0.2}};
  Critic q{{1, 2, 0.5}}, q_target{{0.5, -1, 0.3}};
  AdamByHand<2> pi_adam{static_cast<double>(c.pi_adam.lr), static_cast<double>(c.pi_adam.epsilon)};
  AdamByHand<3> q_adam{static_cast<double>(c.q_adam.lr), static_cast<double>(c.q_adam.epsilon)};
  int updates = 0;

  double target(const Transition& t) const {
    const double gamma = static_cast<double>(c.gamma);
    double y = t.r;
    if (t.d == 0) y += gamma * q_target({t.s2, std::tanh(pi_target({t.s2}))});
    if (c.robotics.clip_targets) y = std::clamp(y, gamma < 1 ? -1 / (1 - gamma) : -1e300, 0.0);
    return y;
  }
  double critic_loss(const std::vector<Transition>& batch) const {
    double sum = 0;
    for (const Transition& t : batch) sum += std::pow(q({t.s, t.a}) - target(t), 2);
    return sum / static_cast<double>(batch.size());
  }
  double policy_loss(const std::vector<Transition>& batch) const {
    double sum = 0;
    for (const Transition& t : batch) {
      const double a = std::tanh(pi({t.s}));
      sum += -q({t.s, a}) + static_cast<double>(c.robotics.action_penalty) * a * a;
    }
    return sum / static_cast<double>(batch.size());
  }
  void update(const std::vector<Transition>& batch) {
    const double n = static_cast<double>(batch.size());
    std::array<double, 3> g{};
    for (const Transition& t : batch) Critic::add_gradient({t.s, t.a}, 2 * (q({t.s, t.a}) - target(t)) / n, g);
    q_adam.step(q.w, g);
    std::array<double, 2> h{};
    for (const Transition& t : batch) {
      const double a = std::tanh(pi({t.s}));
      const double slope = -q.w[1] + 2 * static_cast<double>(c.robotics.action_penalty) * a;
      Policy::add_gradient({t.s}, slope * (1 - a * a) / n, h);
    }
    pi_adam.step(pi.w, h);
    if (++updates % c.target_every != 0) return;
    pi_target.move_to(pi, static_cast<double>(c.tau));
    q_target.move_to(q, static_cast<double>(c.tau));
  }
};

// ε is large, so that a step shows the size of a gradient and not only its sign.
DdpgConfig config() {
  DdpgConfig c;
  c.gamma = Scalar(0.9);
  c.tau = Scalar(0.25);
  c.pi.hidden = c.q.hidden = {};
  c.pi_adam = {.lr = Scalar(0.05), .epsilon = Scalar(0.5)};
  c.q_adam = {.lr = Scalar(0.1), .epsilon = Scalar(0.5)};
  return c;
}

std::unique_ptr<Ddpg> make(const ByHand& hand) {
  auto ddpg = std::make_unique<Ddpg>(scalar_spec(), hand.c, Rng(1));
  set_network(*ddpg, "pi", hand.pi);
  if (hand.c.policy_ema > 0) set_network(*ddpg, "pi_online", hand.pi);
  set_network(*ddpg, "pi_target", hand.pi_target);
  set_network(*ddpg, "q", hand.q);
  set_network(*ddpg, "q_target", hand.q_target);
  return ddpg;
}

void expect_equal(Ddpg& ddpg, const ByHand& hand) {
  expect_network(ddpg, "pi", hand.pi);
  expect_network(ddpg, "pi_target", hand.pi_target);
  expect_network(ddpg, "q", hand.q);
  expect_network(ddpg, "q_target", hand.q_target);
}

double loss_of(const DdpgConfig& c, const std::vector<Transition>& transitions) {
  const ByHand hand{.c = c};
  const auto ddpg = make(hand);
  const Batch b = batch_of(scalar_spec(), transitions, c.gamma);
  return static_cast<double>(ddpg->critic_loss(b).item());
}

TEST(DdpgTarget, BootstrapsWhereTheTaskGoesOnAndNotWhereItEnded) {
  for (const double gamma : {0.0, 0.9, 1.0}) {
    DdpgConfig c = config();
    c.gamma = Scalar(gamma);
    EXPECT_NEAR(loss_of(c, kTransitions), ByHand{.c = c}.critic_loss(kTransitions), 1e-5) << "gamma = " << gamma;
  }
  // One of each, in numbers: μ'(0.6) = tanh(0.02), Q' = 0.3 − tanh(0.02) + 0.3 = 0.580003, y = −1 + 0.9 · 0.580003;
  // Q(0.8, 0.5) = 2.3, so (2.3 + 0.477997)² = 7.717269; Q(−0.4, −0.9) = −1.7 and y = 0.5: 4.84
  EXPECT_NEAR(loss_of(config(), {kTransitions[0]}), 7.717269, 1e-5);
  EXPECT_NEAR(loss_of(config(), {kTransitions[1]}), 4.84, 1e-5);
}

TEST(DdpgTarget, IsCutToTheReturnsOfRewardsFromMinusOneToZeroIfAsked) {
  DdpgConfig c = config();
  c.gamma = Scalar(0.5);
  c.robotics.clip_targets = true;  // to [-2, 0]
  EXPECT_NEAR(loss_of(c, {{0.8, 0.5, -9, 0.6, 0}}), std::pow(2.3 + 2, 2), 1e-5);
  EXPECT_NEAR(loss_of(c, {{0.8, 0.5, 7, 0.6, 0}}), std::pow(2.3, 2), 1e-5);
  EXPECT_NEAR(loss_of(c, {{0.8, 0.5, -1, 0.6, 1}}), std::pow(2.3 + 1, 2), 1e-5) << "inside: as it is";
  c.gamma = 1;  // no lower bound
  EXPECT_NEAR(loss_of(c, {{0.8, 0.5, -900, 0.6, 1}}), std::pow(2.3 + 900, 2), 0.5);
}

TEST(DdpgTarget, DiscountsATransitionForTheTimeThatItTook) {
  ByHand hand{.c = config()};
  const auto ddpg = make(hand);
  Batch b = batch_of(scalar_spec(), std::vector<Transition>{kTransitions[0]});
  b.discount(0, 0) = Scalar(std::pow(0.9, 0.3));
  hand.c.gamma = Scalar(std::pow(0.9, 0.3));
  EXPECT_NEAR(ddpg->critic_loss(b).item(), hand.critic_loss({kTransitions[0]}), 1e-5);
}

TEST(DdpgUpdate, ParametersAndTargetsAreThoseWorkedOutByHand) {
  for (const int target_every : {1, 2}) {
    for (const double penalty : {0.0, 0.7}) {
      SCOPED_TRACE(testing::Message() << "target_every " << target_every << ", penalty " << penalty);
      ByHand hand{.c = config()};
      hand.c.target_every = target_every;
      hand.c.robotics.action_penalty = Scalar(penalty);
      const auto ddpg = make(hand);
      const Batch b = batch_of(scalar_spec(), kTransitions);
      Rng rng(1);
      for (int i = 1; i <= 4; ++i) {
        SCOPED_TRACE(testing::Message() << "update " << i);
        Metrics metrics;
        const double loss = hand.critic_loss(kTransitions);
        ddpg->update(b, rng, metrics);
        hand.update(kTransitions);
        EXPECT_NEAR(metrics.mean("train/critic_loss", 99), loss, 1e-5);
        expect_equal(*ddpg, hand);
      }
      EXPECT_EQ(rng.position(), 0u) << "nothing is random";
    }
  }
}

TEST(DdpgUpdate, ThePolicysLossIsThatOfTheNewCritic) {
  ByHand hand{.c = config()};
  hand.c.robotics.action_penalty = Scalar(0.7);
  const auto ddpg = make(hand);
  EXPECT_NEAR(ddpg->policy_loss(batch_of(scalar_spec(), kTransitions)).item(), hand.policy_loss(kTransitions), 1e-6);
  Rng rng(1);
  Metrics metrics;
  ddpg->update(batch_of(scalar_spec(), kTransitions), rng, metrics);
  const Policy before = hand.pi;
  hand.update(kTransitions);
  hand.pi = before;
  EXPECT_NEAR(metrics.mean("train/actor_loss", 99), hand.policy_loss(kTransitions), 1e-6);
}

TEST(DdpgUpdate, ImprovesThePolicy) {
  for (const double slope : {2.0, -2.0}) {  // of Q in the action
    ByHand hand{.c = config()};
    hand.q.w = {0, slope, 0};
    hand.c.q_adam.lr = 0;
    const auto ddpg = make(hand);
    Rng rng(1);
    Metrics metrics;
    Matrix before(1, 3), after(1, 3);
    const Batch b = batch_of(scalar_spec(), kTransitions);
    ddpg->act(b.s, Mode::exploit, rng, before);
    ddpg->update(b, rng, metrics);
    ddpg->act(b.s, Mode::exploit, rng, after);
    EXPECT_GT((Scalar(slope) * (after - before)).minCoeff(), 0);
  }
}

TEST(DdpgUpdate, GoesOnAfterARestoreWhereItWas) {
  ByHand hand{.c = config()};
  hand.c.target_every = 3;
  const auto first = make(hand);
  const Batch b = batch_of(scalar_spec(), kTransitions);
  Rng rng(1);
  Metrics metrics;
  for (int i = 0; i < 2; ++i) {
    first->update(b, rng, metrics);
    hand.update(kTransitions);
  }
  Ddpg resumed(scalar_spec(), hand.c, Rng(2));
  restore(resumed, snapshot(*first));
  for (int i = 0; i < 2; ++i) {  // the first of them moves the targets
    resumed.update(b, rng, metrics);
    hand.update(kTransitions);
    expect_equal(resumed, hand);
  }
}

TEST(DdpgUpdate, AnInfiniteGradientOfAFiniteLossIsNamedAndChangesNothing) {
  ByHand hand{.c = config()};
  hand.q.w = {0, 1e30, 0};
  hand.q_target.w = {0, 0, 0};
  const auto ddpg = make(hand);
  Rng rng(1);
  Metrics metrics;
  // The loss is (1e30 · 1e-12)² = 1e36, its gradient by the weight of s 2 · 1e18 · 1e25.
  const Batch b = batch_of(scalar_spec(), std::vector<Transition>{{1e25, 1e-12, 0, 1, 1}});
  const std::uint64_t before = state_hash(*ddpg);
  EXPECT_THROW_MESSAGE(ddpg->update(b, rng, metrics), NumericsError,
                       "the loss is finite, but the gradient of W0 [1x2]");
  EXPECT_EQ(state_hash(*ddpg), before);
}

TEST(DdpgAct, ExploitsThePolicyAndExploresAroundIt) {
  ByHand hand{.c = config()};
  hand.pi.w = {0, 0.2};
  hand.c.exploration_noise = Scalar(0.1);
  const auto ddpg = make(hand);
  Rng rng(5);
  const Index n = 20'000;
  const Matrix s = Matrix::Zero(1, n);
  Matrix a(1, n);
  ddpg->act(s, Mode::exploit, rng, a);
  EXPECT_EQ(rng.position(), 0u) << "exploiting draws nothing";
  EXPECT_NEAR(a.minCoeff(), std::tanh(0.2), 1e-6);
  EXPECT_NEAR(a.maxCoeff(), std::tanh(0.2), 1e-6);
  ddpg->act(s, Mode::explore, rng, a);
  const double mean = static_cast<double>(a.mean());
  EXPECT_NEAR(mean, std::tanh(0.2), 4 * 0.1 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt((a.array() - Scalar(mean)).square().mean()), 0.1, 4 * 0.1 / std::sqrt(2.0 * n));

  hand.c.exploration_noise = 0;
  hand.c.robotics.random_action = 0.3;
  const auto random = make(hand);
  random->act(s, Mode::explore, rng, a);
  const double replaced = static_cast<double>(((a.array() - Scalar(std::tanh(0.2))).abs() > Scalar(1e-4)).count()) / n;
  EXPECT_NEAR(replaced, 0.3, 4 * std::sqrt(0.3 * 0.7 / n));
}

// π̄ ← e π̄ + (1 − e) π after every update; it is what evaluations act by, and nothing that learns uses it.
TEST(DdpgAverage, EvaluationsActByTheMovingAverageOfThePolicy) {
  ByHand hand{.c = config()};
  hand.c.policy_ema = Scalar(0.75);
  hand.c.exploration_noise = 0;
  const auto ddpg = make(hand);
  Policy average = hand.pi;
  const Batch b = batch_of(scalar_spec(), kTransitions);
  Rng rng(1);
  Metrics metrics;
  Matrix a(1, 3);
  const auto expect_acts = [&](Ddpg& by, Mode mode, const Policy& as) {
    by.act(b.s, mode, rng, a);
    for (Index j = 0; j < 3; ++j) EXPECT_NEAR(a(0, j), std::tanh(as({static_cast<double>(b.s(0, j))})), 1e-6);
  };
  const auto update = [&](Ddpg& by) {
    by.update(b, rng, metrics);
    hand.update(kTransitions);
    average.move_to(hand.pi, 0.25);
  };
  expect_acts(*ddpg, Mode::exploit, average);
  for (int i = 0; i < 3; ++i) {
    update(*ddpg);
    expect_acts(*ddpg, Mode::exploit, average);
    expect_acts(*ddpg, Mode::explore, hand.pi);
  }
  EXPECT_GT(std::abs(average.w[0] - hand.pi.w[0]), 1e-3) << "they differ";

  Ddpg resumed(scalar_spec(), hand.c, Rng(2));
  restore(resumed, snapshot(*ddpg));
  update(resumed);
  expect_acts(resumed, Mode::exploit, average);
  expect_acts(resumed, Mode::explore, hand.pi);
}

void begin_with_policy_of(Ddpg& earlier, Ddpg& ddpg) {
  struct {
    Ddpg& ddpg;
    void visit_state(StateVisitor& v) { ddpg.visit_policy(v); }
  } policy{earlier};
  struct {
    Ddpg& ddpg;
    void visit_state(StateVisitor& v) { ddpg.begin_with_policy(v); }
  } beginning{ddpg};
  restore(beginning, snapshot(policy));
}

TEST(DdpgAverage, AnEarlierPolicyBeginsAllOfThem) {
  ByHand hand{.c = config()};
  hand.c.policy_ema = Scalar(0.75);
  hand.c.exploration_noise = 0;
  const auto earlier = make(hand);
  Ddpg begun(scalar_spec(), hand.c, Rng(2));
  begin_with_policy_of(*earlier, begun);
  Rng rng(1);
  Matrix a(1, 3);
  const Batch b = batch_of(scalar_spec(), kTransitions);
  for (const Mode mode : {Mode::exploit, Mode::explore}) {
    begun.act(b.s, mode, rng, a);
    for (Index j = 0; j < 3; ++j) EXPECT_NEAR(a(0, j), std::tanh(hand.pi({static_cast<double>(b.s(0, j))})), 1e-6);
  }
  // y of the first transition, by the target policy, with the critics of `begun`: equal to that by the policy itself.
  hand.c.policy_ema = 0;
  Ddpg plain(scalar_spec(), hand.c, Rng(2));
  begin_with_policy_of(*make(hand), plain);
  EXPECT_EQ(begun.critic_loss(b).item(), plain.critic_loss(b).item());
}

TEST(DdpgActionValues, AreThoseOfTheCritic) {
  const ByHand hand{.c = config()};
  const auto ddpg = make(hand);
  const Matrix values = ddpg->action_values(batch_of(scalar_spec(), kTransitions));
  for (std::size_t j = 0; j < kTransitions.size(); ++j)
    EXPECT_NEAR(values(0, static_cast<Index>(j)), hand.q({kTransitions[j].s, kTransitions[j].a}), 1e-6);
}

TEST(Ddpg, RefusesDiscreteActions) {
  const std::unique_ptr<Env> env = make_bit_flip({.bits = 5});
  EXPECT_THROW_MESSAGE(Ddpg(env->spec(), {}, Rng(1)), std::invalid_argument, "expected a continuous action space");
}

}  // namespace
}  // namespace goalpost::test
