// Frames as a peer writes and reads them: Ethernet, IPv4, TCP, with right checksums on the way in, checked on the way out.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"
#include "test/fuzz/require.hh"

namespace qstack::fuzz {

using Frame = std::vector<uint8_t>;

inline constexpr MacAddress kStackMac = {2, 0, 0, 0, 0, 1};
inline constexpr MacAddress kPeerMac = {2, 0, 0, 0, 0, 2};
inline constexpr uint32_t kStackAddress = 0x0a000001;
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
