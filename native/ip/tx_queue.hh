// TxQueue: frames on their way to the port, in order, handed over in bursts.
//
// In: complete frames, one reference each. Out: Port::tx_burst. A port that takes fewer leaves the rest queued; a full
// queue refuses, and the sender drops or waits. Bounded at construction.
#pragma once

#include <cstdint>
#include <vector>

#include "native/port/port.hh"

namespace qstack {

class TxQueue {
 public:
  explicit TxQueue(uint32_t capacity_power_of_two);

  /// False: full; the frame stays the caller's.
  bool push(Packet* packet) {
    if (room() == 0) return false;
    frames_[tail_++ & mask_] = packet;
    return true;
  }
  uint32_t size() const { return tail_ - head_; }
  uint32_t room() const { return mask_ + 1 - size(); }
  /// Hands as much as it takes to the port; returns the number handed over.
  uint32_t flush(Port& port, Nanos now);

 private:
  std::vector<Packet*> frames_;
  uint32_t mask_;
  uint32_t head_ = 0;  ///< free-running: the oldest frame
  uint32_t tail_ = 0;  ///< free-running: where the next one goes
};

}  // namespace qstack
