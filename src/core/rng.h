// Counter-based random numbers: a draw is a function of (seed, stream, position), so the state is three integers and
// results do not depend on which thread draws.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/matrix.h"
#include "core/state.h"

namespace goalpost {

/// Philox 4x32-10 (Salmon et al. 2011) from Random123. Copying copies the position. Equal (seed, stream) give equal
/// draws with every compiler, because uniform and normal draws are our own code, not <random>'s distributions.
class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// An independent stream, e.g. rng.stream("env", lane). Does not advance this one and does not depend on its
  /// position.
  Rng stream(std::string_view name, std::uint64_t index = 0) const;

  /// 32 uniform bits.
  std::uint32_t bits() {
    const std::uint64_t block = position_ / 4;
    if (block != cached_block_) refill(block);
    return words_[position_++ % 4];
  }
  /// Uniform in {0, ..., n-1}, without bias (Lemire 2019, "Fast random integer generation in an interval").
  /// @throws std::invalid_argument if n == 0
  std::uint32_t below(std::uint32_t n);
  /// Uniform in [low, high), on a grid of 2^24 points; low if the range is empty.
  Scalar uniform(Scalar low = 0, Scalar high = 1) {
    const Scalar x = low + (high - low) * (Scalar(bits() >> 8) * Scalar(1.0 / 16777216.0));
    if (x >= high && low < high) [[unlikely]]  // the sum was rounded up
      return std::nextafter(high, low);
    return x;
  }
  /// Standard normal by Box-Muller; every call consumes two words.
  Scalar normal();
  void fill_uniform(Scalar low, Scalar high, MatrixRef out);
  void fill_normal(Scalar mean, Scalar stddev, MatrixRef out);
  void visit_state(StateVisitor& v);

  std::uint64_t seed() const { return seed_; }
  std::uint64_t position() const { return position_; }

 private:
  void refill(std::uint64_t block);

  static constexpr std::uint64_t kNoBlock = ~std::uint64_t(0);
  std::uint64_t seed_, stream_, position_ = 0;  // position counts 32-bit words
  std::uint64_t cached_block_ = kNoBlock;       // the block held in words_; derived, so no part of the state
  std::array<std::uint32_t, 4> words_{};
};

}  // namespace goalpost
