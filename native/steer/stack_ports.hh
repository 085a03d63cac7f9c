// StackPorts: a port for each of several stacks, over the one port of their device.
//
// In: the device's port, whose flow it is, and the pools of each stack. Out: the SteeringPort of stack 0 and the SteeredPorts of
// the others, with the ways between them. Invariant: at most half of a pool's packets are away in ways, unless told
// otherwise. Destroyed when no stack takes turns any more, before the pools.
#pragma once

#include <algorithm>
#include <bit>
#include <deque>
#include <optional>
#include <vector>

#include "native/steer/steered_port.hh"
#include "native/steer/steering_port.hh"

namespace qstack {

class StackPorts {
 public:
  struct Pools {
    PacketPool* rx;
    PacketPool* tx;
  };

  /// Two stacks at least; `steering` is for as many. `frames`: in each way, a power of two; 0: as many as way_frames() says.
  StackPorts(Port& inside, const FlowSteering& steering, const std::vector<Pools>& pools, uint32_t frames = 0) {
    const auto others = static_cast<uint32_t>(pools.size() - 1);
    std::vector<SteerLink*> links;
    for (uint32_t i = 0; i < others; ++i) {
      const uint32_t packets = std::min(pools[0].rx->capacity(), pools[i + 1].tx->capacity());
      links.push_back(&links_.emplace_back(frames != 0 ? frames : way_frames(packets, others)));
    }
    first_.emplace(inside, *pools[0].rx, *pools[0].tx, steering, links);
    for (uint32_t i = 0; i < others; ++i) {
      others_.emplace_back(*links[i], *pools[i + 1].rx, *pools[i + 1].tx, inside.mac(), inside.mtu());
    }
  }
  StackPorts(const StackPorts&) = delete;
  StackPorts& operator=(const StackPorts&) = delete;

  /// Frames in a way, a power of two: a device's ring has as many, and all ways together have half of a pool of `packets`.
  static constexpr uint32_t way_frames(uint32_t packets, uint32_t ways) {
    constexpr uint32_t kFrames = 4'096;
    return std::min(kFrames, std::bit_floor(std::max(packets / 2 / ways, 1u)));
  }

  Port& port(uint32_t stack) { return stack == 0 ? static_cast<Port&>(*first_) : others_[stack - 1]; }
  SteeringPort& first() { return *first_; }
  /// Of the first stack alone; null: it polls nothing for others.
  Steerer* steerer(uint32_t stack) { return stack == 0 ? &first_->steerer() : nullptr; }
  /// Of all other stacks together. In the first stack's thread.
  SteerCounts counts() const {
    SteerCounts sum;
    for (uint32_t stack = 1; stack <= others_.size(); ++stack) sum += first_->counts(stack);
    return sum;
  }

 private:
  std::deque<SteerLink> links_;
  std::optional<SteeringPort> first_;
  std::deque<SteeredPort> others_;
};

}  // namespace qstack
