// Suffix tables of a family: see suffix.py, which is the specification.
#pragma once

#include <algorithm>

#include "simd.h"
#include "views.h"

namespace jaxbreed::JAXBREED_SIMD {

constexpr int kLociTogether = 1024;

// Adds up `change(first locus, count, out)` from the last locus to the first, anew on every chromosome, and hands every
// sum to `keep(locus, sum)`. The changes of a stretch of loci are worked out together, so that they fit vectors.
template <typename Change, typename Keep>
inline void add_suffixes(const Map& map, const Change& change, const Keep& keep) {
  uint32_t changes[kLociTogether], sum = 0;
  int32_t chromosome = -1;
  const int32_t* const chromosomes = map.locus_chromosome;
  for (int64_t end = map.loci; end > 0;) {
    const int64_t from = std::max<int64_t>(0, end - kLociTogether);
    change(from, end - from, changes);
    for (int64_t locus = end - 1; locus >= from; --locus) {
      sum = (chromosomes[locus] == chromosome ? sum : 0) + changes[locus - from];
      chromosome = chromosomes[locus];
      keep(locus, (int32_t)sum);
    }
    end = from;
  }
}

// One gamete's table of one column: jump[slot * columns].
inline void fill_jumps(const Map& map, int sex, int columns, const int32_t* effects, const int32_t* dominance,
                       const uint8_t* haplotypes, int32_t* jump) {
  const int64_t loci = map.loci;
  const uint8_t *const mine = haplotypes + 2 * sex * loci, *const other = haplotypes + 2 * (1 - sex) * loci;
  const int32_t* const slot = map.locus_slot[sex];
  // Of loci that share a slot the first comes last and stays.
  const auto keep = [=](int64_t locus, int32_t sum) { jump[(int64_t)slot[locus] * columns] = sum; };
  add_suffixes(
      map,
      [=](int64_t from, int64_t count, uint32_t* out) {
        for (int64_t i = 0; i < count; ++i) {
          out[i] = (uint32_t)effects[from + i] * (uint32_t)(mine[loci + from + i] - mine[from + i]);
        }
        if (!dominance) return;
        for (int64_t i = from; i < from + count; ++i) {
          const int first = mine[i], second = mine[loci + i], base = other[i];
          const int half = -(second - first) * (other[loci + i] - base);
          out[i - from] += (uint32_t)dominance[i] * (uint32_t)((second ^ base) - (first ^ base) + half);
        }
      },
      keep);
}

// The pair table of one column: pair[rank * columns].
inline void fill_pairs(const Map& map, int columns, const int32_t* dominance, const uint8_t* haplotypes,
                       int32_t* pair) {
  const int64_t loci = map.loci;
  const int32_t* const chromosome = map.locus_chromosome;
  add_suffixes(
      map,
      [=](int64_t from, int64_t count, uint32_t* out) {
        for (int64_t i = from; i < from + count; ++i) {
          const int dam = haplotypes[loci + i] - haplotypes[i];
          const int sire = haplotypes[3 * loci + i] - haplotypes[2 * loci + i];
          out[i - from] = (uint32_t)dominance[i] * (uint32_t)(dam * sire);
        }
      },
      [=](int64_t locus, int32_t sum) { pair[(locus + chromosome[locus]) * columns] = sum; });
}

// Value of the egg with the first haplotypes of both parents, in one column.
inline int32_t first_haplotypes(const Map& map, int32_t intercept, const int32_t* effects, const int32_t* dominance,
                                const uint8_t* haplotypes) {
  const int64_t loci = map.loci;
  uint32_t sum = (uint32_t)intercept;
  for (int64_t i = 0; i < loci; ++i) sum += (uint32_t)effects[i] * (uint32_t)(haplotypes[i] + haplotypes[2 * loci + i]);
  if (!dominance) return (int32_t)sum;
  for (int64_t i = 0; i < loci; ++i) {
    sum += (uint32_t)dominance[i] * (uint32_t)(haplotypes[i] ^ haplotypes[2 * loci + i]);
  }
  return (int32_t)sum;
}

}  // namespace jaxbreed::JAXBREED_SIMD
