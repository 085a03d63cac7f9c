// TokenBucket: at most `rate` events a second, with bursts of `burst`. Time is passed in.
#pragma once

#include <algorithm>

#include "native/mempool/packet.hh"

namespace qstack {

class TokenBucket {
 public:
  TokenBucket(uint32_t rate, uint32_t burst) : interval_(1'000'000'000 / rate), burst_(interval_ * burst) {}

  /// True: the event may happen.
  bool take(Nanos now) {
    spent_until_ = std::max(spent_until_, now);
    if (spent_until_ + interval_ > now + burst_) return false;
    spent_until_ += interval_;
    return true;
  }

 private:
  Nanos interval_;         ///< what one event costs
  Nanos burst_;            ///< how far ahead of time may be spent
  Nanos spent_until_ = 0;  ///< the time that the events so far have paid for
};

}  // namespace qstack
