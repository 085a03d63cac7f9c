// Seeded choices: the same seed gives the same connections, levels and order on every machine.
#pragma once

#include <cstdint>

namespace qstack::mcc {

/// Finaliser of splitmix64: every input bit changes about half of the output bits.
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

constexpr uint64_t mix(uint64_t seed, uint64_t a, uint64_t b = 0) { return mix(mix(seed ^ mix(a)) + b); }

}  // namespace qstack::mcc
