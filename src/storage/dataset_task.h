// The task of a dataset: its environment and settings, and their differences to others.
#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "envs/spec.h"

namespace goalpost {

/// The task as stored in a dataset: complete in files and exports of goalpost, empty in others.
struct DatasetIdentity {
  std::string environment, config;
  std::optional<double> goal_radius = {}, dt = {};
  bool guesses_failures = false;  ///< a file of goalpost without failures: see kGuessedFailures
};

/// Thrown for a dataset of another task.
class DatasetMismatch : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The default settings of an environment; empty if it is unknown.
std::string default_settings(const std::string& environment);

/// "env.bits is 4 there, but 5 here" for every setting of the environment that differs. An unset number is drawn in
/// every episode.
std::vector<std::string> setting_differences(const std::filesystem::path& path, const std::string& environment,
                                             const std::string& there, const std::string& here);

/// @throws DatasetMismatch naming the differences
void expect_same_environment(const std::filesystem::path& path, const char* what, const DatasetIdentity& there,
                             const EnvSpec& spec, const std::string& config);

}  // namespace goalpost
