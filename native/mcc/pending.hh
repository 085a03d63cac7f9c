// PendingPool: every message from its intended time until it is answered or given up. Bounded: a full pool makes the
// arrivals wait, and because they keep their intended times, that wait is counted as latency.
//
//   due:            record ─▶ record ─▶ …      (in the order of the schedule)
//   connection.oldest ─▶ record ─▶ … newest     (sent, not yet answered)
#pragma once

#include <cstdint>
#include <span>

#include "native/mcc/connection.hh"

namespace qstack::mcc {

struct Pending {
  Nanos intended;
  uint32_t next;
  uint32_t connection;
  uint32_t counter;
  uint8_t level;
  uint16_t length = 0;  ///< 0: what the builder makes
};
static_assert(sizeof(Pending) == 24);

class PendingPool {
 public:
  explicit PendingPool(uint32_t capacity)
      : memory_(size_t{capacity} * sizeof(Pending)), records_(reinterpret_cast<Pending*>(memory_.data()), capacity) {}

  uint32_t room() const { return static_cast<uint32_t>(records_.size()) - used_; }
  uint32_t used() const { return used_; }
  MemoryRegion memory() const { return memory_.region(); }
  Pending& at(uint32_t index) { return records_[index]; }
  void prefetch(uint32_t index) const {
    if (index < records_.size()) __builtin_prefetch(&records_[index]);
  }

  uint32_t take() {
    ++used_;
    if (free_ == kNoIndex) return fresh_++;
    uint32_t index = free_;
    free_ = records_[index].next;
    return index;
  }

  void give(uint32_t index) {
    --used_;
    records_[index].next = free_;
    free_ = index;
  }

  /// Forgets all records at once; whoever holds an index must forget it too.
  void clear() {
    free_ = kNoIndex;
    fresh_ = used_ = 0;
  }

 private:
  Mapping memory_;
  std::span<Pending> records_;
  uint32_t free_ = kNoIndex;
  uint32_t fresh_ = 0;  ///< records from here on were never used
  uint32_t used_ = 0;
};

/// First in, first out, linked through Pending::next.
struct PendingQueue {
  uint32_t head = kNoIndex;
  uint32_t tail = kNoIndex;

  bool empty() const { return head == kNoIndex; }

  void push(PendingPool& pool, uint32_t index) {
    pool.at(index).next = kNoIndex;
    (empty() ? head : pool.at(tail).next) = index;
    tail = index;
  }

  uint32_t pop(PendingPool& pool) {
    uint32_t index = head;
    head = pool.at(index).next;
    return index;
  }
};

/// Appends a sent message to its connection's list.
void link_sent(PendingPool& pool, Connection& connection, uint32_t index);

/// The message with this counter on the connection's list; kNoIndex when it is not there.
uint32_t find_sent(PendingPool& pool, const Connection& connection, uint32_t counter);

/// Takes the message with this counter out of the connection's list; kNoIndex when it is not there.
uint32_t unlink_sent(PendingPool& pool, Connection& connection, uint32_t counter);

}  // namespace qstack::mcc
