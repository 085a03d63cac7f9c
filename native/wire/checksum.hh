// The Internet checksum (RFC 1071): sums of 16-bit words in wire order, folded, complemented.
//
// checksum_add returns an unfolded partial sum, so that a pseudo header and a segment can be summed apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace qstack {

/// Sum of a multiple of 64 bytes, by the widest lanes that this processor has (checksum.cc).
uint64_t checksum_blocks(const uint8_t* bytes, size_t length);

/// Adds `length` bytes to a partial sum. An odd last byte counts as the high half of a word.
inline uint64_t checksum_add(uint64_t sum, const uint8_t* bytes, size_t length) {
  uint64_t carry_sum = sum;
  if (length >= 64) {
    const size_t blocks = length & ~size_t{63};
    carry_sum += checksum_blocks(bytes, blocks);
    bytes += blocks;
    length -= blocks;
  }
  while (length >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    carry_sum += word & 0xffffffffu;
    carry_sum += word >> 32;
    bytes += 8;
    length -= 8;
  }
  if (length > 0) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, length);
    carry_sum += word & 0xffffffffu;
    carry_sum += word >> 32;
  }
  return carry_sum;
}

/// Folds a partial sum to the checksum field, in memory order (store it with memcpy, not as a big-endian number).
inline uint16_t checksum_fold(uint64_t sum) {
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffu) + (sum >> 16);
  sum = (sum & 0xffffu) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

/// Checksum of one run of bytes, in memory order. Over bytes that contain their own checksum it is 0 when they are intact.
inline uint16_t internet_checksum(const uint8_t* bytes, size_t length, uint64_t initial = 0) {
  return checksum_fold(checksum_add(initial, bytes, length));
}

/// Partial sum of the IPv4 pseudo header (RFC 9293 3.1). Addresses in host order.
inline uint64_t checksum_pseudo(uint32_t source, uint32_t destination, uint8_t protocol, uint16_t length) {
  return uint64_t{__builtin_bswap32(source)} + __builtin_bswap32(destination) +
         (uint32_t{protocol} << 8) + __builtin_bswap16(length);
}

}  // namespace qstack
