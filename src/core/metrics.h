#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/state.h"

namespace goalpost {

/// Running means between two log lines; at most 32 names of at most 47 characters. No allocation.
class Metrics {
 public:
  class Slot {
   public:
    std::string_view name() const { return text_.data(); }
    double mean() const { return sum / static_cast<double>(count); }
    double sum = 0;
    std::int64_t count = 0;

   private:
    friend class Metrics;
    std::array<char, 48> text_{};  // the name itself, so that it can be saved; ends in 0
  };

  /// @throws std::invalid_argument for a 33rd or a longer name
  void add(std::string_view name, double value);
  void clear() { used_ = 0; }
  /// @throws std::runtime_error if what was loaded cannot be the state of this class
  void visit_state(StateVisitor& v);
  const Slot* begin() const { return slots_.data(); }
  const Slot* end() const { return slots_.data() + used_; }
  bool empty() const { return used_ == 0; }
  /// The mean of a name, or `otherwise` if it was never added.
  double mean(std::string_view name, double otherwise) const;

 private:
  std::array<Slot, 32> slots_;
  std::int64_t used_ = 0;
};

}  // namespace goalpost
