// RACK-TLP (RFC 8985): a segment is lost when one sent after it has been delivered and reordering has had its time; and
// the tail of a flight, after which nothing is sent, is probed before the retransmission timer fires.
// In: delivered segments. Out: lost segments (kTxLost) for recovery.cc, probes, two timers. Only with SACK.
// Omitted: a window for min_RTT (6.2 step 1): it begins anew with each Busy block.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {
namespace {

constexpr uint8_t kReoWndPersist = 16;          // RFC 8985 6.2 step 4
constexpr uint32_t kMaxAckDelayUs = 200'000;    // RFC 8985 7.2: what a peer may delay the ACK of a lone segment
/// A peer's threads are scheduled in milliseconds; a probe sent sooner than that is a duplicate.
constexpr uint32_t kProbeMinUs = 10'000;

/// RACK_sent_after of RFC 8985 6.2 step 2.
bool sent_after(uint32_t us1, Seq end1, uint32_t us2, Seq end2) {
  return us1 == us2 ? seq_gt(end1, end2) : static_cast<int32_t>(us1 - us2) > 0;
}

}  // namespace

/// RFC 8985 6.2, steps 1 to 3, for one segment that was acknowledged or sacked for the first time.
void TcpEngine::rack_delivered(const Tcb& c, Busy& b, const Packet& packet, const TcpSegment& s, const AckNews& news) {
  if (c.has(kSums)) [[unlikely]] sum_delivered(c, s);
  if (!c.has(kSackPermitted)) return;
  Rack& rack = b.rack;
  const Seq end = sequence_end(packet);
  const uint32_t rtt_us = std::max(now_us_ - packet.sent_us, 1u);
  const bool repeated = packet.tx_count > 1;
  const bool known = rack.rtt_us != 0;
  if (!known || seq_gt(end, rack.fack)) rack.fack = end;
  if (seq_lt(end, news.fack_before) && !repeated) {
    b.mark(kReorderingSeen);
    if (c.has(kSums)) ++sums_.at(slot_of(c)).reord_seen;
  }
  // The ACK of an original that comes after its repetition says nothing about the latter. The minimum is that of this busy
  // time only, maybe a single sample: an RTT may be an eighth below it.
  if (repeated && (rtt_us < rack.min_rtt_us - rack.min_rtt_us / 8 || echoes_before(c, s, packet))) return;
  if (!repeated && (rack.min_rtt_us == 0 || rtt_us < rack.min_rtt_us)) rack.min_rtt_us = rtt_us;
  if (known && !sent_after(packet.sent_us, end, rack.xmit_us, rack.end_seq)) return;
  rack.rtt_us = rtt_us;
  rack.xmit_us = packet.sent_us;
  rack.end_seq = end;
}

/// The ACK was caused by what left before this was sent last. Of a segment that is only sacked the echo says nothing: it
/// stays that of the last one in order (RFC 7323 4.3).
bool TcpEngine::echoes_before(const Tcb& c, const TcpSegment& s, const Packet& packet) const {
  if (!c.has(kTimestamps) || s.options.ts_echo == 0 || seq_le(s.ack, packet.sequence)) return false;
  const auto sent_ms = static_cast<uint32_t>((now_ - Nanos{now_us_ - packet.sent_us} * 1'000) / 1'000'000);
  return seq_lt(s.options.ts_echo - c.ts_offset, sent_ms);
}

/// RFC 8985 6.2 step 4.
uint32_t TcpEngine::reordering_window_us(const Tcb& c, const Busy& b) const {
  if (!b.marked(kReorderingSeen)) {
    if (repairing(b)) return 0;
    uint32_t sacked = 0;
    for (Packet* p = b.retransmit.front(); p != nullptr && sacked < kDupThresh; p = b.retransmit.after(p)) {
      if (p->tx_flags & kTxSacked) ++sacked;
    }
    if (sacked >= kDupThresh) return 0;
  }
  const uint32_t min_rtt_us = b.rack.min_rtt_us == 0 ? c.srtt_us : b.rack.min_rtt_us;
  return static_cast<uint32_t>(std::min<uint64_t>((b.reo_wnd_mult + 1ull) * min_rtt_us / 4, c.srtt_us));
}

/// A D-SACK: reordering takes longer than we waited; at most one step per round trip (RFC 8985 6.2 step 4).
void TcpEngine::widen_reordering_window(const Tcb& c, Busy& b) {
  if (b.marked(kReorderingRound) && seq_lt(c.snd_una, b.rack.dsack_round)) return;
  b.mark(kReorderingRound);
  b.mark(kReorderingSeen);
  b.rack.dsack_round = c.snd_nxt;
  if (b.reo_wnd_mult < 254) ++b.reo_wnd_mult;
  b.reo_wnd_persist = kReoWndPersist;
}

/// RFC 8985 6.2 step 5. Returns the µs until the next segment would be taken as lost; 0: none waits.
uint32_t TcpEngine::detect_losses(const Tcb& c, Busy& b) {
  const Rack& rack = b.rack;
  if (rack.rtt_us == 0) return 0;
  const uint32_t patience_us = rack.rtt_us + reordering_window_us(c, b);
  uint32_t wait_us = 0;
  for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    if (p->tx_flags & (kTxSacked | kTxLost)) continue;
    if (!sent_after(rack.xmit_us, rack.end_seq, p->sent_us, sequence_end(*p))) continue;
    const uint32_t age_us = now_us_ - p->sent_us;
    if (age_us >= patience_us) {
      mark_lost(b, p);
    } else {
      wait_us = std::max(wait_us, patience_us - age_us);
    }
  }
  return wait_us;
}

/// Detection after an ACK. The timer is needed while a hole waits to be taken as a loss.
void TcpEngine::rack_after_ack(Tcb& c, Busy& b) {
  if (!c.has(kSackPermitted) || b.retransmit.empty()) return;
  if (b.sacked_bytes == 0 && !repairing(b)) return;
  const uint32_t wait_us = detect_losses(c, b);
  if (wait_us != 0) {
    start_timer(c, b, TimerKind::reordering, wait_us);
  } else if (b.timer == TimerKind::reordering || b.timer == TimerKind::probe) {
    rearm_rto(c, b);
  }
}

void TcpEngine::on_reordering_timeout(Tcb& c, Busy& b) {
  rearm_rto(c, b);
  rack_after_ack(c, b);
  if (b.lost_bytes != 0 && !repairing(b)) {
    enter_recovery(c, b, in_flight(c));
    reduce_by_prr(c, b, {});
  }
  output(c);
}

/// RFC 8985 7.2. Called after new data was sent, or acknowledged: the probe comes instead of the RTO, never after it.
void TcpEngine::schedule_probe(Tcb& c, Busy& b) {
  const bool wanted = c.has(kSackPermitted) && !repairing(b) && b.sacked_bytes == 0 && c.srtt_us != 0 && !b.marked(kProbeOut) &&
                      b.backoff == 0 && !b.retransmit.empty();
  if (!wanted || b.timer == TimerKind::persist) return;
  uint32_t pto_us = std::max(2 * c.srtt_us, kProbeMinUs);
  if (b.retransmit.front() == b.retransmit.back()) pto_us += kMaxAckDelayUs;
  if (pto_us < rto_left_us(b)) start_timer(c, b, TimerKind::probe, pto_us);
}

/// RFC 8985 7.3: new data if there is some that the window admits, else the last segment again.
void TcpEngine::on_probe_timeout(Tcb& c, Busy& b) {
  if (waits_here(b.retransmit.back())) return start_rto(c, b);
  const Seq before = c.snd_nxt;
  b.unmark(kProbeRepeated);
  b.mark(kProbeOut);
  count(Counter::loss_probes);
  output_new(c, b, true);
  if (c.snd_nxt == before) {
    b.mark(kProbeRepeated);
    retransmit(c, b, b.retransmit.back());
  }
  b.tlp_end = c.snd_nxt;
  start_rto(c, b);
}

/// RFC 8985 7.4.2: what the answer to a probe tells.
void TcpEngine::probe_answered(Tcb& c, Busy& b, const TcpSegment& s, const AckNews& news) {
  if (!b.marked(kProbeOut) || seq_lt(s.ack, b.tlp_end)) return;
  const bool plain_duplicate = news.duplicate && s.options.sack_count == 0;
  if (!b.marked(kProbeRepeated) || news.probe_duplicate || plain_duplicate) {
    b.unmark(kProbeOut);
  } else if (seq_gt(s.ack, b.tlp_end)) {  // the probe repaired a loss, which is a congestion signal all the same
    b.unmark(kProbeOut);
    if (b.recovery == RecoveryKind::none) reduce_window(c, b, CongestionEvent::loss, news.flight_before);
  }
}

/// The same when nothing is in flight any more: the original had arrived as well, and the peer says so by a D-SACK, or by
/// a duplicate ACK where it knows none.
void TcpEngine::probe_answered_idle(Tcb& c, const TcpSegment& s, uint32_t previous_window) {
  const bool bare = s.ack == c.snd_una && s.payload_length == 0 && !(s.flags & kFin);
  if (bare && (s.options.sack_count != 0 || c.snd_wnd == previous_window)) c.clear(kProbeUndecided);
}

}  // namespace qstack
