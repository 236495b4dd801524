// The result of a step, of one environment and of a vectorized one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/matrix.h"

namespace goalpost {

/// Of Env::step.
struct StepResult {
  Scalar reward = 0;
  bool terminated = false;  ///< the task's own end; never the time limit
  bool success = false;
  /// The episode ended by a failure, e.g. a crash: terminated whatever the goal, and so is its reward; no success.
  bool failed = false;
};

/// [obs x N], [goal x N], [goal x N]; the goals have 0 rows if the task has none.
struct ObsBatch {
  Matrix obs, achieved, desired;
};

/// What happened in one step of all lanes. `after` is the true successor, never the first observation of a new episode.
struct StepBatch {
  ObsBatch before;
  Matrix action;  ///< [act x N], in [-1, 1] or an index
  Matrix reward;  ///< [1 x N]
  /// [N] task's end; time limit; goal reached after the step; ended by a failure, whatever the goal
  std::vector<std::uint8_t> terminated, truncated, success, failed;
  ObsBatch after;
  /// [N] 1: the simulation became unstable (VectorEnv::cut_unstable_episodes); empty: nowhere
  std::vector<std::uint8_t> unstable = {};
  bool ended(std::size_t lane) const { return terminated[lane] != 0 || truncated[lane] != 0; }
  /// The lane's step is none to learn from: its episode ends before it, truncated.
  bool is_unstable(std::size_t lane) const { return lane < unstable.size() && unstable[lane] != 0; }
};

}  // namespace goalpost
