// For parallel.cpp and thread_pool.cpp alone.
#pragma once

#include <exception>
#include <limits>
#include <mutex>

namespace goalpost::detail {

/// body(context, i) for several i, on any threads, and the exception of the lowest i that has thrown.
struct IndexedCalls {
  void (*body)(void*, int);
  void* context;
  std::mutex mutex = {};
  std::exception_ptr error = {};
  int error_index = std::numeric_limits<int>::max();

  void run(int i) {
    try {
      body(context, i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < error_index) {
        error_index = i;
        error = std::current_exception();
      }
    }
  }
};

}  // namespace goalpost::detail
