// De novo mutations of single eggs: see mutation.py and mutants.py, which are the specification.
#pragma once

#include "crossovers.h"

namespace jaxbreed::JAXBREED_SIMD {

constexpr int kMaxMutations = 128;  // of a gamete

inline Int mutates(const Map& map, Word low, Word high) {
  const uint32_t least = map.threshold[0];
  return (Int)(low >= words(least)) | (Int)(high >= words(least));
}

// The mutations of an egg's gametes at loci of the map, in order.
struct Mutations {
  int count[2] = {0, 0};
  int32_t locus[2][kMaxMutations];

  Mutations(const Map& map, Key key, uint32_t egg) {
    Word low[1] = {words(egg)}, high[1];
    threefry<1>(key, kMutations, low, high);
    for (int sex = 0; sex < 2; ++sex) {
      const uint32_t word = sex ? high[0][0] : low[0][0];
      for (int i = 0; i < map.thresholds && word >= map.threshold[i]; ++i) {
        Word even[1] = {words(egg)}, odd[1];
        threefry<1>(key, kMutations + (sex ? kSire : 0u) + 1 + i / 2, even, odd);
        const uint32_t where = i % 2 ? odd[0][0] : even[0][0];
        const int32_t at = map.site_locus[(uint64_t)where * map.sites >> 32];
        if ((uint32_t)at < (uint32_t)map.loci) locus[sex][count[sex]++] = at;
      }
    }
  }

  // How many of the first `some` of a gamete hit a locus.
  int hits(int sex, int some, int32_t at) const { return (int)std::count(locus[sex], locus[sex] + some, at); }
};

// Which haplotype a gamete carries at a locus.
inline int carried(const Tables& tables, const Map& map, Key key, uint32_t egg, int sex, int32_t locus) {
  const int32_t chromosome = map.locus_chromosome[locus];
  const uint32_t rank = (uint32_t)chromosome << 24 | (uint32_t)(locus + chromosome) << 1;
  Crossovers crossovers(tables, map, key, egg, sex);
  int haplotype = Phases(map, key, egg, sex).of(chromosome);
  for (uint32_t next; (next = crossovers.next_rank()) <= rank;) haplotype ^= (int32_t)(next >> 24) == chromosome;
  return haplotype;
}

// Calls add(column, change) for what an egg's mutations change, one after the other: the dam's gamete, then the
// sire's.
template <typename Add>
inline void follow_mutations(const Tables& tables, const Map& map, const Family& family, Key key, uint32_t egg,
                             const Add& add) {
  const Mutations mutations(map, key, egg);
  const int64_t loci = map.loci;
  for (int sex = 0; sex < 2; ++sex) {
    for (int i = 0; i < mutations.count[sex]; ++i) {
      const int32_t locus = mutations.locus[sex][i];
      const auto allele = [&](int gamete, int earlier) {
        const uint8_t* parent = family.haplotypes + 2 * gamete * loci;
        const int haplotype = carried(tables, map, key, egg, gamete, locus);
        return parent[haplotype * loci + locus] ^ (mutations.hits(gamete, earlier, locus) & 1);
      };
      const int mine = allele(sex, i);
      const int other = family.dominance ? allele(1 - sex, sex ? mutations.count[0] : 0) : 0;
      for (int column = 0; column < family.columns; ++column) {
        const int64_t at = column * loci + locus;
        // The gamete's allele becomes the other one; so does homozygous or heterozygous.
        uint32_t change = (uint32_t)family.effects[at] * (uint32_t)(1 - 2 * mine);
        if (family.dominance) change += (uint32_t)family.dominance[at] * (uint32_t)(1 - 2 * (mine ^ other));
        add(column, (int32_t)change);
      }
    }
  }
}

}  // namespace jaxbreed::JAXBREED_SIMD
