#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace goalpost {

/// Running means between two log lines; at most 32 names, which must outlive the object (use literals). No allocation.
class Metrics {
 public:
  struct Slot {
    std::string_view name;
    double sum = 0;
    std::int64_t count = 0;
    double mean() const { return sum / static_cast<double>(count); }
  };

  /// @throws std::invalid_argument for a 33rd name
  void add(std::string_view name, double value);
  void clear() { used_ = 0; }
  const Slot* begin() const { return slots_.data(); }
  const Slot* end() const { return slots_.data() + used_; }
  bool empty() const { return used_ == 0; }
  /// The mean of a name, or `otherwise` if it was never added.
  double mean(std::string_view name, double otherwise) const;

 private:
  std::array<Slot, 32> slots_;
  int used_ = 0;
};

}  // namespace goalpost
