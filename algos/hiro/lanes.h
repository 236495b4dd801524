// What HIRO keeps for each environment between two actions. Training and evaluation have their own.
#pragma once

#include <cstdint>
#include <vector>

#include "core/matrix.h"
#include "envs/spec.h"

namespace goalpost {

struct HiroLanes {
  Matrix point;                            ///< [subgoal x N] target of the sub-goal, φ(s) + g at the decision
  Matrix subgoal;                          ///< [subgoal x N] displacement that remains to the target
  std::vector<std::uint64_t> k;            ///< [N] steps of the segment, the current one included; 0: an episode begins
  std::vector<std::uint64_t> pretraining;  ///< [N] 1: the sub-goals of the episode are random
  std::vector<std::uint64_t> explores;  ///< [N] decisions until another goal is explored by; 0: the task's is pursued
  Matrix explored;                      ///< [goal x N] the goal that is pursued to explore
  Matrix high_in, high_out, low_in;     ///< scratch, one column per environment
  std::vector<Index> due;               ///< scratch: environments where the high level decides

  HiroLanes(const EnvSpec& high, const EnvSpec& low, Index n)
      : point(Matrix::Zero(high.action.dim, n)),
        subgoal(point),
        k(n),
        pretraining(n),
        explores(n),
        explored(Matrix::Zero(high.goal.dim, n)),
        high_in(Matrix::Zero(high.state_dim(), n)),
        high_out(point),
        low_in(Matrix::Zero(low.obs_dim, n)) {
    due.reserve(n);
  }
  Index size() const { return point.cols(); }
};

}  // namespace goalpost
