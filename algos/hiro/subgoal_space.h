// What sub-goals are: φ(s), their limits, the goal transition h and the intrinsic reward r_lo of HIRO's section 3.2.
#pragma once

#include <cstddef>
#include <vector>

#include "algos/hiro/config.h"
#include "core/matrix.h"
#include "core/rng.h"

namespace goalpost {

/// Functions of their arguments and of the settings only. @alloc none
class SubgoalSpace {
 public:
  SubgoalSpace(const SubgoalConfig& subgoal, const IntrinsicConfig& intrinsic);
  /// Numbers of a sub-goal.
  Index size() const { return limits_.size(); }
  /// The number of the observation that number i of a sub-goal speaks of: φ(s)ᵢ = s(dim(i)).
  int dim(Index i) const { return dims_[i]; }
  /// [subgoal] the largest change of each number, up or down, in the observation's unit.
  const Vector& limits() const { return limits_; }

  /// g' = h(s, g, s'). @shape s, s2 [obs], g, g2 [subgoal]
  void goal_transition(ConstVectorRef s, ConstVectorRef g, ConstVectorRef s2, VectorRef g2) const;
  /// h where the point aimed at, φ(s) + g, is kept. @shape point, g [subgoal], s [obs]
  void change_left(ConstVectorRef point, ConstVectorRef s, VectorRef g) const;
  /// r_lo of a step, from what it has left of the sub-goal, g' = h(s, g, s'). @shape g2 [subgoal]
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
