// Histogram: how often which latency was seen. Fixed memory, three significant digits from 1 ns to 18 minutes.
//
//   values 0 … 2047 have a cell each; above, each doubling has 1,024 cells, so a cell is at most 1/1,024 of its value.
//
// In: nanoseconds. Out: percentiles (the highest value of the cell, as HdrHistogram reports them), cells to export.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace qstack::mcc {

class Histogram {
 public:
  static constexpr uint32_t kExact = 2048;
  static constexpr uint32_t kPerDoubling = kExact / 2;
  static constexpr uint32_t kBits = 40;
  static constexpr uint64_t kLargest = (uint64_t{1} << kBits) - 1;
  static constexpr uint32_t kCells = kExact + (kBits - 11) * kPerDoubling;

  Histogram() : cells_(kCells) {}

  void record(uint64_t value) {
    value = std::min(value, kLargest);
    ++cells_[cell_of(value)];
    ++count_;
    max_ = std::max(max_, value);
  }

  void merge(const Histogram& other) {
    for (uint32_t i = 0; i < kCells; ++i) cells_[i] += other.cells_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  void clear() {
    if (count_ == 0) return;
    std::fill(cells_.begin(), cells_.end(), 0);
    count_ = max_ = 0;
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  uint64_t at(uint32_t cell) const { return cells_[cell]; }

  /// The smallest recordable value that at least `quantile` (0 … 1) of the values do not exceed; 0 when empty.
  uint64_t quantile(double quantile) const {
    if (count_ == 0) return 0;
    auto rank = static_cast<uint64_t>(std::llround(quantile * static_cast<double>(count_)));
    rank = std::clamp<uint64_t>(rank, 1, count_);
    uint64_t seen = 0;
    uint32_t cell = 0;
    while ((seen += cells_[cell]) < rank) ++cell;
    return std::min(highest(cell), max_);
  }

  static uint32_t cell_of(uint64_t value) {
    if (value < kExact) return static_cast<uint32_t>(value);
    uint32_t shift = static_cast<uint32_t>(std::bit_width(value)) - 11;
    return kExact + (shift - 1) * kPerDoubling + static_cast<uint32_t>(value >> shift) - kPerDoubling;
  }

  /// The largest value that falls into the cell.
  static uint64_t highest(uint32_t cell) {
    if (cell < kExact) return cell;
    uint32_t shift = (cell - kExact) / kPerDoubling + 1;
    uint64_t top = kPerDoubling + (cell - kExact) % kPerDoubling;
    return ((top + 1) << shift) - 1;
  }

 private:
  std::vector<uint64_t> cells_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace qstack::mcc
