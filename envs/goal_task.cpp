#include "envs/goal_task.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/check.h"
#include "envs/drawable.h"

namespace goalpost {
namespace {

using Offsets = std::vector<Vector>;

Scalar arrival(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  const Scalar distance = (achieved - desired).norm();
  return distance < radius ? Scalar(1) : -distance;
}

Scalar minus_one_until_reached(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return one_within(achieved, desired, radius) - 1;
}

Scalar minus_squared_distance(ConstVectorRef achieved, ConstVectorRef desired, Scalar) {
  return -(achieved - desired).squaredNorm();
}

// Shaped: λ|g − s|^p − |g − s'|^p, with λ = 1 for the gain of a step      Andrychowicz et al. 2017, 4.4
void set_reward(TaskReward reward, GoalSpace& goal) {
  switch (reward) {
    case TaskReward::environment:
      return;
    case TaskReward::sparse:
      goal.reward = &minus_one_until_reached;
      break;
    case TaskReward::reach_bonus:
      goal.reward = &arrival;
      goal.ends_at_goal = true;
      return;
    case TaskReward::distance:
    case TaskReward::progress:
      goal.reward = &minus_distance;
      break;
    case TaskReward::squared_distance:
    case TaskReward::squared_progress:
      goal.reward = &minus_squared_distance;
      break;
  }
  goal.minus_before = reward == TaskReward::progress || reward == TaskReward::squared_progress;
}

EnvSpec make_spec(EnvSpec spec, const GoalTaskConfig& c) {
  if (c.max_steps > 0) spec.max_steps = c.max_steps;
  set_reward(c.reward, spec.goal);
  const int links = c.waypoints > 0 ? c.waypoints : c.subtasks;
  if (links > 1) spec.categories.clear();  // an episode's category is its place in the chain
  spec.chain = std::max(links, 1);
  for (int i = 1; i <= links && links > 1; ++i)
    spec.categories.push_back(detail::concatenate(c.waypoints > 0 ? "waypoint_" : "subtask_", i));
  return spec;
}

class GoalTask : public Env {
 public:
  GoalTask(std::unique_ptr<Env> env, const GoalTaskConfig& c, std::shared_ptr<const Offsets> offsets)
      : env_(std::move(env)),
        spec_(make_spec(env_->spec(), c)),
        offsets_(std::move(offsets)),
        subtasks_(static_cast<std::uint64_t>(c.subtasks)),
        waypoints_(static_cast<std::uint64_t>(c.waypoints)) {
    obs_ = Vector::Zero(spec_.obs_dim);
    achieved_ = before_ = own_goal_ = goal_ = start_ = way_ = Vector::Zero(spec_.goal.dim);
    look();
    goal_ = own_goal_;
  }

  const EnvSpec& spec() const override { return spec_; }

  void reset(Rng& rng) override {
    if (!goes_on_) return reset_world(rng);
    ++link_;
    if (waypoints_ == 0) set_way(rng);
    set_goal();
  }

  void reset_world(Rng& rng) override {
    env_->reset_world(rng);
    look();
    link_ = 0;
    set_way(rng);
    set_goal();
  }

  bool chain_goes_on() const override { return goes_on_ != 0; }

  StepResult step(ActionRef action) override {
    before_ = achieved_;
    StepResult result = env_->step(action);
    look();
    goes_on_ = 0;
    if (spec_.goal.dim == 0 || result.failed) return result;
    result.reward = spec_.goal.reward_of(before_, achieved_, goal_);
    result.success = spec_.goal.reached(achieved_, goal_);
    result.terminated = spec_.goal.ends_at_goal && result.success;
    // If the episode ends here, whether the next one is in the same world.
    goes_on_ = waypoints_ > 0 ? result.success && link_ + 1 < waypoints_ : link_ + 1 < subtasks_;
    return result;
  }

  bool truncates() const override { return env_->truncates(); }
  std::size_t category() const override { return waypoints_ > 1 || subtasks_ > 1 ? link_ : env_->category(); }

  void observe(ObsOut out) const override {
    out.obs = obs_;
    out.achieved = achieved_;
    out.desired = goal_;
  }

  void visit_state(StateVisitor& v) override {
    {
      const StateVisitor::Scope scope(v, "world");
      env_->visit_state(v);
    }
    if (spec_.goal.dim > 0) {
      v.visit("goal", goal_);
      v.visit("start", start_);
      v.visit("way", way_);
    }
    v.visit("link", link_);
    v.visit("goes_on", goes_on_);
    look();  // after a load it shows the restored state
  }

  std::vector<std::string> coordinate_names() const override { return env_->coordinate_names(); }
  void get_coordinates(std::span<double> out) const override { env_->get_coordinates(out); }
  void set_coordinates(std::span<const double> values) override {
    env_->set_coordinates(values);
    look();
  }

 protected:
  std::vector<Vector> waypoints_ahead() const {
    std::vector<Vector> ahead;
    for (std::uint64_t i = link_ + 1; i < waypoints_; ++i) ahead.push_back(waypoint(i));
    return ahead;
  }

 private:
  void look() { env_->observe({obs_, achieved_, own_goal_}); }
  void set_way(Rng& rng) {
    start_ = achieved_;
    if (offsets_->empty())
      way_ = own_goal_ - start_;
    else
      way_ = (*offsets_)[rng.below(static_cast<std::uint32_t>(offsets_->size()))];
  }
  Vector waypoint(std::uint64_t i) const { return start_ + Scalar(i + 1) / Scalar(waypoints_) * way_; }
  void set_goal() {
    if (waypoints_ > 0)
      goal_ = waypoint(link_);
    else if (offsets_->empty())
      goal_ = own_goal_;
    else
      goal_ = start_ + way_;
    goes_on_ = 0;  // until a step says otherwise
  }

  std::unique_ptr<Env> env_;
  EnvSpec spec_;
  std::shared_ptr<const Offsets> offsets_;  // empty: the environment's own goals
  std::uint64_t subtasks_, waypoints_;
  std::uint64_t link_ = 0, goes_on_ = 0;  // of the chain: which sub-task this is, whether the next is in the same world
  Vector obs_, achieved_, own_goal_, goal_;
  Vector before_;       // scratch: achieved before a step
  Vector start_, way_;  // where the line to the goal begins, and its length
};

// Around an environment that can be drawn.
class DrawableGoalTask final : public GoalTask, public Drawable {
 public:
  DrawableGoalTask(std::unique_ptr<Env> env, const Drawable& drawing, const GoalTaskConfig& c,
                   std::shared_ptr<const Offsets> offsets)
      : GoalTask(std::move(env), c, std::move(offsets)), drawing_(drawing) {}

  void draw(Scene& scene) const override { drawing_.draw(scene); }
  void draw_goal(ConstVectorRef goal, GoalMark mark, Scene& scene) const override {
    drawing_.draw_goal(goal, mark, scene);
  }
  void draw_waypoints(Scene& scene) const override {
    for (const Vector& waypoint : waypoints_ahead()) drawing_.draw_goal(waypoint, GoalMark::waypoint, scene);
  }
  void draw_subgoal(ConstVectorRef obs, GoalMark mark, Scene& scene) const override {
    drawing_.draw_subgoal(obs, mark, scene);
  }

 private:
  const Drawable& drawing_;  // of the environment that GoalTask owns
};

Offsets make_offsets(Env& env, const GoalTaskConfig& c, Rng rng) {
  const EnvSpec& s = env.spec();
  if (!c.offset.empty()) return {Eigen::Map<const Eigen::VectorXd>(c.offset.data(), s.goal.dim).cast<Scalar>()};
  Offsets offsets;
  Vector obs(s.obs_dim), achieved(s.goal.dim), desired(s.goal.dim);
  for (int i = 0; i < c.offsets; ++i) {
    Rng draw = rng.stream("offset", static_cast<std::uint64_t>(i));
    env.reset(draw);
    env.observe({obs, achieved, desired});
    Vector offset = desired - achieved;
    const Scalar length = offset.norm(), limit = Scalar(c.max_offset);
    if (limit > 0 && length > limit) offset *= limit / length;
    offsets.push_back(std::move(offset));
  }
  return offsets;
}

}  // namespace

std::string goal_task_problem(const GoalTaskConfig& c, const EnvSpec& spec) {
  const bool about_goals =
      !c.offset.empty() || c.offsets > 0 || c.reward != TaskReward::environment || c.subtasks > 1 || c.waypoints > 0;
  if (about_goals && spec.goal.dim == 0)
    return detail::concatenate("env.task sets goals or their reward, but ", spec.name, " has no goals");
  if (!c.offset.empty() && static_cast<int>(c.offset.size()) != spec.goal.dim)
    return detail::concatenate("env.task.offset holds ", c.offset.size(), " numbers; expected ", spec.goal.dim,
                               ", as a goal of ", spec.name);
  if (!c.offset.empty() && c.offsets > 0)
    return detail::concatenate("env.task.offset and env.task.offsets = ", c.offsets, " are both given; expected one");
  if (c.max_offset > 0 && c.offsets == 0)
    return detail::concatenate("env.task.max_offset = ", c.max_offset,
                               " shortens drawn offsets, but env.task.offsets = 0");
  if (c.subtasks > 1 && c.waypoints > 0)
    return detail::concatenate("env.task.subtasks = ", c.subtasks, " and env.task.waypoints = ", c.waypoints,
                               " are both given; expected one");
  if (c.subtasks > 1 && c.offset.empty() && c.offsets == 0)
    return detail::concatenate("env.task.subtasks = ", c.subtasks,
                               " issues an offset again, but there is none; expected env.task.offset or "
                               "env.task.offsets");
  return "";
}

EnvFactory with_goal_task(EnvFactory make, const GoalTaskConfig& c, Rng rng) {
  if (c.offset.empty() && c.offsets == 0 && c.reward == TaskReward::environment && c.max_steps == 0 &&
      c.subtasks == 1 && c.waypoints == 0)
    return make;
  const std::unique_ptr<Env> env = make();
  const std::string problem = goal_task_problem(c, env->spec());
  GP_CHECK(problem.empty(), problem);
  const auto offsets = std::make_shared<const Offsets>(make_offsets(*env, c, rng));
  return [=]() -> std::unique_ptr<Env> {
    std::unique_ptr<Env> world = make();
    if (const auto* drawing = dynamic_cast<const Drawable*>(world.get()))
      return std::make_unique<DrawableGoalTask>(std::move(world), *drawing, c, offsets);
    return std::make_unique<GoalTask>(std::move(world), c, offsets);
  };
}

}  // namespace goalpost
