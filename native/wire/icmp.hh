// ICMP echo (RFC 792): type, code, checksum, identifier, sequence number, and data that comes back unchanged.
#pragma once

#include <cstring>

#include "native/wire/bytes.hh"
#include "native/wire/checksum.hh"

namespace qstack {

inline constexpr uint16_t kIcmpHeader = 8;
inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpEchoRequest = 8;

/// An intact echo request of `length` bytes, header included.
inline bool is_echo_request(const uint8_t* at, uint16_t length) {
  return length >= kIcmpHeader && at[0] == kIcmpEchoRequest && at[1] == 0 && internet_checksum(at, length) == 0;
}

/// Writes the answer to a request of `length` bytes; the two do not overlap.
inline void write_echo_reply(uint8_t* at, const uint8_t* request, uint16_t length) {
  std::memcpy(at, request, length);
  at[0] = kIcmpEchoReply;
  at[2] = at[3] = 0;
  const uint16_t checksum = internet_checksum(at, length);
  std::memcpy(at + 2, &checksum, 2);
}

}  // namespace qstack
