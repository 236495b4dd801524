// g++ takes the instruction set for the whole file, clang for the functions that follow.
#ifndef __clang__
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,avx2,fma")
#endif
#include <immintrin.h>

#include <bit>

#include "autodiff/kernels.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,avx2,fma"))), \
                             apply_to = function)
#endif
#include "autodiff/kernels_body.h"

namespace goalpost::kernels {
namespace {

// A register holds 16 sums in float32, or 16 pairs of bfloat16 numbers; moving and broadcasting leaves their bits
// alone.
struct Bfloat16Pairs {
#include "autodiff/kernels_registers16.h"
  static Register broadcast(const float* p) { return _mm512_castsi512_ps(_mm512_set1_epi32(std::bit_cast<int>(*p))); }
  static Register multiply_add(Register a, Register b, Register c) {
    return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

using V = Bfloat16Pairs;

__m256i round(__m512 x) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)); }

// 16 bfloat16 numbers: x rounded, or what that leaves of x, rounded.
template <Term term>
__m256i bits(__m512 x) {
  const __m256i high = round(x);
  if constexpr (term == Term::high) return high;
  return round(_mm512_sub_ps(x, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16))));
}

template <Term term>
void pair_columns_of(const float* from, Size ld_from, Size rows, Size cols, float* to, Size ld_to) {
  for (Size j = 0; j < cols; j += 2) {
    for (Size i = 0; i < rows; i += V::width) {
      const V::Mask mask = V::first(static_cast<int>(rows - i < V::width ? rows - i : V::width));
      const float* x = from + j * ld_from + i;
      const __m512i even = _mm512_cvtepu16_epi32(bits<term>(V::load(x, mask)));
      const __m512i odd =
          j + 1 == cols ? _mm512_setzero_si512() : _mm512_cvtepu16_epi32(bits<term>(V::load(x + ld_from, mask)));
      _mm512_mask_storeu_epi32(to + j / 2 * ld_to + i, mask, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
  }
}

template <Term term>
void pair_rows_of(const float* from, Size ld_from, Size rows, Size cols, float* to, Size ld_to) {
  for (Size j = 0; j < cols; ++j) {
    for (Size i = 0; i < rows; i += 2 * V::width) {
      const auto left = [&](Size at) {
        return V::first(static_cast<int>(rows <= at ? 0 : rows - at < V::width ? rows - at : V::width));
      };
      const float* x = from + j * ld_from + i;
      const __m256i low = bits<term>(V::load(x, left(i))), high = bits<term>(V::load(x + V::width, left(i + V::width)));
      const Size pairs = (rows - i + 1) / 2;
      _mm512_mask_storeu_epi32(to + j * ld_to + i / 2, V::first(static_cast<int>(pairs < V::width ? pairs : V::width)),
                               _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
    }
  }
}

void pair_columns(const float* from, Size ld_from, Size rows, Size cols, Term term, float* to, Size ld_to) {
  (term == Term::high ? pair_columns_of<Term::high> : pair_columns_of<Term::low>)(from, ld_from, rows, cols, to, ld_to);
}

void pair_rows(const float* from, Size ld_from, Size rows, Size cols, Term term, float* to, Size ld_to) {
  (term == Term::high ? pair_rows_of<Term::high> : pair_rows_of<Term::low>)(from, ld_from, rows, cols, to, ld_to);
}

}  // namespace

const PairKernels avx512_bfloat16_kernels = {&product<V>, &pair_columns, &pair_rows};

}  // namespace goalpost::kernels
#ifdef __clang__
#pragma clang attribute pop
#endif
