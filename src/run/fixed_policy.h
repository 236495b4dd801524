// Policies without learning, for comparison and rendering.
#pragma once

#include <memory>
#include <string>

#include "algos/agent.h"
#include "core/rng.h"
#include "envs/vector_env.h"

namespace goalpost {

/// Uniform random actions.
std::unique_ptr<Agent> make_random_policy(const EnvSpec& spec, Rng rng);
/// The environment's scripted policy (EnvSpec::script). @throws UsageError if it has none
std::unique_ptr<Agent> make_scripted_policy(const EnvSpec& spec);

}  // namespace goalpost
