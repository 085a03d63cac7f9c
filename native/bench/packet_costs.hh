// packets: what each kind of packet costs a server, as work that an instruction counter can attribute.
//
// In: rounds. A server and a client over rings in memory, a clock of their own, 64 connections that move in step: so a turn of the
// server works on 64 packets of one kind. Out: how many packets of each kind its turns have had; each kind's turns are inside a
// function of their own, measured<kind>, whose inclusive cost callgrind tells (tools/profile). The copy between the rings is part.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace qstack::bench {

using PacketCounts = std::map<std::string, uint64_t>;

/// Throws std::runtime_error when a packet is not where it was expected: counts would mean something else then.
PacketCounts packet_costs(uint32_t rounds);

}  // namespace qstack::bench
