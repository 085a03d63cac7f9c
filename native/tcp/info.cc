// TcpInfo: what a connection is like at this moment, as TCP_INFO of Linux tells it.
//
// What is known of the path while data flow (smallest RTT, rates, the segments in flight) is kept in the Busy block, and
// so is unknown while a connection is idle.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

static_assert(static_cast<uint8_t>(TcpState::last_ack) == static_cast<uint8_t>(abi::ConnectionState::last_ack));
static_assert(static_cast<uint8_t>(TcpState::established) == static_cast<uint8_t>(abi::ConnectionState::established));

namespace {

uint8_t agreed_options(const Tcb& c) {
  const auto bit = [&](TcbFlag flag, abi::InfoOption option) { return c.has(flag) ? static_cast<int>(option) : 0; };
  return static_cast<uint8_t>(bit(kTimestamps, abi::InfoOption::timestamps) | bit(kSackPermitted, abi::InfoOption::sack) |
                              bit(kWindowScaled, abi::InfoOption::wscale) | bit(kEcn, abi::InfoOption::ecn));
}

uint32_t in_segments(uint32_t threshold, uint32_t mss) {
  return threshold == kNoThreshold ? kInfoUnknown : std::max(threshold / mss, 1u);
}

}  // namespace

std::optional<TcpInfo> TcpEngine::info(Handle handle) const {
  const Tcb* const found = find_alive(handle);
  if (found == nullptr) return std::nullopt;
  const Tcb& c = *found;
  const SocketOptions& options = profile_of(c).options;
  TcpInfo info{};
  info.state = static_cast<uint8_t>(c.state);
  info.options = agreed_options(c);
  info.probes = c.has(kProbing) ? c.keepalives : 0;
  info.snd_wscale = c.snd_wscale();
  info.rcv_wscale = c.rcv_wscale();
  info.rto_us = rto_of(c);
  info.ato_us = options[TcpOption::quick_ack] != 0 ? 0 : options[TcpOption::delayed_ack_ms] * 1'000;
  info.snd_mss = c.mss;
  info.advmss = own_mss(c.key, c.profile);
  info.pmtu = config_.mtu;
  info.last_recv_ms = now_ms_ - c.last_active_ms;
  info.rtt_us = c.srtt_us;
  info.rttvar_us = c.rttvar_us;
  info.snd_cwnd = c.cwnd != 0 ? c.cwnd : initial_window(c.mss) / c.mss;
  info.snd_ssthresh = in_segments(c.ssthresh, c.mss);
  info.min_rtt_us = info.reord_window_us = info.delivery_rate = info.last_data_sent_ms = kInfoUnknown;
  info.last_data_recv_ms = info.last_ack_recv_ms = kInfoUnknown;
  info.total_retrans = c.retransmits;
  info.pacing_rate = options[TcpOption::pacing_rate];
  info.unacked_bytes = in_flight(c);
  info.snd_wnd = c.snd_wnd;
  info.rcv_wnd = c.rcv_adv - c.rcv_nxt;
  info.urgent_bytes = urgent_bytes(c);
  if (c.busy != kNoIndex) describe_flow(c, busy_.at(c.busy), info);
  describe_sums(c, info);
  return info;
}

void TcpEngine::describe_flow(const Tcb& c, const Busy& b, TcpInfo& info) const {
  info.ca_state = recovery_state(b);
  info.retransmits = b.retries;
  info.backoff = b.backoff;
  info.rto_us = static_cast<uint32_t>(backed_off_rto_us(b));
  info.snd_cwnd = std::max(b.congestion.cwnd / c.mss, 1u);
  info.snd_ssthresh = in_segments(b.congestion.ssthresh, c.mss);
  if (b.rack.min_rtt_us != 0) info.min_rtt_us = b.rack.min_rtt_us;
  if (b.rack.rtt_us != 0) info.reord_window_us = reordering_window_us(c, b);
  if (b.delivery_rate != 0) info.delivery_rate = b.delivery_rate;
  info.pacing_rate = static_cast<uint32_t>(std::min<uint64_t>(pacing_rate(c, b), UINT32_MAX));
  info.notsent_bytes = b.unsent_bytes;
  info.unread_bytes = b.unread;
  info.out_of_order = b.out_of_order_count;
  count_segments(b, info);
}

void TcpEngine::count_segments(const Busy& b, TcpInfo& info) const {
  for (const Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    ++info.unacked;
    info.sacked += (p->tx_flags & kTxSacked) ? 1 : 0;
    info.lost += (p->tx_flags & kTxLost) ? 1 : 0;
    info.retrans += p->tx_count > 1 ? 1 : 0;
    info.last_data_sent_ms = std::min(info.last_data_sent_ms, (now_us_ - p->sent_us) / 1'000);
  }
}

uint8_t TcpEngine::recovery_state(const Busy& b) {
  const bool disorder = b.duplicate_acks != 0 || b.sacked_bytes != 0;
  switch (b.recovery) {
    case RecoveryKind::reduced:
      return static_cast<uint8_t>(abi::RecoveryState::cwr);
    case RecoveryKind::fast:
      return static_cast<uint8_t>(abi::RecoveryState::recovery);
    case RecoveryKind::timeout:
      return static_cast<uint8_t>(abi::RecoveryState::loss);
    default:
      return static_cast<uint8_t>(disorder ? abi::RecoveryState::disorder : abi::RecoveryState::open);
  }
}

}  // namespace qstack
