// LoweredMss: connections whose path turned out to be narrower than the handshake said, oldest first.
//
// In: a connection and the MSS that it had. Out: the same when its time is over, so that a path which has become wider is
// noticed (RFC 1191 6.3, RFC 8201 4). Kept per connection and not per destination: who guesses the sequence numbers of one
// connection slows that one down, and a handshake looks nothing up. When the room is used up the oldest is forgotten: its
// connection keeps the small MSS for life. Used for what is rare: searches are linear.
#pragma once

#include <cstdint>
#include <vector>

#include "native/tcp/app.hh"

namespace qstack {

class LoweredMss {
 public:
  static constexpr uint32_t kMost = 4'096;

  struct Entry {
    Handle handle;  ///< slot kNoIndex: taken over by a later entry
    uint32_t deadline_ms = 0;
    uint16_t mss = 0;
  };

  explicit LoweredMss(uint32_t room) : ring_(room) {}

  /// `mss`: what it was until now. Deadlines are given in their order; a connection that is here already waits anew.
  void add(Handle handle, uint16_t mss, uint32_t deadline_ms) {
    for (uint32_t i = 0; i < count_; ++i) {
      Entry& entry = at(i);
      if (entry.handle != handle) continue;
      mss = entry.mss;
      entry.handle = {};
    }
    if (count_ == ring_.size()) drop_oldest();
    at(count_++) = {handle, deadline_ms, mss};
  }

  /// The oldest one, or null.
  const Entry* oldest() const { return count_ == 0 ? nullptr : &ring_[head_]; }
  void drop_oldest() {
    head_ = head_ + 1 == ring_.size() ? 0 : head_ + 1;
    --count_;
  }

 private:
  Entry& at(uint32_t place) { return ring_[(head_ + place) % ring_.size()]; }

  std::vector<Entry> ring_;
  uint32_t head_ = 0;
  uint32_t count_ = 0;
};

}  // namespace qstack
