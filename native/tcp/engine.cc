#include "native/tcp/engine.hh"

#include <algorithm>

namespace qstack {
namespace {

/// Connections that are looked at again in one turn.
constexpr uint32_t kPerTurn = 256;
/// Few connections have lost something at the same moment; those without a record get their messages in order.
constexpr uint32_t early_capacity(uint32_t busy) { return std::max(busy / 4, 16u); }

/// RFC 9293 3.8.4: an interval that is not told MUST be two hours at least. 75 s and 9 probes are what kernels use.
SocketOptions standard_options(const TcpConfig& config) {
  SocketOptions standard;
  standard.put(TcpOption::no_delay, 1).put(TcpOption::quick_ack, 0).put(TcpOption::delayed_ack_ms, config.delayed_ack_ms);
  standard.put(TcpOption::keepalive, 0).put(TcpOption::keepalive_idle_ms, 7'200'000);
  standard.put(TcpOption::keepalive_interval_ms, 75'000).put(TcpOption::keepalive_count, 9);
  standard.put(TcpOption::user_timeout_ms, 0).put(TcpOption::max_segment, 0);
  standard.put(TcpOption::congestion, static_cast<uint32_t>(config.congestion)).put(TcpOption::pacing_rate, 0);
  standard.put(TcpOption::receive_buffer, config.receive_buffer).put(TcpOption::send_buffer, config.send_buffer);
  standard.put(TcpOption::dscp, 0).put(TcpOption::ttl, kTtl).put(TcpOption::rto_min_ms, config.rto_min_ms);
  standard.put(TcpOption::retries, config.retries_max).put(TcpOption::syn_retries, config.syn_retries_max);
  standard.put(TcpOption::sums, 0);
  SocketOptions options = config.options;
  options.complete(standard);
  return options;
}

}  // namespace

TcpEngine::TcpEngine(const TcpConfig& config, IpLayer& ip, TxQueue& queue, PacketPool& rx, PacketPool& tx, App& app,
                     Counters& counters)
    : config_(config),
      ip_(ip),
      queue_(queue),
      rx_(rx),
      tx_(tx),
      app_(app),
      counters_(counters),
      tcbs_(config.connections),
      busy_(config.busy),
      drains_(2 * config.busy),
      early_(early_capacity(config.busy)),
      half_open_(config.half_open),
      time_wait_(config.time_wait),
      flows_(config.connections + config.half_open + config.time_wait),
      keys_(ip.has_ipv6() ? config.connections + config.half_open + config.time_wait : 0, kScratch + 1, config.secret),
      wheel_(TimerNodes{&tcbs_}),
      standard_(standard_options(config)),
      attention_memory_(size_t{config.connections} * sizeof(uint32_t)),
      cookies_(config.secret),
      sources_({config.half_open_per_source, config.connections_per_source}, config.connections + config.half_open,
               config.secret[1]),
      lowered_(std::min(config.connections, LoweredMss::kMost)),
      sums_(std::min(config.connections, config.sums)),
      urgent_(std::min(config.connections, kUrgentMost)) {
  ack_list_.reserve(kPerTurn);
  next_ack_list_.reserve(kPerTurn);
}

std::vector<MemoryRegion> TcpEngine::memory() const {
  return {tcbs_.memory(),   busy_.memory(),    drains_.memory(), early_.memory(), half_open_.memory(), time_wait_.memory(),
          flows_.memory(),  sources_.memory(), sums_.memory(),   urgent_.memory(), attention_memory_.region()};
}

TcpEngine::~TcpEngine() {
  for (uint32_t slot = 0; slot < tcbs_.touched(); ++slot) {
    Tcb& c = tcbs_.at(slot);
    if (c.state != TcpState::closed) release_busy(c);
  }
}

void TcpEngine::begin_turn(Nanos now) {
  const bool first = now_ == 0;
  now_ = now;
  now_us_ = static_cast<uint32_t>(now / 1'000);
  now_ms_ = static_cast<uint32_t>(now / 1'000'000);
  if (first) wheel_.start(now_ms_);
}

const void* TcpEngine::record_of(uint32_t value) const {
  const uint32_t slot = value & kSlotMask;
  switch (static_cast<Kind>(value >> kKindShift)) {
    case Kind::half_open:
      return &half_open_.at(slot);
    case Kind::time_wait:
      return &time_wait_.at(slot);
    default:
      return &tcbs_.at(slot);
  }
}

/// The key is the first member of each kind of record.
const FlowKey& TcpEngine::key_of(uint32_t value) const { return *static_cast<const FlowKey*>(record_of(value)); }

uint32_t TcpEngine::find_flow(const FlowKey& key, uint64_t hash) const {
  return flows_.find(hash, [&](uint32_t value) { return keys_.same(key_of(value), key); });
}

/// False: no room in the table, or for the addresses.
bool TcpEngine::insert_flow(FlowKey& key, uint64_t hash, uint32_t value) {
  if (!keys_.keep(key)) return false;
  if (flows_.insert(hash, value)) return true;
  keys_.forget(key);
  return false;
}

/// Nothing happens when the value is not there: another record has taken its place in the table, and its key.
void TcpEngine::erase_flow(const FlowKey& key, uint64_t hash, uint32_t value) {
  if (flows_.erase(hash, value)) keys_.forget(key);
}

void TcpEngine::prefetch(uint32_t slot) const {
  if (slot >= tcbs_.touched()) return;
  const auto* const lines = reinterpret_cast<const uint8_t*>(&tcbs_.at(slot));
  __builtin_prefetch(lines);
  __builtin_prefetch(lines + 64);
}

void TcpEngine::prefetch_busy(uint32_t slot) const {
  if (slot < tcbs_.touched()) prefetch_block(tcbs_.at(slot).busy);
}

void TcpEngine::prefetch_block(uint32_t busy) const {
  if (busy == kNoIndex) return;
  const auto* const lines = reinterpret_cast<const uint8_t*>(&busy_.at(busy));
  for (size_t line = 0; line < sizeof(Busy); line += 64) __builtin_prefetch(lines + line);
}

const Tcb* TcpEngine::find_alive(Handle handle) const {
  if (handle.slot >= tcbs_.touched()) return nullptr;
  const Tcb& c = tcbs_.at(handle.slot);
  return c.generation == handle.generation && c.state != TcpState::closed ? &c : nullptr;
}

void TcpEngine::drop(Packet* packet, Counter why) {
  count(why);
  rx_.release(packet);
}

Busy* TcpEngine::need_busy(Tcb& c) {
  if (c.busy != kNoIndex) return &busy_.at(c.busy);
  const uint32_t slot = busy_.allocate();
  if (slot == kNoIndex) return nullptr;
  Busy& b = busy_.at(slot);
  b = Busy{};
  b.open_level = kLevelsMax;
  b.drains = b.early = kNoIndex;
  resume_recovery(c, b);
  b.rto_us = rto_of(c);
  b.pace_us = now_us_;
  start_congestion(c, b);
  c.busy = slot;
  return &b;
}

/// The window as it was when the last block went. After more than an RTO without data it is the restart window at most
/// (RFC 5681 4.1): its ACK clock is gone. ssthresh remembers the path.
void TcpEngine::start_congestion(const Tcb& c, Busy& b) {
  const uint32_t initial = initial_window(c.mss);
  uint32_t cwnd = c.cwnd == 0 ? initial : uint32_t{c.cwnd} * c.mss;
  if (uint64_t{now_ms_ - c.link} * 1'000 > b.rto_us) cwnd = std::min(cwnd, initial);
  b.congestion = {};
  b.congestion.cwnd = cwnd;
  b.congestion.ssthresh = c.ssthresh;
  congestion_of(c).start(b.congestion, c.remembered);
}

void TcpEngine::remember_congestion(Tcb& c, const Busy& b) {
  c.ssthresh = b.congestion.ssthresh;
  c.cwnd = static_cast<uint16_t>(std::clamp(b.congestion.cwnd / c.mss, 1u, 0xffffu));
  c.remembered = congestion_of(c).remember(b.congestion);
  c.link = now_ms_;
  if (b.marked(kProbeOut) && b.marked(kProbeRepeated)) c.set(kProbeUndecided);
  if (b.recover == c.snd_una) c.set(kRecoverKept);
  if (b.recovery == RecoveryKind::reduced) c.set(kReduced);
}

/// Where the last block left off, as far as it matters with nothing in flight: one reduction per window of data (RFC 5681
/// 3.1), no fast retransmission for duplicates of the window before (RFC 6582 3.2), and a probe that may still turn out
/// to have repaired a loss (RFC 8985 7.4.2).
void TcpEngine::resume_recovery(Tcb& c, Busy& b) {
  b.recover = c.has(kRecoverKept) ? c.snd_una : c.snd_una - 1;
  if (c.has(kReduced)) b.recovery = RecoveryKind::reduced;
  if (c.has(kProbeUndecided)) {
    b.mark(kProbeOut);
    b.mark(kProbeRepeated);
    b.tlp_end = c.snd_una;
  }
  c.flags &= ~uint32_t{kRecoverKept | kReduced | kProbeUndecided};
}

/// Recovery state goes with the block, but for three flags; srtt, ssthresh and cwnd stay in the control block.
void TcpEngine::drop_busy_if_idle(Tcb& c) {
  const bool quiet_state = c.state == TcpState::established || c.state == TcpState::close_wait;
  if (c.busy == kNoIndex || !quiet_state || c.has(kFinQueued) || c.has(kOutputDue)) return;
  const Busy& b = busy_.at(c.busy);
  const bool sending = b.unsent_bytes != 0 || !b.retransmit.empty() || b.drains != kNoIndex;
  const bool receiving = b.beyond_hole() || b.frame != nullptr || b.unread != 0 || b.marked(kFinOutOfOrder);
  if (sending || receiving) return;
  if (static_cast<int32_t>(b.pace_us - now_us_) > 0) {  // a rate limit outlasts the bytes that it held back
    return arm(c, now_ms_ + static_cast<uint32_t>(b.pace_us - now_us_) / 1'000 + 1);
  }
  remember_congestion(c, b);
  busy_.release(c.busy);
  c.busy = kNoIndex;
  // Left in the wheel it fires for nothing, when the control block is in no cache any more.
  if (!(c.flags & kOwnDeadline)) disarm(c);
}

void TcpEngine::release_busy(Tcb& c) {
  if (c.busy == kNoIndex) return;
  Busy& b = busy_.at(c.busy);
  for (PacketQueue& queue : b.unsent) {
    while (!queue.empty()) tx_.release(queue.pop_front());
  }
  while (!b.retransmit.empty()) tx_.release(b.retransmit.pop_front());
  drop_kept(b);
  if (b.frame != nullptr) rx_.release(b.frame);
  drop_drains(b);
  busy_.release(c.busy);
  c.busy = kNoIndex;
}

void TcpEngine::want_attention(Tcb& c) {
  if (c.has(kAttention)) return;
  c.set(kAttention);
  uint32_t at = attention_head_ + attention_count_++;
  if (at >= config_.connections) at -= config_.connections;
  reinterpret_cast<uint32_t*>(attention_memory_.data())[at] = slot_of(c);
}

uint32_t TcpEngine::retry() {
  const uint32_t most = std::min(attention_count_, kPerTurn);
  const uint32_t others = attention_count_ - most;
  for (uint32_t i = 0; i < most; ++i) {
    Tcb& c = tcbs_.at(reinterpret_cast<uint32_t*>(attention_memory_.data())[attention_head_]);
    if (++attention_head_ == config_.connections) attention_head_ = 0;
    --attention_count_;
    c.clear(kAttention);
    retry_connection(c);
  }
  return most - std::min(most, attention_count_ - others);
}

void TcpEngine::retry_connection(Tcb& c) {
  if (c.has(kClosedDue)) return notify_closed(c);
  if (c.state == TcpState::closed) return;
  if (c.busy != kNoIndex) drain_out_of_order(c);
  if (c.state != TcpState::closed && c.has(kUrgentDue)) tell_urgent(c);
  if (c.state != TcpState::closed && c.has(kEndedDue)) tell_ended(c);
  if (c.state == TcpState::closed || c.busy == kNoIndex) return;
  c.clear(kOutputDue);
  output(c);
  if (c.state != TcpState::closed && c.busy != kNoIndex) check_drained(c, busy_.at(c.busy));
  if (c.state != TcpState::closed) drop_busy_if_idle(c);
}

uint32_t TcpEngine::unsent(Handle handle) const {
  const Tcb* const c = find_alive(handle);
  if (c == nullptr || c->busy == kNoIndex) return 0;
  return busy_.at(c->busy).unsent_bytes + in_flight(*c);
}

uint32_t TcpEngine::writable(Handle handle) const {
  const Tcb* const c = find_alive(handle);
  if (c == nullptr) return 0;
  const uint32_t queued = c->busy == kNoIndex ? 0 : busy_.at(c->busy).unsent_bytes;
  const uint32_t held = queued + in_flight(*c);
  const uint32_t buffer = option_of(*c, TcpOption::send_buffer);
  const uint32_t low_water = option_of(*c, TcpOption::not_sent_low_water);
  return held >= buffer || queued >= low_water ? 0 : std::min(buffer - held, low_water - queued);
}

}  // namespace qstack
