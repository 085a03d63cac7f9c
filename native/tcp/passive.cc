// Passive open: LISTEN, and what a SYN meets there (RFC 9293 3.10.7.2). half_open.cc and cookies.cc go on from here.
#include <algorithm>
#include <cerrno>

#include "native/flow/siphash.hh"
#include "native/tcp/engine.hh"

namespace qstack {
namespace {

bool serves(const ListenerConfig& config, const IpAddress& address) {
  if (!config.address.unspecified()) return config.address == address;
  return config.families == Families::both || (config.families == Families::ipv4) == address.is_ipv4();
}

/// Some address is served by both.
bool overlap(const ListenerConfig& a, const ListenerConfig& b) {
  if (a.port != b.port) return false;
  if (!a.address.unspecified()) return serves(b, a.address);
  if (!b.address.unspecified()) return serves(a, b.address);
  return a.families == b.families || a.families == Families::both || b.families == Families::both;
}

}  // namespace

int TcpEngine::listen(const ListenerConfig& config) {
  if (!config.address.unspecified() && !ip_.owns(config.address)) return -EADDRNOTAVAIL;
  for (const Listener& other : listeners_) {
    if (other.open && overlap(other.config, config)) return -EADDRINUSE;
  }
  const size_t before = listeners_.size();
  const int number = reserve(config);
  if (number < 0) return number;
  Listener& listener = listeners_[static_cast<size_t>(number)];
  if (listener.profile == ProfileTable::kNone) {  // it keeps it for good: handshakes may still name it
    listener.profile = use_profile(config, static_cast<uint16_t>(number));
  }
  listener.open = listener.profile != ProfileTable::kNone;
  if (listener.open) return number;
  if (listeners_.size() > before) listeners_.pop_back();
  return -ENOMEM;
}

int TcpEngine::reserve(const ListenerConfig& config) {
  for (size_t i = 0; i < listeners_.size(); ++i) {  // a listener that was closed comes back
    if (listeners_[i].config == config) return static_cast<int>(i);
  }
  if (listeners_.size() >= kNoListener) return -ENOMEM;
  listeners_.push_back({config, ProfileTable::kNone, false});
  return static_cast<int>(listeners_.size() - 1);
}

/// With one reference more.
uint16_t TcpEngine::use_profile(const ListenerConfig& config, uint16_t listener) {
  Profile profile = {config.framing, config.fixed_length, listener, config.options, config.prefix, config.unordered};
  profile.options.complete(standard_);
  return profiles_.use(profile);
}

void TcpEngine::unlisten(uint16_t listener) {
  if (listener < listeners_.size()) listeners_[listener].open = false;
}

const TcpEngine::Listener* TcpEngine::find_listener(const IpAddress& address, uint16_t port) const {
  for (const Listener& listener : listeners_) {
    if (listener.open && listener.config.port == port && serves(listener.config, address)) return &listener;
  }
  return nullptr;
}

/// What a peer sees of a connection and others must not be able to compute. `purpose` keeps the uses apart.
uint64_t TcpEngine::secret_of(const FlowKey& key, uint64_t purpose) const {
  const uint64_t ports = (uint64_t{key.remote_port} << 16) | key.local_port;
  return siphash(config_.secret[0] ^ config_.secret[1], config_.secret[2] ^ config_.secret[3],
                 keys_.digest(key), ports | (purpose << 32));
}

/// RFC 6528 3: ISN = M + F(connection, secret), M counting 4 µs.
Seq TcpEngine::initial_sequence(const FlowKey& key) const {
  return static_cast<Seq>(secret_of(key, 0)) + static_cast<Seq>(now_ / 4'000);
}

/// RFC 7323 5.4: each connection's clock begins elsewhere.
uint32_t TcpEngine::timestamp_offset(const FlowKey& key) const { return static_cast<uint32_t>(secret_of(key, 1)); }

uint8_t TcpEngine::receive_window_scale(uint16_t profile) const {
  const uint32_t buffer = profiles_[profile].options[TcpOption::receive_buffer];
  uint8_t scale = 0;
  while (scale < kWindowScaleMax && (buffer >> scale) > 0xffff) ++scale;
  return scale;
}

/// The window in a SYN is never scaled (RFC 7323 2.2).
uint32_t TcpEngine::initial_receive_window(uint16_t profile) const {
  return std::min<uint32_t>(profiles_[profile].options[TcpOption::receive_buffer], 0xffff);
}

uint32_t TcpEngine::syn_timeout_ms(uint8_t retries) const { return std::min(1'000u << retries, config_.rto_max_ms); }

void TcpEngine::on_syn(Arrival& arrival) { open_passively(arrival, initial_sequence(arrival.key), true); }

/// A SYN that may open a connection becomes a record, or where records have run out a cookie (if `may_cookie`).
void TcpEngine::open_passively(Arrival& arrival, Seq iss, bool may_cookie) {
  count(Counter::syn_in);
  Packet* const packet = arrival.packet;
  const Listener* const listener = find_listener(keys_.local(arrival.key), arrival.key.local_port);
  if (listener == nullptr) {
    send_reset_for(arrival);
    return drop(packet, Counter::drop_no_listener);
  }
  const uint64_t source = source_of(arrival.key);
  if (!ip_.routable(keys_.remote(arrival.key))) return drop(packet, Counter::drop_unresolved);
  if (!sources_.allows(SourceUse::half_open, source) || !sources_.allows(SourceUse::open, source)) {
    return drop(packet, Counter::drop_syn_source);
  }
  if (tcbs_.available() == 0) return drop(packet, Counter::drop_syn_no_slot);
  const bool full = half_open_full();
  if (full && !(may_cookie && config_.syn_cookies)) return drop(packet, Counter::drop_syn_half_open);
  HalfOpen h;
  fill_half_open(h, arrival, listener->profile);
  if (full) {
    send_cookie(h, arrival);
  } else {
    h.iss = iss;
    if (!keep_half_open(h, arrival)) return drop(packet, Counter::drop_flow_full);
  }
  // Data or FIN on a SYN may be dropped; the peer sends it again (RFC 9293 3.10.7.2 lets us queue it, we do not).
  rx_.release(packet);
}

}  // namespace qstack
