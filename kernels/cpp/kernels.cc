// Compiled once for every instruction set; see CMakeLists.txt.
#include "kernels.h"

#include "hatch.h"
#include "suffix.h"
#include "sweep.h"

#define JAXBREED_JOIN(a, b) a##b
#define JAXBREED_NAME(set) JAXBREED_JOIN(set, _kernels)
#define JAXBREED_TEXT(x) #x
#define JAXBREED_QUOTE(x) JAXBREED_TEXT(x)

namespace jaxbreed {
namespace JAXBREED_SIMD {
namespace {

void score(const Tables& tables, const Map& map, const Family& family, Key key, const uint32_t* eggs, int64_t count,
           int32_t* out, int64_t stride) {
  static thread_local Batch storage;
  Batch& batch = storage;
  for (int64_t from = 0; from < count; from += kBatch) {
    const int some = (int)std::min<int64_t>(kBatch, count - from);
    std::memcpy(batch.egg, eggs + from, some * sizeof(uint32_t));
    pad(batch, some);
    score_batch(tables, map, family, key, batch);
    for (int column = 0; column < family.columns; ++column) {
      std::memcpy(out + column * stride + from, batch.column(column), some * sizeof(int32_t));
    }
  }
}

}  // namespace
}  // namespace JAXBREED_SIMD

const Kernels* JAXBREED_NAME(JAXBREED_SIMD)() {
  using namespace JAXBREED_SIMD;
  static const Kernels kernels{JAXBREED_QUOTE(JAXBREED_SIMD), kWidth,     fill_jumps, fill_pairs, first_haplotypes,
                               score, sweep_range, draw_words, gamete};
  return &kernels;
}

}  // namespace jaxbreed
