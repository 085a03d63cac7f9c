// SYN cookies: handshakes go on without memory while the half-open records are used up (RFC 4987 3.6, syn_cookie.hh).
#include "native/tcp/engine.hh"

namespace qstack {
namespace {

/// A peer that had our cookie is connected, whatever became of its third segment: where no slot is free it sends data, and
/// goes on with new data (RFC 8985 7) while the first is sent again and again. As long as a handshake of ours may take
/// (RFC 9293 3.8.3: three minutes for a SYN; Linux gives up after 63 s).
constexpr uint32_t kPatienceMs = 63'000;

}  // namespace

/// Cookies begin when no record is left, or no slot that is not promised to a record, and end when half of the records
/// are free again: one SYN more or less does not switch them.
bool TcpEngine::half_open_full() {
  const uint32_t limit = std::min(half_open_.capacity(), tcbs_.available());
  const uint32_t used = half_open_.used();
  if (!flooded_ && used >= limit) {
    flooded_ = true;
    count(Counter::syn_cookies_engaged);
  } else if (flooded_ && used <= limit / 2 && used < limit) {
    flooded_ = false;
  }
  return flooded_;
}

void TcpEngine::send_cookie(HalfOpen& h, const Arrival& arrival) {
  uint32_t ts_value = ts_clock() + timestamp_offset(h.key);
  if (h.flags & kTimestamps) {
    const CookieOptions options = {static_cast<uint8_t>(h.scales & 15), (h.flags & kWindowScaled) != 0,
                                   (h.flags & kSackPermitted) != 0, (h.flags & kEcn) != 0};
    ts_value = SynCookies::write_options(ts_value, options);
  } else {
    h.flags = 0;
    h.scales = 0;
  }
  h.iss = cookies_.make(arrival.hash, h.irs, h.mss, now_ms_);
  cookie_sent_ms_ = deadline(0);
  count(Counter::syn_cookies_sent);
  send_syn_ack(h, ts_value, arrival.packet);
}

/// A segment without a connection: the third of a handshake by cookie, if its ACK carries one. It may hold data. False:
/// it is something else, and answered as such.
bool TcpEngine::on_cookie(Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  const bool possible = cookie_sent_ms_ != 0 && now_ms_ - cookie_sent_ms_ < 2 * SynCookies::kLifeMs;
  if (!possible || (s.flags & (kSyn | kAck | kRst)) != kAck) return false;
  const Listener* const listener = find_listener(keys_.local(arrival.key), arrival.key.local_port);
  if (listener == nullptr) return false;
  const auto mss = cookies_.check(arrival.hash, s.seq - 1, s.ack - 1, now_ms_);
  if (!mss) {
    count(Counter::syn_cookies_rejected);
    // What follows a third segment that was lost or is late carries no cookie: an RST would end its connection.
    if (now_ms_ - cookie_sent_ms_ >= kPatienceMs) return false;
    drop(arrival.packet, Counter::drop_tcp_ack);
    return true;
  }
  count(Counter::syn_cookies_accepted);
  complete(remember(arrival, *mss, listener->profile), kNoIndex, arrival);
  return true;
}

/// The record that the cookie stands for.
HalfOpen TcpEngine::remember(const Arrival& arrival, uint16_t mss, uint16_t profile) const {
  const TcpSegment& s = arrival.segment;
  HalfOpen h{};
  h.key = arrival.key;
  h.iss = s.ack - 1;
  h.irs = s.seq - 1;
  h.profile = profile;
  h.mss = mss;
  h.snd_wnd = s.window;
  if (!s.options.has_timestamps || !config_.timestamps) return h;
  const CookieOptions options = SynCookies::read_options(s.options.ts_echo);
  h.flags = kTimestamps;
  h.ts_recent = s.options.ts_value;
  if (options.sack_permitted && config_.sack) h.flags |= kSackPermitted;
  if (options.ecn && config_.ecn != EcnMode::off) h.flags |= kEcn;
  if (options.has_window_scale) {
    h.flags |= kWindowScaled;
    h.scales = static_cast<uint8_t>(options.window_scale | (receive_window_scale(profile) << 4));
    h.snd_wnd <<= options.window_scale;
  }
  return h;
}

}  // namespace qstack
