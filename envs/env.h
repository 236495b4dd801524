#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/state.h"
#include "envs/spec.h"
#include "envs/step.h"

namespace goalpost {

/// The process or device that an environment runs in is gone: no instability of a simulation, and the run ends.
class EnvironmentLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Where an observation is written: columns owned by the caller; goals have 0 rows if the task has none.
struct ObsOut {
  VectorRef obs, achieved, desired;
};

/// An action in the environment's unit. Environments compute in double; observations are rounded to Scalar.
using ActionRef = Eigen::Ref<const Eigen::VectorXd>;

/// One environment. Not thread-safe; VectorEnv gives each lane its own. An environment that can be rendered also
/// implements Drawable (envs/drawable.h).
/// Contract, checked for every registered environment by tests/envs/contract_test.cpp:
///   reset depends only on its Rng, step only on visited state and action; step never resets; no time limit inside;
///   goal-conditioned: unless the step failed, its reward equals spec().goal.reward_of(achieved before, after, desired)
///   and its success spec().goal.reached; the episode ends with a failure, with a success if and only if
///   spec().goal.ends_at_goal, and otherwise never; whether a step fails, and its reward then, does not depend on the
///   goal.
class Env {
 public:
  virtual ~Env() = default;
  virtual const EnvSpec& spec() const = 0;
  virtual void reset(Rng& rng) = 0;
  /// Like reset(), but always resets the simulator: in chains of sub-tasks (envs/goal_task.h) reset() may continue in
  /// it.
  virtual void reset_world(Rng& rng) { reset(rng); }
  /// Whether reset() would continue in this world if the episode ended now; evaluations run whole chains of episodes.
  virtual bool chain_goes_on() const { return false; }
  /// @param action in the environment's unit, inside its range. @alloc none
  virtual StepResult step(ActionRef action) = 0;
  /// Whether the last step ended the episode by a time limit of the environment's own.
  virtual bool truncates() const { return false; }
  virtual void observe(ObsOut out) const = 0;  ///< @alloc none
  /// Which of spec().categories the episode is.
  virtual std::size_t category() const { return 0; }
  /// Everything that step depends on: after it is restored, step gives the same bits again.
  virtual void visit_state(StateVisitor& v) = 0;

  /// The simulator's own coordinates, e.g. qpos0.., qvel0..: what `goalpost rollout --state` sets and shows. Empty for
  /// environments that do not offer them. They are fewer than visit_state saves: no goal, clock or warm start.
  virtual std::vector<std::string> coordinate_names() const { return {}; }
  virtual void get_coordinates(std::span<double>) const {}
  /// Moves the world to these coordinates; everything that follows from them is computed anew, the goal stays.
  virtual void set_coordinates(std::span<const double>) {}
};

using EnvFactory = std::function<std::unique_ptr<Env>()>;

}  // namespace goalpost
