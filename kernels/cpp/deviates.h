// Gaps between crossovers and normal deviates from random words, by integer tables: see quantiles.py.
//
// Python finds the octave of a word by counting leading zeros. Not every instruction set can count them in vectors, so
// here it is read off the exponent of the word as a float, which is exact for the 22 bits of a gap.
#pragma once

#include "simd.h"

namespace jaxbreed::JAXBREED_SIMD {

constexpr int kLn2 = 726817;  // ln 2 in units of 2**-20
constexpr int kSlopeOffset = 2048;
constexpr int kRenewalOctaves = 21, kRenewalKnots = 33;
constexpr int kNormalKnots = 65;
constexpr uint32_t kGapMask = (1u << 21) - 1;

inline Int exponential_gap(const uint32_t* table, Word word) {
  const Word bits = float_bits((word << 1) | 1u);
  const Word entry = gather(table, (bits >> 15) & 0xFFu);
  const Int octaves = 127 + 21 - (Int)(bits >> 23);
  const Int slope = (Int)(entry & 0xFFFu) + kSlopeOffset;
  const Int fraction = (Int)((bits >> 3) & 0xFFFu);
  return octaves * kLn2 + (Int)(entry >> 12) - (multiply_small(slope, fraction) >> 12);
}

// Where a word lies in the table of distances from a chromosome's start; those from a crossover follow behind.
constexpr uint32_t kAfterCrossover = 2 * kRenewalOctaves * kRenewalKnots;
struct RenewalPlace {
  Word entry;
  Int fraction;
};
inline RenewalPlace renewal_place(Word word) {
  const Word side = word >> 20;
  const Word rest = (word ^ (0u - side)) & ((1u << 20) - 1);
  const Word bits = float_bits((rest << 1) | 1u);
  const Word octave = 127 + 20 - (bits >> 23);
  const Word row = side * (uint32_t)kRenewalOctaves + octave;
  return {row * (uint32_t)kRenewalKnots + ((bits >> 18) & 31u), (Int)((bits >> 6) & 0xFFFu)};
}
inline Int renewal_gap(const int32_t* table, RenewalPlace place, Word after) {
  Word here, there;
  gather_pair<1>(table, place.entry + after, here, there);
  return (Int)here + ((((Int)there - (Int)here) * place.fraction) >> 12);
}

inline Int normal_deviate(const int32_t* table, Word word) {
  const Word odd = (word << 1) | 1u;
  // The 31 bits above the last one, as a float. Clearing the bit below each set bit keeps the leading one and keeps
  // the conversion from rounding up to the next power of two; none of the 31 set leaves the exponent 0.
  const Word upper = odd >> 1;
  const Word exponent = float_bits(upper & ~(upper >> 1)) >> 23;
  const Word none = (Word)(upper == 0u);
  const Word zeros = (~none & (127 + 30 - exponent)) | (none & 31u);
  const Word mantissa = odd << zeros;
  const Word at = zeros * (uint32_t)kNormalKnots + ((mantissa >> 25) & 63u);
  const Int fraction = (Int)((mantissa >> 13) & 0xFFFu);
  Word here, there;
  gather_pair<1>(table, at, here, there);
  const Int size = (Int)here - ((((Int)here - (Int)there) * fraction) >> 12);
  const Int sign = (Int)word >> 31;
  return (size ^ sign) - sign;
}

}  // namespace jaxbreed::JAXBREED_SIMD
