#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")
#include <immintrin.h>

#include "autodiff/kernels_body.h"

namespace goalpost::kernels {
namespace {

struct Avx512 {
  static constexpr int width = 16, rows = 3, columns = 8, block = 8;
  using Register = __m512;
  using Mask = __mmask16;
  static Mask first(int count) { return static_cast<Mask>((1u << count) - 1); }
  static Register load(const float* p) { return _mm512_loadu_ps(p); }
  static Register load(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
  static void store(float* p, Register x, Mask mask) { _mm512_mask_storeu_ps(p, mask, x); }
  static Register broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Register zero() { return _mm512_setzero_ps(); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm512_fmadd_ps(a, b, c); }
  static Register add(Register a, Register b) { return _mm512_add_ps(a, b); }
  static Register max(Register a, Register b) { return _mm512_max_ps(a, b); }
  static float sum(Register x) { return _mm512_reduce_add_ps(x); }
#include "autodiff/kernels_transpose8.h"
};

}  // namespace

const Kernels avx512_kernels = make_kernels<Avx512>("AVX-512");

}  // namespace goalpost::kernels
