// Evaluates ONNX models of the operators that policies need, by the operators' definitions
// (onnx.ai/onnx/operators), independently of what writes them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "onnx_format.pb.h"

namespace goalpost::test {

/// Numbers in C order; of any element type.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
  std::int64_t rows() const { return shape.size() < 2 ? 1 : shape[0]; }
  std::int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  double at(std::int64_t i, std::int64_t j) const {  // with broadcasting
    return values[static_cast<std::size_t>((rows() == 1 ? 0 : i) * columns() + (columns() == 1 ? 0 : j))];
  }
};

class OnnxModel {
 public:
  explicit OnnxModel(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!model_.ParseFromIstream(&file)) throw std::runtime_error(path + ": no ONNX model");
    for (const auto& t : model_.graph().initializer()) constants_[t.name()] = tensor(t);
  }
  const onnx::GraphProto& graph() const { return model_.graph(); }

  /// @param noise what RandomNormalLike gives
  std::map<std::string, Tensor> operator()(std::map<std::string, Tensor> values, const Tensor& noise = {}) const {
    for (const auto& i : graph().input())
      if (!values.contains(i.name())) throw std::runtime_error("input " + i.name() + " is missing");
    values.insert(constants_.begin(), constants_.end());
    for (const auto& n : graph().node()) {
      std::vector<Tensor> in;
      for (const auto& name : n.input()) in.push_back(values.at(name));
      values[n.output(0)] = evaluate(n, in, noise);
    }
    std::map<std::string, Tensor> out;
    for (const auto& o : graph().output()) out[o.name()] = values.at(o.name());
    return out;
  }

 private:
  static Tensor tensor(const onnx::TensorProto& t) {
    Tensor result{{t.dims().begin(), t.dims().end()}, {}};
    const auto read = [&](auto number) {
      for (std::size_t at = 0; at < t.raw_data().size(); at += sizeof(number)) {
        std::memcpy(&number, t.raw_data().data() + at, sizeof(number));
        result.values.push_back(static_cast<double>(number));
      }
    };
    t.data_type() == onnx::TensorProto::INT64 ? read(std::int64_t{}) : read(float{});
    return result;
  }

  static std::int64_t attribute(const onnx::NodeProto& n, const std::string& name, std::int64_t otherwise) {
    for (const auto& a : n.attribute())
      if (a.name() == name) return a.ints_size() > 0 ? a.ints(0) : a.i();
    return otherwise;
  }

  static Tensor map(const Tensor& x, const std::function<double(double)>& f) {
    Tensor y = x;
    for (double& v : y.values) v = f(v);
    return y;
  }
  static Tensor join(const Tensor& a, const Tensor& b, const std::function<double(double, double)>& f) {
    Tensor y;
    const std::int64_t rows = std::max(a.rows(), b.rows()), columns = std::max(a.columns(), b.columns());
    y.shape = {rows, columns};
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) y.values.push_back(f(a.at(i, j), b.at(i, j)));
    return y;
  }
  static Tensor over_columns(const Tensor& x, bool mean) {
    Tensor y{{x.rows(), 1}, {}};
    for (std::int64_t i = 0; i < x.rows(); ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < x.columns(); ++j) sum += x.at(i, j);
      y.values.push_back(mean ? sum / static_cast<double>(x.columns()) : sum);
    }
    return y;
  }

  static Tensor evaluate(const onnx::NodeProto& n, const std::vector<Tensor>& in, const Tensor& noise) {
    const std::string& op = n.op_type();
    const Tensor& x = in[0];
    if (op == "Identity") return x;
    if (op == "Relu") return map(x, [](double v) { return std::max(v, 0.0); });
    if (op == "Tanh") return map(x, [](double v) { return std::tanh(v); });
    if (op == "Exp") return map(x, [](double v) { return std::exp(v); });
    if (op == "Sqrt") return map(x, [](double v) { return std::sqrt(v); });
    if (op == "Add") return join(x, in[1], std::plus<double>());
    if (op == "Sub") return join(x, in[1], std::minus<double>());
    if (op == "Mul") return join(x, in[1], std::multiplies<double>());
    if (op == "Div") return join(x, in[1], std::divides<double>());
    if (op == "Or") return join(x, in[1], [](double a, double b) { return a != 0 || b != 0; });
    if (op == "Equal") return join(x, in[1], std::equal_to<double>());
    if (op == "LessOrEqual") return join(x, in[1], std::less_equal<double>());
    if (op == "Clip") return map(x, [&](double v) { return std::min(std::max(v, in[1].values[0]), in[2].values[0]); });
    if (op == "ReduceMean" || op == "ReduceSum") {
      const std::int64_t axis =
          op == "ReduceSum" ? static_cast<std::int64_t>(in[1].values[0]) : attribute(n, "axes", -9);
      if (axis != 1 || attribute(n, "keepdims", 1) != 1) throw std::runtime_error(op + ": another axis");
      return over_columns(x, op == "ReduceMean");
    }
    if (op == "RandomNormalLike") return noise.values.empty() ? map(x, [](double) { return 0.0; }) : noise;
    if (op == "Where") {
      const Tensor yes = join(x, in[1], [](double c, double a) { return c != 0 ? a : 0; });
      const Tensor no = join(x, in[2], [](double c, double b) { return c != 0 ? 0 : b; });
      return join(yes, no, std::plus<double>());
    }
    if (op == "Concat") {
      if (attribute(n, "axis", 0) != 1) throw std::runtime_error("Concat: another axis");
      Tensor y{{x.rows(), 0}, {}};
      for (const Tensor& part : in) y.shape[1] += part.columns();
      for (std::int64_t i = 0; i < x.rows(); ++i)
        for (const Tensor& part : in)
          for (std::int64_t j = 0; j < part.columns(); ++j) y.values.push_back(part.at(i, j));
      return y;
    }
    if (op == "Gather") {
      if (attribute(n, "axis", 0) != 1) throw std::runtime_error("Gather: another axis");
      Tensor y{{x.rows(), in[1].columns()}, {}};
      for (std::int64_t i = 0; i < x.rows(); ++i)
        for (const double j : in[1].values) y.values.push_back(x.at(i, static_cast<std::int64_t>(j)));
      return y;
    }
    if (op == "Gemm") {
      if (attribute(n, "transB", 0) != 1 || x.columns() != in[1].columns()) throw std::runtime_error("Gemm: shapes");
      Tensor y{{x.rows(), in[1].rows()}, {}};
      for (std::int64_t i = 0; i < x.rows(); ++i)
        for (std::int64_t o = 0; o < in[1].rows(); ++o) {
          double sum = in[2].at(0, o);
          for (std::int64_t k = 0; k < x.columns(); ++k) sum += x.at(i, k) * in[1].values[o * x.columns() + k];
          y.values.push_back(sum);
        }
      return y;
    }
    if (op == "ArgMax") {
      if (attribute(n, "axis", 0) != 1 || attribute(n, "keepdims", 1) != 0) throw std::runtime_error("ArgMax: axis");
      Tensor y{{x.rows()}, {}};
      for (std::int64_t i = 0; i < x.rows(); ++i) {
        std::int64_t best = 0;
        for (std::int64_t j = 1; j < x.columns(); ++j)
          if (x.at(i, j) > x.at(i, best)) best = j;
        y.values.push_back(static_cast<double>(best));
      }
      return y;
    }
    throw std::runtime_error("no operator " + op);
  }

  onnx::ModelProto model_;
  std::map<std::string, Tensor> constants_;
};

}  // namespace goalpost::test
