#include "run/warm_start.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/gemm.h"
#include "run/policy_file.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

constexpr std::string_view kSeed = "{seed}";  // in a path, stands for the run's seed

// Full names of what is visited.
class NamedVisitor : public StateVisitor {
 protected:
  std::string path(std::string_view name) const {
    std::string text;
    for (const std::string& scope : scopes_) text += scope + "/";
    return text + std::string(name);
  }

 private:
  void enter(std::string_view name) final { scopes_.emplace_back(name); }
  void leave() final { scopes_.pop_back(); }
  std::vector<std::string> scopes_;
};

// All numbers of a policy by their names.
class Collect final : public NamedVisitor {
 public:
  void visit(std::string_view name, MatrixRef values) override { matrices[path(name)] = values; }
  void visit(std::string_view name, std::span<double>) override { others.insert(path(name)); }
  void visit(std::string_view name, std::span<std::uint64_t>) override { others.insert(path(name)); }
  std::map<std::string, Matrix> matrices;
  std::set<std::string> others;
};

// Writes them into a policy that has the same names below a part's.
class Give final : public NamedVisitor {
 public:
  Give(const std::map<std::string, Matrix>& from, std::string part) : from_(from), part_(std::move(part)) {}
  void visit(std::string_view name, MatrixRef values) override {
    const std::string full = part_ + path(name);
    const auto found = from_.find(full);
    if (found == from_.end()) throw UsageError(fmt::format("it has no {}, which this policy needs", full));
    const Matrix& m = found->second;
    if (m.rows() != values.rows() || m.cols() != values.cols())
      throw UsageError(
          fmt::format("its {} is {}x{}; expected {}x{}", full, m.rows(), m.cols(), values.rows(), values.cols()));
    values = m;
    given_.insert(full);
  }
  void visit(std::string_view name, std::span<double>) override { none(name); }
  void visit(std::string_view name, std::span<std::uint64_t>) override { none(name); }
  const std::set<std::string>& given() const { return given_; }

 private:
  void none(std::string_view name) const {
    throw UsageError(fmt::format("it has no {}, which this policy needs", path(name)));
  }
  const std::map<std::string, Matrix>& from_;
  std::string part_;
  std::set<std::string> given_;
};

// How numbers of the same shape are to be read. @throws UsageError if the two networks differ in it
void compare_networks(const WarmStart& wanted, const Experiment& experiment, const Experiment& source, bool has_part) {
  const std::map<std::string, std::string> here = experiment.settings(), there = source.settings();
  const auto learner = [](const std::map<std::string, std::string>& settings, const std::string& level) {
    const auto found = settings.find(level + "learner");
    if (found == settings.end()) return level;
    return level + found->second.substr(1, found->second.size() - 2) + ".";  // without quotes
  };
  const std::string mine = learner(here, wanted.setting.substr(0, wanted.setting.rfind('.') + 1)),
                    its = has_part ? learner(there, fmt::format("agent.{}.{}.", source.algorithm, wanted.part))
                                   : fmt::format("agent.{}.", source.algorithm);
  for (const char* key : {"pi.activation", "pi.layer_norm", "pi.input_norm"}) {
    const auto a = there.find(its + key), b = here.find(mine + key);
    if (a != there.end() && b != here.end() && a->second != b->second)
      throw UsageError(fmt::format("its {} is {}; expected {}, as {} is", a->first, a->second, b->second, b->first));
  }
}

void load(const WarmStart& wanted, const Experiment& experiment, const std::string& directory) {
  const LoadedRun run = load_run(directory);
  Collect there;
  run.agent->visit_policy(there);
  std::set<std::string> names = there.others;
  for (const auto& [name, values] : there.matrices) names.insert(name);
  const std::string part = wanted.part + "/";
  const auto begin = names.lower_bound(part);
  const bool has_part = begin != names.end() && begin->starts_with(part);
  compare_networks(wanted, experiment, run.experiment, has_part);
  Give give(there.matrices, has_part ? part : "");
  wanted.visit(give);
  for (const std::string& name : names)
    if ((!has_part || name.starts_with(part)) && !give.given().contains(name))
      throw UsageError(fmt::format("it has {}, which this policy does not have", name));
}

}  // namespace

void load_warm_starts(Agent& agent, const Experiment& experiment) {
  for (const WarmStart& wanted : agent.warm_starts()) {
    std::string directory = wanted.run;
    const std::size_t at = directory.find(kSeed);
    if (at != std::string::npos) directory.replace(at, kSeed.size(), std::to_string(experiment.seed));
    try {
      load(wanted, experiment, directory);
    } catch (const std::exception& e) {
      throw UsageError(fmt::format("{} = \"{}\": {}", wanted.setting, directory, e.what()));
    }
  }
  set_precision(experiment.train.precision);  // load_run has set that of the other run
}

std::vector<std::string> warm_start_digests(Agent& agent) {
  std::vector<std::string> digests;
  for (const WarmStart& wanted : agent.warm_starts()) {
    // If each seed has its own policy, it differs between seeds like their random numbers.
    if (wanted.run.find(kSeed) != std::string::npos) continue;
    const std::filesystem::path path(wanted.run);
    const std::filesystem::path file = std::filesystem::is_directory(path) ? path / kPolicyFile : path;
    digests.push_back(fmt::format("{} {}", wanted.setting, content_digest({file})));
  }
  return digests;
}

}  // namespace goalpost
