// Members of the vector types: registers of 16 floats, with their masks.
static constexpr int width = 16, rows = 3, columns = 8;
using Register = __m512;
using Mask = __mmask16;
static Mask first(int count) { return static_cast<Mask>((1u << count) - 1); }
static Register load(const float* p) { return _mm512_loadu_ps(p); }
static Register load(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
static void store(float* p, Register x, Mask mask) { _mm512_mask_storeu_ps(p, mask, x); }
static Register zero() { return _mm512_setzero_ps(); }
static Register add(Register a, Register b) { return _mm512_add_ps(a, b); }
static Register max(Register a, Register b) { return _mm512_max_ps(a, b); }
