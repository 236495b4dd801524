// Hierarchical reinforcement learning with off-policy correction: a high level that sets sub-goals every c steps, and a
// low level that is paid for reaching them. Each level is an off-policy learner of its own.
// Nachum, Gu, Lee & Levine 2018, "Data-Efficient Hierarchical Reinforcement Learning", arXiv:1805.08296v4,
// and its released code (tensorflow/models, research/efficient-hrl).
//
// Glossary     s, a, R, s2       observation, action of the environment, its reward, successor s'
//              c                 steps of a segment, i.e. between two decisions of the high level
//              φ(s)              the numbers of an observation that sub-goals speak of          SubgoalConfig::dims
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
//                 the released code in their own unit. Its first sub-goal of an episode is zero; here the high level
//                 decides at t = 0.
//              3. A sub-goal is kept as the point φ(s) + g, so that applying h many times loses no digits.
//              4. An episode's last segment may be shorter than c: it is kept with its length, or dropped
//                 (short_segments). Time limits end neither level's task (the discount is 0 at task ends only). The
//                 high level's gamma is, as in the paper, the discount of a decision of c steps; after k < c steps it
//                 bootstraps with gamma^(k/c), so that time is discounted alike however it is cut. The released code
//                 takes gamma.
//              5. The correction measures actions in units of their range [-1, 1].
//              6. Beyond the paper: intrinsic rewards of other authors, reached sub-goals (intrinsic), a frozen or
//                 loaded level (learns, policy), random sub-goals first (pretraining), and its ablations:
//                 correction.kind, low_relabelled.
// Order        low level, high level. One update of the agent is low.updates and high.updates of the levels.
#pragma once

#include <cstdint>
#include <vector>

#include "algos/agent.h"
#include "algos/batch.h"
#include "algos/hiro/config.h"
#include "algos/hiro/correction.h"
#include "algos/hiro/level.h"
#include "algos/hiro/segment_buffer.h"
#include "algos/hiro/subgoal_space.h"
#include "algos/replay_buffer.h"
#include "algos/sampler.h"
#include "core/matrix.h"
#include "core/metrics.h"
#include "core/rng.h"
#include "core/state.h"
#include "envs/space.h"
#include "envs/vector_env.h"

namespace goalpost {

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
  /// With the intrinsic rewards and the correction.
  double sample_seconds() const override { return sample_seconds_; }
  /// Q of both levels, and the sub-goals that the high level learned from, after the correction, by number of the
  /// observation and in its unit.
  std::vector<HistogramSample> histogram_samples() override;
  void visit_policy(StateVisitor& v) override;
  void visit_state(StateVisitor& v) override;
  void visit_state_without_replay(StateVisitor& v) override;
  std::vector<WarmStart> warm_starts() override;
  bool subgoal(Mode mode, Index lane, VectorRef obs) const override;

  /// [subgoal x N] what each lane's low level was asked for at the last act: the change that was left.
  const Matrix& subgoals(Mode mode) const { return lanes(mode).subgoal; }
  /// [subgoal x N] the points aimed at, in the observation's unit: they stay where they are during a segment.
  const Matrix& points(Mode mode) const { return lanes(mode).point; }
  /// Whether random sub-goals are being given: then the high level waits.
  bool pretraining() const;

  // The parts of the algorithm, public for tests and benchmarks.

  /// Samples a batch and recomputes the intrinsic rewards, as input of the learner. @pre ready() @alloc none
  const Batch& sample_low();
  /// Draws segments and corrects their sub-goals. @pre segments().size() > 0 @alloc none
  const Batch& sample_high();
  /// [subgoal x batch] sub-goals of the segments of the last sample_high, as they were given.
  const Matrix& given() const { return given_; }
  /// [subgoal x batch*candidates] the last correction's: for each segment the given one, the reached one, draws.
  const Matrix& candidates() const { return correction_.candidates(); }
  /// [1 x batch*candidates] their scores, -½ Σᵢ ‖aᵢ − μ_lo(sᵢ, g̃ᵢ)‖².
  const Matrix& scores() const { return correction_.scores(); }
  Learner& low() { return *low_.learner; }
  Learner& high() { return *high_.learner; }
  const ReplayBuffer& transitions() const { return transitions_; }
  SegmentBuffer& segments() { return segments_; }

 private:
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
  void begin_step(const ObsBatch& obs, Mode mode, Lanes& lanes);
  void decide(const ObsBatch& obs, Mode mode, Lanes& lanes);
  void end_segment(const StepBatch& step, int lane);
  void to_low_input(MatrixRef sg) const;
  void relabel_low();

  HiroConfig c_;
  Index obs_dim_, subgoal_dim_;
  SubgoalSpace space_;
  HiroLevel low_, high_;
  ReplayBuffer transitions_;  // of the low level: [obs; subgoal] before and after, without rewards
  UniformSampler sampler_;
  SegmentBuffer segments_;
  OffPolicyCorrection correction_;
  OffPolicyCorrection::Policy low_policy_;  // μ_lo
  Lanes training_, exploiting_;
  StepBatch low_step_;                     // the last step of all lanes as the low level's
  std::vector<std::uint64_t> unfinished_;  // [lanes] 1: low_step_ waits for the next decision before it is stored
  bool acted_ = false;                     // on the observation that the next step starts from
  std::int64_t observed_ = 0, episodes_begun_ = 0;
  Metrics collected_;  // by observe, for the next update
  Rng act_rng_, sample_rng_, update_rng_;
  double sample_seconds_ = 0;
  Vector left_;  // [subgoal] scratch
  std::vector<Index> drawn_;
  Matrix given_;
};

}  // namespace goalpost
