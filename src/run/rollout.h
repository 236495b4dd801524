#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace goalpost {

/// Which actions a rollout takes; exactly one is set.
struct RolloutOptions {
  std::string env;                ///< the environment; with a policy it may be empty
  std::filesystem::path actions;  ///< CSV file with columns a0, a1, ...: one row per step
  std::filesystem::path policy;   ///< run directory
  bool random = false;
  int episodes = 1;  ///< for policy and random
  std::int64_t seed = 0;
  std::filesystem::path out;     ///< CSV file; empty: standard output
  std::vector<std::string> set;  ///< env.key=value
};

/// Steps one environment and writes a row per step:
///   episode,step,reward,terminated,truncated,success,action0...,obs0...,achieved0...,desired0...
/// Numbers have the digits that restore their bits. Observation and goals are those after the step. Actions of a file
/// are in the environment's own unit; an episode that ends is followed by the next until the actions are used up.
/// @throws UsageError for a missing or wrong file, with file and line
void rollout(const RolloutOptions& options);

}  // namespace goalpost
