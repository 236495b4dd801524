#pragma once

#include <vector>

#include "algos/replay_buffer.h"

namespace goalpost {

/// Draws minibatches from a replay buffer.
class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual bool ready(Index batch_size) const = 0;
  /// Fills all columns of out. @alloc none @throws std::logic_error before the buffer holds anything to draw
  virtual void sample(Rng& rng, Batch& out) const = 0;
};

/// Every stored transition with equal probability, with the goal that was pursued.
class UniformSampler final : public Sampler {
 public:
  explicit UniformSampler(const ReplayBuffer& buffer) : buffer_(buffer) {}
  bool ready(Index batch_size) const override { return buffer_.size() >= batch_size; }
  void sample(Rng& rng, Batch& out) const override;

 private:
  const ReplayBuffer& buffer_;
  mutable std::vector<ReplayBuffer::Slot> drawn_;  // scratch, one per column
};

}  // namespace goalpost
