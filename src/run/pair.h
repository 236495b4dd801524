// The experiment of an algorithm and an environment that are named on the command line.
#pragma once

#include <optional>
#include <string>

#include "storage/toml.h"

namespace goalpost {

struct PairExperiment {
  TomlValues values;
  std::string note;  ///< where the settings come from, as a sentence
};

/// An experiment of ours for the pair, one whose source expects it to work, where there is one; otherwise the
/// algorithm's own defaults, which are its paper's.
/// @param her whether transitions are relabeled; nothing: as that experiment, else where the reward is sparse in the
/// goal
/// @throws UsageError for an unknown name, or for HER where it cannot work
PairExperiment pair_experiment(const std::string& algorithm, const std::string& env, std::optional<bool> her);

}  // namespace goalpost
