#pragma once

#include <tuple>

#include "core/config.h"
#include "envs/mujoco/ant.h"

namespace goalpost {

struct AntGatherConfig {
  bool fall_ends = true;
  double fall_reward = 0;
};
constexpr auto fields(const AntGatherConfig*) {
  return std::tuple{
      field("fall_ends", &AntGatherConfig::fall_ends,
            "whether an episode ends when the torso is not between 0.2 and 1 m", "arXiv:1805.08296"),
      field("fall_reward", &AntGatherConfig::fall_reward, "added to the reward of such a step; rllab has -10", -1e6, 0,
            "arXiv:1805.08296"),
  };
}
static_assert(complete<AntGatherConfig>);

MujocoModel ant_gather_model(Integrator integrator);

/// AntGather-v0 or AntGatherEuler-v0. The environments of a factory share one model.
EnvFactory ant_gather_factory(Integrator integrator, const AntGatherConfig& config);

template <Integrator integrator = Integrator::rk4>
EnvFactory ant_gather_factory(const AntGatherConfig& config) {
  return ant_gather_factory(integrator, config);
}

}  // namespace goalpost
