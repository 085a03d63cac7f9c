// The smallest costs, in nanoseconds for one: a record through a ring between two threads, a frame through a classifier,
// a frame to another stack.
//
// In: how many. Out: nanoseconds for one, by name.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace qstack::bench {

using Costs = std::map<std::string, double>;

/// Event records of 64 bytes from one thread to another, published in batches of 64 and one by one.
Costs ring_costs(uint32_t events);

/// Frames of 266 bytes judged by one rule, two, 64 and a pcap filter, each beside the same written as a C++ function.
Costs classify_costs(uint32_t frames);

/// Frames of 254 bytes for another stack: whose they are; there and home with one thread at both ends, and with two.
Costs steer_costs(uint32_t frames);

/// Naps of 500 us: the share of a core that a thread takes which does nothing else.
Costs nap_costs(uint32_t naps);

/// `read_ns`: of a dependent read in that much memory.
Costs memory_costs(uint32_t mebibytes);

}  // namespace qstack::bench
