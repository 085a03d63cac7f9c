// FaultLane: one direction of a FaultPort. Frames go in as they come, and come out late, twice, damaged, or not at all.
//
// In: frames (one reference each) and the time. Out: frames in the order in which they are to travel on.
// Invariant: the same seed, frames and times give the same result, bit for bit; every frame that goes in comes out or
// goes back to its pool. Nothing is held for longer than the configuration says.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "native/mempool/packet_pool.hh"

namespace qstack {

/// Probabilities from 0 to 1, drawn for each frame on its own.
struct FaultConfig {
  double drop = 0;
  double duplicate = 0;
  double corrupt = 0;  ///< one bit is flipped, anywhere in the frame
  double reorder = 0;  ///< held back until `reorder_depth` later frames have passed, at most `reorder_us_max`
  double delay = 0;    ///< held back for a time between `delay_us_min` and `delay_us_max`
  uint32_t reorder_depth = 3;
  uint32_t reorder_us_max = 5'000;
  uint32_t delay_us_min = 0;
  uint32_t delay_us_max = 10'000;
};

struct FaultCounts {
  uint64_t frames = 0;  ///< came in
  uint64_t dropped = 0;
  uint64_t duplicated = 0;
  uint64_t corrupted = 0;
  uint64_t reordered = 0;
  uint64_t delayed = 0;
  uint64_t spared = 0;  ///< should have been damaged, but there was no packet for the copy
};

/// splitmix64: a stream of numbers from any seed, for damage on purpose; no secrets.
class FaultRandom {
 public:
  explicit FaultRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// 0 … bound - 1; the bias of the modulo does not matter here.
  uint64_t below(uint64_t bound) { return next() % bound; }
  bool chance(double probability) { return static_cast<double>(next() >> 11) * 0x1p-53 < probability; }

 private:
  uint64_t state_;
};

class FaultLane {
 public:
  /// `copies` gives the packets for duplicates. With `borrowed`, others may still read the frames that come in (a
  /// segment kept for retransmission): what is damaged or held back then is a copy, and the original goes back at once.
  FaultLane(const FaultConfig& config, uint64_t seed, PacketPool& copies, bool borrowed);
  ~FaultLane();
  FaultLane(const FaultLane&) = delete;
  FaultLane& operator=(const FaultLane&) = delete;

  void put(Packet* packet, Nanos now);
  /// Lets go what has been held for long enough.
  void advance(Nanos now);

  /// Frames that are to travel on, the oldest first.
  std::deque<Packet*>& ready() { return ready_; }
  /// Frames inside, held or ready.
  size_t size() const { return held_.size() + ready_.size(); }
  const FaultCounts& counts() const { return counts_; }

 private:
  struct Held {
    Packet* packet;
    Nanos due;
    uint32_t passes_left;  ///< later frames that must pass first; kNoIndex: only time counts
  };

  Packet* copy(const Packet* packet);
  Packet* own(Packet* packet);
  Packet* corrupted(Packet* packet);
  void hold(Packet* packet, Nanos due, uint32_t passes);
  void pass(Packet* packet);

  FaultConfig config_;
  FaultRandom random_;
  PacketPool& pool_;
  bool borrowed_;
  std::vector<Held> held_;
  std::deque<Packet*> ready_;
  FaultCounts counts_;
};

}  // namespace qstack
