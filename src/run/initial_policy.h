#pragma once

#include <cstdint>

#include "algos/agent.h"

namespace goalpost {

/// Gives an agent what its Agent::initial_policies ask for, from the policy.h5 of earlier runs.
/// @throws UsageError naming the setting if a directory is no run, or its policy is not of the shape that is needed
void load_initial_policies(Agent& agent, std::int64_t seed);

}  // namespace goalpost
