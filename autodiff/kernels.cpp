#include "autodiff/kernels.h"

#include <cstdlib>
#include <cstring>

namespace goalpost::kernels {

#ifdef __x86_64__
namespace {

bool has_avx512() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

}  // namespace

const Kernels* best() {
  static const Kernels* const kernels = [] {
    const char* wanted = std::getenv("GOALPOST_KERNELS");
    const auto may_be = [&](const char* name) { return wanted == nullptr || std::strcmp(wanted, name) == 0; };
    if (may_be("AVX-512") && has_avx512()) return &avx512_kernels;
    if (may_be("AVX2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_kernels;
    return static_cast<const Kernels*>(nullptr);
  }();
  return kernels;
}

const PairKernels* best_for_pairs() {
  static const PairKernels* const kernels =
      best() != nullptr && has_avx512() && __builtin_cpu_supports("avx512bf16") ? &avx512_bfloat16_kernels : nullptr;
  return kernels;
}
#else  // other processors: Eigen
const Kernels* best() { return nullptr; }
const PairKernels* best_for_pairs() { return nullptr; }
#endif

}  // namespace goalpost::kernels
