// TimerWheel: one node per connection, four wheels of 256 places, one tick a millisecond.
//
// In: a slot and the tick at which to wake it. Out: expired slots, in order of their tick, once. A node that is armed
// later than it stands is not moved: it fires early and the owner arms it again (lazy re-arming), so most packets touch
// no wheel at all. Links are slots, and the nodes live in the owner's control blocks.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack {

struct TimerNode {
  uint32_t next;
  uint32_t previous;  ///< a slot, or kHead | place when the node is first
  uint32_t tick;      ///< when it fires; valid while armed
};

/// `Nodes` gives the node of a slot: TimerNode& operator()(uint32_t slot).
template <typename Nodes>
class TimerWheel {
 public:
  explicit TimerWheel(Nodes nodes) : nodes_(nodes) { heads_.fill(kNoIndex); }

  void arm(uint32_t slot, uint32_t tick) {
    TimerNode& node = nodes_(slot);
    node.tick = tick;
    link(slot, node);
  }

  void disarm(uint32_t slot) {
    TimerNode& node = nodes_(slot);
    if (node.next != kNoIndex) nodes_(node.next).previous = node.previous;
    if (node.previous & kHead) {
      heads_[node.previous & ~kHead] = node.next;
    } else {
      nodes_(node.previous).next = node.next;
    }
  }

  /// Calls fire(slot) for nodes that are due, `most` of them at most: the others fire in the next calls. The node is
  /// disarmed before. `fire` may arm any node. Returns the number fired.
  template <typename Fire>
  uint32_t advance(uint32_t now_tick, uint32_t most, Fire&& fire) {
    uint32_t fired = 0;
    while (static_cast<int32_t>(now_tick - current_) >= 0) {
      cascade();
      uint32_t& head = heads_[current_ & kMask];
      while (head != kNoIndex) {
        if (fired == most) return fired;
        const uint32_t slot = head;
        disarm(slot);
        if (head != kNoIndex) __builtin_prefetch(&nodes_(head));
        fire(slot);
        ++fired;
      }
      occupied_[(current_ & kMask) / 64] &= ~(uint64_t{1} << (current_ % 64));
      ++current_;
      skip_empty(now_tick + 1);
    }
    return fired;
  }

  /// The first tick that is not yet handled. Call once before the first arm.
  void start(uint32_t tick) { current_ = tick; }

  /// Until this tick nothing is due; looks 64 ticks ahead at most.
  uint32_t quiet_until() const {
    if ((current_ & kMask) == 0) return current_;
    const uint64_t ahead = occupied_[(current_ & kMask) / 64] >> (current_ % 64);
    return current_ + (ahead != 0 ? static_cast<uint32_t>(std::countr_zero(ahead)) : 64 - current_ % 64);
  }

 private:
  static constexpr uint32_t kHead = 0x80000000u;
  static constexpr uint32_t kMask = 255;

  /// Wheel k holds what is due within 256^(k+1) ticks, at place (tick >> 8k) & 255.
  void link(uint32_t slot, TimerNode& node) {
    uint32_t delay = node.tick - current_;
    if (static_cast<int32_t>(delay) < 0) {
      node.tick = current_;
      delay = 0;
    }
    uint32_t wheel = 0;
    while (wheel < 3 && delay >= (256u << (8 * wheel))) ++wheel;
    const uint32_t place = wheel * 256 + ((node.tick >> (8 * wheel)) & kMask);
    node.next = heads_[place];
    node.previous = kHead | place;
    if (node.next != kNoIndex) nodes_(node.next).previous = slot;
    heads_[place] = slot;
    if (wheel == 0) occupied_[place / 64] |= uint64_t{1} << (place % 64);
  }

  /// On to what may be due, to where the next wheel is dealt out, or to `end`: a clock that jumps is not walked by ticks.
  void skip_empty(uint32_t end) {
    while (current_ != end) {
      const uint32_t free = quiet_until() - current_;
      if (free == 0) return;
      current_ += std::min(free, end - current_);
    }
  }

  /// When a lower wheel begins anew, the due place of the next one is dealt out.
  void cascade() {
    for (uint32_t wheel = 1; wheel < 4; ++wheel) {
      if ((current_ & ((1u << (8 * wheel)) - 1)) != 0) return;
      uint32_t slot = heads_[wheel * 256 + ((current_ >> (8 * wheel)) & kMask)];
      heads_[wheel * 256 + ((current_ >> (8 * wheel)) & kMask)] = kNoIndex;
      while (slot != kNoIndex) {
        TimerNode& node = nodes_(slot);
        const uint32_t next = node.next;
        link(slot, node);
        slot = next;
      }
    }
  }

  Nodes nodes_;
  uint32_t current_ = 0;
  std::array<uint32_t, 4 * 256> heads_{};
  std::array<uint64_t, 4> occupied_{};  ///< places of the first wheel that may hold nodes
};

}  // namespace qstack
