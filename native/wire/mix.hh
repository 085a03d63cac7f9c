// mix_product: the step that keyed hashes of addresses are made of.
#pragma once

#include <cstdint>

namespace qstack {

/// Folded 64 × 64 → 128 bit product: the mixing step of the multiply-based hash family.
inline uint64_t mix_product(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace qstack
