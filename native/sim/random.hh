// Random: seeded choices of the simulation. The same seed and purpose give the same numbers on every machine.
//
// Every part of a plan draws from a stream of its own, so that leaving one part out changes nothing in the others.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace qstack::sim {

/// Finaliser of splitmix64: every input bit changes about half of the output bits.
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed, uint64_t purpose = 0, uint64_t index = 0)
      : state_(mix(mix(seed ^ mix(purpose)) + index)) {}

  uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15ull); }
  /// 0 … bound - 1.
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>((next() >> 32) * bound >> 32); }
  uint32_t between(uint32_t least, uint32_t most) { return least + below(most - least + 1); }
  /// Every order of magnitude is as likely as another; least > 0.
  uint32_t magnitude(uint32_t least, uint32_t most) {
    const uint32_t low = std::bit_width(least) - 1, high = std::bit_width(most) - 1;
    const uint32_t bits = between(low, high);
    return std::clamp((1u << bits) | (static_cast<uint32_t>(next()) & ((1u << bits) - 1)), least, most);
  }
  /// True `ppm` times in a million.
  bool chance(uint32_t ppm) { return ppm != 0 && below(1'000'000) < ppm; }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<uint32_t>(values.size()))];
  }

 private:
  uint64_t state_;
};

}  // namespace qstack::sim
