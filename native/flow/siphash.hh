// SipHash-2-4 of two 64-bit words: the keyed function behind what peers see and must not be able to predict (initial
// sequence numbers, timestamp offsets, SYN cookies). Read first: Aumasson and Bernstein, "SipHash: a fast short-input
// PRF". The flow table's hash is cheaper, but nothing of it ever leaves this machine.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>

namespace qstack {

/// The message is the 16 bytes of `first` and `second`, each in little-endian order.
constexpr uint64_t siphash(uint64_t key0, uint64_t key1, uint64_t first, uint64_t second) {
  uint64_t v0 = key0 ^ 0x736f6d6570736575, v1 = key1 ^ 0x646f72616e646f6d;
  uint64_t v2 = key0 ^ 0x6c7967656e657261, v3 = key1 ^ 0x7465646279746573;
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  };
  for (const uint64_t word : {first, second, uint64_t{16} << 56}) {  // the last word is the length
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  v2 ^= 0xff;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace qstack
