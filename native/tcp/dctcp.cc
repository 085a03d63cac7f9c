// DCTCP (RFC 8257): the window shrinks by the share of bytes that were marked; on loss and in growth it is NewReno.
// The receiver's half, which echoes each mark, is in ecn.cc.
#include <algorithm>

#include "native/tcp/congestion.hh"

namespace qstack {
namespace dctcp {

constexpr uint32_t kOne = 1u << 20;  ///< alpha = 1
constexpr uint32_t kGainShift = 4;   ///< g = 1/16 (RFC 8257 4.2)

/// RFC 8257 3.3 and 4.2: alpha begins at 1. It is remembered as 255 - 255 alpha, so that 0 is the beginning.
void start(CongestionState& state, uint8_t remembered) {
  state.dctcp.alpha = static_cast<uint32_t>(uint64_t{kOne} * (255u - remembered) / 255);
}

uint8_t remember(const CongestionState& state) {
  return static_cast<uint8_t>(255 - (uint64_t{state.dctcp.alpha} * 255 + kOne / 2) / kOne);
}

/// RFC 8257 3.3: once per window of data, alpha = alpha (1 - g) + g M.
void end_window(DctcpState& d, Seq snd_nxt) {
  const auto share = static_cast<uint32_t>(d.acked == 0 ? 0 : (uint64_t{d.marked} * kOne) / d.acked);
  d.alpha = d.alpha - (d.alpha >> kGainShift) + (share >> kGainShift);
  d.alpha = std::min(d.alpha, kOne);
  d.acked = d.marked = 0;
  d.window_end = snd_nxt;
}

void acked(CongestionState& state, const AckedData& data) {
  DctcpState& d = state.dctcp;
  if (!d.running) {
    d.running = true;
    d.window_end = data.snd_nxt;
  }
  d.acked += data.bytes;
  if (data.marked) d.marked += data.bytes;
  if (seq_ge(data.snd_una, d.window_end)) end_window(d, data.snd_nxt);
  grow_like_reno(state, d.reno, data);
}

/// RFC 8257 3.3 (marks): cwnd (1 - alpha / 2); 3.4 and 3.5 (loss): as without ECN.
void reduce(CongestionState& state, CongestionEvent event, uint32_t mss, uint32_t in_flight) {
  state.dctcp.reno.acked_in_round = 0;
  uint32_t threshold = in_flight / 2;
  if (event == CongestionEvent::mark) {
    threshold = state.cwnd - static_cast<uint32_t>(uint64_t{state.cwnd} * state.dctcp.alpha / (2 * kOne));
  }
  state.ssthresh = std::max(threshold, 2 * mss);
}

void undone(CongestionState&) {}

}  // namespace dctcp

const CongestionControl kDctcp = {"dctcp", dctcp::start, dctcp::remember, dctcp::acked, dctcp::reduce, dctcp::undone};

}  // namespace qstack
