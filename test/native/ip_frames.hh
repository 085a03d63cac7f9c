// Frames as a test's peer writes them, whole and in pieces, for both families; and what an IpLayer sends, read again.
#pragma once

#include <numeric>
#include <span>

#include "native/wire/icmp.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/ndp.hh"
#include "native/wire/tcp.hh"
#include "test/native/ip_bench.hh"

namespace qstack::test {

using Bytes = std::vector<uint8_t>;

inline constexpr uint32_t kOurIpv4 = 0x0a000001, kPeerIpv4 = 0x0a000064;
inline constexpr IpAddress kOurIpv6{0xfd00'0000'0000'0000, 1}, kPeerIpv6{0xfd00'0000'0000'0000, 0x64};

/// Speaks both families, with addresses that are ours at once.
inline IpConfig dual_config() {
  IpConfig config;
  config.address = kOurIpv4;
  config.prefix_length = 24;
  config.neighbors_max = 8;
  config.mac = kOurMac;
  config.secret = 77;
  config.ipv6.address = kOurIpv6;
  config.ipv6.dad_transmits = 0;
  return config;
}

inline Bytes counting(size_t length) {
  Bytes bytes(length);
  std::iota(bytes.begin(), bytes.end(), uint8_t{1});
  return bytes;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Frame ipv4_frame(uint8_t protocol, const Bytes& payload, uint32_t source = kPeerIpv4, uint32_t destination = kOurIpv4) {
  Frame frame(kEthernetHeader + kIpv4Header);
  write_ethernet(frame.data(), kOurMac, kPeerMac, kEtherTypeIpv4);
  write_ipv4(frame.data() + kEthernetHeader, source, destination, protocol, static_cast<uint16_t>(kIpv4Header + payload.size()));
  return frame + payload;
}

inline Frame ipv6_frame(uint8_t next_header, const Bytes& payload, const IpAddress& source = kPeerIpv6,
                        const IpAddress& destination = kOurIpv6) {
  Frame frame(kEthernetHeader + kIpv6Header);
  write_ethernet(frame.data(), destination.multicast() ? multicast_mac(destination) : kOurMac, kPeerMac, kEtherTypeIpv6);
  write_ipv6(frame.data() + kEthernetHeader, source, destination, next_header, static_cast<uint16_t>(payload.size()));
  return frame + payload;
}

inline Bytes icmp(uint8_t type, uint8_t code, uint32_t rest, const Bytes& data, uint64_t pseudo = 0) {
  Bytes bytes(kIcmpHeader);
  bytes[0] = type;
  bytes[1] = code;
  store_be32(bytes.data() + 4, rest);
  bytes = bytes + data;
  write_icmp_checksum(bytes.data(), static_cast<uint16_t>(bytes.size()), pseudo);
  return bytes;
}

inline Bytes icmpv6(uint8_t type, uint8_t code, uint32_t rest, const Bytes& data, const IpAddress& source = kPeerIpv6,
                    const IpAddress& destination = kOurIpv6) {
  const auto length = static_cast<uint16_t>(kIcmpHeader + data.size());
  return icmp(type, code, rest, data, checksum_pseudo(source, destination, kProtocolIcmpv6, length));
}

/// A part of a datagram's payload, [first, end).
struct Range {
  uint32_t first, end;
};

/// The piece of `whole` (an IPv4 frame without options) with these bytes of its payload.
inline Frame piece_of(const Frame& whole, Range range, bool more, uint16_t identification = 7) {
  constexpr uint32_t kAt = kEthernetHeader + kIpv4Header;
  Frame frame(whole.begin(), whole.begin() + kAt);
  frame.insert(frame.end(), whole.begin() + kAt + range.first, whole.begin() + kAt + range.end);
  change_ipv4(frame.data() + kEthernetHeader, static_cast<uint16_t>(frame.size() - kEthernetHeader),
              {identification, static_cast<uint16_t>(range.first), more});
  return frame;
}

/// The same of an IPv6 frame without extension headers.
inline Frame piece_of_ipv6(const Frame& whole, Range range, bool more, uint32_t identification = 7) {
  constexpr uint32_t kAt = kEthernetHeader + kIpv6Header;
  Frame frame(whole.begin(), whole.begin() + kAt);
  const uint8_t next = frame[kEthernetHeader + 6];
  frame[kEthernetHeader + 6] = kProtocolFragment;
  store_be16(frame.data() + kEthernetHeader + 4, static_cast<uint16_t>(range.end - range.first + kIpv6FragmentHeader));
  frame.resize(kAt + kIpv6FragmentHeader);
  write_ipv6_piece(frame.data() + kAt, next, {identification, static_cast<uint16_t>(range.first), more});
  frame.insert(frame.end(), whole.begin() + kAt + range.first, whole.begin() + kAt + range.end);
  return frame;
}

/// A TCP segment's bytes; nothing below TCP looks at more than its length.
inline Bytes segment(size_t payload) { return counting(kTcpHeader + payload); }

constexpr auto kTcp = IpLayer::Verdict::tcp;
constexpr auto kConsumed = IpLayer::Verdict::consumed;
constexpr auto kError = IpLayer::Verdict::error;

}  // namespace qstack::test
