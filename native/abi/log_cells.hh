// LogCells: which cell of a histogram a value falls into, with relative precision.
//
//   values below 2^ExactBits have a cell each; above, each doubling has half as many, so a cell is at most
//   2^(1 - ExactBits) of its value.
#pragma once

#include <bit>
#include <cstdint>

namespace qstack {

/// For values of up to `Bits` bits.
template <uint32_t ExactBits, uint32_t Bits>
struct LogCells {
  static constexpr uint32_t kExact = 1u << ExactBits;
  static constexpr uint32_t kPerDoubling = kExact / 2;
  static constexpr uint32_t kCells = kExact + (Bits - ExactBits) * kPerDoubling;

  static uint32_t cell_of(uint64_t value) {
    if (value < kExact) return static_cast<uint32_t>(value);
    const uint32_t shift = static_cast<uint32_t>(std::bit_width(value)) - ExactBits;
    return kExact + (shift - 1) * kPerDoubling + static_cast<uint32_t>(value >> shift) - kPerDoubling;
  }

  /// The largest value that falls into the cell.
  static uint64_t highest(uint32_t cell) {
    if (cell < kExact) return cell;
    const uint32_t shift = (cell - kExact) / kPerDoubling + 1;
    const uint64_t top = kPerDoubling + (cell - kExact) % kPerDoubling;
    return ((top + 1) << shift) - 1;
  }
};

}  // namespace qstack
