// What one worker knows of a family so far: the best of each sex, and sums. Parts add up exactly, in any order.
//
// Compiled in partial.cc for every processor: of a function that several objects hold the linker keeps any one, and
// one with instructions that this processor lacks must not serve the others.
#pragma once

#include <cstdint>
#include <vector>

namespace jaxbreed {

// The best `kept` of all that were offered: highest rank first, of equal ranks the lowest egg number.
class Best {
 public:
  explicit Best(int64_t kept = 0);

  // Whoever ranks below this is not among the best.
  int32_t least_rank() const { return (int32_t)(least_ >> 32); }

  void offer(int32_t rank, uint32_t egg);
  void merge(const Best& other);

  // Ranks and eggs in order; places nobody takes are left as they are.
  void write(int32_t* rank, uint32_t* egg);

 private:
  void offer(uint64_t one);

  int64_t kept_;
  uint64_t least_ = 0;
  std::vector<uint64_t> held_;
};

struct Partial {
  Best best[2];
  int64_t count = 0, survivors = 0;
  std::vector<int64_t> first, product;  // (variable,), (variable, variable): the lower triangle

  Partial(int64_t kept, int variables);
  void merge(const Partial& other);
};

}  // namespace jaxbreed
