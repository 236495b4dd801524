#include "algos/sac.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "envs/classic/bit_flip.h"
#include "support/by_hand.h"

namespace goalpost::test {
namespace {

// The second transition ended the task; the others did not (a truncation by the time limit is the same).
const std::vector<Transition> kTransitions = {
    {0.8, 0.5, -1, -1.3, 0}, {-0.4, -0.9, 0.5, -0.7, 1}, {0.3, 0.1, -0.2, 1.1, 0}};

// u = μ + σ ε,  a = tanh u,  log π = −½ ε² − log σ − ½ log 2π − log(1 − a²)
struct Draw {
  double eps, sigma, a, log_prob;
};
Draw draw(double mu, double log_std, double eps) {
  const double sigma = std::exp(log_std), u = mu + sigma * eps, size = std::abs(u);
  // 1 − tanh² u = 4 e^(−2|u|) / (1 + e^(−2|u|))²
  const double log_slope = std::log(4.0) - 2 * size - 2 * std::log1p(std::exp(-2 * size));
  return {eps, sigma, std::tanh(u), -eps * eps / 2 - log_std - std::log(2 * std::numbers::pi) / 2 - log_slope};
}

// μ = w s + b and log σ likewise, Qᵢ(s,a) = w₀ s + w₁ a + b. With a', log π' drawn at s' and a, log π drawn at s:
//   y = r + γ (1 − d) (min(Q'₁(s',a'), Q'₂(s',a')) − α log π')
//   L = 1/B Σ ½ (Q₁(s,a) − y)² + ½ (Q₂(s,a) − y)²
//   J = 1/B Σ α log π − min(Q₁(s,a), Q₂(s,a)), with a of the policy. At a fixed ε
//     ∂log π/∂u = 2 a, so ∂J/∂μ = α 2a − w₁ (1 − a²)  and  ∂J/∂log σ = (α 2a − w₁ (1 − a²)) σ ε − α
//   J(α) = α/B Σ (−log π − H̄),  ∂J/∂log α = J(α)
// In the order critics, policy, temperature, targets; both losses use the temperature of before.
struct ByHand {
  SacConfig c;
  Policy mu{{0.5, -0.1}}, log_std{{0.3, -0.8}};
  Critic q1{{1, 2, 0.5}}, q2{{-1, 0.5, 1}}, q1_target{{0.5, -1, 0.3}}, q2_target{{-0.5, 1, -0.2}};
  double log_alpha = std::log(static_cast<double>(c.initial_alpha));
  AdamByHand<4> pi_adam{static_cast<double>(c.pi_adam.lr), static_cast<double>(c.pi_adam.epsilon)};
  AdamByHand<3> q1_adam{static_cast<double>(c.q_adam.lr), static_cast<double>(c.q_adam.epsilon)}, q2_adam = q1_adam;
  AdamByHand<1> alpha_adam{static_cast<double>(c.alpha_adam.lr), static_cast<double>(c.alpha_adam.epsilon)};
  double log_probs = 0;  // mean of the last policy's loss

  double alpha() const { return std::exp(log_alpha); }
  Draw at(double s, Rng& noise) const { return draw(mu({s}), log_std({s}), static_cast<double>(noise.normal())); }
  std::vector<double> targets(const std::vector<Transition>& batch, Rng& noise) const {
    std::vector<double> y;
    for (const Transition& t : batch) {
      const Draw p = at(t.s2, noise);
      const double v = std::min(q1_target({t.s2, p.a}), q2_target({t.s2, p.a})) - alpha() * p.log_prob;
      y.push_back(t.r + (t.d == 0 ? static_cast<double>(c.gamma) * v : 0));
    }
    return y;
  }
  double critic_loss(const std::vector<Transition>& batch, Rng noise) const {
    const std::vector<double> y = targets(batch, noise);
    double sum = 0;
    for (std::size_t j = 0; j < batch.size(); ++j)
      for (const Critic* q : {&q1, &q2}) sum += std::pow((*q)({batch[j].s, batch[j].a}) - y[j], 2) / 2;
    return sum / static_cast<double>(batch.size());
  }
  double policy_loss(const std::vector<Transition>& batch, Rng noise) const {
    double sum = 0;
    for (const Transition& t : batch) {
      const Draw p = at(t.s, noise);
      sum += alpha() * p.log_prob - std::min(q1({t.s, p.a}), q2({t.s, p.a}));
    }
    return sum / static_cast<double>(batch.size());
  }
  void update(const std::vector<Transition>& batch, Rng& noise) {
    const double n = static_cast<double>(batch.size());
    const std::vector<double> y = targets(batch, noise);
    std::array<double, 3> g1{}, g2{};
    for (std::size_t j = 0; j < batch.size(); ++j) {
      const std::array<double, 2> sa = {batch[j].s, batch[j].a};
      Critic::add_gradient(sa, (q1(sa) - y[j]) / n, g1);
      Critic::add_gradient(sa, (q2(sa) - y[j]) / n, g2);
    }
    q1_adam.step(q1.w, g1);
    q2_adam.step(q2.w, g2);

    std::array<double, 2> g_mu{}, g_std{};
    log_probs = 0;
    for (const Transition& t : batch) {
      const Draw p = at(t.s, noise);
      const Critic& q = q1({t.s, p.a}) <= q2({t.s, p.a}) ? q1 : q2;
      const double du = alpha() * 2 * p.a - q.w[1] * (1 - p.a * p.a);
      Policy::add_gradient({t.s}, du / n, g_mu);
      Policy::add_gradient({t.s}, (du * p.sigma * p.eps - alpha()) / n, g_std);
      log_probs += p.log_prob / n;
    }
    std::array<double, 4> g = {g_mu[0], g_mu[1], g_std[0], g_std[1]},
                          theta = {mu.w[0], mu.w[1], log_std.w[0], log_std.w[1]};
    const double norm = std::hypot(std::hypot(g[0], g[1]), std::hypot(g[2], g[3]));
    if (c.pi_max_grad_norm > 0 && norm > c.pi_max_grad_norm)
      for (double& x : g) x *= c.pi_max_grad_norm / norm;
    pi_adam.step(theta, g);
    mu.w = {theta[0], theta[1]};
    log_std.w = {theta[2], theta[3]};

    if (c.learn_alpha) {
      std::array<double, 1> log_alphas = {log_alpha};
      alpha_adam.step(log_alphas, {alpha() * (-log_probs - static_cast<double>(c.target_entropy_per_dim))});
      log_alpha = log_alphas[0];
    }
    q1_target.move_to(q1, static_cast<double>(c.tau));
    q2_target.move_to(q2, static_cast<double>(c.tau));
  }
};

// ε of the optimizers is large, so that a step shows the size of a gradient and not only its sign.
SacConfig config() {
  SacConfig c;
  c.gamma = Scalar(0.9);
  c.tau = Scalar(0.25);
  c.initial_alpha = Scalar(0.7);
  c.pi.hidden = c.q.hidden = {};
  c.pi_adam = {.lr = Scalar(0.05), .epsilon = Scalar(0.5)};
  c.q_adam = {.lr = Scalar(0.1), .epsilon = Scalar(0.5)};
  c.alpha_adam = {.lr = Scalar(0.1), .epsilon = Scalar(0.5)};
  return c;
}

void set_policy(Sac& sac, const Policy& mu, const Policy& log_std) {
  set_state(sac, "pi/W0", matrix({{mu.w[0]}, {log_std.w[0]}}));
  set_state(sac, "pi/b0", matrix({{mu.w[1]}, {log_std.w[1]}}));
}

std::unique_ptr<Sac> make(const ByHand& hand) {
  auto sac = std::make_unique<Sac>(scalar_spec(), hand.c, Rng(1));
  set_policy(*sac, hand.mu, hand.log_std);
  set_network(*sac, "q1", hand.q1);
  set_network(*sac, "q2", hand.q2);
  set_network(*sac, "q1_target", hand.q1_target);
  set_network(*sac, "q2_target", hand.q2_target);
  return sac;
}

void expect_equal(Sac& sac, const ByHand& hand) {
  const Vector W = get_state(sac, "pi/W0"), b = get_state(sac, "pi/b0");
  for (Index i = 0; i < 2; ++i) {
    const Policy& expected = i == 0 ? hand.mu : hand.log_std;
    EXPECT_NEAR(W(i), expected.w[0], 3e-6) << "policy, output " << i;
    EXPECT_NEAR(b(i), expected.w[1], 3e-6) << "policy, output " << i;
  }
  expect_network(sac, "q1", hand.q1, 3e-6);
  expect_network(sac, "q2", hand.q2, 3e-6);
  expect_network(sac, "q1_target", hand.q1_target, 3e-6);
  expect_network(sac, "q2_target", hand.q2_target, 3e-6);
  EXPECT_NEAR(get_state(sac, "log_alpha")(0), hand.log_alpha, 3e-6);
}

double loss_of(const ByHand& hand, const std::vector<Transition>& transitions) {
  const auto sac = make(hand);
  const Batch b = batch_of(scalar_spec(), transitions, hand.c.gamma);
  Rng rng(3);
  return static_cast<double>(sac->critic_loss(b, rng).item());
}

TEST(SacTarget, IsTheSoftValueOfTheSmallerTargetCriticWhereTheTaskGoesOn) {
  for (const double gamma : {0.0, 0.9, 1.0}) {
    for (const double alpha : {1e-6, 0.7, 3.0}) {
      ByHand hand{.c = config()};
      hand.c.gamma = Scalar(gamma);
      hand.c.initial_alpha = Scalar(alpha);
      hand.log_alpha = std::log(alpha);
      EXPECT_NEAR(loss_of(hand, kTransitions), hand.critic_loss(kTransitions, Rng(3)), 2e-5)
          << "gamma = " << gamma << ", alpha = " << alpha;
    }
  }
}

// Without noise (σ = e⁻²⁰) and temperature (α = 10⁻¹²) the numbers are TD3's. Q₁(0.8, 0.5) = 2.3, Q₂ = 0.45.
TEST(SacTarget, AgreesWithNumbersWhereNothingIsRandom) {
  ByHand hand{.c = config()};
  hand.c.initial_alpha = Scalar(1e-12);
  hand.log_std.w = {0, -20};
  hand.mu.w = {-0.3, 0.2};
  // s' = −1.3: a' = tanh(0.59) = 0.529896, Q'₁ = −0.879896 < Q'₂; y = −1.791906; (4.091906² + 2.241906²)/2
  EXPECT_NEAR(loss_of(hand, {kTransitions[0]}), 21.769838 / 2, 1e-4);
  EXPECT_NEAR(loss_of(hand, {kTransitions[1]}), 5.0425 / 2, 1e-5);  // d = 1: y = 0.5
  // s' = 1.1: a' = tanh(−0.13) = −0.129273, Q'₂ = −0.879273 < Q'₁; y = −0.991345
  EXPECT_NEAR(loss_of(hand, {kTransitions[2]}), 6.997740 / 2, 1e-5);
}

// Entropy is worth something: a target of the same critics is larger for a policy that is wider.
TEST(SacTarget, RewardsEntropy) {
  const auto target_of = [](double log_std) {  // Q₁ = Q₂ = 0 and r = 0: the loss is E y²; all y are of one sign
    ByHand hand{.c = config()};
    hand.mu.w = {0, 0};
    hand.log_std.w = {0, log_std};
    hand.q1.w = hand.q2.w = hand.q2_target.w = {0, 0, 0};
    hand.q1_target.w = hand.q2_target.w = {0, 0, 10};
    return std::sqrt(loss_of(hand, std::vector<Transition>(500, {0, 0, 0, 0, 0})));
  };
  // −log π of N(0, σ), σ small: log σ + 1.42 on average; y = 0.9 (10 + 0.7 (log σ + 1.42))
  EXPECT_NEAR(target_of(-3), 0.9 * (10 + 0.7 * (-3 + 1.42)), 0.15);
  EXPECT_NEAR(target_of(-6), 0.9 * (10 + 0.7 * (-6 + 1.42)), 0.15);
}

TEST(SacTarget, DiscountsATransitionForTheTimeThatItTook) {
  ByHand hand{.c = config()};
  const auto sac = make(hand);
  Batch b = batch_of(scalar_spec(), std::vector<Transition>{kTransitions[0]});
  b.discount(0, 0) = Scalar(std::pow(0.9, 0.3));
  hand.c.gamma = Scalar(std::pow(0.9, 0.3));
  Rng rng(3);
  EXPECT_NEAR(sac->critic_loss(b, rng).item(), hand.critic_loss({kTransitions[0]}, Rng(3)), 1e-5);
}

TEST(SacUpdate, ParametersTemperatureAndTargetsAreThoseWorkedOutByHand) {
  for (const bool learn_alpha : {true, false}) {
    for (const double max_norm : {0.0, 0.3, 1e3}) {
      SCOPED_TRACE(testing::Message() << "learn_alpha " << learn_alpha << ", pi_max_grad_norm " << max_norm);
      ByHand hand{.c = config()};
      hand.c.learn_alpha = learn_alpha;
      hand.c.pi_max_grad_norm = max_norm;
      const auto sac = make(hand);
      const Batch b = batch_of(scalar_spec(), kTransitions);
      Rng rng(8), noise(8);
      for (int i = 1; i <= 5; ++i) {
        SCOPED_TRACE(testing::Message() << "update " << i);
        Metrics metrics;
        const double loss = hand.critic_loss(kTransitions, noise), alpha = hand.alpha();
        sac->update(b, rng, metrics);
        hand.update(kTransitions, noise);
        EXPECT_NEAR(metrics.mean("train/critic_loss", 99), loss, 3e-5);
        EXPECT_NEAR(metrics.mean("train/ent_coef", 99), alpha, 1e-5);
        if (learn_alpha) {
          EXPECT_NEAR(metrics.mean("train/ent_coef_loss", 99),
                      alpha * (-hand.log_probs - static_cast<double>(hand.c.target_entropy_per_dim)), 3e-5);
        }
        expect_equal(*sac, hand);
      }
      if (!learn_alpha) {
        EXPECT_EQ(sac->log_alpha().value(0, 0), std::log(Scalar(0.7)));
      }
    }
  }
}

TEST(SacUpdate, ThePolicysLossIsTheTemperatureTimesTheLogProbabilityLessTheSmallerQ) {
  const ByHand hand{.c = config()};
  const auto sac = make(hand);
  const Batch b = batch_of(scalar_spec(), kTransitions);
  Rng rng(3);
  EXPECT_NEAR(sac->policy_loss(b, rng).item(), hand.policy_loss(kTransitions, Rng(3)), 1e-5);
}

TEST(SacUpdate, ImprovesThePolicyAndItsEntropy) {
  const Batch b = batch_of(scalar_spec(), kTransitions);
  for (const double slope : {2.0, -2.0}) {  // of both Q in the action
    ByHand hand{.c = config()};
    hand.c.initial_alpha = Scalar(1e-6);
    hand.c.q_adam.lr = 0;
    hand.q1.w = hand.q2.w = {0, slope, 0};
    const auto sac = make(hand);
    Rng rng(1);
    Metrics metrics;
    Matrix before(1, 3), after(1, 3);
    sac->act(b.s, Mode::exploit, rng, before);
    sac->update(b, rng, metrics);
    sac->act(b.s, Mode::exploit, rng, after);
    EXPECT_GT((Scalar(slope) * (after - before)).minCoeff(), 0);
  }
  ByHand flat{.c = config()};  // critics without an opinion: a narrow policy becomes wider
  flat.c.q_adam.lr = 0;
  flat.q1.w = flat.q2.w = {0, 0, 0};
  flat.mu.w = {0, 0};
  flat.log_std.w = {0, -3};
  const auto sac = make(flat);
  Rng rng(1);
  Metrics metrics;
  sac->update(b, rng, metrics);
  EXPECT_GT(get_state(*sac, "pi/b0")(1), Scalar(-3));
}

// The entropy of tanh of N(0, σ) is about log σ + 1.42 for small σ; the target is −1.
TEST(SacTemperature, RisesBelowTheTargetEntropyAndFallsAboveIt) {
  for (const double log_std : {-5.0, -1.0}) {
    ByHand hand{.c = config()};
    hand.mu.w = {0, 0};
    hand.log_std.w = {0, log_std};
    const auto sac = make(hand);
    Rng rng(1);
    Metrics metrics;
    sac->update(batch_of(scalar_spec(), std::vector<Transition>(200, kTransitions[0])), rng, metrics);
    const double moved = static_cast<double>(sac->log_alpha().value(0, 0)) - std::log(0.7);
    if (log_std < -2) {
      EXPECT_GT(moved, 0.01);
    } else {
      EXPECT_LT(moved, -0.01);
    }
  }
}

TEST(SacTemperature, TheTargetEntropyIsPerDimensionOfTheAction) {
  EnvSpec spec = scalar_spec();
  spec.action = {.dim = 3, .choices = 0, .low = Vector::Constant(3, -1), .high = Vector::Constant(3, 1)};
  SacConfig c = config();
  c.target_entropy_per_dim = Scalar(-0.5);
  Sac sac(spec, c, Rng(1));
  set_state(sac, "pi/W0", Matrix::Zero(6, 1));
  set_state(sac, "pi/b0", matrix({{0}, {0}, {0}, {-4}, {-4}, {-4}}));
  Batch b(spec, 400, Scalar(0.9));
  Rng rng(3);
  sac.policy_loss(b, rng);  // leaves the log-probabilities: on average −3 (−4 + 1.42)
  EXPECT_NEAR(sac.temperature_loss().item(), 0.7 * (3 * (-4 + 1.42) + 3 * 0.5), 0.15);
}

TEST(SacUpdate, GoesOnAfterARestoreWhereItWas) {
  ByHand hand{.c = config()};
  const auto first = make(hand);
  const Batch b = batch_of(scalar_spec(), kTransitions);
  Rng rng(8), noise(8);
  Metrics metrics;
  for (int i = 0; i < 2; ++i) {
    first->update(b, rng, metrics);
    hand.update(kTransitions, noise);
  }
  Sac resumed(scalar_spec(), hand.c, Rng(2));
  restore(resumed, snapshot(*first));
  for (int i = 0; i < 3; ++i) {
    resumed.update(b, rng, metrics);
    hand.update(kTransitions, noise);
    expect_equal(resumed, hand);
  }
}

TEST(SacAct, ExploitsTheModeAndExploresByDrawing) {
  ByHand hand{.c = config()};
  hand.mu.w = {0, 0.2};
  hand.log_std.w = {0, -2};
  const auto sac = make(hand);
  Rng rng(5);
  const Index n = 20'000;
  const Matrix s = Matrix::Zero(1, n);
  Matrix a(1, n);
  sac->act(s, Mode::exploit, rng, a);
  EXPECT_EQ(rng.position(), 0u) << "exploiting draws nothing";
  EXPECT_NEAR(a.minCoeff(), std::tanh(0.2), 1e-6);
  EXPECT_NEAR(a.maxCoeff(), std::tanh(0.2), 1e-6);
  sac->act(s, Mode::explore, rng, a);
  const Matrix u = a.unaryExpr([](Scalar x) { return std::atanh(x); });
  const double mean = static_cast<double>(u.mean()), sigma = std::exp(-2.0);
  EXPECT_NEAR(mean, 0.2, 4 * sigma / std::sqrt(n));
  EXPECT_NEAR(std::sqrt((u.array() - Scalar(mean)).square().mean()), sigma, 4 * sigma / std::sqrt(2.0 * n));
}

TEST(SacActionValues, AreTheSmallerOfTheCritics) {
  const ByHand hand{.c = config()};
  const auto sac = make(hand);
  const Matrix values = sac->action_values(batch_of(scalar_spec(), kTransitions));
  for (std::size_t j = 0; j < kTransitions.size(); ++j) {
    const std::array<double, 2> sa = {kTransitions[j].s, kTransitions[j].a};
    EXPECT_NEAR(values(0, static_cast<Index>(j)), std::min(hand.q1(sa), hand.q2(sa)), 1e-6);
  }
}

TEST(Sac, RefusesDiscreteActions) {
  const std::unique_ptr<Env> env = make_bit_flip({.bits = 5});
  EXPECT_THROW_MESSAGE(Sac(env->spec(), {}, Rng(1)), std::invalid_argument, "expected a continuous action space");
}

}  // namespace
}  // namespace goalpost::test
