// Time: retransmission and persist, delayed ACK, half-open and TIME-WAIT records (RFC 6298, RFC 9293 3.8).
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {
namespace {

/// After an overload tens of thousands of timers fall due in one tick; received frames must not wait for them all.
constexpr uint32_t kTimersPerTurn = 512;
/// RFC 9293 3.8.3: after so many retransmissions IP is told; SHLD-10 wants three at least.
constexpr uint8_t kR1 = 3;

}  // namespace

void TcpEngine::arm(Tcb& c, uint32_t at_ms) {
  const uint32_t slot = slot_of(c);
  if (due(at_ms)) at_ms = now_ms_ + 1;
  if (c.has(kTimerArmed)) {
    if (static_cast<int32_t>(c.timer.tick - at_ms) <= 0) return;  // fires before: then it is armed again
    wheel_.disarm(slot);
  }
  c.set(kTimerArmed);
  wheel_.arm(slot, at_ms);
}

void TcpEngine::disarm(Tcb& c) {
  if (!c.has(kTimerArmed)) return;
  c.clear(kTimerArmed);
  wheel_.disarm(slot_of(c));
}

void TcpEngine::arm_earliest(Tcb& c) {
  if (c.flags & kOwnDeadline) arm(c, c.own_deadline_ms);
  if (c.busy != kNoIndex && busy_.at(c.busy).rto_deadline_ms != 0) arm(c, busy_.at(c.busy).rto_deadline_ms);
}

void TcpEngine::start_timer(Tcb& c, Busy& b, TimerKind kind, uint64_t delay_us) {
  b.timer = kind;
  b.rto_deadline_ms = deadline(static_cast<uint32_t>((delay_us + 999) / 1'000));
  arm(c, b.rto_deadline_ms);
}

/// RFC 6298 5.5: doubled with each time-out until there is an RTT sample again.
uint64_t TcpEngine::backed_off_rto_us(const Busy& b) const {
  return std::min(uint64_t{b.rto_us} << std::min<uint8_t>(b.backoff, 16), uint64_t{config_.rto_max_ms} * 1'000);
}

/// `delay_us`, or what the user timeout leaves of it (RFC 5482).
uint64_t TcpEngine::within_user_timeout(const Tcb& c, const Busy& b, uint64_t delay_us) const {
  const uint32_t limit_ms = option_of(c, TcpOption::user_timeout_ms);
  if (limit_ms == 0) return delay_us;
  const uint32_t passed_ms = now_ms_ - b.progress_ms;
  return std::min(delay_us, passed_ms >= limit_ms ? 1'000 : uint64_t{limit_ms - passed_ms} * 1'000);
}

/// The user timeout is another now.
void TcpEngine::hurry_timer(Tcb& c, Busy& b) {
  const bool waits = b.rto_deadline_ms != 0 && (b.timer == TimerKind::rto || b.timer == TimerKind::persist);
  if (!waits || c.state == TcpState::fin_wait_2) return;
  const auto left_ms = std::max(static_cast<int32_t>(b.rto_deadline_ms - now_ms_), 1);
  start_timer(c, b, b.timer, within_user_timeout(c, b, static_cast<uint64_t>(left_ms) * 1'000));
}

/// RFC 6298 5.1, 5.3: from now on.
void TcpEngine::start_rto(Tcb& c, Busy& b) {
  start_timer(c, b, TimerKind::rto, within_user_timeout(c, b, backed_off_rto_us(b)));
}

/// Another timer took its place: as if it had run since the oldest segment was sent.
void TcpEngine::rearm_rto(Tcb& c, Busy& b) {
  b.rto_deadline_ms = 0;
  start_timer(c, b, TimerKind::rto, within_user_timeout(c, b, std::max<uint64_t>(rto_left_us(b), 1'000)));
}

uint64_t TcpEngine::rto_left_us(const Busy& b) const {
  if (b.rto_deadline_ms != 0 && b.timer == TimerKind::rto) return uint64_t{b.rto_deadline_ms - now_ms_} * 1'000;
  const uint64_t age_us = now_us_ - b.retransmit.front()->sent_us;
  const uint64_t rto_us = backed_off_rto_us(b);
  return rto_us > age_us ? rto_us - age_us : 0;
}

/// The peer's window is closed, or too small for a good segment, and nothing is in flight: ask from time to time (RFC
/// 9293 3.8.6.1).
void TcpEngine::start_persist(Tcb& c, Busy& b) {
  if (b.rto_deadline_ms != 0 && b.timer == TimerKind::persist) return;
  b.retries = b.backoff = 0;
  b.progress_ms = now_ms_;
  start_timer(c, b, TimerKind::persist, within_user_timeout(c, b, backed_off_rto_us(b)));
}

uint32_t TcpEngine::run_timers() {
  expire_half_open();
  expire_time_wait();
  sweep_silent();
  if (lowered_.oldest() != nullptr) [[unlikely]]
    raise_mss();
  return wheel_.advance(now_ms_, kTimersPerTurn, [this](uint32_t slot) { on_timer(slot); });
}

uint32_t TcpEngine::quiet_ms() const {
  if (!ack_list_.empty() || !next_ack_list_.empty()) return 0;
  return static_cast<uint32_t>(std::max(static_cast<int32_t>(wheel_.quiet_until() - now_ms_), 0));
}

void TcpEngine::on_timer(uint32_t slot) {
  Tcb& c = tcbs_.at(slot);
  c.clear(kTimerArmed);
  if ((c.flags & kOwnDeadline) && due(c.own_deadline_ms)) on_own_deadline(c);
  Busy* const b = busy_of(c);
  if (b != nullptr && b->rto_deadline_ms != 0 && due(b->rto_deadline_ms)) on_deadline(c, *b);
  if (c.state != TcpState::closed && c.busy != kNoIndex && busy_.at(c.busy).marked(kPaced)) {
    busy_.at(c.busy).unmark(kPaced);
    output(c);
  }
  if (c.state == TcpState::closed) return;
  drop_busy_if_idle(c);
  arm_earliest(c);
}

void TcpEngine::on_own_deadline(Tcb& c) {
  if (c.has(kProbing)) return on_keepalive(c);
  if (c.has(kLingers)) return reset_connection(c, CloseReason::aborted);
  c.clear(kAckDelayed);
  c.clear(kOvertaken);
  ack_now(c);
}

void TcpEngine::on_deadline(Tcb& c, Busy& b) {
  switch (b.timer) {
    case TimerKind::persist:
      return on_persist(c, b);
    case TimerKind::probe:
      return on_probe_timeout(c, b);
    case TimerKind::reordering:
      return on_reordering_timeout(c, b);
    default:
      return on_retransmission_timeout(c, b);
  }
}

/// True: the connection was given up. A user timeout takes the place of R2, but not of a SYN's.
bool TcpEngine::give_up(Tcb& c, Busy& b) {
  const uint32_t limit_ms = option_of(c, TcpOption::user_timeout_ms);
  const bool late = limit_ms != 0 && now_ms_ - b.progress_ms >= limit_ms;
  const uint32_t most = option_of(c, c.opening() ? TcpOption::syn_retries : TcpOption::retries);
  const bool tried = b.retries >= most && (limit_ms == 0 || c.opening());
  const bool unreachable = b.retries >= 2 && ip_.unreachable(c.neighbor);
  if (!late && !tried && !unreachable) return false;
  finish(c, unreachable || b.marked(kSoftError) ? CloseReason::unreachable : CloseReason::timed_out);
  return true;
}

/// RFC 6298 5.4 to 5.7, RFC 5681 3.1. What the port has not taken yet is late and not lost: a copy would only queue behind it.
void TcpEngine::on_retransmission_timeout(Tcb& c, Busy& b) {
  if (c.state == TcpState::fin_wait_2) return finish(c, CloseReason::finished);
  count(Counter::timeouts);
  if (give_up(c, b)) return;
  if (++b.retries == kR1) ip_.doubt(c.neighbor, now_);
  if (b.backoff < 255) ++b.backoff;
  if (c.opening()) {
    send_syn(c);
    return start_rto(c, b);
  }
  if (waits_here(b.retransmit.front())) return start_rto(c, b);
  if (b.retries == 1 || b.recovery != RecoveryKind::timeout) {  // RFC 5681 3.1: not again while the same data are lost
    b.unmark(kSoftError);
    begin_episode(c, b, in_flight(c));
    lower_threshold(c, b, CongestionEvent::timeout, in_flight(c));
  }
  suspect_black_hole(c, b);
  b.congestion.cwnd = c.mss;
  b.episode.delivered = b.episode.out = 0;
  b.recovery = RecoveryKind::timeout;
  b.recover = c.snd_nxt;
  b.duplicate_acks = 0;
  b.unmark(kProbeOut);
  mark_lost_on_timeout(c, b);
  start_rto(c, b);
  output(c);
}

/// A window that is too small for a good segment gets what fits it. A closed one is probed by a segment below it: any TCP
/// answers that with its current window, and for as long as it does we go on (RFC 9293 3.8.6.1), unless the app has set a
/// user timeout (RFC 6429 4); without answers it ends like a retransmission.
void TcpEngine::on_persist(Tcb& c, Busy& b) {
  const bool answered = now_ms_ - c.last_active_ms < 2 * config_.rto_max_ms;
  const bool limited = option_of(c, TcpOption::user_timeout_ms) != 0;
  if ((!answered || limited) && give_up(c, b)) return;
  if (send_room(c) > 0 && output_new(c, b, true)) return;
  if (b.retries < 255) ++b.retries;
  if (b.backoff < 255) ++b.backoff;
  count(Counter::zero_window_probes);
  send_flags(c, c.snd_una - 1, kAck);
  start_timer(c, b, TimerKind::persist, within_user_timeout(c, b, backed_off_rto_us(b)));
}

/// In a flood most records wait for nobody: they go sooner (RFC 4987 3.3).
void TcpEngine::expire_half_open() {
  constexpr uint8_t kRetriesInFlood = 2;
  const uint8_t retries_max = flooded_ ? std::min(config_.syn_retries_max, kRetriesInFlood) : config_.syn_retries_max;
  for (uint32_t tries = 0; tries < kSynTries; ++tries) {
    SlotList<HalfOpen>& list = half_open_lists_[tries];
    while (list.front() != kNoIndex && due(half_open_.at(list.front()).deadline_ms)) {
      const uint32_t slot = list.front();
      HalfOpen& h = half_open_.at(slot);
      count(Counter::timeouts);
      if (tries + 1 >= kSynTries || tries >= retries_max) {
        reset_half_open(slot, hash_of(h.key));
        continue;
      }
      list.unlink(half_open_, slot);
      ++h.retries;
      h.deadline_ms = deadline(syn_timeout_ms(h.retries));
      half_open_lists_[h.retries].push_back(half_open_, slot);
      count(Counter::retransmits);
      send_syn_ack(h, ts_clock() + timestamp_offset(h.key), nullptr);
    }
  }
}

void TcpEngine::expire_time_wait() {
  while (time_wait_list_.front() != kNoIndex && due(time_wait_.at(time_wait_list_.front()).deadline_ms)) {
    free_time_wait(time_wait_list_.front());
  }
}

}  // namespace qstack
