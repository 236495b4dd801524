// Random actions and exploration noise.
#pragma once

#include "core/matrix.h"
#include "core/rng.h"
#include "envs/spec.h"

namespace goalpost {

/// Uniform random actions in [-1, 1], or uniform indices. @shape a [act x N] @alloc none
void random_actions(const ActionSpace& space, Rng& rng, MatrixRef a);

/// Replaces each column, with probability epsilon, by a uniformly drawn index. @shape a [1 x N] @alloc none
void epsilon_greedy(double epsilon, int choices, Rng& rng, MatrixRef a);

/// Adds N(0, stddev) to every action and clips the sum to [-1, 1]. @shape a [act x N] @alloc none
void add_gaussian_noise(Scalar stddev, Rng& rng, MatrixRef a);

/// Replaces each column, with this probability, by a uniform draw from [-1, 1]. @shape a [act x N] @alloc none
void replace_by_random(double probability, Rng& rng, MatrixRef a);

}  // namespace goalpost
