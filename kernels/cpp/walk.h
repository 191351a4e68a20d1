// The walk: values of a batch of eggs by visiting their crossovers. See walk.py, which is the specification.
//
// Every step is done for several vectors of eggs before the next step, so that the processor always has independent
// look-ups to wait for; eggs whose crossovers are all drawn leave the list vector by vector.
#pragma once

#include <algorithm>
#include <vector>

#include "mutation.h"

namespace jaxbreed::JAXBREED_SIMD {

constexpr int kBatch = 256;                 // eggs walked together
constexpr int kVectors = kBatch / kWidth;

// The crossovers of the gametes of a batch, in order, for dominance: chromosome << 24 | 2 x rank + (is no crossover),
// kNobody behind the last one.
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

// The gametes of a batch on their way along the map. While all move in step they stand where their eggs stand in the
// batch; when many have come to the end, the others close ranks.
struct Gametes {
  Word egg[kVectors], place[kVectors];  // `place`: of its egg in the batch
  Int last[kVectors];                   // position of the last crossover
  Int chromosome[kVectors], odd[kVectors];
  Int arm[kVectors], state[kVectors], limit[kVectors];  // with interference
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
  int close_ranks(Batch& batch, int columns, int phase_words, bool renewal, Int end, int last_arm) {
    int lanes = 0;
    for (int v = 0; v < vectors; ++v) {
      const uint32_t on = lane_bits(last[v] < end);
      hand_over(batch, columns, place, v, ~on & (uint32_t)((1ull << kWidth) - 1));
      const auto move = [&](auto* array) {
        store_chosen(reinterpret_cast<uint32_t*>(array) + lanes, (Word)array[v], on);
      };
      move(egg), move(place), move(last), move(chromosome), move(odd);
      if (renewal) move(arm), move(state), move(limit);
      for (int w = 0; w < phase_words; ++w) move(phases[w]);
      for (int c = 0; c < columns; ++c) move(batch.change(c));
      lanes += __builtin_popcount(on);
    }
    vectors = (lanes + kWidth - 1) / kWidth;
    // What is left over in the last vector has arrived and changes nothing.
    for (int lane = lanes; lane < vectors * kWidth; ++lane) {
      last[lane / kWidth][lane % kWidth] = limit[lane / kWidth][lane % kWidth] = end[0];
      arm[lane / kWidth][lane % kWidth] = last_arm;
      for (int c = 0; c < columns; ++c) batch.change(c)[lane / kWidth][lane % kWidth] = 0;
    }
    return vectors;
  }
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

// kColumns: 1 or 2, or 0 for any number. kRecord: remember the crossovers. kRenewal: with interference.
template <int kColumns, bool kRecord, bool kRenewal>
void walk_gamete(const Tables& tables, const Map& map, const Family& family, Key key, int sex, Batch& batch) {
  constexpr int kSteps = kTogether * kGaps;
  // Copies, so that the compiler knows that nothing changes them.
  const int32_t *const jumps = family.jump[sex], *const borders = map.border[sex];
  const uint32_t *const cells = map.cell[sex], *const gaps = tables.gap, *const ranks = map.slot_rank[sex];
  const int sub_shift = map.sub_shift, columns = family.columns;
  Int *const values = batch.change(0), *const others = kColumns == 2 ? batch.change(1) : nullptr;
  const int phase_words = (map.chromosomes + 31) / 32;
  const uint32_t purpose = kCrossovers + (sex ? kSire : 0u);
  const Int end = ints(map.end[sex]), arms = ints(map.arms - 1), length = ints(borders[0]);
  const int32_t* const renewal = map.renewal;
  // Chromosomes of one length, as most maps have them: the next one's end needs no look-up.
  bool even = true;
  for (int a = 0; a + 1 < map.arms; ++a) even &= borders[a] == (a + 1) * borders[0];
  Record& record = batch.record;
  Gametes gametes;
  gametes.vectors = batch.vectors;
  int active[kVectors + kTogether];
  int count = 0;
  bool in_place = true;  // nobody has closed ranks yet
  if constexpr (kRecord) record.need(1);
  for (int v = 0; v < batch.vectors; ++v) {
    gametes.egg[v] = batch.egg[v];
    gametes.last[v] = gametes.odd[v] = gametes.arm[v] = gametes.state[v] = ints(0);
    gametes.chromosome[v] = ints(-1);
    gametes.limit[v] = length;
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
      Int position[kSteps], crossed[kSteps], back[kSteps];
      for (int i = 0; i < kTogether; ++i) low[i] = gametes.egg[now[i]];
      threefry<kTogether>(key, purpose + block, low, high);
      for (int i = 0; i < kTogether; ++i) {
        word[kGaps * i] = low[i] & kGapMask;
        word[kGaps * i + 1] = high[i] & kGapMask;
        word[kGaps * i + 2] = (low[i] >> 21) | ((high[i] >> 22) << 11);
      }

      // Positions.
      if constexpr (kRenewal) {
        Int at[kTogether], on[kTogether], fresh[kTogether], border[kTogether];
        for (int i = 0; i < kTogether; ++i) {
          at[i] = gametes.last[now[i]], on[i] = gametes.arm[now[i]], fresh[i] = gametes.state[now[i]], border[i] = gametes.limit[now[i]];
        }
        for (int g = 0; g < kGaps; ++g) {
          for (int i = 0; i < kTogether; ++i) {
            const Int next = at[i] + renewal_gap(renewal, word[kGaps * i + g], fresh[i]);
            const Int within = next < border[i];
            at[i] = smaller(next, border[i]);
            if (even) {
              border[i] = smaller(border[i] + (length & ~within), end);
            } else {
              on[i] = smaller(on[i] + 1 + within, arms);
              border[i] = gather(borders, (Word)on[i]);
            }
            fresh[i] = within & 1;
            position[kGaps * i + g] = at[i];
            crossed[kGaps * i + g] = within;
          }
        }
        for (int i = 0; i < together; ++i) {
          gametes.last[now[i]] = at[i], gametes.arm[now[i]] = on[i], gametes.state[now[i]] = fresh[i], gametes.limit[now[i]] = border[i];
        }
      } else {
        for (int i = 0; i < kSteps; ++i) position[i] = exponential_gap(gaps, word[i]);
        for (int i = 0; i < kTogether; ++i) {
          Int at = gametes.last[now[i]];
          for (int g = kGaps * i; g < kGaps * (i + 1); ++g) {
            at = smaller(at + position[g], end);
            position[g] = at;
          }
          if (i < together) gametes.last[now[i]] = at;
        }
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
          Int here = (Int)word[g];
          if constexpr (kRenewal) here |= ~crossed[g];  // a chromosome's start is on no chromosome
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
          const auto add = [&](Int& value, Int jump) {
            if constexpr (kRenewal) jump &= crossed[g];
            value += (jump ^ back[g]) - back[g];
          };
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
            Word rank = gather(ranks, slot[kGaps * i + g]);
            if constexpr (kRenewal) rank |= (Word)~crossed[kGaps * i + g] & 1u;
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
      count = gametes.close_ranks(batch, columns, phase_words, kRenewal, end, map.arms - 1);
      for (int v = 0; v < count; ++v) active[v] = v;
      in_place = false;
    }
  }
  for (int v = 0; v < gametes.vectors; ++v) {
    Gametes::hand_over(batch, columns, gametes.place, v, (uint32_t)((1ull << kWidth) - 1));
  }
}

// Dominance at loci where both parents are heterozygous: the recorded crossovers of both gametes in one order. Whether
// the gametes carry like haplotypes changes at each of them.
template <int kColumns>
void add_pairs(const Map& map, const Family& family, Batch& batch) {
  constexpr int kMerged = 2;  // vectors side by side: as many as registers hold
  const int phase_words = (map.chromosomes + 31) / 32, columns = family.columns;
  Word unlike[kMaxChromosomes / 32][kVectors];
  for (int w = 0; w < phase_words; ++w) {
    for (int v = 0; v < batch.vectors; ++v) unlike[w][v] = batch.phases[0][w][v] ^ batch.phases[1][w][v];
  }
  for (int chromosome = 0; chromosome < map.chromosomes; ++chromosome) {
    const uint32_t rank = (map.slot_rank[0][map.chromosome_slot[0][chromosome]] & 0xFFFFFFu) >> 1;
    for (int column = 0; column < columns; ++column) {
      const int32_t whole = family.pair[(size_t)rank * columns + column];
      if (whole == 0) continue;
      for (int v = 0; v < batch.vectors; ++v) batch.column(column)[v] += start_phase(unlike, chromosome, v) & whole;
    }
  }
  Word lane;
  for (int i = 0; i < kWidth; ++i) lane[i] = i;
  const uint32_t* const records = batch.record.row(0, 0);
  const int32_t* const pairs = family.pair;
  static_assert(kTogether % kMerged == 0);
  for (int from = 0; from < batch.vectors; from += kMerged) {
    // The next crossover of the dam's and of the sire's gamete, and where each is recorded.
    Word dam[kMerged], sire[kMerged], dam_at[kMerged], sire_at[kMerged];
    Int chromosome[kMerged], odd[kMerged], first_change[kMerged], second_change[kMerged];
    for (int i = 0; i < kMerged; ++i) {
      dam_at[i] = lane + (uint32_t)((from + i) * kWidth);
      sire_at[i] = dam_at[i] + (uint32_t)kBatch;
      dam[i] = load(records + (from + i) * kWidth);
      sire[i] = load(records + kBatch + (from + i) * kWidth);
      chromosome[i] = ints(-1);
      odd[i] = first_change[i] = second_change[i] = ints(0);
    }
    for (;;) {
      Word nobody = words(kNobody);
      for (int i = 0; i < kMerged; ++i) nobody &= dam[i] & sire[i];
      if (!any((Int)(nobody != kNobody))) break;
      for (int i = 0; i < kMerged; ++i) {
        const Word sires = (Word)(sire[i] < dam[i]);
        const Word next = sires ? sire[i] : dam[i];
        // The gamete that was behind moves on, unless it has no more.
        const Word on = (Word)(next != kNobody) & Record::kStep;
        dam_at[i] += on & ~sires;
        sire_at[i] += on & sires;
        const Word behind = gather(records, sires ? sire_at[i] : dam_at[i]);
        dam[i] = sires ? dam[i] : behind;
        sire[i] = sires ? behind : sire[i];

        const Int crossed = (Int)(next & 1u) - 1;
        const Word here = next >> 24;
        const Int turned = ((Int)here == chromosome[i]) & odd[i];
        const Int back = -(Int)(phase_at(unlike, phase_words, here, from + i) & 1u) ^ turned;
        const Word rank = ((next & 0xFFFFFFu) >> 1) & (Word)crossed;
        chromosome[i] = (Int)here;
        odd[i] = turned ^ crossed;
        if constexpr (kColumns == 1) {
          const Int jump = gather(pairs, rank) & crossed;
          first_change[i] += (jump ^ back) - back;
        } else if constexpr (kColumns == 2) {
          Word first, second;
          gather_pair<2>(pairs, rank, first, second);
          first_change[i] += (((Int)first & crossed) ^ back) - back;
          second_change[i] += (((Int)second & crossed) ^ back) - back;
        } else {
          for (int column = 0; column < columns; ++column) {
            const Int jump = gather(pairs + column, rank * (uint32_t)columns) & crossed;
            batch.column(column)[from + i] += (jump ^ back) - back;
          }
        }
      }
    }
    for (int i = 0; i < kMerged; ++i) {
      if constexpr (kColumns != 0) batch.column(0)[from + i] += first_change[i];
      if constexpr (kColumns == 2) batch.column(1)[from + i] += second_change[i];
    }
  }
}

template <int kColumns, bool kRecord>
void walk_both(const Tables& tables, const Map& map, const Family& family, Key key, Batch& batch) {
  for (int sex = 0; sex < 2; ++sex) {
    if (map.renewal) {
      walk_gamete<kColumns, kRecord, true>(tables, map, family, key, sex, batch);
    } else {
      walk_gamete<kColumns, kRecord, false>(tables, map, family, key, sex, batch);
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
