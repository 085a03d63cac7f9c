// HomePort: the port of one of several stacks of a host, which sees to it that what leaves is the stack's own.
//
// In and out: what the port inside gives and takes. Checked: each segment leaves the stack that the answer to it will come to. One
// that has got another stack's segment, and answers it, is found out here, whatever its answer does to the connection.
#pragma once

#include "native/port/port.hh"
#include "native/sim/ledger.hh"
#include "native/steer/flow_steering.hh"

namespace qstack::sim {

class HomePort final : public Port {
 public:
  HomePort(Port& inside, const FlowSteering& steering, uint32_t stack, Ledger& ledger)
      : inside_(inside), steering_(steering), stack_(stack), ledger_(ledger) {}

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override { return inside_.rx_burst(out, n, now); }
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override {
    for (uint32_t i = 0; i < n; ++i) check(*packets[i]);
    return inside_.tx_burst(packets, n, now);
  }
  MacAddress mac() const override { return inside_.mac(); }
  uint16_t mtu() const override { return inside_.mtu(); }
  bool link_up() override { return inside_.link_up(); }

 private:
  void check(const Packet& packet) {
    SegmentView view;
    if (read_segment(packet.data, packet.length, view) != Reading::segment) return;
    const IpAddress own = view.ipv6 ? ipv6_of(view.from) : IpAddress(ipv4_of(view.from));
    const IpAddress peer = view.ipv6 ? ipv6_of(view.to) : IpAddress(ipv4_of(view.to));
    const uint32_t home = steering_.stack_of(peer, view.header.destination_port, own, view.header.source_port);
    ledger_.require(home == stack_, "a segment leaves from the stack that the answer comes to");
  }

  Port& inside_;
  const FlowSteering& steering_;
  uint32_t stack_;
  Ledger& ledger_;
};

}  // namespace qstack::sim
