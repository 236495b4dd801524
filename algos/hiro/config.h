// HIRO's settings, their checks, and the tasks and sizes that they give for an environment.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "algos/agent.h"
#include "algos/hiro/segment_buffer.h"
#include "algos/learners.h"
#include "core/config.h"
#include "core/matrix.h"
#include "core/memory.h"
#include "envs/spec.h"

namespace goalpost {

struct SubgoalConfig {
  std::vector<int> dims = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  std::vector<double> limits = {10, 10, 0.5, 1, 1, 1, 1, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3};
};
constexpr auto fields(const SubgoalConfig*) {
  return std::tuple{
      field("dims", &SubgoalConfig::dims, "indices of the observation that sub-goals are displacements of, from 0", 0,
            1e6, "Nachum et al. 2018, appendix: the ant's body"),
      field("limits", &SubgoalConfig::limits, "largest displacement of each, in either direction", 0, 1e9,
            "Nachum et al. 2018, appendix: the ant's body"),
  };
}
static_assert(complete<SubgoalConfig>);

enum class IntrinsicReward : int { distance, mean_square };
inline constexpr std::array kIntrinsicRewardNames = {"distance", "mean_square"};
constexpr EnumNames enum_names(IntrinsicReward) { return kIntrinsicRewardNames; }

enum class AtSubgoal : int { go_on, end, end_segment };
inline constexpr std::array kAtSubgoalNames = {"go_on", "end", "end_segment"};
constexpr EnumNames enum_names(AtSubgoal) { return kAtSubgoalNames; }

struct IntrinsicConfig {
  IntrinsicReward reward = IntrinsicReward::distance;
  double reached = 0;
  AtSubgoal at_subgoal = AtSubgoal::go_on;
};
constexpr auto fields(const IntrinsicConfig*) {
  return std::tuple{
      field("reward", &IntrinsicConfig::reward,
            "intrinsic reward of the low level; distance: -|error|, mean_square: minus the mean squared error",
            "Nachum et al. 2018, 3.2"),
      field("reached", &IntrinsicConfig::reached,
            "a sub-goal is reached if the intrinsic reward is at least minus this; 0 disables", 0, 1e9),
      field("at_subgoal", &IntrinsicConfig::at_subgoal,
            "effect of reaching a sub-goal; go_on: none, end: terminal for the low level (no bootstrapping), "
            "end_segment: the high level also makes its next decision",
            "Nachum et al. 2018, 3.1 (go_on)"),
  };
}
static_assert(complete<IntrinsicConfig>);

enum class Correction : int { none, candidates, one_draw };
inline constexpr std::array kCorrectionNames = {"none", "candidates", "one_draw"};
constexpr EnumNames enum_names(Correction) { return kCorrectionNames; }

enum class Scoring : int { as_training, bfloat16 };
inline constexpr std::array kScoringNames = {"as_training", "bfloat16"};
constexpr EnumNames enum_names(Scoring) { return kScoringNames; }

struct CorrectionConfig {
  Correction kind = Correction::candidates;
  int candidates = 10;
  double stddev = 0.5;
  bool clip = true;
  int first_steps = 4;
  Scoring scoring = Scoring::as_training;
};
constexpr auto fields(const CorrectionConfig*) {
  return std::tuple{
      field("kind", &CorrectionConfig::kind,
            "how sub-goals are relabeled; candidates: the most likely of several, none: not at all, one_draw: one draw "
            "around the reached displacement, as in FuN",
            "Nachum et al. 2018, 3.3; the others are the ablations of section 5"),
      field("candidates", &CorrectionConfig::candidates,
            "number of candidates: the given sub-goal, the reached displacement and draws around it", 2, 1000,
            "Nachum et al. 2018, 3.3"),
      field("stddev", &CorrectionConfig::stddev,
            "standard deviation of the draws, in units of the limits; the paper's one_draw: 0.1", 0, 10,
            "released code of Nachum et al. 2018"),
      field("clip", &CorrectionConfig::clip, "clip all candidates to the limits",
            "released code of Nachum et al. 2018"),
      field(
          "first_steps", &CorrectionConfig::first_steps,
          "all candidates are scored by this number of a segment's steps first, and the rest of the steps is left out "
          "for those that cannot win any more: for speed, the choice is the same",
          1, 100'000)
          .without_effect(),
      field("scoring", &CorrectionConfig::scoring,
            "precision of the products that score candidates; as_training: train.precision, bfloat16: for speed, may "
            "choose another of candidates with nearly equal scores"),
  };
}
static_assert(complete<CorrectionConfig>);

enum class RandomSubgoals : int { uniform, normal };
inline constexpr std::array kRandomSubgoalsNames = {"uniform", "normal"};
constexpr EnumNames enum_names(RandomSubgoals) { return kRandomSubgoalsNames; }

struct PretrainingConfig {
  std::int64_t episodes = 0;
  RandomSubgoals subgoals = RandomSubgoals::uniform;
  double low = 0.1;
  double high = 0.2;
  double stddev = 0.5;
};
constexpr auto fields(const PretrainingConfig*) {
  return std::tuple{
      field("episodes", &PretrainingConfig::episodes,
            "number of episodes at the start with random sub-goals, which the high level does not learn from", 0, 1e15),
      field("subgoals", &PretrainingConfig::subgoals,
            "random sub-goals; uniform: magnitude of each entry in [low, high], random sign, normal: with standard "
            "deviation stddev, clipped to the limits"),
      field("low", &PretrainingConfig::low, "smallest magnitude, in the observation's unit", 0, 1e9),
      field("high", &PretrainingConfig::high, "largest magnitude, in the observation's unit", 0, 1e9),
      field("stddev", &PretrainingConfig::stddev, "standard deviation, in units of the limits", 0, 10),
  };
}
static_assert(complete<PretrainingConfig>);

struct ExplorationGoalsConfig {
  double episodes = 0;
  int decisions = 15;
};
constexpr auto fields(const ExplorationGoalsConfig*) {
  return std::tuple{
      field("episodes", &ExplorationGoalsConfig::episodes,
            "fraction of the training episodes in which the high level pursues desired goals of other stored "
            "decisions, one after the other, to come to places that lie on no good way to its own goal; it still "
            "learns with the rewards of its own",
            0, 1),
      field("decisions", &ExplorationGoalsConfig::decisions, "decisions until the next of them", 1, 1'000'000),
  };
}
static_assert(complete<ExplorationGoalsConfig>);

enum class Learns : int { always, pretraining, never };
inline constexpr std::array kLearnsNames = {"always", "pretraining", "never"};
constexpr EnumNames enum_names(Learns) { return kLearnsNames; }

/// Settings of the learners that a level may use, with the paper's values for TD3. The level adds exploration noise, so
/// that of TD3 and DDPG is 0.
LearnerSettings level_learners();

/// Settings of one level.
struct LevelConfig {
  std::string learner = "td3";
  int batch_size = 100;
  int buffer_size = 200'000;
  double updates = 1;
  Scalar reward_scale = 1;
  Scalar exploration_noise = 1;
  Learns learns = Learns::always;
  std::string policy = "";
  LearnerSettings learners = level_learners();
};
constexpr auto fields(const LevelConfig*) {
  return std::tuple{
      field("learner", &LevelConfig::learner,
            "the algorithm, any of `goalpost list algos` for continuous actions; its settings are in the table of its "
            "name",
            "Nachum et al. 2018, appendix"),
      field("batch_size", &LevelConfig::batch_size, "transitions per update", 1, 1'000'000,
            "released code of Nachum et al. 2018"),
      field("buffer_size", &LevelConfig::buffer_size,
            "buffer size in transitions; a transition of the high level is a segment", 1, 1'000'000'000,
            "Nachum et al. 2018, appendix")
          .formerly("capacity"),
      field("updates", &LevelConfig::updates, "updates of this level per update of the agent; fractions add up", 0,
            1000, "Nachum et al. 2018, appendix"),
      field("reward_scale", &LevelConfig::reward_scale, "factor on this level's rewards", 0, 1e6,
            "Nachum et al. 2018, appendix"),
      field(
          "exploration_noise", &LevelConfig::exploration_noise,
          "standard deviation of the exploration noise on this level's actions, in their unit; added to the learner's",
          0, 1e6, "Nachum et al. 2018, appendix"),
      field("learns", &LevelConfig::learns, "when this level learns; while it does not, it does not explore either"),
      field("policy", &LevelConfig::policy,
            "warm start: run directory whose policy initializes this level (of a HIRO run: that of the same level), "
            "{seed} is replaced by the run's seed; none if empty"),
      field("learners", &LevelConfig::learners, "a table for each learner"),
  };
}
static_assert(complete<LevelConfig>);

enum class ShortSegments : int { keep, drop };
inline constexpr std::array kShortSegmentsNames = {"keep", "drop"};
constexpr EnumNames enum_names(ShortSegments) { return kShortSegmentsNames; }

enum class NextSubgoal : int { transition, decision };
inline constexpr std::array kNextSubgoalNames = {"transition", "decision"};
constexpr EnumNames enum_names(NextSubgoal) { return kNextSubgoalNames; }

enum class SubgoalInput : int { offset, point };
inline constexpr std::array kSubgoalInputNames = {"offset", "point"};
constexpr EnumNames enum_names(SubgoalInput) { return kSubgoalInputNames; }

struct HiroConfig {
  int c = 10;
  std::int64_t learning_starts = 2'500;
  ShortSegments short_segments = ShortSegments::keep;
  NextSubgoal next_subgoal = NextSubgoal::transition;
  SubgoalInput subgoal_input = SubgoalInput::offset;
  bool first_subgoal_zero = false;
  std::vector<int> hidden_from_low = {};
  bool task_end_ends_low = true;
  double low_relabeled = 0;
  double low_relabel_stddev = 0.1;
  double high_relabeled = 0;
  double high_desired_goals = 0;
  SubgoalConfig subgoal = {};
  IntrinsicConfig intrinsic = {};
  CorrectionConfig correction = {};
  PretrainingConfig pretraining = {};
  ExplorationGoalsConfig exploration_goals = {};
  LevelConfig low = {};
  LevelConfig high = {.updates = 0.1, .reward_scale = Scalar(0.1)};

  /// Whether the high level learns from substituted goals too.
  bool substitutes_goals() const { return high_relabeled > 0 || high_desired_goals > 0; }
};
constexpr auto fields(const HiroConfig*) {
  return std::tuple{
      field("c", &HiroConfig::c, "steps between two decisions of the high level", 1, 100'000,
            "Nachum et al. 2018, appendix"),
      field("learning_starts", &HiroConfig::learning_starts,
            "transitions before the first update, where this is more than train.learning_starts; the actions are "
            "random up to train.learning_starts, then of the untrained policies",
            0, 1e15, "released code of Nachum et al. 2018"),
      field("short_segments", &HiroConfig::short_segments,
            "segments cut short by an episode's end; keep: learn from them with a discount of gamma^(steps/c), drop: "
            "do not"),
      field("next_subgoal", &HiroConfig::next_subgoal,
            "sub-goal used in the low level's target when s' is a decision step; transition: h(s,g,s') as everywhere, "
            "decision: the new one (released code)",
            "Nachum et al. 2018, 3.1"),
      field("subgoal_input", &HiroConfig::subgoal_input,
            "input of the low level; offset: remaining displacement, point: absolute target",
            "Nachum et al. 2018, 3.1"),
      field("first_subgoal_zero", &HiroConfig::first_subgoal_zero,
            "the first sub-goal of every episode is 0, to stay, whatever the high level decides",
            "released code of Nachum et al. 2018 (there true)"),
      field("hidden_from_low", &HiroConfig::hidden_from_low,
            "indices of the observation that the low level sees as 0; the released code hides x and y: [0, 1]", 0, 1e6),
      field("task_end_ends_low", &HiroConfig::task_end_ends_low,
            "the end of the environment's task is terminal for the low level; false: it bootstraps"),
      field("low_relabeled", &HiroConfig::low_relabeled,
            "fraction of the low level's batch whose sub-goal becomes the displacement to a random other state of the "
            "batch",
            0, 1, "Nachum et al. 2018, section 5: an ablation")
          .formerly("low_relabelled"),
      field("low_relabel_stddev", &HiroConfig::low_relabel_stddev,
            "standard deviation of the noise on such sub-goals, in units of the limits", 0, 10,
            "released code of Nachum et al. 2018"),
      field("high_relabeled", &HiroConfig::high_relabeled,
            "fraction of the high level's batch whose desired goal becomes one that was achieved later in the episode, "
            "with the rewards of all steps computed anew: hindsight experience replay, which HIRO lacks",
            0, 1, "Andrychowicz et al. 2017, \"future\" (there 0.8)"),
      field("high_desired_goals", &HiroConfig::high_desired_goals,
            "fraction of the high level's batch whose desired goal becomes that of another stored decision, likewise: "
            "what was learned on the way to one goal serves others that were never reached",
            0, 1, "code of Pitis et al. 2020, \"actual\" goals"),
      field("subgoal", &HiroConfig::subgoal, "the space of sub-goals"),
      field("intrinsic", &HiroConfig::intrinsic, "the low level's task"),
      field("correction", &HiroConfig::correction, "off-policy correction of the high level's transitions"),
      field("pretraining", &HiroConfig::pretraining, "pre-training of the low level"),
      field("exploration_goals", &HiroConfig::exploration_goals, "goals that the high level pursues to explore"),
      field("low", &HiroConfig::low, "the low level: its actions are the environment's"),
      field("high", &HiroConfig::high, "the high level: its actions are sub-goals"),
  };
}
static_assert(complete<HiroConfig>);

/// What is wrong with a configuration for an environment, as a sentence; empty if nothing.
/// @param lanes number of environments; 0: to act only
std::string hiro_problem(const HiroConfig& config, const EnvSpec& spec, int lanes);
/// Adds what keeps a run from learning.
void check_hiro_training(const HiroConfig& config, const TrainingPlan& plan, TrainingCheck& check);
/// Adds the memory of the agent's buffers and batches.
void add_hiro_memory(const HiroConfig& config, const EnvSpec& spec, MemoryNeed& need);

/// The limits of sub-goals, in the observation's unit. @shape -> [subgoal]
Vector subgoal_limits(const SubgoalConfig& config);
/// The low level's task: s‖g -> a.
EnvSpec low_spec(const EnvSpec& env, const HiroConfig& config);
/// The high level's task: s -> g.
EnvSpec high_spec(const EnvSpec& env, const HiroConfig& config);
/// The sizes of a segment of c steps.
SegmentShape segment_shape(const EnvSpec& env, const HiroConfig& config);

}  // namespace goalpost
