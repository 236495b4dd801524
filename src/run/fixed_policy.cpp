#include "run/fixed_policy.h"

#include <fmt/format.h>

#include "algos/noise.h"
#include "core/check.h"

namespace goalpost {
namespace {

class FixedPolicy : public Agent {
 public:
  void observe(const StepBatch&) override {}
  bool ready() const override { return false; }
  void update(Metrics&) override {}
  void visit_policy(StateVisitor&) override {}
  void visit_state(StateVisitor&) override {}
};

class RandomPolicy final : public FixedPolicy {
 public:
  RandomPolicy(const EnvSpec& spec, Rng rng) : space_(spec.action), rng_(rng) {}
  void act(const ObsBatch&, const std::vector<std::uint8_t>&, Mode, MatrixRef action) override {
    random_actions(space_, rng_, action);
  }

 private:
  ActionSpace space_;
  Rng rng_;
};

class ScriptedPolicy final : public FixedPolicy {
 public:
  explicit ScriptedPolicy(Script script) : script_(script) {}
  void act(const ObsBatch& obs, const std::vector<std::uint8_t>&, Mode, MatrixRef action) override {
    for (Index i = 0; i < action.cols(); ++i)
      script_(obs.obs.col(i), obs.achieved.col(i), obs.desired.col(i), action.col(i));
  }

 private:
  Script script_;
};

}  // namespace

std::unique_ptr<Agent> make_random_policy(const EnvSpec& spec, Rng rng) {
  return std::make_unique<RandomPolicy>(spec, rng);
}

std::unique_ptr<Agent> make_scripted_policy(const EnvSpec& spec) {
  if (spec.script == nullptr)
    throw UsageError(
        fmt::format("{} has no scripted policy; expected --random, actions or a trained policy", spec.name));
  return std::make_unique<ScriptedPolicy>(spec.script);
}

}  // namespace goalpost
