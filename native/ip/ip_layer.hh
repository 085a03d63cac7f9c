// IpLayer: Ethernet and its VLAN tag, ARP and NDP, IPv4 and IPv6 with their fragments, and ICMP around TCP.
//
// In: frames from the port. Out: TCP segments and what ICMP says about ours to the engine, frames in the TxQueue.
// One concern per file: ip_layer (dispatch, routes, output), ipv4_input, ipv6_input, fragment_input, icmp, icmp_errors.
// Omitted: IPv4 options are skipped, redirects ignored (RFC 1122 3.2.2.2 leaves that to hosts with several routers).
// Read first: RFC 826, RFC 791 3.1, RFC 1122 3.2, RFC 792; RFC 8200 3 and 4, RFC 4443.
#pragma once

#include <cstdint>
#include <span>

#include "native/abi/counters.hh"
#include "native/ip/config.hh"
#include "native/ip/fragments.hh"
#include "native/ip/icmp_error.hh"
#include "native/ip/ndp.hh"
#include "native/ip/other_stacks.hh"
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
  enum class Verdict : uint8_t { tcp, error, consumed };

  /// `rx` and `tx` are the pools that frames come from and answers are made of; `queue` takes frames to send.
  IpLayer(const IpConfig& config, PacketPool& rx, PacketPool& tx, TxQueue& queue, Counters& counters);

  /// Checks and parses one frame. `tcp`: l3 and l4 are set, length is cut to the end of the IP packet, the frame stays
  /// the caller's. Else the layer has released it. `error`: error() is what ICMP says about a segment of ours.
  /// `consumed`: a counted drop, a fragment that waits for others, or read and answered (ARP, NDP, ICMP echo).
  Verdict input(Packet* packet, Nanos now);
  const IcmpError& error() const { return error_; }

  /// Neighbour (next hop) for a destination, made when new; kNoIndex without a route or when the table is full.
  uint32_t route(const IpAddress& destination, Nanos now);

  /// Whether route() would find a way. Nothing is asked for and nothing remembered: for addresses that may be forged.
  bool routable(const IpAddress& destination) const;

  /// output() back to the station that `request` came from, at its own addresses the other way round: what answers a
  /// stranger leaves no trace in the neighbour table.
  void answer(Packet* packet, const Packet& request, uint8_t protocol, uint16_t l4_length);

  /// Writes the Ethernet and IPv4 headers before data + l4 and queues the frame; l4_length bytes from there (TCP or
  /// ICMP header, its checksum, payload) are complete, traffic_class and ttl are set. Sets data, l3, l4, length; payload keeps
  /// naming the same byte. Takes over one reference. An unresolved neighbour parks up to 3 frames and drops (and counts) more.
  void output(Packet* packet, uint32_t source, uint32_t destination, uint32_t neighbor, uint8_t protocol,
              uint16_t l4_length, Nanos now);
  /// The same with an IPv6 header.
  void output_ipv6(Packet* packet, const IpAddress& source, const IpAddress& destination, uint32_t neighbor,
                   uint8_t protocol, uint16_t l4_length, Nanos now);

  /// No answer to 3 requests, one a second: connections to this neighbour fail as unreachable.
  bool unreachable(uint32_t neighbor) const { return resolver_.unreachable(neighbor); }
  /// Segments by way of this neighbour stay unanswered.
  void doubt(uint32_t neighbor, Nanos now) { resolver_.doubt(neighbor, now); }
  /// It is one of our addresses, although nobody may hear it yet (RFC 4862 2: tentative).
  bool owns(const IpAddress& address) const { return own_.owns(address); }
  bool has_ipv6() const { return own_.has_ipv6(); }
  /// Our address for connections to `remote`; `::` without one of its family.
  IpAddress source_for(const IpAddress& remote) const { return own_.source_for(remote); }

  /// Retries and expiry; called about every 10 ms.
  void tick(Nanos now);

 private:
  /// An ICMP message to us, wherever its bytes lie; an echo request is turned into its answer in place.
  struct IcmpMessage {
    uint8_t* at;
    uint16_t length;
    IpAddress source, destination;
    MacAddress station;
    uint8_t hop_limit;  ///< 0 of what came in pieces: NDP ignores that (RFC 6980 5)
  };
  /// Whom something of ours goes to.
  struct Receiver {
    MacAddress station;
    IpAddress source, destination;
    uint8_t protocol;
  };
  /// What an ICMP error is about: a packet in one piece or two.
  struct Cause {
    MacAddress station;
    IpAddress source, destination;
    std::span<const uint8_t> headers, bytes;
  };
  struct Notice {
    uint8_t type, code;
    uint32_t rest = 0;            ///< the four bytes behind the checksum
    bool even_to_groups = false;  ///< also about what came by multicast
  };

  // ip_layer.cc
  Verdict input_other(Packet* packet, uint16_t type, Nanos now);
  bool untag(Packet* packet) const;

  // ipv4_input.cc
  Verdict input_ipv4(Packet* packet, Nanos now);
  [[gnu::noinline]] Verdict input_other_ipv4(Packet* packet, const Ipv4Header& header, Nanos now);
  Verdict input_arp(Packet* packet, Nanos now);
  bool acceptable_source(uint32_t address) const;

  // ipv6_input.cc
  /// `may_be_piece`: false for what has been put together, in which there is no further fragment.
  Verdict input_ipv6(Packet* packet, Nanos now, bool may_be_piece = true);
  bool for_us(const Packet* packet, const IpAddress& destination) const;
  bool acceptable_source(const IpAddress& address, uint8_t protocol) const;

  // fragment_input.cc
  Verdict input_fragment(Packet* packet, const Ipv4Header& header, Nanos now);
  Verdict input_fragment(Packet* packet, const Ipv6Header& header, const Ipv6Chain& chain, Nanos now);
  Verdict input_atomic(Packet* packet, const Ipv6Chain& chain, Nanos now);
  Verdict input_long(Packet* packet, const Fragments::Datagram& datagram, uint8_t protocol, Nanos now);
  Verdict release(Packet* packet);
  static bool carry(Packet* packet, const Fragments::Datagram& datagram);
  bool another_takes(Packet* packet) const { return others_ != nullptr && others_->take(packet); }
  void expire_fragments(Nanos now);
  bool send_datagram(const Receiver& to, std::span<const uint8_t> payload);
  bool send_piece(const Receiver& to, std::span<const uint8_t> bytes, uint16_t offset, bool more);

  // icmp.cc
  Verdict input_icmp(Packet* packet, const IcmpMessage& message, Nanos now);
  Verdict input_icmpv6(Packet* packet, const IcmpMessage& message, Nanos now);
  Verdict input_discovery(Packet* packet, const IcmpMessage& message, Nanos now);
  Verdict input_echo(Packet* packet, const IcmpMessage& message, uint8_t reply, Nanos now);
  IpAddress own_answer_address(const IpAddress& source, const IpAddress& destination) const;

  // icmp_errors.cc
  Verdict input_error(Packet* packet, const IcmpMessage& message);
  void report(const Cause& cause, const Notice& notice, Nanos now);
  static Cause cause_of(const Packet* packet);
  Verdict refuse_ipv4(Packet* packet, uint8_t protocol, Nanos now);
  Verdict refuse_ipv6(Packet* packet, const Ipv6Chain& chain, Nanos now);
  Verdict reject_chain(Packet* packet, const Ipv6Chain& chain, Nanos now);

  Verdict drop(Packet* packet, Counter reason);
  /// Room for an IP header of `header` bytes and an Ethernet header before data + l4; sets the offsets.
  uint8_t* frame_before(Packet* packet, uint16_t header, uint16_t l4_length);
  uint8_t* write_ipv4_headers(Packet* packet, uint32_t source, uint32_t destination, uint8_t protocol,
                              uint16_t l4_length);
  uint8_t* write_ipv6_headers(Packet* packet, const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                              uint16_t l4_length);
  void send(Packet* packet, uint32_t neighbor, const IpAddress& destination, Nanos now);

  /// What is IPv4 at the first look; with a VLAN of our own nothing is, since its tag comes first.
  uint32_t ipv4_type_;
  MacAddress mac_;
  uint16_t vlan_;
  uint16_t mtu_;
  PacketPool& rx_;
  Outlet outlet_;
  OwnAddresses own_;
  Resolver resolver_;
  Ndp ndp_;
  TokenBucket echoes_;
  TokenBucket errors_;
  Fragments fragments_;
  OtherStacks* others_;
  IcmpError error_;
  uint32_t identification_;  ///< of the last datagram that left and was no segment
};

}  // namespace qstack
