#include "algos/learners.h"

#include <vector>

#include "algos/ddpg.h"
#include "algos/dqn.h"
#include "algos/sac.h"
#include "algos/td3.h"
#include "core/suggest.h"

namespace goalpost {
namespace {

constexpr ActionSpace::Kind kContinuous = ActionSpace::Kind::continuous, kDiscrete = ActionSpace::Kind::discrete;

std::vector<LearnerEntry>& registered() {
  static std::vector<LearnerEntry> list = {
      learner_entry<Ddpg, DdpgConfig>(
          "ddpg", kContinuous,
          "deep deterministic policy gradient (Lillicrap et al. 2016), with the HER papers' settings"),
      learner_entry<Dqn, DqnConfig>(
          "dqn", kDiscrete, "deep Q-network, discrete actions; double Q-learning as an option (Mnih et al. 2015)"),
      learner_entry<Sac, SacConfig>("sac", kContinuous,
                                    "soft actor-critic, learned or fixed temperature (Haarnoja et al. 2018b)"),
      learner_entry<Td3, Td3Config>("td3", kContinuous,
                                    "twin delayed deep deterministic policy gradient (Fujimoto et al. 2018)"),
  };
  return list;
}

}  // namespace

std::span<const LearnerEntry> learners() { return registered(); }

const LearnerEntry& find_learner(std::string_view name) {
  return find_by_name(learners(), name, "learner", "goalpost list algos");
}

void add_learner(LearnerEntry entry) { add_by_name(registered(), std::move(entry), "learner"); }

LearnerSettings::LearnerSettings(ActionSpace::Kind kind) {
  for (const LearnerEntry& e : learners())
    if (e.action_kind == kind) all_.emplace_back(e.name, e.settings());
}

LearnerSettings::LearnerSettings(const LearnerSettings& other) {
  for (const auto& [name, settings] : other.all_) all_.emplace_back(name, settings->clone());
}

LearnerSettings& LearnerSettings::operator=(const LearnerSettings& other) {
  LearnerSettings copy(other);
  std::swap(all_, copy.all_);
  return *this;
}

const Settings& LearnerSettings::of(std::string_view learner) const {
  for (const auto& [name, settings] : all_)
    if (name == learner) return *settings;
  std::vector<std::string_view> names;
  for (const auto& [name, settings] : all_) names.push_back(name);
  throw UsageError(
      detail::concatenate("no learner for these actions is called \"", learner, "\"", did_you_mean(learner, names)));
}

void LearnerSettings::visit(ConfigVisitor& v) {
  for (const auto& [name, settings] : all_) {
    const std::string doc = detail::concatenate("used if learner = \"", name, "\"");
    v.enter({.name = name, .doc = doc, .source = "", .low = 0, .high = 0});
    settings->visit(v);
    v.leave();
  }
}

}  // namespace goalpost
