// How much memory the process may still take, so that a need can be compared with it before anything starts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {

/// An upper bound and what sets it, e.g. "the control group's memory.max".
struct MemoryLimit {
  std::uint64_t bytes;
  std::string source;
};

/// The smallest of: memory that is available, swap included; what the control groups of the process (v1 and v2) have
/// left; what RLIMIT_AS and RLIMIT_DATA have left. The largest number if nothing can be read.
/// @param root where /proc and /sys are, for tests
MemoryLimit memory_left(const std::string& root = "/");

/// What something needs, by part.
class MemoryNeed {
 public:
  /// count * bytes_each; sums and products stop at the largest number.
  void add(std::string_view part, std::uint64_t bytes_each, std::uint64_t count = 1);
  void multiply(std::uint64_t count);  ///< of several that need the same
  std::uint64_t bytes() const { return total_; }
  /// Why this does not fit, as a sentence without its beginning; empty if it does. E.g. "needs 20.4 GB of memory
  /// (replay buffer 20.1 GB, environments 0.3 GB), but only 15.9 GB are left (available memory)"
  std::string problem(const MemoryLimit& limit) const;

 private:
  struct Part {
    std::string name;
    std::uint64_t bytes;
  };
  std::vector<Part> parts_;
  std::uint64_t total_ = 0;
};

/// "20.4 GB", "512.0 MB", "17 bytes".
std::string format_bytes(std::uint64_t bytes);

}  // namespace goalpost
