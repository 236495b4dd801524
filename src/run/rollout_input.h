// The files that a rollout is given: actions, and the simulator's state to start from.
#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <string>
#include <vector>

#include "envs/spec.h"

namespace goalpost {

/// The actions of a CSV file with columns a0, a1, ..., one row per step. @shape [act x steps], in the environment's
/// unit. Rows of resets, as rollout writes them, are left out: no action and no reward, in a file with both columns.
/// @throws UsageError with file, line, column and value for a cell that is not an action of this environment
Eigen::MatrixXd read_actions(const std::filesystem::path& file, const EnvSpec& spec);

/// A simulator's state: the one row of a CSV file, in the order of names (Env::coordinate_names).
/// @param env the environment's name, for messages
/// @throws UsageError for another number of rows, a missing column or a number that is not finite
std::vector<double> read_coordinates(const std::filesystem::path& file, const std::vector<std::string>& names,
                                     const std::string& env);

}  // namespace goalpost
