// A policy as a C99 header: arrays, and functions that act.
#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/rng.h"
#include "exchange/export.h"
#include "nn/gaussian_policy.h"
#include "storage/file.h"

namespace goalpost {
namespace {

// A constant of type float, with the digits that restore its bits.
std::string literal(Scalar x) {
  std::string text = fmt::format("{:.9g}", x);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text + "f";
}

std::string numbers(const Matrix& m) {
  std::string text;
  for (Index i = 0; i < m.size(); ++i) {
    if (i > 0) text += i % 8 == 0 ? ",\n  " : ", ";
    text += literal(m.data()[i]);
  }
  return text;
}

std::string ints(const std::vector<int>& values) { return fmt::format("{}", fmt::join(values, ", ")); }

class Header {
 public:
  Header(const Policy& policy, std::string name) : p_(policy), name_(std::move(name)) {}

  std::string text() {
    preamble();
    layer_functions();
    for (std::size_t i = 0; i < p_.levels.size(); ++i) network(p_.levels[i], i);
    if (p_.normalizer) normalizer();
    if (p_.subgoals)
      hierarchical();
    else
      flat();
    example();
    line("#endif");
    return std::move(text_);
  }

 private:
  // fmt's {0} is the name; braces of C are doubled.
  template <class... T>
  void add(fmt::format_string<const std::string&, const T&...> format, const T&... values) {
    fmt::vformat_to(std::back_inserter(text_), fmt::string_view(format), fmt::make_format_args(name_, values...));
  }
  void line(const std::string& text) { text_ += text + "\n"; }
  void array(const std::string& what, const Matrix& m) {
    add("static const float {0}_{1}[{2}] = {{\n  {3}}};\n", what, m.size(), numbers(m));
  }
  bool has_goal() const { return p_.goal_size > 0; }
  bool sampled() const { return p_.is_stochastic(); }

  void preamble() {
    std::string guard = name_ + "_h";
    add("/* {1} for {2}, after {3} steps of training with seed {4}: a policy of goalpost {5}.\n", p_.algorithm,
        p_.environment, p_.step, p_.seed, p_.revision);
    std::string parameters = has_goal() ? "obs, goal" : "obs";
    if (p_.subgoals) parameters = "&state, " + parameters;
    if (p_.choices > 0)
      add("   Use:  int action = {0}_act({1});\n", parameters);
    else
      add("   Use:  float action[{0}_action_size];  {0}_act({1}, action);\n", parameters);
    if (p_.subgoals) add("   Before: {0}_state state;  {0}_begin(&state);  at the start of every episode.\n");
    if (sampled()) add("   {0}_sample also takes standard normal numbers, and samples.\n");
    add("   {0}_check() acts in an example and returns 0 if the action is that of goalpost. */\n");
    add("#ifndef {1}\n#define {1}\n#include <math.h>\n#include <stddef.h>\n\n", guard);
    add("enum {{ {0}_obs_size = {1}, {0}_goal_size = {2}, {0}_action_size = {3} }};\n\n", p_.obs_size, p_.goal_size,
        p_.action_size());
  }

  void layer_functions() {
    add(R"(/* y = W x + b; W column by column */
static inline void {0}_dense(const float* W, const float* b, int in, int out, const float* x, float* y) {{
  for (int o = 0; o < out; ++o) y[o] = b[o];
  for (int i = 0; i < in; ++i)
    for (int o = 0; o < out; ++o) y[o] += W[(size_t)i * (size_t)out + (size_t)o] * x[i];
}}
static inline float {0}_clip(float x, float low, float high) {{ return x < low ? low : x > high ? high : x; }}
)");
    bool norm = false;
    for (const PolicyLevel& level : p_.levels)
      norm = norm || level.config.layer_norm || level.config.input_norm || level.config.hidden_norm;
    if (!norm) return;
    add(R"(static inline void {0}_norm(const float* gain, const float* bias, int n, float* x) {{
  float mean = 0, variance = 0;
  for (int i = 0; i < n; ++i) mean += x[i] / (float)n;
  for (int i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean) / (float)n;
  for (int i = 0; i < n; ++i) x[i] = gain[i] * (x[i] - mean) / sqrtf(variance + 1e-5f) + bias[i];
}}
)");
  }

  // <name>_network<i>(x, y); x is scratch afterwards.
  void network(const PolicyLevel& level, std::size_t index) {
    Mlp copy = level.network;
    for (const Parameter* p : copy.parameters()) array(fmt::format("{}_{}", index, p->name), p->value);
    const MlpConfig& c = level.config;
    add("static inline void {0}_network{1}(float* x, float* y) {{\n", index);
    std::string in = "x";
    Index size = level.network.in();
    const std::size_t last = c.hidden.size();
    for (std::size_t i = 0; i <= last; ++i) {
      const Index out = i < last ? c.hidden[i] : level.network.out();
      if (c.layer_norm || (c.input_norm && i == 0))
        add("  {0}_norm({0}_{1}_norm_gain{2}, {0}_{1}_norm_bias{2}, {3}, {4});\n", index, i, size, in);
      const std::string to = i < last ? fmt::format("h{}", i) : "y";
      if (i < last) add("  float {1}[{2}];\n", to, out);
      add("  {0}_dense({0}_{1}_W{2}, {0}_{1}_b{2}, {3}, {4}, {5}, {6});\n", index, i, size, out, in, to);
      if (i == last) break;
      if (c.hidden_norm)
        add("  {0}_norm({0}_{1}_out_norm_gain{2}, {0}_{1}_out_norm_bias{2}, {3}, {4});\n", index, i, out, to);
      if (c.activation == Activation::relu)
        add("  for (int i = 0; i < {1}; ++i) {2}[i] = {2}[i] > 0 ? {2}[i] : 0;\n", out, to);
      if (c.activation == Activation::tanh) add("  for (int i = 0; i < {1}; ++i) {2}[i] = tanhf({2}[i]);\n", out, to);
      in = to;
      size = out;
    }
    line("}");
  }

  void normalizer() {
    array("mean", p_.normalizer->mean());
    array("stddev", p_.normalizer->stddev());
    const NormalizerConfig& c = p_.normalizer_config;
    add(R"(static inline void {0}_normalize(float* x) {{
  for (int i = 0; i < {1}; ++i)
    x[i] = {0}_clip(({0}_clip(x[i], -{2}, {2}) - {0}_mean[i]) / {0}_stddev[i], -{3}, {3});
}}
)",
        p_.normalizer->mean().size(), literal(Scalar(c.raw_clip)), literal(Scalar(c.clip)));
  }

  // Parameters for observation and goal, in declarations and in calls.
  std::string inputs() const { return has_goal() ? "const float* obs, const float* goal" : "const float* obs"; }

  // Code that makes actions in the environment's unit from y; noise may be null.
  void actions(const PolicyLevel& level) {
    const Index n = level.action_size();
    if (level.head == PolicyHead::gaussian)
      add("  if (noise != NULL)\n    for (int i = 0; i < {1}; ++i) y[i] += expf({0}_clip(y[{1} + i], {2}, {3})) * "
          "noise[i];\n",
          n, literal(GaussianPolicy::kMinLogStd), literal(GaussianPolicy::kMaxLogStd));
    add("  for (int i = 0; i < {1}; ++i)\n    action[i] = {0}_low[i] + (tanhf(y[i]) + 1.0f) * 0.5f * ({0}_high[i] - "
        "{0}_low[i]);\n",
        n);
  }

  void join_inputs(const char* to) {
    add("  for (int i = 0; i < {1}; ++i) {2}[i] = obs[i];\n", p_.obs_size, to);
    if (p_.zeros > 0) add("  for (int i = 0; i < {1}; ++i) {2}[{3} + i] = 0;\n", p_.zeros, to, p_.obs_size);
    if (has_goal())
      add("  for (int i = 0; i < {1}; ++i) {2}[{3} + i] = goal[i];\n", p_.goal_size, to, p_.obs_size + p_.zeros);
  }

  void flat() {
    const PolicyLevel& level = p_.levels.front();
    const bool discrete = p_.choices > 0;
    if (!discrete) {
      array("low", p_.low);
      array("high", p_.high);
      add("static inline void {0}_{1}({2}{3}, float* action) {{\n", sampled() ? "sample" : "act", inputs(),
          sampled() ? ", const float* noise" : "");
    } else {
      add("static inline int {0}_act({1}) {{\n", inputs());
    }
    add("  float x[{1}], y[{2}];\n", level.network.in(), level.network.out());
    join_inputs("x");
    if (p_.normalizer) add("  {0}_normalize(x);\n");
    add("  {0}_network0(x, y);\n");
    if (discrete) {
      add("  int best = 0;\n  for (int i = 1; i < {1}; ++i)\n    if (y[i] > y[best]) best = i;\n  return best;\n}}\n",
          p_.choices);
      return;
    }
    actions(level);
    line("}");
    if (sampled())
      add("static inline void {0}_act({1}, float* action) {{\n  {0}_sample(obs{2}, NULL, action);\n}}\n", inputs(),
          has_goal() ? ", goal" : "");
  }

  // Policy::act of two levels
  void hierarchical() {
    const PolicySubgoals& s = *p_.subgoals;
    const Index n = s.limits.size();
    const PolicyLevel &low = p_.levels[0], &high = p_.levels[1];
    array("low", p_.low);
    array("high", p_.high);
    array("limits", s.limits);
    add("static const int {0}_dims[{1}] = {{{2}}};\n", n, ints(s.dims));
    add("typedef struct {{\n  float point[{1}]; /* target of the sub-goal */\n  int k;        /* steps of the segment; "
        "0: "
        "an episode begins */\n}} {0}_state;\n",
        n);
    add("static inline void {0}_begin({0}_state* state) {{\n  for (int i = 0; i < {1}; ++i) state->point[i] = 0;\n  "
        "state->k = 0;\n}}\n",
        n);
    add("static inline void {0}_{1}({0}_state* state, {2}{3}, float* action) {{\n", sampled() ? "sample" : "act",
        inputs(), sampled() ? ", const float* noise" : "");
    add("  float left[{1}];\n  int decides = state->k == 0 || state->k == {2};\n", n, s.c);
    add("  for (int i = 0; i < {1}; ++i) left[i] = state->point[i] - obs[{0}_dims[i]];\n", n);
    if (s.reached > 0) {
      add("  float error = 0;\n  for (int i = 0; i < {1}; ++i) error += left[i] * left[i];\n", n);
      if (s.mean_square)
        add("  if (error / {1} <= {2}) decides = 1;\n", literal(Scalar(n)), literal(Scalar(s.reached)));
      else
        add("  if (sqrtf(error) <= {1}) decides = 1;\n", literal(Scalar(s.reached)));
    }
    add("  if (decides) {{\n    float h[{1}], g[{2}];\n", high.network.in(), high.network.out());
    add("    for (int i = 0; i < {1}; ++i) h[i] = obs[i];\n", p_.obs_size);
    if (has_goal()) add("    for (int i = 0; i < {1}; ++i) h[{2} + i] = goal[i];\n", p_.goal_size, p_.obs_size);
    add("    {0}_network1(h, g);\n    for (int i = 0; i < {1}; ++i) {{\n      left[i] = {2}tanhf(g[i]) * "
        "{0}_limits[i];\n      state->point[i] = obs[{0}_dims[i]] + left[i];\n    }}\n    state->k = 0;\n  }}\n",
        n, s.first_is_zero ? "state->k == 0 ? 0 : " : "");
    add("  ++state->k;\n  float x[{1}], y[{2}];\n", low.network.in(), low.network.out());
    add("  for (int i = 0; i < {1}; ++i) x[i] = obs[i];\n", p_.obs_size);
    add("  for (int i = 0; i < {1}; ++i) x[{2} + i] = left[i]{3};\n", n, p_.obs_size,
        s.as_point ? fmt::format(" + obs[{}_dims[i]]", name_) : "");
    for (const int hidden : s.hidden) add("  x[{1}] = 0;\n", hidden);
    add("  {0}_network0(x, y);\n");
    actions(low);
    line("}");
    if (sampled())
      add("static inline void {0}_act({0}_state* state, {1}, float* action) {{\n  {0}_sample(state, obs{2}, NULL, "
          "action);\n}}\n",
          inputs(), has_goal() ? ", goal" : "");
  }

  // An observation about as those of training, and what goalpost does in it.
  void example() {
    Rng rng(1);
    Matrix obs(p_.obs_size, 1), goal(p_.goal_size, 1), action(p_.action_size(), 1);
    const auto draw = [&](Matrix& m, Index at) {
      for (Index i = 0; i < m.rows(); ++i) {
        m(i, 0) = rng.normal();
        if (p_.normalizer) m(i, 0) = p_.normalizer->mean()(at + i) + p_.normalizer->stddev()(at + i) * m(i, 0);
      }
    };
    draw(obs, 0);
    draw(goal, p_.obs_size + p_.zeros);
    PolicyMemory memory(p_, 1);
    p_.act(obs, goal, memory, action);
    array("example_obs", obs);
    if (has_goal()) array("example_goal", goal);
    array("example_action", action);
    const std::string in =
        fmt::format("{0}_example_obs{1}", name_, has_goal() ? fmt::format(", {}_example_goal", name_) : "");
    add("static inline int {0}_check(void) {{\n");
    if (p_.choices > 0) {
      add("  return {0}_act({1}) == (int){0}_example_action[0] ? 0 : 1;\n}}\n", in);
      return;
    }
    add("  float action[{0}_action_size];\n");
    if (p_.subgoals) add("  {0}_state state;\n  {0}_begin(&state);\n");
    add("  {0}_act({1}{2}, action);\n", p_.subgoals ? "&state, " : "", in);
    add("  for (int i = 0; i < {0}_action_size; ++i)\n    if (!(fabsf(action[i] - {0}_example_action[i]) <= 1e-5f * "
        "({0}_high[i] - {0}_low[i]))) return 1;\n  return 0;\n}}\n");
  }

  const Policy& p_;
  std::string name_, text_;
};

}  // namespace

void export_c(const Policy& policy, const std::filesystem::path& file, const std::string& name) {
  write_file_atomically(file, Header(policy, name).text());
}

}  // namespace goalpost
