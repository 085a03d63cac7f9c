#include "native/sim/world.hh"

namespace qstack::sim {
namespace {

constexpr Nanos kMs = 1'000'000;
constexpr Nanos kTryAgain = 200 * kMs;

Weather weather_of(const Plan& plan, uint8_t host, Nanos at) {
  Weather w;
  for (const Fault& f : plan.faults) {
    const bool now = plan.start + f.from_ms * kMs <= at && at < plan.start + f.until_ms * kMs;
    if (f.host != host || !now) continue;
    switch (f.kind) {
      case Feature::loss:
        w.loss = f.value;
        break;
      case Feature::bursts:
        w.bursts = f.value, w.burst_frames = f.extra;
        break;
      case Feature::reordering:
        w.reordering = f.value, w.reordering_us = f.extra;
        break;
      case Feature::duplicates:
        w.duplicates = f.value, w.duplicates_us = f.extra;
        break;
      case Feature::corruption:
        w.corruption = f.value;
        break;
      case Feature::rewrites:
        w.rewrites = f.value;
        break;
      case Feature::fragments:
        w.fragments = f.value;
        break;
      case Feature::jitter:
        w.jitter_us = f.extra;
        break;
      case Feature::marks:
        w.marks = f.value;
        break;
      case Feature::mtu_changes:
        w.mtu = f.value, w.tells_mtu = f.extra != 0;
        break;
      case Feature::outages:
        w.down = true;
        break;
      default:
        break;
    }
  }
  return w;
}

}  // namespace

World::World(const Plan& plan)
    : plan_(plan), now_(plan.start), ledger_(plan, now_), network_(plan, store_), transfers_(plan.transfers.size()) {
  for (uint8_t i = 0; i < plan.host_count(); ++i) {
    hosts_.push_back(std::make_unique<SimHost>(Scene{plan, network_, ledger_, now_, healed_}, i));
  }
  for (size_t i = 0; i < transfers_.size(); ++i) transfers_[i].next_try = plan.start + plan.transfers[i].start_ms * kMs;
  for (const Fault& f : plan.faults) {
    changes_.push_back(plan.start + f.from_ms * kMs);
    changes_.push_back(plan.start + f.until_ms * kMs);
  }
  std::sort(changes_.begin(), changes_.end());
}

void World::run_faults() { live_until(plan_.start + plan_.faults_ms * kMs, &World::all_over); }

bool World::run() {
  run_faults();
  heal();
  live_until(now_ + bound(), &World::all_over);
  // With too little memory connections may wait for each other's for ever.
  for (size_t i = 0; i < transfers_.size() && !plan_.starved; ++i) {
    const Attempt* const a = transfers_[i].attempt == kNoAttempt ? nullptr : &ledger_.attempts()[transfers_[i].attempt];
    ledger_.require(transfers_[i].done, "once the network has healed every transfer ends", a, 0);
  }
  for (const auto& host : hosts_) host->abort_all();
  live_until(now_ + 200 * kSecond, &World::all_empty);
  if (ledger_.broken()) return false;
  for (const auto& host : hosts_) {
    if (!host->empty())
      ledger_.require(false, ("when all is closed nothing is left over: " + host->what_is_left()).c_str());
  }
  return !ledger_.broken();
}

void World::live_until(Nanos end, bool (World::*enough)()) {
  while (!ledger_.broken() && now_ < end && !(this->*enough)()) step(end);
}

/// The next thing that happens: a change of the weather, a transfer that begins, or a turn of a host.
void World::step(Nanos end) {
  uint8_t next = 0;
  Nanos at = UINT64_MAX;
  for (uint8_t i = 0; i < plan_.host_count(); ++i) {
    const Nanos due = hosts_[i]->due();
    if (due < at) at = due, next = i;
  }
  at = std::max(at, now_);
  const Nanos change = next_change();
  if (change <= at || at > end) {
    now_ = std::max(now_, std::min(change, end));
    if (change <= now_) change_weather();
    return;
  }
  now_ = at;
  start_transfers();
  hosts_[next]->turn();
}

Nanos World::next_change() const { return healed_ || changed_ == changes_.size() ? UINT64_MAX : changes_[changed_]; }

void World::change_weather() {
  const Nanos at = changes_[changed_];
  while (changed_ < changes_.size() && changes_[changed_] == at) ++changed_;
  for (const Fault& f : plan_.faults) {
    const bool crashes = f.kind == Feature::crashes && plan_.start + f.from_ms * kMs == at;
    if (crashes) hosts_[f.host]->crash();
  }
  for (uint8_t i = 0; i < plan_.host_count(); ++i) network_.set_weather(i, weather_of(plan_, i, at));
}

void World::heal() {
  healed_ = true;
  network_.heal();
}

void World::start_transfers() {
  if (now_ < next_start_) return;
  next_start_ = UINT64_MAX;
  for (uint32_t i = 0; i < transfers_.size(); ++i) {
    Progress& p = transfers_[i];
    if (p.done) continue;
    if (p.next_try <= now_) {
      if (p.attempt == kNoAttempt) {
        start(i);
      } else if (!transfer_over(i)) {
        p.next_try = now_ + kMs;  // looks again
      }
    }
    if (!p.done) next_start_ = std::min(next_start_, p.next_try);
  }
}

void World::start(uint32_t transfer) {
  Progress& p = transfers_[transfer];
  const TransferPlan& t = plan_.transfers[transfer];
  SimHost& host = *hosts_[t.host[0]];
  // Ports of one transfer come again only where the plan says so; then perhaps while the old connection is in
  // TIME-WAIT.
  const uint16_t port = t.port != 0 && p.tries == 0 ? t.port : next_port_;
  next_port_ = next_port_ < 60'000 ? next_port_ + 1 : kFirstClientPort;
  ++p.tries;
  p.next_try = now_ + (host.connect(transfer, t, port) ? 0 : kTryAgain);
  if (p.next_try != now_) return;
  p.attempt = static_cast<uint32_t>(ledger_.attempts().size() - 1);
  ledger_.attempts().back().late = healed_;
}

/// True: it is done, or lost and to be tried again. A violent one is done when any side has closed.
bool World::transfer_over(uint32_t transfer) {
  Progress& p = transfers_[transfer];
  const Attempt& a = ledger_.attempts()[p.attempt];
  const bool crashed = a.doomed && (healed_ || !a.altered) && !(a.side[0].closed && a.side[1].closed);
  const bool finished = a.side[0].closed && a.side[1].closed && a.side[0].reason == CloseReason::finished &&
                        a.side[1].reason == CloseReason::finished;
  const bool violent = plan_.transfers[transfer].violent() && (a.side[0].closed || a.side[1].closed);
  if (finished || violent || crashed) return p.done = true;
  const bool failed = (a.side[0].closed && a.side[0].reason != CloseReason::finished) ||
                      (a.side[1].closed && a.side[1].reason != CloseReason::finished);
  if (!failed) return false;
  judge_loss(a);
  p.attempt = kNoAttempt;
  p.next_try = now_ + kTryAgain;
  return true;
}

/// A connection that both sides have opened, and nobody has cut, is not lost; nor one that begins in good weather.
void World::judge_loss(const Attempt& a) {
  const uint8_t side = a.side[0].closed ? 0 : 1;
  const bool unreachable =
      plan_.resolves && (a.side[0].reason == CloseReason::unreachable || a.side[1].reason == CloseReason::unreachable);
  // One side has finished, though its app may not have heard of it yet, and its TIME-WAIT was shorter than the timer of the
  // other, which has everything as well.
  const bool complete = a.side[0].sent == a.side[1].delivered && a.side[1].sent == a.side[0].delivered;
  const auto over = [](const Side& s) { return s.closed || s.gone; };
  const auto finished = [](const Side& s) { return s.closed ? s.reason == CloseReason::finished : s.gone; };
  const bool half = over(a.side[0]) && over(a.side[1]) && (finished(a.side[0]) || finished(a.side[1]));
  if (plan_.starved || a.altered || unreachable || (complete && half)) return;
  ledger_.require(!(a.side[0].opened && a.side[1].opened), "a connection that nobody ends is not lost", &a, side);
  ledger_.require(!a.late, "once the network has healed a connection is opened", &a, side);
}

bool World::all_over() {
  for (const Progress& p : transfers_) {
    if (!p.done) return false;
  }
  return true;
}

bool World::all_empty() {
  bool empty = true;
  for (const auto& host : hosts_) {
    host->abort_all();
    empty = empty && host->empty();
  }
  return empty;
}

/// How long the slowest transfer may still take: timers that were doubled up to their bound, then all its bytes.
Nanos World::bound() const {
  Nanos most = 0;
  if (plan_.starved) return 30 * kSecond;
  for (const TransferPlan& t : plan_.transfers) {
    Nanos time = 300 * kSecond;
    for (uint32_t side = 0; side < 2; ++side) {
      const HostPlan& from = plan_.hosts[t.host[side]];
      const HostPlan& to = plan_.hosts[t.host[1 - side]];
      // With a small window each round trip may have to wait for a delayed ACK, and for the timer of the last segment.
      const uint64_t small = std::min<uint64_t>(to.config.tcp.receive_buffer, t.side[side].unsent_max) / 2;
      // Writes of a host share its packets, one each.
      const uint64_t share = from.tx_packets * 3 / 4 / plan_.transfers.size() * t.side[side].write_least;
      // Nagle's algorithm joins no messages of different levels: one of them a round trip. Without SACK a round trip
      // repairs one loss of a window (RFC 6582 3.2), and all of them may be lost.
      const bool sack = from.config.tcp.sack && to.config.tcp.sack;
      const bool lone = !sack || (t.nagle && t.side[side].levels > 1);
      const uint64_t window = lone ? t.side[side].write_least : std::clamp<uint64_t>(std::min(small, share), 100, 10'000);
      const uint64_t wait_ms = to.config.tcp.delayed_ack_ms + from.config.tcp.rto_min_ms + 50;
      const Nanos round = uint64_t{from.delay_us + to.delay_us} * 2'000 + wait_ms * kMs;
      time += t.side[side].bytes / window * round * 4;
      if (from.bytes_per_second != 0)
        time += t.side[side].bytes * plan_.transfers.size() * 2 * kSecond / from.bytes_per_second;
      time += uint64_t{to.config.tcp.rto_max_ms + from.config.tcp.rto_max_ms} * 2 * kMs;
      // A receiver with few packets drops the end of a window of small writes, and of what repairs it. Without timestamps that
      // gives no sample, so the timer stays at its bound (RFC 6298 3 and 5.7) until a whole window comes through.
      const bool timestamps = to.config.tcp.timestamps && from.config.tcp.timestamps;
      const bool crowded = to.rx_packets * uint64_t{t.side[side].write_least} < small;
      if (!timestamps && crowded) time += uint64_t{from.config.tcp.rto_max_ms} * 30 * kMs;
    }
    most = std::max(most, time);
  }
  return most;
}

Counters World::counters() {
  Counters sum;
  for (const auto& host : hosts_) host->add_counters(sum);
  return sum;
}

}  // namespace qstack::sim
