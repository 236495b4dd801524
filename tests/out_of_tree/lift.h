#pragma once

#include <memory>
#include <tuple>

#include "core/config.h"
#include "envs/env.h"

namespace lift {

struct LiftConfig {
  double floors = 10;
};
constexpr auto fields(const LiftConfig*) {
  return std::tuple{goalpost::field("floors", &LiftConfig::floors, "height of the shaft", 1, 1000)};
}
static_assert(goalpost::complete<LiftConfig>);

std::unique_ptr<goalpost::Env> make_lift(const LiftConfig& config);

}  // namespace lift
