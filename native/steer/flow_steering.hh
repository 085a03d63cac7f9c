// FlowSteering: whose flow it is, where several stacks share a device: its hash names a group, and the group has a stack.
//
// In: a flow's four numbers. Out: the number of the stack that its received frames come to, by a device's own RSS or by a
// SteeringPort. Invariant: one object for all stacks of a device; the key comes from their common secret.
#pragma once

#include "native/steer/flow_groups.hh"
#include "native/steer/flow_hash.hh"

namespace qstack {

struct FlowSteering {
  /// For stacks 0 … `stacks` - 1, each with as many groups, give or take one; which they are follows from the secret.
  FlowSteering(const std::array<uint64_t, 4>& secret, uint32_t stacks);

  /// Of frames from `remote` to `local`, addresses of one family.
  uint32_t stack_of(const IpAddress& remote, uint16_t remote_port, const IpAddress& local, uint16_t local_port) const {
    return groups.stack_of(hash.flow(remote, remote_port, local, local_port));
  }

  RssKey key;
  FlowHash hash;
  FlowGroups groups;
};

}  // namespace qstack
