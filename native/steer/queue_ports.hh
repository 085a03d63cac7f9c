// QueuePorts: a port for each of several stacks, over the queues of a device that has one for each.
//
// In: the queues' ports and each stack's RX pool. Out: a QueuePort of each, with the ways between them. Invariant: at most half of a
// pool's packets are away in ways. Destroyed when no stack takes turns any more, before the pools.
#pragma once

#include <deque>
#include <vector>

#include "native/steer/queue_port.hh"
#include "native/steer/stack_ports.hh"

namespace qstack {

class QueuePorts {
 public:
  /// Two stacks at least; `steering` is for as many.
  QueuePorts(const std::vector<Port*>& queues, const FlowSteering& steering, const std::vector<PacketPool*>& rx) {
    const auto stacks = static_cast<uint32_t>(queues.size());
    std::vector<std::vector<FrameWay*>> ways(stacks, std::vector<FrameWay*>(stacks));  // [from][to]
    for (uint32_t from = 0; from < stacks; ++from) {
      for (uint32_t to = 0; to < stacks; ++to) {
        if (from != to) ways[from][to] = &ways_.emplace_back(StackPorts::way_frames(rx[from]->capacity(), stacks - 1));
      }
    }
    for (uint32_t stack = 0; stack < stacks; ++stack) {
      std::vector<FrameWay*> from;
      for (const auto& of : ways) from.push_back(of[stack]);
      ports_.emplace_back(stack, *queues[stack], *rx[stack], steering, ways[stack], from);
    }
  }
  QueuePorts(const QueuePorts&) = delete;
  QueuePorts& operator=(const QueuePorts&) = delete;

  QueuePort& port(uint32_t stack) { return ports_[stack]; }
  Steerer* steerer(uint32_t stack) { return &ports_[stack].steerer(); }
  /// What a stack has found at its queue for others; in its thread.
  SteerCounts counts(uint32_t stack) {
    SteerCounts sum;
    for (uint32_t other = 0; other < ports_.size(); ++other) {
      if (other != stack) sum += ports_[stack].steerer().counts(other);
    }
    return sum;
  }

 private:
  std::deque<FrameWay> ways_;
  std::deque<QueuePort> ports_;
};

}  // namespace qstack
