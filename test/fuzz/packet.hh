// What the packet target has seen so far, over all its inputs: that it gets beyond the handshake is a promise of its own.
#pragma once

#include <bitset>

#include "native/abi/counters.hh"

namespace qstack::fuzz {

struct PacketReach {
  std::bitset<16> states;  ///< of TcpState
  bool half_open = false, time_wait = false, active_open = false, persisting = false;
  bool fast_recovery = false, timeout_recovery = false, timestamps = false, sack = false, scaled = false;
  Counters counters;  ///< sums
};

const PacketReach& packet_reach();

}  // namespace qstack::fuzz
