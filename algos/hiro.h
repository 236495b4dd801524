// Hierarchical reinforcement learning with off-policy correction: a high level that sets sub-goals every c steps, and a
// low level that is paid for reaching them. Each level is an off-policy learner of its own.
// Nachum, Gu, Lee & Levine 2018, "Data-Efficient Hierarchical Reinforcement Learning", arXiv:1805.08296v4,
// and its released code (tensorflow/models, research/efficient-hrl).
//
// Glossary     s, a, R, s2       observation, action of the environment, its reward, successor s'
//              c                 steps of a segment, i.e. between two decisions of the high level
//              φ(s)              the numbers of an observation that sub-goals speak of          SubgoalConfig::dims
//              g                 sub-goal: a change of φ(s)       μ_hi  high_      μ_lo  low_   Learner
//              h                 goal transition                  goal_transition
//              r_lo              intrinsic reward                 intrinsic_reward
//              g̃                 sub-goal after the correction    correct
//
// Sections 3.1 to 3.3, in the order of a step:
//   g_t ~ μ_hi(s_t) if t ≡ 0 (mod c), else g_t = h(s_{t−1}, g_{t−1}, s_t)                                         3.1
//   h(s, g, s') = φ(s) + g − φ(s')                                                                                3.2
//   r_lo(s, g, a, s') = −‖φ(s) + g − φ(s')‖₂                                                                      3.2
//   low level learns from    (s_t‖g_t, a_t, r_lo, s_{t+1}‖h(s_t, g_t, s_{t+1}))                                   3.1
//   high level learns from   (s_t, g̃_t, Σ R_{t:t+c−1}, s_{t+c})                                                   3.3
//   g̃_t = argmax over {g_t, φ(s_{t+c}) − φ(s_t), 8 draws around the latter} of −½ Σᵢ ‖aᵢ − μ_lo(sᵢ, g̃ᵢ)‖²         3.3
//         with g̃ᵢ₊₁ = h(sᵢ, g̃ᵢ, sᵢ₊₁), i = t ... t+c−1, at every draw of a batch, for the critic's loss
// The losses of both levels are those of their learners: algos/td3.cpp (the paper's), algos/sac.cpp, algos/ddpg.cpp.
//
// Differs      1. Settings that restore the released code where it differs from the paper: next_subgoal = "decision",
//                 hidden_from_low = [0, 1], correction.clip; of both learners td3.huber_delta = 1,
//                 td3.target_noise_in_units, td3.clip_target_actions = false, td3.actions_again,
//                 td3.pi.output_init and td3.q.output_init = 0.003, initializer = "fan_in_zero_bias".
//              2. Critics see actions, the high level's sub-goals among them, in units of their range [-1, 1]; those of
//                 the released code in their own unit. Its first sub-goal of an episode is zero; here the high level
//                 decides at t = 0.
//              3. A sub-goal is kept as the point φ(s) + g, so that applying h many times loses no digits.
//              4. An episode's last segment may be shorter than c: it is kept with its length, or dropped
//                 (short_segments). Time limits end neither level's task (d marks task ends only). The high level's
//                 gamma is, as in the paper, the discount of a decision of c steps; after k < c steps it bootstraps
//                 with gamma^(k/c), so that time is discounted alike however it is cut. The released code takes gamma.
//              5. The correction measures actions in units of their range [-1, 1].
//              6. Beyond the paper: intrinsic rewards of other authors, reached sub-goals (intrinsic), a frozen or
//                 loaded level (learns, policy), random sub-goals first (pretraining), and its ablations:
//                 correction.kind, low_relabelled.
// Order        low level, high level. One update of the agent is low.updates and high.updates of the levels.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "algos/agent.h"
#include "algos/ddpg.h"
#include "algos/replay_buffer.h"
#include "algos/sac.h"
#include "algos/sampler.h"
#include "algos/segment_buffer.h"
#include "algos/td3.h"
#include "core/memory.h"

namespace goalpost {

// ---- settings -------------------------------------------------------------------------------------------------------

struct SubgoalConfig {
  std::vector<int> dims = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  std::vector<double> limits = {10, 10, 0.5, 1, 1, 1, 1, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3};
};
constexpr auto fields(const SubgoalConfig*) {
  return std::tuple{
      field("dims", &SubgoalConfig::dims, "the numbers of an observation whose change a sub-goal asks for, from 0", 0,
            1e6, "Nachum et al. 2018, appendix: the ant's body"),
      field("limits", &SubgoalConfig::limits, "the largest change of each, up or down", 0, 1e9,
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
            "of the low level; distance: -|error|, mean_square: minus the mean of the error's squares",
            "Nachum et al. 2018, 3.2"),
      field("reached", &IntrinsicConfig::reached,
            "a sub-goal is reached when the reward is at least minus this; 0: that is not asked", 0, 1e9),
      field("at_subgoal", &IntrinsicConfig::at_subgoal,
            "what reaching does; go_on: nothing, end: the low level's task ends (it does not bootstrap), end_segment: "
            "and the high level decides anew",
            "Nachum et al. 2018, 3.1 (go_on)"),
  };
}
static_assert(complete<IntrinsicConfig>);

enum class Correction : int { none, candidates, one_draw };
inline constexpr std::array kCorrectionNames = {"none", "candidates", "one_draw"};
constexpr EnumNames enum_names(Correction) { return kCorrectionNames; }

struct CorrectionConfig {
  Correction kind = Correction::candidates;
  int candidates = 10;
  double stddev = 0.5;
  bool clip = true;
};
constexpr auto fields(const CorrectionConfig*) {
  return std::tuple{
      field("kind", &CorrectionConfig::kind,
            "candidates: the likeliest of several; none: sub-goals stay as they were given; one_draw: one draw around "
            "what was reached, as FuN does",
            "Nachum et al. 2018, 3.3; the others are the ablations of section 5"),
      field("candidates", &CorrectionConfig::candidates,
            "the given sub-goal, the change that was reached, and draws around that", 2, 1000,
            "Nachum et al. 2018, 3.3"),
      field("stddev", &CorrectionConfig::stddev, "of the draws, in units of the limits; 0.1 with one_draw in the paper",
            0, 10, "released code of Nachum et al. 2018"),
      field("clip", &CorrectionConfig::clip, "cut all candidates to the limits", "released code of Nachum et al. 2018"),
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
            "so many episodes at the start have random sub-goals; the high level waits", 0, 1e15),
      field(
          "subgoals", &PretrainingConfig::subgoals,
          "uniform: the size of each number in [low, high], either sign; normal: with the deviation stddev, cut to the "
          "limits"),
      field("low", &PretrainingConfig::low, "smallest size, in the observation's unit", 0, 1e9),
      field("high", &PretrainingConfig::high, "largest size, in the observation's unit", 0, 1e9),
      field("stddev", &PretrainingConfig::stddev, "in units of the limits", 0, 10),
  };
}
static_assert(complete<PretrainingConfig>);

enum class LearnerKind : int { ddpg, sac, td3 };
inline constexpr std::array kLearnerKindNames = {"ddpg", "sac", "td3"};
constexpr EnumNames enum_names(LearnerKind) { return kLearnerKindNames; }

enum class Learns : int { always, pretraining, never };
inline constexpr std::array kLearnsNames = {"always", "pretraining", "never"};
constexpr EnumNames enum_names(Learns) { return kLearnsNames; }

/// What each level has of its own. Exploration is the level's: those of td3 and ddpg are off.
struct LevelConfig {
  LearnerKind learner = LearnerKind::td3;
  int batch_size = 100;
  int capacity = 200'000;
  double updates = 1;
  Scalar reward_scale = 1;
  Scalar exploration_noise = 1;
  Learns learns = Learns::always;
  std::string policy = "";
  DdpgConfig ddpg = {.exploration_noise = 0};
  SacConfig sac = {};
  Td3Config td3 = {.exploration_noise = 0,
                   .pi = {.hidden = {300, 300}},
                   .q = {.hidden = {300, 300}},
                   .pi_adam = {.lr = Scalar(1e-4)},
                   .q_adam = {.lr = Scalar(1e-3)}};
};
constexpr auto fields(const LevelConfig*) {
  return std::tuple{
      field("learner", &LevelConfig::learner, "the algorithm; its settings are below its name",
            "Nachum et al. 2018, appendix"),
      field("batch_size", &LevelConfig::batch_size, "transitions per update", 1, 1'000'000,
            "released code of Nachum et al. 2018"),
      field("capacity", &LevelConfig::capacity, "transitions kept; at the high level one is a segment", 1,
            1'000'000'000, "Nachum et al. 2018, appendix"),
      field("updates", &LevelConfig::updates, "of this level per update of the agent; fractions add up", 0, 1000,
            "Nachum et al. 2018, appendix"),
      field("reward_scale", &LevelConfig::reward_scale, "factor of this level's rewards", 0, 1e6,
            "Nachum et al. 2018, appendix"),
      field("exploration_noise", &LevelConfig::exploration_noise,
            "deviation of the noise on this level's actions while exploring, in their own unit; besides the learner's",
            0, 1e6, "Nachum et al. 2018, appendix"),
      field("learns", &LevelConfig::learns, "when it does; a level that does not learn does not explore either"),
      field("policy", &LevelConfig::policy,
            "run directory whose policy this level begins with (of a HIRO run: that of the same level), {seed} stands "
            "for the run's seed; none if empty"),
      field("ddpg", &LevelConfig::ddpg, "used if learner = \"ddpg\""),
      field("sac", &LevelConfig::sac, "used if learner = \"sac\""),
      field("td3", &LevelConfig::td3, "used if learner = \"td3\""),
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
  std::vector<int> hidden_from_low = {};
  bool task_end_ends_low = true;
  double low_relabelled = 0;
  double low_relabel_stddev = 0.1;
  SubgoalConfig subgoal = {};
  IntrinsicConfig intrinsic = {};
  CorrectionConfig correction = {};
  PretrainingConfig pretraining = {};
  LevelConfig low = {};
  LevelConfig high = {.updates = 0.1, .reward_scale = Scalar(0.1)};
};
constexpr auto fields(const HiroConfig*) {
  return std::tuple{
      field("c", &HiroConfig::c, "steps between two decisions of the high level", 1, 100'000,
            "Nachum et al. 2018, appendix"),
      field("learning_starts", &HiroConfig::learning_starts,
            "transitions before the first update, with actions of the first policies (train.warmup_steps: random ones)",
            0, 1e15, "released code of Nachum et al. 2018"),
      field("short_segments", &HiroConfig::short_segments,
            "keep: segments that an episode's end has cut are learnt from, with a discount of gamma^(steps/c); drop: "
            "they are not"),
      field(
          "next_subgoal", &HiroConfig::next_subgoal,
          "that the low level's target looks at across a decision; transition: h(s,g,s') as everywhere, decision: the "
          "new one (released code)",
          "Nachum et al. 2018, 3.1"),
      field("subgoal_input", &HiroConfig::subgoal_input,
            "how the low level sees a sub-goal; offset: as the change that is left, point: as what is aimed at",
            "Nachum et al. 2018, 3.1"),
      field("hidden_from_low", &HiroConfig::hidden_from_low,
            "numbers of the observation that the low level sees as 0; the released code hides x and y: [0, 1]", 0, 1e6),
      field("task_end_ends_low", &HiroConfig::task_end_ends_low,
            "the end of the environment's task is one of the low level's too; false: it bootstraps"),
      field("low_relabelled", &HiroConfig::low_relabelled,
            "share of the low level's batch whose sub-goal becomes the way to a random other state of the batch", 0, 1,
            "Nachum et al. 2018, section 5: an ablation"),
      field("low_relabel_stddev", &HiroConfig::low_relabel_stddev,
            "deviation of the noise on such sub-goals, in units of the limits", 0, 10,
            "released code of Nachum et al. 2018"),
      field("subgoal", &HiroConfig::subgoal, "what sub-goals are"),
      field("intrinsic", &HiroConfig::intrinsic, "the low level's task"),
      field("correction", &HiroConfig::correction, "off-policy correction of the high level's experience"),
      field("pretraining", &HiroConfig::pretraining, "of the low level"),
      field("low", &HiroConfig::low, "the low level: its actions are the environment's"),
      field("high", &HiroConfig::high, "the high level: its actions are sub-goals"),
  };
}
static_assert(complete<HiroConfig>);

/// What is wrong with a configuration for an environment, as a sentence; empty if nothing is. @param lanes 0: to act
/// only
std::string hiro_problem(const HiroConfig& config, const EnvSpec& spec, int lanes);
/// What keeps a run from learning.
void check_hiro_training(const HiroConfig& config, const TrainingPlan& plan, TrainingCheck& check);
/// What the buffers and the batches of the agent take.
void add_hiro_memory(const HiroConfig& config, const EnvSpec& spec, MemoryNeed& need);

// ---- the agent ------------------------------------------------------------------------------------------------------

class Hiro final : public Agent {
 public:
  /// @param lanes 0: the agent only acts; it has no buffers and no batches
  /// @throws std::invalid_argument if hiro_problem has something to say
  Hiro(const EnvSpec& spec, const HiroConfig& config, int lanes, Rng rng);
  void act(const ObsBatch& obs, const std::vector<std::uint8_t>& first, Mode mode, MatrixRef action) override;
  void observe(const StepBatch& step) override;
  bool ready() const override;
  bool remembers(std::int64_t transitions) const override;
  void update(Metrics& metrics) override;
  /// Q of both levels, and the sub-goals that the high level learnt from, after the correction, by number of the
  /// observation and in its unit.
  std::vector<Distribution> distributions() override;
  void visit_policy(StateVisitor& v) override;
  void visit_state(StateVisitor& v) override;
  void visit_without_memory(StateVisitor& v) override;
  std::vector<InitialPolicy> initial_policies() override;
  bool subgoal(Mode mode, Index lane, VectorRef obs) const override;

  /// [subgoal x N] what each lane's low level was asked for at the last act: the change that was left.
  const Matrix& subgoals(Mode mode) const { return lanes(mode).subgoal; }
  /// [subgoal x N] the points aimed at, in the observation's unit: they stay where they are during a segment.
  const Matrix& points(Mode mode) const { return lanes(mode).point; }
  /// Whether random sub-goals are being given: then the high level waits.
  bool pretraining() const;

  // The parts of the algorithm, public for tests and benchmarks.

  /// g' = h(s, g, s'). @shape s, s2 [obs], g, g2 [subgoal] @alloc none
  void goal_transition(ConstVectorRef s, ConstVectorRef g, ConstVectorRef s2, VectorRef g2) const;
  /// r_lo of a step, from what it has left of the sub-goal, g' = h(s, g, s'). @shape g2 [subgoal]
  Scalar intrinsic_reward(ConstVectorRef g2) const;
  bool reached(ConstVectorRef g2) const;
  /// Draws a batch with rewards of now, in the form that the learner takes. @pre ready() @alloc none
  const Batch& sample_low();
  /// Draws segments and corrects their sub-goals. @pre segments().size() > 0 @alloc none
  const Batch& sample_high();
  /// [subgoal x batch] sub-goals of the segments of the last sample_high, as they were given.
  const Matrix& given() const { return given_; }
  /// [subgoal x batch*candidates] the last correction's: for each segment the given one, the reached one, draws.
  const Matrix& candidates() const { return candidates_; }
  /// [1 x batch*candidates] their scores, -½ Σᵢ ‖aᵢ − μ_lo(sᵢ, g̃ᵢ)‖².
  const Matrix& scores() const { return scores_; }
  Learner& low() { return *low_.learner; }
  Learner& high() { return *high_.learner; }
  const ReplayBuffer& transitions() const { return transitions_; }
  SegmentBuffer& segments() { return segments_; }

 private:
  struct Level {
    LevelConfig c;
    EnvSpec spec;
    Vector half_range;  // [act] of its actions, in their own unit
    std::unique_ptr<Learner> learner;
    Batch batch;
    Metrics metrics;
    double due = 0;        // updates
    bool updated = false;  // from batch

    Level(const LevelConfig& config, EnvSpec level_spec, Rng rng);
    bool learns(bool pretraining) const;
    void act(ConstMatrixRef s, Mode mode, Rng& rng, MatrixRef a);  // in [-1, 1]
    void visit_state(StateVisitor& v);
  };
  // What acting keeps for each lane. An evaluation has its own.
  struct Lanes {
    Matrix point, subgoal;  // [subgoal x N]
    std::vector<std::uint64_t>
        k;  // steps of the segment so far, with the one that is being taken; 0: an episode begins
    std::vector<std::uint64_t> pretraining;
    Matrix high_in, high_out, low_in;  // scratch, one column per lane
    std::vector<Index> due;            // scratch: lanes where the high level decides
  };

  const Lanes& lanes(Mode mode) const { return mode == Mode::explore ? training_ : exploiting_; }
  Lanes make_lanes(Index n) const;
  void change_left(ConstVectorRef point, ConstVectorRef s, VectorRef g) const;
  void begin_step(const ObsBatch& obs, Mode mode, Lanes& lanes);
  void decide(const ObsBatch& obs, Mode mode, Lanes& lanes);
  void draw_random_subgoal(VectorRef g);
  void end_segment(const StepBatch& step, int lane);
  void to_low_input(MatrixRef sg) const;
  void relabel_low();
  void correct();
  void learn(Level& level, std::string_view prefix, Metrics& metrics);

  HiroConfig c_;
  Index obs_dim_, subgoal_dim_;
  Vector limits_;  // [subgoal]
  Level low_, high_;
  ReplayBuffer transitions_;  // of the low level: [obs; subgoal] before and after, without rewards
  UniformSampler sampler_;
  SegmentBuffer segments_;
  Lanes training_, exploiting_;
  StepBatch low_step_;                     // the last step of all lanes as the low level's
  std::vector<std::uint64_t> unfinished_;  // [lanes] 1: low_step_ waits for the next decision before it is stored
  bool acted_ = false;                     // on the observation that the next step starts from
  std::int64_t observed_ = 0, episodes_begun_ = 0;
  Metrics collected_;  // by observe, for the next update
  Rng act_rng_, sample_rng_, update_rng_;
  Vector left_;  // [subgoal] scratch
  std::vector<Index> drawn_;
  double kept_ = 0;  // share of the last correction's segments whose sub-goal stayed
  Matrix given_, candidates_, scores_, rolled_in_, rolled_actions_;
};

}  // namespace goalpost
