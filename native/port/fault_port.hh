// FaultPort: a port that loses, repeats, swaps, damages and delays the frames of another port, on purpose and by seed.
//
// In and out: as the port inside. Invariant: deterministic by the seed and by the times passed in; see fault_lane.hh.
// Held frames move on in rx_burst and tx_burst; rx_burst is called every turn, so nothing waits for new traffic.
#pragma once

#include "native/port/fault_lane.hh"
#include "native/port/port.hh"

namespace qstack {

class FaultPort final : public Port {
 public:
  /// `rx` and `tx` are the pools of the frames that are received and sent. The port and the pools outlive this.
  FaultPort(Port& inside, PacketPool& rx, PacketPool& tx, uint64_t seed, const FaultConfig& receive,
            const FaultConfig& send);

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override;
  MacAddress mac() const override { return inside_.mac(); }
  uint16_t mtu() const override { return inside_.mtu(); }
  bool link_up() override { return inside_.link_up(); }

  const FaultCounts& received() const { return receive_.counts(); }
  const FaultCounts& sent() const { return send_.counts(); }

 private:
  void transmit_ready(Nanos now);

  Port& inside_;
  FaultLane receive_;
  FaultLane send_;
};

}  // namespace qstack
