// Neighbour Discovery (RFC 4861 4): solicitations, advertisements, and the part of a router advertisement that we use.
//
// In: an ICMPv6 message, any bytes (its checksum and hop limit are checked before). Out: values in host order. Parsing
// reads inside the given length only; an option of length 0 makes the whole message invalid (4.6).
#pragma once

#include <optional>

#include "native/wire/ethernet.hh"
#include "native/wire/ip_address.hh"

namespace qstack {

inline constexpr uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134, kNeighborSolicitation = 135,
                         kNeighborAdvertisement = 136, kRedirect = 137;
/// RFC 4861 7.1: what did not come from this link has been passed on, and is no neighbour's.
inline constexpr uint8_t kNdpHopLimit = 255;

inline constexpr IpAddress kAllNodes{0xff02'0000'0000'0000, 1};
inline constexpr IpAddress kAllRouters{0xff02'0000'0000'0000, 2};

/// RFC 4291 2.7.1.
constexpr IpAddress solicited_node(const IpAddress& address) {
  return {0xff02'0000'0000'0000, 0x0000'0001'ff00'0000 | (address.low & 0xff'ffff)};
}

/// RFC 2464 7: 33:33 and the last four bytes.
constexpr MacAddress multicast_mac(const IpAddress& group) {
  return {0x33, 0x33, static_cast<uint8_t>(group.low >> 24), static_cast<uint8_t>(group.low >> 16),
          static_cast<uint8_t>(group.low >> 8), static_cast<uint8_t>(group.low)};
}

/// RFC 4291 appendix A: fe80::/64 and the modified EUI-64 of the MAC.
constexpr IpAddress link_local_of(const MacAddress& mac) {
  const uint64_t first = (uint64_t{mac[0]} << 56 | uint64_t{mac[1]} << 48 | uint64_t{mac[2]} << 40) ^ (uint64_t{2} << 56);
  return {0xfe80'0000'0000'0000,
          first | 0x0000'00ff'fe00'0000 | uint64_t{mac[3]} << 16 | uint64_t{mac[4]} << 8 | uint64_t{mac[5]}};
}

struct NeighborMessage {
  bool advertisement;
  bool router, solicited, override_flag;  ///< of an advertisement
  IpAddress target;
  std::optional<MacAddress> mac;  ///< source (solicitation) or target (advertisement) link-layer address
};

struct RouterMessage {
  uint16_t lifetime_s;  ///< 0: no default router
  std::optional<MacAddress> mac;
};

bool parse_neighbor_message(const uint8_t* icmp, uint16_t length, NeighborMessage& out);
bool parse_router_advertisement(const uint8_t* icmp, uint16_t length, RouterMessage& out);

/// Writers return the length; the checksum field is left 0. `mac`: none in a DAD probe (RFC 4862 5.4.2).
uint16_t write_neighbor_message(uint8_t* icmp, const NeighborMessage& message);
uint16_t write_router_solicitation(uint8_t* icmp, const MacAddress& mac);

}  // namespace qstack
