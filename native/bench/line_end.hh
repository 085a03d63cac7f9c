// LineEnd: one end of a line: EAL, a device, its pools, and the configuration of a stack on it.
//
// In: arguments: device=memif|tap|af_packet, socket and role of a memif, interface of the others, address, addresses,
// prefix, mtu, connections, half_open, time_wait, time_wait_ms, rx_packets, tx_packets, send_buffer, receive_buffer.
// Out: what a Stack is made of. One per process: EAL starts once.
#pragma once

#include <memory>
#include <optional>

#include "native/bench/arguments.hh"
#include "native/mempool/mapping.hh"
#include "native/port/dpdk_port.hh"
#include "native/stack/config.hh"

namespace qstack::bench {

class LineEnd {
 public:
  /// Control blocks beyond the connections that are asked for: for opens that are tried again.
  static constexpr uint32_t kSpare = 512;

  explicit LineEnd(Arguments& arguments);

  DpdkPort& port() { return *port_; }
  DpdkPool& rx() { return *rx_; }
  DpdkPool& tx() { return *tx_; }
  const StackConfig& config() const { return config_; }

 private:
  void read_config(Arguments& arguments);
  std::string device_string(Arguments& arguments) const;

  StackConfig config_;
  Mapping memory_;
  std::optional<DpdkPool> rx_, tx_;
  std::optional<DpdkPort> port_;
};

}  // namespace qstack::bench
