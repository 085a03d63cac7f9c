// Network: one switch, a link to each host, and everything that may go wrong on the way.
//
// In: frames that hosts send, and what goes wrong at the moment. Out: frames for each host in the order of their
// arrival. Invariant: the same seed, frames and times give the same arrivals, bit for bit. After heal() every frame
// arrives once, unchanged, in order; only slow links stay slow.
#pragma once

#include <array>
#include <deque>
#include <queue>

#include "native/sim/frame.hh"
#include "native/sim/plan.hh"
#include "native/sim/segment_view.hh"

namespace qstack::sim {

/// What happens to frames on their way to one host. Probabilities are ppm of the frames.
struct Weather {
  uint32_t loss = 0;
  uint32_t bursts = 0, burst_frames = 0;
  uint32_t reordering = 0, reordering_us = 0;
  uint32_t duplicates = 0, duplicates_us = 0;
  uint32_t corruption = 0;
  uint32_t rewrites = 0;
  uint32_t fragments = 0;
  uint32_t jitter_us = 0;
  uint32_t marks = 0;
  uint32_t mtu = 0xffff;
  bool tells_mtu = false;  ///< by ICMP; else it swallows what is too long
  bool down = false;
};

class Network {
 public:
  Network(const Plan& plan, FrameStore& store);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  void send(uint8_t from, const uint8_t* bytes, uint16_t length, const Note& note, Nanos now);
  /// The frame that has reached `host` by now, or null. The caller gives it back to the store.
  Frame* take(uint8_t host, Nanos now);
  void give(Frame* frame) { store_.give(frame); }
  /// When the next frame reaches `host`; UINT64_MAX without one.
  Nanos next_arrival(uint8_t host) const;
  /// What is on its way to a host that has crashed.
  void forget(uint8_t host);

  /// From now on. Faults that are over leave nothing behind.
  void set_weather(uint8_t host, const Weather& weather) { lanes_[host].weather = weather; }
  bool link_up(uint8_t host) const { return !lanes_[host].weather.down; }
  void heal();

  uint64_t frames() const { return order_; }

 private:
  struct Later {
    bool operator()(const Frame* a, const Frame* b) const {
      return a->due != b->due ? a->due > b->due : a->order > b->order;
    }
  };
  /// A link: the way out of a host into the switch, and from there in.
  struct Lane {
    Weather weather;
    uint32_t burst_left = 0;
    Nanos free_at = 0;  ///< when the last bit of what waits has left
    std::priority_queue<Frame*, std::vector<Frame*>, Later> arriving;
  };

  void carry(uint8_t from, uint8_t to, const uint8_t* bytes, uint16_t length, const Note& note, Nanos depart,
             bool marked);
  bool dropped_early(const HostPlan& host, uint64_t queued);
  bool lost(Lane& lane, uint16_t length);
  void arrive(Lane& lane, Frame* frame, Nanos due);
  void arrive_in_pieces(Lane& lane, Frame* frame, const SegmentView& segment, Nanos due);
  void tell_too_big(uint8_t from, uint8_t to, const uint8_t* bytes, uint16_t length, Nanos depart);
  void corrupt(Frame& frame);
  void rewrite(Frame& frame);
  void mark(Frame& frame) const;
  void plant(Frame& frame);

  const Plan& plan_;
  FrameStore& store_;
  Random random_;
  std::array<Lane, kHostsMax> lanes_;
  uint64_t order_ = 0;
  uint16_t cuts_ = 0;
};

}  // namespace qstack::sim
