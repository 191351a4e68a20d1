// The sweep of a range of eggs: who lives, what they are worth, the best of each sex and the sums. See sweep.py,
// fate.py, topk.py and moments.py, which are the specification.
#pragma once

#include "partial.h"
#include "score.h"

namespace jaxbreed::JAXBREED_SIMD {

constexpr int kMaxTraits = 64;

inline Int survives(Word fate, uint32_t threshold) { return (Int)(fate <= threshold); }

// The environment's share of every trait's phenotype.
inline void add_environment(const Tables& tables, const Assay& assay, Key key, Batch& batch, Lanes* phenotype) {
  const int traits = assay.traits;
  Word low[kVectors], high[kVectors];
  Int deviate[kMaxTraits][kVectors];
  for (int block = 0; 2 * block < traits; ++block) {
    threefry_all(key, kNoise + block, batch.egg, batch.vectors, low, high);
    for (int v = 0; v < batch.vectors; ++v) {
      deviate[2 * block][v] = normal_deviate(tables.normal, low[v]) >> 8;
      if (2 * block + 1 < traits) deviate[2 * block + 1][v] = normal_deviate(tables.normal, high[v]) >> 8;
    }
  }
  for (int trait = 0; trait < traits; ++trait) {
    const int shift = assay.shift[trait] - 12;
    for (int v = 0; v < batch.vectors; ++v) {
      Int total = ints(0);
      for (int other = 0; other < traits; ++other) total += assay.mantissa[trait * traits + other] * deviate[other][v];
      phenotype[trait * kVectors + v].of += shift > 0 ? total << shift : total >> -shift;
    }
  }
}

// Sums of q = (value - centre) / 2**unit, rounded and cut off, and of products of two.
inline void add_moments(const Assay& assay, const int32_t* centre, int eggs, Int* const* values, Partial& partial) {
  const int variables = 2 * assay.traits;
  constexpr int32_t kLargest = (1 << 14) - 1;
  static thread_local std::vector<Lanes> storage;
  std::vector<Lanes>& scratch = storage;
  scratch.resize((size_t)variables * kVectors);
  for (int a = 0; a < variables; ++a) {
    int32_t* q = reinterpret_cast<int32_t*>(&scratch[(size_t)a * kVectors].of);
    const int shift = assay.unit[a];
    const int32_t half = (int32_t)((1u << shift) >> 1) - centre[a];
    for (int v = 0; v < (eggs + kWidth - 1) / kWidth; ++v) {
      Int x = (values[a][v] + half) >> shift;
      x = smaller(x, ints(kLargest));
      x = x < -kLargest ? ints(-kLargest) : x;
      store(q + v * kWidth, x);
    }
    int64_t sum = 0;
    for (int i = 0; i < eggs; ++i) sum += q[i];
    partial.first[a] += sum;
    for (int b = 0; b <= a; ++b) {
      const int32_t* other = reinterpret_cast<int32_t*>(&scratch[(size_t)b * kVectors].of);
      int64_t product = 0;
      for (int i = 0; i < eggs; ++i) product += (int64_t)q[i] * other[i];
      partial.product[a * variables + b] += product;
    }
  }
  partial.count += eggs;
}

// Measures the first `eggs` of the batch, whose values are known, and remembers the best and the sums.
inline void measure(const Tables& tables, const Assay& assay, const int32_t* centre, Key key, int eggs, Batch& batch,
                    Partial& partial) {
  const int traits = assay.traits;
  static thread_local std::vector<Lanes> phenotypes;
  std::vector<Lanes>& phenotype = phenotypes;
  phenotype.assign(batch.values.begin(), batch.values.begin() + (size_t)traits * kVectors);
  add_environment(tables, assay, key, batch, phenotype.data());
  Int* values[2 * kMaxTraits];
  for (int trait = 0; trait < traits; ++trait) {
    values[trait] = batch.column(trait);
    values[traits + trait] = &phenotype[(size_t)trait * kVectors].of;
  }
  add_moments(assay, centre, eggs, values, partial);
  if (assay.kept == 0) return;

  Word low[kVectors], high[kVectors];
  if (assay.alternate_sexes) {
    for (int v = 0; v < batch.vectors; ++v) high[v] = batch.egg[v];
  } else {
    threefry_all(key, kFate, batch.egg, batch.vectors, low, high);
  }
  Word lane;
  for (int i = 0; i < kWidth; ++i) lane[i] = i;
  for (int v = 0; v * kWidth < eggs; ++v) {
    Int index = ints(0);
    for (int trait = 0; trait < traits; ++trait) {
      const Int value = values[traits + trait][v];
      const int32_t weight = assay.weight[trait];
      index += (value >> 15) * weight + (((value & 0x7FFF) * weight) >> 15);
    }
    const Int rank = index + (1 << 30);
    const Int valid = (Int)(lane + (uint32_t)(v * kWidth) < (uint32_t)eggs);
    const Int male = -(Int)(high[v] & 1u);
    for (int sex = 0; sex < 2; ++sex) {
      Best& best = partial.best[sex];
      const Int good = (rank >= ints(best.least_rank())) & valid & (sex ? male : ~male);
      for (uint32_t bits = lane_bits(good); bits; bits &= bits - 1) {
        const int i = __builtin_ctz(bits);
        best.offer(rank[i], batch.egg[v][i]);
      }
    }
  }
}

// Moves the eggs of the batch for which `chosen` is set to the front, with their values. Returns how many.
inline int keep_chosen(const Int* chosen, int eggs, int columns, Batch& batch) {
  int kept = 0;
  uint32_t* egg = reinterpret_cast<uint32_t*>(batch.egg);
  for (int i = 0; i < eggs; ++i) {
    if (!chosen[i / kWidth][i % kWidth]) continue;
    const uint32_t number = egg[i];
    egg[kept] = number;
    for (int c = 0; c < columns; ++c) {
      int32_t* values = reinterpret_cast<int32_t*>(batch.column(c));
      const int32_t value = values[i];
      values[kept] = value;
    }
    ++kept;
  }
  return kept;
}

// Fills up a batch of `eggs` eggs to whole groups of vectors.
inline void pad(Batch& batch, int eggs) {
  batch.vectors = vectors_for(eggs);
  uint32_t* egg = reinterpret_cast<uint32_t*>(batch.egg);
  for (int i = eggs; i < batch.vectors * kWidth; ++i) egg[i] = egg[eggs - 1];
}

// Tests eggs `from` to `to`, at most `most` of the survivors. With `only_count` nobody is tested.
inline void sweep_range(const Tables& tables, const Map& map, const Family& family, const Assay& assay,
                        const int32_t* centre, Key key, uint32_t from, uint32_t to, int64_t most, bool only_count,
                        Partial& partial) {
  static thread_local Batch storage;
  Batch& batch = storage;
  uint32_t next = from;
  uint32_t* egg = reinterpret_cast<uint32_t*>(batch.egg);
  while (next < to) {
    // Fill the batch with eggs that live so far.
    int eggs = 0;
    if (assay.screened) {
      static_assert(kBatch % (kTogether * kWidth) == 0);
      constexpr int kDrawn = kTogether * kWidth;
      while (next < to && eggs + kDrawn <= kBatch) {
        Word low[kTogether], high[kTogether];
        for (int i = 0; i < kTogether; ++i) {
          for (int l = 0; l < kWidth; ++l) low[i][l] = next + i * kWidth + l;
        }
        threefry<kTogether>(key, kFate, low, high);
        for (int i = 0; i < kTogether; ++i) {
          for (uint32_t bits = lane_bits(survives(low[i], assay.survival)); bits; bits &= bits - 1) {
            const uint32_t number = next + i * kWidth + __builtin_ctz(bits);
            if (number < to) egg[eggs++] = number;
          }
        }
        next = to - next > (uint32_t)kDrawn ? next + kDrawn : to;
      }
    } else {
      eggs = (int)std::min<uint32_t>(kBatch, to - next);
      for (int i = 0; i < eggs; ++i) egg[i] = next + i;
      next += eggs;
    }
    if (eggs == 0) continue;
    if (only_count && !assay.load) {
      partial.survivors += eggs;
      continue;
    }
    if (!assay.load) {
      partial.survivors += eggs;
      eggs = (int)std::min<int64_t>(eggs, most - partial.count);
      if (eggs <= 0) return;
    }
    pad(batch, eggs);
    score_batch(tables, map, family, key, batch);
    if (assay.load) {
      Word low[kVectors], high[kVectors];
      Int lives[kVectors];
      threefry_all(key, kFate, batch.egg, batch.vectors, low, high);
      for (int v = 0; v < batch.vectors; ++v) {
        lives[v] = exponential_gap(tables.gap, high[v] >> 11) >= batch.column(assay.traits)[v];
      }
      eggs = keep_chosen(lives, eggs, assay.traits, batch);
      partial.survivors += eggs;
      if (only_count) continue;
      eggs = (int)std::min<int64_t>(eggs, most - partial.count);
      if (eggs <= 0) continue;
      pad(batch, eggs);
    }
    measure(tables, assay, centre, key, eggs, batch, partial);
  }
}

}  // namespace jaxbreed::JAXBREED_SIMD
