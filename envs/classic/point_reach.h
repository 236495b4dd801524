#pragma once

#include "envs/env.h"

namespace goalpost {

std::unique_ptr<Env> make_point_reach();

}  // namespace goalpost
