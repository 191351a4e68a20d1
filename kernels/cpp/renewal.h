// The walk under interference. See walk.py, which is the specification.
//
// Distances are drawn until they lead past each chromosome's end, so that only about half of them lead to a crossover.
// Those that do are listed, and the list is looked up in full vectors.
#pragma once

#include "batch.h"
#include "deviates.h"

namespace jaxbreed::JAXBREED_SIMD {

// A listed crossover: its sub-cell, its gamete's place in the batch, and whether it leads back from the second
// haplotype.
constexpr int kPlaceShift = kSubBits, kBackShift = kPlaceShift + 8;
static_assert(kBatch <= 1 << (kBackShift - kPlaceShift));

// The gametes of a batch on their way along the map.
struct Arms {
  Word egg[kVectors], place[kVectors];
  Int last[kVectors];                                      // position of the last crossover or chromosome start
  Int arm[kVectors], limit[kVectors];                      // its chromosome, among those that have a length, and its end
  Int odd[kVectors];                                       // -1 after an odd number of crossovers
  Word after[kVectors];                                    // 0 from a start, kAfterCrossover from a crossover
  Word phases[kMaxChromosomes / 32][kVectors];
  int vectors;  // in use

  // Moves the gametes that are still under way together; returns the number of vectors they fill.
  int close_ranks(int phase_words, Int end, int last_arm) {
    int lanes = 0;
    for (int v = 0; v < vectors; ++v) {
      const uint32_t on = lane_bits(last[v] < end);
      const auto move = [&](auto* array) {
        store_chosen(reinterpret_cast<uint32_t*>(array) + lanes, (Word)array[v], on);
      };
      move(egg), move(place), move(last), move(arm), move(limit), move(odd), move(after);
      for (int w = 0; w < phase_words; ++w) move(phases[w]);
      lanes += __builtin_popcount(on);
    }
    vectors = (lanes + kWidth - 1) / kWidth;
    // What is left over in the last vector has arrived.
    for (int lane = lanes; lane < vectors * kWidth; ++lane) {
      last[lane / kWidth][lane % kWidth] = limit[lane / kWidth][lane % kWidth] = end[0];
      arm[lane / kWidth][lane % kWidth] = last_arm;
    }
    return vectors;
  }
};

// Looks up the first `count` listed crossovers, which are a multiple of a vector or the last there are, and adds what
// they change. kColumns and kRecord: see walk_gamete.
template <int kColumns, bool kRecord>
inline void look_up(const Map& map, const Family& family, int sex, const uint32_t* listed, int count, int* crossovers,
                    Batch& batch) {
  const int32_t* const jumps = family.jump[sex];
  const uint32_t* const cells = map.cell[sex];
  const Ranks ranks(map, sex);
  const int columns = kColumns ? kColumns : family.columns;
  for (int from = 0; from < count; from += kWidth) {
    const int lanes = std::min(kWidth, count - from);
    const Word crossing = load(listed + from);
    const Word sub = crossing & ((1u << kPlaceShift) - 1u);
    const Int back = -(Int)((crossing >> kBackShift) & 1u);
    Word bitmap, head;
    gather_pair<2>(cells, sub >> 5, bitmap, head);
    const Word slot = (head >> 8) + count_ones(bitmap & ((2u << (sub & 31u)) - 1u));
    uint32_t place[kWidth];
    store(place, (crossing >> kPlaceShift) & (uint32_t)(kBatch - 1));
    const auto add = [&](int column, Int jump) {
      int32_t change[kWidth], *const values = reinterpret_cast<int32_t*>(batch.column(column));
      store(change, (jump ^ back) - back);
      if (lanes == kWidth) {  // unrolled
        for (int lane = 0; lane < kWidth; ++lane) values[place[lane]] += change[lane];
      } else {
        for (int lane = 0; lane < lanes; ++lane) values[place[lane]] += change[lane];
      }
    };
    if constexpr (kColumns == 2) {
      Word first, second;
      gather_pair<2>(jumps, slot, first, second);
      add(0, (Int)first), add(1, (Int)second);
    } else {
      for (int c = 0; c < columns; ++c) add(c, gather(jumps + c, slot * (uint32_t)columns));
    }
    if constexpr (kRecord) {
      uint32_t rank[kWidth];
      store(rank, ranks.of(slot, head & 0xFFu));
      for (int lane = 0; lane < lanes; ++lane) batch.record.row(crossovers[place[lane]]++, sex)[place[lane]] = rank[lane];
    }
  }
}

template <int kColumns, bool kRecord>
void walk_with_interference(const Map& map, const Family& family, Key key, int sex, Batch& batch) {
  constexpr int kSteps = kTogether * kGaps;
  const int32_t *const borders = map.border[sex], *const renewal = map.renewal;
  const int phase_words = (map.chromosomes + 31) / 32, sub_shift = map.sub_shift;
  const uint32_t purpose = kCrossovers + (sex ? kSire : 0u);
  const Int end = ints(map.end[sex]), last_arm = ints(map.arms - 1), length = ints(borders[0]);
  // Chromosomes of one length, as most maps have them: the next one's end needs no look-up.
  bool even = true;
  for (int a = 0; a + 1 < map.arms; ++a) even &= borders[a] == (a + 1) * borders[0];
  int32_t chromosome_of[kMaxChromosomes];
  for (int a = 0; a < map.arms; ++a) {
    const uint32_t sub = (uint32_t)std::max(borders[a] - 1, 0) >> sub_shift;
    chromosome_of[a] = (int32_t)(map.cell[sex][2 * (size_t)(sub >> 5) + 1] & 0xFFu);
  }
  Arms arms;
  arms.vectors = batch.vectors;
  int active[kVectors + kTogether], crossovers[kBatch] = {};
  int count = 0, listed = 0;
  uint32_t list[kBatch * kGaps + 2 * kWidth];
  for (int v = 0; v < batch.vectors; ++v) {
    arms.egg[v] = batch.egg[v];
    arms.last[v] = arms.arm[v] = arms.odd[v] = ints(0);
    arms.after[v] = words(0);
    arms.limit[v] = length;
    for (int lane = 0; lane < kWidth; ++lane) arms.place[v][lane] = (uint32_t)(v * kWidth + lane);
    for (int w = 0; w < phase_words; ++w) arms.phases[w][v] = batch.phases[sex][w][v];
    if (map.end[sex] > 0) active[count++] = v;
  }
  for (uint32_t block = 0; count > 0; ++block) {
    int kept = 0, under_way = 0;
    for (int from = 0; from < count; from += kTogether) {
      const int together = std::min(kTogether, count - from);
      int now[kTogether];
      // A short group repeats its first vector; the repetition's results are not used.
      for (int i = 0; i < kTogether; ++i) now[i] = active[from + (i < together ? i : 0)];
      Word low[kTogether], high[kTogether], word[kSteps];
      for (int i = 0; i < kTogether; ++i) low[i] = arms.egg[now[i]];
      threefry<kTogether>(key, purpose + block, low, high);
      for (int i = 0; i < kTogether; ++i) {
        word[i] = low[i] & kGapMask;
        word[kTogether + i] = high[i] & kGapMask;
        word[2 * kTogether + i] = (low[i] >> 21) | ((high[i] >> 22) << 11);
      }
      RenewalPlace place[kSteps];
      for (int i = 0; i < kSteps; ++i) place[i] = renewal_place(word[i]);
      for (int g = 0; g < kGaps; ++g) {
        for (int i = 0; i < together; ++i) {
          const int v = now[i];
          const Int at = arms.last[v], border = arms.limit[v], arm = arms.arm[v], odd = arms.odd[v];
          const Int next = at + renewal_gap(renewal, place[kTogether * g + i], arms.after[v]);
          const Int within = next < border;
          const Word chromosome = even ? (Word)arm : (Word)gather(chromosome_of, (Word)arm);
          const Word back = (phase_at(arms.phases, phase_words, chromosome, v) ^ (Word)odd) & 1u;
          const Word crossing = ((Word)next >> sub_shift) | arms.place[v] << kPlaceShift | back << kBackShift;
          listed += store_chosen(list + listed, crossing, lane_bits(within));
          const Int following = smaller(arm + 1 + within, last_arm);
          arms.arm[v] = following;
          arms.limit[v] = even ? smaller(border + (length & ~within), end) : gather(borders, (Word)following);
          arms.last[v] = smaller(next, border);
          arms.after[v] = (Word)within & kAfterCrossover;
          arms.odd[v] = within & ~odd;
        }
      }
      for (int i = 0; i < together; ++i) {
        const uint32_t on = lane_bits(arms.last[now[i]] < end);
        under_way += __builtin_popcount(on);
        active[kept] = now[i];
        kept += on != 0;
      }
    }
    count = kept;
    if constexpr (kRecord) batch.record.need(kGaps * ((int)block + 1) + 1);
    const int whole = listed / kWidth * kWidth;
    look_up<kColumns, kRecord>(map, family, sex, list, whole, crossovers, batch);
    store(list, load(list + whole));
    listed -= whole;
    // Once a quarter of the lanes would walk for nothing:
    if (count > kTogether && 4 * under_way < 3 * count * kWidth) {
      count = arms.close_ranks(phase_words, end, map.arms - 1);
      for (int v = 0; v < count; ++v) active[v] = v;
    }
  }
  store(list + listed, words(0));
  if constexpr (kRecord) batch.record.need(1);
  look_up<kColumns, kRecord>(map, family, sex, list, listed, crossovers, batch);
  if constexpr (kRecord) {
    for (int i = 0; i < batch.vectors * kWidth; ++i) batch.record.row(crossovers[i], sex)[i] = kNobody;
  }
}

}  // namespace jaxbreed::JAXBREED_SIMD
