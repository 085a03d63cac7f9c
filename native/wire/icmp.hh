// ICMP (RFC 792) and ICMPv6 (RFC 4443): type, code, checksum, 32 bits, and data. Echo, and errors that quote the packet
// which they are about.
#pragma once

#include <cstring>

#include "native/wire/bytes.hh"
#include "native/wire/checksum.hh"

namespace qstack {

inline constexpr uint16_t kIcmpHeader = 8;
inline constexpr uint8_t kIcmpEchoReply = 0, kIcmpUnreachable = 3, kIcmpEchoRequest = 8, kIcmpTimeExceeded = 11,
                         kIcmpParameterProblem = 12;
inline constexpr uint8_t kIcmpv6Unreachable = 1, kIcmpv6PacketTooBig = 2, kIcmpv6TimeExceeded = 3,
                         kIcmpv6ParameterProblem = 4, kIcmpv6EchoRequest = 128, kIcmpv6EchoReply = 129;

/// Codes of kIcmpUnreachable: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1.
inline constexpr uint8_t kProtocolUnreachable = 2, kPortUnreachable = 3, kFragmentationNeeded = 4, kNetProhibited = 9,
                         kHostProhibited = 10, kFilterProhibited = 13;
/// Codes of kIcmpv6Unreachable (RFC 4443 3.1).
inline constexpr uint8_t kIcmpv6Prohibited = 1, kIcmpv6PortUnreachable = 4, kIcmpv6PolicyProhibited = 5, kIcmpv6RouteRejected = 6;
/// Codes of kIcmpv6ParameterProblem (RFC 4443 3.4).
inline constexpr uint8_t kErroneousHeader = 0, kUnknownNextHeader = 1, kUnknownOption = 2;
/// Of both families' time exceeded messages.
inline constexpr uint8_t kReassemblyTimeExceeded = 1;

/// Types below 128 are errors in ICMPv6 (RFC 4443 2.1); ICMP names them one by one.
constexpr bool is_icmp_error(uint8_t type) {
  return type == kIcmpUnreachable || type == kIcmpTimeExceeded || type == kIcmpParameterProblem;
}
constexpr bool is_icmpv6_error(uint8_t type) { return type < 128; }

/// `pseudo`: partial sum of ICMPv6's pseudo header.
inline void write_icmp_checksum(uint8_t* icmp, uint16_t length, uint64_t pseudo) {
  icmp[2] = icmp[3] = 0;
  const uint16_t checksum = internet_checksum(icmp, length, pseudo);
  std::memcpy(icmp + 2, &checksum, 2);
}

/// Makes the answer of an echo request of `length` bytes: data come back unchanged.
inline void turn_into_echo_reply(uint8_t* icmp, uint16_t length, uint8_t type, uint64_t pseudo) {
  icmp[0] = type;
  write_icmp_checksum(icmp, length, pseudo);
}

}  // namespace qstack
