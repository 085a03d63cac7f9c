// Histogram: how often which latency was seen. Fixed memory, three significant digits from 1 ns to 18 minutes.
//
// In: nanoseconds. Out: percentiles (the highest value of the cell, as HdrHistogram reports them), cells to export.
// One thread writes. Another one may read cells meanwhile, with at(): each count is one word, so what it sees of a cell is
// what was true of it at some moment of its look.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <vector>

#include "native/abi/log_cells.hh"

namespace qstack::mcc {

class Histogram {
 public:
  static constexpr uint32_t kBits = 40;
  static constexpr uint64_t kLargest = (uint64_t{1} << kBits) - 1;
  using Cells = LogCells<11, kBits>;
  static constexpr uint32_t kCells = Cells::kCells;

  Histogram() : cells_(kCells) {}

  void record(uint64_t value) {
    value = std::min(value, kLargest);
    const uint32_t cell = Cells::cell_of(value);
    set(cell, cells_[cell] + 1);
    ++count_;
    max_ = std::max(max_, value);
  }

  void merge(const Histogram& other) {
    for (uint32_t i = 0; i < kCells; ++i) set(i, cells_[i] + other.at(i));
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  void clear() {
    if (count_ == 0) return;
    for (uint32_t i = 0; i < kCells; ++i) set(i, 0);
    count_ = max_ = 0;
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  uint64_t at(uint32_t cell) const {
    return std::atomic_ref(const_cast<uint64_t&>(cells_[cell])).load(std::memory_order_relaxed);
  }

  /// The smallest recordable value that at least `quantile` (0 … 1) of the values do not exceed; 0 when empty.
  uint64_t quantile(double quantile) const {
    if (count_ == 0) return 0;
    auto rank = static_cast<uint64_t>(std::llround(quantile * static_cast<double>(count_)));
    rank = std::clamp<uint64_t>(rank, 1, count_);
    uint64_t seen = 0;
    uint32_t cell = 0;
    while ((seen += cells_[cell]) < rank) ++cell;
    return std::min(Cells::highest(cell), max_);
  }

 private:
  void set(uint32_t cell, uint64_t count) {
    std::atomic_ref(cells_[cell]).store(count, std::memory_order_relaxed);
  }

  std::vector<uint64_t> cells_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace qstack::mcc
