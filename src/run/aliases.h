// Names of other libraries for settings, e.g. Stable-Baselines3's.
#pragma once

#include <string>
#include <vector>

#include "storage/toml.h"

namespace goalpost {

/// Replaces other libraries' names by goalpost's: n_envs, num_envs, total_timesteps, learning_starts, buffer_size,
/// batch_size, gradient_steps, tau, gamma, learning_rate; each at the top level, or below train, agent or the
/// algorithm. Returns a sentence for each, "learning_rate = 0.001 sets agent.sac.pi_adam.lr, ...".
/// @throws UsageError if a setting is given under both names
std::vector<std::string> resolve_aliases(TomlValues& values);

}  // namespace goalpost
