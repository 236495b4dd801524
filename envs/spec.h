// The specification of an environment: plain data.
#pragma once

#include <string>
#include <vector>

#include "core/matrix.h"

namespace goalpost {

struct ActionSpace {
  enum class Kind { continuous, discrete } kind = Kind::continuous;
  int dim = 0;       ///< rows of an action: n for continuous, 1 for discrete (the index, stored as a Scalar)
  int choices = 0;   ///< discrete only
  Vector low, high;  ///< continuous only: range in the environment's unit; agents act in [-1, 1]
};

/// A reward that depends on goals only, so that HER can recompute it without the environment.
using GoalReward = Scalar (*)(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius);

/// A hand-written policy. @param action [act] in [-1, 1], or an index. @alloc none
using Script = void (*)(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);

/// -distance, whatever the radius.
inline Scalar minus_distance(ConstVectorRef achieved, ConstVectorRef desired, Scalar) {
  return -(achieved - desired).norm();
}
/// 1 nearer than the radius, else 0.
inline Scalar one_within(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).norm() < radius ? Scalar(1) : Scalar(0);
}

struct GoalSpace {
  int dim = 0;                  ///< 0: not goal-conditioned
  Scalar radius = 0;            ///< reached if ‖achieved − desired‖ < radius, in the goal's unit
  bool ends_at_goal = false;    ///< whether reaching the goal ends the episode; HER then recomputes the end as well
  GoalReward reward = nullptr;  ///< r(achieved after the step, desired)
  bool minus_before = false;    ///< of it, that of the goal achieved before the step is subtracted: a potential's gain

  /// Reward of a step. @param before used with minus_before alone
  Scalar reward_of(ConstVectorRef before, ConstVectorRef after, ConstVectorRef desired) const {
    return reward(after, desired, radius) - (minus_before ? reward(before, desired, radius) : 0);
  }
  bool reached(ConstVectorRef achieved, ConstVectorRef desired) const {
    return (achieved - desired).squaredNorm() < radius * radius;
  }
};

/// Tasks of moving an object: the rows of the observation where the positions of the end effector and of the object
/// begin, GoalSpace::dim numbers each. Task knowledge that only agent.relay uses. -1: none
struct Manipulation {
  int effector_at = -1, object_at = -1;
  bool known() const { return effector_at >= 0; }
};

struct EnvSpec {
  std::string name;
  int obs_dim = 0;
  ActionSpace action;
  GoalSpace goal;
  int max_steps = 0;  ///< time limit, applied by VectorEnv
  Manipulation manipulation = {};
  /// Whether steps may fail (StepResult::failed), so that episodes may end at any time.
  bool can_fail = false;
  /// Categories of episodes whose success evaluations tell apart, e.g. one per goal; empty: no such categories.
  std::vector<std::string> categories = {};
  Script script = nullptr;  ///< a reference policy, which solves the task if possible; nullptr: none
  /// Maximum number of episodes between two resets of the world; more than 1: chains of sub-tasks (envs/goal_task.h).
  int chain = 1;
  double dt = 0;  ///< seconds of simulated time per step; 0 where time has no unit

  /// Rows of the networks' input: the observation and, if there is one, the desired goal.
  int state_dim() const { return obs_dim + goal.dim; }
};

}  // namespace goalpost
