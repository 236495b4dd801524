#pragma once

#include <algorithm>
#include <vector>

#include "algos/replay_buffer.h"

namespace goalpost {

/// Reward of a step, and whether the task ended with it.
struct Outcome {
  Scalar reward;
  bool ends;
};

/// Turns a column, a copy of the transition at slot, into a transition of up to n steps:
///   r = Σ γⁱ rₜ₊ᵢ over i < k,  s2 = sₜ₊ₖ,  discount = γᵏ, or 0 where the task ended
/// k is n, or less if fewer steps of the episode are stored. The goal in s and s2 stays.
/// @param outcome Outcome(ReplayBuffer::Slot): outcome of a stored transition under that goal
template <class F>
void make_n_step(const ReplayBuffer& buffer, ReplayBuffer::Slot slot, Index column, const F& outcome, Batch& out) {
  const Index most = std::min<Index>(buffer.n_step(), buffer.steps_from(slot));
  Scalar sum = 0, discount = 1;
  ReplayBuffer::Slot last = slot;
  for (Index i = 0; i < most && discount != 0; ++i) {
    last = {slot.lane, slot.t + i};
    const Outcome o = outcome(last);
    sum += discount * o.reward;
    discount = o.ends ? 0 : discount * out.gamma;
  }
  out.r(0, column) = sum;
  out.discount(0, column) = discount;
  if (last.t != slot.t) {
    const ConstVectorMap after = buffer.obs_after(last);
    out.s2.col(column).head(after.size()) = after;
  }
}

/// Draws minibatches from a replay buffer.
class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual bool ready(Index batch_size) const = 0;
  /// Fills all columns of out. @alloc none @throws std::logic_error before the buffer holds anything to draw
  virtual void sample(Rng& rng, Batch& out) const = 0;
};

/// Samples all stored transitions with equal probability, with their desired goals.
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
