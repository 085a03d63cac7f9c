// FrameTrail: the last frames that a shard has seen, from which those of one connection are taken when it matters.
//
// In: frames in the order of the wire. Out: those of one connection, oldest first. A fixed number of places; the oldest frame
// makes room.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "native/monitor/tick.hh"

namespace qstack::monitor {

class FrameTrail {
 public:
  /// 0 frames: nothing is kept.
  FrameTrail(uint32_t frames, uint32_t bytes_of_each) : places_(frames), bytes_(size_t{frames} * bytes_of_each), stride_(bytes_of_each) {}

  void add(const Segment& segment, uint64_t flow_hash, Bytes frame) {
    if (places_.empty()) return;
    const size_t index = next_++ % places_.size();
    const auto length = static_cast<uint32_t>(std::min<size_t>(frame.size(), stride_));
    places_[index] = {segment.time, flow_hash, segment.frame_length, length};
    std::memcpy(&bytes_[index * stride_], frame.data(), length);
  }

  /// From `since` on. Two connections with the same hash of 64 bits would be taken for one.
  std::vector<TailFrame> of(uint64_t flow_hash, Nanos since) const {
    std::vector<TailFrame> out;
    const uint64_t count = std::min<uint64_t>(next_, places_.size());
    for (uint64_t i = next_ - count; i < next_; ++i) {
      const size_t index = i % places_.size();
      const Place& place = places_[index];
      if (place.flow_hash != flow_hash || place.time < since) continue;
      const uint8_t* const at = &bytes_[index * stride_];
      out.push_back({place.time, place.length, {at, at + place.captured}});
    }
    return out;
  }

 private:
  struct Place {
    Nanos time = 0;
    uint64_t flow_hash = 0;
    uint32_t length = 0, captured = 0;
  };
  std::vector<Place> places_;
  std::vector<uint8_t> bytes_;
  size_t stride_;
  uint64_t next_ = 0;
};

}  // namespace qstack::monitor
