// IdleGaps: the hiccup probe. How long this thread was kept from coming round although it had nothing to do.
//
// In: the time of every idle turn (naps of the loop's own are left out by begin()). Out: the largest gap of each window of
// 1 ms, in a histogram. A gap belongs to the window in which it ends.
#pragma once

#include "native/mcc/histogram.hh"
#include "native/mempool/packet.hh"

namespace qstack::mcc {

class IdleGaps {
 public:
  static constexpr Nanos kWindow = 1'000'000;

  /// The next gap starts at `now`: the turns before it had work, or the thread slept on purpose.
  void begin(Nanos now) { last_ = now; }

  void idle_turn(Nanos now) {
    largest_ = std::max(largest_, now - last_);
    last_ = now;
    if (now - window_ < kWindow) return;
    gaps_.record(largest_);
    largest_ = 0;
    window_ = now;
  }

  const Histogram& gaps() const { return gaps_; }
  void clear() { gaps_.clear(); }

 private:
  Histogram gaps_;
  Nanos last_ = 0, window_ = 0, largest_ = 0;
};

}  // namespace qstack::mcc
