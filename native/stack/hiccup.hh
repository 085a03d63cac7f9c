// HiccupProbe: how long a polling loop is away when it has nothing to do.
//
// In: the time of each turn, and whether it was idle. Out: per window of 1 ms the largest gap between two idle turns
// that followed each other, in a logarithmic histogram of 4 buckets per octave. Invariant: a gap longer than a window
// counts for every window that it covers, so a machine that stops for 8 ms is not one sample among thousands. Used by
// one thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack {

class HiccupProbe {
 public:
  struct Summary {
    uint64_t windows = 0;
    Nanos p50 = 0, p99 = 0, p999 = 0, max = 0;
  };

  void idle(Nanos now) {
    if (last_idle_ != 0) note(now - last_idle_, now);
    last_idle_ = now;
  }
  /// The loop worked, or slept on purpose: the next gap says nothing.
  void interrupt() { last_idle_ = 0; }

  Summary summary() const {
    return {.windows = windows_, .p50 = quantile(0.5), .p99 = quantile(0.99), .p999 = quantile(0.999), .max = max_};
  }
  void reset() { *this = HiccupProbe{}; }

 private:
  static constexpr Nanos kWindow = 1'000'000;
  static constexpr uint32_t kPerOctave = 4;
  static constexpr uint32_t kBuckets = 64 * kPerOctave;

  void note(Nanos gap, Nanos now) {
    largest_ = std::max(largest_, gap);
    if (now < window_end_) return;
    close_window(std::max<uint64_t>(1, largest_ / kWindow));
    window_end_ = now + kWindow;
  }
  void close_window(uint64_t times) {
    counts_[bucket_of(largest_)] += times;
    windows_ += times;
    max_ = std::max(max_, largest_);
    largest_ = 0;
  }
  static uint32_t bucket_of(Nanos gap) {
    const uint32_t octave = static_cast<uint32_t>(std::bit_width(gap | 4)) - 1;
    return octave * kPerOctave + static_cast<uint32_t>((gap | 4) >> (octave - 2) & 3);
  }
  /// Upper end of a bucket.
  static Nanos upper(uint32_t bucket) {
    const uint32_t octave = bucket / kPerOctave;
    return (Nanos{1} << octave) + (Nanos{bucket % kPerOctave} + 1) * (Nanos{1} << octave >> 2) - 1;
  }
  Nanos quantile(double q) const {
    uint64_t below = 0;
    const uint64_t rank = static_cast<uint64_t>(q * static_cast<double>(windows_));
    for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
      below += counts_[bucket];
      if (below > rank) return std::min(upper(bucket), max_);
    }
    return max_;
  }

  Nanos last_idle_ = 0;
  Nanos window_end_ = 0;
  Nanos largest_ = 0;
  Nanos max_ = 0;
  uint64_t windows_ = 0;
  std::array<uint64_t, kBuckets> counts_{};
};

}  // namespace qstack
