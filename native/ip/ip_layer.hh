// IpLayer: Ethernet, ARP and NDP, IPv4 and IPv6, and ICMP echo around TCP.
//
// In: frames from the port. Out: TCP segments to the engine, frames in the TxQueue.
// One concern per file: ip_layer (dispatch, routes, output), ipv4_input, ipv6_input, icmp.
// Omitted: options are skipped, fragments are dropped (we never ask for them), ICMP errors are counted and ignored.
// Read first: RFC 826, RFC 791 3.1, RFC 1122 3.2, RFC 792 (echo); RFC 8200 3 and 4, RFC 4443.
#pragma once

#include <cstdint>

#include "native/abi/counters.hh"
#include "native/ip/config.hh"
#include "native/ip/ndp.hh"
#include "native/ip/own_addresses.hh"
#include "native/ip/resolver.hh"
#include "native/ip/token_bucket.hh"
#include "native/mempool/packet_pool.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/ipv6.hh"

namespace qstack {

class TxQueue;

class IpLayer {
 public:
  enum class Verdict : uint8_t { tcp, consumed };

  /// `rx` and `tx` are the pools that frames come from and answers are made of; `queue` takes frames to send.
  IpLayer(const IpConfig& config, PacketPool& rx, PacketPool& tx, TxQueue& queue, Counters& counters);

  /// Checks and parses one frame. `tcp`: l3 and l4 are set, length is cut to the end of the IP packet, the frame stays
  /// the caller's. `consumed`: the layer has released it: a counted drop, or read and answered (ARP, NDP, ICMP
  /// echo).
  Verdict input(Packet* packet, Nanos now);

  /// Neighbour (next hop) for a destination, made when new; kNoIndex without a route or when the table is full.
  uint32_t route(const IpAddress& destination, Nanos now);

  /// Whether route() would find a way. Nothing is asked for and nothing remembered: for addresses that may be forged.
  bool routable(const IpAddress& destination) const;

  /// output() back to the station that `request` came from, at its own addresses the other way round: what answers a
  /// stranger leaves no trace in the neighbour table.
  void answer(Packet* packet, const Packet& request, uint8_t protocol, uint16_t l4_length);

  /// Writes the Ethernet and IPv4 headers before data + l4 and queues the frame; l4_length bytes from there (TCP or
  /// ICMP header, its checksum, payload) are complete, and packet->ecn is set. Sets data, l3, l4, length; payload keeps
  /// naming the same byte. Takes over one reference. An unresolved neighbour parks up to 3 frames and drops (and counts) more.
  void output(Packet* packet, uint32_t source, uint32_t destination, uint32_t neighbor, uint8_t protocol,
              uint16_t l4_length, Nanos now);
  /// The same with an IPv6 header.
  void output_ipv6(Packet* packet, const IpAddress& source, const IpAddress& destination, uint32_t neighbor,
                   uint8_t protocol, uint16_t l4_length, Nanos now);

  /// No answer to 3 requests, one a second: connections to this neighbour fail as unreachable.
  bool unreachable(uint32_t neighbor) const { return resolver_.unreachable(neighbor); }
  /// It is one of our addresses, although nobody may hear it yet (RFC 4862 2: tentative).
  bool owns(const IpAddress& address) const { return own_.owns(address); }
  bool has_ipv6() const { return own_.has_ipv6(); }
  /// Our address for connections to `remote`; `::` without one of its family.
  IpAddress source_for(const IpAddress& remote) const { return own_.source_for(remote); }

  /// Retries and expiry; called about every 10 ms.
  void tick(Nanos now);

 private:
  // ipv4_input.cc
  Verdict input_ipv4(Packet* packet, Nanos now);
  Verdict input_arp(Packet* packet, Nanos now);
  bool acceptable_source(uint32_t address) const;

  // ipv6_input.cc
  Verdict input_ipv6(Packet* packet, Nanos now);
  bool for_us(const Packet* packet, const IpAddress& destination) const;
  bool acceptable_source(const IpAddress& address, uint8_t protocol) const;

  // icmp.cc
  Verdict input_icmp(Packet* packet, const Ipv4Header& header, Nanos now);
  Verdict input_icmpv6(Packet* packet, const Ipv6Header& header, Nanos now);
  void answer_echo(const Packet* request, const Ipv4Header& header);
  void answer_echo(const Packet* request, const Ipv6Header& header);

  Verdict drop(Packet* packet, Counter reason);
  /// Room for an IP header of `header` bytes and an Ethernet header before data + l4; sets the offsets.
  uint8_t* frame_before(Packet* packet, uint16_t header, uint16_t l4_length);
  uint8_t* write_ipv4_headers(Packet* packet, uint32_t source, uint32_t destination, uint8_t protocol,
                              uint16_t l4_length);
  uint8_t* write_ipv6_headers(Packet* packet, const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                              uint16_t l4_length);
  void send(Packet* packet, uint32_t neighbor, const IpAddress& destination, Nanos now);

  MacAddress mac_;
  PacketPool& rx_;
  Outlet outlet_;
  OwnAddresses own_;
  Resolver resolver_;
  Ndp ndp_;
  TokenBucket echoes_;
};

}  // namespace qstack
