// Evaluation of a policy: episodes without exploration, in chains of sub-tasks where the task has them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "algos/agent.h"
#include "core/rng.h"
#include "core/worker.h"
#include "envs/vector_env.h"

namespace goalpost {

/// Means over the episodes of an evaluation.
struct Evaluation {
  int episodes = 0;
  bool complete = false;         ///< false: stopped on the way, which is no measurement
  int unstable = 0;              ///< episodes that an unstable simulation has cut: they count as failed
  std::string instability = {};  ///< the sentence of the first of them
  /// Share of episodes whose last step is a success. Of chains: of EnvSpec::chain episodes each, so that those after a
  /// break count as failures.
  double success = 0;
  double success_any = 0;  ///< the same share with a success at any step
  double mean_return = 0;  ///< undiscounted
  double length = 0;       ///< mean number of steps
  /// One of EnvSpec::categories.
  struct Category {
    std::string name;
    int episodes = 0;
    double success = 0;  ///< share of these episodes; NaN if there were none
  };
  std::vector<Category> categories = {};
  /// Sums over each chain of episodes: what is independent of each other. Without chains of sub-tasks, an episode.
  struct Chain {
    double episodes = 0, success = 0, success_any = 0, reward = 0, length = 0;
  };
  std::vector<Chain> chains = {};
};

/// Chains of episodes that an evaluation of so many episodes runs: whole ones, each of at most EnvSpec::chain episodes.
int evaluation_chains(int episodes, const EnvSpec& spec);
/// The most episodes that these chains have: `episodes` without chains of sub-tasks.
int most_evaluation_episodes(int episodes, const EnvSpec& spec);
/// In how many environments side by side evaluations run them.
int evaluation_lanes(int episodes, const EnvSpec& spec);

/// Runs episodes without exploration, from fresh episodes drawn from rng: evaluation_chains whole chains. Each lane
/// runs a fixed share of them, so that neither short episodes nor short chains are favored. Without chains of sub-tasks
/// these are as many episodes as asked for; with them there may be more, or fewer if chains break. Depends on the
/// agent's policy, the number of lanes and rng only; the expectation of successes on the policy only. Return and length
/// are means over the episodes that were run, so where chains break few chains favor those that break early.
/// @param stop asked now and then; when true the episodes so far are returned, and they are not complete
/// @param on_step told of every step of the lanes whose episode counts
Evaluation evaluate(
    Agent& agent, VectorEnv& env, int episodes, Rng rng, const std::function<bool()>& stop = [] { return false; },
    const std::function<void(const StepBatch&, std::size_t lane)>& on_step = {});

/// evaluate() by all workers of a run, each a share of the chains in environments of its own; the result is that of all
/// of them, in each of them. @param worker null: this is evaluate() @param rng of this worker
Evaluation evaluate_with(Worker* worker, Agent& agent, VectorEnv& env, int episodes, Rng rng,
                         const std::function<bool()>& stop,
                         const std::function<void(const StepBatch&, std::size_t lane)>& on_step);

/// The environments of an evaluation of so many episodes, or of a worker's share of it: one for each chain of them, 100
/// at most.
VectorEnv make_evaluation_env(const EnvFactory& make, int episodes, Rng rng, int threads, int worker = 0,
                              int workers = 1);

}  // namespace goalpost
