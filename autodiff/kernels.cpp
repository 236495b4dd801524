#include "autodiff/kernels.h"

namespace goalpost::kernels {

const Kernels* best() {
  static const Kernels* const kernels = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq"))
      return &avx512_kernels;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_kernels;
    return static_cast<const Kernels*>(nullptr);
  }();
  return kernels;
}

}  // namespace goalpost::kernels
