#include "autodiff/ops.h"

namespace goalpost {
namespace {

void check_equal_shapes(const char* op, Var a, Var b) {
  GP_CHECK(a.rows() == b.rows() && a.cols() == b.cols(), op, ": the operands are ", detail::shape(a.rows(), a.cols()),
           " and ", detail::shape(b.rows(), b.cols()), "; expected equal shapes");
}

bool is_1x1(Var x) { return x.rows() == 1 && x.cols() == 1; }

Var like(const char* op, Var x) { return x.tape().result(op, x.rows(), x.cols(), {x}); }

// y = k x, k a 1x1 on the tape
Var scale(Var k, Var x) {
  Var y = x.tape().result("scale", x.rows(), x.cols(), {k, x});
  y.value() = k.item() * x.value();
  y.on_backward([=] {
    x.accumulate(k.item() * y.grad());
    if (k.needs_grad()) k.grad_for_update()(0, 0) += (y.grad().array() * x.value().array()).sum();
  });
  return y;
}

}  // namespace

Var operator+(Var a, Var b) {
  check_equal_shapes("+", a, b);
  Var y = a.tape().result("+", a.rows(), a.cols(), {a, b});
  y.value() = a.value() + b.value();
  y.on_backward([=] {
    a.accumulate(y.grad());
    b.accumulate(y.grad());
  });
  return y;
}

Var operator-(Var a, Var b) {
  check_equal_shapes("-", a, b);
  Var y = a.tape().result("-", a.rows(), a.cols(), {a, b});
  y.value() = a.value() - b.value();
  y.on_backward([=] {
    a.accumulate(y.grad());
    b.accumulate(-y.grad());
  });
  return y;
}

Var operator*(Var a, Var b) {
  if (is_1x1(a) && !is_1x1(b)) return scale(a, b);
  if (is_1x1(b) && !is_1x1(a)) return scale(b, a);
  check_equal_shapes("*", a, b);
  Var y = a.tape().result("*", a.rows(), a.cols(), {a, b});
  y.value() = a.value().cwiseProduct(b.value());
  y.on_backward([=] {
    a.accumulate(y.grad().cwiseProduct(b.value()));
    b.accumulate(y.grad().cwiseProduct(a.value()));
  });
  return y;
}

Var operator+(Var a, Scalar k) {
  Var y = like("+", a);
  y.value() = a.value().array() + k;
  y.on_backward([=] { a.accumulate(y.grad()); });
  return y;
}

Var operator+(Scalar k, Var a) { return a + k; }

Var operator-(Var a, Scalar k) { return a + -k; }

Var operator-(Scalar k, Var a) {
  Var y = like("-", a);
  y.value() = k - a.value().array();
  y.on_backward([=] { a.accumulate(-y.grad()); });
  return y;
}

Var operator*(Scalar k, Var a) {
  Var y = like("*", a);
  y.value() = k * a.value();
  y.on_backward([=] { a.accumulate(k * y.grad()); });
  return y;
}

Var operator-(Var a) { return Scalar(-1) * a; }

Var square(Var x) {
  Var y = like("square", x);
  y.value() = x.value().array().square();
  y.on_backward([=] { x.accumulate(2 * x.value().array() * y.grad().array()); });
  return y;
}

Var exp(Var x) {
  Var y = like("exp", x);
  y.value() = x.value().array().exp();
  y.on_backward([=] { x.accumulate(y.grad().array() * y.value().array()); });
  return y;
}

Var log(Var x) {
  Var y = like("log", x);
  y.value() = x.value().array().log();
  y.on_backward([=] { x.accumulate(y.grad().array() / x.value().array()); });
  return y;
}

Var tanh(Var x) {
  Var y = like("tanh", x);
  y.value() = x.value().array().tanh();
  y.on_backward([=] { x.accumulate(y.grad().array() * (1 - y.value().array().square())); });
  return y;
}

Var relu(Var x) {
  Var y = like("relu", x);
  y.value() = x.value().cwiseMax(Scalar(0));
  y.on_backward([=] { x.accumulate((y.value().array() > 0).select(y.grad().array(), Scalar(0))); });
  return y;
}

Var softplus(Var x) {
  Var y = like("softplus", x);
  y.value() = x.value().array().max(Scalar(0)) + (-x.value().array().abs()).exp().log1p();
  y.on_backward([=] {  // d/dx = 1/(1 + e⁻ˣ) = (1 + tanh(x/2))/2
    x.accumulate(y.grad().array() * (Scalar(0.5) + Scalar(0.5) * (Scalar(0.5) * x.value().array()).tanh()));
  });
  return y;
}

Var clamp(Var x, Scalar low, Scalar high) {
  GP_CHECK(low <= high, "clamp: low = ", low, " and high = ", high, "; expected low <= high");
  Var y = like("clamp", x);
  // A NaN passes through (Eigen's min and max may drop it), so that it is found.
  y.value() = x.value().unaryExpr([=](Scalar e) { return e < low ? low : e > high ? high : e; });
  y.on_backward([=] {
    x.accumulate((x.value().array() >= low && x.value().array() <= high).select(y.grad().array(), Scalar(0)));
  });
  return y;
}

Var min(Var a, Var b) {
  check_equal_shapes("min", a, b);
  Var y = a.tape().result("min", a.rows(), a.cols(), {a, b});
  // A NaN on either side passes through: it is taken from a here, from b because the comparison is then false.
  const auto take_a = [=] { return a.value().array() <= b.value().array() || a.value().array().isNaN(); };
  y.value() = take_a().select(a.value(), b.value());
  y.on_backward([=] {
    a.accumulate(take_a().select(y.grad().array(), Scalar(0)));
    b.accumulate(take_a().select(Scalar(0), y.grad().array()));
  });
  return y;
}

Var huber(Var x, Scalar delta) {
  GP_CHECK(delta > 0, "huber: delta = ", delta, "; expected a positive number");
  Var y = like("huber", x);
  y.value() = x.value().unaryExpr([=](Scalar e) {
    const Scalar size = std::abs(e);
    return size <= delta ? e * e / 2 : delta * (size - delta / 2);
  });
  y.on_backward([=] { x.accumulate(y.grad().array() * x.value().array().max(-delta).min(delta)); });
  return y;
}

}  // namespace goalpost
