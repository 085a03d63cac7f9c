// Resolver: from the index of a neighbour to its MAC, by ARP (RFC 826, RFC 1122 2.3.2) or NDP (RFC 4861 7).
//
// In: ARP frames, what NDP was told, frames to neighbours, the passing of time. Out: questions and ARP answers, and
// frames with their destination filled in. One machine serves both: NDP's INCOMPLETE is `unresolved`, its REACHABLE and
// STALE are `resolved` before and after next_at, and its PROBE keeps the MAC in use (RFC 7048 2). Invariant: an entry is in `pending_` exactly while it is unresolved; only then it has parked frames.
//   unresolved ─ answer ─▶ resolved ─ used after next_at ─▶ probe, stays resolved
//        └ 3 requests, 1 a second ─▶ unreachable ─ used after 1 s ─▶ unresolved
#pragma once

#include <cstdint>
#include <vector>

#include "native/ip/config.hh"
#include "native/ip/discovery.hh"
#include "native/ip/neighbor_table.hh"
#include "native/ip/outlet.hh"
#include "native/ip/own_addresses.hh"

namespace qstack {

class Resolver {
 public:
  Resolver(const IpConfig& config, const OwnAddresses& own, Outlet outlet);

  /// Reads an ARP packet of `length` bytes; the caller keeps its frame.
  void input(const uint8_t* arp, uint16_t length, Nanos now);
  /// A station that spoke to us gave its MAC itself: kept, unconfirmed (RFC 4861 7.2.3). Index, or kNoIndex: table full.
  uint32_t note(const IpAddress& address, const MacAddress& mac, Nanos now);
  /// A neighbour advertisement (RFC 4861 7.2.5).
  void advised(const NeighborMessage& message, Nanos now);

  /// Index of the neighbour with this address, asked for when new or given up before; kNoIndex when the table is full.
  uint32_t resolve(const IpAddress& address, Nanos now);
  /// The gateway for this destination's family; kNoIndex without one.
  uint32_t resolve_gateway(const IpAddress& destination, Nanos now);
  /// Queues a frame whose Ethernet header lacks the destination only, or parks it. Takes over one reference.
  void send(Packet* packet, uint32_t neighbor, Nanos now) {
    Neighbor& entry = table_.at(neighbor);
    if (entry.state != NeighborState::resolved || now >= entry.next_at) [[unlikely]] {
      send_slowly(packet, neighbor, now);
      return;
    }
    store_mac(packet->data, entry.mac);
    outlet_.send(packet);
  }
  /// The index still names a next hop for this destination.
  bool serves(uint32_t neighbor, const IpAddress& destination) const {
    if (neighbor >= table_.size()) return false;
    return neighbor == table_.gateway(destination) ||
           distance(table_.at(neighbor).address, destination) < table_.at(neighbor).count;
  }
  bool unreachable(uint32_t neighbor) const {
    return neighbor < table_.size() && table_.at(neighbor).state == NeighborState::unreachable;
  }
  /// Negative advice (RFC 1122 3.3.1.4): segments by way of it stay unanswered. Its next use asks whether it is still there,
  /// once a second at most.
  void doubt(uint32_t neighbor, Nanos now);
  /// Whether there is an entry already: such an address needs no connected prefix.
  bool known(const IpAddress& address) const { return table_.find(address) != kNoIndex; }
  bool has_gateway(const IpAddress& destination) const { return table_.gateway(destination) != kNoIndex; }
  /// A router that advertised itself is the IPv6 gateway from now on; kNoIndex: it has left.
  void set_gateway_ipv6(uint32_t neighbor) { table_.set_gateway_ipv6(neighbor); }
  void tick(Nanos now);

 private:
  void merge(const ArpPacket& arp, bool may_add, Nanos now);
  void learn(uint32_t neighbor, const MacAddress& mac, Nanos next_at);
  void reply(const ArpPacket& request);
  void ask(const Neighbor& entry, bool to_all);
  void begin(uint32_t neighbor, Nanos now);
  void wake(uint32_t neighbor, Nanos now);
  void probe(Neighbor& entry, Nanos now);
  void park(Neighbor& entry, Packet* packet);
  void send_slowly(Packet* packet, uint32_t neighbor, Nanos now);
  bool retry(Neighbor& entry, Nanos now);
  void give_up(Neighbor& entry, Nanos now);

  MacAddress mac_;
  const OwnAddresses& own_;
  Outlet outlet_;
  Discovery discovery_;
  NeighborTable table_;
  std::vector<uint32_t> pending_;  ///< indices of unresolved entries
};

}  // namespace qstack
