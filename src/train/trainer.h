// The training loop: act, step, observe, update, evaluate.
#pragma once

#include <functional>
#include <vector>

#include "algos/agent.h"
#include "core/rng.h"
#include "envs/vector_env.h"
#include "train/callback.h"
#include "train/config.h"
#include "train/state.h"

namespace goalpost {

enum class TrainEnd { budget, success, interrupted };

/// Everything a run consists of.
struct Run {
  Agent& agent;
  VectorEnv& env;
  VectorEnv& eval_env;
  Rng rng;
  std::function<bool()> stop = [] { return false; };  ///< asked after every step; ends the run cleanly
  std::vector<TrainCallback*> callbacks = {};
  /// The environments of all workers: state holds sums over the running episode of each.
  int all_lanes = env.lanes();
  TrainState state = TrainState(rng, all_lanes);
  /// Of the first of several workers: the state of the others. @param memory as visit_state
  std::function<void(StateVisitor&, bool memory)> visit_other_workers = {};

  const TrainProgress& progress() const { return state.progress; }
  /// Agent, environments, loop and callbacks. @param memory false leaves out what the agent has collected
  void visit_state(StateVisitor& v, bool memory = true);
};

/// Everything of an agent below "agent". @param memory as Run::visit_state
void visit_agent(StateVisitor& v, Agent& agent, bool memory);

/// Training episodes of the last 100 that may be unstable before the run ends.
inline constexpr int kMostUnstable = 10;

/// The training loop: act, step, observe, update, evaluate. Goes on from run.state. An episode whose simulation becomes
/// unstable is cut before that step, and the run goes on.
/// Learning needs as many transitions in the memory as the warm-up collects: after a resume without the memory it waits
/// until they are there, and then does what was due.
/// With several workers (core/worker.h) every one of them calls this in its thread, with a Run of its own. All keep the
/// same TrainState; callbacks of the first worker see its environments only.
/// @throws NumericsError naming step and update if a loss is not finite
/// @throws std::runtime_error if more than kMostUnstable of the last 100 training episodes were unstable
TrainEnd train(Run& run, const TrainConfig& c);

}  // namespace goalpost
