// QueuePort: the port of one of several stacks on a device that has a queue for each.
//
//   queue 0 ──▶ QueuePort 0 ──▶ stack 0        each sends on its own queue
//                  ║ ╳ FrameWays
//   queue 1 ──▶ QueuePort 1 ──▶ stack 1
//
// In: frames of this stack's queue, and those that the others have found to be this stack's. Out: this stack's frames; the others' to
// them (steerer.hh). Where the device hashes as we do (RSS with our key and table, DpdkPort) what comes to a queue is its stack's, but for
// ARP, fragments and the like; where it chooses by a way of its own the rest crosses over.
#pragma once

#include <deque>
#include <vector>

#include "native/port/port.hh"
#include "native/steer/steerer.hh"

namespace qstack {

class QueuePort final : public Port {
 public:
  /// Of stack `stack`, with its pool. `to[k]` leads to stack k, `from[k]` from there; its own are null. All outlive this.
  QueuePort(uint32_t stack, Port& queue, PacketPool& rx, const FlowSteering& steering, const std::vector<FrameWay*>& to,
            const std::vector<FrameWay*>& from)
      : queue_(queue), steerer_(stack, rx, steering, to) {
    for (FrameWay* const way : from) {
      if (way != nullptr) others_.emplace_back(*way, rx);
    }
  }

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override { return queue_.tx_burst(packets, n, now); }
  MacAddress mac() const override { return queue_.mac(); }
  uint16_t mtu() const override { return queue_.mtu(); }
  bool link_up() override { return queue_.link_up(); }

  Steerer& steerer() { return steerer_; }

 private:
  Port& queue_;
  Steerer steerer_;
  std::deque<FrameReceiver> others_;
  uint32_t arrival_ = 0;
};

}  // namespace qstack
