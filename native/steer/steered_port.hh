// SteeredPort: the port of a stack whose frames another thread polls and sends (steering_port.hh).
//
// In: frames that the other thread has found to be this stack's, with the stamp of when it polled them. Out: frames that it
// will send. Invariant: a full way takes no more, and the frames stay the stack's: nothing waits, nothing is lost. Destroyed
// with both threads stopped.
#pragma once

#include "native/port/port.hh"
#include "native/steer/steer_link.hh"

namespace qstack {

class SteeredPort final : public Port {
 public:
  /// `rx` and `tx`: this stack's own pools. `mac` and `mtu`: the device's.
  SteeredPort(SteerLink& link, PacketPool& rx, PacketPool& tx, const MacAddress& mac, uint16_t mtu)
      : link_(link), received_(link.received, rx), sent_(link.sent, tx), mac_(mac), mtu_(mtu) {}

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos) override {
    sent_.reclaim();
    return received_.receive(out, n);
  }
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos) override {
    sent_.reclaim();
    const uint32_t taken = sent_.send(packets, n);
    refused_ += n - taken;
    return taken;
  }
  MacAddress mac() const override { return mac_; }
  uint16_t mtu() const override { return mtu_; }
  bool link_up() override { return link_.up.load(std::memory_order_relaxed); }

  /// Frames that found the way full, counted each time that they were offered.
  uint64_t refused() const { return refused_; }

 private:
  SteerLink& link_;
  FrameReceiver received_;
  FrameSender sent_;
  MacAddress mac_;
  uint16_t mtu_;
  uint64_t refused_ = 0;
};

}  // namespace qstack
