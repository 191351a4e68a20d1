// The crossovers of a single gamete, for the few of which more is asked than a value.
#pragma once

#include <algorithm>

#include "deviates.h"
#include "threefry.h"

namespace jaxbreed::JAXBREED_SIMD {

// The crossovers of one gamete, one by one.
class Crossovers {
 public:
  Crossovers(const Tables& tables, const Map& map, Key key, uint32_t egg, int sex)
      : tables_(tables), map_(map), key_(key), egg_(egg), sex_(sex) {}

  // The next position, or the map's end.
  int32_t next() {
    const int32_t end = map_.end[sex_];
    while (position_ < end) {
      const uint32_t word = draw();
      Word one{};
      one[0] = word;
      if (!map_.renewal) {
        position_ = std::min(position_ + exponential_gap(tables_.gap, one)[0], end);
        return position_;
      }
      const int32_t border = map_.border[sex_][arm_];
      const int32_t position = position_ + renewal_gap(map_.renewal, renewal_place(one), words(after_))[0];
      after_ = position < border ? kAfterCrossover : 0;
      position_ = std::min(position, border);
      if (after_) return position_;
      arm_ = std::min(arm_ + 1, map_.arms - 1);
    }
    return end;
  }

  // The rank of the first slot behind the next crossover (see WalkMap.slot_rank), or kNobody.
  uint32_t next_rank() {
    const int32_t position = next();
    if (position >= map_.end[sex_]) return kNobody;
    const uint32_t sub = (uint32_t)position >> map_.sub_shift;
    const uint32_t* cell = map_.cell[sex_] + 2 * (size_t)(sub >> 5);
    const uint32_t slot = (cell[1] >> 8) + (uint32_t)__builtin_popcount(cell[0] & ((2u << (sub & 31u)) - 1u));
    return map_.slot_rank[sex_][slot];
  }

 private:
  uint32_t draw() {
    if (drawn_ % kGaps == 0) {
      Word a[1] = {words(egg_)}, b[1];
      threefry<1>(key_, kCrossovers + (sex_ ? kSire : 0u) + drawn_ / kGaps, a, b);
      low_ = a[0][0], high_ = b[0][0];
    }
    switch (drawn_++ % kGaps) {
      case 0:
        return low_ & kGapMask;
      case 1:
        return high_ & kGapMask;
      default:
        return (low_ >> 21) | ((high_ >> 22) << 11);
    }
  }

  const Tables& tables_;
  const Map& map_;
  Key key_;
  uint32_t egg_, low_ = 0, high_ = 0, drawn_ = 0;
  int sex_, arm_ = 0;
  int32_t position_ = 0;
  uint32_t after_ = 0;
};

// The haplotype that a gamete carries at the start of each chromosome.
class Phases {
 public:
  Phases(const Map& map, Key key, uint32_t egg, int sex) {
    for (int block = 0; block < (map.chromosomes + 63) / 64; ++block) {
      Word a[1] = {words(egg)}, b[1];
      threefry<1>(key, kPhases + (sex ? kSire : 0u) + block, a, b);
      words_[2 * block] = a[0][0], words_[2 * block + 1] = b[0][0];
    }
  }
  int of(int chromosome) const { return (int)(words_[chromosome / 32] >> (chromosome % 32)) & 1; }

 private:
  uint32_t words_[kMaxChromosomes / 32];
};

}  // namespace jaxbreed::JAXBREED_SIMD
