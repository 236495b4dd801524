// Registry of learners, for off-policy agents and the levels of HIRO.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "algos/agent.h"
#include "core/config.h"

namespace goalpost {

/// What checks need to know of a learner's settings.
struct LearnerTraits {
  double gamma = 0;           ///< discount per transition
  bool clip_targets = false;  ///< targets are clipped to the returns of rewards in [-1, 0]
};

struct LearnerEntry {
  std::string name, doc;
  ActionSpace::Kind action_kind;                        ///< kind of actions that it supports
  std::function<std::unique_ptr<Settings>()> settings;  ///< its settings, with default values
  /// @throws std::invalid_argument if it does not support this kind of environment
  std::function<std::unique_ptr<Learner>(const EnvSpec& spec, const Settings& settings, Rng rng)> make;
  std::function<LearnerTraits(const Settings& settings)> traits;
};

/// Every learner, sorted by name. @post valid until the next is added
std::span<const LearnerEntry> learners();
/// @throws UsageError for an unknown name, with the nearest known one
const LearnerEntry& find_learner(std::string_view name);
/// Adds a learner under a new name. add_algorithm (algos/registry.h) also adds it as an algorithm.
/// @throws std::invalid_argument if the name is empty or taken
void add_learner(LearnerEntry entry);

/// The entry of a class with a constructor L(const EnvSpec&, const C&, Rng) and a configuration C that has a member
/// gamma.
template <class L, Config C>
LearnerEntry learner_entry(std::string name, ActionSpace::Kind action_kind, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .action_kind = action_kind,
          .settings = [] { return std::make_unique<SettingsOf<C>>(); },
          .make = [](const EnvSpec& spec, const Settings& settings,
                     Rng rng) { return std::make_unique<L>(spec, settings_as<C>(settings), rng); },
          .traits =
              [](const Settings& settings) {
                const C& c = settings_as<C>(settings);
                LearnerTraits traits{.gamma = static_cast<double>(c.gamma)};
                if constexpr (requires { c.robotics.clip_targets; })
                  traits.clip_targets = c.robotics.clip_targets;
                else if constexpr (requires { c.clip_targets; })
                  traits.clip_targets = c.clip_targets;
                return traits;
              }};
}

/// Settings of all learners for one kind of actions, of which the owner, e.g. a level of HIRO, uses one. Those of the
/// others are kept, so that choosing another learner loses no settings.
class LearnerSettings {
 public:
  explicit LearnerSettings(ActionSpace::Kind kind = ActionSpace::Kind::continuous);
  LearnerSettings(const LearnerSettings& other);
  LearnerSettings& operator=(const LearnerSettings& other);
  LearnerSettings(LearnerSettings&&) = default;
  LearnerSettings& operator=(LearnerSettings&&) = default;
  ~LearnerSettings() = default;

  /// @throws UsageError for an unknown learner
  const Settings& of(std::string_view learner) const;
  /// The configuration of a learner whose type is known. @throws as of, std::bad_cast for another type
  template <Config C>
  C& get(std::string_view learner) {
    return dynamic_cast<SettingsOf<C>&>(const_cast<Settings&>(of(learner))).value;
  }
  /// A table for each learner, under its name.
  void visit(ConfigVisitor& v);

 private:
  std::vector<std::pair<std::string, std::unique_ptr<Settings>>> all_;
};

}  // namespace goalpost
