// Payload on its way to the app: trimming, the window that we advertise, and when we acknowledge. messages.cc hands it over.
// Read first: RFC 9293 3.10.7.4 (seventh and eighth check), 3.8.6.2; RFC 5681 4.2.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

void TcpEngine::receive_payload(Tcb& c, Arrival& arrival) {
  Packet* const packet = arrival.packet;
  const TcpSegment& s = arrival.segment;
  const Seq fin_seq = s.seq + s.payload_length;
  const SackBlock known = {s.seq, seq_lt(fin_seq, c.rcv_nxt) ? fin_seq : c.rcv_nxt};
  const bool open = c.state == TcpState::established || c.state == TcpState::fin_wait_1 || c.state == TcpState::fin_wait_2;
  if (!open) return rx_.release(packet);
  if (c.has(kAppClosed) && seq_gt(fin_seq, c.rcv_nxt)) {  // nobody will read it (RFC 9293 3.6.1)
    rx_.release(packet);
    return reset_connection(c, CloseReason::aborted);
  }
  if (!trim_to_window(c, packet)) {
    count(Counter::duplicates_in);
    ack_now(c);  // unless it is reported as a duplicate
    rx_.release(packet);
  } else if (!accepts_data(c, packet)) {
    rx_.release(packet);
    return;
  } else if (packet->sequence == c.rcv_nxt) {
    take_in_order(c, packet);
  } else {
    take_out_of_order(c, packet);
  }
  if (c.state == TcpState::closed) return;
  if (s.flags & kFin) note_fin(c, fin_seq);
  if (c.state != TcpState::closed && seq_lt(known.first, known.end)) report_duplicate(c, known);
}

/// A quarter of the RX packets is kept for control and level 0, the last eighth for control alone: an app that waits for
/// room to send holds what it has received, and the ACKs that make this room must still come in. What is refused here was
/// never accepted by TCP, so the peer sends it again. For the next bytes in order, segments that wait for TCP count as
/// free, which those that are refused will be: else a burst of retransmissions that fills the pool by itself would be
/// refused as a whole, each time that it comes, while what it is to complete holds the rest of the pool. An eighth more
/// is kept for what fills holes: what lies behind them may not take all the room that its release depends on. And what
/// fills holes leaves a sixteenth to what is next: else a connection with many takes each packet that comes free, and
/// those without any get none.
bool TcpEngine::accepts_data(Tcb& c, const Packet* packet) {
  if (has_room_for(c, packet)) return true;
  count(Counter::rx_deferred);
  ++counters_.deferred_by_level[packet->level];
  return false;
}

bool TcpEngine::has_room_for(Tcb& c, const Packet* packet) {
  if (!app_.has_budget(packet->level)) return false;
  const bool next = packet->sequence == c.rcv_nxt;
  const bool releases = next && c.busy != kNoIndex && busy_.at(c.busy).beyond_hole();
  const uint32_t room = rx_.available() + (next ? waiting_ : 0), sixteenth = rx_.capacity() / 16;
  if (room >= sixteenth * (!next ? 7 : packet->level == 0 || releases ? 2 : 4)) return true;
  return !next && fills_hole(c, packet->sequence) && (room >= sixteenth * 5 || make_way(c));
}

/// Cuts what we have and what lies beyond the window. False: nothing is left.
bool TcpEngine::trim_to_window(Tcb& c, Packet* packet) {
  if (seq_lt(packet->sequence, c.rcv_nxt)) {
    const uint32_t old = c.rcv_nxt - packet->sequence;
    if (old >= packet->payload_length) return false;
    packet->sequence += old;
    packet->payload = static_cast<uint16_t>(packet->payload + old);
    packet->payload_length = static_cast<uint16_t>(packet->payload_length - old);
  }
  const uint32_t room = c.rcv_adv - packet->sequence;
  if (packet->payload_length > room) packet->payload_length = static_cast<uint16_t>(room);
  return packet->payload_length != 0;
}

void TcpEngine::take_in_order(Tcb& c, Packet* packet) {
  const uint32_t length = packet->payload_length;
  const uint8_t level = packet->level;
  const bool filled_hole = c.busy != kNoIndex && busy_.at(c.busy).beyond_hole();
  const uint32_t taken = deliver(c, packet);
  if (c.state == TcpState::closed) return;
  advance(c, taken);
  if (taken < length) return keep_rest(c, packet, taken);
  if (c.busy != kNoIndex && busy_.at(c.busy).beyond_hole()) drain_out_of_order(c);
  if (c.state == TcpState::closed) return;
  if (c.segments_unacked < 255) ++c.segments_unacked;
  if (filled_hole || c.segments_unacked >= 2 || answer_is_far(c, level)) {
    ack_now(c);
  } else {
    ack_later(c);
  }
}

/// An ACK that waited would leave before there is anything to send with it: later, and with a timer.
bool TcpEngine::answer_is_far(const Tcb& c, uint8_t level) const {
  const Stamp waited = app_.waited(slot_of(c), level);
  return waited != 0 && waited > to_stamp(Nanos{option_of(c, TcpOption::delayed_ack_ms)} * 1'000'000);
}

/// RCV.NXT moves over bytes that the app has taken.
void TcpEngine::advance(Tcb& c, uint32_t length) {
  c.rcv_nxt += length;
  if (c.has(kSums)) [[unlikely]] sums_.at(slot_of(c)).bytes_received += length;
  if (c.has(kUrgent)) [[unlikely]] pass_urgent(c);
}

/// The app had no room for all of it: the rest waits as if it had come out of order, and is not acknowledged.
void TcpEngine::keep_rest(Tcb& c, Packet* packet, uint32_t taken) {
  packet->sequence += taken;
  packet->payload = static_cast<uint16_t>(packet->payload + taken);
  packet->payload_length = static_cast<uint16_t>(packet->payload_length - taken);
  Busy* const b = need_busy(c);
  if (b == nullptr) return drop(packet, Counter::drop_no_busy);
  pass_early(c, *b);
  trim_kept(c, *b);
  store_out_of_order(*b, packet);
  count(Counter::rx_deferred);
  want_attention(c);
  overtake_unread(c, *b);
}

/// RFC 9293 3.10.7.4, eighth check. A FIN beyond a hole is remembered.
void TcpEngine::note_fin(Tcb& c, Seq fin_seq) {
  if (c.has(kFinReceived)) return;
  if (fin_seq == c.rcv_nxt) return process_fin(c);
  if (!seq_within(fin_seq, c.rcv_nxt, c.rcv_adv - c.rcv_nxt + 1)) return;
  Busy* const b = need_busy(c);
  if (b == nullptr) return count(Counter::drop_no_busy);
  b->mark(kFinOutOfOrder);
  b->fin_seq = fin_seq;
}

void TcpEngine::process_fin(Tcb& c) {
  ++c.rcv_nxt;
  if (seq_lt(c.rcv_adv, c.rcv_nxt)) c.rcv_adv = c.rcv_nxt;
  c.set(kFinReceived);
  if (c.busy != kNoIndex) {
    busy_.at(c.busy).unmark(kFinOutOfOrder);
    drop_kept(busy_.at(c.busy));  // nothing follows a FIN
  }
  if (c.state == TcpState::established) {
    ack_next_turn(c);
    c.state = TcpState::close_wait;
  } else {
    ack_now(c);
  }
  const bool last = c.state == TcpState::fin_wait_2;
  if (c.state == TcpState::fin_wait_1) c.state = TcpState::closing;
  tell_ended(c);
  if (last) enter_time_wait(c);
}

void TcpEngine::tell_ended(Tcb& c) {
  c.clear(kEndedDue);
  if (c.has(kAppClosed) || app_.ended(handle_of(c))) return;
  c.set(kEndedDue);
  want_attention(c);
}

void TcpEngine::release(Handle handle, Packet* packet, uint16_t length) {
  const bool waits = packet->tx_flags & kRxUnread;
  rx_.release(packet);
  if (!waits) return;  // nobody looks at a connection for messages: of ten million it is in no cache by now
  Tcb* const c = find_alive(handle);
  if (c == nullptr || c->busy == kNoIndex) return;
  Busy& b = busy_.at(c->busy);
  b.unread -= std::min<uint32_t>(b.unread, length);
  if (c->has(kUrgent)) [[unlikely]] pass_urgent(*c);
  open_window(*c);
  drop_busy_if_idle(*c);
}

/// The peer is told of room that is worth it.
void TcpEngine::open_window(Tcb& c) {
  const uint32_t gain = c.rcv_nxt + receive_window(c) - c.rcv_adv;
  // Less than a step would not be advertised, and an ACK that says nothing new is not worth its way.
  const uint32_t worth = std::max(option_of(c, TcpOption::receive_buffer) / 4, window_step(c));
  if (static_cast<int32_t>(gain) >= static_cast<int32_t>(worth)) ack_now(c);
}

/// Streams wait by their window: without budget for their level it opens no further.
uint32_t TcpEngine::receive_window(const Tcb& c) const {
  const bool spent = profile_of(c).framing == Framing::stream && c.stream_level != 0 &&
                     !app_.has_budget(static_cast<uint8_t>(c.stream_level - 1));
  if (spent) [[unlikely]] return c.rcv_adv - c.rcv_nxt;
  const uint32_t unread = c.busy == kNoIndex ? 0 : busy_.at(c.busy).unread;
  const uint32_t buffer = option_of(c, TcpOption::receive_buffer);
  const uint32_t room = buffer > unread ? buffer - unread : 0;
  return std::min<uint32_t>(room, 0xffffu << c.rcv_wscale());
}

/// The window field of a segment. The right edge never moves back, and moves on by steps that are worth it (RFC 9293
/// 3.8.6.2.2).
uint16_t TcpEngine::advertise(Tcb& c) {
  const Seq edge = c.rcv_nxt + receive_window(c);
  if (static_cast<int32_t>(edge - c.rcv_adv) >= static_cast<int32_t>(window_step(c))) c.rcv_adv = edge;
  return static_cast<uint16_t>(std::min<uint32_t>((c.rcv_adv - c.rcv_nxt) >> c.rcv_wscale(), 0xffff));
}

void TcpEngine::ack_now(Tcb& c) {
  if (c.has(kAckNow)) return;
  c.set(kAckNow);
  ack_list_.push_back(slot_of(c));
}

void TcpEngine::ack_next_turn(Tcb& c) {
  if (c.has(kAckNow)) return;
  if (option_of(c, TcpOption::quick_ack) != 0) return ack_now(c);
  c.set(kAckNow);
  next_ack_list_.push_back(slot_of(c));
}

void TcpEngine::ack_later(Tcb& c, uint32_t least_ms) {
  if (c.has(kAckNow) || c.has(kAckDelayed)) return;
  const SocketOptions& options = profile_of(c).options;
  const uint32_t asked_ms = options[TcpOption::quick_ack] != 0 ? 0 : options[TcpOption::delayed_ack_ms];
  const uint32_t delay_ms = std::max(asked_ms, least_ms);
  if (delay_ms == 0) return ack_now(c);
  c.set(kAckDelayed);
  c.own_deadline_ms = deadline(delay_ms);
  arm(c, c.own_deadline_ms);
}

}  // namespace qstack
