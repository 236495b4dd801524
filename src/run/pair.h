// The experiment for an algorithm and an environment given on the command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/toml.h"

namespace goalpost {

struct PairExperiment {
  TomlValues values;
  std::string note;  ///< the origin of the settings, as a sentence
};

/// What runs of a pair without an experiment are called, e.g. td3_fetchpush_v4.
std::string pair_name(const std::string& algorithm, const std::string& env);

/// The settings of an experiment in src/experiments with this pair and an expected result, if there is one; otherwise
/// the algorithm's defaults, which are those of its paper.
/// @param her whether transitions are relabeled; nothing: as in that experiment, otherwise if the reward is sparse in
/// the goal
/// @param set further assignments, of which those of the environment count: they may change what the defaults follow
/// from
/// @throws UsageError for an unknown name, or for HER with a pair that does not support it
PairExperiment pair_experiment(const std::string& algorithm, const std::string& env, std::optional<bool> her,
                               const std::vector<std::string>& set = {});

}  // namespace goalpost
