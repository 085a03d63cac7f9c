// RxQueue: received segments between the driver and TCP: control first, then the highest level, in order within a lane.
//
// In: segments with level, payload_length and flags located. Out: batches for TCP. A lower lane that waits gets a
// quantum after kPasses batches of others at the latest. Pure ACKs go first, at most a quarter of a batch while others
// wait; SYNs come after level 0; FIN and RST go with the lowest level, so they overtake no data of their connection.
// Bounded by the RX pool. Used by the stack's thread alone.
#pragma once

#include <array>

#include "native/mempool/packet_queue.hh"

namespace qstack {

class RxQueue {
 public:
  static constexpr uint32_t kPasses = 16;
  static constexpr uint32_t kQuantum = 32;

  explicit RxQueue(uint32_t levels);

  void push(Packet* packet);
  /// Takes up to n segments, in the order in which TCP should see them. One that comes before a segment that arrived
  /// earlier has kRxOvertakes set: TCP must not mistake our order for the network's.
  uint32_t take(Packet** out, uint32_t n);
  uint32_t size() const { return size_; }

 private:
  // Lanes in their order: control, level 0, SYN, level 1, level 2, …
  static constexpr uint32_t kControl = 0, kTop = 1, kSyn = 2;
  struct Lane {
    PacketQueue packets;
    uint32_t passed = 0;  ///< batches since it had its turn
  };

  uint32_t lane_of(const Packet& packet) const;
  uint32_t lowest() const { return count_ == kSyn + 1 ? kTop : count_ - 1; }
  uint32_t take_from(Lane& lane, Packet** out, uint32_t n);
  uint32_t take_starved(Packet** out, uint32_t n);
  void mark_overtaking(Packet** packets, uint32_t n) const;

  std::array<Lane, kLevelsMax + 2> lanes_;
  uint32_t count_;  ///< lanes in use
  uint32_t size_ = 0;
};

}  // namespace qstack
