#include "native/classify/locate.hh"

#include <algorithm>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/tcp.hh"
#include "native/wire/vlan.hh"

namespace qstack {
namespace {

/// Where a TCP header begins and its IP packet ends, in bytes of the frame; 0 and 0: no whole segment begins in it.
struct Place {
  uint32_t l4 = 0;
  uint32_t end = 0;
};

Place place_ipv4(const Packet& packet) {
  constexpr uint32_t kFragment = 0x3fff;
  const uint8_t* ip = packet.data + kEthernetHeader;
  if (packet.length < kEthernetHeader + kIpv4Header) return {};
  if (ip[0] >> 4 != 4 || ip[9] != kProtocolTcp || (load_be16(ip + 6) & kFragment) != 0) return {};
  const uint32_t header = (ip[0] & 0x0fu) * 4;
  const uint32_t total = load_be16(ip + 2);
  if (header < kIpv4Header || total < header + kTcpHeader) return {};
  return {kEthernetHeader + header, kEthernetHeader + total};
}

Place place_ipv6(const Packet& packet) {
  Ipv6Header header;
  const uint8_t* ip = packet.data + kEthernetHeader;
  if (!parse_ipv6(ip, static_cast<uint16_t>(packet.length - kEthernetHeader), header)) return {};
  const Ipv6Chain chain = walk_ipv6(ip, header.total_length, header.next_header);
  if (chain.fault != Ipv6Fault::none || chain.protocol != kProtocolTcp || chain.fragment_header != 0) return {};
  return {uint32_t{kEthernetHeader} + chain.l4, uint32_t{kEthernetHeader} + header.total_length};
}

Place place_of(const Packet& packet) {
  if (packet.length < kEthernetHeader) return {};
  const uint16_t type = ethernet_type(packet.data);
  return type == kEtherTypeIpv4 ? place_ipv4(packet) : type == kEtherTypeIpv6 ? place_ipv6(packet) : Place{};
}

}  // namespace

void locate_payload(Packet& packet) {
  const uint32_t offset = packet.l4 + 12u < packet.length ? (packet.data[packet.l4 + 12] >> 4) * 4u : 0;
  const uint32_t start = packet.l4 + std::max<uint32_t>(offset, kTcpHeader);
  packet.payload = static_cast<uint16_t>(std::min<uint32_t>(start, packet.length));
  packet.payload_length = static_cast<uint16_t>(packet.length - packet.payload);
}

bool locate_tcp(Packet& packet) {
  packet.l3 = packet.l4 = packet.payload = packet.payload_length = 0;
  packet.tag = 0;
  if (packet.length >= kEthernetHeader + kVlanTag && ethernet_type(packet.data) == kEtherTypeVlan) {
    packet.tag = load_be32(packet.data + 12);
    remove_tag(packet.data);
    packet.data += kVlanTag;
    packet.length = static_cast<uint16_t>(packet.length - kVlanTag);
  }
  const Place place = place_of(packet);
  const uint32_t end = std::min<uint32_t>(place.end, packet.length);
  if (end < place.l4 + kTcpHeader) return false;
  packet.length = static_cast<uint16_t>(end);
  packet.l3 = kEthernetHeader;
  packet.l4 = static_cast<uint16_t>(place.l4);
  locate_payload(packet);
  return true;
}

}  // namespace qstack
