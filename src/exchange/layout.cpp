#include "exchange/layout.h"

#include "core/config.h"

namespace goalpost {
namespace {

using nlohmann::ordered_json;

constexpr char kMean[] = "normalizer/mean", kStddev[] = "normalizer/stddev";

ordered_json numbers(const Vector& v) { return std::vector<Scalar>(v.data(), v.data() + v.size()); }

PolicyArray array_of(std::string name, const Matrix& m) {
  PolicyArray a{.name = std::move(name), .shape = {static_cast<std::uint64_t>(m.rows())}, .values = {}};
  if (m.cols() > 1) a.shape.push_back(static_cast<std::uint64_t>(m.cols()));
  a.values.reserve(static_cast<std::size_t>(m.size()));
  for (Index i = 0; i < m.rows(); ++i)
    for (Index j = 0; j < m.cols(); ++j) a.values.push_back(m(i, j));
  return a;
}

ordered_json layers_json(const PolicyLevel& level) {
  const MlpConfig& c = level.config;
  const std::size_t layers = c.hidden.size() + 1;
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < layers; ++i) {
    const auto name = [&](const char* part) { return level.name + "/" + part + std::to_string(i); };
    ordered_json layer = {{"weight", name("W")}, {"bias", name("b")}};
    if (c.layer_norm || (c.input_norm && i == 0))
      layer["input_norm"] = {{"gain", name("norm_gain")}, {"bias", name("norm_bias")}};
    if (c.hidden_norm && i + 1 < layers)
      layer["output_norm"] = {{"gain", name("out_norm_gain")}, {"bias", name("out_norm_bias")}};
    layer["activation"] = i + 1 < layers ? enum_name(c.activation) : "identity";
    list.push_back(layer);
  }
  return list;
}

const char* head_name(PolicyHead head) {
  switch (head) {
    case PolicyHead::tanh:
      return "tanh";
    case PolicyHead::gaussian:
      return "gaussian";
    case PolicyHead::argmax:
      return "argmax";
  }
  return "";
}

}  // namespace

std::vector<PolicyArray> policy_arrays(Policy policy) {
  std::vector<PolicyArray> arrays;
  for (PolicyLevel& level : policy.levels)
    for (const Parameter* p : level.network.parameters()) {
      arrays.push_back(array_of(level.name + "/" + p->name, p->value));
      if (p->name.starts_with("W") && arrays.back().shape.size() == 1) arrays.back().shape.push_back(1);
    }
  if (policy.normalizer) {
    arrays.push_back(array_of(kMean, policy.normalizer->mean()));
    arrays.push_back(array_of(kStddev, policy.normalizer->stddev()));
  }
  return arrays;
}

ordered_json policy_layout(const Policy& p) {
  ordered_json inputs = ordered_json::array();
  inputs.push_back({{"name", "obs"}, {"size", p.obs_size}});
  if (p.zeros > 0) inputs.push_back({{"name", "zeros"}, {"size", p.zeros}});
  if (p.goal_size > 0) inputs.push_back({{"name", "desired_goal"}, {"size", p.goal_size}});
  const ordered_json action =
      p.choices > 0
          ? ordered_json{{"kind", "discrete"}, {"choices", p.choices}}
          : ordered_json{
                {"kind", "continuous"}, {"size", p.action_size()}, {"low", numbers(p.low)}, {"high", numbers(p.high)}};
  ordered_json levels = ordered_json::array();
  for (const PolicyLevel& level : p.levels)
    levels.push_back({{"network", level.name}, {"layers", layers_json(level)}, {"head", head_name(level.head)}});
  ordered_json layout = {
      {"format", kPolicyKind}, {"version", 1},    {"algorithm", p.algorithm}, {"environment", p.environment},
      {"step", p.step},        {"seed", p.seed},  {"revision", p.revision},   {"precision", p.precision},
      {"inputs", inputs},      {"action", action}};
  if (p.normalizer)
    layout["normalizer"] = {{"mean", kMean},
                            {"stddev", kStddev},
                            {"raw_clip", p.normalizer_config.raw_clip},
                            {"clip", p.normalizer_config.clip}};
  layout["levels"] = levels;
  if (p.subgoals)
    layout["subgoals"] = {{"c", p.subgoals->c},
                          {"dims", p.subgoals->dims},
                          {"limits", numbers(p.subgoals->limits)},
                          {"as_point", p.subgoals->as_point},
                          {"first_is_zero", p.subgoals->first_is_zero},
                          {"hidden", p.subgoals->hidden},
                          {"reached", p.subgoals->reached},
                          {"mean_square", p.subgoals->mean_square}};
  return layout;
}

}  // namespace goalpost
