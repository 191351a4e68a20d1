// Threefry-2x32 of 20 rounds: see threefry.py.
#pragma once

#include "simd.h"
#include "views.h"

namespace jaxbreed::JAXBREED_SIMD {

template <int kBits, int kVectors>
inline __attribute__((always_inline)) void mix(Word (&a)[kVectors], Word (&b)[kVectors]) {
  for (int i = 0; i < kVectors; ++i) {
    a[i] += b[i];
    b[i] = rotate_left<kBits>(b[i]) ^ a[i];
  }
}

template <int kVectors>
inline __attribute__((always_inline)) void inject(Word (&a)[kVectors], Word (&b)[kVectors], uint32_t left,
                                                  uint32_t right) {
  for (int i = 0; i < kVectors; ++i) {
    a[i] += left;
    b[i] += right;
  }
}

// Hashes (egg, purpose) of several vectors side by side: one alone would wait for its own results. In: egg numbers in
// `a`. Out: the two words.
template <int kVectors>
inline __attribute__((always_inline)) void threefry(Key key, uint32_t purpose, Word (&a)[kVectors],
                                                    Word (&b)[kVectors]) {
  const uint32_t k0 = key.word[0], k1 = key.word[1], k2 = k0 ^ k1 ^ 0x1BD11BDAu;
  for (int i = 0; i < kVectors; ++i) {
    a[i] += k0;
    b[i] = words(purpose + k1);
  }
  mix<13>(a, b), mix<15>(a, b), mix<26>(a, b), mix<6>(a, b);
  inject(a, b, k1, k2 + 1);
  mix<17>(a, b), mix<29>(a, b), mix<16>(a, b), mix<24>(a, b);
  inject(a, b, k2, k0 + 2);
  mix<13>(a, b), mix<15>(a, b), mix<26>(a, b), mix<6>(a, b);
  inject(a, b, k0, k1 + 3);
  mix<17>(a, b), mix<29>(a, b), mix<16>(a, b), mix<24>(a, b);
  inject(a, b, k1, k2 + 4);
  mix<13>(a, b), mix<15>(a, b), mix<26>(a, b), mix<6>(a, b);
  inject(a, b, k2, k0 + 5);
}

constexpr int kTogether = 4;  // vectors hashed side by side

// Both words of one purpose for a whole batch. `low` and `high` hold a multiple of kTogether vectors.
inline void threefry_all(Key key, uint32_t purpose, const Word* eggs, int vectors, Word* low, Word* high) {
  for (int from = 0; from < vectors; from += kTogether) {
    Word a[kTogether], b[kTogether];
    for (int i = 0; i < kTogether; ++i) a[i] = eggs[from + i];
    threefry<kTogether>(key, purpose, a, b);
    for (int i = 0; i < kTogether; ++i) low[from + i] = a[i], high[from + i] = b[i];
  }
}

}  // namespace jaxbreed::JAXBREED_SIMD
