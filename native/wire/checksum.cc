#include "native/wire/checksum.hh"

namespace qstack {

namespace {

/// Both 32-bit halves of each word, in lanes of 64 bits that cannot overflow.
[[gnu::always_inline]] inline uint64_t sum_blocks(const uint8_t* bytes, size_t length) {
  using Lanes = uint64_t __attribute__((vector_size(32)));
  constexpr uint64_t kHalf = 0xffffffffu;
  constexpr Lanes kHalves = {kHalf, kHalf, kHalf, kHalf};
  Lanes low{}, high{};
  for (; length >= 64; bytes += 64, length -= 64) {
    Lanes first, second;
    std::memcpy(&first, bytes, 32);
    std::memcpy(&second, bytes + 32, 32);
    low += (first & kHalves) + (second & kHalves);
    high += (first >> 32) + (second >> 32);
  }
  const Lanes sum = low + high;
  return sum[0] + sum[1] + sum[2] + sum[3];
}

uint64_t sum_plain(const uint8_t* bytes, size_t length) { return sum_blocks(bytes, length); }

#ifdef __x86_64__
[[gnu::target("avx2")]] uint64_t sum_avx2(const uint8_t* bytes, size_t length) { return sum_blocks(bytes, length); }

const auto sum_best = __builtin_cpu_supports("avx2") ? sum_avx2 : sum_plain;
#else
const auto sum_best = sum_plain;
#endif

}  // namespace

uint64_t checksum_blocks(const uint8_t* bytes, size_t length) { return sum_best(bytes, length); }

}  // namespace qstack
