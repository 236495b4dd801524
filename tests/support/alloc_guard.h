// Counts heap allocations of all threads, by standing in front of the C library's allocator.
#pragma once

#include <cstdint>

namespace goalpost {

/// Whether allocations are counted: not in sanitizer builds, which bring their own allocator.
bool allocations_are_counted();
/// Heap allocations of the whole process so far; 0 where they are not counted.
std::uint64_t allocation_count();
/// Of the calling thread.
std::uint64_t thread_allocation_count();

/// AllocGuard guard; ...; EXPECT_EQ(guard.count(), 0);
class AllocGuard {
 public:
  AllocGuard() : start_(allocation_count()) {}
  std::uint64_t count() const { return allocation_count() - start_; }

 private:
  std::uint64_t start_;
};

/// The same, of the thread that asks: where others are at work.
class ThreadAllocGuard {
 public:
  ThreadAllocGuard() : start_(thread_allocation_count()) {}
  std::uint64_t count() const { return thread_allocation_count() - start_; }

 private:
  std::uint64_t start_;
};

}  // namespace goalpost
