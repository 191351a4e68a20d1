// Hatching a gamete: see hatch.py, which is the specification.
#pragma once

#include "mutation.h"

namespace jaxbreed::JAXBREED_SIMD {

inline void gamete(const Tables& tables, const Map& map, Key key, uint32_t egg, int sex, const uint8_t* parent,
                   uint8_t* out) {
  Crossovers crossovers(tables, map, key, egg, sex);
  uint32_t next = crossovers.next_rank();
  const Phases phases(map, key, egg, sex);
  int from = 0;
  for (int chromosome = 0; chromosome < map.chromosomes; ++chromosome) {
    int to = from;
    // Ranks count the loci and one place for the end of every chromosome.
    const uint32_t last = map.slot_rank[sex][chromosome + 1 < map.chromosomes
                                                 ? map.chromosome_slot[sex][chromosome + 1] - 1
                                                 : map.slots - 1];
    const int end = (int)((last & 0xFFFFFFu) >> 1) - chromosome;
    int phase = phases.of(chromosome);
    while (to < end) {
      const bool here = next != kNobody && (int)(next >> 24) == chromosome;
      to = here ? std::min((int)((next & 0xFFFFFFu) >> 1) - chromosome, end) : end;
      std::memcpy(out + from, parent + (size_t)phase * map.loci + from, (size_t)(to - from));
      from = to;
      if (here) {
        phase ^= 1;
        next = crossovers.next_rank();
      }
    }
    // Crossovers behind the last locus, or on a chromosome without loci, change nothing.
    while (next != kNobody && (int)(next >> 24) == chromosome) next = crossovers.next_rank();
  }
  if (map.thresholds == 0) return;
  const Mutations mutations(map, key, egg);
  for (int i = 0; i < mutations.count[sex]; ++i) out[mutations.locus[sex][i]] ^= 1;
}

// See Kernels::draw_words.
inline uint32_t draw_words(const Tables& tables, const Map& map, Key key, const uint32_t* eggs, int64_t count) {
  (void)tables;
  // As many blocks as hold the crossovers of a gamete on average, and the gap that leads past the map's end.
  Word sum = words(0);
  for (int64_t from = 0; from + kTogether * kWidth <= count; from += kTogether * kWidth) {
    for (int sex = 0; sex < 2; ++sex) {
      const int blocks = (map.end[sex] / (1 << 20) + kGaps) / kGaps;
      for (int block = 0; block < blocks; ++block) {
        Word low[kTogether], high[kTogether];
        std::memcpy(low, eggs + from, sizeof low);
        threefry<kTogether>(key, kCrossovers + (sex ? kSire : 0u) + block, low, high);
        for (int i = 0; i < kTogether; ++i) sum += low[i] ^ high[i];
      }
    }
  }
  uint32_t total = 0;
  for (int i = 0; i < kWidth; ++i) total += sum[i];
  return total;
}

}  // namespace jaxbreed::JAXBREED_SIMD
