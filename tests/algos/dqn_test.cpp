#include "algos/dqn.h"

#include <algorithm>
#include <cmath>

#include "envs/classic/pendulum.h"
#include "support/by_hand.h"

namespace goalpost::test {
namespace {

EnvSpec two_actions() {
  EnvSpec spec;
  spec.name = "Two";
  spec.obs_dim = 1;
  spec.action = {.kind = ActionSpace::Kind::discrete, .dim = 1, .choices = 2, .low = {}, .high = {}};
  spec.max_steps = 10;
  return spec;
}

DqnConfig affine() {
  DqnConfig c;
  c.gamma = Scalar(0.5);
  c.q.hidden = {};
  c.optimizer = OptimizerKind::adam;
  return c;
}

// Online Q(s) = (s, 2 s), target network Q(s) = (3 s, -s + 0.5).
void set_networks(Dqn& dqn) {
  set_state(dqn, "q/W0", matrix({{1}, {2}}));
  set_state(dqn, "q/b0", matrix({{0}, {0}}));
  set_state(dqn, "q_target/W0", matrix({{3}, {-1}}));
  set_state(dqn, "q_target/b0", matrix({{0}, {0.5}}));
}

// The second transition is terminal.
Batch two_transitions(Scalar gamma = Scalar(0.5)) {
  Batch b(two_actions(), 2, gamma);
  b.s = matrix({{2, 1}});
  b.a = matrix({{0, 1}});
  b.r = matrix({{-1, 0}});
  b.s2 = matrix({{2, -1}});
  b.discount(0, 1) = 0;
  return b;
}

Scalar loss_of(const DqnConfig& c, const Batch& batch) {
  Dqn dqn(two_actions(), c, Rng(1));
  set_networks(dqn);
  return dqn.loss(batch).item();
}

// By hand. Q(s, a) is 2 and 2. At s2 = 2 the target network says (6, -1.5), the online one (2, 4).
//   y = -1 + 0.5 * 6 = 2 and, terminal, 0; errors 0 and 2
TEST(DqnLoss, SquaredErrorAgreesWithAHandComputedExample) {
  DqnConfig c = affine();
  c.huber_delta = 0;
  EXPECT_EQ(loss_of(c, two_transitions()), 2);  // (0 + 4) / 2
}
TEST(DqnLoss, HuberErrorAgreesWithAHandComputedExample) {
  DqnConfig c = affine();
  c.huber_delta = 1;
  EXPECT_EQ(loss_of(c, two_transitions()), Scalar(0.75));  // (0 + 1.5) / 2
}
//   y = -1 + 0.5 * -1.5 = -1.75: the action is chosen by the online network, its value taken from the target network
TEST(DqnLoss, DoubleQTakesTheTargetNetworksValueOfTheOnlineNetworksAction) {
  DqnConfig c = affine();
  c.huber_delta = 0;
  c.double_q = true;
  EXPECT_EQ(loss_of(c, two_transitions()), Scalar(9.03125));  // (3.75² + 4) / 2
}
TEST(DqnLoss, ClipsTargetsToTheRangeOfReturns) {
  DqnConfig c = affine();
  c.huber_delta = 0;
  c.clip_targets = true;                        // to [-2, 0]
  EXPECT_EQ(loss_of(c, two_transitions()), 4);  // y = 0 and 0: (4 + 4) / 2
  Batch low = two_transitions();
  low.r = matrix({{-9, -9}});
  EXPECT_EQ(loss_of(c, low), 16);  // y = -2 and -2: errors 4 and 4
}
TEST(DqnLoss, TheDiscountMayBeZeroOrOne) {
  DqnConfig c = affine();
  c.huber_delta = 0;
  c.gamma = 0;
  EXPECT_EQ(loss_of(c, two_transitions(0)), Scalar(6.5));  // y = -1 and 0: (9 + 4) / 2
  c.gamma = 1;
  EXPECT_EQ(loss_of(c, two_transitions(1)), Scalar(6.5));  // y = -1 + 6 = 5 and 0: (9 + 4) / 2
  c.clip_targets = true;                                   // from above only
  EXPECT_EQ(loss_of(c, two_transitions(1)), 4);            // y = 0 and 0
}
TEST(DqnLoss, DiscountsATransitionForTheTimeThatItTook) {
  DqnConfig c = affine();
  c.huber_delta = 0;
  Batch batch = two_transitions();
  batch.discount(0, 0) = Scalar(0.25);
  EXPECT_EQ(loss_of(c, batch), Scalar(3.125));  // y = -1 + 0.5² 6 = 0.5 and 0: (2.25 + 4) / 2
}
TEST(DqnLoss, IgnoresTheSuccessorOfATerminalTransition) {
  Batch other = two_transitions();
  other.s2(0, 1) = 50;
  EXPECT_EQ(loss_of(affine(), two_transitions()), loss_of(affine(), other));
  other.s2(0, 0) = 50;
  EXPECT_NE(loss_of(affine(), two_transitions()), loss_of(affine(), other));
}

EnvSpec four_actions() {
  EnvSpec spec = two_actions();
  spec.action.choices = 4;
  return spec;
}
// Q(s) = (s, -s, 1, -9): the best action is 1 below -1, 0 above 1, else 2.
Dqn greedy_by_sign(double from, double to, std::int64_t steps) {
  DqnConfig c = affine();
  c.epsilon = {.from = from, .to = to, .steps = steps};
  return Dqn(four_actions(), c, Rng(1));
}
void set_greedy(Dqn& dqn) {
  set_state(dqn, "q/W0", matrix({{1}, {-1}, {0}, {0}}));
  set_state(dqn, "q/b0", matrix({{0}, {0}, {1}, {-9}}));
}

TEST(DqnAct, ExploitsTheLargestValue) {
  Dqn dqn = greedy_by_sign(1, 1, 0);
  set_greedy(dqn);
  Rng rng(1);
  Matrix a(1, 4);
  dqn.act(matrix({{-3, 0, 0.5, 3}}), Mode::exploit, rng, a);
  EXPECT_EQ(a, matrix({{1, 2, 2, 0}}));
  EXPECT_EQ(rng.position(), 0u) << "exploiting draws nothing";
}

TEST(DqnAct, ExploresWithProbabilityEpsilon) {
  Dqn dqn = greedy_by_sign(0.3, 0.3, 1);
  set_greedy(dqn);
  Rng rng(2);
  const int n = 20'000;
  Matrix a(1, n);
  dqn.act(Matrix::Zero(1, n), Mode::explore, rng, a);
  // action 2 is greedy: it is taken with 0.7 + 0.3/4, each other one with 0.3/4
  for (int action = 0; action < 4; ++action) {
    const double p = action == 2 ? 0.775 : 0.075;
    const double share = static_cast<double>((a.array() == Scalar(action)).count()) / n;
    EXPECT_NEAR(share, p, 4 * std::sqrt(p * (1 - p) / n)) << "action " << action;
  }
}

TEST(DqnAct, ExplorationFallsWithTheTransitionsExplored) {
  Dqn dqn = greedy_by_sign(1, 0, 200);
  set_greedy(dqn);
  Rng rng(3);
  Matrix a(1, 100);
  const auto greedy = [&](Mode mode) {
    dqn.act(Matrix::Zero(1, 100), mode, rng, a);
    return (a.array() == 2).count();
  };
  EXPECT_LT(greedy(Mode::explore), 60);   // epsilon 1: one quarter
  EXPECT_EQ(greedy(Mode::exploit), 100);  // does not count as exploration
  const Index half = greedy(Mode::explore);
  EXPECT_GT(half, 40);  // epsilon 0.5: five eighths
  EXPECT_LT(half, 90);
  EXPECT_EQ(greedy(Mode::explore), 100);  // epsilon 0
}

std::vector<unsigned char> bytes_of(Dqn& dqn, const std::string& name) {
  for (const StateEntry& e : snapshot(dqn))
    if (e.name == name) return e.bytes;
  return {};
}

TEST(DqnUpdate, CopiesTheTargetNetworkEveryFewUpdates) {
  DqnConfig c = affine();
  c.target_every = 3;
  Dqn dqn(two_actions(), c, Rng(1));
  set_networks(dqn);
  const Batch batch = two_transitions();
  Rng rng(1);
  Metrics metrics;
  const auto target = bytes_of(dqn, "q_target/W0");
  for (int i = 1; i <= 3; ++i) {
    const auto online = bytes_of(dqn, "q/W0");
    dqn.update(batch, rng, metrics);
    EXPECT_NE(bytes_of(dqn, "q/W0"), online);
    EXPECT_EQ(bytes_of(dqn, "q_target/W0"), i < 3 ? target : bytes_of(dqn, "q/W0")) << "update " << i;
  }
}

// Q(s)ₐ = wₐ s + bₐ, in double and without the library; the parameters are w₀, w₁, b₀, b₁.
//   y = r + γ (1 − d) Q'(s')ₐ', a' = argmax Q'(s') or, with double Q, argmax Q(s')
//   L = 1/B Σ f(e), e = Q(s)ₐ − y; f(e) = e², or Huber's: e²/2 up to δ, δ (|e| − δ/2) beyond
//   ∂L/∂wₐ = 1/B Σ f'(e) s, ∂L/∂bₐ = 1/B Σ f'(e), over the transitions with action a
struct ByHand {
  DqnConfig c;
  std::array<double, 4> q{1, 2, 0, 0}, target{3, -1, 0, 0.5};
  AdamByHand<4> adam{static_cast<double>(c.adam.lr), static_cast<double>(c.adam.epsilon)};
  int updates = 0;

  static double value(const std::array<double, 4>& p, int a, double s) {
    return p[static_cast<std::size_t>(a)] * s + p[static_cast<std::size_t>(a) + 2];
  }
  void update(const std::vector<Transition>& batch) {
    const double n = static_cast<double>(batch.size()), delta = static_cast<double>(c.huber_delta);
    std::array<double, 4> g{};
    for (const Transition& t : batch) {
      const auto& chooser = c.double_q ? q : target;
      const int best = value(chooser, 1, t.s2) > value(chooser, 0, t.s2) ? 1 : 0;
      const double y = t.r + static_cast<double>(c.gamma) * (1 - t.d) * value(target, best, t.s2);
      const int a = static_cast<int>(t.a);
      const double e = value(q, a, t.s) - y, slope = delta == 0 ? 2 * e : std::clamp(e, -delta, delta);
      g[static_cast<std::size_t>(a)] += slope * t.s / n;
      g[static_cast<std::size_t>(a) + 2] += slope / n;
    }
    const double norm = std::hypot(std::hypot(g[0], g[1]), std::hypot(g[2], g[3]));
    if (c.max_grad_norm > 0 && norm > c.max_grad_norm)
      for (double& x : g) x *= c.max_grad_norm / norm;
    adam.step(q, g);
    if (++updates % c.target_every != 0) return;
    for (std::size_t i = 0; i < 4; ++i)
      target[i] = static_cast<double>(c.tau) * q[i] + (1 - static_cast<double>(c.tau)) * target[i];
  }
};

TEST(DqnUpdate, ParametersAndTargetsAreThoseWorkedOutByHand) {
  const std::vector<Transition> transitions = {{2, 0, -1, 2, 0}, {1, 1, 0, -1, 1}, {-0.3, 1, 0.2, -0.5, 0}};
  for (const double huber : {0.0, 1.0})
    for (const double tau : {1.0, 0.25})
      for (const double max_norm : {0.0, 0.2, 1e3})
        for (const bool double_q : {false, true}) {
          SCOPED_TRACE(testing::Message() << "huber " << huber << ", tau " << tau << ", max_grad_norm " << max_norm
                                          << ", double_q " << double_q);
          DqnConfig c = affine();
          c.gamma = Scalar(0.9);
          c.huber_delta = Scalar(huber);
          c.tau = Scalar(tau);
          c.target_every = 2;
          c.max_grad_norm = max_norm;
          c.double_q = double_q;
          c.adam = {.lr = Scalar(0.1), .epsilon = Scalar(0.5)};  // large: a step shows the size of a gradient
          ByHand hand{.c = c};
          Dqn dqn(two_actions(), c, Rng(1));
          set_networks(dqn);
          const Batch b = batch_of(two_actions(), transitions);
          Rng rng(1);
          Metrics metrics;
          for (int i = 1; i <= 5; ++i) {
            dqn.update(b, rng, metrics);
            hand.update(transitions);
            for (const auto& [name, expected] : {std::pair{"q", hand.q}, std::pair{"q_target", hand.target}}) {
              const Vector W = get_state(dqn, std::string(name) + "/W0"),
                           bias = get_state(dqn, std::string(name) + "/b0");
              for (Index a = 0; a < 2; ++a) {
                EXPECT_NEAR(W(a), expected[static_cast<std::size_t>(a)], 3e-6) << name << ", update " << i;
                EXPECT_NEAR(bias(a), expected[static_cast<std::size_t>(a) + 2], 3e-6) << name << ", update " << i;
              }
            }
          }
        }
}

TEST(DqnUpdate, ReportsTheLossAndLowersIt) {
  Dqn dqn(two_actions(), affine(), Rng(1));
  set_networks(dqn);
  const Batch batch = two_transitions();
  Rng rng(1);
  Metrics first, last;
  dqn.update(batch, rng, first);
  EXPECT_FLOAT_EQ(static_cast<float>(first.mean("train/loss", -1)), 0.75f);
  for (int i = 0; i < 2000; ++i) dqn.update(batch, rng, last);
  last.clear();
  dqn.update(batch, rng, last);
  EXPECT_LT(last.mean("train/loss", 99), 0.01);
}

TEST(DqnUpdate, ANonFiniteRewardIsNamedAndChangesNothing) {
  Dqn dqn(two_actions(), affine(), Rng(1));
  set_networks(dqn);
  Batch batch = two_transitions();
  batch.r(0, 1) = std::numeric_limits<Scalar>::quiet_NaN();
  const std::uint64_t before = state_hash(dqn);
  Rng rng(1);
  Metrics metrics;
  EXPECT_THROW_MESSAGE(dqn.update(batch, rng, metrics), NumericsError,
                       "non-finite values enter through r into +: its inputs are r [1x2]");
  EXPECT_EQ(state_hash(dqn), before);
}

TEST(Dqn, ResumesFromItsState) {
  Dqn a(two_actions(), affine(), Rng(1)), b(two_actions(), affine(), Rng(2));
  Rng rng(1);
  Metrics metrics;
  for (int i = 0; i < 3; ++i) a.update(two_transitions(), rng, metrics);
  restore(b, snapshot(a));
  for (int i = 0; i < 3; ++i) {
    a.update(two_transitions(), rng, metrics);
    b.update(two_transitions(), rng, metrics);
  }
  EXPECT_EQ(state_hash(a), state_hash(b));
}

TEST(Dqn, RefusesContinuousActions) {
  const std::unique_ptr<Env> env = make_pendulum();
  EXPECT_THROW_MESSAGE(Dqn(env->spec(), {}, Rng(1)), std::invalid_argument,
                       "dqn: the actions of Pendulum-v1 are continuous; expected a discrete action space");
}

}  // namespace
}  // namespace goalpost::test
