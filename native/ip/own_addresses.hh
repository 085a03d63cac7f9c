// OwnAddresses: which addresses are ours, what is on the link, and which of ours speaks to whom.
//
// In: the configuration, and what duplicate address detection finds. Out: answers. IPv6 addresses are tentative
// (RFC 4862 2) until detection is done: nothing is received or sent with them.
#pragma once

#include <cstdint>

#include "native/ip/config.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/ndp.hh"

namespace qstack {

class OwnAddresses {
 public:
  explicit OwnAddresses(const IpConfig& config);

  bool local(uint32_t ipv4) const { return ipv4 - ipv4_ < ipv4_count_; }
  /// Also of an IPv4 address. Not while it is tentative, and not once it was found to be another's.
  bool local(const IpAddress& address) const { return address.is_ipv4() ? local(address.ipv4()) : local_ipv6(address); }
  /// The same, tentative or not: what may be listened on.
  bool owns(const IpAddress& address) const { return address.is_ipv4() ? local(address.ipv4()) : configured(address); }
  /// A group that we are in: all nodes, and the solicited-node groups of our addresses (RFC 4291 2.8).
  bool member(const IpAddress& group) const;

  bool connected(uint32_t ipv4) const { return ((ipv4 ^ ipv4_) & mask_) == 0; }
  bool connected(const IpAddress& address) const;
  bool subnet_broadcast(uint32_t ipv4) const { return (mask_ | 1) != ~0u && connected(ipv4) && (ipv4 | mask_) == ~0u; }

  /// Where an active open to `remote` comes from; `::` when there is no address of its family.
  IpAddress source_for(const IpAddress& remote) const;

  bool has_ipv6() const { return ipv6_.enabled() && !ipv6_off_; }
  const IpAddress& link_local() const { return link_local_; }

  /// Addresses that are checked for duplicates: the link-local one, then the first ones of the range. The rest of a
  /// long range is not: such ranges stand for many devices behind one link, and their owner knows them.
  uint32_t checked() const { return 1 + (ipv6_.address_count < kCheckedMax ? ipv6_.address_count : kCheckedMax); }
  IpAddress checked_address(uint32_t index) const { return index == 0 ? link_local_ : following(ipv6_.address, index - 1); }
  /// Number of the address among those that are checked; kNoIndex for others.
  uint32_t checked_index(const IpAddress& address) const;
  bool tentative() const { return tentative_; }
  void accept() { tentative_ = false; }
  /// Another station has it. Without its link-local address the stack speaks no IPv6 (RFC 4862 5.4.5).
  void give_up(uint32_t index);

 private:
  static constexpr uint32_t kCheckedMax = 63;

  bool configured(const IpAddress& address) const;
  bool local_ipv6(const IpAddress& address) const { return !tentative_ && configured(address); }

  uint32_t ipv4_;
  uint32_t ipv4_count_;
  uint32_t mask_;  ///< of the connected prefix
  Ipv6Config ipv6_;
  IpAddress link_local_;
  uint64_t given_up_ = 0;  ///< bit per address that is checked
  bool tentative_;
  bool ipv6_off_ = false;
};

}  // namespace qstack
