// Scores of a batch of eggs: see score.py, which is the specification.
#pragma once

#include "mutation.h"
#include "pairs.h"
#include "renewal.h"
#include "walk.h"

namespace jaxbreed::JAXBREED_SIMD {

// What the start phases alone add to every column.
inline void add_starts(const Map& map, const Family& family, Batch& batch) {
  for (int sex = 0; sex < 2; ++sex) {
    for (int column = 0; column < family.columns; ++column) {
      Int* values = batch.column(column);
      for (int chromosome = 0; chromosome < map.chromosomes; ++chromosome) {
        const int32_t whole = family.jump[sex][(size_t)map.chromosome_slot[sex][chromosome] * family.columns + column];
        if (whole == 0) continue;
        for (int v = 0; v < batch.vectors; ++v) values[v] += start_phase(batch.phases[sex], chromosome, v) & whole;
      }
    }
  }
}

template <int kColumns, bool kRecord>
void walk_both(const Tables& tables, const Map& map, const Family& family, Key key, Batch& batch) {
  for (int sex = 0; sex < 2; ++sex) {
    if (map.renewal) {
      walk_with_interference<kColumns, kRecord>(map, family, key, sex, batch);
    } else {
      walk_gamete<kColumns, kRecord>(tables, map, family, key, sex, batch);
    }
  }
  if constexpr (kRecord) add_pairs<kColumns>(map, family, batch);
}

// What mutations change, of the few eggs that have any.
inline void add_mutations(const Tables& tables, const Map& map, const Family& family, Key key, Batch& batch) {
  Word low[kVectors], high[kVectors];
  threefry_all(key, kMutations, batch.egg, batch.vectors, low, high);
  for (int v = 0; v < batch.vectors; ++v) {
    for (uint32_t bits = lane_bits(mutates(map, low[v], high[v])); bits; bits &= bits - 1) {
      const int lane = __builtin_ctz(bits);
      follow_mutations(tables, map, family, key, batch.egg[v][lane], [&](int column, int32_t change) {
        reinterpret_cast<int32_t*>(batch.column(column))[v * kWidth + lane] += change;
      });
    }
  }
}

// Scores the eggs in `batch.egg`; results in `batch.column(...)`.
inline void score_batch(const Tables& tables, const Map& map, const Family& family, Key key, Batch& batch) {
  batch.values.resize((size_t)family.columns * kVectors);
  batch.changes.resize((size_t)family.columns * kVectors);
  for (int column = 0; column < family.columns; ++column) {
    for (int v = 0; v < batch.vectors; ++v) batch.column(column)[v] = ints(family.start[column]);
  }
  draw_phases(map, key, batch);
  add_starts(map, family, batch);
  const bool pairs = family.pair != nullptr;
  switch (family.columns) {
    case 1:
      pairs ? walk_both<1, true>(tables, map, family, key, batch) : walk_both<1, false>(tables, map, family, key, batch);
      break;
    case 2:
      pairs ? walk_both<2, true>(tables, map, family, key, batch) : walk_both<2, false>(tables, map, family, key, batch);
      break;
    default:
      pairs ? walk_both<0, true>(tables, map, family, key, batch) : walk_both<0, false>(tables, map, family, key, batch);
  }
  if (map.thresholds) add_mutations(tables, map, family, key, batch);
}

// Vectors needed for so many eggs.
inline int vectors_for(int eggs) {
  const int vectors = (eggs + kWidth - 1) / kWidth;
  return (vectors + kTogether - 1) / kTogether * kTogether;
}

}  // namespace jaxbreed::JAXBREED_SIMD
