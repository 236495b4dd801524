// HIRO's off-policy correction, section 3.3: relabels a segment's sub-goal with the one that best explains its actions.
#pragma once

#include <functional>
#include <vector>

#include "algos/hiro/config.h"
#include "algos/hiro/segment_buffer.h"
#include "algos/hiro/subgoal_space.h"
#include "core/matrix.h"
#include "core/rng.h"
#include "envs/spec.h"

namespace goalpost {

/// Depends on its arguments and the settings only; keeps scratch and the numbers of the last call.
class OffPolicyCorrection {
 public:
  /// a = μ_lo(s, g). May overwrite sg. @shape sg [obs+subgoal x N] -> a [act x N] @alloc none
  using Policy = std::function<void(MatrixRef sg, MatrixRef a)>;

  /// For batches of config.high.batch_size segments.
  OffPolicyCorrection(const EnvSpec& env, const HiroConfig& config);
  /// The high level's actions of a batch of segments, after the correction.
  /// @param drawn [B] numbers of the segments in the buffer  @param given [subgoal x B] their sub-goals
  /// @shape -> a [subgoal x B] in units of the limits @alloc none
  void correct(const SegmentBuffer& segments, const std::vector<Index>& drawn, const Matrix& given,
               const Policy& low_policy, Rng& rng, MatrixRef a);

  /// [subgoal x B*candidates] of the last call; for each segment: the given one, the reached one, draws.
  const Matrix& candidates() const { return candidates_; }
  /// [1 x B*candidates] their scores, -½ Σᵢ ‖aᵢ − μ_lo(sᵢ, g̃ᵢ)‖², of the first steps alone where a candidate was
  /// dropped.
  const Matrix& scores() const { return scores_; }
  /// Fraction of the last call's segments that kept their sub-goal.
  double kept() const { return kept_; }
  /// Fraction of the last call's steps, over all candidates, that the low level was rolled over.
  double rolled() const { return rolled_; }

 private:
  // Rolls the low level over steps [from, to) of the listed candidates' segments; a short segment ends before.
  void roll(const SegmentBuffer& segments, const std::vector<Index>& drawn, const std::vector<Index>& which, Index from,
            Index to, const Policy& low_policy);
  // Score of a candidate over the first `steps` steps of its segment.
  Scalar score(const Segment& segment, Index candidate, Index steps) const;

  HiroConfig c_;
  SubgoalSpace space_;
  Index obs_dim_;
  double kept_ = 0, rolled_ = 0;
  Matrix candidates_, scores_;
  Matrix rolled_actions_;          // [act x B*candidates*c] of each candidate and step
  Matrix roll_in_, roll_out_;      // scratch of roll: one column for each step that it rolls over
  std::vector<Index> roll_place_;  // the column of rolled_actions_ that it is for
  std::vector<Index> all_, leaders_, open_;
};

}  // namespace goalpost
