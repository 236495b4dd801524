#include "algos/sampler.h"

#include <stdexcept>

namespace goalpost {

void UniformSampler::sample(Rng& rng, Batch& out) const {
  if (buffer_.size() == 0) throw std::logic_error("UniformSampler: the replay buffer is empty");
  for (Index j = 0; j < out.size(); ++j) buffer_.copy(buffer_.draw(rng), j, out);
}

}  // namespace goalpost
