#include "envs/drawable.h"

#include "core/check.h"

namespace goalpost {

std::string drawing_problem(const Env& env) {
  if (dynamic_cast<const Drawable*>(&env) != nullptr) return "";
  return env.spec().name + " cannot be rendered: the environment does not implement Drawable (envs/drawable.h)";
}

const Drawable& drawing_of(const Env& env) {
  if (const std::string problem = drawing_problem(env); !problem.empty()) throw UsageError(problem);
  return dynamic_cast<const Drawable&>(env);
}

void draw_goals(const Env& env, Scene& scene) {
  const Drawable& drawing = drawing_of(env);
  const EnvSpec& s = env.spec();
  if (s.goal.dim == 0) return;
  drawing.draw_waypoints(scene);
  Vector obs(s.obs_dim), achieved(s.goal.dim), desired(s.goal.dim);
  env.observe({obs, achieved, desired});
  drawing.draw_goal(desired, GoalMark::desired, scene);
}

}  // namespace goalpost
