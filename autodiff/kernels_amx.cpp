// Products of bfloat16 numbers in the tiles of Intel's AMX (Intel 64 and IA-32 Architectures Optimization Reference
// Manual, chapter on AMX): eight tiles of 16 rows of 64 bytes, four of which are sums.
// g++ takes the instruction set for the whole file, clang for the functions that follow.
#ifndef __clang__
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,amx-tile,amx-bf16")
#endif
#include <immintrin.h>

#include <cstdint>

#include "autodiff/kernels.h"

#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)
#endif

namespace goalpost::kernels {
namespace {

using Size = std::ptrdiff_t;

constexpr Size kSide = kTileSide;                   // of a tile of sums, and pairs in a row of a tile of factors
constexpr Size kRow = kSide * Size(sizeof(float));  // bytes of a tile's row

// What the processor reads to know the shapes of its eight tiles: palette 1, and for each its rows and bytes per row.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};

TileShapes full_tiles() {
  TileShapes shapes;
  for (int t = 0; t < 8; ++t) {
    shapes.row_bytes[t] = kRow;
    shapes.rows[t] = kSide;
  }
  return shapes;
}

__mmask16 first(Size n) { return n >= kSide ? 0xffff : static_cast<__mmask16>((1u << n) - 1); }

__mmask16 first_of(Size n) { return n <= 0 ? 0 : first(n); }

// What rounding x to bfloat16 leaves of it.
__m512 remainder(__m512 x) {
  const __m512i high = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
  return _mm512_sub_ps(x, _mm512_castsi512_ps(_mm512_slli_epi32(high, 16)));
}

// 32 numbers as bfloat16, those of `low` first.
template <Term term>
__m512i bfloat16_of(__m512 low, __m512 high) {
  if constexpr (term == Term::low) return bfloat16_of<Term::high>(remainder(low), remainder(high));
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

using Tile = __m512i[kSide];  // rows of pairs

void transpose(Tile& t) {
  Tile u;
  for (int i = 0; i < 16; i += 2) {
    u[i] = _mm512_unpacklo_epi32(t[i], t[i + 1]);
    u[i + 1] = _mm512_unpackhi_epi32(t[i], t[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    t[i] = _mm512_unpacklo_epi64(u[i], u[i + 2]);
    t[i + 1] = _mm512_unpackhi_epi64(u[i], u[i + 2]);
    t[i + 2] = _mm512_unpacklo_epi64(u[i + 1], u[i + 3]);
    t[i + 3] = _mm512_unpackhi_epi64(u[i + 1], u[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    u[i] = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88);
    u[i + 4] = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
    u[i + 8] = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88);
    u[i + 12] = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
  }
  for (int i = 0; i < 8; ++i) {
    t[i] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0x88);
    t[i + 8] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0xdd);
  }
}

// Row p: pairs of the columns 2p and 2p + 1 of a matrix of which so many rows and columns are left.
template <Term term>
void load_pairs_of_columns(const float* from, Size ld, Size rows, Size columns, Tile& t) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __mmask16 mask = first(rows);
  for (Size p = 0; p < kSide; ++p) {
    const Size left = columns - 2 * p;
    const __m512 even = left > 0 ? _mm512_maskz_loadu_ps(mask, from + 2 * p * ld) : _mm512_setzero_ps();
    const __m512 odd = left > 1 ? _mm512_maskz_loadu_ps(mask, from + (2 * p + 1) * ld) : _mm512_setzero_ps();
    t[p] = _mm512_permutexvar_epi16(order, bfloat16_of<term>(even, odd));
  }
}

// Row j: pairs of neighbors in column j.
template <Term term>
void load_columns_of_pairs(const float* from, Size ld, Size rows, Size columns, Tile& t) {
  const __mmask16 low = first(rows), high = first_of(rows - kSide);
  for (Size j = 0; j < kSide; ++j)
    t[j] = j < columns ? bfloat16_of<term>(_mm512_maskz_loadu_ps(low, from + j * ld),
                                           _mm512_maskz_loadu_ps(high, from + j * ld + kSide))
                       : _mm512_setzero_si512();
}

// Row by row as it is stored if that is the order of the product's factor, transposed otherwise.
template <bool left, Term term>
void pack_as(const Packing& p) {
  for (Size i = 0; i < p.m; i += kSide)
    for (Size k = 0; k < p.k; k += 2 * kSide) {
      Tile t;
      if (p.across)
        load_pairs_of_columns<term>(p.from + i + k * p.ld, p.ld, p.m - i, p.k - k, t);
      else
        load_columns_of_pairs<term>(p.from + k + i * p.ld, p.ld, p.k - k, p.m - i, t);
      if (p.across != left) transpose(t);
      float* const to = left ? p.to + i / kSide * p.ld_to + k / 2 * kSide : p.to + i * p.ld_to + k / 2;
      for (Size row = 0; row < kSide; ++row) _mm512_storeu_si512(to + row * (left ? kSide : p.ld_to), t[row]);
    }
}

template <bool left>
void pack(const Packing& p, Term term) {
  term == Term::high ? pack_as<left, Term::high>(p) : pack_as<left, Term::low>(p);
}

// Where a tile of sums begins and ends: its rows are columns of C. At the edges of C in a buffer.
class Sums {
 public:
  Sums(const TileProduct& p, Size i, Size j, float* buffer)
      : rows_(p.m - i), columns_(p.n - j), c_(p.c + j * p.ldc + i), ldc_(p.ldc) {
    const bool whole = rows_ >= kSide && columns_ >= kSide;
    to = whole ? c_ : buffer;
    to_stride = whole ? ldc_ * Size(sizeof(float)) : kRow;
    if (p.add && whole) {
      from = c_;
      from_stride = to_stride;
    } else if (p.add) {
      for (Size k = 0; k < kSide; ++k)
        _mm512_storeu_ps(buffer + k * kSide,
                         k < columns_ ? _mm512_maskz_loadu_ps(first_of(rows_), c_ + k * ldc_) : _mm512_setzero_ps());
      from = buffer;
      from_stride = kRow;
    } else if (p.bias != nullptr && rows_ >= kSide) {
      from = p.bias + i;
    } else if (p.bias != nullptr) {
      _mm512_storeu_ps(buffer, _mm512_maskz_loadu_ps(first_of(rows_), p.bias + i));
      from = buffer;
    }
  }
  // Copies what does not stand in C yet.
  void finish() const {
    if (to == c_) return;
    const __mmask16 mask = first_of(rows_);
    for (Size k = 0; k < kSide && k < columns_; ++k)
      _mm512_mask_storeu_ps(c_ + k * ldc_, mask, _mm512_loadu_ps(to + k * kSide));
  }

  const float* from = kZeros;
  Size from_stride = 0;  // every row the same
  float* to;
  Size to_stride;

 private:
  alignas(64) static constexpr float kZeros[kSide] = {};
  Size rows_, columns_;  // what is left of C; may be none
  float* c_;
  Size ldc_;
};

void product(const TileProduct& p) {
  alignas(64) float edges[4][kSide * kSide];
  const TileShapes shapes = full_tiles();
  _tile_loadconfig(&shapes);
  const Size block = p.k * kSide;  // floats of 16 rows of A
  const Size stride = p.ldb * Size(sizeof(float));
  for (Size j = 0; j < p.n; j += 2 * kSide) {
    const float *b0 = p.b + j * p.ldb, *b1 = j + kSide < p.n ? b0 + kSide * p.ldb : b0;
    for (Size i = 0; i < p.m; i += 2 * kSide) {
      const float *a0 = p.a + i / kSide * block, *a1 = i + kSide < p.m ? a0 + block : a0;
      // Cᵀ = Bᵀ Aᵀ
      const Sums s0(p, i, j, edges[0]), s1(p, i + kSide, j, edges[1]), s2(p, i, j + kSide, edges[2]),
          s3(p, i + kSide, j + kSide, edges[3]);
      _tile_loadd(0, s0.from, s0.from_stride);
      _tile_loadd(1, s1.from, s1.from_stride);
      _tile_loadd(2, s2.from, s2.from_stride);
      _tile_loadd(3, s3.from, s3.from_stride);
      for (Size k = 0; k < p.k; k += kSide) {
        _tile_loadd(4, b0 + k, stride);
        _tile_loadd(6, a0 + k * kSide, kRow);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, a1 + k * kSide, kRow);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, b1 + k, stride);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_stored(0, s0.to, s0.to_stride);
      _tile_stored(1, s1.to, s1.to_stride);
      _tile_stored(2, s2.to, s2.to_stride);
      _tile_stored(3, s3.to, s3.to_stride);
      s0.finish();
      s1.finish();
      s2.finish();
      s3.finish();
    }
  }
  _tile_release();
  if (!p.relu) return;
  for (Size j = 0; j < p.n; ++j)
    for (Size i = 0; i < p.m; i += kSide) {
      float* c = p.c + j * p.ldc + i;
      const __mmask16 mask = first(p.m - i);
      _mm512_mask_storeu_ps(c, mask, _mm512_max_ps(_mm512_setzero_ps(), _mm512_maskz_loadu_ps(mask, c)));  // NaN stays
    }
}

}  // namespace

const TileKernels amx_kernels = {&product, &pack<true>, &pack<false>};

}  // namespace goalpost::kernels
#ifdef __clang__
#pragma clang attribute pop
#endif
