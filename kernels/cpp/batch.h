// A batch of eggs that one worker walks together.
#pragma once

#include <algorithm>
#include <vector>

#include "threefry.h"

namespace jaxbreed::JAXBREED_SIMD {

constexpr int kBatch = 256;                 // eggs walked together
constexpr int kVectors = kBatch / kWidth;

// The crossovers of the gametes of a batch, in order, for dominance: chromosome << 24 | 2 x rank, kNobody behind the
// last one.
struct Record {
  static constexpr uint32_t kStep = 2 * kBatch;  // from one crossover of a gamete to the next
  struct Rank {
    uint32_t of;
  };
  std::vector<Rank> ranks;

  void need(int steps) {
    const size_t size = (size_t)steps * kStep;
    if (ranks.size() < size) ranks.resize(std::max(size, 2 * ranks.size()));
  }
  uint32_t* row(int step, int sex) { return &ranks[(size_t)step * kStep + (size_t)sex * kBatch].of; }
};

// The ranks of slots. Where no loci share a place the rank of a slot is its number.
class Ranks {
 public:
  Ranks(const Map& map, int sex)
      : table_(map.slot_rank[sex]),
        own_(map.loci > 0 && map.locus_slot[sex][map.loci - 1] == map.loci - 1 + map.locus_chromosome[map.loci - 1]) {}

  Word of(Word slot, Word chromosome) const { return own_ ? chromosome << 24 | slot << 1 : gather(table_, slot); }

 private:
  const uint32_t* table_;
  bool own_;
};

struct Lanes {
  Int of;
};

// Reusable memory of one worker.
struct Batch {
  int vectors;                                     // in use, a multiple of kTogether
  Word egg[kVectors];
  Word phases[2][kMaxChromosomes / 32][kVectors];  // [gamete][word][vector]
  std::vector<Lanes> values;                       // [column][vector]
  std::vector<Lanes> changes;                      // the same, of the gametes being walked, in their order
  Record record;

  Int* column(int c) { return &values[(size_t)c * kVectors].of; }
  Int* change(int c) { return &changes[(size_t)c * kVectors].of; }
};

inline void draw_phases(const Map& map, Key key, Batch& batch) {
  for (int sex = 0; sex < 2; ++sex) {
    for (int block = 0; block < (map.chromosomes + 63) / 64; ++block) {
      threefry_all(key, kPhases + (sex ? kSire : 0u) + block, batch.egg, batch.vectors,
                   batch.phases[sex][2 * block], batch.phases[sex][2 * block + 1]);
    }
  }
}

// 0, or -1 where the gamete starts the chromosome on the second haplotype.
inline Int start_phase(const Word (*phases)[kVectors], int chromosome, int v) {
  return -(Int)((phases[chromosome / 32][v] >> (chromosome % 32)) & 1u);
}
inline Word phase_at(const Word (*phases)[kVectors], int words, Word chromosome, int v) {
  Word phase = phases[0][v];
  for (int w = 1; w < words; ++w) {
    const Word here = (Word)((chromosome >> 5) == (uint32_t)w);
    phase = (phases[w][v] & here) | (phase & ~here);
  }
  return phase >> (chromosome & 31u);
}

}  // namespace jaxbreed::JAXBREED_SIMD
