// FlowGroups: which stack has which flow group, the redirection table of RSS.
//
// In: a flow's hash. Out: the number of its stack. Invariant: a flow is in one group for life; a group changes its stack as a
// whole, between two bursts, by the thread that steers, which alone writes here. Any thread may read.
#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <cstdint>

namespace qstack {

class FlowGroups {
 public:
  /// As many as most devices have at least.
  static constexpr uint32_t kGroups = 128;
  static constexpr uint32_t kStacksMax = 64;

  /// Groups are dealt out to stacks 0 … `stacks` - 1 in turn.
  explicit FlowGroups(uint32_t stacks) : stacks_(stacks) {
    assert(stacks > 0 && stacks <= kStacksMax);
    for (uint32_t group = 0; group < kGroups; ++group) assign(group, group % stacks);
  }

  static constexpr uint32_t group_of(uint32_t hash) { return hash % kGroups; }
  uint32_t stack_of(uint32_t hash) const { return table_[group_of(hash)].load(std::memory_order_relaxed); }

  /// What comes from now on is the other stack's; what its old one has not taken yet is still the old one's.
  void assign(uint32_t group, uint32_t stack) {
    assert(group < kGroups && stack < stacks_);
    table_[group].store(static_cast<uint8_t>(stack), std::memory_order_relaxed);
  }

  uint32_t stacks() const { return stacks_; }

 private:
  alignas(64) std::array<std::atomic<uint8_t>, kGroups> table_;
  uint32_t stacks_;
};

}  // namespace qstack
