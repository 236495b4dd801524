#pragma once

#include <string>
#include <vector>

#include "algos/agent.h"
#include "run/experiment.h"

namespace goalpost {

/// Loads the components of an agent's Agent::warm_starts from the policy.h5 of earlier runs.
/// @param experiment of the agent: has the settings of the networks, and the seed
/// @throws UsageError naming the setting if a directory is not a run, or its policy has another shape than needed
void load_warm_starts(Agent& agent, const Experiment& experiment);

/// "setting digest" of each policy.h5 of the agent's warm starts that all seeds share, for BuildInfo::inputs.
/// @throws std::runtime_error if one cannot be read
std::vector<std::string> warm_start_digests(Agent& agent);

}  // namespace goalpost
