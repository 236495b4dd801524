#include "algos/sampler.h"

#include <stdexcept>

namespace goalpost {

void UniformSampler::sample(Rng& rng, Batch& out) const {
  if (buffer_.size() == 0) throw std::logic_error("UniformSampler: the replay buffer is empty");
  drawn_.resize(out.size());
  for (ReplayBuffer::Slot& slot : drawn_) {
    slot = buffer_.draw(rng);
    buffer_.prefetch(slot);
  }
  for (Index j = 0; j < out.size(); ++j) {
    const ReplayBuffer::Slot slot = drawn_[j];
    buffer_.copy(slot, j, out);
    if (buffer_.n_step() > 1)
      make_n_step(
          buffer_, slot, j,
          [&](ReplayBuffer::Slot t) {
            return Outcome{buffer_.reward(t), buffer_.ends(t)};
          },
          out);
  }
}

}  // namespace goalpost
