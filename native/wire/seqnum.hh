// Sequence numbers: all arithmetic modulo 2^32 in one place (RFC 9293 3.4).
#pragma once

#include <cstdint>

namespace qstack {

using Seq = uint32_t;

constexpr bool seq_lt(Seq a, Seq b) { return static_cast<int32_t>(a - b) < 0; }
constexpr bool seq_le(Seq a, Seq b) { return static_cast<int32_t>(a - b) <= 0; }
constexpr bool seq_gt(Seq a, Seq b) { return seq_lt(b, a); }
constexpr bool seq_ge(Seq a, Seq b) { return seq_le(b, a); }
constexpr Seq seq_max(Seq a, Seq b) { return seq_lt(a, b) ? b : a; }
/// first <= x < first + size
constexpr bool seq_within(Seq x, Seq first, uint32_t size) { return x - first < size; }

}  // namespace qstack
