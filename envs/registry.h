#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/config.h"
#include "envs/env.h"
#include "envs/goal_task.h"

namespace goalpost {

/// An environment's own configuration, and below [task] what all environments have in common.
class EnvSettings : public Settings {
 public:
  GoalTaskConfig task;
};

struct EnvEntry {
  std::string_view name, doc;
  std::unique_ptr<EnvSettings> (*settings)();     ///< its configuration with default values
  EnvFactory (*world)(const Settings& settings);  ///< without the task; copies what it needs of the settings

  /// @param rng of the run: draws what a task draws once
  EnvFactory factory(const Settings& settings, Rng rng) const;
};

/// Every environment, sorted by name.
std::span<const EnvEntry> environments();
/// @throws UsageError for an unknown name, with the nearest known one
const EnvEntry& find_environment(std::string_view name);

/// The simulators that environments run on, with their versions: "MuJoCo 2.3.2, Bullet 3.24".
std::string simulator_versions();

}  // namespace goalpost
