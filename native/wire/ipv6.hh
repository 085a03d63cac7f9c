// IPv6 headers (RFC 8200 3, 4): the fixed one, the chain of extension headers behind it, and how ours are written.
//
// In: bytes from the wire, any bytes. Out: values in host order; parsing reads inside the given length only. Ours have
// no extension headers (but a fragment header on long echo replies), no traffic class but ECN, and flow label 0.
#pragma once

#include <initializer_list>

#include "native/wire/bytes.hh"
#include "native/wire/checksum.hh"
#include "native/wire/ip_address.hh"
#include "native/wire/ipv4.hh"

namespace qstack {

inline constexpr uint16_t kIpv6Header = 40;
inline constexpr uint16_t kIpv6FragmentHeader = 8;
/// RFC 8200 5: every link carries packets of this size.
inline constexpr uint16_t kIpv6MtuMin = 1280;

inline constexpr uint8_t kProtocolHopByHop = 0, kProtocolRouting = 43, kProtocolFragment = 44, kProtocolIcmpv6 = 58,
                         kProtocolNone = 59, kProtocolDestination = 60;

struct Ipv6Header {
  IpAddress source;
  IpAddress destination;
  uint16_t total_length;  ///< bytes from the fixed header to the end of the packet
  uint8_t next_header;
  uint8_t hop_limit;
};

/// False: too short, another version, or a payload that does not fit (a jumbogram of RFC 2675 neither).
bool parse_ipv6(const uint8_t* at, uint16_t length, Ipv6Header& out);

enum class Ipv6Fault : uint8_t {
  none,
  malformed,   ///< a header that does not fit, or too many of them
  discard,     ///< an unknown option that says: drop, in silence
  bad_header,  ///< parameter problem code 0: `pointer` names the octet
  unknown_next_header,  ///< parameter problem code 1
  unknown_option,       ///< parameter problem code 2
  unknown_option_unicast,  ///< the same, but not in answer to multicast
};

/// What stands behind the fixed header.
struct Ipv6Chain {
  uint8_t protocol = 0;          ///< of what begins at `l4`
  uint16_t l4 = 0;               ///< from the fixed header on; of a fragment: where its piece begins
  uint16_t fragment_header = 0;  ///< 0: no fragment
  uint16_t before_fragment = 0;  ///< where the number of that header was read
  uint16_t next_header_at = 0;   ///< where the number `protocol` was read
  uint16_t pointer = 0;          ///< the octet at fault
  Ipv6Fault fault = Ipv6Fault::none;
};

/// Where a fragment belongs (RFC 8200 4.5); of the fragment header at `at`.
struct Ipv6Piece {
  uint32_t identification;
  uint16_t offset;  ///< bytes
  bool more;
};

inline Ipv6Piece piece_of_ipv6(const uint8_t* at) {
  const uint16_t field = load_be16(at + 2);
  return {load_be32(at + 4), static_cast<uint16_t>(field & 0xfff8), (field & 1) != 0};
}

inline void write_ipv6_piece(uint8_t* at, uint8_t next_header, const Ipv6Piece& piece) {
  at[0] = next_header;
  at[1] = 0;
  store_be16(at + 2, static_cast<uint16_t>(piece.offset | (piece.more ? 1 : 0)));
  store_be32(at + 4, piece.identification);
}

/// Walks at most 8 extension headers of a packet of `length` bytes, up to a fragment header or an upper layer.
Ipv6Chain walk_ipv6(const uint8_t* at, uint16_t length, uint8_t next_header);

inline void write_ipv6(uint8_t* at, const IpAddress& source, const IpAddress& destination, uint8_t next_header,
                       uint16_t payload_length, uint8_t hop_limit = kTtl, uint8_t traffic_class = kEcnNotCapable) {
  store_be32(at, 0x6000'0000u | uint32_t{traffic_class} << 20);
  store_be16(at + 4, payload_length);
  at[6] = next_header;
  at[7] = hop_limit;
  store_ipv6(at + 8, source);
  store_ipv6(at + 24, destination);
}

/// Partial sum of the IPv6 pseudo header (RFC 8200 8.1).
inline uint64_t checksum_pseudo(const IpAddress& source, const IpAddress& destination, uint8_t protocol, uint16_t length) {
  uint64_t sum = (uint32_t{protocol} << 8) + __builtin_bswap16(length);
  for (const uint64_t word : {source.high, source.low, destination.high, destination.low}) {
    sum += __builtin_bswap32(static_cast<uint32_t>(word >> 32));
    sum += __builtin_bswap32(static_cast<uint32_t>(word));
  }
  return sum;
}

/// Addresses that one station may have and send from: no group, not `::`, not loopback, not a mapped IPv4 one.
constexpr bool is_unicast_ipv6(const IpAddress& address) {
  return !address.multicast() && !(address.high == 0 && address.low <= 1) && !address.is_ipv4();
}

}  // namespace qstack
