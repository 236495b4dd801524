#pragma once

#include "core/config.h"
#include "envs/env.h"

namespace goalpost {

struct BitFlipConfig {
  int bits = 10;
  bool ends_at_goal = true;
};
constexpr auto fields(const BitFlipConfig*) {
  return std::tuple{
      field("bits", &BitFlipConfig::bits, "length n of state and goal; also the time limit", 1, 4096,
            "Andrychowicz et al. 2017, 3.1"),
      field("ends_at_goal", &BitFlipConfig::ends_at_goal,
            "whether an episode ends when the goal is reached; otherwise it always lasts n steps"),
  };
}
static_assert(complete<BitFlipConfig>);

std::unique_ptr<Env> make_bit_flip(const BitFlipConfig& config);

}  // namespace goalpost
