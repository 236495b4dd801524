#include "core/rng.h"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>

#include "core/check.h"

namespace goalpost {
namespace {

// Finalizer of splitmix64 (Steele et al. 2014): spreads small differences of names and indices over all bits.
std::uint64_t mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

Rng Rng::stream(std::string_view name, std::uint64_t index) const {
  std::uint64_t h = 0xcbf29ce484222325u;  // FNV-1a over the name
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return Rng(seed_, mix(mix(mix(stream_) ^ h) ^ index));
}

void Rng::refill(std::uint64_t block) {
  using Philox = r123::Philox4x32;
  const Philox::ctr_type counter = {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                                     static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)}};
  const Philox::key_type key = {{static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)}};
  const Philox::ctr_type out = Philox()(counter, key);
  for (std::size_t i = 0; i < 4; ++i) words_[i] = out[i];
  cached_block_ = block;
}

std::uint32_t Rng::below(std::uint32_t n) {
  GP_CHECK(n > 0, "Rng::below: n = 0; expected a positive number");
  std::uint64_t product = std::uint64_t(bits()) * n;
  if (static_cast<std::uint32_t>(product) < n) {
    const std::uint32_t threshold = (0u - n) % n;
    while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t(bits()) * n;
  }
  return static_cast<std::uint32_t>(product >> 32);
}

Scalar Rng::normal() {
  const double u = (double(bits()) + 1.0) * 0x1p-32;  // (0, 1]: the logarithm is finite
  const double v = double(bits()) * 0x1p-32;
  return Scalar(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

void Rng::fill_uniform(Scalar low, Scalar high, MatrixRef out) {
  for (Index j = 0; j < out.cols(); ++j)
    for (Index i = 0; i < out.rows(); ++i) out(i, j) = uniform(low, high);
}

void Rng::fill_normal(Scalar mean, Scalar stddev, MatrixRef out) {
  for (Index j = 0; j < out.cols(); ++j)
    for (Index i = 0; i < out.rows(); ++i) out(i, j) = mean + stddev * normal();
}

void Rng::visit_state(StateVisitor& v) {
  v.visit("seed", seed_);
  v.visit("stream", stream_);
  v.visit("position", position_);
  cached_block_ = kNoBlock;  // after a load the words belong to another position
}

}  // namespace goalpost
