#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

struct EnvEntry {
  std::string_view name, doc;
  std::unique_ptr<Settings> (*settings)();          ///< its configuration with default values
  EnvFactory (*factory)(const Settings& settings);  ///< copies what it needs of the settings
};

/// Every environment, sorted by name.
std::span<const EnvEntry> environments();
/// @throws UsageError for an unknown name, with the nearest known one
const EnvEntry& find_environment(std::string_view name);

}  // namespace goalpost
