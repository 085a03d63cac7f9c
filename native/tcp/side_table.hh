// SideTable<T>: what few connections have, and what a control block has no room for.
//
// In: slots of connections. Out: a T each, zeroed, out of a pool that is made at start; chains behind buckets find it again.
// A connection without one costs nothing: a flag in its control block says that there is one, and at() is asked then only.
#pragma once

#include <algorithm>
#include <bit>
#include <vector>

#include "native/mempool/slot_pool.hh"

namespace qstack {

template <typename T>
class SideTable {
 public:
  explicit SideTable(uint32_t capacity)
      : pool_(capacity), buckets_(std::bit_ceil(std::max(capacity, 1u)), kNoIndex) {}

  /// Null: all are taken.
  T* add(uint32_t slot) {
    const uint32_t place = pool_.allocate();
    if (place == kNoIndex) return nullptr;
    uint32_t& first = bucket(slot);
    pool_.at(place) = {slot, first, T{}};
    first = place;
    return &pool_.at(place).value;
  }

  /// There is one.
  T& at(uint32_t slot) { return pool_.at(place_of(slot)).value; }
  const T& at(uint32_t slot) const { return pool_.at(place_of(slot)).value; }

  /// There is one.
  void remove(uint32_t slot) {
    const uint32_t place = place_of(slot);
    uint32_t* link = &bucket(slot);
    while (*link != place) link = &pool_.at(*link).link;
    *link = pool_.at(place).link;
    pool_.release(place);
  }

  uint32_t used() const { return pool_.used(); }
  MemoryRegion memory() const { return pool_.memory(); }

 private:
  struct Entry {
    uint32_t slot;
    uint32_t link;  ///< the next one of its bucket; SlotPool's while free
    T value;
  };

  /// Slots of neighbours in time are neighbours, so their low bits are spread well.
  uint32_t& bucket(uint32_t slot) { return buckets_[slot & (buckets_.size() - 1)]; }
  uint32_t place_of(uint32_t slot) const {
    uint32_t place = buckets_[slot & (buckets_.size() - 1)];
    while (pool_.at(place).slot != slot) place = pool_.at(place).link;
    return place;
  }

  SlotPool<Entry> pool_;
  std::vector<uint32_t> buckets_;
};

}  // namespace qstack
