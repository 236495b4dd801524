#include "policy/policy.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "autodiff/ops.h"
#include "core/check.h"
#include "core/config.h"
#include "core/rng.h"
#include "core/state.h"
#include "nn/gaussian_policy.h"
#include "storage/checkpoint.h"
#include "storage/file.h"
#include "storage/file_error.h"
#include "storage/hdf5_file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

using nlohmann::json;

Vector vector_of(const json& numbers) {
  const std::vector<Scalar> values = numbers.get<std::vector<Scalar>>();
  return Eigen::Map<const Vector>(values.data(), std::ssize(values));
}

Activation activation_of(const std::string& name) {
  for (std::size_t i = 0; i < kActivationNames.size(); ++i)
    if (name == kActivationNames[i]) return static_cast<Activation>(i);
  throw std::runtime_error(
      fmt::format("activation \"{}\"; expected one of {}", name, fmt::join(kActivationNames, ", ")));
}

// Where a network's settings lie below those of its learner: under its name, "sac.pi.", or, where the learner has one
// configuration for all of its networks, there, "tqc.net.".
std::string prefix_of(const json& agent, const std::string& learner, const std::string& network) {
  const std::string begin = fmt::format("{}.", learner), end = fmt::format(".{}.", network);
  std::vector<std::string> all;
  for (const auto& [key, value] : agent.items())
    if (key.starts_with(begin) && key.ends_with(".hidden"))
      all.push_back(key.substr(0, key.size() - std::string_view("hidden").size()));
  for (const std::string& prefix : all)
    if (prefix.ends_with(end)) return prefix;
  if (all.size() == 1) return all.front();
  throw std::runtime_error(fmt::format("it has no setting {}.{}.hidden, the network's layers", learner, network));
}

MlpConfig mlp_config(const json& agent, const std::string& prefix) {
  const auto flag = [&](const char* name) { return agent.value(prefix + name, false); };
  return {.hidden = agent.at(prefix + "hidden").get<std::vector<int>>(),
          .activation = activation_of(agent.at(prefix + "activation").get<std::string>()),
          .layer_norm = flag("layer_norm"),
          .input_norm = flag("input_norm"),
          .hidden_norm = flag("hidden_norm")};
}

// A level whose network is in the group `scope`pi or `scope`q, with the settings of a learner.
// @param choices of discrete actions, 0: continuous ones of this size
PolicyLevel make_level(const Hdf5File& file, const json& agent, const std::string& scope, const std::string& learner,
                       Index in, Index actions, int choices) {
  const std::string part = file.has(scope + "pi") ? "pi" : "q";
  if (!file.has(scope + part))
    throw std::runtime_error(fmt::format("it has neither {0}pi nor {0}q; expected the network that acts", scope));
  MlpConfig config = mlp_config(agent, prefix_of(agent, learner, part));
  const std::string bias = fmt::format("{}{}/b{}", scope, part, config.hidden.size());
  const Hdf5Shape shape = file.shape(bias);
  const Index out = shape.size() == 2 && shape[0] == 1 ? static_cast<Index>(shape[1]) : 0;
  PolicyHead head = PolicyHead::tanh;
  if (choices > 0 && out == choices)
    head = PolicyHead::argmax;
  else if (choices == 0 && out == 2 * actions)
    head = PolicyHead::gaussian;
  else if (choices > 0 || out != actions)
    throw std::runtime_error(
        fmt::format("{} has {} numbers; expected {}", bias, out,
                    choices > 0 ? std::to_string(choices) : fmt::format("{} or {}", actions, 2 * actions)));
  Mlp network(in, out, config, Rng(0));
  return {scope + part, std::move(config), std::move(network), head};
}

PolicySubgoals subgoals_of(const json& agent) {
  PolicySubgoals s{.c = agent.at("hiro.c"),
                   .dims = agent.at("hiro.subgoal.dims").get<std::vector<int>>(),
                   .limits = vector_of(agent.at("hiro.subgoal.limits")),
                   .as_point = agent.at("hiro.subgoal_input") == "point",
                   .first_is_zero = agent.value("hiro.first_subgoal_zero", false),
                   .hidden = agent.value("hiro.hidden_from_low", std::vector<int>{}),
                   .mean_square = agent.at("hiro.intrinsic.reward") == "mean_square"};
  if (agent.at("hiro.intrinsic.at_subgoal") == "end_segment") s.reached = agent.at("hiro.intrinsic.reached");
  return s;
}

void read_about(Policy& p, const json& about) {
  about.at("algorithm").get_to(p.algorithm);
  about.at("environment").get_to(p.environment);
  about.at("revision").get_to(p.revision);
  about.at("identity").get_to(p.identity);
  about.at("step").get_to(p.step);
  about.at("seed").get_to(p.seed);
  p.precision = about.value("precision", p.precision);
  for (const json& input : about.at("inputs"))
    (input.at("name") == "obs" ? p.obs_size : p.goal_size) = input.at("size");
  const json& action = about.at("action");
  if (action.at("kind") == "discrete") {
    action.at("choices").get_to(p.choices);
    return;
  }
  p.low = vector_of(action.at("low"));
  p.high = vector_of(action.at("high"));
}

void add_levels(Policy& p, const Hdf5File& file, const json& agent) {
  if (p.algorithm != "hiro") {
    if (agent.value("relay.enabled", false)) p.zeros = p.goal_size;
    const Index state = p.obs_size + p.zeros + p.goal_size;
    p.levels.push_back(make_level(file, agent, "", p.algorithm, state, p.action_size(), p.choices));
    if (!agent.value("normalizer.enabled", false)) return;
    p.normalizer_config = {.enabled = true,
                           .clip = agent.at("normalizer.clip"),
                           .raw_clip = agent.at("normalizer.raw_clip"),
                           .min_stddev = agent.at("normalizer.min_stddev")};
    p.normalizer.emplace(state, p.normalizer_config);
    return;
  }
  p.subgoals = subgoals_of(agent);
  const Index subgoal = p.subgoals->limits.size();
  const auto level = [&](const std::string& name, Index in, Index actions) {
    const std::string learner = agent.at("hiro." + name + ".learner");
    return make_level(file, agent, name + "/", "hiro." + name + "." + learner, in, actions, 0);
  };
  p.levels.push_back(level("low", p.obs_size + subgoal, p.action_size()));
  p.levels.push_back(level("high", p.obs_size + p.goal_size, subgoal));
  for (const std::vector<int>* indices : {&p.subgoals->dims, &p.subgoals->hidden})
    for (const int i : *indices)
      if (i < 0 || i >= p.obs_size) throw std::runtime_error(fmt::format("index {} of {} observations", i, p.obs_size));
}

void visit_numbers(Policy& p, StateVisitor& v) {
  for (PolicyLevel& level : p.levels) {
    const std::size_t slash = level.name.find('/');
    if (slash == level.name.npos) {
      visit_part(v, level.name, level.network);
      continue;
    }
    const StateVisitor::Scope scope(v, level.name.substr(0, slash));
    visit_part(v, level.name.substr(slash + 1), level.network);
  }
  if (p.normalizer) visit_part(v, "normalizer", *p.normalizer);
}

// @param noise as of Policy::act
void run(const PolicyLevel& level, ConstMatrixRef state, const Matrix* noise, Tape& tape, MatrixRef action) {
  tape.rewind();
  const Tape::NoGrad hold(tape);
  Var y = level.network.with_frozen_weights(tape.alias(state, "state"));
  if (level.head == PolicyHead::argmax) {
    action = argmax_rows(y).value();
  } else if (level.head == PolicyHead::tanh) {
    action = tanh(y).value();
  } else {
    Var u = slice_rows(y, 0, level.action_size());
    if (noise != nullptr) {
      Var log_std = clamp(slice_rows(y, level.action_size(), level.action_size()), GaussianPolicy::kMinLogStd,
                          GaussianPolicy::kMaxLogStd);
      u = u + exp(log_std) * tape.alias(*noise, "noise");
    }
    action = tanh(u).value();
  }
}

bool is_reached(const PolicySubgoals& s, ConstVectorRef left) {
  const Scalar error = s.mean_square ? left.squaredNorm() / Scalar(left.size()) : left.norm();
  return s.reached > 0 && error <= Scalar(s.reached);
}

}  // namespace

Policy Policy::read(const std::filesystem::path& path) {
  const std::filesystem::path file = std::filesystem::is_directory(path) ? path / kPolicyFile : path;
  expect_no_stream(file);
  if (!std::filesystem::exists(file)) wrong(file, "there is no such file; expected a policy that training has saved");
  try {
    const json about = json::parse(read_state_text(file, kPolicyKind, kPolicyAbout));
    Policy p;
    read_about(p, about);
    add_levels(p, Hdf5File::open(file), about.at("agent"));
    load_part_of_state(file, kPolicyKind, [&](StateVisitor& v) { visit_numbers(p, v); });
    return p;
  } catch (const json::exception& e) {
    wrong(file, fmt::format("its attribute \"{}\" is not what a policy has: {}", kPolicyAbout, e.what()));
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e) || std::string_view(e.what()).starts_with(file.string())) throw;
    wrong(file, e.what());
  }
}

PolicyMemory::PolicyMemory(const Policy& policy, Index lanes)
    : state_(policy.obs_size + policy.zeros + policy.goal_size, lanes),
      action_(policy.action_size(), lanes),
      k_(static_cast<std::size_t>(lanes)) {
  state_.setZero();
  if (!policy.subgoals) return;
  const Index subgoal = policy.subgoals->limits.size();
  high_in_ = Matrix::Zero(policy.obs_size + policy.goal_size, lanes);
  low_in_ = Matrix::Zero(policy.obs_size + subgoal, lanes);
  high_out_ = point_ = subgoal_ = Matrix::Zero(subgoal, lanes);
  due_.reserve(static_cast<std::size_t>(lanes));
}

void Policy::act(ConstMatrixRef obs, ConstMatrixRef goal, PolicyMemory& m, MatrixRef action,
                 const Matrix* noise) const {
  const Index n = m.state_.cols();
  GP_CHECK_SHAPE("Policy::act", obs, obs_size, n);
  GP_CHECK_SHAPE("Policy::act", goal, goal_size, n);
  GP_CHECK_SHAPE("Policy::act", action, action_size(), n);
  if (noise != nullptr) {
    GP_CHECK(is_stochastic(), "Policy::act: noise for a policy of ", algorithm, ", whose actions are not sampled");
    GP_CHECK_SHAPE("Policy::act", *noise, action_size(), n);
  }
  if (subgoals) {
    act_low(obs, goal, m, noise);
  } else {
    m.state_.topRows(obs_size) = obs;
    m.state_.middleRows(obs_size, zeros).setZero();
    m.state_.bottomRows(goal_size) = goal;
    if (normalizer) normalizer->apply(m.state_);
    run(levels.front(), m.state_, noise, m.tape_, m.action_);
  }
  if (choices > 0) {
    action = m.action_;
    return;
  }
  for (Index j = 0; j < n; ++j)
    action.col(j) = low.array() + (m.action_.col(j).array() + 1) * Scalar(0.5) * (high - low).array();
}

// As Hiro::act (algos/hiro/hiro.cpp) in Mode::exploit.
void Policy::act_low(ConstMatrixRef obs, ConstMatrixRef goal, PolicyMemory& m, const Matrix* noise) const {
  const PolicySubgoals& s = *subgoals;
  const Index size = s.limits.size();
  m.due_.clear();
  for (Index j = 0; j < obs.cols(); ++j) {
    for (Index i = 0; i < size; ++i) m.subgoal_(i, j) = m.point_(i, j) - obs(s.dims[i], j);
    if (m.k_[j] == 0 || m.k_[j] == s.c || is_reached(s, m.subgoal_.col(j))) m.due_.push_back(j);
  }
  const Index due = std::ssize(m.due_);
  for (Index d = 0; d < due; ++d) m.high_in_.col(d) << obs.col(m.due_[d]), goal.col(m.due_[d]);
  if (due > 0) run(levels[1], m.high_in_.leftCols(due), nullptr, m.tape_, m.high_out_.leftCols(due));
  for (Index d = 0; d < due; ++d) {
    const Index j = m.due_[d];
    m.subgoal_.col(j) = m.high_out_.col(d).cwiseProduct(s.limits);
    if (s.first_is_zero && m.k_[j] == 0) m.subgoal_.col(j).setZero();
    for (Index i = 0; i < size; ++i) m.point_(i, j) = obs(s.dims[i], j) + m.subgoal_(i, j);
    m.k_[j] = 0;
  }
  for (int& k : m.k_) ++k;
  m.low_in_.topRows(obs_size) = obs;
  m.low_in_.bottomRows(size) = m.subgoal_;
  if (s.as_point)
    for (Index i = 0; i < size; ++i) m.low_in_.row(obs_size + i) += obs.row(s.dims[i]);
  for (const int hidden : s.hidden) m.low_in_.row(hidden).setZero();
  run(levels[0], m.low_in_, noise, m.tape_, m.action_);
}

}  // namespace goalpost
