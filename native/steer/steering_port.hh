// SteeringPort: the port of the first stack, whose thread polls a device of one queue for all stacks: RSS in software.
//
//   device ──▶ SteeringPort ──▶ stack 0
//                 ║  ╚══ SteerLink ══ SteeredPort ──▶ stack 1, in another thread
//                 ╚═════ SteerLink ══ SteeredPort ──▶ stack 2
//
// In: frames of the device, frames of the other stacks. Out: to each stack the frames of its flow groups (steerer.hh), to the device
// what the others send, a burst of each whenever this stack polls. Invariant: no stack waits for another; what the device does not
// take keeps the others' ways full, and their frames with them. Fragments are the first stack's, which gives what it has put
// together back to be steered.
// Read first: steerer.hh, frame_way.hh (whose packets are freed where).
#pragma once

#include <deque>
#include <vector>

#include "native/port/port.hh"
#include "native/steer/steer_link.hh"
#include "native/steer/steerer.hh"

namespace qstack {

class SteeringPort final : public Port {
 public:
  /// `rx` and `tx`: the first stack's pools. `links`: of stack 1, 2 and so on; `steering` names no further ones. All outlive
  /// this port.
  SteeringPort(Port& inside, PacketPool& rx, PacketPool& tx, const FlowSteering& steering,
               const std::vector<SteerLink*>& links);
  ~SteeringPort() override;
  SteeringPort(const SteeringPort&) = delete;
  SteeringPort& operator=(const SteeringPort&) = delete;

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override { return inside_.tx_burst(packets, n, now); }
  MacAddress mac() const override { return inside_.mac(); }
  uint16_t mtu() const override { return inside_.mtu(); }
  bool link_up() override { return inside_.link_up(); }

  Steerer& steerer() { return steerer_; }
  /// Of stack `stack`, 1 at least.
  SteerCounts counts(uint32_t stack) const;

 private:
  /// What another stack sends.
  struct Lane {
    Lane(SteerLink& link, PacketPool& tx) : sent(link.sent, tx), link(link) {}
    FrameReceiver sent;
    SteerLink& link;
    FrameBatch kept;  ///< not taken by the device yet
    uint64_t forwarded = 0;
  };

  void tell_link(Nanos now);
  void forward(Lane& lane, Nanos now);

  Port& inside_;
  PacketPool& tx_;
  Steerer steerer_;
  std::deque<Lane> lanes_;
  Nanos next_look_ = 0;
};

}  // namespace qstack
