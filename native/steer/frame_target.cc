#include "native/steer/frame_target.hh"

#include <span>

#include "native/wire/arp.hh"
#include "native/wire/icmp.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/ndp.hh"
#include "native/wire/tcp.hh"
#include "native/wire/vlan.hh"

namespace qstack {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr FrameTarget kFirst{};
constexpr FrameTarget kAll{FrameReader::all};
constexpr uint32_t kPorts = 4;
constexpr uint16_t kOffsetOfPiece = 0x1fff, kMorePieces = 0x2000;

FrameTarget flow(uint32_t hash) { return {FrameReader::flow, hash}; }

/// The beginning of a packet of ours, of which a router or the peer says something. Another router may have cut it.
FrameTarget quoted_ipv4(Bytes ip, const FlowHash& hash) {
  if (ip.size() < kIpv4Header) return kFirst;
  const uint32_t header = (ip[0] & 0x0f) * 4u;
  const bool headless = (load_be16(&ip[6]) & kOffsetOfPiece) != 0;
  if (header < kIpv4Header || headless || ip.size() < header + kPorts || ip[9] != kProtocolTcp) return kFirst;
  return flow(hash.answer<4>(&ip[12], &ip[header]));
}

FrameTarget target_of_ipv4(Bytes ip, const FlowHash& hash) {
  if (ip.size() < kIpv4Header) return kFirst;
  const uint32_t header = (ip[0] & 0x0f) * 4u;
  const bool piece = (load_be16(&ip[6]) & (kOffsetOfPiece | kMorePieces)) != 0;
  if (header < kIpv4Header || piece || ip.size() < header + kIcmpHeader) return kFirst;
  if (ip[9] == kProtocolTcp) return flow(hash.flow<4>(&ip[12], &ip[header]));
  if (ip[9] == kProtocolIcmp && is_icmp_error(ip[header])) return quoted_ipv4(ip.subspan(header + kIcmpHeader), hash);
  return kFirst;
}

/// Where the upper layer begins; 0: it is no whole packet, or one that is wrong.
uint16_t upper_layer(Bytes ip, uint8_t& protocol) {
  if (ip.size() < kIpv6Header) return 0;
  const Ipv6Chain chain = walk_ipv6(ip.data(), static_cast<uint16_t>(ip.size()), ip[6]);
  protocol = chain.protocol;
  return chain.fault == Ipv6Fault::none && chain.fragment_header == 0 ? chain.l4 : 0;
}

FrameTarget quoted_ipv6(Bytes ip, const FlowHash& hash) {
  uint8_t protocol = 0;
  const size_t l4 = upper_layer(ip, protocol);
  if (l4 == 0 || protocol != kProtocolTcp || ip.size() < l4 + kPorts) return kFirst;
  return flow(hash.answer<16>(&ip[8], &ip[l4]));
}

/// A solicitation from nobody is of a station that is about to take the address (RFC 4862 5.4.2).
bool for_every_resolver(uint8_t type, const IpAddress& source) {
  const bool probe = type == kNeighborSolicitation && source.unspecified();
  return probe || type == kNeighborAdvertisement || type == kRouterAdvertisement;
}

FrameTarget target_of_ipv6(Bytes ip, const FlowHash& hash) {
  uint8_t protocol = 0;
  const size_t l4 = upper_layer(ip, protocol);
  if (l4 == 0 || ip.size() < l4 + kIcmpHeader) return kFirst;
  if (protocol == kProtocolTcp) return flow(hash.flow<16>(&ip[8], &ip[l4]));
  if (protocol != kProtocolIcmpv6) return kFirst;
  if (is_icmpv6_error(ip[l4])) return quoted_ipv6(ip.subspan(l4 + kIcmpHeader), hash);
  return for_every_resolver(ip[l4], load_ipv6(&ip[8])) ? kAll : kFirst;
}

FrameTarget target_of_arp(Bytes bytes) {
  ArpPacket arp;
  if (!parse_arp(bytes.data(), static_cast<uint16_t>(bytes.size()), arp)) return kFirst;
  return arp.operation == ArpOperation::reply || arp.sender == arp.target ? kAll : kFirst;
}

}  // namespace

FrameTarget frame_target(const uint8_t* frame, uint16_t length, const FlowHash& hash) {
  uint32_t at = kEthernetHeader;
  if (length < at) return kFirst;
  uint16_t type = ethernet_type(frame);
  if (type == kEtherTypeVlan) {
    at += kVlanTag;
    if (length < at) return kFirst;
    type = load_be16(frame + at - 2);
  }
  const Bytes payload(frame + at, length - at);
  if (type == kEtherTypeIpv4) return target_of_ipv4(payload, hash);
  if (type == kEtherTypeIpv6) return target_of_ipv6(payload, hash);
  return type == kEtherTypeArp ? target_of_arp(payload) : kFirst;
}

}  // namespace qstack
