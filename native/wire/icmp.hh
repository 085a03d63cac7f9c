// ICMP echo (RFC 792, RFC 4443 4): type, code, checksum, identifier, sequence number, and data that comes back
// unchanged.
#pragma once

#include <cstring>

#include "native/wire/bytes.hh"
#include "native/wire/checksum.hh"

namespace qstack {

inline constexpr uint16_t kIcmpHeader = 8;
inline constexpr uint8_t kIcmpEchoReply = 0, kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpv6EchoRequest = 128, kIcmpv6EchoReply = 129;

/// Writes the answer to a request of `length` bytes; the two do not overlap. `pseudo`: partial sum of ICMPv6's pseudo
/// header.
inline void write_echo_reply(uint8_t* at, const uint8_t* request, uint16_t length, uint8_t type, uint64_t pseudo) {
  std::memcpy(at, request, length);
  at[0] = type;
  at[2] = at[3] = 0;
  const uint16_t checksum = internet_checksum(at, length, pseudo);
  std::memcpy(at + 2, &checksum, 2);
}

}  // namespace qstack
