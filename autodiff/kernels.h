// Matrix products on floats for processors with AVX2 or AVX-512, below gemm.h; chosen when the program runs.
// Nothing else of the library is included: these files are compiled for instruction sets that the processor may lack.
#pragma once

#include <cstddef>

namespace goalpost::kernels {

/// C = A B, or C += A B; all entries of C are sums in order of k, started at 0 or the bias, with one rounding per
/// multiplication and addition. So a part of the columns may be computed alone, and gives the same bits.
struct Product {
  const float* a;  ///< [m x k], column i at a + i lda
  std::ptrdiff_t lda;
  const float* b;  ///< [k x n], entry (i, j) at b + i b_row + j b_column
  std::ptrdiff_t b_row, b_column;
  float* c;  ///< [m x n], column j at c + j ldc
  std::ptrdiff_t ldc;
  std::ptrdiff_t m, n, k;
  bool add;           ///< C += A B
  const float* bias;  ///< [m], added to every column before relu; or null
  bool relu;          ///< C = max(0, A B + bias)
};

/// C (m x n, column j at c + j ldc) = Aᵀ B, with a and b stored by columns of length k: for small m.
/// Entries are sums of 16 or 8 partial sums over k, in a fixed order.
struct DotProduct {
  const float* a;
  std::ptrdiff_t lda;
  const float* b;
  std::ptrdiff_t ldb;
  float* c;
  std::ptrdiff_t ldc;
  std::ptrdiff_t m, n, k;
  const float* bias;  ///< [m], or null
  bool relu;
};

struct Kernels {
  const char* name;
  void (*product)(const Product&);
  void (*dot_product)(const DotProduct&);
  /// to [cols x rows] = fromᵀ [rows x cols], leading dimensions ld_from and ld_to
  void (*transpose)(const float* from, std::ptrdiff_t ld_from, std::ptrdiff_t rows, std::ptrdiff_t cols, float* to,
                    std::ptrdiff_t ld_to);
};

extern const Kernels avx2_kernels, avx512_kernels;

/// The fastest set of this processor; null if it supports none. The environment variable
/// GOALPOST_KERNELS = AMX (AVX-512 with tiles for bfloat16), AVX-512, AVX2 or Eigen, in upper or lower case, chooses
/// another set, e.g. for the bits of an older processor. @throws UsageError if the name is unknown or this processor
/// lacks the set
const Kernels* best();
/// Name of best(): one of those above.
const char* name_of_best();

/// x = high + low, with an error of at most 2^-16 |x|: x rounded to bfloat16, and the remainder, rounded too.
enum class Term { high, low };

/// Products of pairs of bfloat16 numbers. A pair takes the memory of a float and holds two neighbors in the order of
/// summation; if their number is odd, the last pair holds a zero.
struct PairKernels {
  /// As Kernels::product, where a and b hold pairs, k counts pairs, and c and bias are float32, as the sums are.
  void (*product)(const Product&);
  /// to [rows x (cols + 1) / 2]: pairs of neighboring columns
  void (*pair_columns)(const float* from, std::ptrdiff_t ld_from, std::ptrdiff_t rows, std::ptrdiff_t cols, Term term,
                       float* to, std::ptrdiff_t ld_to);
  /// to [(rows + 1) / 2 x cols]: pairs of neighboring rows
  void (*pair_rows)(const float* from, std::ptrdiff_t ld_from, std::ptrdiff_t rows, std::ptrdiff_t cols, Term term,
                    float* to, std::ptrdiff_t ld_to);
};

extern const PairKernels avx512_bfloat16_kernels;

/// Null if this processor has no instructions for bfloat16.
const PairKernels* best_for_pairs();

/// C = A B, or C += A B, of pairs of bfloat16 numbers in tiles (AMX). Entries of C are sums in order of k, started at
/// 0, the bias, or what C holds. So a part of the columns may be computed alone, and gives the same bits.
/// Factors are padded to whole tiles with zeros.
struct TileProduct {
  const float* a;  ///< blocks of kTileSide rows, [kTileSide x k] each, one after the other
  const float* b;  ///< [k x n], column j at b + j ldb
  std::ptrdiff_t ldb;
  float* c;  ///< [m x n], column j at c + j ldc
  std::ptrdiff_t ldc;
  std::ptrdiff_t m, n, k;  ///< k counts pairs, and is a multiple of kTileSide
  bool add;
  const float* bias;  ///< [m], added to every column before relu; or null
  bool relu;
};
inline constexpr std::ptrdiff_t kTileSide = 16;

/// A factor of k terms for each of m entries of the product, to be packed for TileProduct.
struct Packing {
  const float* from;
  std::ptrdiff_t ld, m, k;
  bool across;  ///< stored as [m x k], not [k x m]
  float* to;
  std::ptrdiff_t ld_to;  ///< floats between two blocks of A, or columns of B
};

struct TileKernels {
  void (*product)(const TileProduct&);
  void (*pack_left)(const Packing&, Term);   ///< as TileProduct::a
  void (*pack_right)(const Packing&, Term);  ///< as TileProduct::b
};

extern const TileKernels amx_kernels;

/// Null if this processor has no tiles, the system does not let programs use them, or GOALPOST_KERNELS names another
/// set.
const TileKernels* best_for_tiles();

}  // namespace goalpost::kernels
