// The kernels of one instruction set, and the choice of the best that this processor has.
#pragma once

#include <cstdint>

#include "partial.h"
#include "views.h"

namespace jaxbreed {

struct Kernels {
  const char* name;
  int width;  // eggs in a vector

  // Suffix tables of one column, as in suffix.h.
  void (*fill_jumps)(const Map&, int sex, int columns, const int32_t* effects, const int32_t* dominance,
                     const uint8_t* haplotypes, int32_t* jump);
  void (*fill_pairs)(const Map&, int columns, const int32_t* dominance, const uint8_t* haplotypes, int32_t* pair);
  int32_t (*first_haplotypes)(const Map&, int32_t intercept, const int32_t* effects, const int32_t* dominance,
                              const uint8_t* haplotypes);

  // Genetic values of any eggs: out[column * stride + egg].
  void (*score)(const Tables&, const Map&, const Family&, Key, const uint32_t* eggs, int64_t count, int32_t* out,
                int64_t stride);

  // Tests eggs `from` to `to`, at most `most` of the survivors; with `only_count` counts the survivors.
  void (*sweep)(const Tables&, const Map&, const Family&, const Assay&, const int32_t* centre, Key, uint32_t from,
                uint32_t to, int64_t most, bool only_count, Partial&);

  // Draws the random words of the crossovers of both gametes and nothing else: the least that a walk must do.
  uint32_t (*draw_words)(const Tables&, const Map&, Key, const uint32_t* eggs, int64_t count);

  // The haplotype that each locus of a gamete carries, applied to its parent: out[locus].
  void (*gamete)(const Tables&, const Map&, Key, uint32_t egg, int sex, const uint8_t* parent, uint8_t* out);
};

const Kernels* baseline_kernels();
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();

// `name`: "", for the best that runs here, or one of "baseline", "avx2", "avx512". Null if it cannot run here.
const Kernels* find_kernels(const char* name);

}  // namespace jaxbreed
