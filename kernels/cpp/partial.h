// What one worker knows of a family so far: the best of each sex, and sums. Parts add up exactly, in any order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace jaxbreed {

// The best `kept` of all that were offered: highest rank first, of equal ranks the lowest egg number.
class Best {
 public:
  explicit Best(int64_t kept = 0) : kept_(kept) { held_.reserve(2 * (size_t)kept); }

  // Whoever ranks below this is not among the best.
  int32_t least_rank() const { return (int32_t)(least_ >> 32); }

  void offer(int32_t rank, uint32_t egg) { offer((uint64_t)(uint32_t)rank << 32 | (0xFFFFFFFFu - egg)); }

  void merge(const Best& other) {
    for (const uint64_t one : other.held_) offer(one);
  }

  // Ranks and eggs in order; places nobody takes are left as they are.
  void write(int32_t* rank, uint32_t* egg) {
    std::sort(held_.begin(), held_.end(), std::greater<>());
    const size_t count = std::min(held_.size(), (size_t)kept_);
    for (size_t i = 0; i < count; ++i) {
      rank[i] = (int32_t)(held_[i] >> 32);
      egg[i] = 0xFFFFFFFFu - (uint32_t)held_[i];
    }
  }

 private:
  void offer(uint64_t one) {
    if (one < least_) return;
    held_.push_back(one);
    if ((int64_t)held_.size() < 2 * kept_) return;
    std::nth_element(held_.begin(), held_.begin() + (kept_ - 1), held_.end(), std::greater<>());
    held_.resize((size_t)kept_);
    least_ = held_[(size_t)kept_ - 1];
  }

  int64_t kept_;
  uint64_t least_ = 0;
  std::vector<uint64_t> held_;
};

struct Partial {
  Best best[2];
  int64_t count = 0, survivors = 0;
  std::vector<int64_t> first, product;  // (variable,), (variable, variable): the lower triangle

  Partial(int64_t kept, int variables)
      : best{Best(kept), Best(kept)}, first(variables), product((size_t)variables * variables) {}

  void merge(const Partial& other) {
    for (int sex = 0; sex < 2; ++sex) best[sex].merge(other.best[sex]);
    count += other.count;
    survivors += other.survivors;
    for (size_t i = 0; i < first.size(); ++i) first[i] += other.first[i];
    for (size_t i = 0; i < product.size(); ++i) product[i] += other.product[i];
  }
};

}  // namespace jaxbreed
