// Names of other libraries for settings, e.g. Stable-Baselines3's, beside goalpost's own.
#pragma once

#include <string>
#include <vector>

#include "storage/toml.h"

namespace goalpost {

/// Puts goalpost's names in place of others: n_envs, num_envs, total_timesteps, learning_starts, buffer_size,
/// batch_size, gradient_steps, tau, gamma, learning_rate; each alone, or below train, agent or the algorithm. Returns a
/// sentence for each, "learning_rate = 0.001 sets agent.sac.pi_adam.lr, ...".
/// @throws UsageError if a setting has both of its names in one place
std::vector<std::string> resolve_aliases(TomlValues& values);

}  // namespace goalpost
