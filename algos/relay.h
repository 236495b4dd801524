// Relay of two sub-tasks for tasks of moving an object: reach the object, then bring it to the goal.
// Luo et al. 2022, "Relay Hindsight Experience Replay", arXiv:2208.00843; code kaixindelele/RHER, baselines/rher.
//
// Until the object moves, every goal that HER substitutes is already achieved and teaches nothing. The relay learns to
// reach the object first, where every movement of the end effector teaches something, and lets that sub-task explore.
// Both sub-tasks share one policy and one critic, whose input has a goal for each:
//
//   [observation; position to reach, or 0; goal of the object, or 0]
//
// Task knowledge   the rows of the observation that hold the positions of end effector and object (EnvSpec).
// Learning         half of every batch is relabeled as ever, and half for reaching: achieved is then the end effector's
//                  position, desired the object's.
// Exploration      while the end effector is farther than `near` from the object, an action is that of reaching it with
//                  probability `guidance`. Evaluations act for the object's goal alone.
// Differs          1. The released code alternates batches of the sub-tasks; here each batch holds both.
//                  2. Random actions replace those of the reaching sub-task, too.
#pragma once

#include "algos/her.h"

namespace goalpost {

struct RelayConfig {
  bool enabled = false;
  double guidance = 0.5;
  double near = 0.03;
};
constexpr auto fields(const RelayConfig*) {
  return std::tuple{
      field("enabled", &RelayConfig::enabled, "learn to reach the object, too, and explore with it; needs HER"),
      field("guidance", &RelayConfig::guidance,
            "probability that an exploring action far from the object is that of reaching it", 0, 1,
            "code of Luo et al. 2022 (there 0.5)"),
      field("near", &RelayConfig::near,
            "distance from the object, in the goal's unit, within which no action is that of reaching it", 0, 1e6,
            "code of Luo et al. 2022 (there 0.03)"),
  };
}
static_assert(complete<RelayConfig>);

/// The observation with the position to reach below it; everything else as in spec.
EnvSpec with_position_to_reach(const EnvSpec& spec);

/// The networks' input for the object's goal, or for reaching the object.
enum class Subtask { object, reach };
/// @shape obs [obs], goal [goal] of that sub-task -> state [obs + 2 goal]
void write_relay_state(Subtask subtask, ConstVectorRef obs, ConstVectorRef goal, VectorRef state);

/// Batches of with_position_to_reach(spec): the first half, rounded up, for the object's goal, the rest for reaching.
class RelaySampler final : public Sampler {
 public:
  /// @pre spec.manipulation.known()
  RelaySampler(const ReplayBuffer& buffer, const EnvSpec& spec, const HerConfig& config, int batch_size);
  bool ready(Index batch_size) const override { return object_.ready(batch_size); }
  void sample(Rng& rng, Batch& out) const override;
  const HerSampler& object() const { return object_; }

 private:
  HerSampler object_, reach_;
  mutable Batch object_batch_, reach_batch_;  // with one goal
};

}  // namespace goalpost
