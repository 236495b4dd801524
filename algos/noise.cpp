#include "algos/noise.h"

#include <algorithm>

namespace goalpost {

void random_actions(const ActionSpace& space, Rng& rng, MatrixRef a) {
  if (space.kind == ActionSpace::Kind::continuous) {
    rng.fill_uniform(-1, 1, a);
  } else {
    epsilon_greedy(1, space.choices, rng, a);
  }
}

void epsilon_greedy(double epsilon, int choices, Rng& rng, MatrixRef a) {
  for (Index j = 0; j < a.cols(); ++j)
    if (rng.uniform() < Scalar(epsilon)) a(0, j) = Scalar(rng.below(static_cast<std::uint32_t>(choices)));
}

void add_gaussian_noise(Scalar stddev, Rng& rng, MatrixRef a) {
  for (Index j = 0; j < a.cols(); ++j)
    for (Index i = 0; i < a.rows(); ++i) a(i, j) = std::clamp(a(i, j) + stddev * rng.normal(), Scalar(-1), Scalar(1));
}

void replace_by_random(double probability, Rng& rng, MatrixRef a) {
  for (Index j = 0; j < a.cols(); ++j)
    if (rng.uniform() < Scalar(probability)) rng.fill_uniform(-1, 1, a.col(j));
}

}  // namespace goalpost
