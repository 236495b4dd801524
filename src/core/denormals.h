#pragma once

#include <cstdint>

#ifdef __SSE3__
#include <immintrin.h>
#endif

namespace goalpost {

/// While it lives, denormal numbers (sizes below std::numeric_limits::min()) count as zero on this thread, where they
/// are read and where they would be the result. Processors take a hundred cycles or more for each of them, and running
/// means of what has become zero, as the gradients of a ReLU that never fires, decay into them and, rounded to nearest,
/// never leave them. Without effect on processors other than x86-64 and aarch64.
class DenormalsAreZero {
 public:
  DenormalsAreZero() : before_(mode()) { set(before_ | kZero); }
  ~DenormalsAreZero() { set(before_); }
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;

 private:
  // The compiler does not know that arithmetic depends on the mode: at a barrier its operands and results lie in
  // memory.
  static void barrier() { asm volatile("" ::: "memory"); }
#if defined(__SSE3__)
  using Mode = unsigned;
  static constexpr Mode kZero = _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON;
  static Mode mode() { return _mm_getcsr(); }
  static void set(Mode mode) {
    barrier();
    _mm_setcsr(mode);
    barrier();
  }
#elif defined(__aarch64__)
  using Mode = std::uint64_t;
  static constexpr Mode kZero = Mode{1} << 24;  // FPCR.FZ
  static Mode mode() {
    Mode mode;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set(Mode mode) { asm volatile("msr fpcr, %0" ::"r"(mode) : "memory"); }
#else
  using Mode = int;
  static constexpr Mode kZero = 0;
  static Mode mode() { return 0; }
  static void set(Mode) { barrier(); }
#endif

  Mode before_;
};

}  // namespace goalpost
