// FlowKey: the addresses and ports that name a connection (host order), and its keyed hash. flow_keys.hh has IPv6.
#pragma once

#include <array>
#include <cstdint>

#include "native/wire/mix.hh"

namespace qstack {

/// In a remote address: the rest is the number of a pair of IPv6 addresses.
inline constexpr uint32_t kIpv6Flow = 0xf0000000;

struct FlowKey {
  uint32_t remote_address = 0;
  uint32_t local_address = 0;
  uint16_t remote_port = 0;
  uint16_t local_port = 0;
  bool ipv6() const { return remote_address >= kIpv6Flow; }
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};
static_assert(sizeof(FlowKey) == 12);

/// Keyed hash of an IPv4 flow. The secret is new at each start, so a peer cannot choose ports that share a bucket.
inline uint64_t hash_flow(const FlowKey& key, const std::array<uint64_t, 4>& secret) {
  const uint64_t addresses = (uint64_t{key.remote_address} << 32) | key.local_address;
  const uint64_t ports = (uint64_t{key.remote_port} << 16) | key.local_port;
  const uint64_t first = mix_product(addresses ^ secret[0], ports ^ secret[1]);
  return mix_product(first ^ secret[2], addresses + (ports << 32) + secret[3]);
}

}  // namespace qstack
