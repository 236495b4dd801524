#pragma once

#include <atomic>

#ifdef __SSE3__
#include <immintrin.h>
#endif

namespace goalpost {

/// While it lives, denormal numbers (sizes below std::numeric_limits::min()) count as zero on this thread, where they
/// are read and where they would be the result. Processors take a hundred cycles or more for each of them, and running
/// means of what has become zero, as the gradients of a ReLU that never fires, decay into them and, rounded to nearest,
/// never leave them. Without effect where the instruction set has no such mode or needs none.
class DenormalsAreZero {
 public:
#ifdef __SSE3__
  DenormalsAreZero() : before_(_mm_getcsr()) { set(before_ | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON); }
  ~DenormalsAreZero() { set(before_); }
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;

 private:
  // The compiler does not know that arithmetic depends on the mode; between the fences it works on what lies in memory.
  static void set(unsigned mode) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    _mm_setcsr(mode);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  unsigned before_;
#else
  DenormalsAreZero() {}  // not defaulted: a variable of this class is not unused
#endif
};

}  // namespace goalpost
