// Hand-written policies of the Fetch robot, from the observation alone (EnvSpec::script). Action: the gripper's change
// of position, in units of 0.05 m, and how its fingers are to move.
#pragma once

#include "core/matrix.h"

namespace goalpost {

/// Straight toward the goal.
void fetch_reach_script(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);
/// Behind the box, above it, down, and along the line from box to goal.
void fetch_push_script(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);
/// With open fingers above the box, down, shut, and to the goal.
void fetch_pick_and_place_script(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);

}  // namespace goalpost
