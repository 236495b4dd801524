#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "algos/batch.h"
#include "core/metrics.h"
#include "core/rng.h"
#include "core/state.h"
#include "envs/vector_env.h"

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
  /// Q of the transitions of a batch, to be looked at; empty if there is no such thing. Learning does not depend on it.
  /// @shape -> [1 x N]
  virtual Matrix action_values(const Batch&) { return {}; }
  virtual void visit_policy(StateVisitor& v) = 0;  ///< what acting in Mode::exploit needs
  virtual void visit_state(StateVisitor& v) = 0;   ///< everything: networks, optimizers, counters
  /// visit_policy for a visitor that loads another policy to begin with: a target policy then equals it.
  virtual void begin_with_policy(StateVisitor& v) { visit_policy(v); }
};

/// Returns spec; throws std::invalid_argument unless its action space is discrete, or continuous.
const EnvSpec& discrete(const char* learner, const EnvSpec& spec);
const EnvSpec& continuous(const char* learner, const EnvSpec& spec);

/// A policy component initialized from an earlier run.
struct WarmStart {
  std::string setting;  ///< that asks for it, for messages
  std::string run;      ///< directory of the earlier run; {seed} stands for the seed of this one
  std::string part;     ///< name of the part: taken from a policy that has a part of this name, else the whole is
  std::function<void(StateVisitor&)> visit;
};

/// What a configuration is to be trained for.
struct TrainingPlan {
  EnvSpec spec;
  int lanes;
  std::int64_t steps;       ///< environment steps until it ends
  Scalar start_reward = 0;  ///< of the state where some episode starts; 0 without goals
};
/// What is wrong with a configuration that is to be trained, as sentences.
struct TrainingCheck {
  std::vector<std::string> problems;  ///< it cannot do what it is for
  std::vector<std::string> warnings;  ///< it learns nothing, which may be wanted
};

/// Numbers for a histogram in TensorBoard.
struct HistogramSample {
  std::string name;  ///< group/name, as of metrics
  Matrix values;
};

/// A learner with its memory: decides what to store and what to learn from.
class Agent {
 public:
  virtual ~Agent() = default;
  /// May keep state per mode and lane; first marks lanes that begin an episode.
  virtual void act(const ObsBatch& obs, const std::vector<std::uint8_t>& first, Mode mode, MatrixRef action) = 0;
  virtual void observe(const StepBatch& step) = 0;
  /// Adds an offline transition to the replay buffer of one environment; call with complete episodes, before training.
  /// @throws std::invalid_argument if the agent has no replay buffer
  /// @throws std::runtime_error if the episode cannot be learned from
  virtual void add_offline_transition(const StepBatch& step, int lane);
  /// Whether there is enough data for update.
  virtual bool ready() const = 0;
  /// Whether the memory holds so many transitions, or is full. After a resume without it, learning waits for this.
  virtual bool remembers(std::int64_t /*transitions*/) const { return true; }
  virtual void update(Metrics& metrics) = 0;
  /// Of the batch of the last update since the program began. Learning does not depend on it.
  virtual std::vector<HistogramSample> histogram_samples() { return {}; }
  virtual void visit_policy(StateVisitor& v) = 0;
  virtual void visit_state(StateVisitor& v) = 0;
  /// The current sub-goal as a target observation [obs]; NaN where unconstrained. Used for rendering.
  /// @returns false if the agent sets no sub-goals
  virtual bool subgoal(Mode, Index /*lane*/, VectorRef /*obs*/) const { return false; }
  /// Policies of earlier runs to load before training.
  virtual std::vector<WarmStart> warm_starts() { return {}; }
  /// visit_state without the replay buffer: for a resumed run that collects new transitions first.
  virtual void visit_state_without_replay(StateVisitor& v) { visit_state(v); }
  /// Wall-clock seconds that update() has spent on drawing batches since the program began; 0 if it does not say.
  virtual double sample_seconds() const { return 0; }
};

}  // namespace goalpost
