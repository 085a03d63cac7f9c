// Urgent data (RFC 9293 3.8.5, RFC 6093): they are delivered in line, like all others; the app hears that there are some, and
// can ask how much of what it has not read yet is urgent.
// In: URG and its pointer. Out: App::urgent. RCV.UP lies beside the control block, from the signal until the app has read on
// to it: hardly anybody uses the mechanism, and apps SHOULD NOT (RFC 9293 3.8.5).
#include "native/tcp/engine.hh"

namespace qstack {

/// RFC 9293 3.10.7.4, sixth check. The pointer names the first octet that is not urgent. Each time that it moves on the app
/// hears of it (MUST-32).
void TcpEngine::take_urgent(Tcb& c, const TcpSegment& s) {
  count(Counter::urgent_in);
  const bool open = c.state == TcpState::established || c.state == TcpState::fin_wait_1 || c.state == TcpState::fin_wait_2;
  const Seq end = s.seq + s.urgent;
  if (!open || c.has(kAppClosed) || seq_le(end, unread_from(c))) return;
  const bool pending = c.has(kUrgent);
  if (pending && seq_le(end, urgent_.at(slot_of(c)))) return;
  Seq* const place = pending ? &urgent_.at(slot_of(c)) : urgent_.add(slot_of(c));
  if (place == nullptr) return count(Counter::urgent_untold);
  *place = end;
  c.set(kUrgent);
  tell_urgent(c);
}

void TcpEngine::tell_urgent(Tcb& c) {
  c.clear(kUrgentDue);
  if (app_.urgent(handle_of(c))) return;
  c.set(kUrgentDue);
  want_attention(c);
}

/// The first octet that the app has not let go of; of a stream, else what was not handed over.
Seq TcpEngine::unread_from(const Tcb& c) const {
  return c.rcv_nxt - (c.busy == kNoIndex ? 0 : busy_.at(c.busy).unread);
}

uint32_t TcpEngine::urgent_bytes(const Tcb& c) const {
  return c.has(kUrgent) ? urgent_.at(slot_of(c)) - unread_from(c) : 0;
}

uint32_t TcpEngine::urgent(Handle handle) const {
  const Tcb* const c = find_alive(handle);
  return c == nullptr ? 0 : urgent_bytes(*c);
}

/// The app has read on.
void TcpEngine::pass_urgent(Tcb& c) {
  if (seq_gt(urgent_.at(slot_of(c)), unread_from(c))) return;
  c.flags &= ~uint32_t{kUrgent | kUrgentDue};
  urgent_.remove(slot_of(c));
}

}  // namespace qstack
