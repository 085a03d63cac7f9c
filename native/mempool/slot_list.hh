// SlotList<T>: a doubly linked list of slots of one SlotPool, linked through T::link and T::previous.
#pragma once

#include "native/mempool/slot_pool.hh"

namespace qstack {

template <typename T>
class SlotList {
 public:
  uint32_t front() const { return first_; }

  void push_back(SlotPool<T>& pool, uint32_t slot) {
    pool.at(slot).previous = last_;
    pool.at(slot).link = kNoIndex;
    if (last_ == kNoIndex) {
      first_ = slot;
    } else {
      pool.at(last_).link = slot;
    }
    last_ = slot;
  }

  void unlink(SlotPool<T>& pool, uint32_t slot) {
    const T& item = pool.at(slot);
    if (item.previous == kNoIndex) {
      first_ = item.link;
    } else {
      pool.at(item.previous).link = item.link;
    }
    if (item.link == kNoIndex) {
      last_ = item.previous;
    } else {
      pool.at(item.link).previous = item.previous;
    }
  }

 private:
  uint32_t first_ = kNoIndex;
  uint32_t last_ = kNoIndex;
};

}  // namespace qstack
