// g++ takes the instruction set for the whole file, clang for the functions that follow.
#ifndef __clang__
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>

#include "autodiff/kernels.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#endif
#include "autodiff/kernels_body.h"

namespace goalpost::kernels {
namespace {

struct Avx2 {
  static constexpr int width = 8, rows = 2, columns = 6, block = 8;
  using Register = __m256;
  using Mask = __m256i;
  static Mask first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Register load(const float* p) { return _mm256_loadu_ps(p); }
  static Register load(const float* p, Mask mask) { return _mm256_maskload_ps(p, mask); }
  static void store(float* p, Register x, Mask mask) { _mm256_maskstore_ps(p, mask, x); }
  static Register broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Register zero() { return _mm256_setzero_ps(); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm256_fmadd_ps(a, b, c); }
  static Register add(Register a, Register b) { return _mm256_add_ps(a, b); }
  static Register max(Register a, Register b) { return _mm256_max_ps(a, b); }
  static float sum(Register x) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
#include "autodiff/kernels_transpose8.h"
};

}  // namespace

const Kernels avx2_kernels = make_kernels<Avx2>("AVX2");

}  // namespace goalpost::kernels
#ifdef __clang__
#pragma clang attribute pop
#endif
