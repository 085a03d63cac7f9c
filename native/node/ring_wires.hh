// Ring wires by name: the pairs of stacks inside this process.
//
// In: the name of a pair and a side. Out: the wire, shared by both ends. Invariant: a side is taken once; when both
// ends have given it up, the name is free again. An end may still look at packets of the other: what belongs to an end
// is therefore kept until both are down.
#pragma once

#include <memory>
#include <string>

#include "native/port/ring_port.hh"

namespace qstack::node {

/// Throws CodedError EADDRINUSE when that side is taken.
std::shared_ptr<RingWire> take_ring_end(const std::string& name, uint32_t side);
/// The end is stopped for good. `remains` is kept until the other end is stopped as well, or was never there.
void leave_ring_end(const std::string& name, uint32_t side, std::shared_ptr<void> remains);

}  // namespace qstack::node
