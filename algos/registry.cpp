#include "algos/registry.h"

#include <vector>

#include "algos/hiro/hiro.h"
#include "core/suggest.h"

namespace goalpost {
namespace {

// The off-policy part is in [agent], the learner's settings in [agent.<name>].
class OffPolicySettings final : public Settings {
 public:
  OffPolicySettings(std::string name, std::unique_ptr<Settings> learner_settings)
      : learner(std::move(learner_settings)), name_(std::move(name)) {}
  OffPolicySettings(const OffPolicySettings& other)
      : off_policy(other.off_policy), learner(other.learner->clone()), name_(other.name_) {}
  void visit(ConfigVisitor& visitor) override {
    visit_fields(off_policy, visitor);
    visitor.enter({name_, "the learner", "", 0, 0});
    learner->visit(visitor);
    visitor.leave();
  }
  std::unique_ptr<Settings> clone() const override { return std::make_unique<OffPolicySettings>(*this); }
  OffPolicyConfig off_policy;
  std::unique_ptr<Settings> learner;

 private:
  std::string name_;
};
const OffPolicySettings& off_policy_settings(const Settings& settings) {
  return dynamic_cast<const OffPolicySettings&>(settings);
}

AlgorithmEntry agent_of(const LearnerEntry& learner) {
  return {.name = learner.name,
          .doc = learner.doc,
          .settings = [name = learner.name,
                       make = learner.settings] { return std::make_unique<OffPolicySettings>(name, make()); },
          .make =
              [make = learner.make](const Settings& settings, const EnvSpec& spec, int lanes, Rng rng) {
                const OffPolicySettings& s = off_policy_settings(settings);
                return make_off_policy_agent(make(learner_spec(s.off_policy, spec), *s.learner, rng.stream("learner")),
                                             spec, s.off_policy, lanes, rng);
              },
          .off_policy = [](const Settings& settings) { return &off_policy_settings(settings).off_policy; },
          .action_kind = learner.action_kind,
          .problem = [](const Settings& settings, const EnvSpec& spec,
                        int) { return off_policy_problem(off_policy_settings(settings).off_policy, spec); },
          .check_training =
              [traits = learner.traits](const Settings& settings, const TrainingPlan& plan, TrainingCheck& check) {
                const OffPolicySettings& s = off_policy_settings(settings);
                const LearnerTraits t = traits(*s.learner);
                check_off_policy_training(s.off_policy, plan, t.clip_targets, t.gamma, check);
              },
          .add_memory =
              [](const Settings& settings, const EnvSpec& spec, MemoryNeed& need) {
                add_off_policy_memory(off_policy_settings(settings).off_policy, spec, need);
              }};
}

// All settings are in [agent.hiro].
class HiroSettings final : public Settings {
 public:
  void visit(ConfigVisitor& visitor) override {
    visitor.enter({"hiro", "both levels", "", 0, 0});
    visit_fields(config, visitor);
    visitor.leave();
  }
  std::unique_ptr<Settings> clone() const override { return std::make_unique<HiroSettings>(*this); }
  HiroConfig config;
};
const HiroConfig& hiro_config(const Settings& settings) { return dynamic_cast<const HiroSettings&>(settings).config; }

AlgorithmEntry hiro() {
  return {.name = "hiro",
          .doc = "two levels: sub-goals every c steps, with off-policy correction (Nachum et al. 2018)",
          .settings = [] { return std::make_unique<HiroSettings>(); },
          .make = [](const Settings& settings, const EnvSpec& spec, int lanes, Rng rng) -> std::unique_ptr<Agent> {
            return std::make_unique<Hiro>(spec, hiro_config(settings), lanes, rng);
          },
          .off_policy = [](const Settings&) -> const OffPolicyConfig* { return nullptr; },
          .action_kind = ActionSpace::Kind::continuous,
          .problem = [](const Settings& settings, const EnvSpec& spec,
                        int lanes) { return hiro_problem(hiro_config(settings), spec, lanes); },
          .check_training = [](const Settings& settings, const TrainingPlan& plan,
                               TrainingCheck& check) { check_hiro_training(hiro_config(settings), plan, check); },
          .add_memory = [](const Settings& settings, const EnvSpec& spec,
                           MemoryNeed& need) { add_hiro_memory(hiro_config(settings), spec, need); }};
}

std::vector<AlgorithmEntry>& registered() {
  static std::vector<AlgorithmEntry> list = [] {
    std::vector<AlgorithmEntry> all;
    for (const LearnerEntry& learner : learners()) add_by_name(all, agent_of(learner), "algorithm");
    add_by_name(all, hiro(), "algorithm");
    return all;
  }();
  return list;
}

}  // namespace

std::span<const AlgorithmEntry> algorithms() { return registered(); }

const AlgorithmEntry& find_algorithm(std::string_view name) {
  return find_by_name(algorithms(), name, "algorithm", "goalpost list algos");
}

void add_algorithm(AlgorithmEntry entry) { add_by_name(registered(), std::move(entry), "algorithm"); }

void add_algorithm(LearnerEntry learner) {
  add_algorithm(agent_of(learner));
  add_learner(std::move(learner));
}

}  // namespace goalpost
