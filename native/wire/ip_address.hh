// IpAddress: an IPv6 address, or an IPv4 one in its mapped form ::ffff:a.b.c.d (RFC 4291 2.5.5.2). Host order.
//
// `::`, which an IPv4 of 0 becomes as well, means that there is no address. Mapped addresses never come from the wire:
// the IP layer refuses them there, so the two families cannot be taken for each other.
#pragma once

#include <cstdint>

#include "native/wire/bytes.hh"

namespace qstack {

struct IpAddress {
  uint64_t high = 0;
  uint64_t low = 0;

  static constexpr uint64_t kMapped = 0x0000'ffff'0000'0000;

  constexpr IpAddress() = default;
  constexpr IpAddress(uint32_t ipv4) : low(ipv4 == 0 ? 0 : kMapped | ipv4) {}
  constexpr IpAddress(uint64_t first, uint64_t last) : high(first), low(last) {}

  constexpr bool unspecified() const { return high == 0 && low == 0; }
  constexpr bool is_ipv4() const { return high == 0 && (low >> 32) == (kMapped >> 32); }
  /// Of an IPv4 address; 0 of `::`.
  constexpr uint32_t ipv4() const { return static_cast<uint32_t>(low); }
  constexpr bool multicast() const { return (high >> 56) == 0xff; }
  constexpr bool link_local() const { return (high >> 54) == 0xfe80 >> 6; }

  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;
};
static_assert(sizeof(IpAddress) == 16);

/// How far `address` lies behind `first` in a range of at most 2^32 addresses; 2^32 - 1 when it is not in any.
constexpr uint32_t distance(const IpAddress& first, const IpAddress& address) {
  const uint64_t low = address.low - first.low;
  return first.high == address.high && low < 0xffffffff ? static_cast<uint32_t>(low) : 0xffffffff;
}

/// The address `step` behind `first`, in the same /64.
constexpr IpAddress following(const IpAddress& first, uint32_t step) { return {first.high, first.low + step}; }

/// Both lie in the same prefix of `length` bits, 0 to 128.
constexpr bool same_prefix(const IpAddress& a, const IpAddress& b, uint8_t length) {
  const uint64_t high = length == 0 ? 0 : length >= 64 ? ~uint64_t{0} : ~uint64_t{0} << (64 - length);
  const uint64_t low = length <= 64 ? 0 : ~uint64_t{0} << (128 - length);
  return ((a.high ^ b.high) & high) == 0 && ((a.low ^ b.low) & low) == 0;
}

inline IpAddress load_ipv6(const uint8_t* at) {
  return {(uint64_t{load_be32(at)} << 32) | load_be32(at + 4), (uint64_t{load_be32(at + 8)} << 32) | load_be32(at + 12)};
}

inline void store_ipv6(uint8_t* at, const IpAddress& address) {
  store_be32(at, static_cast<uint32_t>(address.high >> 32));
  store_be32(at + 4, static_cast<uint32_t>(address.high));
  store_be32(at + 8, static_cast<uint32_t>(address.low >> 32));
  store_be32(at + 12, static_cast<uint32_t>(address.low));
}

}  // namespace qstack
