// IpLayer: Ethernet, ARP, IPv4 and ICMP echo around TCP.
//
// In: frames from the port. Out: TCP segments to the engine, frames in the TxQueue.
// Omitted: options are skipped, fragments are dropped (we never ask for them), ICMP errors are counted and ignored.
// Read first: RFC 826, RFC 791 3.1, RFC 1122 3.2, RFC 792 (echo).
#pragma once

#include <cstdint>

#include "native/abi/counters.hh"
#include "native/ip/config.hh"
#include "native/ip/resolver.hh"
#include "native/ip/token_bucket.hh"
#include "native/mempool/packet_pool.hh"
#include "native/wire/ipv4.hh"

namespace qstack {

class TxQueue;

class IpLayer {
 public:
  enum class Verdict : uint8_t { tcp, consumed };

  /// `rx` and `tx` are the pools that frames come from and answers are made of; `queue` takes frames to send.
  IpLayer(const IpConfig& config, PacketPool& rx, PacketPool& tx, TxQueue& queue, Counters& counters);

  /// Checks and parses one frame. `tcp`: l3 and l4 are set, length is cut to the end of the IP packet, the frame stays
  /// the caller's. `consumed`: the layer has released it: a counted drop, or read and answered (ARP, ICMP echo).
  Verdict input(Packet* packet, Nanos now);

  /// Neighbour (next hop) for a destination, made when new; kNoIndex without a route or when the table is full.
  uint32_t route(uint32_t destination, Nanos now);

  /// Whether route() would find a way. Nothing is asked for and nothing remembered: for addresses that may be forged.
  bool routable(uint32_t destination) const;

  /// output() back to the station that `request` came from, at its own addresses the other way round: what answers a
  /// stranger leaves no trace in the neighbour table.
  void answer(Packet* packet, const Packet& request, uint8_t protocol, uint16_t l4_length);

  /// Writes the Ethernet and IPv4 headers before data + l4 and queues the frame; l4_length bytes from there (TCP or
  /// ICMP header, its checksum, payload) are complete. Sets data, l3, l4, length; payload keeps naming the same byte.
  /// Takes over one reference. An unresolved neighbour parks up to 3 frames and drops (and counts) more.
  void output(Packet* packet, uint32_t source, uint32_t destination, uint32_t neighbor, uint8_t protocol,
              uint16_t l4_length, Nanos now);

  /// ARP gave up on this neighbour (no answer to 3 requests, one a second): connections to it fail as unreachable.
  bool unreachable(uint32_t neighbor) const { return resolver_.unreachable(neighbor); }
  bool local(uint32_t address) const { return address - config_.address < config_.address_count; }

  /// ARP retries and expiry; called about every 10 ms.
  void tick(Nanos now) { resolver_.tick(now); }

 private:
  Verdict input_ipv4(Packet* packet, Nanos now);
  Verdict input_arp(Packet* packet, Nanos now);
  Verdict input_icmp(Packet* packet, const Ipv4Header& header, Nanos now);
  Verdict drop(Packet* packet, Counter reason);
  uint8_t* write_headers(Packet* packet, uint32_t source, uint32_t destination, uint8_t protocol, uint16_t l4_length);
  void answer_echo(const Packet* request, const Ipv4Header& header);
  bool acceptable_source(uint32_t address) const;
  bool connected(uint32_t address) const { return ((address ^ config_.address) & mask_) == 0; }
  bool subnet_broadcast(uint32_t address) const { return config_.prefix_length < 31 && (address | mask_) == ~0u; }

  IpConfig config_;
  PacketPool& rx_;
  Outlet outlet_;
  uint32_t mask_;  ///< of the connected prefix
  Resolver resolver_;
  TokenBucket echoes_;
};

}  // namespace qstack
