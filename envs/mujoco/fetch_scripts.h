// Hand-written policies of the Fetch robot, from the observation alone (EnvSpec::script). Action: the gripper's change
// of position, in units of 0.05 m, and the command of its fingers.
#pragma once

#include "core/matrix.h"

namespace goalpost {

/// Moves straight to the goal.
void fetch_reach_script(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);
/// Moves behind the box at a height above it, down, and along the line from the box to the goal.
void fetch_push_script(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);
/// Moves above the box with open fingers, moves down, closes the fingers, and moves to the goal.
void fetch_pick_and_place_script(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);

}  // namespace goalpost
