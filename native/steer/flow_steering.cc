#include "native/steer/flow_steering.hh"

#include <utility>

#include "native/flow/siphash.hh"

namespace qstack {

namespace {

/// Keeps the secret apart from other uses of the same words.
constexpr uint64_t kSteeringPurpose = 0x6465616c;

}  // namespace

/// Fisher and Yates. The hash is linear: with groups in turn the second of two stacks would be one bit of it, which for some keys is
/// the same for all ports of a client that follow each other.
FlowSteering::FlowSteering(const std::array<uint64_t, 4>& secret, uint32_t stacks)
    : key(rss_key(secret)), hash(key), groups(stacks) {
  std::array<uint32_t, FlowGroups::kGroups> order;
  for (uint32_t group = 0; group < order.size(); ++group) order[group] = group;
  for (uint32_t last = FlowGroups::kGroups - 1; last > 0; --last) {
    const uint64_t draw = siphash(secret[0] ^ secret[1], secret[2] ^ secret[3], kSteeringPurpose, last);
    std::swap(order[last], order[draw % (last + 1)]);
  }
  for (uint32_t i = 0; i < order.size(); ++i) groups.assign(order[i], i % stacks);
}

}  // namespace qstack
