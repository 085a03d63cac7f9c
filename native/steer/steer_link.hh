// SteerLink: what the thread that steers and the thread of one other stack share.
#pragma once

#include <atomic>

#include "native/steer/frame_way.hh"

namespace qstack {

struct SteerLink {
  /// Frames of each direction that are under way, and packets that are away from their pool because of it.
  explicit SteerLink(uint32_t capacity_power_of_two) : received(capacity_power_of_two), sent(capacity_power_of_two) {}

  FrameWay received;
  FrameWay sent;
  alignas(64) std::atomic<bool> up{false};  ///< of the device; written by the thread that steers
};

}  // namespace qstack
