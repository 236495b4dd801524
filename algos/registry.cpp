#include "algos/registry.h"

#include "algos/ddpg.h"
#include "algos/dqn.h"
#include "algos/hiro/config.h"
#include "algos/hiro/hiro.h"
#include "algos/sac.h"
#include "algos/td3.h"
#include "core/suggest.h"

namespace goalpost {
namespace {

// [agent] holds the off-policy part, [agent.<name>] the learner's own.
template <class Config>
class OffPolicySettings final : public Settings {
 public:
  explicit OffPolicySettings(FieldInfo info) : info_(info) {}
  void visit(ConfigVisitor& visitor) override {
    visit_fields(off_policy, visitor);
    visitor.enter(info_);
    visit_fields(learner, visitor);
    visitor.leave();
  }
  std::unique_ptr<Settings> clone() const override { return std::make_unique<OffPolicySettings>(*this); }
  OffPolicyConfig off_policy;
  Config learner;

 private:
  FieldInfo info_;
};

template <class Config>
constexpr bool clips_targets(const Config& c) {
  if constexpr (requires { c.clip_targets; })
    return c.clip_targets;
  else
    return false;
}

inline constexpr char kDdpg[] = "ddpg", kDqn[] = "dqn", kSac[] = "sac", kTd3[] = "td3";

template <class L, class Config, const char* name, ActionSpace::Kind kind>
constexpr AlgorithmEntry off_policy_entry(std::string_view doc) {
  using S = OffPolicySettings<Config>;
  return {.name = name,
          .doc = doc,
          .settings =
              [] {
                return std::unique_ptr<Settings>(new S({name, "the learner", "", 0, 0}));
              },
          .make =
              [](const Settings& settings, const EnvSpec& spec, int lanes, Rng rng) {
                const S& s = dynamic_cast<const S&>(settings);
                return make_off_policy_agent(std::make_unique<L>(spec, s.learner, rng.stream("learner")), spec,
                                             s.off_policy, lanes, rng);
              },
          .off_policy = [](const Settings& settings) { return &dynamic_cast<const S&>(settings).off_policy; },
          .action_kind = kind,
          .check_training =
              [](const Settings& settings, const TrainingPlan& plan, TrainingCheck& check) {
                const S& s = dynamic_cast<const S&>(settings);
                check_off_policy_training(s.off_policy, plan, clips_targets(s.learner),
                                          static_cast<double>(s.learner.gamma), check);
              },
          .add_memory =
              [](const Settings& settings, const EnvSpec& spec, MemoryNeed& need) {
                add_off_policy_memory(dynamic_cast<const S&>(settings).off_policy, spec, need);
              }};
}

// [agent.hiro] holds everything.
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

constexpr ActionSpace::Kind kContinuous = ActionSpace::Kind::continuous, kDiscrete = ActionSpace::Kind::discrete;

constexpr AlgorithmEntry kAlgorithms[] = {
    off_policy_entry<Ddpg, DdpgConfig, kDdpg, kContinuous>(
        "deep deterministic policy gradient (Lillicrap et al. 2016), with the HER papers' settings"),
    off_policy_entry<Dqn, DqnConfig, kDqn, kDiscrete>(
        "deep Q-network, discrete actions; double Q-learning as an option (Mnih et al. 2015)"),
    {.name = "hiro",
     .doc = "two levels: sub-goals every c steps, with off-policy correction (Nachum et al. 2018)",
     .settings = [] { return std::unique_ptr<Settings>(new HiroSettings); },
     .make = [](const Settings& settings, const EnvSpec& spec, int lanes, Rng rng) -> std::unique_ptr<Agent> {
       return std::make_unique<Hiro>(spec, hiro_config(settings), lanes, rng);
     },
     .off_policy = [](const Settings&) -> const OffPolicyConfig* { return nullptr; },
     .action_kind = kContinuous,
     .problem = [](const Settings& settings, const EnvSpec& spec,
                   int lanes) { return hiro_problem(hiro_config(settings), spec, lanes); },
     .check_training = [](const Settings& settings, const TrainingPlan& plan,
                          TrainingCheck& check) { check_hiro_training(hiro_config(settings), plan, check); },
     .add_memory = [](const Settings& settings, const EnvSpec& spec,
                      MemoryNeed& need) { add_hiro_memory(hiro_config(settings), spec, need); }},
    off_policy_entry<Sac, SacConfig, kSac, kContinuous>(
        "soft actor-critic, learned or fixed temperature (Haarnoja et al. 2018b)"),
    off_policy_entry<Td3, Td3Config, kTd3, kContinuous>(
        "twin delayed deep deterministic policy gradient (Fujimoto et al. 2018)"),
};

}  // namespace

std::span<const AlgorithmEntry> algorithms() { return kAlgorithms; }

const AlgorithmEntry& find_algorithm(std::string_view name) {
  return find_by_name(algorithms(), name, "algorithm", "goalpost list algos");
}

}  // namespace goalpost
