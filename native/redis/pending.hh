// PendingPool: every command between the command ring and its completion; and the lists that it moves through.
//
//   free ──take──▶ waiting[level] of a shard ──▶ in flight of that shard ──reply, loss, time-out──▶ free
//                             ▲───── MOVED, ASK, another map ─────│
//                             └──── later ◀── TRYAGAIN, CLUSTERDOWN ──┘
//
// In: indices. Out: indices. Invariant: an entry is in exactly one list; lists are FIFO and linked by `next`.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "native/mempool/packet.hh"
#include "native/redis/place_heap.hh"

namespace qstack::redis {

/// Goes before a command that a server has sent on to the one which is importing its slot.
inline constexpr std::string_view kAsking = "*1\r\n$6\r\nASKING\r\n";
inline constexpr uint16_t kNoSlot = 0xffff;

struct Pending {
  uint32_t op = 0;
  uint32_t next = kNoIndex;
  Place place;           ///< holds the command's bytes
  uint32_t length = 0;   ///< of the command
  uint32_t written = 0;  ///< bytes of it that the socket has taken
  Nanos deadline = 0;
  Nanos again_at = 0;  ///< of one that waits for the cluster
  Stamp stamp = 0;  ///< start of the op
  Stamp since = 0;  ///< its message came to the stack, to the millisecond
  uint8_t level = 0;
  bool answered = false;     ///< timed out in flight: JavaScript knows, the reply will be thrown away
  uint8_t head = 0;          ///< bytes of the place before the first one that is sent
  uint8_t redirects = 0;     ///< how often a server has sent it on
  bool asking = false;       ///< ASKING goes before it, and its reply has not come
  uint16_t slot = kNoSlot;   ///< of a cluster; kNoSlot: it is the shard's, wherever slots go

  uint8_t* unsent() const { return place.at + head + written; }

  /// To be sent anew, with ASKING before it or without. There is room for it in front in a cluster.
  void again(bool with_asking) {
    const auto room = static_cast<uint8_t>(kAsking.size());
    length -= room - head;
    head = with_asking ? 0 : room;
    length += room - head;
    if (with_asking) std::memcpy(place.at, kAsking.data(), room);
    written = 0;
    asking = with_asking;
  }
};

class PendingPool {
 public:
  explicit PendingPool(uint32_t count) : entries_(count) {
    for (uint32_t i = 0; i < count; ++i) entries_[i].next = i + 1 < count ? i + 1 : kNoIndex;
    free_ = count != 0 ? 0 : kNoIndex;
  }

  Pending& at(uint32_t index) { return entries_[index]; }
  const Pending& at(uint32_t index) const { return entries_[index]; }
  uint32_t capacity() const { return static_cast<uint32_t>(entries_.size()); }
  uint32_t in_use() const { return in_use_; }

  /// kNoIndex: none free.
  uint32_t take() {
    const uint32_t index = free_;
    if (index == kNoIndex) return index;
    free_ = entries_[index].next;
    entries_[index] = Pending{};
    ++in_use_;
    return index;
  }

  void give_back(uint32_t index) {
    entries_[index].next = free_;
    free_ = index;
    --in_use_;
  }

 private:
  std::vector<Pending> entries_;
  uint32_t free_ = kNoIndex;
  uint32_t in_use_ = 0;
};

/// A FIFO of entries.
class PendingList {
 public:
  bool empty() const { return head_ == kNoIndex; }
  uint32_t head() const { return head_; }
  uint32_t size() const { return size_; }

  void push_back(PendingPool& pool, uint32_t index) {
    pool.at(index).next = kNoIndex;
    if (empty()) {
      head_ = index;
    } else {
      pool.at(tail_).next = index;
    }
    tail_ = index;
    ++size_;
  }

  void push_front(PendingPool& pool, uint32_t index) {
    pool.at(index).next = head_;
    if (empty()) tail_ = index;
    head_ = index;
    ++size_;
  }

  uint32_t pop_front(PendingPool& pool) {
    const uint32_t index = head_;
    head_ = pool.at(index).next;
    --size_;
    return index;
  }

 private:
  uint32_t head_ = kNoIndex;
  uint32_t tail_ = kNoIndex;
  uint32_t size_ = 0;
};

}  // namespace qstack::redis
