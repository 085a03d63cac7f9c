// Options of a connection while it is open: a new set of them is another Profile, and takes effect at once.
//
// What is read where it matters (TTL, retries, delayed ACK, …) needs nothing more; the others are in apply_option.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

int TcpEngine::set_option(Handle handle, TcpOption option, uint32_t value) {
  Tcb* const c = find_alive(handle);
  if (c == nullptr) return -ENOTCONN;
  Profile changed = profile_of(*c);
  const int fault = changed.options.set(option, value);
  if (fault != 0) return fault;
  changed.options.complete(standard_);
  const uint16_t number = profiles_.use(changed);
  if (number == ProfileTable::kNone) {
    count(Counter::options_refused);
    return -ENOBUFS;
  }
  profiles_.release(c->profile);
  c->profile = number;
  apply_option(*c, option);
  return 0;
}

std::optional<uint32_t> TcpEngine::option(Handle handle, TcpOption option) const {
  const Tcb* const c = find_alive(handle);
  if (c == nullptr || static_cast<size_t>(option) >= kTcpOptions) return std::nullopt;
  return option_of(*c, option);
}

void TcpEngine::apply_option(Tcb& c, TcpOption option) {
  Busy* const b = busy_of(c);
  switch (option) {
    case TcpOption::quick_ack:
    case TcpOption::delayed_ack_ms:
      if (!c.has(kAckDelayed)) return;
      c.clear(kAckDelayed);
      return c.segments_unacked != 0 ? ack_later(c) : ack_now(c);
    case TcpOption::keepalive:
      if (option_of(c, option) == 0) stop_probing(c);
      return;
    case TcpOption::user_timeout_ms:
      if (b != nullptr) hurry_timer(c, *b);
      return;
    case TcpOption::max_segment:  // what the peer or the path does not take it does not make possible
      c.mss = std::min(c.mss, largest_mss(c));
      return;
    case TcpOption::congestion:
      return change_congestion(c);
    case TcpOption::receive_buffer:
      return open_window(c);
    case TcpOption::rto_min_ms:
      if (b != nullptr && !c.opening()) b->rto_us = rto_of(c);
      return;
    case TcpOption::pacing_rate:
      if (b != nullptr) b->pace_us = now_us_;
      return output(c);
    case TcpOption::no_delay:
      return output(c);
    case TcpOption::sums:
      return choose_sums(c);
    default:
      return;
  }
}

/// The window goes on from where it is; what the old algorithm knew about the path is nothing to the new one.
void TcpEngine::change_congestion(Tcb& c) {
  c.remembered = 0;
  Busy* const b = busy_of(c);
  if (b == nullptr) return;
  const CongestionState before = b->congestion;
  b->congestion = {};
  b->congestion.cwnd = before.cwnd;
  b->congestion.ssthresh = before.ssthresh;
  congestion_of(c).start(b->congestion, 0);
}

}  // namespace qstack
