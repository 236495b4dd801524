#include "run/policy_import.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "algos/agent.h"
#include "core/check.h"
#include "core/config.h"
#include "core/rng.h"
#include "core/state_hash.h"
#include "envs/spec.h"
#include "envs/step.h"
#include "envs/vector_env.h"
#include "exchange/import.h"
#include "nn/mlp.h"
#include "run/experiment.h"
#include "run/pair.h"
#include "run/policy_file.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

// For each entry of the achieved goal the index of the observation that always equals it.
// @throws UsageError if there is none
std::vector<Index> indices_of_achieved_goal(const EnvFactory& factory) {
  constexpr int kEpisodes = 4, kSteps = 30;
  VectorEnv env(factory, kEpisodes, Rng(0));
  const EnvSpec& spec = env.spec();
  std::vector<std::vector<bool>> equal(spec.goal.dim, std::vector<bool>(spec.obs_dim, true));
  Rng rng(1);
  Matrix action(spec.action.dim, kEpisodes);
  for (int step = 0; step < kSteps; ++step) {
    const ObsBatch& o = env.obs();
    for (Index lane = 0; lane < kEpisodes; ++lane)
      for (Index i = 0; i < spec.goal.dim; ++i)
        for (Index j = 0; j < spec.obs_dim; ++j)
          if (o.achieved(i, lane) != o.obs(j, lane)) equal[i][j] = false;
    if (spec.action.kind == ActionSpace::Kind::discrete)
      for (Index lane = 0; lane < kEpisodes; ++lane) action(0, lane) = Scalar(rng.below(spec.action.choices));
    else
      rng.fill_uniform(-1, 1, action);
    env.step(action);
  }
  std::vector<Index> indices;
  for (Index i = 0; i < spec.goal.dim; ++i) {
    Index at = 0;
    while (at < spec.obs_dim && !equal[i][at]) ++at;
    if (at == spec.obs_dim)
      throw UsageError(
          fmt::format("the network sees the achieved goal, but entry {} of that is not an entry of the "
                      "observation of {}; expected a network without it",
                      i, spec.name));
    indices.push_back(at);
  }
  return indices;
}

// Mean and deviation of [obs; desired goal]; none if inputs are not normalized.
using Statistics = std::optional<ForeignStatistics>;

// Makes the inputs [obs; desired goal] of a network with the inputs [achieved goal; desired goal; obs].
void fold(ForeignPolicy& p, const EnvSpec& spec, const std::vector<Index>& achieved) {
  const Index goal = spec.goal.dim;
  ForeignPolicy::Layer& first = p.layers.front();
  const Matrix W = first.W;
  first.W.resize(W.rows(), spec.obs_dim + goal);
  first.W << W.rightCols(spec.obs_dim), W.middleCols(goal, goal);
  const auto of_achieved = p.statistics.find("achieved_goal"), of_obs = p.statistics.find("obs");
  for (Index i = 0; i < goal; ++i) {
    double scale = 1, shift = 0;  // (x − mean_a) / stddev_a in terms of (x − mean_o) / stddev_o
    if (of_achieved != p.statistics.end() && of_obs != p.statistics.end()) {
      const ForeignStatistics &a = of_achieved->second, &o = of_obs->second;
      scale = o.stddev(achieved[i]) / a.stddev(i);
      shift = (o.mean(achieved[i]) - a.mean(i)) / a.stddev(i);
    }
    first.W.col(achieved[i]) += Scalar(scale) * W.col(i);
    first.b += Scalar(shift) * W.col(i);
  }
}

std::string sizes(const EnvSpec& spec) {
  return spec.goal.dim == 0 ? fmt::format("{} observations", spec.obs_dim)
                            : fmt::format(
                                  "{0} (observation and desired goal) or {1} (the achieved goal, too, as "
                                  "Stable-Baselines3 has it)",
                                  spec.state_dim(), spec.state_dim() + spec.goal.dim);
}

Statistics joined_statistics(const ForeignPolicy& p, const EnvSpec& spec) {
  if (p.statistics.empty()) return {};
  Statistics s{{Eigen::VectorXd(spec.state_dim()), Eigen::VectorXd(spec.state_dim())}};
  const auto put = [&](const char* name, Index at, Index size) {
    const auto found = p.statistics.find(name);
    if (found == p.statistics.end() || found->second.mean.size() != size)
      throw UsageError(fmt::format("its statistics of {} have {} entries; expected {}", name,
                                   found == p.statistics.end() ? 0 : found->second.mean.size(), size));
    s->mean.segment(at, size) = found->second.mean;
    s->stddev.segment(at, size) = found->second.stddev;
  };
  put("obs", 0, spec.obs_dim);
  if (spec.goal.dim > 0) put("desired_goal", spec.obs_dim, spec.goal.dim);
  return s;
}

// Gives a policy its numbers: layer i is W<i> and b<i>.
class Give final : public PathVisitor {
 public:
  Give(const ForeignPolicy& policy, const Statistics& statistics) : policy_(policy), statistics_(statistics) {}
  void visit(std::string_view name, MatrixRef values) override {
    const std::size_t i = std::stoul(std::string(name.substr(1)));
    const ForeignPolicy::Layer& layer = policy_.layers.at(i);
    if (name.front() == 'W')
      values = layer.W;
    else
      values = layer.b;
  }
  // Sums over one column with this mean and deviation.
  void visit(std::string_view name, std::span<double> values) override {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (name == "count") {
        values[i] = 1;
        continue;
      }
      const double mean = statistics_->mean(static_cast<Index>(i)), stddev = statistics_->stddev(static_cast<Index>(i));
      values[i] = name == "sum" ? mean : mean * mean + stddev * stddev;
    }
  }
  void visit(std::string_view, std::span<std::uint64_t>) override {}

 private:
  const ForeignPolicy& policy_;
  const Statistics& statistics_;
};

Experiment experiment_of(const ForeignPolicy& p, const ImportOptions& o) {
  TomlValues values;
  const std::string network = fmt::format("agent.{}.{}.", p.algorithm, p.algorithm == "dqn" ? "q" : "pi");
  values.put("name", pair_name(p.algorithm, o.env));
  values.put("description", fmt::format("imported from {}: {}", p.source, o.file.filename().string()));
  values.put("env.name", o.env);
  values.put("agent.algorithm", p.algorithm);
  std::vector<Index> hidden;
  for (std::size_t i = 0; i + 1 < p.layers.size(); ++i) hidden.push_back(p.layers[i].W.rows());
  std::vector<std::string> changes = {fmt::format("{}hidden=[{}]", network, fmt::join(hidden, ", ")),
                                      fmt::format("{}activation={}", network, enum_name(p.activation)),
                                      "train.checkpoint_every=0"};  // there is nothing to resume
  if (!p.statistics.empty())
    for (const std::string& change : {std::string("enabled=true"), fmt::format("clip={}", p.clip),
                                      fmt::format("raw_clip={}", p.raw_clip), std::string("min_stddev=1e-12")})
      changes.push_back("agent.normalizer." + change);
  changes.insert(changes.end(), o.set.begin(), o.set.end());
  set_all(values, changes);
  return make_experiment(values);
}

}  // namespace

std::vector<std::string> import_policy(const ImportOptions& o) {
  if (std::filesystem::exists(o.out))
    throw UsageError(fmt::format("{} exists; expected a new directory", o.out.string()));
  for (const std::string& change : o.set)
    if (!change.starts_with("env.") || change.starts_with("env.name"))
      throw UsageError(fmt::format("--set {}: expected a setting of the environment, env.<setting>=<value>", change));
  environment_settings(o.env, o.set);
  try {
    ForeignPolicy p = read_foreign_policy(o.file, o.normalizer);
    Experiment e = experiment_of(p, o);
    const EnvSpec spec = e.env_factory()()->spec();
    std::vector<std::string> said;
    const Index in = p.layers.front().W.cols(), out = p.layers.back().W.rows();
    const bool sees_achieved = spec.goal.dim > 0 && in == spec.state_dim() + spec.goal.dim;
    if (!sees_achieved && in != spec.state_dim())
      throw UsageError(fmt::format("the network takes {} numbers; expected {}, for {}", in, sizes(spec), spec.name));
    if (sees_achieved) {
      fold(p, spec, indices_of_achieved_goal(e.env_factory()));
      said.push_back(
          "the achieved goal, which the network also saw, is part of the observation: its weights are added "
          "to those");
    } else if (spec.goal.dim > 0 && p.inputs.size() == 1) {
      throw UsageError(
          fmt::format("the network takes {} numbers, without the achieved goal; expected {}, in the order "
                      "achieved goal, desired goal, observation",
                      in, spec.state_dim() + spec.goal.dim));
    }
    const Index wanted = spec.action.kind == ActionSpace::Kind::discrete ? spec.action.choices
                         : p.algorithm == "sac"                          ? 2 * spec.action.dim
                                                                         : spec.action.dim;
    if (out != wanted)
      throw UsageError(
          fmt::format("the network has {} outputs; expected {}, for the actions of {}", out, wanted, spec.name));
    const Statistics statistics = joined_statistics(p, spec);
    const std::unique_ptr<Agent> agent = e.make_agent(spec, 0, Rng(0));
    Give give(p, statistics);
    agent->visit_policy(give);
    make_directories(o.out);
    TrainProgress progress;
    progress.step = p.step;
    save_policy(o.out / kPolicyFile, e, spec, progress, *agent);
    write_file_atomically(o.out / kConfigFile, e.to_toml());
    said.insert(said.begin(), fmt::format("{} of {}: {} layers{}{}", p.algorithm, p.source, p.layers.size(),
                                          statistics ? ", normalized inputs" : "",
                                          p.step > 0 ? fmt::format(", {} steps of training", p.step) : ""));
    return said;
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(e.what());
  } catch (const std::invalid_argument& e) {
    throw UsageError(fmt::format("{}: {}", o.file.string(), e.what()));
  }
}

}  // namespace goalpost
