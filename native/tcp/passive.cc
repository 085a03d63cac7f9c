// Passive open: LISTEN and SYN-RECEIVED (RFC 9293 3.10.7.2). Half-open connections are 64 B records in a bounded pool.
#include <algorithm>
#include <cerrno>

#include "native/flow/siphash.hh"
#include "native/tcp/engine.hh"

namespace qstack {

int TcpEngine::listen(const ListenerConfig& config) {
  if (config.address != 0 && !ip_.local(config.address)) return -EADDRNOTAVAIL;
  for (const Profile& profile : profiles_) {
    if (!profile.listening || profile.config.port != config.port) continue;
    const uint32_t other = profile.config.address;
    if (other == config.address || other == 0 || config.address == 0) return -EADDRINUSE;
  }
  if (profiles_.size() >= 0xffff) return -ENOMEM;
  profiles_.push_back({config, true});
  return static_cast<int>(profiles_.size() - 1);
}

void TcpEngine::unlisten(uint16_t listener) {
  if (listener < profiles_.size()) profiles_[listener].listening = false;
}

const TcpEngine::Profile* TcpEngine::find_listener(uint32_t address, uint16_t port, uint16_t& number) const {
  for (size_t i = 0; i < profiles_.size(); ++i) {
    const ListenerConfig& config = profiles_[i].config;
    if (!profiles_[i].listening || config.port != port) continue;
    if (config.address != 0 && config.address != address) continue;
    number = static_cast<uint16_t>(i);
    return &profiles_[i];
  }
  return nullptr;
}

/// What a peer sees of a connection and others must not be able to compute. `purpose` keeps the uses apart.
uint64_t TcpEngine::secret_of(const FlowKey& key, uint64_t purpose) const {
  const uint64_t addresses = (uint64_t{key.remote_address} << 32) | key.local_address;
  const uint64_t ports = (uint64_t{key.remote_port} << 16) | key.local_port;
  return siphash(config_.secret[0] ^ config_.secret[1], config_.secret[2] ^ config_.secret[3], addresses,
                 ports | (purpose << 32));
}

/// RFC 6528 3: ISN = M + F(connection, secret), M counting 4 µs.
Seq TcpEngine::initial_sequence(const FlowKey& key) const {
  return static_cast<Seq>(secret_of(key, 0)) + static_cast<Seq>(now_ / 4'000);
}

/// RFC 7323 5.4: each connection's clock begins elsewhere.
uint32_t TcpEngine::timestamp_offset(const FlowKey& key) const { return static_cast<uint32_t>(secret_of(key, 1)); }

uint8_t TcpEngine::receive_window_scale() const {
  uint8_t scale = 0;
  while (scale < kWindowScaleMax && (config_.receive_buffer >> scale) > 0xffff) ++scale;
  return scale;
}

/// The window in a SYN is never scaled (RFC 7323 2.2).
uint32_t TcpEngine::initial_receive_window() const { return std::min<uint32_t>(config_.receive_buffer, 0xffff); }

uint32_t TcpEngine::syn_timeout_ms(uint8_t retries) const { return std::min(1'000u << retries, config_.rto_max_ms); }

void TcpEngine::on_syn(Arrival& arrival) { open_passively(arrival, initial_sequence(arrival.key)); }

void TcpEngine::open_passively(Arrival& arrival, Seq iss) {
  count(Counter::syn_in);
  uint16_t number = 0;
  if (find_listener(arrival.key.local_address, arrival.key.local_port, number) == nullptr) {
    send_reset_for(arrival);
    return drop(arrival.packet, Counter::drop_no_listener);
  }
  if (tcbs_.available() <= half_open_.used()) return drop(arrival.packet, Counter::drop_syn_no_slot);
  const uint32_t neighbor = ip_.route(arrival.key.remote_address, now_);
  const uint32_t slot = neighbor == kNoIndex ? kNoIndex : half_open_.allocate();
  if (slot == kNoIndex) return drop(arrival.packet, Counter::drop_syn_half_open);
  if (!flows_.insert(arrival.hash, flow_value(Kind::half_open, slot))) {
    half_open_.release(slot);
    return drop(arrival.packet, Counter::drop_flow_full);
  }
  HalfOpen& h = half_open_.at(slot);
  fill_half_open(h, arrival, number, neighbor);
  h.iss = iss;
  half_open_lists_[0].push_back(half_open_, slot);
  send_syn_ack(h);
  // Data or FIN on a SYN may be dropped; the peer sends it again (RFC 9293 3.10.7.2 lets us queue it, we do not).
  rx_.release(arrival.packet);
}

void TcpEngine::fill_half_open(HalfOpen& h, const Arrival& arrival, uint16_t profile, uint32_t neighbor) {
  const TcpSegment& s = arrival.segment;
  const TcpOptions& o = s.options;
  h = HalfOpen{};
  h.key = arrival.key;
  h.irs = s.seq;
  h.challenged = static_cast<uint16_t>(now_ms_ >> 5) - kNeverChallenged;
  h.neighbor = neighbor;
  h.profile = profile;
  h.snd_wnd = s.window;
  h.mss = o.mss == 0 ? 536 : std::max<uint16_t>(o.mss, 64);  // RFC 9293 3.7.1: 536 without the option
  h.deadline_ms = deadline(syn_timeout_ms(0));
  h.sent_us = now_us_;
  if (o.has_timestamps && config_.timestamps) {
    h.flags |= kTimestamps;
    h.ts_recent = o.ts_value;
  }
  if (o.sack_permitted && config_.sack) h.flags |= kSackPermitted;
  if (o.has_window_scale) {
    h.scales = static_cast<uint8_t>(o.window_scale | (receive_window_scale() << 4));
    h.flags |= kWindowScaled;
  }
}

void TcpEngine::send_syn_ack(const HalfOpen& h) {
  TcpOptions o;
  o.mss = own_mss();
  o.sack_permitted = h.flags & kSackPermitted;
  o.has_window_scale = h.flags & kWindowScaled;
  o.window_scale = h.scales >> 4;
  o.has_timestamps = h.flags & kTimestamps;
  o.ts_value = ts_clock() + timestamp_offset(h.key);
  o.ts_echo = h.ts_recent;
  uint8_t options[40];
  const uint8_t length = write_syn_options(options, o);
  const Control control = {h.key, h.iss, h.irs + 1, h.neighbor, static_cast<uint16_t>(initial_receive_window()),
                           kSyn | kAck};
  send_control(control, options, length);
}

void TcpEngine::free_half_open(uint32_t slot) {
  HalfOpen& h = half_open_.at(slot);
  half_open_lists_[h.retries].unlink(half_open_, slot);
  half_open_.release(slot);
}

void TcpEngine::reset_half_open(uint32_t slot, uint64_t hash) {
  flows_.erase(hash, flow_value(Kind::half_open, slot));
  free_half_open(slot);
}

/// SYN-RECEIVED: RFC 9293 3.10.7.4 as far as it can happen to a passive open.
void TcpEngine::on_half_open(uint32_t slot, Arrival& arrival) {
  HalfOpen& h = half_open_.at(slot);
  const TcpSegment& s = arrival.segment;
  Packet* const packet = arrival.packet;
  if ((s.flags & (kSyn | kAck | kRst)) == kSyn && s.seq == h.irs) {
    repeat_syn_ack(h, s);
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
  Tcb* const c = promote(slot, arrival);
  if (c == nullptr) return drop(packet, Counter::drop_syn_no_slot);
  on_connection(*c, arrival);
}

/// The SYN again: our SYN-ACK was lost.
void TcpEngine::repeat_syn_ack(HalfOpen& h, const TcpSegment& s) {
  const bool timed = (h.flags & kTimestamps) && s.options.has_timestamps;
  if (timed && seq_gt(s.options.ts_value, h.ts_recent)) h.ts_recent = s.options.ts_value;
  send_syn_ack(h);
}

/// True: the segment is not one that this handshake may go on with, and is done with. A SYN with another number comes
/// from a peer that has started anew, or from a forger: an honest one answers our ACK by RST (RFC 5961 4.2).
bool TcpEngine::reject_half_open(HalfOpen& h, Arrival& arrival) {
  const TcpSegment& s = arrival.segment;
  const bool reset = s.flags & kRst;
  const bool timed = (h.flags & kTimestamps) && !reset;
  if (timed && !s.options.has_timestamps) return drop(arrival.packet, Counter::drop_paws), true;
  const bool old = timed && seq_lt(s.options.ts_value, h.ts_recent);
  const bool within = seq_within(s.seq, h.irs + 1, initial_receive_window());
  if (reset && !within) return drop(arrival.packet, Counter::drop_tcp_sequence), true;
  if (old || !within || (s.flags & kSyn) || (reset && s.seq != h.irs + 1)) {
    challenge(h);
    return drop(arrival.packet, old ? Counter::drop_paws : Counter::drop_tcp_sequence), true;
  }
  if (!reset && !(s.flags & kAck)) return drop(arrival.packet, Counter::drop_tcp_sequence), true;
  return false;
}

void TcpEngine::challenge(HalfOpen& h) {
  if (!may_challenge(h.challenged)) return;
  uint8_t options[12];
  const uint32_t value = ts_clock() + timestamp_offset(h.key);
  const uint8_t length = (h.flags & kTimestamps) ? write_timestamps(options, value, h.ts_recent) : 0;
  const auto window = static_cast<uint16_t>(initial_receive_window() >> (h.scales >> 4));
  count(Counter::acks_out);
  send_control({h.key, h.iss + 1, h.irs + 1, h.neighbor, window, kAck}, options, length);
}

/// The third segment of the handshake: the record becomes a control block. Null: no slot, or the app has no room; the
/// record stays, and the peer's next segment tries again.
Tcb* TcpEngine::promote(uint32_t half_open_slot, const Arrival& arrival) {
  const HalfOpen h = half_open_.at(half_open_slot);
  const uint32_t slot = tcbs_.allocate();
  if (slot == kNoIndex) return nullptr;
  Tcb& c = tcbs_.at(slot);
  init_tcb(c, h.key, h.profile, h.neighbor);
  c.flags |= h.flags;
  c.scales = h.scales;
  set_mss(c, h.mss);
  c.snd_una = c.snd_nxt = h.iss + 1;
  c.snd_wnd = c.max_snd_wnd = h.snd_wnd;
  c.snd_wl1 = h.irs;
  c.snd_wl2 = h.iss;
  c.rcv_nxt = c.last_ack_sent = h.irs + 1;
  c.rcv_adv = c.rcv_nxt + initial_receive_window();
  c.ts_recent = h.ts_recent;
  c.ts_recent_ms = now_ms_;
  if (h.retries == 0) measure_rtt(c, now_us_ - h.sent_us);
  c.state = TcpState::established;
  const Opened opened = {{slot, c.generation}, {h.key.local_address, h.key.local_port},
                         {h.key.remote_address, h.key.remote_port}, h.profile, 0};
  if (!app_.opened(opened)) {
    c.state = TcpState::closed;
    tcbs_.release(slot);
    return nullptr;
  }
  flows_.replace(arrival.hash, flow_value(Kind::half_open, half_open_slot), flow_value(Kind::connection, slot));
  free_half_open(half_open_slot);
  count(Counter::connections_opened);
  return &c;
}

}  // namespace qstack
