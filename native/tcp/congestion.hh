// Congestion control: the window, behind one small table of functions so that an algorithm is one file.
//
// In: what was acknowledged or lost. Out: cwnd and ssthresh, in bytes. The sender owns the state and asks nothing else.
// Read first: RFC 5681, RFC 6582, RFC 6928.
#pragma once

#include <cstdint>

namespace qstack {

struct CongestionState {
  uint32_t cwnd;
  uint32_t ssthresh;
  uint32_t acked_in_round;  ///< bytes acknowledged since cwnd last grew (congestion avoidance)
  uint32_t own[5];          ///< for the algorithm
};
static_assert(sizeof(CongestionState) == 32);

struct CongestionControl {
  const char* name;
  void (*start)(CongestionState& state, uint32_t mss, uint32_t ssthresh);
  /// New data acknowledged outside recovery, or in recovery after a timeout.
  void (*acked)(CongestionState& state, uint32_t mss, uint32_t bytes, uint32_t now_us);
  /// Loss found by duplicate ACKs or SACK: sets ssthresh and cwnd for recovery.
  void (*lost)(CongestionState& state, uint32_t mss, uint32_t in_flight, uint32_t now_us);
  /// The retransmission timer fired.
  void (*timed_out)(CongestionState& state, uint32_t mss, uint32_t in_flight, uint32_t now_us);
};

extern const CongestionControl kNewReno;

/// IW of RFC 6928: min(10 MSS, max(2 MSS, 14600)).
constexpr uint32_t initial_window(uint32_t mss) {
  const uint32_t floor = 2 * mss > 14600 ? 2 * mss : 14600;
  return 10 * mss < floor ? 10 * mss : floor;
}

}  // namespace qstack
