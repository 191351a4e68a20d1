// Vectors of 32-bit words, as wide as the instruction set this file is compiled for. Everything that a compiler's own
// vectors can do is left to them; here is what they cannot: gathers, bit counts, compression and 16-bit products.
//
// The namespace is named after the instruction set: the same source is compiled several times into one library, and
// functions of one set must never be taken for those of another.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#define JAXBREED_SIMD avx512
#elif defined(__AVX2__)
#define JAXBREED_SIMD avx2
#else
#define JAXBREED_SIMD baseline
#endif

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace jaxbreed::JAXBREED_SIMD {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef uint32_t Word __attribute__((vector_size(4 * kWidth), may_alias));
typedef int32_t Int __attribute__((vector_size(4 * kWidth), may_alias));
typedef float Float __attribute__((vector_size(4 * kWidth), may_alias));

inline Word load(const uint32_t* from) {
  Word v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline Int load(const int32_t* from) {
  Int v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline void store(uint32_t* to, Word v) { std::memcpy(to, &v, sizeof v); }
inline void store(int32_t* to, Int v) { std::memcpy(to, &v, sizeof v); }

inline Word words(uint32_t value) { return Word{} + value; }
inline Int ints(int32_t value) { return Int{} + value; }

template <int kBits>
inline Word rotate_left(Word v) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  // Whole bytes turn by one shuffle instead of two shifts.
  if constexpr (kBits == 16) {
    const __m256i turn = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5,
                                          10, 11, 8, 9, 14, 15, 12, 13);
    return (Word)_mm256_shuffle_epi8((__m256i)v, turn);
  }
  if constexpr (kBits == 24) {
    const __m256i turn = _mm256_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4,
                                          9, 10, 11, 8, 13, 14, 15, 12);
    return (Word)_mm256_shuffle_epi8((__m256i)v, turn);
  }
#endif
  return (v << kBits) | (v >> (32 - kBits));
}

// table[index], lane by lane.
inline Int gather(const int32_t* table, Word index) {
#if defined(__AVX512F__)
  return (Int)_mm512_i32gather_epi32((__m512i)index, table, 4);
#elif defined(__AVX2__)
  // Eight plain loads: on some processors twice as fast as the gather instruction, on none much slower.
  const __m256i v = (__m256i)index;
  const __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
  const uint64_t i0 = _mm_cvtsi128_si64(low), i2 = _mm_extract_epi64(low, 1);
  const uint64_t i4 = _mm_cvtsi128_si64(high), i6 = _mm_extract_epi64(high, 1);
  __m128i left = _mm_cvtsi32_si128(table[(uint32_t)i0]), right = _mm_cvtsi32_si128(table[(uint32_t)i4]);
  left = _mm_insert_epi32(left, table[i0 >> 32], 1), right = _mm_insert_epi32(right, table[i4 >> 32], 1);
  left = _mm_insert_epi32(left, table[(uint32_t)i2], 2), right = _mm_insert_epi32(right, table[(uint32_t)i6], 2);
  left = _mm_insert_epi32(left, table[i2 >> 32], 3), right = _mm_insert_epi32(right, table[i6 >> 32], 3);
  return (Int)_mm256_inserti128_si256(_mm256_castsi128_si256(left), right, 1);
#else
  Int found;
  for (int lane = 0; lane < kWidth; ++lane) found[lane] = table[index[lane]];
  return found;
#endif
}
inline Word gather(const uint32_t* table, Word index) {
  return (Word)gather(reinterpret_cast<const int32_t*>(table), index);
}

// table[stride * index] and table[stride * index + 1]: neighbours come with one look-up.
template <int kStride, typename T>
inline void gather_pair(const T* table, Word index, Word& first, Word& second) {
#if defined(__AVX512F__)
  const __m512i v = (__m512i)index;
  const __m512i low = _mm512_i32gather_epi64(_mm512_castsi512_si256(v), table, 4 * kStride);
  const __m512i high = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(v, 1), table, 4 * kStride);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  first = (Word)_mm512_permutex2var_epi32(low, even, high);
  second = (Word)_mm512_permutex2var_epi32(low, odd, high);
#elif defined(__AVX2__)
  const __m256i v = (__m256i)index;
  const __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
  const uint64_t i0 = _mm_cvtsi128_si64(low), i2 = _mm_extract_epi64(low, 1);
  const uint64_t i4 = _mm_cvtsi128_si64(high), i6 = _mm_extract_epi64(high, 1);
  const auto pair = [table](uint64_t a, uint64_t b) {
    const __m128i left = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(table + kStride * a));
    return _mm_castpd_si128(
        _mm_loadh_pd(_mm_castsi128_pd(left), reinterpret_cast<const double*>(table + kStride * b)));
  };
  // Lanes 0 1 | 4 5 and 2 3 | 6 7, so that one shuffle each puts all lanes in their places.
  const __m256i outer = _mm256_inserti128_si256(_mm256_castsi128_si256(pair((uint32_t)i0, i0 >> 32)),
                                                pair((uint32_t)i4, i4 >> 32), 1);
  const __m256i inner = _mm256_inserti128_si256(_mm256_castsi128_si256(pair((uint32_t)i2, i2 >> 32)),
                                                pair((uint32_t)i6, i6 >> 32), 1);
  first = (Word)_mm256_shuffle_ps((__m256)outer, (__m256)inner, 0x88);
  second = (Word)_mm256_shuffle_ps((__m256)outer, (__m256)inner, 0xDD);
#else
  for (int lane = 0; lane < kWidth; ++lane) {
    first[lane] = (uint32_t)table[(size_t)kStride * index[lane]];
    second[lane] = (uint32_t)table[(size_t)kStride * index[lane] + 1];
  }
#endif
}

// Ones in each word.
inline Word count_ones(Word v) {
#if defined(__AVX512VPOPCNTDQ__)
  return (Word)_mm512_popcnt_epi32((__m512i)v);
#elif defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2,
                                        3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(15), x = (__m256i)v;
  const __m256i low = _mm256_shuffle_epi8(ones, _mm256_and_si256(x, nibble));
  const __m256i high = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), _mm256_set1_epi8(1));
  return (Word)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#else
  v = v - ((v >> 1) & 0x55555555u);
  v = (v & 0x33333333u) + ((v >> 2) & 0x33333333u);
  v = (v + (v >> 4)) & 0x0F0F0F0Fu;
  return (v * 0x01010101u) >> 24;
#endif
}

// Products of numbers below 2**15.
inline Int multiply_small(Int a, Int b) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  return (Int)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
  return a * b;
#endif
}

inline Int smaller(Int a, Int b) { return a < b ? a : b; }

// Bit pattern of a number as a float: the exponent (bits 23-30) is the binary logarithm plus 127, the mantissa below
// it what follows the leading one. Exact for numbers below 2**24.
inline Word float_bits(Word v) { return (Word)__builtin_convertvector((Int)v, Float); }

// A bit for each lane that is not zero. `v` holds 0 or -1.
inline uint32_t lane_bits(Int v) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)v, (__m512i)v);
#elif defined(__AVX2__)
  return (uint32_t)_mm256_movemask_ps((__m256)v);
#else
  uint32_t bits = 0;
  for (int lane = 0; lane < kWidth; ++lane) bits |= (uint32_t)(v[lane] & 1) << lane;
  return bits;
#endif
}

// Stores the lanes chosen by `bits` one behind the other; writes a whole vector. Returns how many.
inline int store_chosen(uint32_t* to, Word v, uint32_t bits) {
#if defined(__AVX512F__)
  store(to, (Word)_mm512_maskz_compress_epi32((__mmask16)bits, (__m512i)v));
#elif defined(__AVX2__) && defined(__BMI2__)
  const uint64_t bytes = _pdep_u64(bits, 0x0101010101010101u) * 0xFFu;
  const __m128i order = _mm_cvtsi64_si128((long long)_pext_u64(0x0706050403020100u, bytes));
  store(to, (Word)_mm256_permutevar8x32_epi32((__m256i)v, _mm256_cvtepu8_epi32(order)));
#else
  Word kept{};
  for (int lane = 0, at = 0; lane < kWidth; ++lane) {
    if (bits >> lane & 1) kept[at++] = v[lane];
  }
  store(to, kept);
#endif
  return __builtin_popcount(bits);
}

inline bool any(Int v) { return lane_bits(v) != 0; }

}  // namespace jaxbreed::JAXBREED_SIMD
