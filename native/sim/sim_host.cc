#include "native/sim/sim_host.hh"

#include <algorithm>

namespace qstack::sim {
namespace {

/// Timers have a tick of 1 ms; without connections only neighbours and records have any.
constexpr Nanos kTick = 1'000'000, kIdleTick = 10'000'000;
/// Queues are walked in one turn of so many.
constexpr uint32_t kQueueWalk = 64;

}  // namespace

SimHost::SimHost(const Scene& scene, uint8_t number)
    : scene_(scene), number_(number), life_(std::make_unique<SimLife>(scene, number, 0)) {}

void SimHost::crash() {
  scene_.network.forget(number_);
  scene_.ledger.crashed(number_);
  life_.reset();
  life_ = std::make_unique<SimLife>(scene_, number_, ++lives_);
  pending_ = true;
}

/// The stacks are asked in turn; one whose port it is not knows whose it is. Of some transfers they choose the port.
bool SimHost::connect(uint32_t transfer, const TransferPlan& t, uint16_t port) {
  std::deque<Shard>& shards = life_->shards();
  if (shards.size() > 1 && t.port == 0 && t.number % 2 != 0) port = 0;
  SimApp& app = shards[asked_++ % shards.size()].app;
  if (app.connect(transfer, t, port)) return true;
  const auto other = app.elsewhere(t, port);
  return other && shards[*other].app.connect(transfer, t, port);
}

void SimHost::abort_all() {
  for (Shard& shard : life_->shards()) shard.app.abort_all();
}

Nanos SimHost::due() const {
  bool busy = false;
  Nanos wake = scene_.network.next_arrival(number_);
  for (const Shard& shard : life_->shards()) {
    busy = busy || !shard.app.idle() || shard.stack.engine().connections_used() != 0;
    wake = std::min(wake, shard.app.next_wake());
  }
  const Nanos at = std::min(wake, last_turn_ + (pending_ ? 0 : busy ? kTick : kIdleTick));
  const Nanos grain = uint64_t{plan().grain_us} * 1'000;
  return std::max(at, last_turn_ + grain);
}

/// One stack after the other, each first in turn.
void SimHost::turn() {
  last_turn_ = scene_.now;
  change_policy();
  std::deque<Shard>& shards = life_->shards();
  pending_ = false;
  for (uint32_t i = 0; i < shards.size(); ++i) {
    const auto stack = static_cast<uint32_t>((turns_ + i) % shards.size());
    Shard& shard = shards[stack];
    const bool rest = rests(stack);
    const bool wrote = !rest && shard.app.step();
    pending_ |= rest || shard.stack.turn(scene_.now) != 0 || wrote;
  }
  pending_ |= life_->moved();
  ++turns_;
  for (Shard& shard : shards) check(shard);
}

/// As a thread that is kept from its core.
bool SimHost::rests(uint32_t stack) const {
  return stack != 0 && stack + 1 == life_->shards().size() && !scene_.healed && turns_ % plan().slow_turns != 0;
}

/// Whatever waits, and whichever policy it came under, goes by the other one now.
void SimHost::change_policy() {
  const HostPlan& host = plan();
  if (host.policy_turns == 0 || turns_ % host.policy_turns != 0) return;
  const bool other = turns_ / host.policy_turns % 2 != 0;
  for (Shard& shard : life_->shards()) shard.stack.schedule(other ? host.other_policy : host.config.policy);
}

void SimHost::check(Shard& shard) {
  const TcpEngine& engine = shard.stack.engine();
  for (const uint32_t slot : shard.app.active()) {
    End& end = shard.app.end_at(slot);
    Side& mine = end.mine();
    const Tcb* const c = mine.opened ? engine.inspect(mine.handle) : nullptr;
    if (c == nullptr) {
      mine.gone |= mine.opened;
      continue;
    }
    const Busy* const b = engine.inspect_busy(*c);
    Ledger& ledger = scene_.ledger;
    ledger.look(*end.attempt, end.side, *c, b);
    if (b != nullptr && b->early != kNoIndex) ledger.look_into_early(*end.attempt, end.side, *c, engine.inspect_early(*b));
    if (b != nullptr && (turns_ + slot) % kQueueWalk == 0) ledger.look_into_queues(*end.attempt, end.side, *c, *b);
  }
}

bool SimHost::empty() const {
  const std::deque<Shard>& shards = life_->shards();
  return std::all_of(shards.begin(), shards.end(), [](const Shard& shard) { return shard.empty(); });
}

std::string SimHost::what_is_left() const {
  std::string text = "host " + std::to_string(number_) + ":";
  for (const Shard& shard : life_->shards()) {
    text += ' ';
    text += shard.what_is_left();
    text += ';';
  }
  return text;
}

void SimHost::add_counters(Counters& sum) {
  for (Shard& shard : life_->shards()) {
    const Counters& counted = shard.stack.counters();
    for (size_t i = 0; i < kCounters; ++i) sum.values[i] += counted.values[i];
  }
}

}  // namespace qstack::sim
