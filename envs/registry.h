// The environments by name.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/config.h"
#include "envs/env.h"
#include "envs/goal_task.h"

namespace goalpost {

/// An environment's own configuration and, below [task], the settings that all environments share.
class EnvSettings : public Settings {
 public:
  GoalTaskConfig task;
};

/// Settings of an environment whose own configuration is a plain struct with a field table.
template <Config C>
class EnvSettingsOf final : public EnvSettings {
 public:
  void visit(ConfigVisitor& visitor) override {
    visit_fields(value, visitor);
    visitor.enter({"task", "another task in the same world", "", 0, 0});
    visit_fields(task, visitor);
    visitor.leave();
  }
  std::unique_ptr<Settings> clone() const override { return std::make_unique<EnvSettingsOf>(*this); }
  C value;
};
/// The configuration inside settings made by EnvSettingsOf<C>. @throws std::bad_cast for another type
template <Config C>
const C& env_config(const Settings& settings) {
  return dynamic_cast<const EnvSettingsOf<C>&>(settings).value;
}

struct EnvEntry {
  std::string name, doc;
  std::function<std::unique_ptr<EnvSettings>()> settings;  ///< its configuration with default values
  std::function<EnvFactory(const Settings& settings)>
      world;  ///< without the task; copies what it needs of the settings

  /// @param rng of the run; draws the offsets of a goal task
  EnvFactory factory(const Settings& settings, Rng rng) const;
};

/// Every environment, sorted by name. @post valid until the next add_environment
std::span<const EnvEntry> environments();
/// Adds an environment under a new name: `goalpost list envs`, experiments and all commands know it afterwards.
/// Call it before any of them. @throws std::invalid_argument if the name is empty or taken
void add_environment(EnvEntry entry);
/// The same for a function that makes the environment from its configuration.
template <Config C>
void add_environment(std::string name, std::string doc, std::unique_ptr<Env> (*make)(const C&)) {
  add_environment({.name = std::move(name),
                   .doc = std::move(doc),
                   .settings = [] { return std::make_unique<EnvSettingsOf<C>>(); },
                   .world =
                       [make](const Settings& settings) {
                         return EnvFactory([make, config = env_config<C>(settings)] { return make(config); });
                       }});
}
/// Whether a name is that of an environment in Python.
bool is_python_environment(std::string_view name);
/// Also one in Python, "python:module:Class" or "gymnasium:Id" (envs/python/python_env.h).
/// @throws UsageError for an unknown name, with the nearest known one
const EnvEntry& find_environment(std::string_view name);

/// The simulators that environments run on, with their versions: "MuJoCo 2.3.2, Bullet 3.24".
std::string simulator_versions();

}  // namespace goalpost
