// The ACK field of a segment: window, acknowledged bytes, RTT (RFC 9293 3.10.7.4 fifth check, RFC 6298).
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

/// False: the segment acknowledges what was never sent, or is older than any window (RFC 5961 5.2); it is dropped.
bool TcpEngine::process_ack(Tcb& c, const TcpSegment& s, uint32_t previous_window) {
  if (seq_gt(s.ack, c.snd_nxt) || seq_lt(s.ack, c.snd_una - c.max_snd_wnd)) {
    challenge(c);
    return false;
  }
  if (seq_lt(s.ack, c.snd_una)) {  // old: its data may still be new, and it may report a duplicate
    if (Busy* const b = busy_of(c)) take_old_ack(c, *b, s);
    return true;
  }
  update_send_window(c, s);
  Busy* const b = busy_of(c);
  if (b == nullptr) {
    if (c.has(kProbeUndecided)) probe_answered_idle(c, s, previous_window);
    return true;
  }
  AckNews news{};
  news.flight_before = in_flight(c);
  news.fack_before = b->rack.rtt_us != 0 ? b->rack.fack : c.snd_una;
  news.duplicate = s.ack == c.snd_una && s.payload_length == 0 && !(s.flags & kFin) && news.flight_before != 0 &&
                   c.snd_wnd == previous_window;
  if (c.has(kSackPermitted) && s.options.sack_count != 0) take_sack(c, *b, s, news);
  if (s.ack != c.snd_una) {
    acknowledge(c, *b, s, news);
  } else if (news.rtt_us != 0) {
    learn_rtt(c, *b, news.rtt_us);
  }
  if (c.state == TcpState::closed) return true;
  recover(c, *b, s, news);
  if (b->timer == TimerKind::persist && b->rto_deadline_ms != 0 && c.snd_wnd != 0) stop_rto(*b);
  output(c);
  if (c.state != TcpState::closed && c.busy != kNoIndex) check_drained(c, *b);
  return true;
}

/// RFC 9293 3.10.7.4, fifth check. What acknowledges something new counts as well, whatever its sequence number: it may
/// be a retransmission, and its ACK without its window would move the old window on, beyond what the peer has offered.
void TcpEngine::update_send_window(Tcb& c, const TcpSegment& s) {
  const bool newer = seq_lt(c.snd_wl1, s.seq) || (c.snd_wl1 == s.seq && seq_le(c.snd_wl2, s.ack));
  if (!newer && seq_le(s.ack, c.snd_una)) return;
  c.snd_wnd = uint32_t{s.window} << c.snd_wscale();
  c.max_snd_wnd = std::max(c.max_snd_wnd, c.snd_wnd);
  if (newer) c.snd_wl1 = s.seq;
  c.snd_wl2 = s.ack;
}

void TcpEngine::acknowledge(Tcb& c, Busy& b, const TcpSegment& s, AckNews& news) {
  news.acked = s.ack - c.snd_una;
  const bool fin_acked = c.has(kFinSent) && s.ack == c.snd_nxt;
  c.snd_una = s.ack;
  if (c.has(kSums)) [[unlikely]] sums_.at(slot_of(c)).bytes_acked += news.acked - (fin_acked ? 1 : 0);
  b.progress_ms = now_ms_;
  pop_acknowledged(c, b, s, news);
  if (news.rtt_us == 0) news.rtt_us = rtt_by_timestamps(c, s);
  if (news.rtt_us != 0) learn_rtt(c, b, news.rtt_us);
  b.retries = 0;
  b.duplicate_acks = 0;
  stop_rto(b);
  if (in_flight(c) != 0) start_rto(c, b);  // RFC 6298 5.3
  if (fin_acked) fin_acknowledged(c);
}

/// RFC 6298 5.7 and Karn: only a sample ends the backoff. A timer that would still run for longer is shortened.
void TcpEngine::learn_rtt(Tcb& c, Busy& b, uint32_t rtt_us) {
  measure_rtt(c, rtt_us);
  b.rto_us = rto_of(c);
  if (b.backoff == 0) return;
  b.backoff = 0;
  const bool runs = b.rto_deadline_ms != 0 && b.timer == TimerKind::rto;
  if (runs && rto_left_us(b) > b.rto_us) start_rto(c, b);
}

/// Removes what is acknowledged from the retransmission queue. The newest segment gives an RTT sample, but not where one
/// that was sent twice is among them (Karn, RFC 6298 3): the others may have waited behind it. Then what SACK has just
/// reported for the first time gives one.
void TcpEngine::pop_acknowledged(Tcb& c, Busy& b, const TcpSegment& s, AckNews& news) {
  const uint32_t sacked_rtt_us = news.rtt_us;
  bool repeated = false;
  while (!b.retransmit.empty()) {
    Packet* const packet = b.retransmit.front();
    const uint32_t length = sequence_length(*packet);
    const uint32_t gone = seq_gt(c.snd_una, packet->sequence) ? std::min(length, c.snd_una - packet->sequence) : 0;
    if (gone == 0) break;
    if (const Packet* const next = b.retransmit.after(packet)) __builtin_prefetch(next);
    if (packet->tx_flags & kTxSacked) {
      b.sacked_bytes -= gone;
    } else {
      news.delivered += gone;
      ++news.segments;
      b.delivered += gone;
      if (packet->tx_count == 1) {
        sample_delivery(b, *packet, news);
      } else {
        repeated = true;
        if (!c.has(kSackPermitted)) b.rack.rtt_us = std::max(now_us_ - packet->sent_us, 1u);
      }
      rack_delivered(c, b, *packet, s, news);
    }
    if (packet->tx_flags & kTxLost) b.lost_bytes -= gone;
    if (gone < length) {  // a part: the rest stays
      packet->sequence += gone;
      packet->payload = static_cast<uint16_t>(packet->payload + gone);
      packet->payload_length = static_cast<uint16_t>(packet->payload_length - gone);
      if (packet->tx_count > 1) mark_lost(b, packet);  // the peer had no room for it, or it was not sent (retransmit_head)
      break;
    }
    tx_.release(b.retransmit.pop_front());
  }
  if (repeated) news.rtt_us = sacked_rtt_us;
}

/// RTT, and what was delivered during it.
void TcpEngine::sample_delivery(Busy& b, const Packet& packet, AckNews& news) {
  news.rtt_us = std::max(now_us_ - packet.sent_us, 1u);
  const uint64_t rate = uint64_t{b.delivered - packet.delivered} * 1'000'000 / news.rtt_us;
  b.delivery_rate = static_cast<uint32_t>(std::min<uint64_t>(rate, UINT32_MAX));
}

/// RFC 7323 4.1: the echo says which transmission is answered, also when a segment was sent twice. In whole milliseconds,
/// so that it serves where there is nothing better. 0: no sample.
uint32_t TcpEngine::rtt_by_timestamps(const Tcb& c, const TcpSegment& s) const {
  if (!c.has(kTimestamps) || s.options.ts_echo == 0) return 0;
  const uint32_t rtt_ms = ts_clock() + c.ts_offset - s.options.ts_echo;
  return rtt_ms > config_.rto_max_ms ? 0 : std::max(rtt_ms * 1'000, 1'000u);
}

/// RFC 6298 2.2 and 2.3, with alpha = 1/8 and beta = 1/4.
void TcpEngine::measure_rtt(Tcb& c, uint32_t rtt_us) {
  rtt_us = std::max(rtt_us, 1u);
  if (c.srtt_us == 0) {
    c.srtt_us = rtt_us;
    c.rttvar_us = rtt_us / 2;
    return;
  }
  const uint32_t error = rtt_us > c.srtt_us ? rtt_us - c.srtt_us : c.srtt_us - rtt_us;
  c.rttvar_us = static_cast<uint32_t>((uint64_t{c.rttvar_us} * 3 + error) / 4);
  c.srtt_us = std::max(static_cast<uint32_t>((uint64_t{c.srtt_us} * 7 + rtt_us) / 8), 1u);
}

/// The first sample, and what a handshake that needed its timer leaves behind: RFC 6298 5.7, and one segment to begin with
/// when it was more than one time-out (RFC 6928 2).
void TcpEngine::measure_handshake(Tcb& c, uint8_t retries, uint32_t rtt_us, const TcpSegment& s) {
  if (retries != 0) {
    c.set(kSynRepeated);
    rtt_us = rtt_by_timestamps(c, s);
  }
  if (retries > 1) c.cwnd = 1;
  if (rtt_us != 0 || retries == 0) measure_rtt(c, rtt_us);
}

/// RTO = SRTT + max(G, 4 RTTVAR), between the configured bounds. Before the first sample 1 s, and 3 s where the handshake
/// needed its timer (RFC 6298 2.1, 5.7).
uint32_t TcpEngine::rto_of(const Tcb& c) const {
  if (c.srtt_us == 0) return c.has(kSynRepeated) ? 3'000'000 : 1'000'000;
  const uint32_t rto = c.srtt_us + std::max(1'000u, 4 * c.rttvar_us);
  return std::clamp(rto, std::min(option_of(c, TcpOption::rto_min_ms), config_.rto_max_ms) * 1'000, config_.rto_max_ms * 1'000);
}

void TcpEngine::check_drained(Tcb& c, Busy& b) {
  const uint32_t unacknowledged = b.unsent_bytes + in_flight(c);
  uint32_t* place = &b.drains;
  while (*place != kNoIndex) {
    const uint32_t slot = *place;
    DrainRequest& request = drains_.at(slot);
    if (unacknowledged > request.low_water) {
      place = &request.link;
    } else if (app_.drained(handle_of(c), request.cookie)) {
      *place = request.link;
      drains_.release(slot);
    } else {
      return want_attention(c);
    }
  }
}

void TcpEngine::drop_drains(Busy& b) {
  while (b.drains != kNoIndex) {
    const uint32_t slot = b.drains;
    b.drains = drains_.at(slot).link;
    drains_.release(slot);
  }
}

/// Any number of requests may wait on one connection. Without memory for one more it is answered at once: too early a
/// word makes its waiter look again, a lost one would hold it for ever.
void TcpEngine::request_drain(Handle handle, uint32_t low_water, uint32_t cookie) {
  Tcb* const c = find_alive(handle);
  if (c == nullptr) return count(Counter::stale_records);
  Busy* const b = need_busy(*c);
  const uint32_t slot = b == nullptr ? kNoIndex : drains_.allocate();
  if (slot == kNoIndex) {
    count(Counter::drop_no_busy);
    app_.drained(handle, cookie);
    return;
  }
  drains_.at(slot) = {low_water, cookie, b->drains};
  b->drains = slot;
  check_drained(*c, *b);
  drop_busy_if_idle(*c);
}

}  // namespace qstack
