// Checks of HIRO's settings, their memory, and the tasks of both levels.
#include "algos/hiro/config.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "algos/batch.h"
#include "algos/ddpg.h"
#include "algos/replay_buffer.h"
#include "algos/td3.h"
#include "autodiff/gemm.h"
#include "core/check.h"

namespace goalpost {

LearnerSettings level_learners() {
  LearnerSettings all;
  all.get<DdpgConfig>("ddpg").exploration_noise = 0;
  all.get<Td3Config>("td3") = {.exploration_noise = 0,
                               .pi = {.hidden = {300, 300}},
                               .q = {.hidden = {300, 300}},
                               .pi_adam = {.lr = Scalar(1e-4)},
                               .q_adam = {.lr = Scalar(1e-3)}};
  return all;
}

std::string hiro_problem(const HiroConfig& c, const EnvSpec& spec, int lanes) {
  const auto say = [](const auto&... parts) { return detail::concatenate("agent.hiro.", parts...); };
  const auto& [dims, limits] = c.subgoal;
  if (dims.empty() || dims.size() != limits.size())
    return say("subgoal.dims holds ", dims.size(), " indices, but subgoal.limits ", limits.size(),
               " numbers; expected equally many, and at least one");
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] >= spec.obs_dim)
      return say("subgoal.dims holds ", dims[i], ", but an observation of ", spec.name, " has ", spec.obs_dim,
                 " numbers; expected 0 to ", spec.obs_dim - 1);
    if (std::count(dims.begin(), dims.end(), dims[i]) > 1)
      return say("subgoal.dims holds ", dims[i], " more than once; expected different numbers");
    if (!(limits[i] > 0)) return say("subgoal.limits holds ", limits[i], "; expected positive numbers");
  }
  for (const int dim : c.hidden_from_low)
    if (dim >= spec.obs_dim)
      return say("hidden_from_low holds ", dim, ", but an observation of ", spec.name, " has ", spec.obs_dim,
                 " numbers; expected 0 to ", spec.obs_dim - 1);
  if (lanes > 0 && c.low.buffer_size / lanes < spec.max_steps)
    return say("low.buffer_size = ", c.low.buffer_size, " over ", lanes,
               " parallel environments holds no whole episode of ", spec.max_steps, " steps; expected at least ",
               static_cast<std::int64_t>(lanes) * spec.max_steps);
  for (const auto& [name, level] : {std::pair{"low", &c.low}, std::pair{"high", &c.high}}) {
    try {
      static_cast<void>(level->learners.of(level->learner));
    } catch (const UsageError& e) {
      return say(name, ".learner: ", e.what());
    }
  }
  if (c.intrinsic.at_subgoal != AtSubgoal::go_on && c.intrinsic.reached == 0)
    return say("intrinsic.at_subgoal = \"", enum_name(c.intrinsic.at_subgoal),
               "\", but intrinsic.reached = 0 disables reaching; expected intrinsic.reached > 0");
  for (const auto& [name, share] :
       {std::pair{"high_relabeled", c.high_relabeled}, {"high_desired_goals", c.high_desired_goals}})
    if (share > 0 && spec.goal.reward == nullptr)
      return say(name, " = ", share, ", but ", spec.name, " has no goals to relabel with; expected 0");
  if (c.high_relabeled + c.high_desired_goals > 1)
    return say("high_relabeled = ", c.high_relabeled, " and high_desired_goals = ", c.high_desired_goals,
               "; expected shares that add up to at most 1");
  if (c.exploration_goals.episodes > 0 && spec.goal.dim == 0)
    return say("exploration_goals.episodes = ", c.exploration_goals.episodes, ", but ", spec.name,
               " has no goals; expected 0");
  if (c.pretraining.low > c.pretraining.high)
    return say("pretraining.low = ", c.pretraining.low, " is larger than pretraining.high = ", c.pretraining.high);
  if (c.low.learns == Learns::pretraining && c.pretraining.episodes == 0)
    return say("low.learns = \"pretraining\", but pretraining.episodes = 0; expected some episodes");
  if (c.high.learns == Learns::pretraining)
    return say(
        "high.learns = \"pretraining\", but the high level does not learn during pre-training; expected \"always\" or "
        "\"never\"");
  return "";
}

void check_hiro_training(const HiroConfig& c, const TrainingPlan& plan, TrainingCheck& check) {
  const EnvSpec& spec = plan.spec;
  for (const auto& [name, level] : {std::pair{"low", &c.low}, std::pair{"high", &c.high}})
    if (level->batch_size > level->buffer_size)
      check.problems.push_back(detail::concatenate("agent.hiro.", name, ".batch_size = ", level->batch_size,
                                                   " is larger than agent.hiro.", name,
                                                   ".buffer_size = ", level->buffer_size));
  if (c.correction.scoring == Scoring::bfloat16 && !has_precision(Precision::bfloat16))
    check.problems.emplace_back(
        "agent.hiro.correction.scoring = \"bfloat16\" needs a processor with AVX512-BF16 instructions; expected "
        "\"as_training\" on this one");
  const bool low = c.low.learns != Learns::never && c.low.updates > 0;
  const bool high = c.high.learns != Learns::never && c.high.updates > 0;
  // A segment that ends before c steps, unless at its sub-goal, was cut short by the episode's end.
  if (high && c.c > spec.max_steps && c.short_segments == ShortSegments::drop &&
      c.intrinsic.at_subgoal != AtSubgoal::end_segment)
    check.problems.push_back(detail::concatenate(
        "agent.hiro.c = ", c.c, " is longer than an episode of ", spec.name, ", ", spec.max_steps,
        " steps, and short_segments = \"drop\" leaves the high level nothing to learn from; expected a smaller c, or "
        "\"keep\""));
  if (!low && !high)
    check.warnings.emplace_back("neither level of agent.hiro learns: both have learns = \"never\" or updates = 0");
  else if (c.learning_starts > plan.steps)
    check.warnings.push_back(detail::concatenate("agent.hiro.learning_starts = ", c.learning_starts,
                                                 " is more than the run's ", plan.steps,
                                                 " environment steps: nothing is learned"));
}

void add_hiro_memory(const HiroConfig& c, const EnvSpec& spec, MemoryNeed& need) {
  const EnvSpec low = low_spec(spec, c);
  const auto scalars = [](Index count) { return static_cast<std::uint64_t>(count) * sizeof(Scalar); };
  need.add("replay buffer", ReplayBuffer(low, {}, 0).transition_bytes(), static_cast<std::uint64_t>(c.low.buffer_size));
  need.add("segments", scalars(segment_shape(spec, c).size()), static_cast<std::uint64_t>(c.high.buffer_size));
  std::uint64_t columns = 0;  // of the correction
  if (c.correction.kind == Correction::candidates)
    columns = static_cast<std::uint64_t>(c.high.batch_size) * static_cast<std::uint64_t>(c.correction.candidates) *
              static_cast<std::uint64_t>(c.c);
  need.add("batches", scalars(Index(low.obs_dim) + spec.action.dim), columns);
  need.add("batches", Batch::bytes(low), static_cast<std::uint64_t>(c.low.batch_size));
  need.add("batches", Batch::bytes(high_spec(spec, c)), static_cast<std::uint64_t>(c.high.batch_size));
}

Vector subgoal_limits(const SubgoalConfig& c) {
  return Eigen::Map<const Eigen::VectorXd>(c.limits.data(), std::ssize(c.limits)).cast<Scalar>();
}

// s‖g -> a
EnvSpec low_spec(const EnvSpec& env, const HiroConfig& c) {
  return {.name = env.name + "'s low level",
          .obs_dim = env.obs_dim + static_cast<int>(c.subgoal.dims.size()),
          .action = env.action,
          .goal = {},
          .max_steps = env.max_steps,
          .can_fail = env.can_fail,
          .dt = env.dt};
}

// s -> g
EnvSpec high_spec(const EnvSpec& env, const HiroConfig& c) {
  const Vector limits = subgoal_limits(c.subgoal);
  return {.name = env.name + "'s high level",
          .obs_dim = env.obs_dim,
          .action = {.dim = static_cast<int>(limits.size()), .choices = 0, .low = -limits, .high = limits},
          .goal = env.goal,
          .max_steps = (env.max_steps + c.c - 1) / c.c,
          .can_fail = env.can_fail,
          .dt = env.dt * c.c};
}

SegmentShape segment_shape(const EnvSpec& env, const HiroConfig& c) {
  return {.obs = env.obs_dim,
          .action = env.action.dim,
          .desired = env.goal.dim,
          .subgoal = std::ssize(c.subgoal.dims),
          .steps = c.c,
          .achieved = c.substitutes_goals()};
}

}  // namespace goalpost
