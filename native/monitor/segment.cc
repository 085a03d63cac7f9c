#include "native/monitor/segment.hh"

#include <algorithm>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/tcp.hh"
#include "native/wire/vlan.hh"

namespace qstack::monitor {
namespace {

constexpr uint16_t kEtherTypeServiceVlan = 0x88a8;  // 802.1ad
constexpr int kTagsMax = 2;

/// Where the TCP header begins, and how long header and payload are on the wire.
struct Place {
  uint32_t tcp = 0;
  uint32_t length = 0;
};

Reading place_ipv4(Bytes ip, uint32_t wire_length, Segment& out, Place& place) {
  if (ip.size() < kIpv4Header) return Reading::cut;
  const uint32_t header = (ip[0] & 0x0fu) * 4;
  if (ip[0] >> 4 != 4 || header < kIpv4Header) return Reading::cut;
  if (ip[9] != kProtocolTcp) return Reading::other;
  if ((load_be16(&ip[6]) & 0x3fff) != 0) return Reading::fragment;
  // 0: longer than the field can say, where the kernel's segmentation is left to a device.
  const uint32_t said = load_be16(&ip[2]);
  const uint32_t total = said == 0 ? wire_length : said;
  if (total < header || total > wire_length) return Reading::cut;
  out.source = load_be32(&ip[12]);
  out.destination = load_be32(&ip[16]);
  place = {header, total - header};
  return Reading::segment;
}

Reading place_ipv6(Bytes ip, uint32_t wire_length, Segment& out, Place& place) {
  if (ip.size() < kIpv6Header) return Reading::cut;
  if (ip[0] >> 4 != 6) return Reading::cut;
  const uint32_t said = load_be16(&ip[4]);
  const uint32_t total = said == 0 ? wire_length : kIpv6Header + said;
  if (total > wire_length) return Reading::cut;
  const auto walkable = static_cast<uint16_t>(std::min<size_t>({ip.size(), total, UINT16_MAX}));
  const Ipv6Chain chain = walk_ipv6(ip.data(), walkable, ip[6]);
  if (chain.fragment_header != 0) return Reading::fragment;
  if (chain.fault != Ipv6Fault::none) return Reading::cut;
  if (chain.protocol != kProtocolTcp) return Reading::other;
  if (chain.l4 > total) return Reading::cut;
  out.source = load_ipv6(&ip[8]);
  out.destination = load_ipv6(&ip[24]);
  place = {chain.l4, total - chain.l4};
  return Reading::segment;
}

Reading read_tcp(Bytes tcp, uint32_t length, Segment& out) {
  if (tcp.size() < kTcpHeader || length < kTcpHeader) return Reading::cut;
  const uint32_t header = (tcp[12] >> 4) * 4u;
  if (header < kTcpHeader || header > length) return Reading::cut;
  out.source_port = load_be16(&tcp[0]);
  out.destination_port = load_be16(&tcp[2]);
  out.seq = load_be32(&tcp[4]);
  out.ack = load_be32(&tcp[8]);
  out.flags = tcp[kTcpFlagsAt];
  out.payload_length = length - header;
  return Reading::segment;
}

}  // namespace

Reading read_segment(Bytes frame, uint32_t frame_length, Segment& out) {
  frame = frame.first(std::min<size_t>({frame.size(), frame_length, UINT16_MAX}));
  uint32_t at = 12;
  uint16_t type = 0;
  for (int tags = 0;; ++tags) {
    if (frame.size() < at + 2) return Reading::cut;
    type = load_be16(&frame[at]);
    at += 2;
    if ((type != kEtherTypeVlan && type != kEtherTypeServiceVlan) || tags == kTagsMax) break;
    at += 2;
  }
  if (type != kEtherTypeIpv4 && type != kEtherTypeIpv6) return Reading::other;
  const Bytes ip = frame.subspan(at <= frame.size() ? at : frame.size());
  const uint32_t wire_length = frame_length - at;
  Place place;
  const Reading read = type == kEtherTypeIpv4 ? place_ipv4(ip, wire_length, out, place) : place_ipv6(ip, wire_length, out, place);
  if (read != Reading::segment) return read;
  if (place.tcp > ip.size()) return Reading::cut;
  const Bytes tcp = ip.subspan(place.tcp);
  const Reading whole = read_tcp(tcp, place.length, out);
  if (whole != Reading::segment) return whole;
  const size_t payload = at + place.tcp + (tcp[12] >> 4) * size_t{4};
  // Padding behind the packet is none of its bytes.
  const size_t end = std::min<size_t>(frame.size(), payload + out.payload_length);
  out.payload = static_cast<uint16_t>(std::min(payload, end));
  out.captured = static_cast<uint16_t>(end);
  out.frame_length = frame_length;
  return Reading::segment;
}

}  // namespace qstack::monitor
