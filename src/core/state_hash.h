// What visitors of states share: full names, and the hash of a state.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/state.h"

namespace goalpost {

/// Calls visit_state of everything that belongs to the state, always in the same order.
using StateTraversal = std::function<void(StateVisitor&)>;

/// Keeps track of the scopes.
class PathVisitor : public StateVisitor {
 protected:
  std::string path(std::string_view name) const { return prefix_ + std::string(name); }

 private:
  void enter(std::string_view name) override;
  void leave() override;

  std::string prefix_;
  std::vector<std::size_t> ends_;
};

/// Sums the hashes of every name with its numbers, so that the order does not matter. Each is hashed eight bytes at a
/// time through the finalizer of splitmix64 (Steele et al. 2014).
class StateHasher final : public PathVisitor {
 public:
  void visit(std::string_view name, MatrixRef values) override;
  void visit(std::string_view name, std::span<double> values) override;
  void visit(std::string_view name, std::span<std::uint64_t> values) override;
  std::uint64_t hash() const { return total_; }

 private:
  void begin(std::string_view name, std::initializer_list<std::uint64_t> shape);
  void add(std::uint64_t word);
  void add(const void* data, std::size_t bytes);

  std::uint64_t hash_ = 0, total_ = 0;
};

/// 64-bit hash over names, shapes and bytes, independent of their order: equal states have equal hashes; different ones
/// almost surely have not.
std::uint64_t state_hash(const StateTraversal& visit);

}  // namespace goalpost
