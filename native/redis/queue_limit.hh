// QueueLimit: how many commands of lower levels may be in flight to one server: as few as keep it busy until we look
// again. A higher command waits behind them, so more would be latency, and fewer would be a server that idles.
//
// In: what each look at the replies found. Out: a limit. The rule is that of the dynamic queue limits of Linux' network
// drivers: a queue that ran dry while more was waiting was too short by what was taken; one that never did so for a
// while is shortened by what always was left over.
#pragma once

#include <algorithm>
#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack::redis {

class QueueLimit {
 public:
  static constexpr Nanos kHold = 100'000'000;

  QueueLimit(uint32_t min, uint32_t max) : min_(min), max_(std::max(min, max)), limit_(min) {}

  uint32_t value() const { return limit_; }

  /// `taken` replies were found and `left` commands have none yet, while others waited for the limit.
  void looked(uint32_t taken, uint32_t left, Nanos now) {
    if (left == 0) {
      limit_ = std::min(limit_ + taken, max_);
      begin_hold(now);
      return;
    }
    least_left_ = std::min(least_left_, left);
    if (now < hold_until_) return;
    limit_ = std::max(min_, limit_ - std::min(limit_, least_left_));
    begin_hold(now);
  }

 private:
  void begin_hold(Nanos now) {
    hold_until_ = now + kHold;
    least_left_ = UINT32_MAX;
  }

  uint32_t min_, max_, limit_;
  uint32_t least_left_ = UINT32_MAX;  ///< since the hold began
  Nanos hold_until_ = 0;
};

}  // namespace qstack::redis
