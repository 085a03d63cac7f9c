// FloodPort: a port that also sends SYNs of its own, from random addresses, and forgets them (a SYN flood).
//
// In: a port and what to send at which rate. Out: the port's own traffic untouched, SYNs between it, and counts; answers
// to the forged addresses end here. It floods once it has heard from the server and knows its station. Nothing is kept
// per SYN. Where the wire is full the generator's own frames go first: the server under attack is what is tested, not our
// queue. One thread uses the port; rate() and the counts may be read and set from any.
#pragma once

#include <array>
#include <atomic>
#include <random>

#include "native/port/port.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"

namespace qstack::mcc {

struct FloodConfig {
  uint32_t first_address = 0;  ///< SYNs come from [first_address, first_address + addresses), but for `spared`
  uint32_t addresses = 0;
  uint32_t spared = 0;  ///< the generator's own addresses
  uint32_t spared_count = 0;
  uint32_t destination = 0;
  uint16_t port = 80;
  uint16_t vlan = 0;  ///< 0: frames are untagged
  uint64_t seed = 0;
};

class FloodPort final : public Port {
 public:
  /// `inner` and both pools outlive this.
  FloodPort(const FloodConfig& config, Port& inner, PacketPool& rx, PacketPool& tx);

  uint32_t rx_burst(Packet** out, uint32_t n, Nanos now) override;
  uint32_t tx_burst(Packet** packets, uint32_t n, Nanos now) override;
  MacAddress mac() const override { return inner_.mac(); }
  uint16_t mtu() const override { return inner_.mtu(); }
  bool link_up() override { return inner_.link_up(); }

  /// SYNs a second; 0: none.
  void set_rate(uint64_t per_second) { rate_.store(per_second, std::memory_order_relaxed); }
  uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }
  /// SYN-ACKs that came back to the forged addresses.
  uint64_t answered() const { return answered_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kBurst = 64;
  static constexpr uint16_t kOptions = 20;
  static constexpr uint16_t kSynLength = kEthernetHeader + kIpv4Header + kTcpHeader + kOptions;

  bool listens_to(Packet* packet);
  void flood(Nanos now);
  void write_syn(Packet* packet);
  uint32_t random_address();
  bool spared(uint32_t address) const {
    return address == config_.destination || address - config_.spared < config_.spared_count;
  }

  FloodConfig config_;
  Port& inner_;
  PacketPool& rx_;
  PacketPool& tx_;
  std::mt19937_64 random_;
  std::array<uint8_t, kOptions> options_;
  MacAddress station_{};
  bool station_known_ = false;
  bool blocked_ = false;  ///< the generator's own frames wait for the wire
  Nanos paid_until_ = 0;  ///< SYNs that were due before have left
  std::atomic<uint64_t> rate_{0}, sent_{0}, answered_{0};
};

}  // namespace qstack::mcc
