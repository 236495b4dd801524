// Options of the HER papers for robotics tasks, shared by DDPG and TD3.
// Andrychowicz et al. 2017, arXiv:1707.01495v3, appendix A; Plappert et al. 2018, arXiv:1802.09464v2, appendix B.
#pragma once

#include "core/config.h"
#include "core/matrix.h"

namespace goalpost {

struct RoboticsOptions {
  bool clip_targets = false;
  Scalar action_penalty = 0;
  double random_action = 0;
};
constexpr auto fields(const RoboticsOptions*) {
  return std::tuple{
      field("clip_targets", &RoboticsOptions::clip_targets,
            "clip targets to [-1/(1-gamma), 0], the returns of rewards in [-1, 0]", "Andrychowicz et al. 2017, App. A"),
      field("action_penalty", &RoboticsOptions::action_penalty,
            "weight of the mean squared action in the policy's loss", 0, 1e6, "Plappert et al. 2018, App. B (there 1)"),
      field("random_action", &RoboticsOptions::random_action,
            "probability that an exploring action is replaced by a uniformly random one", 0, 1,
            "Plappert et al. 2018, App. B (there 0.3)"),
  };
}
static_assert(complete<RoboticsOptions>);

}  // namespace goalpost
