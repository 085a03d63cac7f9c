// The end of a connection: FIN both ways, RST, TIME-WAIT, and what the app is told (RFC 9293 3.6, 3.10.4, 3.10.5).
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

void TcpEngine::shutdown(Handle handle) {
  Tcb* const c = find_alive(handle);
  if (c == nullptr) return count(Counter::stale_records);
  if (c->has(kFinQueued)) return;
  if (c->state == TcpState::syn_sent) return finish(*c, CloseReason::aborted);
  if (need_busy(*c) == nullptr) {
    count(Counter::drop_no_busy);
    return reset_connection(*c, CloseReason::aborted);
  }
  c->set(kFinQueued);
  output(*c);
}

void TcpEngine::close(Handle handle) {
  Tcb* const c = find_alive(handle);
  if (c == nullptr) return count(Counter::stale_records);
  const uint32_t linger_ms = option_of(*c, TcpOption::linger_ms);
  if (linger_ms == 0) return abort(handle, CloseReason::aborted);
  c->set(kAppClosed);
  if (c->busy != kNoIndex && undelivered(*c, busy_.at(c->busy))) return reset_connection(*c, CloseReason::aborted);
  if (c->state == TcpState::fin_wait_2 && c->busy != kNoIndex) limit_fin_wait(*c, busy_.at(c->busy));
  if (c->state != TcpState::fin_wait_2 && linger_ms != kOptionUnset) linger(*c, linger_ms);
  shutdown(handle);
}

/// SO_LINGER: what is not acknowledged in time, FIN included, is given up by RST.
void TcpEngine::linger(Tcb& c, uint32_t limit_ms) {
  if (c.has(kAckDelayed)) ack_now(c);
  c.clear(kAckDelayed);
  stop_probing(c);
  c.set(kLingers);
  c.own_deadline_ms = deadline(limit_ms);
  arm(c, c.own_deadline_ms);
}

/// Data that the app had no room for, and now never takes: the peer is told by RST that it was lost (RFC 9293 3.6.1).
bool TcpEngine::undelivered(const Tcb& c, const Busy& b) {
  return b.out_of_order != nullptr && seq_le(b.out_of_order->sequence, c.rcv_nxt);
}

void TcpEngine::abort(Handle handle, CloseReason reason) {
  Tcb* const c = find_alive(handle);
  if (c == nullptr) return count(Counter::stale_records);
  if (c->state == TcpState::syn_sent) return finish(*c, reason);
  reset_connection(*c, reason);
}

void TcpEngine::reset_connection(Tcb& c, CloseReason reason) {
  count(Counter::resets_out);
  send_flags(c, c.snd_nxt, kRst | kAck);
  finish(c, reason);
}

void TcpEngine::fin_acknowledged(Tcb& c) {
  c.clear(kLingers);
  switch (c.state) {
    case TcpState::fin_wait_1:
      c.state = TcpState::fin_wait_2;
      if (c.has(kAppClosed)) limit_fin_wait(c, busy_.at(c.busy));
      break;
    case TcpState::closing:
      enter_time_wait(c);
      break;
    case TcpState::last_ack:
      finish(c, CloseReason::finished);
      break;
    default:
      break;
  }
}

/// A peer that never sends its FIN must not hold a connection that the app has given up.
void TcpEngine::limit_fin_wait(Tcb& c, Busy& b) {
  start_timer(c, b, TimerKind::rto, uint64_t{std::max(config_.time_wait_ms, 1u)} * 1'000);
}

/// The slot is free from here on; a 64 B record answers for the connection during 2 MSL (RFC 9293 3.6.1).
void TcpEngine::enter_time_wait(Tcb& c) {
  if (c.has(kAckNow)) send_ack(c);  // of the peer's FIN; out of CLOSING it has left already
  if (time_wait_.available() == 0 && time_wait_list_.front() != kNoIndex) free_time_wait(time_wait_list_.front());
  const uint32_t slot = config_.time_wait_ms == 0 ? kNoIndex : time_wait_.allocate();
  if (slot != kNoIndex) {
    TimeWait& t = time_wait_.at(slot);
    t = TimeWait{};
    t.key = c.key;
    t.snd_nxt = c.snd_nxt;
    t.rcv_nxt = c.rcv_nxt;
    t.ts_recent = c.ts_recent;
    t.ts_offset = c.ts_offset;
    t.neighbor = c.neighbor;
    t.flags = static_cast<uint16_t>(c.flags & kTimestamps);
    t.challenged = c.challenged;
    t.marks = marks_of(c.profile);
    t.window = static_cast<uint16_t>(receive_window(c) >> c.rcv_wscale());
    t.deadline_ms = deadline(config_.time_wait_ms);
    time_wait_list_.push_back(time_wait_, slot);
    flows_.replace(hash_of(c.key), flow_value(Kind::connection, slot_of(c)), flow_value(Kind::time_wait, slot));
  }
  finish(c, CloseReason::finished);
}

void TcpEngine::free_time_wait(uint32_t slot) {
  const FlowKey& key = time_wait_.at(slot).key;
  erase_flow(key, hash_of(key), flow_value(Kind::time_wait, slot));
  time_wait_list_.unlink(time_wait_, slot);
  time_wait_.release(slot);
}

/// RST is ignored (RFC 1337); a SYN that is newer in time or sequence opens anew, an old one is dropped (RFC 6191); the
/// rest is acknowledged.
void TcpEngine::on_time_wait(uint32_t slot, Arrival& arrival) {
  TimeWait& t = time_wait_.at(slot);
  const TcpSegment& s = arrival.segment;
  if ((s.flags & (kSyn | kAck | kRst)) == kSyn) {
    if (!opens_anew(t, s)) return drop(arrival.packet, Counter::drop_tcp_sequence);
    // RFC 9293 3.6.1: above all that was sent on the old connection, wherever the clock of RFC 6528 stands.
    const Seq iss = seq_max(initial_sequence(t.key), t.snd_nxt + 0x10000);
    // A cookie chooses its own number: only timestamps then keep what is left of the old connection out.
    const bool may_cookie = (t.flags & kTimestamps) && s.options.has_timestamps;
    if (half_open_full() && !may_cookie) return drop(arrival.packet, Counter::drop_syn_half_open);
    free_time_wait(slot);
    return open_passively(arrival, iss, may_cookie);
  }
  if (!(s.flags & kRst)) acknowledge_in_time_wait(t, slot, s);
  rx_.release(arrival.packet);
}

/// The table of RFC 6191 2.
bool TcpEngine::opens_anew(const TimeWait& t, const TcpSegment& s) const {
  const bool newer = seq_gt(s.seq, t.rcv_nxt - 1);
  const bool timed = s.options.has_timestamps && config_.timestamps;
  if (!(t.flags & kTimestamps)) return timed || newer;
  if (!timed) return newer;
  return seq_gt(s.options.ts_value, t.ts_recent) || (s.options.ts_value == t.ts_recent && newer);
}

void TcpEngine::acknowledge_in_time_wait(TimeWait& t, uint32_t slot, const TcpSegment& s) {
  // The ACK that the peer sent when it entered TIME-WAIT itself: two ends that answered each other's would not stop.
  const bool expected = s.sequence_length() == 0 && s.seq == t.rcv_nxt && (s.flags & kAck) && s.ack == t.snd_nxt;
  if (expected) return;
  const bool last_again = (s.flags & kFin) && s.seq + s.sequence_length() == t.rcv_nxt;
  if (!last_again && !may_challenge(t.challenged)) return;
  uint8_t options[12];
  const uint8_t length = (t.flags & kTimestamps) ? write_timestamps(options, ts_clock() + t.ts_offset, t.ts_recent) : 0;
  count(Counter::acks_out);
  send_control({t.key, t.snd_nxt, t.rcv_nxt, t.neighbor, t.window, kAck, t.marks}, options, length);
  if (!last_again) return;
  if (s.options.has_timestamps && seq_gt(s.options.ts_value, t.ts_recent)) t.ts_recent = s.options.ts_value;
  t.deadline_ms = deadline(config_.time_wait_ms);  // our last ACK was lost: wait anew
  time_wait_list_.unlink(time_wait_, slot);
  time_wait_list_.push_back(time_wait_, slot);
}

/// Takes a connection out of everything. What is left is to tell the app; then the slot is free.
void TcpEngine::finish(Tcb& c, CloseReason reason) {
  disarm(c);
  release_busy(c);
  profiles_.release(c.profile);
  if (!c.has(kActiveOpen)) sources_.remove(SourceUse::open, source_of(c.key));
  erase_flow(c.key, hash_of(c.key), flow_value(Kind::connection, slot_of(c)));
  drop_side_records(c);
  c.state = TcpState::closed;
  c.close_reason = static_cast<uint8_t>(reason);
  c.flags &= kAttention;
  count(Counter::connections_closed);
  notify_closed(c);
}

void TcpEngine::drop_side_records(Tcb& c) {
  if (c.has(kSums)) sums_.remove(slot_of(c));
  if (c.has(kUrgent)) urgent_.remove(slot_of(c));
}

void TcpEngine::notify_closed(Tcb& c) {
  if (!app_.closed(handle_of(c), static_cast<CloseReason>(c.close_reason))) {
    c.set(kClosedDue);
    return want_attention(c);
  }
  c.clear(kClosedDue);
  ++c.generation;
  tcbs_.release(slot_of(c));
}

}  // namespace qstack
