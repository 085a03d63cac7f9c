// SnapshotRing: snapshots of frames on their way from the capture to a shard. One writer, one reader, no lock.
//
//   place: Snapshot │ the frame's first bytes, at most `bytes`
//
// In: what claim() gave, filled, after publish(). Out: front(), until pop(). The size of a place is chosen at the start.
#pragma once

#include <atomic>
#include <bit>
#include <vector>

#include "native/monitor/message_reader.hh"

namespace qstack::monitor {

enum class SnapshotKind : uint8_t { frame, tick, end };

struct Snapshot {
  Segment segment;
  uint64_t hash = 0;  ///< tick: its number
  Way way = Way::request;
  SnapshotKind kind = SnapshotKind::frame;

  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
  Bytes frame() const { return {reinterpret_cast<const uint8_t*>(this + 1), segment.captured}; }
};

class SnapshotRing {
 public:
  /// `places` is a power of two.
  SnapshotRing(uint32_t places, uint32_t bytes)
      : mask_(places - 1), stride_((sizeof(Snapshot) + bytes + 63) / 64 * 64), memory_(size_t{places} * stride_ / 64) {}

  /// Writer: the next place, or null when all are full.
  Snapshot* claim() {
    if (tail_ - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail_ - head_seen_ > mask_) return nullptr;
    }
    return new (place(tail_)) Snapshot;
  }
  /// What claim() gave is written; the reader sees it after publish().
  void push() { ++tail_; }
  void publish() { published_.store(tail_, std::memory_order_release); }

  /// Reader: the oldest, or null.
  Snapshot* front() {
    if (next_ == tail_seen_) {
      head_.store(next_, std::memory_order_release);
      tail_seen_ = published_.load(std::memory_order_acquire);
      if (next_ == tail_seen_) return nullptr;
    }
    return std::launder(reinterpret_cast<Snapshot*>(place(next_)));
  }
  /// Places are given back in groups, and when the ring was found empty.
  void pop() {
    if ((++next_ & 63) == 0) head_.store(next_, std::memory_order_release);
  }

 private:
  struct alignas(64) Line {
    uint8_t bytes[64];
  };
  void* place(uint64_t number) { return memory_[(number & mask_) * (stride_ / 64)].bytes; }

  const uint64_t mask_;
  const size_t stride_;
  std::vector<Line> memory_;
  alignas(64) uint64_t tail_ = 0;  ///< the writer's line
  uint64_t head_seen_ = 0;
  std::atomic<uint64_t> published_{0};
  alignas(64) uint64_t next_ = 0;  ///< the reader's line
  uint64_t tail_seen_ = 0;
  std::atomic<uint64_t> head_{0};
};

}  // namespace qstack::monitor
