#pragma once

#include <string>
#include <vector>

#include "algos/agent.h"
#include "run/experiment.h"

namespace goalpost {

/// Loads the components of an agent's Agent::warm_starts from the policy.h5 of earlier runs.
/// @param experiment of the agent: has the settings of the networks, and the seed
/// @returns "setting digest" of each policy.h5 that all seeds share, for BuildInfo::inputs
/// @throws UsageError naming the setting if a directory is not a run, or its policy has another shape than needed
std::vector<std::string> load_warm_starts(Agent& agent, const Experiment& experiment);

}  // namespace goalpost
