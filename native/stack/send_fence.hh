// SendFence: keeps a control record (close, drain request, …) of an app behind the sends that were published before it.
//
//   ring 0   ··|s s s s|s s          of what was seen together, every send left of its | goes
//   ring 1   ····|s s|s              before the control records left of the lowest ring's |
//   lowest   ··|c s s c|s c
//
// In: how many records each ring has, tails having been loaded from the lowest level to the highest, and what was taken.
// Out: whether a control record at the head of the lowest ring may go. Invariant: whatever was published before a record
// that we see is seen as well, so it is enough to wait for what was there when the fence was put up. One fence serves all
// control records that are seen with it: a level that never rests delays them by its backlog, not by its backlog each.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack {

class SendFence {
 public:
  /// `n` records of a higher ring were taken.
  void took_higher(uint32_t level, uint32_t n) { ahead_[level] -= std::min(ahead_[level], n); }
  /// One record of the lowest ring was taken.
  void took_lowest() { behind_ -= std::min(behind_, 1u); }

  /// The record at the head of the lowest ring may go, whatever it is. `sizes(level)`: records of a ring.
  template <typename Sizes>
  bool open(uint32_t lowest, const Sizes& sizes) {
    if (behind_ == 0) {
      behind_ = sizes(lowest);
      for (uint32_t level = 0; level < lowest; ++level) ahead_[level] = sizes(level);
    }
    return std::all_of(ahead_.begin(), ahead_.begin() + lowest, [](uint32_t left) { return left == 0; });
  }

 private:
  std::array<uint32_t, kLevelsMax> ahead_{};  ///< by higher ring: records that go first
  uint32_t behind_ = 0;                       ///< records of the lowest ring that the fence is for
};

}  // namespace qstack
