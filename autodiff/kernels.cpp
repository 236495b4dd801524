#include "autodiff/kernels.h"

#include <strings.h>

#include <cstdlib>
#include <string>

#include "core/check.h"

namespace goalpost::kernels {

namespace {

#ifdef __x86_64__
bool has_avx512() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
bool has_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

struct Choice {
  const char* name;
  bool available;
  const Kernels* kernels;
};

Choice choose() {
  const Choice choices[] = {
#ifdef __x86_64__
      {"AVX-512", has_avx512(), &avx512_kernels},
      {"AVX2", has_avx2(), &avx2_kernels},
#endif
      {"Eigen", true, nullptr},
  };
  const char* wanted = std::getenv("GOALPOST_KERNELS");
  std::string here;
  for (const Choice& c : choices) {
    if (!c.available) continue;
    if (wanted == nullptr || *wanted == '\0' || strcasecmp(wanted, c.name) == 0) return c;
    here += (here.empty() ? "" : ", ") + std::string(c.name);
  }
  throw UsageError(detail::concatenate("GOALPOST_KERNELS = \"", wanted, "\"; expected one of ", here,
                                       ", which this processor has, or that it is not set"));
}

const Choice& choice() {
  static const Choice chosen = choose();
  return chosen;
}

}  // namespace

const Kernels* best() { return choice().kernels; }
const char* name_of_best() { return choice().name; }

#ifdef __x86_64__
const PairKernels* best_for_pairs() {
  static const PairKernels* const kernels =
      best() != nullptr && has_avx512() && __builtin_cpu_supports("avx512bf16") ? &avx512_bfloat16_kernels : nullptr;
  return kernels;
}
#else
const PairKernels* best_for_pairs() { return nullptr; }
#endif

}  // namespace goalpost::kernels
