// ArrivalClock: when that has come which a network tells of. A stamp that was taken before the network looked would make latencies
// too short, by as long as the thread stood still in between.
//
// In: when a turn began, a clock. Out: times that are never before what is told arrived.
#pragma once

#include "native/mempool/packet.hh"  // Nanos

namespace qstack::mcc {

/// Nanoseconds of the time that turns are given. nullptr: time stands still within a turn.
using Clock = Nanos (*)();

class ArrivalClock {
 public:
  /// `each`: what is told was looked for since the event before it, so the clock is read at each event; otherwise a turn looks once,
  /// before its first event.
  ArrivalClock(Clock clock, bool each) : clock_(clock), each_(each) {}

  void begin_turn(Nanos now) {
    at_ = now;
    due_ = clock_ != nullptr;
  }
  /// Call from within an event.
  Nanos at_event() {
    if (due_) at_ = clock_();
    due_ = due_ && each_;
    return at_;
  }

 private:
  Clock clock_;
  bool each_;
  bool due_ = false;
  Nanos at_ = 0;
};

}  // namespace qstack::mcc
