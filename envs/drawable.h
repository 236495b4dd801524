#pragma once

#include <string>

#include "core/matrix.h"
#include "envs/env.h"
#include "envs/scene.h"

namespace goalpost {

/// An optional interface: an environment that can be rendered implements it beside Env. Nothing that Env::step depends
/// on changes. A wrapper of an environment implements it only around one that does (envs/goal_task.cpp).
class Drawable {
 public:
  virtual ~Drawable() = default;
  /// Appends the world in its current state to the scene and sets the camera; goals are left to the functions below.
  virtual void draw(Scene& scene) const = 0;
  /// Appends a mark at the position of a goal [goal.dim].
  virtual void draw_goal(ConstVectorRef /*goal*/, GoalMark, Scene&) const {}
  /// Appends marks at the goals that follow the desired one in a chain of sub-tasks (envs/goal_task.h).
  virtual void draw_waypoints(Scene&) const {}
  /// Appends a mark at a sub-goal, which is a target observation [obs]; NaN where unconstrained.
  virtual void draw_subgoal(ConstVectorRef /*obs*/, GoalMark, Scene&) const {}
};

/// Why an environment cannot be rendered, as a sentence; empty if it can.
std::string drawing_problem(const Env& env);
/// The environment's drawing. @throws UsageError with the sentence of drawing_problem
const Drawable& drawing_of(const Env& env);
/// Appends the goals of the running episode: way-points, then the desired goal; nothing if the task has no goals.
void draw_goals(const Env& env, Scene& scene);

}  // namespace goalpost
