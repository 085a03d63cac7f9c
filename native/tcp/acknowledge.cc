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
  if (seq_lt(s.ack, c.snd_una)) return true;  // old: its data may still be new
  update_send_window(c, s);
  Busy* const b = busy_of(c);
  if (b == nullptr) return true;
  if (c.has(kSackPermitted) && s.options.sack_count != 0) take_sack(c, *b, s);
  if (s.ack != c.snd_una) {
    acknowledge(c, *b, s.ack);
  } else if (s.payload_length == 0 && !(s.flags & kFin) && in_flight(c) != 0 && c.snd_wnd == previous_window) {
    duplicate_ack(c, *b, s);
  }
  if (c.state == TcpState::closed) return true;
  if (b->persisting && c.snd_wnd != 0) {
    b->persisting = false;
    b->retries = 0;
    stop_rto(*b);
  }
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

void TcpEngine::acknowledge(Tcb& c, Busy& b, Seq ack) {
  const uint32_t acked = ack - c.snd_una;
  const bool fin_acked = c.has(kFinSent) && ack == c.snd_nxt;
  c.snd_una = ack;
  const uint32_t rtt_us = pop_acknowledged(c, b);
  if (rtt_us != 0) measure_rtt(c, rtt_us);
  b.rto_us = rto_of(c);
  b.retries = 0;
  recovery_progress(c, b, ack, acked);
  if (in_flight(c) == 0) {
    stop_rto(b);
  } else {
    start_rto(c, b);  // RFC 6298 5.3
  }
  if (fin_acked) fin_acknowledged(c);
}

/// Removes what is acknowledged from the retransmission queue. Returns an RTT sample in µs, or 0: the newest segment
/// that was sent once only counts (Karn, RFC 6298 3).
uint32_t TcpEngine::pop_acknowledged(Tcb& c, Busy& b) {
  uint32_t rtt_us = 0;
  while (!b.retransmit.empty()) {
    Packet* const packet = b.retransmit.front();
    const Seq end = packet->sequence + packet->payload_length;
    const uint32_t gone = seq_le(end, c.snd_una) ? packet->payload_length
                          : seq_lt(packet->sequence, c.snd_una) ? c.snd_una - packet->sequence
                                                                : 0;
    if (gone == 0) break;
    if (packet->tx_flags & kTxSacked) b.sacked_bytes -= gone;
    if (packet->tx_flags & kTxLost) b.lost_bytes -= gone;
    if (packet->tx_count == 1) rtt_us = std::max(now_us_ - packet->sent_us, 1u);
    if (gone < packet->payload_length) {  // a part: the rest stays
      packet->sequence += gone;
      packet->payload = static_cast<uint16_t>(packet->payload + gone);
      packet->payload_length = static_cast<uint16_t>(packet->payload_length - gone);
      break;
    }
    tx_.release(b.retransmit.pop_front());
  }
  return rtt_us;
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

/// RTO = SRTT + max(G, 4 RTTVAR), between the configured bounds; 1 s before the first sample.
uint32_t TcpEngine::rto_of(const Tcb& c) const {
  if (c.srtt_us == 0) return 1'000'000;
  const uint32_t rto = c.srtt_us + std::max(1'000u, 4 * c.rttvar_us);
  return std::clamp(rto, config_.rto_min_ms * 1'000, config_.rto_max_ms * 1'000);
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
