// The walk without interference: the changes of value at the crossovers of a batch of gametes. See walk.py and score.py,
// which are the specification.
//
// Every step is done for several vectors of eggs before the next step, so that the processor always has independent
// look-ups to wait for; eggs whose crossovers are all drawn leave the list vector by vector.
#pragma once

#include "batch.h"
#include "deviates.h"

namespace jaxbreed::JAXBREED_SIMD {

// The gametes of a batch on their way along the map. While all move in step they stand where their eggs stand in the
// batch; when many have come to the end, the others close ranks.
struct Gametes {
  Word egg[kVectors], place[kVectors];  // `place`: of its egg in the batch
  Int last[kVectors];                   // position of the last crossover
  Int chromosome[kVectors], odd[kVectors];
  Word phases[kMaxChromosomes / 32][kVectors];
  int vectors;  // in use

  // Adds the changes of the lanes in `bits` of vector `v` to the values of their eggs.
  static void hand_over(Batch& batch, int columns, const Word* place, int v, uint32_t bits) {
    for (; bits; bits &= bits - 1) {
      const int lane = __builtin_ctz(bits);
      for (int c = 0; c < columns; ++c) {
        reinterpret_cast<int32_t*>(batch.column(c))[place[v][lane]] += batch.change(c)[v][lane];
      }
    }
  }

  // Moves the gametes that are still under way together; returns the number of vectors they fill.
  int close_ranks(Batch& batch, int columns, int phase_words, Int end) {
    int lanes = 0;
    for (int v = 0; v < vectors; ++v) {
      const uint32_t on = lane_bits(last[v] < end);
      hand_over(batch, columns, place, v, ~on & (uint32_t)((1ull << kWidth) - 1));
      const auto move = [&](auto* array) {
        store_chosen(reinterpret_cast<uint32_t*>(array) + lanes, (Word)array[v], on);
      };
      move(egg), move(place), move(last), move(chromosome), move(odd);
      for (int w = 0; w < phase_words; ++w) move(phases[w]);
      for (int c = 0; c < columns; ++c) move(batch.change(c));
      lanes += __builtin_popcount(on);
    }
    vectors = (lanes + kWidth - 1) / kWidth;
    // What is left over in the last vector has arrived and changes nothing.
    for (int lane = lanes; lane < vectors * kWidth; ++lane) {
      last[lane / kWidth][lane % kWidth] = end[0];
      for (int c = 0; c < columns; ++c) batch.change(c)[lane / kWidth][lane % kWidth] = 0;
    }
    return vectors;
  }
};

// kColumns: 1 or 2, or 0 for any number. kRecord: remember the crossovers.
template <int kColumns, bool kRecord>
void walk_gamete(const Tables& tables, const Map& map, const Family& family, Key key, int sex, Batch& batch) {
  constexpr int kSteps = kTogether * kGaps;
  // Copies, so that the compiler knows that nothing changes them.
  const int32_t* const jumps = family.jump[sex];
  const uint32_t *const cells = map.cell[sex], *const gaps = tables.gap;
  const Ranks ranks(map, sex);
  const int sub_shift = map.sub_shift, columns = family.columns;
  Int *const values = batch.change(0), *const others = kColumns == 2 ? batch.change(1) : nullptr;
  const int phase_words = (map.chromosomes + 31) / 32;
  const uint32_t purpose = kCrossovers + (sex ? kSire : 0u);
  const Int end = ints(map.end[sex]);
  Record& record = batch.record;
  Gametes gametes;
  gametes.vectors = batch.vectors;
  int active[kVectors + kTogether];
  int count = 0;
  bool in_place = true;  // nobody has closed ranks yet
  if constexpr (kRecord) record.need(1);
  for (int v = 0; v < batch.vectors; ++v) {
    gametes.egg[v] = batch.egg[v];
    gametes.last[v] = gametes.odd[v] = ints(0);
    gametes.chromosome[v] = ints(-1);
    for (int lane = 0; lane < kWidth; ++lane) gametes.place[v][lane] = (uint32_t)(v * kWidth + lane);
    for (int w = 0; w < phase_words; ++w) gametes.phases[w][v] = batch.phases[sex][w][v];
    for (int c = 0; c < columns; ++c) batch.change(c)[v] = ints(0);
    if constexpr (kRecord) store(record.row(0, sex) + v * kWidth, words(kNobody));
    if (map.end[sex] > 0) active[count++] = v;
  }
  for (uint32_t block = 0; count > 0; ++block) {
    if constexpr (kRecord) record.need(kGaps * ((int)block + 1) + 1);
    int kept = 0, under_way = 0;
    for (int from = 0; from < count; from += kTogether) {
      const int together = std::min(kTogether, count - from);
      int now[kTogether];
      // A short group repeats its first vector; the repetition's results are not used.
      for (int i = 0; i < kTogether; ++i) now[i] = active[from + (i < together ? i : 0)];
      uint32_t walking[kTogether];  // lanes that have not arrived before this block
      for (int i = 0; kRecord && i < kTogether; ++i) walking[i] = lane_bits(gametes.last[now[i]] < end);
      Word low[kTogether], high[kTogether], word[kSteps], slot[kSteps];
      Int position[kSteps], back[kSteps];
      for (int i = 0; i < kTogether; ++i) low[i] = gametes.egg[now[i]];
      threefry<kTogether>(key, purpose + block, low, high);
      for (int i = 0; i < kTogether; ++i) {
        word[kGaps * i] = low[i] & kGapMask;
        word[kGaps * i + 1] = high[i] & kGapMask;
        word[kGaps * i + 2] = (low[i] >> 21) | ((high[i] >> 22) << 11);
      }

      // Positions.
      for (int i = 0; i < kSteps; ++i) position[i] = exponential_gap(gaps, word[i]);
      for (int i = 0; i < kTogether; ++i) {
        Int at = gametes.last[now[i]];
        for (int g = kGaps * i; g < kGaps * (i + 1); ++g) {
          at = smaller(at + position[g], end);
          position[g] = at;
        }
        if (i < together) gametes.last[now[i]] = at;
      }

      // The first slot behind each, and the chromosome it lies on.
      for (int i = 0; i < kSteps; ++i) {
        const Word sub = (Word)position[i] >> sub_shift;
        Word bitmap, head;
        gather_pair<2>(cells, sub >> 5, bitmap, head);
        const Word before = (2u << (sub & 31u)) - 1u;
        slot[i] = (head >> 8) + count_ones(bitmap & before);
        word[i] = head & 0xFFu;
      }

      // Which way each goes: back from the second haplotype (-1) or forward from the first (0).
      for (int i = 0; i < together; ++i) {
        const int v = now[i];
        Int before = gametes.chromosome[v], turned = gametes.odd[v];
        for (int g = kGaps * i; g < kGaps * (i + 1); ++g) {
          const Int here = (Int)word[g];
          turned = (here == before) & ~turned;
          before = here;
          back[g] = -(Int)(phase_at(gametes.phases, phase_words, word[g], v) & 1u) ^ turned;
        }
        gametes.chromosome[v] = before;
        gametes.odd[v] = turned;
      }

      // What each changes.
      for (int i = 0; i < together; ++i) {
        const int v = now[i];
        Int first_change = ints(0), second_change = ints(0);
        for (int g = kGaps * i; g < kGaps * (i + 1); ++g) {
          const auto add = [&](Int& value, Int jump) { value += (jump ^ back[g]) - back[g]; };
          if constexpr (kColumns == 1) {
            add(first_change, gather(jumps, slot[g]));
          } else if constexpr (kColumns == 2) {
            Word first, second;
            gather_pair<2>(jumps, slot[g], first, second);
            add(first_change, (Int)first);
            add(second_change, (Int)second);
          } else {
            const Word row = slot[g] * (uint32_t)columns;
            for (int c = 0; c < columns; ++c) add(values[c * kVectors + v], gather(jumps + c, row));
          }
        }
        if constexpr (kColumns != 0) values[v] += first_change;
        if constexpr (kColumns == 2) others[v] += second_change;
      }
      if constexpr (kRecord) {
        for (int i = 0; i < together; ++i) {
          const int v = now[i];
          for (int g = 0; g < kGaps; ++g) {
            Word rank = ranks.of(slot[kGaps * i + g], word[kGaps * i + g]);
            rank |= (Word)(position[kGaps * i + g] >= end);  // kNobody
            uint32_t* const row = record.row(kGaps * (int)block + g, sex);
            if (in_place) {
              store(row + v * kWidth, rank);
            } else {
              for (uint32_t bits = walking[i]; bits; bits &= bits - 1) {
                const int lane = __builtin_ctz(bits);
                row[gametes.place[v][lane]] = rank[lane];
              }
            }
          }
        }
      }
      for (int i = 0; i < together; ++i) {
        const uint32_t on = lane_bits(position[kGaps * i + kGaps - 1] < end);
        under_way += __builtin_popcount(on);
        active[kept] = now[i];
        kept += on != 0;
      }
    }
    count = kept;
    // Once a quarter of the lanes would walk for nothing:
    if (count > kTogether && 4 * under_way < 3 * count * kWidth) {
      count = gametes.close_ranks(batch, columns, phase_words, end);
      for (int v = 0; v < count; ++v) active[v] = v;
      in_place = false;
    }
  }
  for (int v = 0; v < gametes.vectors; ++v) {
    Gametes::hand_over(batch, columns, gametes.place, v, (uint32_t)((1ull << kWidth) - 1));
  }
}

}  // namespace jaxbreed::JAXBREED_SIMD
