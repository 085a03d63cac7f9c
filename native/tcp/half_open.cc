// SYN-RECEIVED after a passive open: a 64 B record from the SYN to the third segment (RFC 9293 3.10.7.4, RFC 5961).
//
// What answers a stranger goes back to the station that the frame came from: forged addresses leave no trace in the
// neighbour table. A connection has a route of its own from the third segment on.
#include <algorithm>

#include "native/tcp/engine.hh"

namespace qstack {

void TcpEngine::fill_half_open(HalfOpen& h, const Arrival& arrival, uint16_t profile) {
  const TcpSegment& s = arrival.segment;
  const TcpOptions& o = s.options;
  h = HalfOpen{};
  h.key = arrival.key;
  h.irs = s.seq;
  h.challenged = static_cast<uint16_t>(now_ms_ >> 5) - kNeverChallenged;
  h.profile = profile;
  h.snd_wnd = s.window;
  h.mss = peer_mss(h.key, o.mss);
  h.deadline_ms = deadline(syn_timeout_ms(0));
  h.sent_us = now_us_;
  if (o.has_timestamps && config_.timestamps) {
    h.flags |= kTimestamps;
    h.ts_recent = o.ts_value;
  }
  if (o.sack_permitted && config_.sack) h.flags |= kSackPermitted;
  if (agrees_on_ecn(s, true)) h.flags |= kEcn;
  if (o.has_window_scale) {
    h.scales = static_cast<uint8_t>(o.window_scale | (receive_window_scale(profile) << 4));
    h.flags |= kWindowScaled;
  }
}

/// False: the flow table has no room.
bool TcpEngine::keep_half_open(HalfOpen& h, const Arrival& arrival) {
  const uint32_t slot = half_open_.allocate();
  if (!insert_flow(h.key, arrival.hash, flow_value(Kind::half_open, slot))) {
    half_open_.release(slot);
    return false;
  }
  half_open_.at(slot) = h;
  half_open_lists_[0].push_back(half_open_, slot);
  sources_.add(SourceUse::half_open, source_of(h.key));
  send_syn_ack(h, ts_clock() + timestamp_offset(h.key), arrival.packet);
  return true;
}

/// With `request` it goes back to the station that this came from; else to the neighbour that the route names.
void TcpEngine::send_syn_ack(const HalfOpen& h, uint32_t ts_value, const Packet* request) {
  TcpOptions o;
  o.mss = own_mss(h.key, h.profile);
  o.sack_permitted = h.flags & kSackPermitted;
  o.has_window_scale = h.flags & kWindowScaled;
  o.window_scale = h.scales >> 4;
  o.has_timestamps = h.flags & kTimestamps;
  o.ts_value = ts_value;
  o.ts_echo = h.ts_recent;
  uint8_t options[40];
  const uint8_t length = write_syn_options(options, o);
  const auto window = static_cast<uint16_t>(initial_receive_window(h.profile));
  const auto flags = static_cast<uint8_t>(kSyn | kAck | ((h.flags & kEcn) ? kEce : 0));
  send_control({h.key, h.iss, h.irs + 1, kNoIndex, window, flags, marks_of(h.profile)}, options, length, request);
}

void TcpEngine::free_half_open(uint32_t slot) {
  HalfOpen& h = half_open_.at(slot);
  sources_.remove(SourceUse::half_open, source_of(h.key));
  half_open_lists_[h.retries].unlink(half_open_, slot);
  half_open_.release(slot);
}

void TcpEngine::reset_half_open(uint32_t slot, uint64_t hash) {
  const FlowKey key = half_open_.at(slot).key;
  free_half_open(slot);
  erase_flow(key, hash, flow_value(Kind::half_open, slot));
}

/// SYN-RECEIVED: RFC 9293 3.10.7.4 as far as it can happen to a passive open.
void TcpEngine::on_half_open(uint32_t slot, Arrival& arrival) {
  HalfOpen& h = half_open_.at(slot);
  const TcpSegment& s = arrival.segment;
  Packet* const packet = arrival.packet;
  if ((s.flags & (kSyn | kAck | kRst)) == kSyn && s.seq == h.irs) {
    repeat_syn_ack(h, arrival);
    return drop(packet, Counter::duplicates_in);
  }
  if (reject_half_open(h, arrival)) return;
  if (s.flags & kRst) {
    count(Counter::resets_in);
    reset_half_open(slot, arrival.hash);
    return rx_.release(packet);
  }
  if (s.ack != h.iss + 1) {
    send_reset_for(arrival);
    return drop(packet, Counter::drop_tcp_ack);
  }
  complete(h, slot, arrival);
}

/// The SYN again: our SYN-ACK was lost.
void TcpEngine::repeat_syn_ack(HalfOpen& h, const Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  const bool timed = (h.flags & kTimestamps) && s.options.has_timestamps;
  if (timed && seq_gt(s.options.ts_value, h.ts_recent)) h.ts_recent = s.options.ts_value;
  send_syn_ack(h, ts_clock() + timestamp_offset(h.key), arrival.packet);
}

/// True: the segment is not one that this handshake may go on with, and is done with. A SYN with another number comes
/// from a peer that has started anew, or from a forger: an honest one answers our ACK by RST (RFC 5961 4.2).
bool TcpEngine::reject_half_open(HalfOpen& h, Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  const bool reset = s.flags & kRst;
  const bool timed = (h.flags & kTimestamps) && !reset;
  if (timed && !s.options.has_timestamps) return drop(arrival.packet, Counter::drop_paws), true;
  const bool old = timed && seq_lt(s.options.ts_value, h.ts_recent);
  const bool within = seq_within(s.seq, h.irs + 1, initial_receive_window(h.profile));
  if (reset && !within) return drop(arrival.packet, Counter::drop_tcp_sequence), true;
  if (old || !within || (s.flags & kSyn) || (reset && s.seq != h.irs + 1)) {
    challenge(h, arrival);
    return drop(arrival.packet, old ? Counter::drop_paws : Counter::drop_tcp_sequence), true;
  }
  if (!reset && !(s.flags & kAck)) return drop(arrival.packet, Counter::drop_tcp_sequence), true;
  return false;
}

void TcpEngine::challenge(HalfOpen& h, const Arrival& arrival) {
  if (!may_challenge(h.challenged)) return;
  uint8_t options[12];
  const uint32_t value = ts_clock() + timestamp_offset(h.key);
  const uint8_t length = (h.flags & kTimestamps) ? write_timestamps(options, value, h.ts_recent) : 0;
  const auto window = static_cast<uint16_t>(initial_receive_window(h.profile) >> (h.scales >> 4));
  count(Counter::acks_out);
  send_control({h.key, h.iss + 1, h.irs + 1, kNoIndex, window, kAck, marks_of(h.profile)}, options, length, arrival.packet);
}

/// The third segment of the handshake has come.
void TcpEngine::complete(const HalfOpen& h, uint32_t slot, Arrival& arrival) {
  if (!sources_.allows(SourceUse::open, source_of(h.key))) return drop(arrival.packet, Counter::drop_syn_source);
  Tcb* const c = promote(h, slot, arrival);
  if (c == nullptr) return drop(arrival.packet, Counter::drop_syn_no_slot);
  on_connection(*c, arrival);
}

/// A record (of half_open_, or with kNoIndex out of a cookie) becomes a control block. Null: no slot or route, or the app
/// has no room; a record stays, and the peer's next segment tries again.
Tcb* TcpEngine::promote(HalfOpen h, uint32_t half_open_slot, const Arrival& arrival) {
  const uint32_t neighbor = ip_.route(keys_.remote(h.key), now_);
  const uint32_t slot = neighbor == kNoIndex ? kNoIndex : tcbs_.allocate();
  if (slot == kNoIndex) return nullptr;
  const uint32_t value = flow_value(Kind::connection, slot);
  const bool recorded = half_open_slot != kNoIndex;
  if (!recorded && !insert_flow(h.key, arrival.hash, value)) {
    count(Counter::drop_flow_full);
    tcbs_.release(slot);
    return nullptr;
  }
  Tcb& c = tcbs_.at(slot);
  init_passive(c, h, arrival.segment, neighbor);
  const Opened opened = {{slot, c.generation}, local_of(h.key), remote_of(h.key), profiles_[h.profile].listener, 0};
  if (!app_.opened(opened)) {
    if (!recorded) erase_flow(h.key, arrival.hash, value);
    c.state = TcpState::closed;
    tcbs_.release(slot);
    return nullptr;
  }
  if (recorded) {
    flows_.replace(arrival.hash, flow_value(Kind::half_open, half_open_slot), value);
    free_half_open(half_open_slot);
  }
  sources_.add(SourceUse::open, source_of(h.key));
  profiles_.hold(c.profile);
  choose_sums(c);
  count(Counter::connections_opened);
  return &c;
}

void TcpEngine::init_passive(Tcb& c, const HalfOpen& h, const TcpSegment& s, uint32_t neighbor) {
  init_tcb(c, h.key, h.profile, neighbor);
  c.flags |= h.flags;
  c.scales = h.scales;
  set_mss(c, h.mss);
  c.snd_una = c.snd_nxt = h.iss + 1;
  c.snd_wnd = c.max_snd_wnd = h.snd_wnd;
  c.snd_wl1 = h.irs;
  c.snd_wl2 = h.iss;
  c.rcv_nxt = c.last_ack_sent = h.irs + 1;
  c.rcv_adv = c.rcv_nxt + initial_receive_window(h.profile);
  c.ts_recent = h.ts_recent;
  c.ts_recent_ms = now_ms_;
  if (h.sent_us != 0) measure_handshake(c, h.retries, now_us_ - h.sent_us, s);  // a cookie does not know
  c.state = TcpState::established;
}

}  // namespace qstack
