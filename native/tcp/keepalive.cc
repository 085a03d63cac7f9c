// Connections that are silent: idle timeout and keepalive (RFC 9293 3.8.4, RFC 1122 4.2.3.6).
//
// In: the coarse stamp of the last segment that came. Out: probes, and the end of a connection. A sweep looks at every slot
// once per eighth of the shortest time that anybody asked for, so an idle connection has no timer and no memory of its
// own; only while it is probed its timer node runs, and what a delayed ACK would need holds the state.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

/// A few slots in each millisecond.
void TcpEngine::sweep_silent() {
  const uint32_t keepalive_ms = profiles_.keepalive_idle_ms(), idle_ms = config_.idle_timeout_ms;
  const uint32_t shortest_ms = keepalive_ms == 0 || idle_ms == 0 ? keepalive_ms + idle_ms : std::min(keepalive_ms, idle_ms);
  if (shortest_ms == 0 || now_ms_ == sweep_ms_ || tcbs_.touched() == 0) return;
  const uint32_t period_ms = std::max(shortest_ms / 8, 1u);
  const uint32_t elapsed_ms = std::min(now_ms_ - sweep_ms_, period_ms);
  uint32_t looks = static_cast<uint32_t>(uint64_t{tcbs_.touched()} * elapsed_ms / period_ms) + 1;
  sweep_ms_ = now_ms_;
  for (; looks > 0; --looks) {
    if (++sweep_slot_ >= tcbs_.touched()) sweep_slot_ = 0;
    Tcb& c = tcbs_.at(sweep_slot_);
    if (c.state >= TcpState::established && now_ms_ - c.last_active_ms >= shortest_ms) look_at_silent(c);
  }
}

void TcpEngine::look_at_silent(Tcb& c) {
  const uint32_t silent_ms = now_ms_ - c.last_active_ms;
  const bool open = c.state == TcpState::established || c.state == TcpState::close_wait;
  if (open && config_.idle_timeout_ms != 0 && silent_ms >= config_.idle_timeout_ms) {
    count(Counter::idle_closed);
    return reset_connection(c, CloseReason::idle);
  }
  const SocketOptions& options = profile_of(c).options;
  const bool wanted = options[TcpOption::keepalive] != 0 && silent_ms >= options[TcpOption::keepalive_idle_ms];
  const bool waits = open || (c.state == TcpState::fin_wait_2 && !c.has(kAppClosed));
  const bool otherwise_busy = (c.flags & kOwnDeadline) || owed(c);
  if (wanted && waits && !otherwise_busy) send_keepalive(c);
}

/// Data are under way or wait for the peer's window: their own timers find out whether it is there.
bool TcpEngine::owed(const Tcb& c) const {
  return in_flight(c) != 0 || (c.busy != kNoIndex && busy_.at(c.busy).unsent_bytes != 0);
}

/// Below the window, so that the peer must answer, and without data, so that nothing can be taken for what it is not.
void TcpEngine::send_keepalive(Tcb& c) {
  const uint8_t before = c.has(kProbing) ? c.keepalives : 0;
  count(Counter::keepalive_probes);
  send_flags(c, c.snd_una - 1, kAck);
  c.set(kProbing);
  c.keepalives = static_cast<uint8_t>(before + 1);
  c.own_deadline_ms = deadline(option_of(c, TcpOption::keepalive_interval_ms));
  arm(c, c.own_deadline_ms);
}

/// RFC 1122 4.2.3.6: an unanswered probe says nothing, so several must be lost. A user timeout (RFC 5482) says how long
/// the peer may be silent, instead of their number.
void TcpEngine::on_keepalive(Tcb& c) {
  const SocketOptions& options = profile_of(c).options;
  if (owed(c)) return stop_probing(c);
  const uint32_t user_timeout_ms = options[TcpOption::user_timeout_ms];
  const bool over = user_timeout_ms != 0 ? now_ms_ - c.last_active_ms >= user_timeout_ms
                                         : c.keepalives >= options[TcpOption::keepalive_count];
  if (!over) return send_keepalive(c);
  count(Counter::keepalive_closed);
  reset_connection(c, CloseReason::timed_out);
}

/// A segment of the peer's that nobody can forge who does not see the connection: with any other a stranger could keep a
/// dead connection open.
void TcpEngine::heard(Tcb& c) {
  c.last_active_ms = now_ms_;
  stop_probing(c);
}

/// The peer is there, or it is no longer the question.
void TcpEngine::stop_probing(Tcb& c) {
  if (!c.has(kProbing)) return;
  c.clear(kProbing);
  c.keepalives = 0;
}

}  // namespace qstack
