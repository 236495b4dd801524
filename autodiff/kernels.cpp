#include "autodiff/kernels.h"

#include <strings.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
// The system saves tiles of programs that have asked for them (Linux, Documentation/arch/x86/xstate.rst).
bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTiles = 1u << 24, kBfloat16 = 1u << 22;
  if (!has_avx512() || !__builtin_cpu_supports("avx512bf16") || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 ||
      (d & (kTiles | kBfloat16)) != (kTiles | kBfloat16))
    return false;
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
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
  bool tiles = false;  // for bfloat16
};

Choice choose() {
  const Choice choices[] = {
#ifdef __x86_64__
      {"AMX", has_amx(), &avx512_kernels, true},
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
const TileKernels* best_for_tiles() { return choice().tiles ? &amx_kernels : nullptr; }
#else
const PairKernels* best_for_pairs() { return nullptr; }
const TileKernels* best_for_tiles() { return nullptr; }
#endif

}  // namespace goalpost::kernels
