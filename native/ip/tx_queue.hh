// TxQueue: frames on their way to the port, highest level first, in order within a level, handed over in bursts.
//
// In: complete frames, one reference each, with their level. Out: Port::tx_burst. A port that takes fewer leaves the
// rest queued; a full lane refuses, and the sender drops or waits: no level fills another's lane. A lower level that
// waits gets a quantum after kPasses bursts of higher ones at the latest. Bounded at construction. A frame has kTxQueued
// set while it waits here.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "native/abi/sojourn.hh"
#include "native/port/port.hh"

namespace qstack {

class TxQueue {
 public:
  static constexpr uint32_t kPasses = 16;
  static constexpr uint32_t kQuantum = 64;
  static constexpr uint32_t kBurst = 64;

  /// `capacity_power_of_two`: frames of one level. Frames of a level beyond `levels` share the lowest lane.
  /// `sojourn`: how long replies waited for the port, and all in all.
  explicit TxQueue(uint32_t capacity_power_of_two, uint32_t levels = 1, Sojourn* sojourn = nullptr);

  /// False: its lane is full; the frame stays the caller's.
  bool push(Packet* packet) {
    Lane& lane = lanes_[lane_of(packet->level)];
    if (lane.tail - lane.head > mask_) return false;
    lane.frames[lane.tail++ & mask_] = packet;
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
    uint32_t head = 0;    ///< free-running: the oldest frame
    uint32_t tail = 0;    ///< free-running: where the next one goes
    uint32_t passed = 0;  ///< flushes of higher levels since it had its turn
  };

  uint32_t lane_of(uint8_t level) const { return level < levels_ ? level : levels_ - 1; }
  uint32_t flush_lane(Lane& lane, Port& port, Nanos now, uint32_t most);
  uint32_t hand_over(Packet** frames, uint32_t n, Port& port, Nanos now);
  uint32_t measured(Packet** frames, uint32_t n, Port& port, Nanos now);

  std::array<Lane, kLevelsMax> lanes_;
  uint32_t levels_;
  uint32_t mask_;
  uint32_t size_ = 0;
  Sojourn* sojourn_;
};

}  // namespace qstack
