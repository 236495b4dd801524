#include "algos/td3.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "envs/classic/bit_flip.h"
#include "support/by_hand.h"

namespace goalpost::test {
namespace {

// The second transition ended the task; the others did not (a truncation by the time limit is the same). At the first
// successor the first target critic is lower, at the third the second one.
const std::vector<Transition> kTransitions = {
    {0.8, 0.5, -1, -1.3, 0}, {-0.4, -0.9, 0.5, -0.7, 1}, {0.3, 0.1, -0.2, 1.1, 0}};

// μ(s) = tanh(w s + b), Qᵢ(s,a) = w₀ s + w₁ a + b; of targets likewise. Without noise on target actions
//   y = r + γ (1 − d) min(Q'₁(s', μ'(s')), Q'₂(s', μ'(s'))), cut to [−1/(1−γ), 0] if asked for
//   L = 1/B Σ f(Q₁(s,a) − y) + f(Q₂(s,a) − y),   f(e) = e², or Huber's: e²/2 up to δ, δ (|e| − δ/2) beyond
//   J = 1/B Σ −Q₁(s,μ(s)) + λ μ(s)²,   ∂J/∂u = (−w₁ + 2 λ a)(1 − a²)/B  with a = tanh u; every policy_delay updates
struct ByHand {
  Td3Config c;
  Policy pi{{0.5, -0.1}}, pi_target{{-0.3, 0.2}};
  Critic q1{{1, 2, 0.5}}, q2{{-1, 0.5, 1}}, q1_target{{0.5, -1, 0.3}}, q2_target{{-0.5, 1, -0.2}};
  AdamByHand<2> pi_adam{static_cast<double>(c.pi_adam.lr), static_cast<double>(c.pi_adam.epsilon)};
  AdamByHand<3> q1_adam{static_cast<double>(c.q_adam.lr), static_cast<double>(c.q_adam.epsilon)}, q2_adam = q1_adam;
  int updates = 0;

  double target(const Transition& t) const {
    const double gamma = static_cast<double>(c.gamma), a2 = std::tanh(pi_target({t.s2}));
    double y = t.r;
    if (t.d == 0) y += gamma * std::min(q1_target({t.s2, a2}), q2_target({t.s2, a2}));
    if (c.robotics.clip_targets) y = std::clamp(y, gamma < 1 ? -1 / (1 - gamma) : -1e300, 0.0);
    return y;
  }
  double f(double e) const {
    const double delta = static_cast<double>(c.hiro_release.huber_delta);
    return delta == 0 ? e * e : std::abs(e) <= delta ? e * e / 2 : delta * (std::abs(e) - delta / 2);
  }
  double slope(double e) const {
    const double delta = static_cast<double>(c.hiro_release.huber_delta);
    return delta == 0 ? 2 * e : std::clamp(e, -delta, delta);
  }
  double critic_loss(const std::vector<Transition>& batch) const {
    double sum = 0;
    for (const Transition& t : batch) sum += f(q1({t.s, t.a}) - target(t)) + f(q2({t.s, t.a}) - target(t));
    return sum / static_cast<double>(batch.size());
  }
  double policy_loss(const std::vector<Transition>& batch) const {
    double sum = 0;
    for (const Transition& t : batch) {
      const double a = std::tanh(pi({t.s}));
      sum += -q1({t.s, a}) + static_cast<double>(c.robotics.action_penalty) * a * a;
    }
    return sum / static_cast<double>(batch.size());
  }
  void update(const std::vector<Transition>& batch) {
    const double n = static_cast<double>(batch.size());
    std::array<double, 3> g1{}, g2{};
    for (const Transition& t : batch) {
      const double y = target(t);
      Critic::add_gradient({t.s, t.a}, slope(q1({t.s, t.a}) - y) / n, g1);
      Critic::add_gradient({t.s, t.a}, slope(q2({t.s, t.a}) - y) / n, g2);
    }
    q1_adam.step(q1.w, g1);
    q2_adam.step(q2.w, g2);
    std::array<double, 2> h{};
    if (++updates % c.policy_delay != 0) {
      if (c.hiro_release.coasting_policy) pi_adam.step(pi.w, h);
      return;
    }
    for (const Transition& t : batch) {
      const double a = std::tanh(pi({t.s}));
      const double dj = -q1.w[1] + 2 * static_cast<double>(c.robotics.action_penalty) * a;
      Policy::add_gradient({t.s}, dj * (1 - a * a) / n, h);
    }
    pi_adam.step(pi.w, h);
    const double tau = static_cast<double>(c.tau);
    pi_target.move_to(pi, tau);
    q1_target.move_to(q1, tau);
    q2_target.move_to(q2, tau);
  }
};

// ε is large, so that a step shows the size of a gradient and not only its sign.
Td3Config config() {
  Td3Config c;
  c.gamma = Scalar(0.9);
  c.tau = Scalar(0.25);
  c.target_noise = 0;
  c.pi.hidden = c.q.hidden = {};
  c.pi_adam = {.lr = Scalar(0.05), .epsilon = Scalar(0.5)};
  c.q_adam = {.lr = Scalar(0.1), .epsilon = Scalar(0.5)};
  return c;
}

std::unique_ptr<Td3> make(const ByHand& hand, const EnvSpec& spec = scalar_spec()) {
  auto td3 = std::make_unique<Td3>(spec, hand.c, Rng(1));
  set_network(*td3, "pi", hand.pi);
  set_network(*td3, "pi_target", hand.pi_target);
  set_network(*td3, "q1", hand.q1);
  set_network(*td3, "q2", hand.q2);
  set_network(*td3, "q1_target", hand.q1_target);
  set_network(*td3, "q2_target", hand.q2_target);
  return td3;
}

void expect_equal(Td3& td3, const ByHand& hand) {
  expect_network(td3, "pi", hand.pi);
  expect_network(td3, "pi_target", hand.pi_target);
  expect_network(td3, "q1", hand.q1);
  expect_network(td3, "q2", hand.q2);
  expect_network(td3, "q1_target", hand.q1_target);
  expect_network(td3, "q2_target", hand.q2_target);
}

double loss_of(const ByHand& hand, const std::vector<Transition>& transitions) {
  const auto td3 = make(hand);
  const Batch b = batch_of(scalar_spec(), transitions, hand.c.gamma);
  Rng rng(3);
  return static_cast<double>(td3->critic_loss(b, rng).item());
}

TEST(Td3Target, IsTheSmallerOfTheTargetCriticsWhereTheTaskGoesOn) {
  for (const double gamma : {0.0, 0.9, 1.0}) {
    ByHand hand{.c = config()};
    hand.c.gamma = Scalar(gamma);
    EXPECT_NEAR(loss_of(hand, kTransitions), hand.critic_loss(kTransitions), 1e-5) << "gamma = " << gamma;
  }
  // In numbers. Q₁(0.8, 0.5) = 2.3, Q₂ = 0.45.
  //   s' = −1.3: μ' = tanh(0.59) = 0.529896, Q'₁ = −0.65 − 0.529896 + 0.3 = −0.879896, Q'₂ = 0.979896
  //   y = −1 + 0.9 · −0.879896 = −1.791906;  4.091906² + 2.241906² = 21.769838
  EXPECT_NEAR(loss_of({.c = config()}, {kTransitions[0]}), 21.769838, 1e-4);
  //   d = 1: y = 0.5; Q₁(−0.4, −0.9) = −1.7, Q₂ = 0.95: 2.2² + 0.45² = 5.0425
  EXPECT_NEAR(loss_of({.c = config()}, {kTransitions[1]}), 5.0425, 1e-5);
  //   s' = 1.1: μ' = tanh(−0.13) = −0.129273, Q'₁ = 0.979273, Q'₂ = −0.879273; y = −0.2 + 0.9 · −0.879273 = −0.991345
  //   Q₁(0.3, 0.1) = 1, Q₂ = 0.75: 1.991345² + 1.741345² = 6.997740
  EXPECT_NEAR(loss_of({.c = config()}, {kTransitions[2]}), 6.997740, 1e-5);
}

TEST(Td3Target, IsCutToTheReturnsOfRewardsFromMinusOneToZeroIfAsked) {
  ByHand hand{.c = config()};
  hand.c.gamma = Scalar(0.5);
  hand.c.robotics.clip_targets = true;  // to [-2, 0]
  EXPECT_NEAR(loss_of(hand, {{0.8, 0.5, -9, 0.6, 0}}), std::pow(2.3 + 2, 2) + std::pow(0.45 + 2, 2), 1e-5);
  EXPECT_NEAR(loss_of(hand, {{0.8, 0.5, 7, 0.6, 0}}), std::pow(2.3, 2) + std::pow(0.45, 2), 1e-5);
  EXPECT_NEAR(loss_of(hand, {{0.8, 0.5, -1, 0.6, 1}}), std::pow(3.3, 2) + std::pow(1.45, 2), 1e-5) << "as it is";
}

TEST(Td3Loss, HuberCountsLargeErrorsLinearly) {
  ByHand hand{.c = config()};
  hand.c.hiro_release.huber_delta = 1;
  // d = 1, y = 2: errors 0.3 and −1.55: 0.045 + (1.55 − 0.5)
  EXPECT_NEAR(loss_of(hand, {{0.8, 0.5, 2, 0, 1}}), 1.095, 1e-6);
  EXPECT_NEAR(loss_of(hand, kTransitions), hand.critic_loss(kTransitions), 1e-5);
}

// Q'₁ = Q'₂ = a', Q₁ = Q₂ = q, r = 0 and γ = 1: the loss is 2 E (q − a')², which tells the moments of a' = μ' + ε.
double second_moment(Td3Config c, double bias, double q) {
  c.gamma = 1;
  ByHand hand{.c = c};
  hand.pi_target.w = {0, bias};
  hand.q1.w = hand.q2.w = {0, 0, q};
  hand.q1_target.w = hand.q2_target.w = {0, 1, 0};
  return loss_of(hand, std::vector<Transition>(40'000, {0, 0, 0, 0, 0})) / 2;
}

// E ε² for ε = N(0, σ) cut to ±c: σ² (P(|x| < c/σ) − 2 c/σ φ(c/σ)) + c² P(|x| > c/σ)
double clipped_variance(double sigma, double c) {
  const double z = c / sigma, inside = std::erf(z / std::numbers::sqrt2);
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  return sigma * sigma * (inside - 2 * z * density) + c * c * (1 - inside);
}

TEST(Td3TargetNoise, HasItsDeviationAndItsClip) {
  Td3Config c = config();
  c.target_noise = Scalar(0.2);
  c.noise_clip = 5;
  EXPECT_NEAR(second_moment(c, 0, 0), 0.04, 4 * 0.04 * std::sqrt(2 / 40'000.0));
  // E (q − ε)² = q² + E ε², if E ε = 0
  EXPECT_NEAR(second_moment(c, 0, 1), 1.04, 4 * 2 * 0.2 / std::sqrt(40'000.0));
  c.noise_clip = Scalar(0.1);
  EXPECT_NEAR(second_moment(c, 0, 0), clipped_variance(0.2, 0.1), 0.0002);  // 0.0073, the largest of ε² is 0.01
  c.noise_clip = Scalar(0.3);
  EXPECT_NEAR(second_moment(c, 0, 0), clipped_variance(0.2, 0.3), 0.0007);
}

TEST(Td3TargetNoise, MayBeInTheUnitOfTheActions) {
  Td3Config c = config();
  c.target_noise = Scalar(0.2);
  c.noise_clip = Scalar(0.3);
  c.hiro_release.target_noise_in_units = true;  // the actions' range is ±2, so all is half of that
  EXPECT_NEAR(second_moment(c, 0, 0), clipped_variance(0.1, 0.15), 0.0002);
}

TEST(Td3TargetNoise, TargetActionsAreCutToTheRangeUnlessTheyAreNot) {
  Td3Config c = config();
  c.target_noise = Scalar(0.2);
  c.noise_clip = 5;
  // μ' = 1: a' = 1 + min(ε, 0), so E a'² = 1 − 2 σ/√(2π) + σ²/2; uncut 1 + σ²
  EXPECT_NEAR(second_moment(c, 20, 0), 1 - 0.4 / std::sqrt(2 * std::numbers::pi) + 0.02, 0.005);
  EXPECT_NEAR(second_moment(c, -20, 0), 1 - 0.4 / std::sqrt(2 * std::numbers::pi) + 0.02, 0.005);
  c.hiro_release.clip_target_actions = false;
  EXPECT_NEAR(second_moment(c, 20, 0), 1.04, 0.009);
}

TEST(Td3Target, DiscountsATransitionForTheTimeThatItTook) {
  ByHand hand{.c = config()};
  const auto td3 = make(hand);
  Batch b = batch_of(scalar_spec(), std::vector<Transition>{kTransitions[0]});
  b.discount(0, 0) = Scalar(std::pow(0.9, 0.3));
  hand.c.gamma = Scalar(std::pow(0.9, 0.3));
  Rng rng(3);
  EXPECT_NEAR(td3->critic_loss(b, rng).item(), hand.critic_loss({kTransitions[0]}), 1e-5);
}

TEST(Td3Update, ParametersAndTargetsAreThoseWorkedOutByHand) {
  for (const int delay : {1, 2, 3}) {
    for (const double penalty : {0.0, 0.7}) {
      for (const double huber : {0.0, 1.0}) {
        SCOPED_TRACE(testing::Message() << "delay " << delay << ", penalty " << penalty << ", huber " << huber);
        ByHand hand{.c = config()};
        hand.c.policy_delay = delay;
        hand.c.robotics.action_penalty = Scalar(penalty);
        hand.c.hiro_release.huber_delta = Scalar(huber);
        const auto td3 = make(hand);
        const Batch b = batch_of(scalar_spec(), kTransitions);
        Rng rng(1);
        for (int i = 1; i <= 6; ++i) {
          SCOPED_TRACE(testing::Message() << "update " << i);
          Metrics metrics;
          const double loss = hand.critic_loss(kTransitions);
          td3->update(b, rng, metrics);
          hand.update(kTransitions);
          EXPECT_NEAR(metrics.mean("train/critic_loss", 99), loss, 2e-5);
          expect_equal(*td3, hand);
        }
      }
    }
  }
}

TEST(Td3Update, ThePolicyMayCoastWhereItIsNotUpdated) {
  ByHand hand{.c = config()};
  hand.c.policy_delay = 3;
  hand.c.hiro_release.coasting_policy = true;
  const auto td3 = make(hand);
  const Batch b = batch_of(scalar_spec(), kTransitions);
  Rng rng(1);
  for (int i = 1; i <= 8; ++i) {
    SCOPED_TRACE(testing::Message() << "update " << i);
    const Policy before = hand.pi;
    Metrics metrics;
    td3->update(b, rng, metrics);
    hand.update(kTransitions);
    expect_equal(*td3, hand);
    EXPECT_EQ(hand.pi.w != before.w, i >= 3) << "momentum begins with the first gradient";
  }
}

// In an environment with actions from 1 to 5 a critic w₀ s + w₁ a + b of actions in their unit, 3 + 2a, is one of
// actions in [-1, 1] with the weights w₀, 2 w₁ and b + 3 w₁.
TEST(Td3Loss, CriticsMaySeeActionsInTheirUnit) {
  EnvSpec spec = scalar_spec();
  spec.action.low = Vector::Constant(1, 1);
  spec.action.high = Vector::Constant(1, 5);
  ByHand hand{.c = config()}, same = hand;
  hand.c.hiro_release.actions_in_units = true;
  for (Critic* q : {&same.q1, &same.q2, &same.q1_target, &same.q2_target}) {
    q->w[2] += 3 * q->w[1];
    q->w[1] *= 2;
  }
  const auto td3 = make(hand, spec);
  const Batch b = batch_of(spec, kTransitions);
  Rng rng(3);
  EXPECT_NEAR(td3->critic_loss(b, rng).item(), same.critic_loss(kTransitions), 1e-4);
  EXPECT_NEAR(td3->policy_loss(b).item(), same.policy_loss(kTransitions), 1e-5);
  const Matrix q = td3->action_values(b);
  for (std::size_t j = 0; j < kTransitions.size(); ++j)
    EXPECT_NEAR(q(0, static_cast<Index>(j)), same.q1({kTransitions[j].s, kTransitions[j].a}), 1e-5);
}

TEST(Td3Update, ThePolicysLossIsThatOfTheFirstCritic) {
  ByHand hand{.c = config()};
  hand.c.robotics.action_penalty = Scalar(0.7);
  const auto td3 = make(hand);
  const Batch b = batch_of(scalar_spec(), kTransitions);
  EXPECT_NEAR(td3->policy_loss(b).item(), hand.policy_loss(kTransitions), 1e-6);
}

TEST(Td3Update, ImprovesThePolicy) {
  for (const double slope : {2.0, -2.0}) {  // of Q₁ in the action
    ByHand hand{.c = config()};
    hand.q1.w = {0, slope, 0};
    hand.q2.w = {0, -slope, 0};
    hand.c.q_adam.lr = 0;
    hand.c.policy_delay = 1;
    const auto td3 = make(hand);
    const Batch b = batch_of(scalar_spec(), kTransitions);
    Rng rng(1);
    Metrics metrics;
    Matrix before(1, 3), after(1, 3);
    td3->act(b.s, Mode::exploit, rng, before);
    td3->update(b, rng, metrics);
    td3->act(b.s, Mode::exploit, rng, after);
    EXPECT_GT((Scalar(slope) * (after - before)).minCoeff(), 0);
  }
}

TEST(Td3Update, KeepsThePolicysDelayAcrossARestore) {
  for (const int before : {1, 2, 3}) {
    ByHand hand{.c = config()};
    hand.c.policy_delay = 3;
    const auto first = make(hand);
    const Batch b = batch_of(scalar_spec(), kTransitions);
    Rng rng(1);
    Metrics metrics;
    for (int i = 0; i < before; ++i) {
      first->update(b, rng, metrics);
      hand.update(kTransitions);
    }
    Td3 resumed(scalar_spec(), hand.c, Rng(2));
    restore(resumed, snapshot(*first));
    for (int i = before; i < 6; ++i) {
      SCOPED_TRACE(testing::Message() << "update " << i + 1 << ", restored after " << before);
      resumed.update(b, rng, metrics);
      hand.update(kTransitions);
      expect_equal(resumed, hand);
    }
  }
}

TEST(Td3Act, ExploitsThePolicyAndExploresAroundIt) {
  ByHand hand{.c = config()};
  hand.pi.w = {0, 0.2};
  hand.c.exploration_noise = Scalar(0.1);
  const auto td3 = make(hand);
  Rng rng(5);
  const Index n = 20'000;
  const Matrix s = Matrix::Zero(1, n);
  Matrix a(1, n);
  td3->act(s, Mode::exploit, rng, a);
  EXPECT_EQ(rng.position(), 0u) << "exploiting draws nothing";
  EXPECT_NEAR(a.minCoeff(), std::tanh(0.2), 1e-6);
  EXPECT_NEAR(a.maxCoeff(), std::tanh(0.2), 1e-6);
  td3->act(s, Mode::explore, rng, a);
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

TEST(Td3ActionValues, AreThoseOfTheFirstCritic) {
  const ByHand hand{.c = config()};
  const auto td3 = make(hand);
  const Matrix values = td3->action_values(batch_of(scalar_spec(), kTransitions));
  for (std::size_t j = 0; j < kTransitions.size(); ++j)
    EXPECT_NEAR(values(0, static_cast<Index>(j)), hand.q1({kTransitions[j].s, kTransitions[j].a}), 1e-6);
}

// Q of two layers: what the second one sees beside the first one's outputs.
TEST(Td3Critics, MaySeeTheActionsAgainAtTheirSecondLayer) {
  Td3Config c = config();
  c.q.hidden = {2};
  c.hiro_release.actions_again = true;
  Td3 td3(scalar_spec(), c, Rng(1));
  set_state(td3, "q1/W0", matrix({{1, 0}, {0, 1}}));  // relu(s), relu(a)
  set_state(td3, "q1/b0", matrix({{0}, {0}}));
  set_state(td3, "q1/W1", matrix({{1, 10, 100}}));
  set_state(td3, "q1/b1", matrix({{0.5}}));
  const Matrix values =
      td3.action_values(batch_of(scalar_spec(), std::vector<Transition>{{2, 0.25, 0, 0, 0}, {-2, -0.25, 0, 0, 0}}));
  expect_close(values, matrix({{2 + 2.5 + 25 + 0.5, -25 + 0.5}}), 1e-6);
}

TEST(Td3, RefusesDiscreteActions) {
  const std::unique_ptr<Env> env = make_bit_flip({.bits = 5});
  EXPECT_THROW_MESSAGE(Td3(env->spec(), {}, Rng(1)), std::invalid_argument, "expected a continuous action space");
}

}  // namespace
}  // namespace goalpost::test
