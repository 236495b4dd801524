// A policy as a graph of ONNX operators. Batches are rows there: an observation is a row of [n x obs].
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/ops.h"
#include "exchange/export.h"
#include "exchange/layout.h"
#include "nn/gaussian_policy.h"
#include "onnx_format.pb.h"
#include "storage/file.h"

namespace goalpost {
namespace {

namespace pb = onnx;

constexpr std::int64_t kIrVersion = 7, kOperatorSet = 13;
constexpr float kNormEpsilon = 1e-5f;  // of layer_norm (autodiff/ops.h)

class Graph {
 public:
  explicit Graph(pb::GraphProto& graph) : graph_(graph) { graph.set_name("policy"); }

  void input(const std::string& name, Index size) { describe(*graph_.add_input(), name, size, pb::TensorProto::FLOAT); }
  /// @param size 0: a number for each observation
  void output(const std::string& value, const std::string& name, Index size,
              pb::TensorProto::DataType type = pb::TensorProto::FLOAT) {
    node("Identity", {value}, name);
    describe(*graph_.add_output(), name, size, type);
  }

  std::string constant(const std::string& name, const std::vector<std::uint64_t>& shape,
                       const std::vector<float>& values) {
    return store(name, shape, pb::TensorProto::FLOAT, values.data(), values.size() * sizeof(float));
  }
  std::string constant(const Vector& v) {
    return constant(fresh("constant"), {static_cast<std::uint64_t>(v.size())}, {v.data(), v.data() + v.size()});
  }
  std::string constant(double number) { return constant(fresh("constant"), {}, {static_cast<float>(number)}); }
  std::string indices(const std::vector<std::int64_t>& values) {
    return store(fresh("indices"), {values.size()}, pb::TensorProto::INT64, values.data(),
                 values.size() * sizeof(std::int64_t));
  }

  std::string operator()(const char* op, const std::vector<std::string>& inputs) {
    const std::string value = fresh(op);
    last_ = &node(op, inputs, value);
    return value;
  }
  /// Attributes of the operator before.
  Graph& with(const char* name, std::int64_t i) {
    pb::AttributeProto& a = attribute(name, pb::AttributeProto::INT);
    a.set_i(i);
    return *this;
  }
  Graph& with(const char* name, std::initializer_list<std::int64_t> list) {
    pb::AttributeProto& a = attribute(name, pb::AttributeProto::INTS);
    for (const std::int64_t i : list) a.add_ints(i);
    return *this;
  }

 private:
  pb::NodeProto& node(const char* op, const std::vector<std::string>& inputs, const std::string& output) {
    pb::NodeProto& n = *graph_.add_node();
    n.set_op_type(op);
    n.set_name(output);
    for (const std::string& i : inputs) n.add_input(i);
    n.add_output(output);
    return n;
  }
  pb::AttributeProto& attribute(const char* name, pb::AttributeProto::AttributeType type) {
    pb::AttributeProto& a = *last_->add_attribute();
    a.set_name(name);
    a.set_type(type);
    return a;
  }
  std::string fresh(const std::string& what) { return fmt::format("{}_{}", what, count_++); }
  std::string store(const std::string& name, const std::vector<std::uint64_t>& shape, pb::TensorProto::DataType type,
                    const void* data, std::size_t bytes) {
    pb::TensorProto& t = *graph_.add_initializer();
    t.set_name(name);
    t.set_data_type(type);
    for (const std::uint64_t extent : shape) t.add_dims(static_cast<std::int64_t>(extent));
    t.set_raw_data(data, bytes);
    return name;
  }
  static void describe(pb::ValueInfoProto& value, const std::string& name, Index size, pb::TensorProto::DataType type) {
    value.set_name(name);
    pb::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape()->add_dim()->set_dim_param("n");
    if (size > 0) tensor.mutable_shape()->add_dim()->set_dim_value(size);
  }

  pb::GraphProto& graph_;
  pb::NodeProto* last_ = nullptr;
  int count_ = 0;
};

std::string layer_norm(Graph& g, const std::string& x, const std::string& gain, const std::string& bias) {
  const auto mean = [&](const std::string& of) {
    std::string m = g("ReduceMean", {of});
    g.with("axes", {1}).with("keepdims", 1);
    return m;
  };
  const std::string centered = g("Sub", {x, mean(x)});
  const std::string variance = mean(g("Mul", {centered, centered}));
  const std::string deviation = g("Sqrt", {g("Add", {variance, g.constant(kNormEpsilon)})});
  return g("Add", {g("Mul", {g("Div", {centered, deviation}), gain}), bias});
}

std::string activate(Graph& g, const std::string& x, Activation f) {
  return f == Activation::identity ? x : g(f == Activation::relu ? "Relu" : "Tanh", {x});
}

std::string apply(Graph& g, const PolicyLevel& level, std::string x) {
  const MlpConfig& c = level.config;
  const std::size_t last = c.hidden.size();
  for (std::size_t i = 0; i <= last; ++i) {
    const auto name = [&](const char* part) { return fmt::format("{}/{}{}", level.name, part, i); };
    if (c.layer_norm || (c.input_norm && i == 0)) x = layer_norm(g, x, name("norm_gain"), name("norm_bias"));
    x = g("Gemm", {x, name("W"), name("b")});
    g.with("transB", 1);
    if (i == last) break;
    if (c.hidden_norm) x = layer_norm(g, x, name("out_norm_gain"), name("out_norm_bias"));
    x = activate(g, x, c.activation);
  }
  return x;
}

std::string columns(Graph& g, const std::string& x, const std::vector<std::int64_t>& which) {
  const std::string part = g("Gather", {x, g.indices(which)});
  g.with("axis", 1);
  return part;
}

std::string clip(Graph& g, const std::string& x, double low, double high) {
  return g("Clip", {x, g.constant(low), g.constant(high)});
}

// Actions of a network's output y, in [-1, 1]: the most probable one, and, of a Gaussian policy, a sampled one.
struct Actions {
  std::string mode;
  std::optional<std::string> sampled;
};
Actions continuous_actions(Graph& g, const PolicyLevel& level, const std::string& y) {
  if (level.head != PolicyHead::gaussian) return {g("Tanh", {y}), {}};
  std::vector<std::int64_t> mean, log_std;
  for (Index i = 0; i < level.action_size(); ++i) {
    mean.push_back(i);
    log_std.push_back(level.action_size() + i);
  }
  const std::string mu = columns(g, y, mean);
  const std::string sigma =
      g("Exp", {clip(g, columns(g, y, log_std), GaussianPolicy::kMinLogStd, GaussianPolicy::kMaxLogStd)});
  const std::string noise = g("RandomNormalLike", {mu});
  return {g("Tanh", {mu}), g("Tanh", {g("Add", {mu, g("Mul", {sigma, noise})})})};
}

std::string in_unit(Graph& g, const Policy& p, const std::string& a) {
  const Vector half = (p.high - p.low) / 2;
  return g("Add", {g.constant(p.low), g("Mul", {g("Add", {a, g.constant(1)}), g.constant(half)})});
}

// [obs; zeros; goal] as rows
std::string joined(Graph& g, const Policy& p, const std::string& obs, const std::string& goal) {
  if (p.goal_size == 0) return obs;
  std::vector<std::string> parts = {obs, goal};
  if (p.zeros > 0) parts.insert(parts.begin() + 1, g("Mul", {goal, g.constant(0)}));
  const std::string x = g("Concat", parts);
  g.with("axis", 1);
  return x;
}

void output_actions(Graph& g, const Policy& p, const Actions& a) {
  g.output(in_unit(g, p, a.mode), "action", p.action_size());
  if (a.sampled) g.output(in_unit(g, p, *a.sampled), "sampled_action", p.action_size());
}

void flat(Graph& g, const Policy& p) {
  std::string x = joined(g, p, "observation", "desired_goal");
  if (p.normalizer) {
    const NormalizerConfig& c = p.normalizer_config;
    x = g("Sub", {clip(g, x, -c.raw_clip, c.raw_clip), "normalizer/mean"});
    x = clip(g, g("Div", {x, "normalizer/stddev"}), -c.clip, c.clip);
  }
  const PolicyLevel& level = p.levels.front();
  const std::string y = apply(g, level, x);
  if (p.choices == 0) return output_actions(g, p, continuous_actions(g, level, y));
  const std::string best = g("ArgMax", {y});
  g.with("axis", 1).with("keepdims", 0);
  g.output(best, "action", 0, pb::TensorProto::INT64);
  g.output(y, "q_values", p.choices);
}

// Policy::act of two levels
void hierarchical(Graph& g, const Policy& p) {
  const PolicySubgoals& s = *p.subgoals;
  const Index size = s.limits.size();
  g.input("subgoal", size);
  g.input("steps", 1);
  const std::string phi = columns(g, "observation", {s.dims.begin(), s.dims.end()});
  const std::string left = g("Sub", {"subgoal", phi});
  const std::string begins = g("Equal", {"steps", g.constant(0)});
  std::string decides = g("Or", {begins, g("Equal", {"steps", g.constant(s.c)})});
  if (s.reached > 0) {
    std::string error =
        g(s.mean_square ? "ReduceMean" : "ReduceSum",
          s.mean_square ? std::vector{g("Mul", {left, left})} : std::vector{g("Mul", {left, left}), g.indices({1})});
    if (s.mean_square) g.with("axes", {1});
    g.with("keepdims", 1);
    if (!s.mean_square) error = g("Sqrt", {error});
    decides = g("Or", {decides, g("LessOrEqual", {error, g.constant(s.reached)})});
  }
  const std::string high = apply(g, p.levels[1], joined(g, p, "observation", "desired_goal"));
  std::string chosen = g("Mul", {continuous_actions(g, p.levels[1], high).mode, g.constant(s.limits)});
  if (s.first_is_zero) chosen = g("Where", {begins, g.constant(0), chosen});
  const std::string next_subgoal = g("Where", {decides, g("Add", {phi, chosen}), "subgoal"});
  const std::string next_steps = g("Add", {g("Where", {decides, g.constant(0), "steps"}), g.constant(1)});
  std::string seen = g("Where", {decides, chosen, left});
  if (s.as_point) seen = g("Add", {seen, phi});
  std::string obs = "observation";
  if (!s.hidden.empty()) {
    Vector mask = Vector::Ones(p.obs_size);
    for (const int i : s.hidden) mask(i) = 0;
    obs = g("Mul", {obs, g.constant(mask)});
  }
  const std::string low_in = g("Concat", {obs, seen});
  g.with("axis", 1);
  output_actions(g, p, continuous_actions(g, p.levels[0], apply(g, p.levels[0], low_in)));
  g.output(next_subgoal, "next_subgoal", size);
  g.output(next_steps, "next_steps", 1);
}

}  // namespace

void export_onnx(const Policy& policy, const std::filesystem::path& file) {
  pb::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("goalpost");
  model.set_producer_version(policy.revision);
  model.set_doc_string(
      fmt::format("{} for {}, after {} steps of training", policy.algorithm, policy.environment, policy.step));
  pb::OperatorSetIdProto& operators = *model.add_opset_import();
  operators.set_domain("");
  operators.set_version(kOperatorSet);
  pb::StringStringEntryProto& layout = *model.add_metadata_props();
  layout.set_key("layout");
  layout.set_value(policy_layout(policy).dump());

  Graph g(*model.mutable_graph());
  for (const PolicyArray& a : policy_arrays(policy)) g.constant(a.name, a.shape, a.values);
  g.input("observation", policy.obs_size);
  if (policy.goal_size > 0) g.input("desired_goal", policy.goal_size);
  if (policy.subgoals)
    hierarchical(g, policy);
  else
    flat(g, policy);
  std::string bytes;
  if (!model.SerializeToString(&bytes)) throw std::runtime_error(fmt::format("{}: not serialized", file.string()));
  write_file_atomically(file, bytes);
}

}  // namespace goalpost
