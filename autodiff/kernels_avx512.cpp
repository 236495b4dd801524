// g++ takes the instruction set for the whole file, clang for the functions that follow.
#ifndef __clang__
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")
#endif
#include <immintrin.h>

#include "autodiff/kernels.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"))), \
                             apply_to = function)
#endif
#include "autodiff/kernels_body.h"

namespace goalpost::kernels {
namespace {

struct Avx512 {
#include "autodiff/kernels_registers16.h"
  static constexpr int block = 8;
  static Register broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm512_fmadd_ps(a, b, c); }
  static float sum(Register x) { return _mm512_reduce_add_ps(x); }
#include "autodiff/kernels_transpose8.h"
};

}  // namespace

const Kernels avx512_kernels = make_kernels<Avx512>("AVX-512");

}  // namespace goalpost::kernels
#ifdef __clang__
#pragma clang attribute pop
#endif
