// Learners worked out by hand: affine networks of one or two numbers, their losses, gradients and steps, in double and
// without the library. Tests set the library's networks to the same numbers and compare.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "algos/batch.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {

/// One transition. d: 1 where the task ended; 0 where it goes on, or time ran out.
struct Transition {
  double s, a, r, s2, d;
};

/// Observations of one number, actions of one number in ±2.
inline EnvSpec scalar_spec() {
  EnvSpec spec;
  spec.name = "Scalar";
  spec.obs_dim = 1;
  spec.action = {.dim = 1, .choices = 0, .low = Vector::Constant(1, -2), .high = Vector::Constant(1, 2)};
  spec.max_steps = 10;
  return spec;
}

inline Batch batch_of(const EnvSpec& spec, std::span<const Transition> transitions, Scalar gamma = Scalar(0.9)) {
  Batch b(spec, static_cast<Index>(transitions.size()), gamma);
  for (Index j = 0; j < b.size(); ++j) {
    const Transition& t = transitions[static_cast<std::size_t>(j)];
    b.s(0, j) = Scalar(t.s);
    b.a(0, j) = Scalar(t.a);
    b.r(0, j) = Scalar(t.r);
    b.s2(0, j) = Scalar(t.s2);
    if (t.d != 0) b.discount(0, j) = 0;
  }
  return b;
}

/// y = Σ w x + b. The numbers are w..., b.
template <std::size_t N>
struct Affine {
  std::array<double, N + 1> w{};

  double operator()(const std::array<double, N>& x) const {
    double y = w[N];
    for (std::size_t i = 0; i < N; ++i) y += w[i] * x[i];
    return y;
  }
  /// Adds dy · ∂y/∂w.
  static void add_gradient(const std::array<double, N>& x, double dy, std::array<double, N + 1>& g) {
    for (std::size_t i = 0; i < N; ++i) g[i] += dy * x[i];
    g[N] += dy;
  }
  void move_to(const Affine& online, double tau) {
    for (std::size_t i = 0; i <= N; ++i) w[i] = (1 - tau) * w[i] + tau * online.w[i];
  }
};
using Critic = Affine<2>;  // of (s, a)
using Policy = Affine<1>;  // of s, before tanh

/// Kingma & Ba 2015, Algorithm 1.
template <std::size_t N>
struct AdamByHand {
  double lr, epsilon;
  std::array<double, N> m{}, v{};
  int t = 0;

  void step(std::array<double, N>& theta, const std::array<double, N>& g) {
    ++t;
    for (std::size_t i = 0; i < N; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
      theta[i] -= lr * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + epsilon);
    }
  }
};

/// Sets the weights and the bias of a network without hidden layers.
template <class T, std::size_t N>
void set_network(T& learner, const std::string& name, const Affine<N>& net) {
  Matrix W(1, static_cast<Index>(N));
  for (std::size_t i = 0; i < N; ++i) W(0, static_cast<Index>(i)) = Scalar(net.w[i]);
  set_state(learner, name + "/W0", W);
  set_state(learner, name + "/b0", Matrix::Constant(1, 1, Scalar(net.w[N])));
}

template <class T, std::size_t N>
void expect_network(T& learner, const std::string& name, const Affine<N>& expected, double tolerance = 2e-6) {
  const Vector W = get_state(learner, name + "/W0"), b = get_state(learner, name + "/b0");
  ASSERT_EQ(W.size(), static_cast<Index>(N)) << name;
  for (std::size_t i = 0; i < N; ++i)
    EXPECT_NEAR(W(static_cast<Index>(i)), expected.w[i], tolerance) << name << ", weight " << i;
  EXPECT_NEAR(b(0), expected.w[N], tolerance) << name << ", bias";
}

}  // namespace goalpost::test
