// TxQueue: frames on their way to the port, by level, in order within a level, handed over in bursts.
//
// In: complete frames, one reference each, with their level. Out: Port::tx_burst. A port that takes fewer leaves the
// rest queued; a full lane refuses, and the sender drops or waits: no level fills another's lane. Which level
// goes next is the policy's word; its work is counted in bytes. A bare FIN or RST (kTxCloses) of the lowest lane waits until
// what came before it has left, in whatever lane: it overtakes no data of its connection. Bounded at construction. A frame
// has kTxQueued set while it waits here.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "native/abi/sojourn.hh"
#include "native/port/port.hh"
#include "native/sched/scheduling_policy.hh"

namespace qstack {

class TxQueue {
 public:
  /// Frames of a starved level under `strict`.
  static constexpr uint32_t kQuantum = 64;
  static constexpr uint32_t kBurst = 64;
  /// Frames between two looks at deadlines or shares.
  static constexpr uint32_t kLook = 16;
  /// Bytes of the smallest weight in one round: kLook full frames.
  static constexpr double kRound = kLook * 1'514;

  /// `capacity_power_of_two`: frames of one level. Frames of a level beyond `levels` share the lowest lane.
  /// `sojourn`: how long replies waited for the port, and all in all.
  explicit TxQueue(uint32_t capacity_power_of_two, uint32_t levels = 1, Sojourn* sojourn = nullptr,
                   const PolicyConfig& policy = {});

  /// By another policy from the next flush() on. What waits stays where it is.
  void schedule(const PolicyConfig& policy) { policy_ = SchedulingPolicy(policy, levels_, kQuantum, kLook, kRound); }
  /// Frames that are pushed from now on have waited since `now`.
  void begin_turn(Nanos now) { now_ = to_stamp(now); }

  /// False: its lane is full; the frame stays the caller's.
  bool push(Packet* packet) {
    Lane& lane = lanes_[lane_of(packet->level)];
    if (lane.tail - lane.head > mask_) return false;
    const uint32_t at = lane.tail++ & mask_;
    lane.frames[at] = packet;
    lane.since[at] = now_;
    packet->tx_flags |= kTxQueued;
    ++size_;
    return true;
  }
  /// Frames of all levels.
  uint32_t size() const { return size_; }
  /// Frames of `level` that still fit.
  uint32_t room(uint8_t level) const {
    const Lane& lane = lanes_[lane_of(level)];
    return mask_ + 1 - (lane.tail - lane.head);
  }
  /// Frames of one level.
  uint32_t capacity() const { return mask_ + 1; }
  uint8_t lowest() const { return static_cast<uint8_t>(levels_ - 1); }
  /// Hands as much as it takes to the port; returns the number handed over.
  uint32_t flush(Port& port, Nanos now);

 private:
  struct Lane {
    std::vector<Packet*> frames;
    std::vector<Stamp> since;  ///< when each of them came
    uint32_t head = 0;         ///< free-running: the oldest frame
    uint32_t tail = 0;         ///< free-running: where the next one goes
  };

  uint32_t lane_of(uint8_t level) const { return level < levels_ ? level : levels_ - 1; }
  uint32_t waiting() const;
  uint32_t before_close(uint32_t level, uint32_t most) const;
  uint32_t flush_lane(uint32_t level, Port& port, Nanos now, uint32_t most);
  uint32_t hand_over(Packet** frames, uint32_t n, Port& port, Nanos now);
  uint32_t measured(Packet** frames, uint32_t n, Port& port, Nanos now);

  std::array<Lane, kLevelsMax> lanes_;
  uint32_t levels_;
  uint32_t mask_;
  uint32_t size_ = 0;
  Stamp now_ = 0;
  Sojourn* sojourn_;
  SchedulingPolicy policy_;
};

}  // namespace qstack
