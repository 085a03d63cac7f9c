// SteeringPort: the port of the first stack, whose thread polls a device of one queue for all stacks: RSS in software.
//
//   device ──▶ SteeringPort ──▶ stack 0
//                 ║  ╚══ SteerLink ══ SteeredPort ──▶ stack 1, in another thread
//                 ╚═════ SteerLink ══ SteeredPort ──▶ stack 2
//
// In: frames of the device, frames of the other stacks. Out: to each stack the frames of its flow groups (frame_target.hh), to
// the device what the others send, a burst of each whenever this stack polls. Invariant: no stack waits for another. A frame for
// a stack whose way is full is dropped and counted, as a device drops for a full queue; what the device does not take keeps the
// others' ways full, and their frames with them. Fragments are the first stack's, which gives what it has put together back to
// be steered (take).
// Read first: frame_way.hh (whose packets are freed where).
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "native/ip/other_stacks.hh"
#include "native/port/port.hh"
#include "native/steer/flow_steering.hh"
#include "native/steer/frame_target.hh"
#include "native/steer/steer_link.hh"

namespace qstack {

/// Frames of one of the other stacks.
struct SteerCounts {
  uint64_t steered = 0;    ///< given to it
  uint64_t dropped = 0;    ///< received for it: its way was full, or there was no packet for a copy
  uint64_t forwarded = 0;  ///< of it, taken by the device
};

class SteeringPort final : public Port, public OtherStacks {
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

  /// The first stack's, between two bursts: `packet` is of its pool. Where a tag of 802.1Q was taken off it is put on again.
  bool take(Packet* packet) override;

  /// Frames moved for other stacks since this was asked last: work, although the first stack had none. Without it its thread
  /// would take naps while others are busy.
  uint32_t take_moved();
  /// Of stack `stack`, 1 at least.
  const SteerCounts& counts(uint32_t stack) const { return lanes_[stack - 1].counts; }

 private:
  static constexpr uint32_t kBurst = 64;

  /// Packets in order, a burst at most.
  struct Batch {
    std::array<Packet*, kBurst> packets;
    uint32_t first = 0;
    uint32_t end = 0;

    uint32_t size() const { return end - first; }
    Packet** begin() { return packets.data() + first; }
    void push(Packet* packet) { packets[end++] = packet; }
    void pop(uint32_t n) {
      first += n;
      if (first == end) first = end = 0;
    }
  };
  /// What this thread keeps of another stack.
  struct Lane {
    Lane(SteerLink& link, PacketPool& rx, PacketPool& tx)
        : received(link.received, rx), sent(link.sent, tx), link(link) {}
    FrameSender received;
    FrameReceiver sent;
    SteerLink& link;
    SteerCounts counts;
    Batch picked;  ///< of the burst that is being steered
    Batch kept;    ///< to be sent, and not taken by the device yet
  };

  uint32_t stack_of(const FrameTarget& target) const {
    return target.reader == FrameReader::flow ? steering_.groups.stack_of(target.hash) : 0;
  }
  void tell_link(Nanos now);
  void steer(Packet* const* packets, uint32_t n);
  void copy_to_all(const Packet& packet);
  void hand_over(Lane& lane);
  void forward(Lane& lane, Nanos now);
  uint32_t take_own(Packet** out, uint32_t n);

  Port& inside_;
  PacketPool& rx_;
  PacketPool& tx_;
  const FlowSteering& steering_;
  std::deque<Lane> lanes_;
  Batch own_;
  Nanos next_look_ = 0;
  uint32_t moved_ = 0;
};

}  // namespace qstack
