// Policies that are not learned, to compare with and to look at.
#pragma once

#include <memory>
#include <string>

#include "algos/agent.h"
#include "core/rng.h"
#include "envs/vector_env.h"

namespace goalpost {

/// Uniform random actions.
std::unique_ptr<Agent> make_random_policy(const EnvSpec& spec, Rng rng);
/// The task's hand-written policy (EnvSpec::script). @throws UsageError if it has none
std::unique_ptr<Agent> make_scripted_policy(const EnvSpec& spec);

}  // namespace goalpost
