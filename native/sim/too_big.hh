// What a router answers to a packet that does not fit into the next link (RFC 792, RFC 1191 4; RFC 4443 3.2).
#pragma once

#include <algorithm>
#include <cstring>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv6.hh"

namespace qstack::sim {

/// Writes the frame at `out`: to the sender of the frame at `bytes`, about it. Returns its length; 0: nobody answers
/// this.
inline uint16_t write_too_big(uint8_t* out, const uint8_t* bytes, uint16_t length, uint16_t mtu, const MacAddress& to,
                              const MacAddress& router) {
  constexpr uint8_t kUnreachable = 3, kFragmentationNeeded = 4, kPacketTooBig = 2;
  constexpr uint16_t kIcmp = 8, kQuotedMax = 548;
  const bool ipv6 = ethernet_type(bytes) == kEtherTypeIpv6;
  if (!ipv6 && ethernet_type(bytes) != kEtherTypeIpv4) return 0;
  const uint8_t* const packet = bytes + kEthernetHeader;
  const auto quoted = std::min<uint16_t>(static_cast<uint16_t>(length - kEthernetHeader), kQuotedMax);
  const auto icmp_length = static_cast<uint16_t>(kIcmp + quoted);
  write_ethernet(out, to, router, ethernet_type(bytes));
  uint8_t* const ip = out + kEthernetHeader;
  uint8_t* const icmp = ip + (ipv6 ? kIpv6Header : kIpv4Header);
  uint64_t pseudo = 0;
  if (ipv6) {
    const IpAddress sender = load_ipv6(packet + 8), us = load_ipv6(packet + 24);
    write_ipv6(ip, us, sender, kProtocolIcmpv6, icmp_length);
    pseudo = checksum_pseudo(us, sender, kProtocolIcmpv6, icmp_length);
  } else {
    write_ipv4(ip, load_be32(packet + 16), load_be32(packet + 12), kProtocolIcmp,
               static_cast<uint16_t>(kIpv4Header + icmp_length));
  }
  icmp[0] = ipv6 ? kPacketTooBig : kUnreachable;
  icmp[1] = ipv6 ? 0 : kFragmentationNeeded;
  store_be16(icmp + 2, 0);
  store_be32(icmp + 4, mtu);
  std::memcpy(icmp + kIcmp, packet, quoted);
  const uint16_t sum = internet_checksum(icmp, icmp_length, pseudo);
  std::memcpy(icmp + 2, &sum, 2);
  return static_cast<uint16_t>(icmp + icmp_length - out);
}

}  // namespace qstack::sim
