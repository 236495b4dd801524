// Of which task a dataset is: its environment and settings, and how they differ from others.
#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "envs/spec.h"

namespace goalpost {

/// What a dataset says of the task that it is of: all for our own files and exports, nothing for others.
struct DatasetIdentity {
  std::string environment, config;
  std::optional<double> goal_radius = {}, dt = {};
  bool guesses_failures = false;  ///< an own file without failures: see kGuessedFailures
};

/// Thrown for a dataset of another task.
class DatasetMismatch : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What an environment's settings are when nothing is set; empty for one that is not known.
std::string default_settings(const std::string& environment);

/// "env.bits is 4 there, but 5 here" for every setting of the environment that differs. A number that is left out is
/// drawn in every episode.
std::vector<std::string> setting_differences(const std::filesystem::path& path, const std::string& environment,
                                             const std::string& there, const std::string& here);

/// @throws DatasetMismatch naming what differs
void expect_same_environment(const std::filesystem::path& path, const char* what, const DatasetIdentity& there,
                             const EnvSpec& spec, const std::string& config);

}  // namespace goalpost
