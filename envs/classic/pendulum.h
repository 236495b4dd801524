#pragma once

#include "envs/env.h"

namespace goalpost {

std::unique_ptr<Env> make_pendulum();

}  // namespace goalpost
