// NeighborTable: next hops by address (RFC 1122 2.3.2, RFC 4861 5.1), each with the MAC that frames to it carry.
//
// In: addresses. Out: u32 indices that stay valid for life; an entry that never answered may be given to another
// address when the table is full, so a user of an old index compares the address (NeighborTable::serves).
//   entries_: [0, pinned) static ranges and the configured gateways, then learnt ones.  buckets_: open addressing into entries_.
#pragma once

#include <cstdint>
#include <vector>

#include "native/ip/config.hh"
#include "native/mempool/packet_pool.hh"
#include "native/wire/mix.hh"

namespace qstack {

inline constexpr uint8_t kParkedMax = 3;

enum class NeighborState : uint8_t {
  unresolved,   ///< a request is on its way
  unreachable,  ///< requests had no answer; a new try is allowed from next_at on
  resolved,     ///< the MAC is known, and stays in use while it is asked for again (as RFC 7048 does for NDP)
};

struct alignas(64) Neighbor {
  Nanos next_at = 0;     ///< resolved: probe again when used after this; else the next step of the questions
  IpAddress address;     ///< of a static range: its first
  uint32_t count = 1;    ///< addresses that share this entry
  MacAddress mac{};
  NeighborState state = NeighborState::unresolved;
  uint8_t requests = 0;  ///< sent and not answered
  uint8_t parked_count = 0;
  bool fixed = false;     ///< from the configuration: ARP and NDP change nothing
  bool answered = false;  ///< had a MAC at some time: its index may be held by a connection
  Packet* parked[kParkedMax] = {};
};
static_assert(sizeof(Neighbor) == 64);

class NeighborTable {
 public:
  /// Room for `learnt_max` addresses beside the static ranges and the gateways of both families.
  explicit NeighborTable(const IpConfig& config);

  /// kNoIndex when unknown. A static range wins over a learnt address.
  uint32_t find(const IpAddress& address) const;
  /// Index of a new, unresolved entry for an address that find() does not know; kNoIndex when full.
  uint32_t add(const IpAddress& address, Nanos now);

  Neighbor& at(uint32_t index) { return entries_[index]; }
  const Neighbor& at(uint32_t index) const { return entries_[index]; }
  /// Next hop for what is not connected, in the family of `destination`; kNoIndex without one.
  uint32_t gateway(const IpAddress& destination) const { return destination.is_ipv4() ? gateway_ : gateway_ipv6_; }
  /// A router that advertised itself, or kNoIndex.
  void set_gateway_ipv6(uint32_t neighbor) { gateway_ipv6_ = neighbor; }
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  uint32_t add_gateway(const IpAddress& gateway);
  uint32_t find_static(const IpAddress& address) const;
  /// Keyed, so that nobody can choose addresses that share a bucket.
  uint32_t bucket_of(const IpAddress& address) const {
    return static_cast<uint32_t>(mix_product(address.high ^ secret_, address.low ^ ~secret_) >> shift_);
  }
  void link(uint32_t index);
  void unlink(uint32_t index);
  uint32_t reclaim(Nanos now);

  std::vector<Neighbor> entries_;
  std::vector<uint32_t> buckets_;  ///< indices into entries_, or kNoIndex; at most half full
  uint32_t ranges_;                ///< entries [0, ranges_) are static ranges
  uint32_t pinned_;                ///< entries [0, pinned_) are never given to another address
  uint32_t entries_max_;
  uint32_t gateway_ = kNoIndex;
  uint32_t gateway_ipv6_ = kNoIndex;
  uint64_t secret_;
  uint32_t shift_;
  uint32_t reclaim_at_ = 0;  ///< where the search for a dead entry goes on
};

}  // namespace qstack
