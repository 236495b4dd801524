// policy.h5: a trained policy with everything that is needed to act with it; no other file is needed.
//
//   attribute config   TOML: the settings that results depend on, and [build]
//   attribute about    JSON for other readers: algorithm with all its settings (networks, activations, normalizer and
//                      its clips), environment with its settings, inputs in their order, range of actions, step, seed
//   datasets           those of the algorithm's visit_policy
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "run/experiment.h"
#include "train/trainer.h"

namespace goalpost {

/// Writes the agent's current policy. @param spec of the environment that it was trained in
/// @throws std::runtime_error with path and reason
void save_policy(const std::filesystem::path& file, Experiment& experiment, const EnvSpec& spec,
                 const TrainProgress& progress, Agent& agent);

/// Whether none of the policy's numbers is NaN or infinite.
bool is_finite(Agent& agent);

/// A trained policy with an environment to use it in.
struct LoadedRun {
  Experiment experiment;
  EnvSpec spec;                      ///< of experiment.eval_env_factory()
  std::unique_ptr<Agent> agent;      ///< for Mode::exploit
  std::optional<std::int64_t> step;  ///< environment steps of training before the policy was saved; unknown in files of
                                     ///< earlier versions
};

/// Loads a trained policy. Sets the precision of products to that of its training, if this processor supports it.
/// @param run a run directory, or a file policy.h5 alone
/// @param set changes of its environment, e.g. env.bits=40
/// @param env an environment, with its default settings; empty: the one that it was trained in, with its settings
/// @param keep_settings if env is the one that it was trained in, use the settings of training
/// @throws UsageError if there is no policy, it cannot be read or differs from config.toml beside it, set is not such a
/// change, or the environment has other observations, goals or actions
LoadedRun load_run(const std::filesystem::path& run, const std::vector<std::string>& set = {},
                   const std::string& env = "", bool keep_settings = false);

}  // namespace goalpost
