#include "partial.h"

#include <algorithm>
#include <functional>

namespace jaxbreed {

Best::Best(int64_t kept) : kept_(kept) { held_.reserve(2 * (size_t)kept); }

void Best::offer(int32_t rank, uint32_t egg) { offer((uint64_t)(uint32_t)rank << 32 | (0xFFFFFFFFu - egg)); }

void Best::offer(uint64_t one) {
  if (one < least_) return;
  held_.push_back(one);
  if ((int64_t)held_.size() < 2 * kept_) return;
  std::nth_element(held_.begin(), held_.begin() + (kept_ - 1), held_.end(), std::greater<>());
  held_.resize((size_t)kept_);
  least_ = held_[(size_t)kept_ - 1];
}

void Best::merge(const Best& other) {
  for (const uint64_t one : other.held_) offer(one);
}

void Best::write(int32_t* rank, uint32_t* egg) {
  std::sort(held_.begin(), held_.end(), std::greater<>());
  const size_t count = std::min(held_.size(), (size_t)kept_);
  for (size_t i = 0; i < count; ++i) {
    rank[i] = (int32_t)(held_[i] >> 32);
    egg[i] = 0xFFFFFFFFu - (uint32_t)held_[i];
  }
}

Partial::Partial(int64_t kept, int variables)
    : best{Best(kept), Best(kept)}, first(variables), product((size_t)variables * variables) {}

void Partial::merge(const Partial& other) {
  for (int sex = 0; sex < 2; ++sex) best[sex].merge(other.best[sex]);
  count += other.count;
  survivors += other.survivors;
  for (size_t i = 0; i < first.size(); ++i) first[i] += other.first[i];
  for (size_t i = 0; i < product.size(); ++i) product[i] += other.product[i];
}

}  // namespace jaxbreed
