// NewReno (RFC 5681, RFC 6582): slow start, congestion avoidance by appropriate byte counting (RFC 3465, L = 2 MSS),
// half the flight on congestion. And the list of all algorithms.
#include <algorithm>

#include "native/tcp/congestion.hh"

namespace qstack {

void grow_like_reno(CongestionState& state, RenoState& reno, const AckedData& data) {
  if (!data.may_grow) return;
  if (state.cwnd < state.ssthresh) {
    state.cwnd += std::min(data.bytes, 2 * data.mss);
    return;
  }
  reno.acked_in_round += data.bytes;
  if (reno.acked_in_round >= state.cwnd) {
    reno.acked_in_round -= state.cwnd;
    state.cwnd += data.mss;
  }
}

namespace newreno {

void start(CongestionState&, uint8_t) {}

uint8_t remember(const CongestionState&) { return 0; }

void acked(CongestionState& state, const AckedData& data) { grow_like_reno(state, state.reno, data); }

/// RFC 5681 equation 4: ssthresh = max(FlightSize / 2, 2 SMSS).
void reduce(CongestionState& state, CongestionEvent, uint32_t mss, uint32_t in_flight) {
  state.ssthresh = std::max(in_flight / 2, 2 * mss);
  state.reno.acked_in_round = 0;
}

void undone(CongestionState&) {}

}  // namespace newreno

const CongestionControl kNewReno = {"newreno",         newreno::start,  newreno::remember,
                                    newreno::acked, newreno::reduce, newreno::undone};

const CongestionControl& congestion_control(Congestion which) {
  switch (which) {
    case Congestion::newreno:
      return kNewReno;
    case Congestion::dctcp:
      return kDctcp;
    default:
      return kCubic;
  }
}

}  // namespace qstack
