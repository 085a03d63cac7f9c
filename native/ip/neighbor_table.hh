// NeighborTable: next hops by address (RFC 1122 2.3.2), each with the MAC that frames to it carry.
//
// In: addresses. Out: u32 indices that stay valid for life; an entry that never answered may be given to another
// address when the table is full, so a user of an old index compares the address (NeighborTable::serves).
//   entries_: [0, pinned) static ranges and the gateway, then learnt ones.  buckets_: open addressing into entries_.
#pragma once

#include <cstdint>
#include <vector>

#include "native/ip/config.hh"
#include "native/mempool/packet_pool.hh"

namespace qstack {

inline constexpr uint8_t kParkedMax = 3;

enum class NeighborState : uint8_t {
  unresolved,   ///< a request is on its way
  unreachable,  ///< requests had no answer; a new try is allowed from next_at on
  resolved,     ///< the MAC is known, and stays in use while it is asked for again
};

struct alignas(64) Neighbor {
  Nanos next_at = 0;     ///< resolved: probe again when used after this; else the next step of ARP
  uint32_t address = 0;  ///< of a static range: its first
  uint32_t count = 1;    ///< addresses that share this entry
  MacAddress mac{};
  NeighborState state = NeighborState::unresolved;
  uint8_t requests = 0;  ///< sent and not answered
  uint8_t parked_count = 0;
  bool fixed = false;     ///< from the configuration: ARP changes nothing
  bool answered = false;  ///< had a MAC at some time: its index may be held by a connection
  Packet* parked[kParkedMax] = {};
};
static_assert(sizeof(Neighbor) == 64);

class NeighborTable {
 public:
  /// Room for `learnt_max` addresses beside the static ranges and the gateway.
  NeighborTable(const std::vector<StaticNeighbor>& ranges, uint32_t gateway, uint32_t learnt_max);

  /// kNoIndex when unknown. A static range wins over a learnt address.
  uint32_t find(uint32_t address) const;
  /// Index of a new, unresolved entry for an address that find() does not know; kNoIndex when full.
  uint32_t add(uint32_t address, Nanos now);

  Neighbor& at(uint32_t index) { return entries_[index]; }
  const Neighbor& at(uint32_t index) const { return entries_[index]; }
  /// kNoIndex without a gateway.
  uint32_t gateway() const { return gateway_; }
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  uint32_t find_static(uint32_t address) const;
  uint32_t bucket_of(uint32_t address) const { return (address * 2654435769u) >> shift_; }
  void link(uint32_t index);
  void unlink(uint32_t index);
  uint32_t reclaim(Nanos now);

  std::vector<Neighbor> entries_;
  std::vector<uint32_t> buckets_;  ///< indices into entries_, or kNoIndex; at most half full
  uint32_t ranges_;                ///< entries [0, ranges_) are static ranges
  uint32_t pinned_;                ///< entries [0, pinned_) are never given to another address
  uint32_t entries_max_;
  uint32_t gateway_ = kNoIndex;
  uint32_t shift_;
  uint32_t reclaim_at_ = 0;  ///< where the search for a dead entry goes on
};

}  // namespace qstack
