// Suffix tables of a family: see suffix.py, which is the specification.
#pragma once

#include <cstdint>

#include "views.h"

namespace jaxbreed {

// One gamete's table of one column: jump[slot * columns].
inline void fill_jumps(const Map& map, int sex, int columns, const int32_t* effects, const int32_t* dominance,
                       const uint8_t* haplotypes, int32_t* jump) {
  const int64_t loci = map.loci;
  const uint8_t* mine = haplotypes + 2 * sex * loci;
  const uint8_t* other = haplotypes + 2 * (1 - sex) * loci;
  uint32_t sum = 0;
  for (int64_t locus = loci - 1; locus >= 0; --locus) {
    if (locus == loci - 1 || map.locus_chromosome[locus] != map.locus_chromosome[locus + 1]) sum = 0;
    const int first = mine[locus], second = mine[loci + locus];
    sum += (uint32_t)effects[locus] * (uint32_t)(second - first);
    if (dominance) {
      const int half = -(second - first) * (other[loci + locus] - other[locus]);
      sum += (uint32_t)dominance[locus] * (uint32_t)((second ^ other[locus]) - (first ^ other[locus]) + half);
    }
    // Of loci that share a slot the first comes last and stays.
    jump[(int64_t)map.locus_slot[sex][locus] * columns] = (int32_t)sum;
  }
}

// The pair table of one column: pair[rank * columns].
inline void fill_pairs(const Map& map, int columns, const int32_t* dominance, const uint8_t* haplotypes,
                       int32_t* pair) {
  const int64_t loci = map.loci;
  uint32_t sum = 0;
  for (int64_t locus = loci - 1; locus >= 0; --locus) {
    const int32_t chromosome = map.locus_chromosome[locus];
    if (locus == loci - 1 || chromosome != map.locus_chromosome[locus + 1]) sum = 0;
    const int dam = haplotypes[loci + locus] - haplotypes[locus];
    const int sire = haplotypes[3 * loci + locus] - haplotypes[2 * loci + locus];
    sum += (uint32_t)dominance[locus] * (uint32_t)(dam * sire);
    pair[(locus + chromosome) * columns] = (int32_t)sum;
  }
}

// Value of the egg with the first haplotypes of both parents, in one column.
inline int32_t first_haplotypes(int64_t loci, int32_t intercept, const int32_t* effects, const int32_t* dominance,
                                const uint8_t* haplotypes) {
  uint32_t sum = (uint32_t)intercept;
  for (int64_t locus = 0; locus < loci; ++locus) {
    const int dam = haplotypes[locus], sire = haplotypes[2 * loci + locus];
    sum += (uint32_t)effects[locus] * (uint32_t)(dam + sire);
    if (dominance) sum += (uint32_t)dominance[locus] * (uint32_t)(dam ^ sire);
  }
  return (int32_t)sum;
}

}  // namespace jaxbreed
