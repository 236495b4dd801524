// The space of sub-goals: φ(s), limits, goal transition h and intrinsic reward r_lo of HIRO's section 3.2.
#pragma once

#include <cstddef>
#include <vector>

#include "algos/hiro/config.h"
#include "core/matrix.h"
#include "core/rng.h"

namespace goalpost {

/// Functions of their arguments and the settings only. @alloc none
class SubgoalSpace {
 public:
  SubgoalSpace(const SubgoalConfig& subgoal, const IntrinsicConfig& intrinsic);
  /// Entries of a sub-goal.
  Index size() const { return limits_.size(); }
  /// Index of the observation that entry i of a sub-goal refers to: φ(s)ᵢ = s(dim(i)).
  int dim(Index i) const { return dims_[i]; }
  /// [subgoal] largest displacement of each entry, in either direction, in the observation's unit.
  const Vector& limits() const { return limits_; }

  /// g' = h(s, g, s'). @shape s, s2 [obs], g, g2 [subgoal]
  void goal_transition(ConstVectorRef s, ConstVectorRef g, ConstVectorRef s2, VectorRef g2) const;
  /// Remaining displacement g to an absolute target: point − φ(s). @shape point, g [subgoal], s [obs]
  void change_left(ConstVectorRef point, ConstVectorRef s, VectorRef g) const;
  /// r_lo of a step, from the displacement that remains after it, g' = h(s, g, s'). @shape g2 [subgoal]
  Scalar intrinsic_reward(ConstVectorRef g2) const;
  bool reached(ConstVectorRef g2) const;
  /// A random sub-goal of pre-training. @shape g [subgoal]
  void draw_random(const PretrainingConfig& p, Rng& rng, VectorRef g) const;

 private:
  std::vector<int> dims_;
  Vector limits_;  // [subgoal]
  IntrinsicConfig intrinsic_;
};

}  // namespace goalpost
