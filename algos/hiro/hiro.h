// Hierarchical reinforcement learning with off-policy correction: a high level that sets sub-goals every c steps, and a
// low level that is rewarded for reaching them. Each level is an off-policy learner of its own.
// Nachum, Gu, Lee & Levine 2018, "Data-Efficient Hierarchical Reinforcement Learning", arXiv:1805.08296v4,
// and its released code (tensorflow/models, research/efficient-hrl).
//
// Glossary     s, a, R, s2       observation, action of the environment, its reward, successor s'
//              c                 steps of a segment, i.e. between two decisions of the high level
//              φ(s)              the entries of an observation that sub-goals refer to          SubgoalConfig::dims
//              g                 sub-goal: a change of φ(s)       μ_hi  high_      μ_lo  low_   Learner
//              h                 goal transition                  SubgoalSpace::goal_transition
//              r_lo              intrinsic reward                 SubgoalSpace::intrinsic_reward
//              g̃                 sub-goal after the correction    OffPolicyCorrection::correct
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
//                 the released code in their own unit (td3.actions_in_units). Its first sub-goal of an episode is zero;
//                 here the high level decides at t = 0 (first_subgoal_zero).
//              3. A sub-goal is kept as the point φ(s) + g, so that applying h many times loses no digits.
//              4. An episode's last segment may be shorter than c: it is kept with its length, or dropped
//                 (short_segments). Time limits end neither level's task (the discount is 0 at task ends only). The
//                 high level's gamma is, as in the paper, the discount of a decision of c steps; after k < c steps it
//                 bootstraps with gamma^(k/c), so that the discount per step is always the same. The released code
//                 uses gamma.
//              5. The correction measures actions in units of their range [-1, 1].
//              6. Beyond the paper: intrinsic rewards of other authors, reached sub-goals (intrinsic), a frozen or
//                 loaded level (learns, policy), random sub-goals first (pretraining), and its ablations:
//                 correction.kind, low_relabeled. Other goals at the high level: high_relabeled (hindsight),
//                 high_desired_goals; as goals to explore by: exploration_goals.
// Order        low level, high level. One update of the agent is low.updates and high.updates of the levels.
#pragma once

#include <cstdint>
#include <vector>

#include "algos/agent.h"
#include "algos/batch.h"
#include "algos/hiro/config.h"
#include "algos/hiro/correction.h"
#include "algos/hiro/lanes.h"
#include "algos/hiro/level.h"
#include "algos/hiro/segment_buffer.h"
#include "algos/hiro/subgoal_space.h"
#include "algos/replay_buffer.h"
#include "algos/sampler.h"
#include "algos/subgoal_source.h"
#include "core/matrix.h"
#include "core/metrics.h"
#include "core/rng.h"
#include "core/state.h"
#include "envs/spec.h"
#include "envs/step.h"

namespace goalpost {

class Hiro final : public Agent, public SubgoalSource {
 public:
  /// @param lanes number of environments; 0: the agent only acts, without buffers and batches
  /// @throws std::invalid_argument if hiro_problem finds something wrong
  Hiro(const EnvSpec& spec, const HiroConfig& config, int lanes, Rng rng);
  void act(const ObsBatch& obs, const std::vector<std::uint8_t>& first, Mode mode, MatrixRef action) override;
  void observe(const StepBatch& step) override;
  bool ready() const override;
  bool remembers(std::int64_t transitions) const override;
  void update(Metrics& metrics) override;
  /// Includes intrinsic rewards and the correction.
  double sample_seconds() const override { return sample_seconds_; }
  /// Q of both levels, and the corrected sub-goals of the high level's batch: one histogram per index of the
  /// observation, in its unit.
  std::vector<HistogramSample> histogram_samples() override;
  void visit_policy(StateVisitor& v) override;
  void visit_state(StateVisitor& v) override;
  void visit_state_without_replay(StateVisitor& v) override;
  std::vector<WarmStart> warm_starts() override;
  void subgoal(Mode mode, Index lane, VectorRef obs) const override;

  /// [subgoal x N] sub-goal of each lane's low level at the last act: the remaining displacement.
  const Matrix& subgoals(Mode mode) const { return lanes(mode).subgoal; }
  /// [subgoal x N] absolute targets of the sub-goals, in the observation's unit; constant within a segment.
  const Matrix& points(Mode mode) const { return lanes(mode).point; }
  /// Whether episodes with random sub-goals are under way or still to come. The high level does not learn from them.
  bool pretraining() const;

  // The parts of the algorithm, public for tests and benchmarks.

  /// Samples a batch and recomputes the intrinsic rewards, as input of the learner. @pre ready() @alloc none
  const Batch& sample_low();
  /// Draws segments and corrects their sub-goals. @pre segments().size() > 0 @alloc none
  const Batch& sample_high();
  /// [subgoal x batch] sub-goals of the segments of the last sample_high, before the correction.
  const Matrix& given() const { return given_; }
  /// [subgoal x batch*candidates] of the last correction; for each segment: the given one, the reached one, draws.
  const Matrix& candidates() const { return correction_.candidates(); }
  /// [1 x batch*candidates] their scores: OffPolicyCorrection::scores.
  const Matrix& scores() const { return correction_.scores(); }
  const OffPolicyCorrection& correction() const { return correction_; }
  Learner& low() { return *low_.learner; }
  Learner& high() { return *high_.learner; }
  const ReplayBuffer& transitions() const { return transitions_; }
  SegmentBuffer& segments() { return segments_; }

 private:
  const HiroLanes& lanes(Mode mode) const { return mode == Mode::explore ? training_ : exploiting_; }
  void begin_step(const ObsBatch& obs, Mode mode, HiroLanes& lanes);
  void decide(const ObsBatch& obs, Mode mode, HiroLanes& lanes);
  void explore_goal(Index lane, Index j);
  void end_segment(const StepBatch& step, Index lane);
  void to_low_input(MatrixRef sg) const;
  void relabel_low();
  Segment::VectorMap goal_achieved_later(Index drawn);
  void substitute_goal(Index drawn, Index j, ConstVectorRef goal);
  Scalar discount_after(Index steps) const;

  HiroConfig c_;
  Index obs_dim_, subgoal_dim_;
  SubgoalSpace space_;
  HiroLevel low_, high_;
  ReplayBuffer transitions_;  // of the low level: [obs; subgoal] before and after, without rewards
  UniformSampler sampler_;
  SegmentBuffer segments_;
  OffPolicyCorrection correction_;
  OffPolicyCorrection::Policy low_policy_;  // μ_lo
  HiroLanes training_, exploiting_;
  StepBatch low_step_;                     // the last step of all lanes, as transitions of the low level
  std::vector<std::uint64_t> unfinished_;  // [lanes] 1: low_step_ waits for the next decision before it is stored
  bool acted_ = false;                     // whether act was called since the last step
  std::int64_t observed_ = 0, episodes_begun_ = 0;
  Metrics collected_;  // metrics of observe, for the next update
  Rng act_rng_, sample_rng_, update_rng_;
  double sample_seconds_ = 0;
  Vector left_;  // [subgoal] scratch
  std::vector<Index> drawn_;
  Matrix given_;
};

}  // namespace goalpost
