// RxQueue: received segments between the driver and TCP: control first, then the highest level, in order within a lane.
//
// In: segments with level, payload_length, flags and rx_stamp located. Out: batches for TCP. Which level goes next is the
// policy's word; its work is counted in packets. Pure ACKs go first, at most a quarter of a batch while others wait; SYNs
// are a level behind level 0, with its weight and budget, kSynsPerTurn at most while others wait and `syns_max` in all: what a
// flood may cost. FIN and RST go with the lowest level, and never before data that arrived earlier, so they overtake none
// of their connection. Otherwise bounded by the RX pool. Used by the stack's thread alone.
#pragma once

#include <array>

#include "native/mempool/packet_queue.hh"
#include "native/sched/scheduling_policy.hh"

namespace qstack {

class RxQueue {
 public:
  /// Packets of a starved level under `strict`.
  static constexpr uint32_t kQuantum = 32;
  /// Packets between two looks at deadlines or shares; those of the smallest weight in one round.
  static constexpr uint32_t kBurst = 8;
  static constexpr uint32_t kSynsPerTurn = 128;

  explicit RxQueue(uint32_t levels, const PolicyConfig& policy = {}, uint32_t syns_max = UINT32_MAX);

  /// By another policy from the next take() on. What waits stays where it is.
  void schedule(const PolicyConfig& policy);

  void begin_turn() { syns_left_ = kSynsPerTurn; }
  /// False: a SYN that has no room. It stays the caller's.
  bool push(Packet* packet);
  /// Takes up to n segments, in the order in which TCP should see them. One that comes before data that arrived earlier
  /// has kRxOvertakes set: TCP must not mistake our order for the network's.
  uint32_t take(Packet** out, uint32_t n, Stamp now);
  uint32_t size() const { return size_; }
  /// Those that wait for nothing but TCP: control and level 0.
  uint32_t urgent() const { return urgent_; }

 private:
  // Lanes in their order: control, level 0, SYN, level 1, level 2, …
  static constexpr uint32_t kControl = 0, kTop = 1, kSyn = 2;
  static constexpr uint32_t kSynBit = 1u << (kSyn - kTop);

  uint32_t lane_of(const Packet& packet) const;
  uint32_t lowest() const { return count_ == kSyn + 1 ? kTop : count_ - 1; }
  bool closes_early(const Packet& packet) const;
  uint32_t take_from(uint32_t lane, Packet** out, uint32_t n);
  uint32_t take_by_policy(Packet** out, uint32_t n, Stamp now);
  uint32_t take_syns(Packet** out, uint32_t n);
  void mark_overtaking(Packet** packets, uint32_t n) const;

  std::array<PacketQueue, kLevelsMax + 2> lanes_;
  SchedulingPolicy policy_;  ///< its level L is the lane L + kTop
  uint32_t count_;           ///< lanes in use
  uint32_t syns_max_;
  uint32_t work_ = 0;        ///< bit L: the policy's level L has work
  uint32_t size_ = 0;
  uint32_t urgent_ = 0;  ///< in the lanes control and level 0
  uint32_t syns_ = 0;  ///< in their lane
  uint32_t syns_left_ = kSynsPerTurn;
};

}  // namespace qstack
