#include "native/redis/place_heap.hh"

#include <algorithm>

namespace qstack::redis {

uint64_t PlaceHeap::bytes(const Counts& counts) {
  uint64_t sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) sum += uint64_t{counts[i]} * kSizes[i];
  return sum;
}

PlaceHeap::PlaceHeap(uint8_t* base, const Counts& counts) {
  for (size_t i = 0; i < counts.size(); ++i) {
    Size& size = sizes_[i];
    size.base = base;
    size.out.resize(counts[i]);
    size.free.reserve(counts[i]);
    for (uint32_t n = counts[i]; n > 0; --n) size.free.push_back(n - 1);
    base += uint64_t{counts[i]} * kSizes[i];
  }
}

Place PlaceHeap::allocate(uint32_t length) {
  for (uint32_t i = 0; i < sizes_.size(); ++i) {
    Size& size = sizes_[i];
    if (length > kSizes[i] || size.free.empty()) continue;
    const uint32_t index = size.free.back();
    size.free.pop_back();
    size.out[index] = 1;
    ++in_use_;
    return {i << kSizeShift | index, size.base + uint64_t{index} * kSizes[i]};
  }
  return {};
}

bool PlaceHeap::release(uint32_t id) {
  const uint32_t which = id >> kSizeShift, index = id & ((1u << kSizeShift) - 1);
  if (which >= sizes_.size() || index >= sizes_[which].out.size() || sizes_[which].out[index] == 0) return false;
  sizes_[which].out[index] = 0;
  sizes_[which].free.push_back(index);
  --in_use_;
  return true;
}

bool PlaceHeap::any_free() const {
  return std::any_of(sizes_.begin(), sizes_.end(), [](const Size& size) { return !size.free.empty(); });
}

}  // namespace qstack::redis
