// Gradients against central differences, in double: with float, differences agree to two digits only.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <type_traits>
#include <vector>

#include "autodiff/ops.h"
#include "nn/parameter.h"
#include "support/matrices.h"

namespace goalpost::test {

static_assert(std::is_same_v<Scalar, double>, "gradient tests link goalpost_double");

namespace detail {

constexpr double kStep = 1e-5, kTolerance = 1e-7;

// A result that is no 1x1 is weighted with fixed random numbers, so that every entry of it matters.
inline Var reduce(Var y) {
  if (y.rows() == 1 && y.cols() == 1) return y;
  return sum(y.tape().constant(random_matrix(y.rows(), y.cols(), 99, 0.5, 1.5)) * y);
}

struct Evaluation {
  double value;
  Shape shape;
  std::vector<Matrix> grads;
};

enum class How { leaf, constant, alias };

// Input `held` enters as `how`, all others as leaves.
template <class F>
Evaluation evaluate(Tape& tape, F& f, std::vector<Matrix>& inputs, std::size_t held, How how) {
  Evaluation e{};
  for (const Matrix& x : inputs) e.grads.push_back(Matrix::Zero(x.rows(), x.cols()));
  tape.rewind();
  std::vector<Var> vars;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const How as = i == held ? how : How::leaf;
    vars.push_back(as == How::leaf       ? tape.leaf(inputs[i], e.grads[i])
                   : as == How::constant ? tape.constant(inputs[i])
                                         : tape.alias(inputs[i]));
  }
  const Var y = f(tape, vars);
  e.shape = {y.rows(), y.cols()};
  const Var loss = reduce(y);
  e.value = loss.item();
  const std::vector<Matrix> before = inputs;
  tape.backward(loss);
  if (held < inputs.size()) {
    EXPECT_FALSE(vars[held].needs_grad()) << "input " << held << " is constant and must not want a gradient";
    EXPECT_TRUE(e.grads[held].isZero(0)) << "input " << held << " is constant but received a gradient";
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    EXPECT_TRUE(same_bits(inputs[i], before[i])) << "backward changed the value of input " << i;
  return e;
}

template <class Value>
void compare_with_differences(Matrix& x, const Matrix& analytic, const std::string& what, Value value) {
  int failures = 0;
  for (Index j = 0; j < x.cols(); ++j) {
    for (Index i = 0; i < x.rows() && failures < 3; ++i) {
      const double kept = x(i, j), step = kStep * std::max(1.0, std::abs(kept));
      const double above = kept + step, below = kept - step;
      x(i, j) = above;
      const double value_above = value();
      x(i, j) = below;
      const double value_below = value();
      x(i, j) = kept;
      const double numeric = (value_above - value_below) / (above - below);
      const double error = std::abs(numeric - analytic(i, j));
      if (error <= kTolerance * std::max({1.0, std::abs(numeric), std::abs(analytic(i, j))})) continue;
      ADD_FAILURE() << what << ", entry (" << i << ", " << j << ") = " << kept << ": analytic " << analytic(i, j)
                    << ", numeric " << numeric << ", difference " << error;
      ++failures;
    }
  }
}

}  // namespace detail

/// Checks f(tape, inputs): the shape of its value; its gradient for every entry of every input against central
/// differences; that an input which is a constant or an alias receives none, while the others keep theirs; and that a
/// second evaluation after rewind repeats the same bits.
template <class F>
void expect_gradient(F f, std::vector<Matrix> inputs, Shape expected = {1, 1}) {
  using namespace detail;
  Tape tape;
  const std::size_t none = inputs.size();
  const Evaluation first = evaluate(tape, f, inputs, none, How::leaf);
  EXPECT_EQ(first.shape.rows, expected.rows) << "rows of the value";
  EXPECT_EQ(first.shape.cols, expected.cols) << "columns of the value";

  const Evaluation second = evaluate(tape, f, inputs, none, How::leaf);
  EXPECT_TRUE(same_bits(Matrix::Constant(1, 1, first.value), Matrix::Constant(1, 1, second.value)))
      << "the value of a second evaluation is " << second.value << ", of the first " << first.value;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    EXPECT_TRUE(same_bits(first.grads[i], second.grads[i]))
        << "a second evaluation changes the gradient of input " << i;

  for (std::size_t held = 0; held < inputs.size(); ++held) {
    for (const How how : {How::constant, How::alias}) {
      const Evaluation e = evaluate(tape, f, inputs, held, how);
      EXPECT_EQ(e.value, first.value) << "with input " << held << " constant";
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (i == held) continue;
        EXPECT_TRUE(same_bits(e.grads[i], first.grads[i]))
            << "the gradient of input " << i << " changes when input " << held << " is constant";
      }
    }
  }

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    compare_with_differences(inputs[i], first.grads[i], "input " + std::to_string(i), [&] {
      tape.rewind();
      std::vector<Var> vars;
      for (const Matrix& x : inputs) vars.push_back(tape.constant(x));
      return reduce(f(tape, vars)).item();
    });
  }
}

/// The same for a loss that reads its parameters by itself. The tape is rewound before each call of loss().
template <class Loss>
void expect_parameter_gradient(Loss loss, Tape& tape, const ParameterList& parameters) {
  using namespace detail;
  const auto gradients = [&] {
    for (Parameter* p : parameters) p->grad.setZero();
    tape.rewind();
    const Var j = loss();
    EXPECT_EQ(j.rows(), 1);
    EXPECT_EQ(j.cols(), 1);
    tape.backward(j);
    std::vector<Matrix> list;
    for (Parameter* p : parameters) {
      EXPECT_EQ(p->grad.rows(), p->value.rows());
      EXPECT_EQ(p->grad.cols(), p->value.cols());
      list.push_back(p->grad);
      p->grad.setZero();
    }
    return list;
  };
  const std::vector<Matrix> first = gradients(), second = gradients();
  bool any = false;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_TRUE(same_bits(first[i], second[i]))
        << "a second evaluation changes the gradient of " << parameters[i]->name;
    any = any || !first[i].isZero(0);
    compare_with_differences(parameters[i]->value, first[i], "parameter " + parameters[i]->name, [&] {
      tape.rewind();
      return loss().item();
    });
  }
  EXPECT_TRUE(any) << "every gradient is zero: the test would pass whatever the loss";
}

}  // namespace goalpost::test
