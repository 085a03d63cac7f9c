// PolicyConfig: the policy of a stack, the same for each of its queues; stack/policy.ts resolves it.
#pragma once

#include <array>
#include <cstdint>

#include "native/mempool/packet.hh"

namespace qstack {

enum class PolicyKind : uint8_t { strict, weighted, deadline };

struct PolicyConfig {
  /// One more than levels have names: SYNs are a lane of their own at the receive side.
  static constexpr uint32_t kLanesMax = kLevelsMax + 1;

  PolicyKind kind = PolicyKind::strict;
  /// `strict`: the oldest waiting lower level gets a quantum at least every so many stamps; 0: it may wait for ever.
  Stamp bound = to_stamp(20'000'000);
  /// `weighted`: shares of the work.
  std::array<double, kLanesMax> weights{};
  /// `deadline`: stamps after its arrival within which what belongs to a level is to be served.
  std::array<Stamp, kLanesMax> budgets{};
};

}  // namespace qstack
