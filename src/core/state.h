// One traversal of an object's persistent state: saving, loading and hashing are three visitors, so they cannot drift
// apart. What the state is, is said by each class's visit_state; file formats live in storage/checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/matrix.h"

namespace goalpost {

class StateVisitor {
 public:
  virtual ~StateVisitor() = default;
  virtual void visit(std::string_view name, MatrixRef values) = 0;
  virtual void visit(std::string_view name, std::span<double> values) = 0;
  virtual void visit(std::string_view name, std::span<std::uint64_t> values) = 0;
  void visit(std::string_view name, std::uint64_t& value) { visit(name, std::span(&value, 1)); }
  void visit(std::string_view name, double& value) { visit(name, std::span(&value, 1)); }
  /// Signed counters travel as their bits: a type and its unsigned partner may share memory.
  void visit(std::string_view name, std::int64_t& value) { visit(name, reinterpret_cast<std::uint64_t&>(value)); }

  /// Numbers that a state being read holds under this name, 0 if it lacks the name; `now` while saving or hashing. For
  /// what earlier versions did not save: visited only if this is more than 0.
  virtual std::uint64_t count(std::string_view /*name*/, std::uint64_t now) { return now; }

  /// Names inside the scope are prefixed: { StateVisitor::Scope q(v, "q"); ... } gives q/W0, q/b0, ...
  class Scope {
   public:
    Scope(StateVisitor& v, std::string_view name) : v_(v) { v_.enter(name); }
    ~Scope() { v_.leave(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    StateVisitor& v_;
  };

 private:
  virtual void enter(std::string_view name) = 0;
  virtual void leave() = 0;
};

/// part.visit_state(v) with its names below `name`.
template <class T>
void visit_part(StateVisitor& v, std::string_view name, T& part) {
  const StateVisitor::Scope scope(v, name);
  part.visit_state(v);
}

}  // namespace goalpost
