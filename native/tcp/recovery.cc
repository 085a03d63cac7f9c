// Loss recovery: when an episode begins and ends, what the window is meanwhile, and when it was all for nothing.
// Which segments are lost says rack.cc; without SACK they are counted out by duplicate ACKs here. Output sends them again.
// Read first: RFC 6937 (PRR), RFC 6582 (NewReno, without SACK), RFC 6675 5, RFC 4015 (Eifel response), RFC 2018 8.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

const CongestionControl& TcpEngine::congestion_of(const Tcb& c) const {
  return congestion_control(static_cast<Congestion>(option_of(c, TcpOption::congestion)));
}

/// All that an ACK means to the sender but the bytes it frees.
void TcpEngine::recover(Tcb& c, Busy& b, const TcpSegment& s, const AckNews& news) {
  if (news.acked != 0 && began_in_vain(c, b, s)) undo_reduction(c, b);
  const bool deflates = b.recovery == RecoveryKind::fast && !c.has(kSackPermitted);
  if (recovered(c, b)) leave_recovery(c, b);
  const bool marked = c.has(kEcn) && (s.flags & kEce);
  if (marked && b.recovery == RecoveryKind::none && news.flight_before != 0) reduce_window(c, b, CongestionEvent::mark, news.flight_before);
  grow_window(c, b, news, marked, deflates);
  if (b.recovery == RecoveryKind::timeout) b.episode.delivered += news.segments;
  rack_after_ack(c, b);
  probe_answered(c, b, s, news);
  if (!c.has(kSackPermitted)) {
    if (news.duplicate) duplicate_ack(c, b);
    if (news.acked != 0 && b.recovery == RecoveryKind::fast) partial_ack(c, b, news);
  } else {
    if (b.lost_bytes != 0 && !repairing(b)) enter_recovery(c, b, news.flight_before);
    if (b.recovery == RecoveryKind::fast) reduce_by_prr(c, b, news);
  }
  if (news.acked != 0) schedule_probe(c, b);
}

/// All that was in flight when it began is acknowledged. After a mark the segment that carries CWR must be among it: until
/// then each ACK repeats the mark (RFC 3168 6.1.2).
bool TcpEngine::recovered(const Tcb& c, const Busy& b) {
  if (b.recovery == RecoveryKind::reduced) return seq_gt(c.snd_una, b.recover);
  return b.recovery != RecoveryKind::none && seq_ge(c.snd_una, b.recover);
}

/// RFC 5681 3.1, and no growth while the window is not what holds us back (RFC 7661 4.1). `deflates`: without SACK the ACK
/// that ends a recovery leaves a window far below the threshold, so that no burst follows (RFC 6582 3.2).
void TcpEngine::grow_window(Tcb& c, Busy& b, const AckNews& news, bool marked, bool deflates) {
  if (news.acked == 0) return;
  const bool slow_start = b.congestion.cwnd < b.congestion.ssthresh;
  const bool in_use = slow_start ? 2 * uint64_t{news.flight_before} >= b.congestion.cwnd
                                 : news.flight_before + c.mss >= b.congestion.cwnd;
  const bool reducing = deflates || b.recovery == RecoveryKind::fast || b.recovery == RecoveryKind::reduced;
  const AckedData data = {c.mss, news.acked, news.rtt_us, c.srtt_us, now_ms_, c.snd_una, c.snd_nxt, marked,
                          in_use && !reducing && !marked};
  congestion_of(c).acked(b.congestion, data);
}

void TcpEngine::mark_lost(Busy& b, Packet* packet) {
  if (packet->tx_flags & (kTxSacked | kTxLost)) return;
  packet->tx_flags |= kTxLost;
  b.lost_bytes += sequence_length(*packet);
  const bool again = b.recovery == RecoveryKind::timeout && packet->tx_count > 1;
  if (again && b.episode.out != 0) --b.episode.out;
}

/// After a time-out a duplicate may be the answer to what was repeated for nothing. One that comes a round trip after the
/// oldest segment left again tells that it is missing still: RFC 6582 4.1 and 4.2 want to know the same, and ask how far the
/// last ACK went, which says little where a peer answers many segments at once. A peer without room answers what it drops.
bool TcpEngine::missing_again(const Tcb& c, const Busy& b) const {
  if (b.retransmit.empty() || c.snd_wnd == 0) return false;
  const Packet& oldest = *b.retransmit.front();
  return !(oldest.tx_flags & kTxLost) && answer_due(b, oldest);
}

/// About a round trip has passed since it left: that of what was repeated and acknowledged last, which is no sample for the RTO
/// (Karn), but the only one that is not from before the time-out.
bool TcpEngine::answer_due(const Busy& b, const Packet& packet) const {
  return b.rack.rtt_us != 0 && !waits_here(&packet) && now_us_ - packet.sent_us >= b.rack.rtt_us - b.rack.rtt_us / 4;
}

/// What was repeated after a time-out is lost again: slow start begins anew, without waiting for a timer that was doubled.
void TcpEngine::repeat_again(Tcb& c, Busy& b) {
  count(Counter::fast_retransmits);
  lower_threshold(c, b, CongestionEvent::loss, pipe(c, b));
  b.congestion.cwnd = c.mss;
  b.episode.delivered = b.episode.out = 0;
  b.recover = c.snd_nxt;
  for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    if (answer_due(b, *p)) mark_lost(b, p);
  }
  repair_first(c, b);
}

/// Three tell, or the first where nothing is left that could cause more of them (RFC 5827); and once for each segment that is
/// the oldest, so that no peer holds up the timer.
void TcpEngine::duplicate_after_timeout(Tcb& c, Busy& b) {
  if (b.duplicate_acks >= kDupThresh || !missing_again(c, b)) return;
  ++b.episode.delivered;
  const bool last = b.lost_bytes == 0 && b.unsent_levels == 0;
  b.duplicate_acks = last ? kDupThresh : b.duplicate_acks + 1;
  if (b.duplicate_acks == kDupThresh) repeat_again(c, b);
}

void TcpEngine::duplicate_ack(Tcb& c, Busy& b) {
  if (b.recovery == RecoveryKind::timeout) return duplicate_after_timeout(c, b);
  if (b.duplicate_acks < 255) ++b.duplicate_acks;
  if (b.recovery == RecoveryKind::fast) {
    b.congestion.cwnd += c.mss;  // RFC 6582 3.2 step 3: one segment has left the network
    return;
  }
  if (b.duplicate_acks < kDupThresh || b.retransmit.empty()) return;
  // RFC 6582 3.2 step 2: not again for losses of the window that the last recovery repaired.
  if (b.recovery == RecoveryKind::none && seq_le(c.snd_una, b.recover)) return;
  enter_recovery(c, b, in_flight(c));
  b.congestion.cwnd = b.congestion.ssthresh + kDupThresh * c.mss;
  repair_first(c, b);
}

/// At once, whatever the window says: the flight may be twice what it now allows (RFC 5681 3.2 step 3, RFC 6582 3.2).
void TcpEngine::repair_first(Tcb& c, Busy& b) {
  if (b.retransmit.empty()) return;
  Packet* const first = b.retransmit.front();
  mark_lost(b, first);
  if (lane_open(c, first->level)) retransmit(c, b, first);
}

/// RFC 6582 3.2 step 3: the next segment is lost as well.
void TcpEngine::partial_ack(Tcb& c, Busy& b, const AckNews& news) {
  const uint32_t deflated = b.congestion.cwnd > news.acked ? b.congestion.cwnd - news.acked : 0;
  b.congestion.cwnd = deflated + c.mss;
  repair_first(c, b);
}

/// What an undo restores is noted before the first reduction of an episode. Where a time-out ends a fast recovery that is
/// what this would have ended with, not the window that PRR takes down step by step.
void TcpEngine::begin_episode(const Tcb& c, Busy& b, uint32_t flight) {
  const bool reducing = b.recovery == RecoveryKind::fast;
  const uint32_t cwnd = reducing ? std::min(b.congestion.cwnd, b.congestion.ssthresh) : b.congestion.cwnd;
  b.episode = {0, 0, flight, cwnd, b.congestion.ssthresh, c.snd_una, 0, 0};
  b.unmark(kFirstRepeatStamped);
}

/// A congestion event, at most one per window of data (RFC 5681 3.1); `flight` is what was in flight when it was noticed.
/// Whatever it was, the peer learns by CWR that its echoes were heard (RFC 3168 6.1.2).
void TcpEngine::lower_threshold(Tcb& c, Busy& b, CongestionEvent event, uint32_t flight) {
  congestion_of(c).reduce(b.congestion, event, c.mss, flight);
  if (c.has(kEcn)) c.set(kCwrDue);
}

/// Less is sent, and nothing is sent again.
void TcpEngine::reduce_window(Tcb& c, Busy& b, CongestionEvent event, uint32_t flight) {
  lower_threshold(c, b, event, flight);
  b.congestion.cwnd = b.congestion.ssthresh;
  b.recovery = RecoveryKind::reduced;
  b.recover = c.snd_nxt;
}

void TcpEngine::enter_recovery(Tcb& c, Busy& b, uint32_t flight) {
  count(Counter::fast_retransmits);
  begin_episode(c, b, flight);
  if (b.recovery == RecoveryKind::none) lower_threshold(c, b, CongestionEvent::loss, flight);
  b.recovery = RecoveryKind::fast;
  b.recover = c.snd_nxt;
  b.unmark(kProbeOut);
}

/// RFC 6937 3.1, with the conservative bound only while an ACK shows no progress. Sets cwnd to what may be in flight now.
void TcpEngine::reduce_by_prr(Tcb& c, Busy& b, const AckNews& news) {
  Episode& e = b.episode;
  e.delivered += news.delivered;
  const uint32_t in_network = pipe(c, b);
  const uint32_t ssthresh = b.congestion.ssthresh;
  int64_t may_send;
  if (in_network > ssthresh) {
    may_send = static_cast<int64_t>((uint64_t{e.delivered} * ssthresh + e.flight - 1) / e.flight) - e.out;
  } else {
    const int64_t bound = std::max<int64_t>(int64_t{e.delivered} - e.out, news.delivered) + (news.acked != 0 ? c.mss : 0);
    may_send = std::min<int64_t>(ssthresh - in_network, bound);
  }
  if (e.out == 0) may_send = std::max<int64_t>(may_send, c.mss);  // the fast retransmission itself
  b.congestion.cwnd = in_network + static_cast<uint32_t>(std::max<int64_t>(may_send, 0));
}

void TcpEngine::leave_recovery(Tcb& c, Busy& b) {
  if (b.recovery == RecoveryKind::fast) {
    const uint32_t flight = std::max<uint32_t>(in_flight(c), c.mss);
    // RFC 6582 3.2 step 3, full ACK (1); PRR ends at ssthresh (RFC 6937 3.1).
    b.congestion.cwnd = c.has(kSackPermitted) ? b.congestion.ssthresh : std::min(b.congestion.ssthresh, flight + c.mss);
    if (b.reo_wnd_persist != 0 && --b.reo_wnd_persist == 0) b.reo_wnd_mult = 0;
  }
  b.recovery = RecoveryKind::none;
}

/// Eifel detection (RFC 3522): the ACK that repairs the episode echoes what was sent before its first retransmission.
bool TcpEngine::began_in_vain(const Tcb& c, const Busy& b, const TcpSegment& s) const {
  if (!repairing(b) || !b.marked(kFirstRepeatStamped) || !c.has(kTimestamps) || s.options.ts_echo == 0) return false;
  return seq_lt(s.options.ts_echo - c.ts_offset, b.episode.repeat_ms);
}

/// RFC 4015 3.2, RFC 9438 4.9: nothing had been lost. What is still marked was not either.
void TcpEngine::undo_reduction(Tcb& c, Busy& b) {
  count(Counter::recoveries_undone);
  b.congestion.cwnd = std::max(b.congestion.cwnd, b.episode.prior_cwnd);
  b.congestion.ssthresh = std::max(b.congestion.ssthresh, b.episode.prior_ssthresh);
  congestion_of(c).undone(b.congestion);
  if (b.recovery == RecoveryKind::fast) b.mark(kReorderingSeen);
  for (Packet* p = b.retransmit.front(); p != nullptr && b.lost_bytes != 0; p = b.retransmit.after(p)) {
    if (!(p->tx_flags & kTxLost)) continue;
    p->tx_flags &= static_cast<uint8_t>(~kTxLost);
    b.lost_bytes -= sequence_length(*p);
  }
  b.episode.flight = 0;
  b.recovery = RecoveryKind::none;
  b.backoff = 0;
}

/// RFC 8985 6.3: the first segment, and those for which RACK's time is over. Without SACK all of them; and when the first
/// one was reported as held the peer has dropped what it reported (RFC 2018 8).
void TcpEngine::mark_lost_on_timeout(const Tcb& c, Busy& b) {
  if (b.retransmit.empty()) return;
  const bool reneged = b.retransmit.front()->tx_flags & kTxSacked;
  const bool all = reneged || !c.has(kSackPermitted) || b.rack.rtt_us == 0;
  if (reneged) forget_sacks(b);
  const uint32_t patience_us = b.rack.rtt_us + reordering_window_us(c, b);
  for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    if (all || p == b.retransmit.front() || now_us_ - p->sent_us >= patience_us) mark_lost(b, p);
  }
}

void TcpEngine::forget_sacks(Busy& b) {
  b.sacked_bytes = 0;
  for (Packet* p = b.retransmit.front(); p != nullptr; p = b.retransmit.after(p)) {
    p->tx_flags &= static_cast<uint8_t>(~kTxSacked);
  }
}

}  // namespace qstack
