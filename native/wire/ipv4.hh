// IPv4 headers (RFC 791 3.1): what is read from one, and how ours are written.
//
// In: bytes from the wire, any bytes. Out: values in host order; parsing reads inside the given length only.
// Ours have no options. Segments are never fragmented (DF) and therefore carry identification 0 (RFC 6864 4.1); what is
// written by change_ipv4 may be.
#pragma once

#include "native/wire/bytes.hh"
#include "native/wire/checksum.hh"
#include "native/wire/ecn.hh"

namespace qstack {

inline constexpr uint16_t kIpv4Header = 20;
inline constexpr uint8_t kProtocolIcmp = 1, kProtocolUdp = 17;
inline constexpr uint8_t kTtl = 64;  ///< RFC 1700 recommends 64

struct Ipv4Header {
  uint32_t source;
  uint32_t destination;
  uint16_t total_length;
  uint8_t header_length;  ///< bytes, options included
  uint8_t protocol;
  bool fragment;  ///< more fragments follow, or this is not the first
};

enum class Ipv4Fault : uint8_t { none, too_short, header, checksum };

/// Checks version, lengths and checksum (RFC 1122 3.2.1.1, 3.2.1.2). The TTL is no reason for a host to drop (3.2.1.7).
inline Ipv4Fault parse_ipv4(const uint8_t* at, uint16_t length, Ipv4Header& out) {
  if (length < kIpv4Header) return Ipv4Fault::too_short;
  out.header_length = static_cast<uint8_t>((at[0] & 0x0f) * 4);
  out.total_length = load_be16(at + 2);
  if ((at[0] >> 4) != 4 || out.header_length < kIpv4Header) return Ipv4Fault::header;
  if (out.total_length < out.header_length || out.total_length > length) return Ipv4Fault::header;
  if (internet_checksum(at, out.header_length) != 0) return Ipv4Fault::checksum;
  out.fragment = (load_be16(at + 6) & 0x3fff) != 0;
  out.protocol = at[9];
  out.source = load_be32(at + 12);
  out.destination = load_be32(at + 16);
  return Ipv4Fault::none;
}

inline void write_ipv4(uint8_t* at, uint32_t source, uint32_t destination, uint8_t protocol, uint16_t total_length,
                       uint8_t traffic_class = kEcnNotCapable, uint8_t ttl = kTtl) {
  constexpr uint32_t kDontFragment = 0x4000;
  uint32_t sum = (0x4500u | traffic_class) + total_length + kDontFragment + (uint32_t{ttl} << 8) + protocol;
  sum += (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  sum += sum >> 16;
  store_be32(at, 0x4500'0000u | uint32_t{traffic_class} << 16 | total_length);
  store_be32(at + 4, kDontFragment);
  store_be16(at + 8, static_cast<uint16_t>((ttl << 8) | protocol));
  store_be16(at + 10, static_cast<uint16_t>(~sum));
  store_be32(at + 12, source);
  store_be32(at + 16, destination);
}

/// Where a fragment belongs (RFC 791 3.1); of the header that begins at `ip`.
struct Ipv4Piece {
  uint16_t identification;
  uint16_t offset;  ///< bytes
  bool more;
};

inline Ipv4Piece piece_of_ipv4(const uint8_t* ip) {
  const uint16_t field = load_be16(ip + 6);
  return {load_be16(ip + 4), static_cast<uint16_t>((field & 0x1fff) * 8), (field & 0x2000) != 0};
}

/// Makes a header that was written or read whole that of a piece (offset and more: 0 make it whole again), or of another
/// length: the checksum becomes right.
inline void change_ipv4(uint8_t* ip, uint16_t total_length, const Ipv4Piece& piece) {
  store_be16(ip + 2, total_length);
  store_be16(ip + 4, piece.identification);
  store_be16(ip + 6, static_cast<uint16_t>(piece.offset / 8 | (piece.more ? 0x2000 : 0)));
  std::memset(ip + 10, 0, 2);
  const uint16_t sum = internet_checksum(ip, (ip[0] & 0x0f) * 4u);
  std::memcpy(ip + 10, &sum, 2);
}

/// Addresses that no host may have as its source: 0/8, loopback, multicast, class E and limited broadcast (RFC
/// 1122 3.2.1.3).
constexpr bool is_unicast_ipv4(uint32_t address) {
  const uint32_t first = address >> 24;
  return first != 0 && first != 127 && first < 224;
}

}  // namespace qstack
