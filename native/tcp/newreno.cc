// NewReno (RFC 5681, RFC 6582): slow start, congestion avoidance by appropriate byte counting (RFC 3465, L = 2 MSS),
// half the flight on loss, one MSS after a timeout.
#include <algorithm>

#include "native/tcp/congestion.hh"

namespace qstack {
namespace {

void start(CongestionState& state, uint32_t mss, uint32_t ssthresh) {
  state = {};
  state.cwnd = initial_window(mss);
  state.ssthresh = ssthresh;
}

void acked(CongestionState& state, uint32_t mss, uint32_t bytes, uint32_t) {
  if (state.cwnd < state.ssthresh) {
    state.cwnd += std::min(bytes, 2 * mss);
    return;
  }
  state.acked_in_round += bytes;
  if (state.acked_in_round >= state.cwnd) {
    state.acked_in_round -= state.cwnd;
    state.cwnd += mss;
  }
}

/// RFC 5681 equation 4: ssthresh = max(FlightSize / 2, 2 SMSS).
void halve(CongestionState& state, uint32_t mss, uint32_t in_flight) {
  state.ssthresh = std::max(in_flight / 2, 2 * mss);
  state.acked_in_round = 0;
}

void lost(CongestionState& state, uint32_t mss, uint32_t in_flight, uint32_t) {
  halve(state, mss, in_flight);
  state.cwnd = state.ssthresh;
}

void timed_out(CongestionState& state, uint32_t mss, uint32_t in_flight, uint32_t) {
  halve(state, mss, in_flight);
  state.cwnd = mss;
}

}  // namespace

const CongestionControl kNewReno = {"newreno", start, acked, lost, timed_out};

}  // namespace qstack
