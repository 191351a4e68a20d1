// Dominance: the crossovers of both gametes in one order. See pairs.py, which is the specification.
#pragma once

#include "batch.h"

namespace jaxbreed::JAXBREED_SIMD {

// Dominance at loci where both parents are heterozygous: the recorded crossovers of both gametes in one order. Whether
// the gametes carry like haplotypes changes at each of them.
template <int kColumns>
void add_pairs(const Map& map, const Family& family, Batch& batch) {
  constexpr int kMerged = kTogether;  // vectors side by side, each waiting for its own look-ups
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

        const Int crossed = (Int)(next != kNobody);
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

}  // namespace jaxbreed::JAXBREED_SIMD
