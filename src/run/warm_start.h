#pragma once

#include <string>
#include <vector>

#include "algos/agent.h"
#include "run/experiment.h"

namespace goalpost {

/// Gives an agent what its Agent::warm_starts ask for, from the policy.h5 of earlier runs.
/// @param experiment of the agent: names the networks that are asked for, and the seed
/// @returns "setting digest" of each policy.h5 that all seeds have in common, for BuildInfo::inputs
/// @throws UsageError naming the setting if a directory is no run, or its policy is not of the shape that is needed
std::vector<std::string> load_warm_starts(Agent& agent, const Experiment& experiment);

}  // namespace goalpost
