#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "algos/batch.h"
#include "core/metrics.h"
#include "core/rng.h"
#include "core/state.h"
#include "envs/step.h"

namespace goalpost {

enum class Mode { explore, exploit };

/// Networks, losses and one update from a batch. This is what an algorithm's paper describes.
class Learner {
 public:
  virtual ~Learner() = default;
  virtual Scalar gamma() const = 0;  ///< discount per transition
  /// @shape s [state x N] -> a [act x N] @alloc none after the first call with N columns
  virtual void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a) = 0;
  /// @throws NumericsError if a loss is not finite @alloc none after the first
  virtual void update(const Batch& batch, Rng& rng, Metrics& metrics) = 0;
  /// Q(s, a) of a batch, for histograms; empty if the learner has no Q. Has no effect on learning.
  /// @shape -> [1 x N]
  virtual Matrix action_values(const Batch&) { return {}; }
  virtual void visit_policy(StateVisitor& v) = 0;  ///< what acting in Mode::exploit needs
  virtual void visit_state(StateVisitor& v) = 0;   ///< everything: networks, optimizers, counters
  /// visit_policy for loading an earlier policy before training: target policies become copies of it.
  virtual void begin_with_policy(StateVisitor& v) { visit_policy(v); }
};

/// Returns spec. @throws std::invalid_argument unless its action space is discrete or, for the second, continuous
const EnvSpec& discrete(const char* learner, const EnvSpec& spec);
const EnvSpec& continuous(const char* learner, const EnvSpec& spec);

/// A policy component initialized from an earlier run.
struct WarmStart {
  std::string setting;  ///< name of the setting that requests it, for messages
  std::string run;      ///< directory of the earlier run; {seed} is replaced by this run's seed
  std::string part;     ///< part of the earlier policy to load; the whole policy if it has no such part
  std::function<void(StateVisitor&)> visit;
};

/// The run that a configuration is checked for.
struct TrainingPlan {
  EnvSpec spec;
  int lanes;
  std::int64_t steps;       ///< environment steps of the run
  Scalar start_reward = 0;  ///< reward of a state in which an episode starts; 0 without goals
};
/// What is wrong with a configuration for a run, as sentences.
struct TrainingCheck {
  std::vector<std::string> problems;  ///< the run cannot work
  std::vector<std::string> warnings;  ///< the run learns nothing, which may be intended
};

/// Numbers for a histogram in TensorBoard.
struct HistogramSample {
  std::string name;  ///< group/name, like the names of metrics
  Matrix values;
};

/// A learner with its replay buffer: decides what to store and what to learn from.
class Agent {
 public:
  virtual ~Agent() = default;
  /// May keep state per mode and lane. @param first [N] 1 where a lane begins an episode
  virtual void act(const ObsBatch& obs, const std::vector<std::uint8_t>& first, Mode mode, MatrixRef action) = 0;
  virtual void observe(const StepBatch& step) = 0;
  /// Adds an offline transition to the replay buffer of one environment; call with complete episodes, before training.
  /// @throws std::invalid_argument if the agent has no replay buffer
  /// @throws std::runtime_error if the episode cannot be learned from
  virtual void add_offline_transition(const StepBatch& step, int lane);
  /// Whether there is enough data for an update.
  virtual bool ready() const = 0;
  /// Whether the replay buffer holds this many transitions, or is full. Until then a run resumed without its
  /// replay buffer does not learn.
  virtual bool remembers(std::int64_t /*transitions*/) const { return true; }
  virtual void update(Metrics& metrics) = 0;
  /// Before training: this agent is one of several workers of a run (core/worker.h), whose networks are equal. It draws
  /// from streams of rng, and update() needs all workers. @throws std::invalid_argument if the algorithm cannot
  virtual void become_worker(Rng rng);
  /// Values of the last update's batch; none before the first update of this process. Has no effect on learning.
  virtual std::vector<HistogramSample> histogram_samples() { return {}; }
  virtual void visit_policy(StateVisitor& v) = 0;
  virtual void visit_state(StateVisitor& v) = 0;
  /// Policies of earlier runs to load before training.
  virtual std::vector<WarmStart> warm_starts() { return {}; }
  /// visit_state without the replay buffer: for a resumed run that collects new transitions first.
  virtual void visit_state_without_replay(StateVisitor& v) { visit_state(v); }
  /// Wall-clock seconds that update() has spent on drawing batches since the program began; 0 if it does not say.
  virtual double sample_seconds() const { return 0; }
};

}  // namespace goalpost
