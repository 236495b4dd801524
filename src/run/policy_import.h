// Makes a run directory of a policy that another program has trained (exchange/import.h).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace goalpost {

struct ImportOptions {
  std::filesystem::path file;
  std::filesystem::path normalizer;  ///< a pickled VecNormalize; empty: none
  std::string env;                   ///< the environment that the policy acts in
  std::vector<std::string> set;      ///< env.key=value
  std::filesystem::path out;         ///< the run directory, new
};

/// Writes config.toml and policy.h5. Where the network also sees the achieved goal, whose entries are entries of the
/// observation, its weights for both are added, so that the inputs are [obs; desired goal].
/// @return sentences on what was read
/// @throws UsageError with file and reason if the policy cannot be read, or does not fit the environment
std::vector<std::string> import_policy(const ImportOptions& options);

}  // namespace goalpost
