// Active open: SYN-SENT (RFC 9293 3.10.1 and 3.10.7.3).
#include <algorithm>

#include "native/steer/flow_steering.hh"
#include "native/tcp/engine.hh"

namespace qstack {

std::optional<uint32_t> TcpEngine::elsewhere(Endpoint local, const Endpoint& remote) const {
  if (config_.steering == nullptr || local.port == 0) return std::nullopt;
  if (local.address.unspecified()) local.address = ip_.source_for(remote.address);
  if (local.address.is_ipv4() != remote.address.is_ipv4()) return std::nullopt;
  const uint32_t stack = config_.steering->stack_of(remote.address, remote.port, local.address, local.port);
  return stack == config_.stack ? std::nullopt : std::optional(stack);
}

/// What the peer sends comes to this stack, and to no other one.
bool TcpEngine::comes_home(const FlowKey& key) const {
  if (config_.steering == nullptr) return true;
  const IpAddress remote = keys_.remote(key), local = keys_.local(key);
  return config_.steering->stack_of(remote, key.remote_port, local, key.local_port) == config_.stack;
}

/// Ephemeral ports (RFC 6056: a start that others cannot guess, then the next free one). Of several stacks each has those
/// whose answers come home: as many ports are looked at as there are stacks, on average.
bool TcpEngine::pick_local_port(FlowKey& key) {
  constexpr uint32_t kFirst = 32'768, kPorts = 28'232;
  if (next_port_ == 0) next_port_ = static_cast<uint32_t>(config_.secret[2] % kPorts) + 1;
  for (uint32_t i = 0; i < kPorts; ++i) {
    key.local_port = static_cast<uint16_t>(kFirst + next_port_++ % kPorts);
    if (comes_home(key) && find_flow(key, hash_of(key)) == kNoIndex) return true;
  }
  return false;
}

void TcpEngine::init_tcb(Tcb& c, const FlowKey& key, uint16_t profile, uint32_t neighbor) {
  const uint32_t generation = c.generation;
  const uint16_t kept = c.flags & kAttention;  // the list still holds the slot
  c = Tcb{};
  c.generation = generation;
  c.flags = kept;
  c.key = key;
  c.profile = profile;
  c.neighbor = neighbor;
  c.busy = kNoIndex;
  c.ssthresh = kNoThreshold;
  c.ts_offset = timestamp_offset(key);
  c.last_active_ms = now_ms_;
  c.challenged = static_cast<uint16_t>(now_ms_ >> 5) - kNeverChallenged;
}

Handle TcpEngine::connect(Endpoint local, Endpoint remote, const ListenerConfig& framing, uint64_t token) {
  if (local.address.unspecified()) local.address = ip_.source_for(remote.address);
  if (local.address.is_ipv4() != remote.address.is_ipv4()) return {};
  // Before anything else: only an address that one host can have makes a key (RFC 9293 3.9.1, MUST-46).
  const uint32_t neighbor = ip_.route(remote.address, now_);
  if (neighbor == kNoIndex) return {};
  FlowKey key = keys_.make(kScratch, remote.address, remote.port, local.address, local.port);
  const bool port_found = local.port == 0 ? pick_local_port(key) : comes_home(key);
  const uint64_t hash = hash_of(key);
  if (!port_found || find_flow(key, hash) != kNoIndex) return {};
  const uint16_t profile = use_profile(framing, kNoListener);
  if (profile == ProfileTable::kNone) return {};
  const uint32_t slot = tcbs_.allocate();
  if (slot == kNoIndex) return profiles_.release(profile), Handle{};
  Tcb& c = tcbs_.at(slot);
  init_tcb(c, key, profile, neighbor);
  set_mss(c, peer_mss(key, 0));
  Busy* const b = need_busy(c);
  if (b == nullptr || !insert_flow(c.key, hash, flow_value(Kind::connection, slot))) {
    count(b == nullptr ? Counter::drop_no_busy : Counter::drop_flow_full);
    release_busy(c);
    profiles_.release(profile);
    tcbs_.release(slot);
    return {};
  }
  c.state = TcpState::syn_sent;
  c.set(kActiveOpen);
  c.snd_una = initial_sequence(key);
  c.snd_nxt = c.snd_una + 1;
  b->token = token;
  choose_sums(c);
  b->rto_us = 1'000'000;  // RFC 6298 2.1
  b->progress_ms = now_ms_;
  send_syn(c);
  start_rto(c, *b);
  return handle_of(c);
}

/// The SYN, or in SYN-RECEIVED the SYN-ACK, which offers what the peer has offered only.
void TcpEngine::send_syn(Tcb& c) {
  const bool answers = c.state == TcpState::syn_received;
  Busy& b = busy_.at(c.busy);
  TcpOptions o;
  o.mss = own_mss(c.key, c.profile);
  o.has_window_scale = !answers || c.has(kWindowScaled);
  o.window_scale = receive_window_scale(c.profile);
  o.sack_permitted = answers ? c.has(kSackPermitted) : config_.sack;
  o.has_timestamps = answers ? c.has(kTimestamps) : config_.timestamps;
  o.ts_value = ts_clock() + c.ts_offset;
  o.ts_echo = answers ? c.ts_recent : 0;
  uint8_t options[40];
  const uint8_t length = write_syn_options(options, o);
  const int flags = answers ? kSyn | kAck | (c.has(kEcn) ? kEce : 0) : kSyn | syn_ecn_flags(b.retries);
  const auto window = static_cast<uint16_t>(initial_receive_window(c.profile));
  const Control control = {c.key, c.snd_una, c.rcv_nxt, c.neighbor, window, static_cast<uint8_t>(flags), marks_of(c.profile)};
  if (c.has(kSums)) [[unlikely]] sum_out(c, 0, false);
  send_control(control, options, length);
  if (b.retries == 0) b.recover = now_us_;  // until established: when the SYN left, for the first RTT sample
}

void TcpEngine::on_syn_sent(Tcb& c, Arrival& arrival) {
  TcpSegment& s = arrival.segment;
  Packet* const packet = arrival.packet;
  const bool ack_fits = (s.flags & kAck) && s.ack == c.snd_nxt;
  if ((s.flags & kAck) && !ack_fits) {
    if (!(s.flags & kRst)) send_reset_for(arrival);
    return drop(packet, Counter::drop_tcp_ack);
  }
  if (s.flags & kRst) {
    count(Counter::resets_in);
    rx_.release(packet);
    if (ack_fits) finish(c, CloseReason::refused);
    return;
  }
  if (!(s.flags & kSyn)) return drop(packet, Counter::drop_tcp_sequence);
  take_syn(c, s);
  Busy& b = busy_.at(c.busy);
  if (!ack_fits) {  // simultaneous open (RFC 9293 3.5): what else the segment holds comes again
    c.state = TcpState::syn_received;
    send_syn(c);
    start_rto(c, b);
    return rx_.release(packet);
  }
  if (!establish_active(c, b, s)) return rx_.release(packet);  // the SYN-ACK comes again
  packet->sequence = ++s.seq;
  s.flags &= static_cast<uint8_t>(~kSyn);
  take_text(c, arrival);
}

/// What the peer's SYN says about itself.
void TcpEngine::take_syn(Tcb& c, const TcpSegment& s) {
  const TcpOptions& o = s.options;
  if (o.has_timestamps && config_.timestamps) {
    c.set(kTimestamps);
    c.ts_recent = o.ts_value;
    c.ts_recent_ms = now_ms_;
  }
  if (o.sack_permitted && config_.sack) c.set(kSackPermitted);
  if (syn_ecn_flags(busy_.at(c.busy).retries) != 0 && agrees_on_ecn(s, !(s.flags & kAck))) c.set(kEcn);
  if (o.has_window_scale) {
    c.set(kWindowScaled);
    c.scales = static_cast<uint8_t>(o.window_scale | (receive_window_scale(c.profile) << 4));
  }
  set_mss(c, peer_mss(c.key, o.mss));
  c.rcv_nxt = c.last_ack_sent = s.seq + 1;
  c.rcv_adv = c.rcv_nxt + initial_receive_window(c.profile);
  c.snd_wnd = c.max_snd_wnd = s.window;  // never scaled in a SYN
  c.snd_wl1 = s.seq;
  c.snd_wl2 = s.ack;
}

/// After a simultaneous open: the ACK of our SYN, mostly in the peer's SYN-ACK, whose SYN we have had. False: the segment
/// is done with.
bool TcpEngine::on_syn_received(Tcb& c, Arrival& arrival) {
  TcpSegment& s = arrival.segment;
  if ((s.flags & kSyn) && s.seq + 1 == c.rcv_nxt) {
    if (!(s.flags & kAck)) {
      send_syn(c);
      drop(arrival.packet, Counter::duplicates_in);
      return false;
    }
    arrival.packet->sequence = ++s.seq;
    s.flags &= static_cast<uint8_t>(~kSyn);
    s.window = static_cast<uint16_t>(s.window >> c.snd_wscale());
  }
  if ((s.flags & (kAck | kRst | kSyn)) != kAck || !acceptable(c, s)) return true;
  if (s.ack != c.snd_nxt) {
    send_reset_for(arrival);
    drop(arrival.packet, Counter::drop_tcp_ack);
    return false;
  }
  if (establish_active(c, busy_.at(c.busy), s)) return true;
  rx_.release(arrival.packet);
  return false;
}

/// Our SYN is acknowledged. False: the app has no room to hear of it, and the connection stays as it is.
bool TcpEngine::establish_active(Tcb& c, Busy& b, const TcpSegment& s) {
  const Opened opened = {handle_of(c), local_of(c.key), remote_of(c.key), kNoListener, b.token};
  if (!app_.opened(opened)) return false;
  c.snd_una = s.ack;
  measure_handshake(c, b.retries, now_us_ - b.recover, s);
  c.state = TcpState::established;
  c.last_active_ms = now_ms_;
  stop_rto(b);
  b.retries = b.backoff = 0;
  b.recover = c.snd_una - 1;
  b.rto_us = rto_of(c);
  b.episode = {};  // it lies where the token was
  start_congestion(c, b);
  count(Counter::connections_opened);
  ack_next_turn(c);
  output(c);
  return true;
}

uint16_t TcpEngine::peer_mss(const FlowKey& key, uint16_t told) {
  if (told == 0) return key.ipv6() ? 1220 : 536;
  return std::max(told, kMssMin);
}

uint16_t TcpEngine::own_mss(const FlowKey& key, uint16_t profile) const {
  const uint32_t most = profiles_[profile].options[TcpOption::max_segment];
  const uint32_t fits = config_.mtu - (key.ipv6() ? 60 : 40);
  return static_cast<uint16_t>(most == 0 ? fits : std::clamp<uint32_t>(most, kMssMin, fits));
}

/// Eff.snd.MSS (RFC 9293 3.7.1, RFC 6691): the peer's MSS or ours, less the options that every segment carries.
void TcpEngine::set_mss(Tcb& c, uint16_t peer) {
  const uint16_t mss = std::min(peer, own_mss(c.key, c.profile));
  c.mss = static_cast<uint16_t>(mss - (c.has(kTimestamps) ? 12 : 0));
}

}  // namespace qstack
