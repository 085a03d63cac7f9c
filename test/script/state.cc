#include "test/script/state.hh"

#include <algorithm>

namespace qstack::script {
namespace {

/// As Linux numbers them in TCP_INFO.
int64_t number_of(TcpState state) {
  switch (state) {
    case TcpState::established:
      return 1;
    case TcpState::syn_sent:
      return 2;
    case TcpState::syn_received:
      return 3;
    case TcpState::fin_wait_1:
      return 4;
    case TcpState::fin_wait_2:
      return 5;
    case TcpState::close_wait:
      return 8;
    case TcpState::last_ack:
      return 9;
    case TcpState::closing:
      return 11;
    default:
      return 7;
  }
}

int64_t number_of(RecoveryKind kind) {
  switch (kind) {
    case RecoveryKind::none:
      return 0;
    case RecoveryKind::reduced:
      return 2;
    case RecoveryKind::fast:
      return 3;
    default:
      return 4;
  }
}

int64_t segments_with(const Busy* b, uint8_t flags) {
  int64_t count = 0;
  if (b == nullptr) return 0;
  for (const Packet* p = b->retransmit.front(); p != nullptr; p = b->retransmit.after(p)) {
    if (flags == 0 || (p->tx_flags & flags)) ++count;
  }
  return count;
}

/// Without a busy block the window is what the control block remembers of it.
int64_t window_of(const Tcb& c, const Busy* b) {
  if (b != nullptr) return b->congestion.cwnd;
  return c.cwnd == 0 ? initial_window(c.mss) : uint32_t{c.cwnd} * c.mss;
}

std::optional<int64_t> info_named(const std::string& name, const Tcb& c, const Busy* b) {
  const int64_t ssthresh = b == nullptr ? c.ssthresh : b->congestion.ssthresh;
  if (name == "tcpi_state") return number_of(c.state);
  if (name == "tcpi_ca_state") return b == nullptr ? 0 : number_of(b->recovery);
  if (name == "tcpi_retransmits") return b == nullptr ? 0 : b->retries;
  if (name == "tcpi_backoff") return b == nullptr ? 0 : b->backoff;
  if (name == "tcpi_rto") return b == nullptr ? 0 : b->rto_us;
  if (name == "tcpi_rtt") return c.srtt_us;
  if (name == "tcpi_rttvar") return c.rttvar_us;
  if (name == "tcpi_snd_mss") return c.mss;
  if (name == "tcpi_snd_cwnd") return window_of(c, b) / c.mss;
  if (name == "cwnd_bytes") return window_of(c, b);
  if (name == "tcpi_snd_ssthresh") return ssthresh == kNoThreshold ? ssthresh : ssthresh / c.mss;
  if (name == "ssthresh_bytes") return ssthresh;
  if (name == "tcpi_unacked") return segments_with(b, 0);
  if (name == "tcpi_sacked") return segments_with(b, kTxSacked);
  if (name == "tcpi_lost") return segments_with(b, kTxLost);
  if (name == "tcpi_total_retrans") return c.retransmits;
  if (name == "tcpi_notsent_bytes") return b == nullptr ? 0 : b->unsent_bytes;
  if (name == "tcpi_snd_wscale") return c.snd_wscale();
  if (name == "tcpi_rcv_wscale") return c.rcv_wscale();
  if (name == "snd_wnd") return c.snd_wnd;
  if (name == "out_of_order") return b == nullptr ? 0 : b->out_of_order_count;
  return {};
}

/// Sums, where setsockopt(…, TCP_SUMS, …) keeps them.
std::optional<int64_t> sum_named(const std::string& name, const TcpInfo& info) {
  if (name == "urgent_bytes") return info.urgent_bytes;
  if (info.sums == 0) return {};
  if (name == "tcpi_bytes_sent") return info.bytes_sent;
  if (name == "tcpi_bytes_retrans") return info.bytes_retrans;
  if (name == "tcpi_bytes_acked") return info.bytes_acked;
  if (name == "tcpi_bytes_received") return info.bytes_received;
  if (name == "tcpi_segs_out") return info.segs_out;
  if (name == "tcpi_segs_in") return info.segs_in;
  if (name == "tcpi_data_segs_out") return info.data_segs_out;
  if (name == "tcpi_data_segs_in") return info.data_segs_in;
  if (name == "tcpi_delivered") return info.delivered;
  if (name == "tcpi_delivered_ce") return info.delivered_ce;
  if (name == "tcpi_dsack_dups") return info.dsack_dups;
  if (name == "tcpi_reord_seen") return info.reord_seen;
  if (name == "tcpi_rcv_ooopack") return info.rcv_ooopack;
  return {};
}

}  // namespace

std::optional<int64_t> state_named(const std::string& name, Stack& stack, const Sockets& sockets) {
  if (name == "unread") return static_cast<int64_t>(sockets.unread());
  if (name == "urgent_signals") return sockets.urgent_signals();
  for (size_t i = 0; i < kCounters; ++i) {
    if (kCounterNames[i] == name) return static_cast<int64_t>(stack.counters().get(static_cast<Counter>(i)));
  }
  const auto handle = sockets.newest();
  const Tcb* const c = handle ? stack.engine().inspect(*handle) : nullptr;
  if (c == nullptr) return name == "tcpi_state" ? std::optional<int64_t>(number_of(TcpState::closed)) : std::nullopt;
  const auto known = info_named(name, *c, stack.engine().inspect_busy(*c));
  return known ? known : sum_named(name, *stack.info(*handle));
}

}  // namespace qstack::script
