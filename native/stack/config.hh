// StackConfig: every number and address that a stack needs, checked by the caller (TypeScript), asserted here.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "native/mempool/packet.hh"
#include "native/port/port.hh"

namespace qstack {

/// A static ARP line: `count` addresses from `first` (host order) share one MAC.
struct StaticNeighbor {
  uint32_t first = 0;
  uint32_t count = 1;
  MacAddress mac{};
};

struct StackConfig {
  // Addresses (host byte order). The stack owns [address, address + address_count).
  uint32_t address = 0;
  uint32_t address_count = 1;
  uint8_t prefix_length = 16;
  uint32_t gateway = 0;  ///< 0: none
  std::vector<StaticNeighbor> neighbors;

  // Pools (counts). Fixed at start.
  uint32_t connections = 10'000;
  uint32_t half_open = 4'096;
  uint32_t time_wait = 16'384;
  uint32_t busy = 16'384;  ///< connections with data in flight, unread or out of order

  // TCP. Times in milliseconds, sizes in bytes.
  uint32_t receive_buffer = 65'536;
  uint32_t send_buffer = 262'144;
  uint32_t rto_min_ms = 200;
  uint32_t rto_max_ms = 60'000;
  uint32_t delayed_ack_ms = 40;
  uint32_t time_wait_ms = 60'000;
  uint32_t idle_timeout_ms = 0;  ///< 0: never
  uint8_t retries_max = 15;      ///< R2 of RFC 9293 3.8.3, counted in retransmissions
  uint8_t syn_retries_max = 6;
  bool timestamps = true;
  bool sack = true;

  uint8_t levels = 1;
  /// Secret of this start: keys the flow hash and the initial sequence numbers (RFC 6528).
  std::array<uint64_t, 4> secret{};
};

enum class Framing : uint8_t { stream = 0, segment = 1, fixed = 2 };

struct ListenerConfig {
  uint32_t address = 0;  ///< 0: any of ours
  uint16_t port = 0;
  Framing framing = Framing::stream;
  uint16_t fixed_length = 0;  ///< with Framing::fixed: 1 … kRoom
  bool nagle = false;
};

}  // namespace qstack
