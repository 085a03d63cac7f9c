// Resolver: from the index of a neighbour to its MAC, by ARP (RFC 826, RFC 1122 2.3.2).
//
// In: ARP frames, frames to neighbours, the passing of time. Out: ARP frames, and frames with their destination filled
// in. Invariant: an entry is in `pending_` exactly while it is unresolved; only then it has parked frames.
//   unresolved ─ answer ─▶ resolved ─ used after 60 s ─▶ probe, stays resolved
//        └ 3 requests, 1 a second ─▶ unreachable ─ used after 1 s ─▶ unresolved
#pragma once

#include <cstdint>
#include <vector>

#include "native/ip/config.hh"
#include "native/ip/neighbor_table.hh"
#include "native/ip/outlet.hh"
#include "native/wire/arp.hh"

namespace qstack {

class Resolver {
 public:
  Resolver(const IpConfig& config, Outlet outlet);

  /// Reads an ARP packet of `length` bytes; the caller keeps its frame.
  void input(const uint8_t* arp, uint16_t length, Nanos now);
  /// Index of the neighbour with this address, asked for when new or given up before; kNoIndex when the table is full.
  uint32_t resolve(uint32_t address, Nanos now);
  uint32_t resolve_gateway(Nanos now);
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
  bool serves(uint32_t neighbor, uint32_t destination) const {
    if (neighbor >= table_.size()) return false;
    return neighbor == table_.gateway() || destination - table_.at(neighbor).address < table_.at(neighbor).count;
  }
  bool unreachable(uint32_t neighbor) const {
    return neighbor < table_.size() && table_.at(neighbor).state == NeighborState::unreachable;
  }
  /// Whether there is an entry already: such an address needs no connected prefix.
  bool known(uint32_t address) const { return table_.find(address) != kNoIndex; }
  bool has_gateway() const { return table_.gateway() != kNoIndex; }
  void tick(Nanos now);

 private:
  bool ours(uint32_t address) const { return address - config_.address < config_.address_count; }
  bool learnable(uint32_t address) const;
  void merge(const ArpPacket& arp, bool may_add, Nanos now);
  void learn(uint32_t neighbor, const MacAddress& mac, Nanos now);
  void reply(const ArpPacket& request);
  void ask(Neighbor& entry, const MacAddress& to);
  void begin(uint32_t neighbor, Nanos now);
  void wake(uint32_t neighbor, Nanos now);
  void probe(Neighbor& entry, Nanos now);
  void park(Neighbor& entry, Packet* packet);
  void send_slowly(Packet* packet, uint32_t neighbor, Nanos now);
  void transmit(const ArpPacket& arp, const MacAddress& to);
  bool retry(Neighbor& entry, Nanos now);
  void give_up(Neighbor& entry, Nanos now);

  IpConfig config_;
  Outlet outlet_;
  NeighborTable table_;
  std::vector<uint32_t> pending_;  ///< indices of unresolved entries
};

}  // namespace qstack
