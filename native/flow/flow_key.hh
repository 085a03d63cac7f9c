// FlowKey: the addresses and ports that name a connection (host order), and its keyed hash.
#pragma once

#include <array>
#include <cstdint>

namespace qstack {

struct FlowKey {
  uint32_t remote_address = 0;
  uint32_t local_address = 0;
  uint16_t remote_port = 0;
  uint16_t local_port = 0;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};
static_assert(sizeof(FlowKey) == 12);

/// Folded 64 × 64 → 128 bit product: the mixing step of the multiply-based hash family.
inline uint64_t mix_product(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// Keyed hash of a flow. The secret is new at each start, so a peer cannot choose ports that share a bucket.
inline uint64_t hash_flow(const FlowKey& key, const std::array<uint64_t, 4>& secret) {
  const uint64_t addresses = (uint64_t{key.remote_address} << 32) | key.local_address;
  const uint64_t ports = (uint64_t{key.remote_port} << 16) | key.local_port;
  const uint64_t first = mix_product(addresses ^ secret[0], ports ^ secret[1]);
  return mix_product(first ^ secret[2], addresses + (ports << 32) + secret[3]);
}

}  // namespace qstack
