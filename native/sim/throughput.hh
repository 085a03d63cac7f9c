// Throughput: how fast one connection fills a link at a given loss and round-trip time.
//
// In: loss, RTT, congestion control. Out: bytes per second that the receiving app got. The link carries kLinkBytes per
// second; its queue holds as much as is on its way (or 64 KB), and marks early where the sender understands marks.
#pragma once

#include <string>

#include "native/abi/counters.hh"
#include "native/sim/plan.hh"

namespace qstack::sim {

inline constexpr uint64_t kLinkBytes = 6'250'000;  ///< 50 Mbit/s
inline constexpr uint32_t kMeasuredMs = 30'000;

struct Cell {
  Congestion congestion = Congestion::cubic;
  uint32_t loss_ppm = 0;
  uint32_t rtt_us = 1'000;
  uint64_t seed = 1;
};

struct Measured {
  double bytes_per_second = 0;  ///< of payload, from the SYN on
  uint64_t segments = 0;
  Counters counters;   ///< of both ends
  std::string broken;  ///< a promise that was not kept
};

/// `trace`: every segment is written to stderr.
Measured measure_throughput(const Cell& cell, bool trace);

}  // namespace qstack::sim
