// What the kernels are given: arrays as XLA lays them out, nothing owned. The Python modules say what each one means.
#pragma once

#include <cstdint>

namespace jaxbreed {

// Purposes of random words, as in threefry.py.
constexpr uint32_t kFate = 0u << 24, kIdentity = 1u << 24, kNoise = 2u << 24, kPhases = 3u << 24,
                   kCrossovers = 4u << 24, kMutations = 5u << 24, kSire = 1u << 23;

constexpr int kGaps = 3;                      // words of 21 bits in a block of 64
constexpr uint32_t kNobody = 0xFFFFFFFFu;  // behind the last crossover
constexpr int kMaxChromosomes = 256;
constexpr int kSubBits = 20;               // more than any map's number of sub-cells has

struct Key {
  uint32_t word[2];
};

struct Tables {
  const uint32_t* gap;   // (256,), quantiles.packed_gap_table
  const int32_t* normal;  // (32, 65), quantiles.normal_table
};

// walkmap.WalkMap. Index 0 is the dam's gamete, 1 the sire's.
struct Map {
  int loci, slots, chromosomes, arms, sub_shift;
  const uint32_t* cell[2];             // (cell, 2)
  const int32_t* end;                  // (2,)
  const int32_t* border[2];            // (arm,)
  const int32_t* chromosome_slot[2];   // (chromosome,)
  const int32_t* locus_slot[2];        // (locus,)
  const int32_t* locus_chromosome;     // (locus,)
  const uint32_t* slot_rank[2];        // (slot,)
  const int32_t* renewal;              // (2, 2, 21, 33), or null without interference
  int thresholds;                      // 0 without mutation
  const uint32_t* threshold;           // (threshold,), mutation.Mutation
  uint32_t sites;
  const int32_t* site_locus;           // (site,)
};

// suffix.SuffixTables.
struct Family {
  int columns;
  const int32_t* start;    // (column,)
  const int32_t* jump[2];  // (slot, column)
  const int32_t* pair;     // (rank, column), or null without dominance

  // Of Alleles; null without mutation, `dominance` also without dominance.
  const int32_t *effects, *dominance;  // (column, locus)
  const uint8_t* haplotypes;           // (2, 2, locus)
};

// sweep.Assay.
struct Assay {
  int traits;
  const int32_t* weight;    // (trait,)
  const int32_t* mantissa;  // (trait, trait)
  const int32_t* shift;     // (trait,)
  const int32_t* unit;      // (2 x trait,)
  uint32_t survival;
  int64_t kept;
  bool screened, alternate_sexes, load;
};

}  // namespace jaxbreed
