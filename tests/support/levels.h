// The settings of a HIRO level's learners, by their types.
#pragma once

#include "algos/hiro/config.h"
#include "algos/sac.h"
#include "algos/td3.h"

namespace goalpost {

inline Td3Config& td3_of(LevelConfig& level) { return level.learners.get<Td3Config>("td3"); }
inline SacConfig& sac_of(LevelConfig& level) { return level.learners.get<SacConfig>("sac"); }

}  // namespace goalpost
