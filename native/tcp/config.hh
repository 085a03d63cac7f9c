// TcpConfig and ListenerConfig: numbers that TCP needs. Times in milliseconds, sizes in bytes, pools in counts.
#pragma once

#include <array>
#include <cstdint>

#include "native/mempool/packet_pool.hh"
#include "native/tcp/congestion.hh"
#include "native/tcp/length_prefix.hh"
#include "native/tcp/options.hh"
#include "native/wire/ip_address.hh"

namespace qstack {

struct FlowSteering;

/// RFC 3168: never; when the peer asks for it in its SYN; or also asked for in ours.
enum class EcnMode : uint8_t { off = 0, accept = 1, on = 2 };

struct TcpConfig {
  // Pools, allocated at start.
  uint32_t connections = 10'000;
  uint32_t half_open = 4'096;
  uint32_t time_wait = 16'384;
  uint32_t busy = 16'384;  ///< connections with data in flight, unread or out of order
  uint32_t sums = 1'024;   ///< connections that have their sums kept (TcpOption::sums)

  uint32_t receive_buffer = 65'536;
  uint32_t send_buffer = 262'144;
  uint32_t rto_min_ms = 200;  ///< RFC 6298 says 1 s SHOULD; 200 ms is what kernels use
  uint32_t rto_max_ms = 60'000;
  uint32_t delayed_ack_ms = 40;
  uint32_t time_wait_ms = 60'000;  ///< 2 MSL
  uint32_t idle_timeout_ms = 0;    ///< 0: never
  uint8_t retries_max = 15;        ///< R2 of RFC 9293 3.8.3, in retransmissions
  uint8_t syn_retries_max = 7;     ///< R2 of a SYN: three minutes at least (RFC 9293 3.8.3, MUST-23)
  bool syn_cookies = true;  ///< while no half-open record is left (RFC 4987 3.6)
  uint32_t half_open_per_source = 0;    ///< passive opens that one remote address may have under way; 0: no limit
  uint32_t connections_per_source = 0;  ///< that one remote address may have opened; 0: no limit
  bool timestamps = true;
  bool sack = true;
  bool pacing = false;  ///< segments leave over the RTT, not in bursts
  EcnMode ecn = EcnMode::accept;
  Congestion congestion = Congestion::cubic;
  SocketOptions options{};  ///< what connections have unless their listener says otherwise; they override the above
  uint16_t mtu = 1500;
  uint8_t levels = 1;
  /// Secret of this start: keys the flow hash and the initial sequence numbers (RFC 6528).
  std::array<uint64_t, 4> secret{};
  /// Where several stacks have our addresses: whose flow it is, and which of them this is (native/steer/flow_steering.hh).
  /// Null: every flow is ours.
  const FlowSteering* steering = nullptr;
  uint32_t stack = 0;
};

enum class Framing : uint8_t { stream = 0, segment = 1, fixed = 2, length_prefix = 3 };

/// Whom a listener without an address serves.
enum class Families : uint8_t { both = 0, ipv4 = 1, ipv6 = 2 };

struct ListenerConfig {
  IpAddress address;     ///< `::`: any of ours, of these `families`
  uint16_t port = 0;     ///< 0 only in an active open: what follows then applies to the connection
  Framing framing = Framing::stream;
  uint16_t fixed_length = 0;  ///< with Framing::fixed: 1 … kRoom
  SocketOptions options{};    ///< where they differ from the stack's
  Families families = Families::both;
  LengthPrefix prefix{};   ///< with Framing::length_prefix
  bool unordered = false;  ///< a message above the lowest level does not wait for segments that were lost before it
  friend bool operator==(const ListenerConfig&, const ListenerConfig&) = default;
};

}  // namespace qstack
