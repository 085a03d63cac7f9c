// SimPort: a host's door to the simulated network.
//
// In: frames of its stack. Out: frames that have arrived by now. What leaves is read and entered in the ledger first.
// A receive pool that is empty leaves frames on the wire, as a device's ring would; a link that is down takes nothing.
#pragma once

#include <cstring>

#include "native/port/port.hh"
#include "native/sim/ledger.hh"
#include "native/sim/network.hh"

namespace qstack::sim {

class SimPort final : public Port {
 public:
  SimPort(uint8_t host, PacketPool& rx, PacketPool& tx, Network& network, Ledger& ledger, uint16_t mtu)
      : host_(host), rx_(rx), tx_(tx), network_(network), ledger_(ledger), mtu_(mtu) {}

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override {
    uint32_t count = 0;
    while (count < n && network_.next_arrival(host_) <= now) {
      Packet* const packet = rx_.allocate();
      if (packet == nullptr) break;
      Frame* const frame = network_.take(host_, now);
      std::memcpy(packet->data, frame->bytes, frame->length);
      packet->length = frame->length;
      packet->arrival = arrival_++;
      packet->rx_stamp = to_stamp(now);
      if (!frame->damaged) ledger_.arrived(frame->note, frame->rewritten);
      network_.give(frame);
      out[count++] = packet;
    }
    return count;
  }

  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override {
    if (!link_up()) return 0;
    for (uint32_t i = 0; i < n; ++i) {
      SegmentView segment;
      const Reading reading = read_segment(packets[i]->data, packets[i]->length, segment);
      ledger_.require(reading != Reading::malformed, "what leaves a stack is well formed");
      ledger_.require(ethernet_source(packets[i]->data) == mac_of(host_), "frames leave with our own MAC");
      const Note note = reading == Reading::segment ? ledger_.sent(segment) : Note{};
      network_.send(host_, packets[i]->data, packets[i]->length, note, now);
      tx_.release(packets[i]);
    }
    return n;
  }

  MacAddress mac() const override { return mac_of(host_); }
  uint16_t mtu() const override { return mtu_; }
  bool link_up() override { return network_.link_up(host_); }

 private:
  uint8_t host_;
  PacketPool& rx_;
  PacketPool& tx_;
  Network& network_;
  Ledger& ledger_;
  uint16_t mtu_;
  uint32_t arrival_ = 0;
};

}  // namespace qstack::sim
