// Hatching a gamete: see hatch.py, which is the specification.
#pragma once

#include "walk.h"

namespace jaxbreed::JAXBREED_SIMD {

// The crossovers of one gamete, drawn a vector of blocks at a time.
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
      const int32_t position = position_ + renewal_gap(map_.renewal, one, ints(state_))[0];
      state_ = position < border;
      position_ = state_ ? position : border;
      if (state_) return position_;
      arm_ = std::min(arm_ + 1, map_.arms - 1);
    }
    return end;
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
  int32_t position_ = 0, state_ = 0;
};

inline void gamete(const Tables& tables, const Map& map, Key key, uint32_t egg, int sex, const uint8_t* parent,
                   uint8_t* out) {
  Crossovers crossovers(tables, map, key, egg, sex);
  const auto crossing = [&] {
    const int32_t position = crossovers.next();
    if (position >= map.end[sex]) return kNobody;
    const uint32_t sub = (uint32_t)position >> map.sub_shift;
    const uint32_t* cell = map.cell[sex] + 2 * (size_t)(sub >> 5);
    const uint32_t slot = (cell[1] >> 8) + (uint32_t)__builtin_popcount(cell[0] & ((2u << (sub & 31u)) - 1u));
    return map.slot_rank[sex][slot];
  };
  uint32_t next = crossing();
  Word phases[kMaxChromosomes / 32];  // lane 0
  for (int block = 0; block < (map.chromosomes + 63) / 64; ++block) {
    Word a[1] = {words(egg)}, b[1];
    threefry<1>(key, kPhases + (sex ? kSire : 0u) + block, a, b);
    phases[2 * block] = a[0], phases[2 * block + 1] = b[0];
  }
  int from = 0;
  for (int chromosome = 0; chromosome < map.chromosomes; ++chromosome) {
    int to = from;
    // Ranks count the loci and one place for the end of every chromosome.
    const uint32_t last = map.slot_rank[sex][chromosome + 1 < map.chromosomes
                                                 ? map.chromosome_slot[sex][chromosome + 1] - 1
                                                 : map.slots - 1];
    const int end = (int)((last & 0xFFFFFFu) >> 1) - chromosome;
    int phase = (int)(phases[chromosome / 32][0] >> (chromosome % 32)) & 1;
    while (to < end) {
      const bool here = next != kNobody && (int)(next >> 24) == chromosome;
      to = here ? std::min((int)((next & 0xFFFFFFu) >> 1) - chromosome, end) : end;
      std::memcpy(out + from, parent + (size_t)phase * map.loci + from, (size_t)(to - from));
      from = to;
      if (here) {
        phase ^= 1;
        next = crossing();
      }
    }
    // Crossovers behind the last locus, or on a chromosome without loci, change nothing.
    while (next != kNobody && (int)(next >> 24) == chromosome) next = crossing();
  }
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
