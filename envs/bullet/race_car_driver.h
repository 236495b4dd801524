#pragma once

#include <Eigen/Core>

#include "core/matrix.h"

namespace goalpost {

/// A hand-written driver: steers along the middle of the track toward a point ahead (pure pursuit; Coulter 1992,
/// "Implementation of the Pure Pursuit Path Tracking Algorithm"), slower where the track turns.
/// @param obs of a RaceCar
/// @param straight, corner throttle on straights and in sharp corners, in [0, 1]
/// @returns steering and throttle, in the environment's unit
Eigen::Vector2d drive_race_car(ConstVectorRef obs, double straight, double corner);

/// The driver with 0.8 and 0.35, which passes all four goals without touching a wall (EnvSpec::script).
void race_car_script(ConstVectorRef obs, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action);

}  // namespace goalpost
