// Frames as a peer writes and reads them: Ethernet, IPv4, TCP, with right checksums on the way in, checked on the way out.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/tcp.hh"
#include "native/wire/vlan.hh"
#include "test/fuzz/require.hh"

namespace qstack::fuzz {

using Frame = std::vector<uint8_t>;

inline constexpr MacAddress kStackMac = {2, 0, 0, 0, 0, 1};
inline constexpr MacAddress kPeerMac = {2, 0, 0, 0, 0, 2};
inline constexpr uint32_t kStackAddress = 0x0a000001;
inline constexpr IpAddress kStackIpv6{0xfd00'0000'0000'0000, 1};
inline constexpr uint16_t kTcpAt = kEthernetHeader + kIpv4Header;

/// Makes lengths and checksums of an IPv4 frame right; leaves what is no such frame as it is.
inline void repair(Frame& frame) {
  if (frame.size() < kEthernetHeader + kIpv4Header || ethernet_type(frame.data()) != kEtherTypeIpv4) return;
  uint8_t* const ip = frame.data() + kEthernetHeader;
  const size_t header = (ip[0] & 15) * 4u;
  const size_t total = frame.size() - kEthernetHeader;
  if (header < kIpv4Header || header > total) return;
  store_be16(ip + 2, static_cast<uint16_t>(total));
  std::memset(ip + 10, 0, 2);
  const uint16_t ip_sum = internet_checksum(ip, header);
  std::memcpy(ip + 10, &ip_sum, 2);
  const auto length = static_cast<uint16_t>(total - header);
  const bool tcp = ip[9] == kProtocolTcp;
  const size_t sum_at = tcp ? 16 : 2;
  if (length < sum_at + 2) return;
  std::memset(ip + header + sum_at, 0, 2);
  const uint64_t pseudo = tcp ? checksum_pseudo(load_be32(ip + 12), load_be32(ip + 16), kProtocolTcp, length) : 0;
  const uint16_t sum = internet_checksum(ip + header, length, pseudo);
  std::memcpy(ip + header + sum_at, &sum, 2);
}

/// The same of an IPv6 frame without extension headers.
inline void repair_ipv6(Frame& frame) {
  uint8_t* const ip = frame.data() + kEthernetHeader;
  const auto length = static_cast<uint16_t>(frame.size() - kEthernetHeader - kIpv6Header);
  store_be16(ip + 4, length);
  const size_t sum_at = ip[6] == kProtocolTcp ? 16 : 2;
  if ((ip[6] != kProtocolTcp && ip[6] != kProtocolIcmpv6) || length < sum_at + 2) return;
  std::memset(ip + kIpv6Header + sum_at, 0, 2);
  const uint64_t pseudo = checksum_pseudo(load_ipv6(ip + 8), load_ipv6(ip + 24), ip[6], length);
  const uint16_t sum = internet_checksum(ip + kIpv6Header, length, pseudo);
  std::memcpy(ip + kIpv6Header + sum_at, &sum, 2);
}

/// The piece of a frame (IPv4 without options, IPv6 without extension headers) that holds these bytes of its payload.
inline Frame piece_of(const Frame& whole, uint32_t first, uint32_t end, bool more, uint8_t identification) {
  const bool ipv4 = ethernet_type(whole.data()) == kEtherTypeIpv4;
  const uint32_t at = kEthernetHeader + (ipv4 ? kIpv4Header : kIpv6Header);
  Frame frame(whole.begin(), whole.begin() + at);
  uint8_t* const ip = frame.data() + kEthernetHeader;
  const auto length = static_cast<uint16_t>(end - first);
  if (ipv4) {
    change_ipv4(ip, static_cast<uint16_t>(kIpv4Header + length), {identification, static_cast<uint16_t>(first), more});
  } else {
    uint8_t header[kIpv6FragmentHeader];
    write_ipv6_piece(header, ip[6], {identification, static_cast<uint16_t>(first & ~7u), more});
    ip[6] = kProtocolFragment;
    store_be16(ip + 4, static_cast<uint16_t>(length + kIpv6FragmentHeader));
    frame.insert(frame.end(), header, header + kIpv6FragmentHeader);
  }
  frame.insert(frame.end(), whole.begin() + at + first, whole.begin() + at + end);
  return frame;
}

inline Frame tagged(const Frame& frame, uint16_t tci) {
  Frame out(kVlanTag);
  out.insert(out.end(), frame.begin(), frame.end());
  insert_tag(out.data(), tci);
  return out;
}

struct SegmentParts {
  uint32_t source;
  uint16_t source_port, destination_port;
  Seq seq, ack;
  uint8_t flags;
  uint16_t window;
  std::vector<uint8_t> options;  ///< a multiple of 4 bytes
  std::vector<uint8_t> payload;
};

inline Frame write_segment(const SegmentParts& parts) {
  const auto header = static_cast<uint8_t>(kTcpHeader + parts.options.size());
  Frame frame(kTcpAt + header + parts.payload.size());
  write_ethernet(frame.data(), kStackMac, kPeerMac, kEtherTypeIpv4);
  write_ipv4(frame.data() + kEthernetHeader, parts.source, kStackAddress, kProtocolTcp, 0);
  uint8_t* const tcp = frame.data() + kTcpAt;
  write_tcp_header(tcp, parts.source_port, parts.destination_port, parts.seq, parts.ack, header, parts.flags,
                   parts.window);
  std::copy(parts.options.begin(), parts.options.end(), tcp + kTcpHeader);
  std::copy(parts.payload.begin(), parts.payload.end(), tcp + header);
  repair(frame);
  return frame;
}

/// A segment that the stack sent.
struct SentSegment {
  uint32_t destination;
  TcpSegment header;
  std::span<const uint8_t> payload;
};

/// Whatever leaves the stack is well formed. False: it is no TCP segment.
inline bool read_sent(const Frame& frame, SentSegment& out) {
  require(frame.size() >= kEthernetHeader, "a frame has an Ethernet header");
  require(ethernet_source(frame.data()) == kStackMac, "frames leave with our own MAC");
  if (ethernet_type(frame.data()) == kEtherTypeIpv6) {
    Ipv6Header ipv6;
    const auto size = static_cast<uint16_t>(frame.size() - kEthernetHeader);
    require(parse_ipv6(frame.data() + kEthernetHeader, size, ipv6), "the IPv6 header that we send is right");
    require(ipv6.total_length == size, "the frame that we send ends with its IP packet");
  }
  if (ethernet_type(frame.data()) != kEtherTypeIpv4) return false;
  const uint8_t* const ip = frame.data() + kEthernetHeader;
  const auto room = static_cast<uint16_t>(frame.size() - kEthernetHeader);
  Ipv4Header header;
  require(parse_ipv4(ip, room, header) == Ipv4Fault::none, "the IPv4 header that we send is right");
  require(header.total_length == room, "the frame that we send ends with its IP packet");
  if (header.protocol != kProtocolTcp) return false;
  const uint8_t* const tcp = ip + header.header_length;
  const auto length = static_cast<uint16_t>(room - header.header_length);
  const uint64_t pseudo = checksum_pseudo(header.source, header.destination, kProtocolTcp, length);
  require(internet_checksum(tcp, length, pseudo) == 0, "the TCP checksum that we send is right");
  require(parse_tcp(tcp, length, out.header), "the TCP header that we send is right");
  out.destination = header.destination;
  out.payload = {tcp + out.header.header_length, out.header.payload_length};
  return true;
}

}  // namespace qstack::fuzz
