#include "native/classify/locate.hh"

#include <algorithm>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"

namespace qstack {
namespace {

/// End of the IP packet within the frame; 0 where no unfragmented TCP segment begins in it.
uint32_t segment_end(const Packet& packet, uint32_t& l4) {
  constexpr uint32_t kFragment = 0x3fff;
  const uint8_t* ip = packet.data + kEthernetHeader;
  if (packet.length < kEthernetHeader + kIpv4Header || ethernet_type(packet.data) != kEtherTypeIpv4) return 0;
  if (ip[0] >> 4 != 4 || ip[9] != kProtocolTcp || (load_be16(ip + 6) & kFragment) != 0) return 0;
  const uint32_t header = (ip[0] & 0x0fu) * 4;
  const uint32_t total = load_be16(ip + 2);
  if (header < kIpv4Header || total < header + kTcpHeader) return 0;
  l4 = kEthernetHeader + header;
  const uint32_t end = std::min<uint32_t>(kEthernetHeader + total, packet.length);
  return end >= l4 + kTcpHeader ? end : 0;
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
  uint32_t l4 = 0;
  const uint32_t end = segment_end(packet, l4);
  if (end == 0) return false;
  packet.length = static_cast<uint16_t>(end);
  packet.l3 = kEthernetHeader;
  packet.l4 = static_cast<uint16_t>(l4);
  locate_payload(packet);
  return true;
}

}  // namespace qstack
