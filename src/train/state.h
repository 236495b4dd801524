// What the training loop knows besides agent and environments: counters, running sums, what is due.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/metrics.h"
#include "core/rng.h"
#include "core/state.h"
#include "envs/vector_env.h"

namespace goalpost {

/// Wall-clock seconds of the phases of the training loop since this process began to train. They are no part of a run's
/// state: a resumed run begins at 0.
struct PhaseSeconds {
  double environment = 0;  ///< steps of the training environments; with overlap until the updates beside them are done
  double act = 0;          ///< actions of the policy, or random ones
  double sample = 0;       ///< the replay buffer: storing transitions, and drawing batches (Agent::sample_seconds)
  double update = 0;       ///< updates without the sampling; with overlap they run beside steps, and both are counted
  double evaluate = 0;     ///< evaluations during training
  double save = 0;         ///< checkpoints
};

/// Where a run stands. Counters are exact and reproducible; wall_seconds and phases are not.
struct TrainProgress {
  std::int64_t step = 0;      ///< transitions
  std::int64_t episodes = 0;  ///< finished
  std::int64_t updates = 0;
  double wall_seconds = 0;
  double success = 0, success_any = 0, mean_return = 0, length = 0;  ///< means of the last 100 training episodes
  std::int64_t unstable_episodes = 0;  ///< of training, that an unstable simulation has cut
  PhaseSeconds phases = {};
  void visit_state(StateVisitor& v);
};

/// Sums over the running episode of every lane.
struct EpisodeSums {
  std::vector<double> reward;
  std::vector<std::uint64_t> length, success_any;
  explicit EpisodeSums(int lanes);
  void add(std::size_t lane, double reward_of_step, bool success);
  void clear(std::size_t lane);
  void visit_state(StateVisitor& v);
};

/// The last 100 training episodes, the window of rollout/ep_rew_mean.
class RecentEpisodes {
 public:
  void add(double success, double success_any, double reward, double length, bool unstable = false);
  int unstable() const;                ///< how many of them an unstable simulation has cut
  void write(TrainProgress& p) const;  ///< the means
  void visit_state(StateVisitor& v);

 private:
  static constexpr std::size_t kWindow = 100;
  std::array<double, 4 * kWindow> entries_{};
  std::array<std::uint64_t, kWindow> unstable_{};
  std::uint64_t count_ = 0;
};

/// What the loop knows besides agent and environments. With these three a run goes on as if it had never stopped.
struct TrainState {
  TrainProgress progress = {};
  double updates_due = 0;
  bool evaluation_due = true;  ///< a run begins with an evaluation, unless eval_at_start is false
  std::int64_t cycles = 0;     ///< completed
  std::int64_t evaluations = 0;
  std::int64_t successes_in_a_row = 0;
  std::int64_t checkpoint_step = 0;  ///< of the last checkpoint that was due
  Rng warmup_rng;
  EpisodeSums sums;  ///< training episodes that are under way
  RecentEpisodes recent = {};
  Metrics metrics = {};  ///< since the last evaluation

  /// @param rng of the run
  TrainState(Rng rng, int lanes) : warmup_rng(rng.stream("warmup")), sums(lanes) {}
  void visit_state(StateVisitor& v);
};

}  // namespace goalpost
