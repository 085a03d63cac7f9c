// SlotPool<T>: a fixed number of T, named by u32 slots, for one thread.
//
// T is trivially destructible and has a `uint32_t link` that the pool uses while the slot is free. Memory comes zeroed;
// a slot is handed out as it was left. What others name by handles is handed out again as late as possible, so that a stale
// handle shows: the free list is FIFO, and slots never used come first. What has one owner, and is needed for a moment, is
// handed out again at once, while it is in the processor's caches.
#pragma once

#include <cstdint>
#include <type_traits>

#include "native/mempool/mapping.hh"
#include "native/mempool/packet.hh"

namespace qstack {

enum class Reuse { late, soon };

template <typename T, Reuse kReuse = Reuse::late>
class SlotPool {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit SlotPool(uint32_t capacity) : memory_(size_t{capacity} * sizeof(T)), capacity_(capacity) {}

  /// kNoIndex when all are taken.
  uint32_t allocate() {
    const bool rested = kReuse == Reuse::soon && first_free_ != kNoIndex;
    if (!rested && fresh_ < capacity_) {
      ++used_;
      return fresh_++;
    }
    const uint32_t slot = first_free_;
    if (slot == kNoIndex) return kNoIndex;
    first_free_ = at(slot).link;
    if (first_free_ == kNoIndex) last_free_ = kNoIndex;  // of the FIFO
    ++used_;
    return slot;
  }

  void release(uint32_t slot) {
    --used_;
    if (kReuse == Reuse::soon) {
      at(slot).link = first_free_;
      first_free_ = slot;
      return;
    }
    at(slot).link = kNoIndex;
    if (last_free_ == kNoIndex) {
      first_free_ = slot;
    } else {
      at(last_free_).link = slot;
    }
    last_free_ = slot;
  }

  T& at(uint32_t slot) { return reinterpret_cast<T*>(memory_.data())[slot]; }
  const T& at(uint32_t slot) const { return reinterpret_cast<const T*>(memory_.data())[slot]; }
  uint32_t slot_of(const T& item) const {
    return static_cast<uint32_t>(&item - reinterpret_cast<const T*>(memory_.data()));
  }
  /// Slots below this number were used at least once; the others hold zeros.
  uint32_t touched() const { return fresh_; }
  uint32_t used() const { return used_; }
  uint32_t capacity() const { return capacity_; }
  uint32_t available() const { return capacity_ - used_; }
  MemoryRegion memory() const { return memory_.region(); }

 private:
  Mapping memory_;
  uint32_t capacity_;
  uint32_t fresh_ = 0;
  uint32_t used_ = 0;
  uint32_t first_free_ = kNoIndex;
  uint32_t last_free_ = kNoIndex;
};

}  // namespace qstack
