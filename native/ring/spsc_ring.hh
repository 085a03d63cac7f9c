// SPSC rings in shared memory: one side writes records, the other takes them, no locks.
//
//   RingHeader  tail (producer's line) │ head (consumer's line)        free-running u32, difference = records in the
//   ring records     [0 … capacity), capacity a power of two, record i at i & (capacity - 1)
//
// In: a header and records in the arena. Out: RingProducer and RingConsumer, one of each per ring, each used by one
// thread. A side publishes its index once per turn, with release order. The other side may be JavaScript, or wrong:
// whatever the shared words hold, nothing outside the records is touched. What the records say is checked by their
// reader.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <type_traits>

#include "native/abi/layout.hh"

namespace qstack {

inline uint32_t load_acquire(const uint32_t& word) {
  return std::atomic_ref<uint32_t>(const_cast<uint32_t&>(word)).load(std::memory_order_acquire);
}
inline uint32_t load_relaxed(const uint32_t& word) {
  return std::atomic_ref<uint32_t>(const_cast<uint32_t&>(word)).load(std::memory_order_relaxed);
}
inline void store_release(uint32_t& word, uint32_t value) {
  std::atomic_ref<uint32_t>(word).store(value, std::memory_order_release);
}
inline void store_relaxed(uint32_t& word, uint32_t value) {
  std::atomic_ref<uint32_t>(word).store(value, std::memory_order_relaxed);
}

/// Orders a store before a later load, also of other words (Dekker's pattern). ThreadSanitizer refuses
/// std::atomic_thread_fence.
inline void full_fence() { __sync_synchronize(); }

/// A ring without a side: where it lies.
template <typename T>
struct RingView {
  static_assert(std::is_trivially_copyable_v<T>);
  abi::RingHeader* header = nullptr;
  T* records = nullptr;
  uint32_t capacity = 0;
};

template <typename T>
class RingProducer {
 public:
  RingProducer() = default;
  /// Goes on where the ring's tail is.
  explicit RingProducer(const RingView<T>& view)
      : view_(view), tail_(load_relaxed(view.header->tail)), head_(load_acquire(view.header->head)) {
    assert((view.capacity & (view.capacity - 1)) == 0);
  }

  /// False: full. The record is seen by the consumer after publish().
  bool push(const T& record) {
    if (tail_ - head_ >= view_.capacity && room() == 0) return false;
    view_.records[tail_ & (view_.capacity - 1)] = record;
    ++tail_;
    return true;
  }

  /// Records that fit now. A head that lies (further than the tail, or too far behind) reads as a full ring.
  uint32_t room() {
    head_ = load_acquire(view_.header->head);
    const uint32_t used = tail_ - head_;
    return used > view_.capacity ? 0 : view_.capacity - used;
  }

  /// Records written and, as far as last looked at, not taken.
  uint32_t size() {
    const uint32_t used = view_.capacity - room();
    return used;
  }

  /// The oldest record that is not taken, as far as last looked at; null: there is none.
  const T* oldest() const { return tail_ == head_ ? nullptr : &view_.records[head_ & (view_.capacity - 1)]; }

  bool unpublished() const { return tail_ != published_tail(); }
  void publish() { store_release(view_.header->tail, tail_); }

 private:
  uint32_t published_tail() const { return load_relaxed(view_.header->tail); }

  RingView<T> view_;
  uint32_t tail_ = 0;
  uint32_t head_ = 0;  ///< as last seen
};

template <typename T>
class RingConsumer {
 public:
  RingConsumer() = default;
  /// Goes on where the ring's head is.
  explicit RingConsumer(const RingView<T>& view) : view_(view), head_(load_relaxed(view.header->head)), tail_(head_) {
    assert((view.capacity & (view.capacity - 1)) == 0);
  }

  /// Loads the tail; returns the records that can be taken. A tail that lies reads as an empty ring.
  uint32_t refresh() {
    tail_ = load_acquire(view_.header->tail);
    if (tail_ - head_ > view_.capacity) tail_ = head_;
    return tail_ - head_;
  }

  /// Records left of what the last refresh() saw.
  uint32_t size() const { return tail_ - head_; }

  /// Copies the oldest record out, so that its writer cannot change it between check and use. False: none left.
  bool take(T& out) {
    if (head_ == tail_) return false;
    out = view_.records[head_ & (view_.capacity - 1)];
    ++head_;
    return true;
  }

  /// The oldest record's place, for prefetching what it names; null when none is left.
  const T* peek(uint32_t ahead = 0) const {
    return ahead < tail_ - head_ ? &view_.records[(head_ + ahead) & (view_.capacity - 1)] : nullptr;
  }

  void publish() {
    if (head_ != load_relaxed(view_.header->head)) store_release(view_.header->head, head_);
  }

 private:
  RingView<T> view_;
  uint32_t head_ = 0;
  uint32_t tail_ = 0;  ///< as last seen
};

}  // namespace qstack
