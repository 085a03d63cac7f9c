// RingPort: two stacks in one process, on two threads, joined by rings of pointers. No device, no EAL, no locks.
//
//   tx_burst ─frames─▶ rx_burst of the other end: copies into its own pool
//            ◀─returns─ the same packet, so that only its own thread ever touches the sender's pool
//
// Invariant: at most `capacity` of a sender's packets are on the wire or on their way back, so returning never fails.
// Both ends are stopped before either is destroyed.
#pragma once

#include <vector>

#include "native/port/port.hh"
#include "native/ring/spsc_ring.hh"

namespace qstack {

/// The rings between two ends.
class RingWire {
 public:
  explicit RingWire(uint32_t capacity_power_of_two = 4096);
  RingWire(const RingWire&) = delete;
  RingWire& operator=(const RingWire&) = delete;

 private:
  friend class RingPort;
  struct Way {
    abi::RingHeader header{};
    std::vector<Packet*> records;
    RingView<Packet*> view() { return {&header, records.data(), static_cast<uint32_t>(records.size())}; }
  };
  struct Direction {
    Way frames;
    Way returns;
  };
  Direction directions_[2];  ///< the one that end 0 sends on, the one that end 1 sends on
};

class RingPort final : public Port {
 public:
  /// `end` is 0 or 1, and each end of a wire is taken once. `rx` gives packets for received frames, `tx` takes the
  /// sent.
  RingPort(RingWire& wire, uint32_t end, PacketPool& rx, PacketPool& tx, const MacAddress& mac, uint16_t mtu = 1500);
  ~RingPort() override;
  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override;
  MacAddress mac() const override { return mac_; }
  uint16_t mtu() const override { return mtu_; }
  bool link_up() override { return true; }

 private:
  void reclaim();

  PacketPool& rx_;
  PacketPool& tx_;
  MacAddress mac_;
  uint16_t mtu_;
  uint32_t capacity_;
  uint32_t arrival_ = 0;
  uint32_t outstanding_ = 0;  ///< own packets that have not come back
  RingView<Packet*> sent_;
  RingProducer<Packet*> send_;
  RingConsumer<Packet*> returned_;
  RingConsumer<Packet*> receive_;
  RingProducer<Packet*> give_back_;
};

}  // namespace qstack
