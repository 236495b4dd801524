// Goal transition, intrinsic reward and random sub-goals of HIRO.
#include "algos/hiro/subgoal_space.h"

#include <algorithm>

namespace goalpost {

SubgoalSpace::SubgoalSpace(const SubgoalConfig& subgoal, const IntrinsicConfig& intrinsic)
    : dims_(subgoal.dims), limits_(subgoal_limits(subgoal)), intrinsic_(intrinsic) {}

// h(s, g, s') = φ(s) + g − φ(s')                                                                      section 3.2
void SubgoalSpace::goal_transition(ConstVectorRef s, ConstVectorRef g, ConstVectorRef s2, VectorRef g2) const {
  for (Index i = 0; i < size(); ++i) {
    const int dim = this->dim(i);
    g2(i) = s(dim) + g(i) - s2(dim);
  }
}

// g = point − φ(s): h, where the absolute target is kept.
void SubgoalSpace::change_left(ConstVectorRef point, ConstVectorRef s, VectorRef g) const {
  for (Index i = 0; i < size(); ++i) g(i) = point(i) - s(dim(i));
}

// r_lo = −‖φ(s) + g − φ(s')‖₂ = −‖h(s, g, s')‖₂                                                       section 3.2
Scalar SubgoalSpace::intrinsic_reward(ConstVectorRef g2) const {
  return intrinsic_.reward == IntrinsicReward::distance ? -g2.norm() : -g2.squaredNorm() / Scalar(g2.size());
}

bool SubgoalSpace::reached(ConstVectorRef g2) const {
  return intrinsic_.reached > 0 && -intrinsic_reward(g2) <= Scalar(intrinsic_.reached);
}

void SubgoalSpace::draw_random(const PretrainingConfig& p, Rng& rng, VectorRef g) const {
  for (Index d = 0; d < g.size(); ++d) {
    if (p.subgoals == RandomSubgoals::uniform) {
      const Scalar size = rng.uniform(Scalar(p.low), Scalar(p.high));
      g(d) = rng.below(2) == 0 ? size : -size;
    } else {
      g(d) = std::clamp(Scalar(p.stddev) * limits_(d) * rng.normal(), -limits_(d), limits_(d));
    }
  }
}

}  // namespace goalpost
