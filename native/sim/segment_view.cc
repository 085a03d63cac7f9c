#include "native/sim/segment_view.hh"

#include <cstring>

namespace qstack::sim {
namespace {

bool read_ipv4(uint8_t* ip, uint16_t room, SegmentView& out, uint8_t& protocol) {
  Ipv4Header header;
  if (parse_ipv4(ip, room, header) != Ipv4Fault::none || header.total_length != room) return false;
  protocol = header.protocol;
  out.from = static_cast<uint8_t>(header.source - kFirstIpv4);
  out.to = static_cast<uint8_t>(header.destination - kFirstIpv4);
  out.tcp = ip + header.header_length;
  out.tcp_length = static_cast<uint16_t>(room - header.header_length);
  return true;
}

bool read_ipv6(uint8_t* ip, uint16_t room, SegmentView& out, uint8_t& protocol) {
  Ipv6Header header;
  if (!parse_ipv6(ip, room, header) || load_be16(ip + 4) != room - kIpv6Header) return false;
  protocol = header.next_header;
  out.from = static_cast<uint8_t>(header.source.low - 1);
  out.to = static_cast<uint8_t>(header.destination.low - 1);
  out.tcp = ip + kIpv6Header;
  out.tcp_length = static_cast<uint16_t>(room - kIpv6Header);
  return true;
}

}  // namespace

Reading read_segment(uint8_t* bytes, uint16_t length, SegmentView& out) {
  if (length < kEthernetHeader) return Reading::malformed;
  const uint16_t type = ethernet_type(bytes);
  if (type != kEtherTypeIpv4 && type != kEtherTypeIpv6) return Reading::other;
  uint8_t* const ip = bytes + kEthernetHeader;
  const auto room = static_cast<uint16_t>(length - kEthernetHeader);
  out.ipv6 = type == kEtherTypeIpv6;
  out.ip_length = room;
  uint8_t protocol = 0;
  if (!(out.ipv6 ? read_ipv6(ip, room, out, protocol) : read_ipv4(ip, room, out, protocol))) return Reading::malformed;
  if (protocol != kProtocolTcp) return Reading::other;
  if (!parse_tcp(out.tcp, out.tcp_length, out.header)) return Reading::malformed;
  return internet_checksum(out.tcp, out.tcp_length, out.pseudo()) == 0 ? Reading::segment : Reading::malformed;
}

void grow(uint8_t* bytes, SegmentView& segment, uint16_t by) {
  uint8_t* const ip = bytes + kEthernetHeader;
  segment.ip_length = static_cast<uint16_t>(segment.ip_length + by);
  segment.tcp_length = static_cast<uint16_t>(segment.tcp_length + by);
  segment.header.payload_length = static_cast<uint16_t>(segment.header.payload_length + by);
  if (segment.ipv6) return store_be16(ip + 4, segment.tcp_length);
  store_be16(ip + 2, segment.ip_length);
  repair_ipv4(ip);
}

void repair_ipv4(uint8_t* ip) {
  std::memset(ip + 10, 0, 2);
  const uint16_t sum = internet_checksum(ip, kIpv4Header);
  std::memcpy(ip + 10, &sum, 2);
}

void repair_checksum(const SegmentView& segment) {
  std::memset(segment.tcp + 16, 0, 2);
  const uint16_t sum = internet_checksum(segment.tcp, segment.tcp_length, segment.pseudo());
  std::memcpy(segment.tcp + 16, &sum, 2);
}

}  // namespace qstack::sim
