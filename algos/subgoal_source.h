#pragma once

#include "algos/agent.h"
#include "core/matrix.h"

namespace goalpost {

/// An optional interface: an agent that sets itself sub-goals implements it beside Agent, so that they can be rendered.
class SubgoalSource {
 public:
  virtual ~SubgoalSource() = default;
  /// The sub-goal at the last act, as a target observation [obs]; NaN where unconstrained.
  virtual void subgoal(Mode mode, Index lane, VectorRef obs) const = 0;
};

}  // namespace goalpost
