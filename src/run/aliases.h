// Other names of an experiment's settings: those of earlier versions, and of other libraries, e.g. Stable-Baselines3's.
#pragma once

#include <string>
#include <vector>

#include "storage/toml.h"

namespace goalpost {

/// Replaces former names of settings and of their values by the present ones, also in train.eval_env. Returns a
/// sentence for each.
/// @param whole the values that name the environment and the algorithm: the same, or those that `values` change
/// @throws UsageError as rename_former
std::vector<std::string> resolve_former_names(TomlValues& values, const TomlValues& whole);

/// Replaces other libraries' names by goalpost's: n_envs, num_envs, total_timesteps, learning_starts, buffer_size,
/// batch_size, gradient_steps, eval_freq, n_eval_episodes, tau, gamma, learning_rate, lr, n_sampled_goal,
/// goal_selection_strategy, exploration_initial_eps, exploration_final_eps; each at the top level, or below train,
/// agent or the algorithm. Returns a sentence for each, "learning_rate = 0.001 sets agent.sac.pi_adam.lr, ...".
/// @param whole as above; gradient_steps depends on its number of environments
/// @throws UsageError if a setting is given under both names, for one of an optimizer that is not used, or for a name
/// without an equal setting (net_arch, policy_kwargs, exploration_fraction, target_update_interval, ent_coef,
/// train_freq), with the nearest ones
std::vector<std::string> resolve_aliases(TomlValues& values, const TomlValues& whole);

/// The names that resolve_aliases replaces for an algorithm, sorted; empty: those of any.
std::vector<std::string> other_names(const std::string& algorithm = "");

}  // namespace goalpost
