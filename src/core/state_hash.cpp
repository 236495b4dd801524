#include "core/state_hash.h"

#include <algorithm>
#include <cstring>

namespace goalpost {

void PathVisitor::enter(std::string_view name) {
  ends_.push_back(prefix_.size());
  prefix_.append(name).append("/");
}

void PathVisitor::leave() {
  prefix_.resize(ends_.back());
  ends_.pop_back();
}

void StateHasher::visit(std::string_view name, MatrixRef values) {
  begin(name, {static_cast<std::uint64_t>(values.rows()), static_cast<std::uint64_t>(values.cols())});
  for (Index j = 0; values.rows() > 0 && j < values.cols(); ++j)  // a damaged file may have any number of empty ones
    add(values.data() + j * values.outerStride(), static_cast<std::size_t>(values.rows()) * sizeof(Scalar));
  total_ += hash_;
}

void StateHasher::visit(std::string_view name, std::span<double> values) {
  begin(name, {values.size()});
  add(values.data(), values.size_bytes());
  total_ += hash_;
}

void StateHasher::visit(std::string_view name, std::span<std::uint64_t> values) {
  begin(name, {values.size()});
  add(values.data(), values.size_bytes());
  total_ += hash_;
}

void StateHasher::begin(std::string_view name, std::initializer_list<std::uint64_t> shape) {
  hash_ = 0;
  const std::string full = path(name);
  add(full.size());
  add(full.data(), full.size());
  for (const std::uint64_t extent : shape) add(extent);
}

void StateHasher::add(std::uint64_t word) {
  std::uint64_t z = (hash_ ^ word) + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  hash_ = z ^ (z >> 31);
}

void StateHasher::add(const void* data, std::size_t bytes) {
  const auto* p = static_cast<const char*>(data);
  for (; bytes > 0; p += std::min<std::size_t>(bytes, 8), bytes -= std::min<std::size_t>(bytes, 8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, std::min<std::size_t>(bytes, 8));
    add(word);
  }
}

std::uint64_t state_hash(const StateTraversal& visit) {
  StateHasher hasher;
  visit(hasher);
  return hasher.hash();
}

}  // namespace goalpost
