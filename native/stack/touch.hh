// touch(): has the kernel give every page of some memory now, before a packet needs it.
//
// In: regions that are mapped. Out: all their pages are there, and hold what they held. What is first touched under load costs
// its packet a fault, and where memory is short it costs the process: at the start both are a matter of seconds. Several
// threads share the work, because one clears no more than a few GB a second.
#pragma once

#include <functional>
#include <span>

#include "native/mempool/mapping.hh"

namespace qstack {

/// Told in the calling thread, every two seconds while it goes on: bytes that are done.
using TouchProgress = std::function<void(uint64_t bytes)>;

/// Returns the bytes of all regions. Throws std::bad_alloc when the kernel has no page left. A small amount is touched by the
/// calling thread alone.
uint64_t touch(std::span<const MemoryRegion> regions, uint32_t threads, const TouchProgress& progress = {});

/// As many threads as this process has cores, within what a memory bus can use.
uint32_t touch_threads();

}  // namespace qstack
