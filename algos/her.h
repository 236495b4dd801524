// Hindsight experience replay: transitions are replayed with goals that were achieved.
// Andrychowicz et al. 2017, "Hindsight Experience Replay", arXiv:1707.01495v3, Algorithm 1 and section 4.5.
//
// Differs      1. Goals are substituted when a transition is drawn, not when it is stored: a transition is relabeled
//                 with probability k/(k+1), the share that storing k copies gives, and with fresh goals each time.
//              2. Where an episode ends at its goal (GoalSpace::ends_at_goal), the end is recomputed with the reward:
//                 recompute_end.
//              3. Where an episode ends by a failure (StepResult::failed), end and reward stay: relabel_failures.
//              4. A sampled goal that was already achieved before the transition may be redrawn: max_redraws.
//              5. Goals may also be desired goals of other episodes: desired_goals (Pitis et al. 2020).
#pragma once

#include <vector>

#include "algos/sampler.h"
#include "core/config.h"

namespace goalpost {

enum class HerStrategy : int { none, final, future, episode, random };
inline constexpr std::array kHerStrategyNames = {"none", "final", "future", "episode", "random"};
constexpr EnumNames enum_names(HerStrategy) { return kHerStrategyNames; }

struct HerConfig {
  HerStrategy strategy = HerStrategy::future;
  int k = 4;
  int desired_goals = 0;
  std::int64_t relabel_all_until = 0;
  bool recompute_end = true;
  bool relabel_failures = false;
  int max_redraws = 0;
};
constexpr auto fields(const HerConfig*) {
  return std::tuple{
      field("strategy", &HerConfig::strategy, "which achieved states become goals; none switches relabeling off",
            "Andrychowicz et al. 2017, 4.5"),
      field("k", &HerConfig::k, "relabeled goals per original goal", 1, 1000, "Andrychowicz et al. 2017, 4.5"),
      field("desired_goals", &HerConfig::desired_goals,
            "besides the k relabeled goals per original goal, this number of desired goals of any stored episodes", 0,
            1000, "code of Pitis et al. 2020, \"actual\" goals (there k = 2 and 2)"),
      field("relabel_all_until", &HerConfig::relabel_all_until,
            "until the replay buffer has taken this number of transitions, every sampled transition gets a goal of the "
            "strategy, none its original or another desired goal",
            0, 1e15, "code of Pitis et al. 2020 (there 25,000)"),
      field("recompute_end", &HerConfig::recompute_end,
            "where episodes end at their goal, recompute the end with the reward; false: a common error, kept as an "
            "ablation"),
      field("relabel_failures", &HerConfig::relabel_failures,
            "also recompute the reward of a step that ended in a failure, so that a crash may count as success: a "
            "common error, kept as an ablation"),
      field("max_redraws", &HerConfig::max_redraws,
            "maximum redraws if the sampled goal was already achieved before the transition; then the original goal "
            "stays",
            0, 1000)
          .formerly("redraw_reached"),
  };
}
static_assert(complete<HerConfig>);

/// Samples transitions of finished episodes and relabels their goals. @pre the strategy is not none
class HerSampler final : public Sampler {
 public:
  /// @param reach if known: goals of the sub-task of reaching the object. Achieved is then the end effector's position,
  /// desired the object's, which may move: s and s2 hold its positions before and after the transition.
  HerSampler(const ReplayBuffer& buffer, const GoalSpace& goal, const HerConfig& config, Manipulation reach = {});
  bool ready(Index batch_size) const override { return buffer_.finished_size() >= batch_size; }
  /// @throws std::logic_error if no finished episode is stored
  void sample(Rng& rng, Batch& out) const override;
  /// [goal] a goal that sample may give to the transition. @pre its episode is finished @alloc none
  ConstVectorMap draw_goal_of(ReplayBuffer::Slot slot, Rng& rng) const;
  /// Of the last batch, the share of the relabeled transitions that reach their goal; 0 if none was relabeled.
  double share_reached() const { return share_reached_; }

 private:
  // The goal achieved after a transition, or its desired goal.
  struct Goal {
    ReplayBuffer::Slot slot;
    bool desired;
  };
  // Decides whether to relabel the transition; if so, sets the goal that it gets.
  bool relabel(ReplayBuffer::Slot slot, Rng& rng, Goal& goal) const;
  ReplayBuffer::Slot draw_goal(ReplayBuffer::Slot slot, Rng& rng) const;
  bool reached_before(ReplayBuffer::Slot slot, ReplayBuffer::Slot goal) const;
  Outcome outcome_as_stored(ReplayBuffer::Slot slot) const { return {buffer_.reward(slot), buffer_.ends(slot)}; }
  Outcome outcome_with(ConstVectorRef goal, ReplayBuffer::Slot slot) const;
  // Rows of an observation, from `at` on.
  ConstVectorMap rows(ConstVectorMap obs, int at) const { return {obs.data() + at, goal_.dim}; }
  ConstVectorMap achieved_after(ReplayBuffer::Slot slot) const {
    return reach_.known() ? rows(buffer_.obs_after(slot), reach_.effector_at) : buffer_.achieved_after(slot);
  }
  ConstVectorMap achieved_before(ReplayBuffer::Slot slot) const {
    return reach_.known() ? rows(buffer_.obs(slot), reach_.effector_at) : buffer_.achieved_before(slot);
  }
  ConstVectorMap desired(ReplayBuffer::Slot slot) const {
    return reach_.known() ? rows(buffer_.obs(slot), reach_.object_at) : buffer_.desired(slot);
  }
  ConstVectorMap value(const Goal& goal) const { return goal.desired ? desired(goal.slot) : achieved_after(goal.slot); }

  struct Drawn {
    ReplayBuffer::Slot slot;
    Goal goal;
    bool relabeled;
  };
  const ReplayBuffer& buffer_;
  GoalSpace goal_;
  HerConfig c_;
  Manipulation reach_;
  mutable std::vector<Drawn> drawn_;  // scratch, one per column
  mutable double share_reached_ = 0;
};

}  // namespace goalpost
