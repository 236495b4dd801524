#pragma once

#include "algos/agent.h"
#include "run/experiment.h"

namespace goalpost {

/// Gives an agent what its Agent::initial_policies ask for, from the policy.h5 of earlier runs.
/// @param experiment of the agent: names the networks that are asked for, and the seed
/// @throws UsageError naming the setting if a directory is no run, or its policy is not of the shape that is needed
void load_initial_policies(Agent& agent, const Experiment& experiment);

}  // namespace goalpost
