#include "native/stack/stack.hh"

#include <algorithm>

#include "native/classify/locate.hh"

namespace qstack {
namespace {

/// Frames of one level.
constexpr uint32_t kTxQueue = 8'192;
constexpr Nanos kTick = 10'000'000;
/// What a turn polls. More would keep what the app sends waiting, and every hop of a high message is a turn long.
constexpr uint32_t kBurstsPerTurn = 4;
/// While it is behind, where the work of a turn is high messages alone, it polls as many as make a turn so long: fewer turns are sooner
/// through a wave, but each message in it waits for three.
constexpr Nanos kTurnBehind = 500'000;
constexpr uint32_t kBurstsBehind = 16;
constexpr uint32_t kPollBurst = 64;
/// What TCP handles in a turn.
constexpr uint32_t kSegmentsPerTurn = 256;
/// At most a quarter of the packets.
constexpr uint32_t kBacklog = 32'768;
/// SYNs that wait, at most a sixteenth of the packets: a flood leaves room for what connections send.
constexpr uint32_t kSynBacklog = 8'192;

/// How long lower levels wait for frames that nobody has judged yet: where levels are strict alone.
Nanos patience_of(const PolicyConfig& policy, uint32_t levels) {
  if (levels < 2 || policy.kind != PolicyKind::strict) return 0;
  return policy.bound == 0 ? UINT64_MAX : to_nanos(policy.bound) / 2;
}

TcpConfig with_mtu(TcpConfig config, uint16_t mtu) {
  config.mtu = mtu;
  return config;
}

}  // namespace

Stack::Stack(const StackConfig& config, Port& port, PacketPool& rx, PacketPool& tx, App& app)
    : port_(port),
      rx_(rx),
      levels_(config.tcp.levels),
      patience_(patience_of(config.policy, config.tcp.levels)),
      received_(config.tcp.levels, config.policy, std::min(kSynBacklog, rx.capacity() / 16)),
      queue_(kTxQueue, config.tcp.levels, &counters_.sojourn, config.policy),
      ip_(config.ip, rx, tx, queue_, counters_),
      engine_(with_mtu(config.tcp, config.ip.mtu), ip_, queue_, rx, tx, app, counters_) {}

Stack::~Stack() {
  Packet* packet;
  while (received_.take(&packet, 1, to_stamp(now_)) != 0) rx_.release(packet);
}

void Stack::schedule(const PolicyConfig& policy) {
  patience_ = patience_of(policy, levels_);
  received_.schedule(policy);
  queue_.schedule(policy);
}

uint32_t Stack::turn(Nanos now) {
  at(now);
  uint32_t work = engine_.retry();
  if (queue_.size() != 0) work += queue_.flush(port_, now);
  work += receive(now);
  work += engine_.run_timers();
  if (now >= next_tick_) {
    ip_.tick(now);
    next_tick_ = now + kTick;
  }
  work += transmit(now);
  counters_.add(Counter::turns);
  if (work == 0) counters_.add(Counter::idle_turns);
  return work;
}

/// Timers have a tick of 1 ms. What is expired by the age of a list's oldest (half open, TIME-WAIT, neighbours) takes a second and
/// more, and waits for this.
Nanos Stack::next_deadline(Nanos now) const {
  constexpr Nanos kTimerTick = 1'000'000;
  const uint32_t quiet = queue_.size() != 0 ? 0 : engine_.quiet_ms();
  return quiet == 0 ? now + kTimerTick : (now / kTimerTick + quiet) * kTimerTick;
}

/// Thousands of delayed ACKs may fall due in one turn, more than the queue holds: they leave as fast as the port takes.
uint32_t Stack::transmit(Nanos now) {
  uint32_t sent = 0;
  bool more = true;
  while (more) {
    more = !engine_.flush_acks();
    const uint32_t taken = queue_.size() == 0 ? 0 : queue_.flush(port_, now);
    if (taken == 0) break;
    sent += taken;
  }
  return sent;
}

void Stack::at(Nanos now) {
  if (now == now_) return;
  now_ = now;
  queue_.begin_turn(now);
  engine_.begin_turn(now);
}

/// What the driver has is sorted by level before TCP sees it: in a wave low segments wait here, while the work that high ones
/// bring is done. Behind more than kBacklog nothing waits for another turn: the driver's ring, which knows no levels, must not
/// become the queue.
uint32_t Stack::receive(Nanos now) {
  bursts_ = behind_ ? bursts_behind(now - turned_) : kBurstsPerTurn;
  turned_ = now;
  const uint32_t polled = poll(bursts_, now);
  note_behind(polled, now);
  const uint32_t backlog = std::min(kBacklog, rx_.capacity() / 4);
  received_.begin_turn();
  uint32_t most = std::max(behind_ ? received_.urgent() : kSegmentsPerTurn, received_.size() - std::min(received_.size(), backlog));
  uint32_t expected = expect(most);
  while (expected != 0) {
    most -= expected;
    expected = expect(most);
    engine_.input(received_.size());
  }
  return polled + received_.size();
}

/// Frames come in faster than one burst a turn, so that there are more to be judged: lower levels wait meanwhile, and a high frame is
/// found behind many low ones. Only where most of them have payload (of a flood of SYNs nothing is high), and not for longer than
/// half the starvation bound.
void Stack::note_behind(uint32_t polled, Nanos now) {
  const bool more = patience_ != 0 && polled >= kPollBurst && data_polled_ > polled / 2;
  if (!behind_) behind_since_ = now;
  behind_ = more && now - behind_since_ < patience_;
}

/// The turn before this one took `took`, whoever worked in it.
uint32_t Stack::bursts_behind(Nanos took) const {
  const Nanos fitting = bursts_ * kTurnBehind / std::max<Nanos>(took, 1);
  return static_cast<uint32_t>(std::clamp<Nanos>(fitting, kBurstsPerTurn, kBurstsBehind));
}

/// Tells TCP of the segments that come next; returns how many.
uint32_t Stack::expect(uint32_t most) {
  Packet* packets[TcpEngine::kBurst];
  const uint32_t n = most == 0 ? 0 : received_.take(packets, std::min(most, TcpEngine::kBurst), to_stamp(now_));
  engine_.expect(packets, n);
  return n;
}

uint32_t Stack::poll(uint32_t bursts, Nanos now) {
  Packet* packets[kPollBurst];
  uint32_t polled = 0;
  data_polled_ = 0;
  for (uint32_t burst = 0; burst < bursts; ++burst) {
    const uint32_t n = port_.rx_burst(packets, kPollBurst, now);
    polled += n;
    parse_burst(packets, n, now);
    if (n < kPollBurst) break;
  }
  return polled;
}

/// Ethernet to IP, and the level of each frame; what is for TCP goes into the lanes.
void Stack::parse_burst(Packet** packets, uint32_t n, Nanos now) {
  for (uint32_t i = 0; i < n; ++i) __builtin_prefetch(packets[i]->data);
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < n; ++i) {
    Packet* const packet = packets[i];
    bytes += packet->length;
    const IpLayer::Verdict verdict = ip_.input(packet, now);
    if (verdict != IpLayer::Verdict::tcp) {
      if (verdict == IpLayer::Verdict::error) engine_.on_icmp_error(ip_.error());
      continue;
    }
    locate_payload(*packet);
    data_polled_ += packet->payload_length != 0 ? 1 : 0;
    packet->level = rules_ == nullptr ? 0 : rules_->judge(*packet);
    if (received_.push(packet)) continue;
    rx_.release(packet);
    counters_.add(Counter::drop_syn_flood);
  }
  counters_.add(Counter::rx_packets, n);
  counters_.add(Counter::rx_bytes, bytes);
}

Handle Stack::connect(Endpoint local, Endpoint remote, const ListenerConfig& framing, uint64_t token, Nanos now) {
  at(now);
  return engine_.connect(local, remote, framing, token);
}

bool Stack::send(Handle handle, Packet* packet, Nanos now, bool message_end) {
  at(now);
  return engine_.send(handle, packet, message_end);
}

uint32_t Stack::append(Handle handle, uint8_t level, const uint8_t* bytes, uint32_t length, Nanos now) {
  at(now);
  return engine_.append(handle, level, bytes, length);
}

void Stack::shutdown(Handle handle, Nanos now) {
  at(now);
  engine_.shutdown(handle);
}

void Stack::close(Handle handle, Nanos now) {
  at(now);
  engine_.close(handle);
}

void Stack::abort(Handle handle, CloseReason reason, Nanos now) {
  at(now);
  engine_.abort(handle, reason);
}

void Stack::request_drain(Handle handle, uint32_t low_water, uint32_t cookie, Nanos now) {
  at(now);
  engine_.request_drain(handle, low_water, cookie);
}

void Stack::release(Handle handle, Packet* packet, uint16_t length, Nanos now) {
  at(now);
  engine_.release(handle, packet, length);
}

int Stack::set_option(Handle handle, TcpOption option, uint32_t value, Nanos now) {
  at(now);
  return engine_.set_option(handle, option, value);
}

const Counters& Stack::counters() {
  counters_.set(Counter::connections_open, engine_.connections_used());
  counters_.set(Counter::half_open, engine_.half_open_used());
  counters_.set(Counter::time_wait, engine_.time_wait_used());
  return counters_;
}

}  // namespace qstack
