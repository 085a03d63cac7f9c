#include "native/stack/shards.hh"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace qstack {

namespace {

StackConfig config_of(StackConfig config, uint32_t number, const FlowSteering* steering, Steerer* steerer) {
  config.tcp.steering = steering;
  config.tcp.stack = number;
  config.ip.others = number == 0 ? steerer : nullptr;
  return config;
}

StackFigures figures_of(Shard& shard) {
  StackFigures out;
  out.counters = shard.stack.counters();
  out.counters.add(Counter::bad_records, shard.rings.bad_records());
  out.counters.add(Counter::stale_records, shard.rings.stale_records());
  out.rx_free = shard.rx.available();
  out.tx_free = shard.tx.available();
  out.rx_packets = shard.rx.capacity();
  out.tx_packets = shard.tx.capacity();
  out.rx_with_apps = shard.rings.rx_with_apps();
  out.tx_with_apps = shard.rings.tx_with_apps();
  const TcpEngine& engine = shard.stack.engine();
  out.control_blocks = engine.connections_used();
  out.busy_blocks = engine.busy_used();
  out.early_ranges = engine.early_used();
  out.ipv6_pairs = engine.ipv6_used();
  out.option_sets = static_cast<uint32_t>(engine.profiles_used());
  return out;
}

void add_hits(std::vector<uint64_t>& sums, const RuleBook* rules) {
  if (rules == nullptr) return;
  const std::span<const uint64_t> hits = rules->hits();
  sums.resize(hits.size());
  for (size_t i = 0; i < hits.size(); ++i) sums[i] += hits[i];
}

HiccupProbe::Summary worst_of(const HiccupProbe::Summary& a, const HiccupProbe::Summary& b) {
  return {.windows = a.windows + b.windows,
          .p50 = std::max(a.p50, b.p50),
          .p99 = std::max(a.p99, b.p99),
          .p999 = std::max(a.p999, b.p999),
          .max = std::max(a.max, b.max)};
}

}  // namespace

StackFigures& StackFigures::operator+=(const StackFigures& other) {
  counters += other.counters;
  rx_free += other.rx_free;
  tx_free += other.tx_free;
  rx_packets += other.rx_packets;
  tx_packets += other.tx_packets;
  rx_with_apps += other.rx_with_apps;
  tx_with_apps += other.tx_with_apps;
  control_blocks += other.control_blocks;
  busy_blocks += other.busy_blocks;
  early_ranges += other.early_ranges;
  ipv6_pairs += other.ipv6_pairs;
  option_sets += other.option_sets;
  return *this;
}

Shards::Shards(const StackConfig& config, Arena& arena, const std::vector<End>& ends, const FlowSteering* steering) {
  assert(ends.size() == arena.config().stacks && (ends.size() == 1 || (steering != nullptr && ends[0].steerer != nullptr)));
  for (const End& end : ends) {
    const StackConfig own = config_of(config, count(), steering, end.steerer);
    shards_.emplace_back(own, arena, count(), *end.port, *end.rx, *end.tx, end.steerer);
  }
  // No turn yet: what the device has already would find no listener.
  each([](Shard& shard) {
    shard.rings.drain(shard.stack, monotonic_now());
    shard.rings.publish();
  });
}

std::vector<MemoryRegion> Shards::memory() const {
  std::vector<MemoryRegion> regions;
  for (const Shard& shard : shards_) {
    const auto pools = shard.stack.engine().memory();
    const auto by_slot = shard.rings.memory();
    regions.insert(regions.end(), pools.begin(), pools.end());
    regions.insert(regions.end(), by_slot.begin(), by_slot.end());
  }
  return regions;
}

void Shards::run(const StackThreadConfig& config, const std::vector<int>& cores, std::span<Doorbell> bells) {
  std::vector<std::unique_ptr<StackThread>> threads;
  for (uint32_t number = 0; number < count(); ++number) {
    StackThreadConfig own = config;
    own.name += std::to_string(number);
    own.core = number < cores.size() ? cores[number] : -1;
    own.port = &shards_[number].port;
    own.bell = number < bells.size() ? &bells[number] : nullptr;
    own.deadline = [this, number](Nanos now) { return next_deadline(number, now); };
    threads.push_back(std::make_unique<StackThread>([this, number](Nanos now) { return turn(number, now); }, own));
  }
  threads_ = std::move(threads);
}

void Shards::stop() {
  if (!running()) return;
  last_hiccups_ = hiccups(false);
  while (threads_.size() > 1) threads_.pop_back();
  if (count() > 1) threads_[0]->call([this] { send_rest(0); });
  threads_.clear();
}

/// As many turns as a full way has bursts; a server that is still busy then is cut off in the middle, as any is.
void Shards::send_rest(uint32_t number) {
  constexpr uint32_t kTurnsMax = 64;
  for (uint32_t turns = 0; turns < kTurnsMax && turn(number, monotonic_now()) != 0; ++turns) continue;
}

void Shards::end_driving(uint32_t number) {
  if (count() > 1) send_rest(number);
  shards_[number].mailbox.close();
}

bool Shards::driven() const {
  return std::any_of(shards_.begin(), shards_.end(), [](const Shard& shard) { return shard.mailbox.served(); });
}

uint32_t Shards::drive(uint32_t number, Nanos now) {
  shards_[number].mailbox.serve();
  return turn(number, now);
}

void Shards::serve() {
  for (Shard& shard : shards_) {
    if (shard.mailbox.served_here()) shard.mailbox.serve();
  }
}

uint32_t Shards::turn(uint32_t number, Nanos now) {
  Shard& shard = shards_[number];
  const uint32_t commands = shard.rings.drain(shard.stack, now);
  const uint32_t work = shard.stack.turn(now);
  shard.rings.set_behind(shard.stack.behind());
  shard.rings.publish();
  const uint32_t moved = shard.steerer == nullptr ? 0 : shard.steerer->take_moved();
  return commands + work + moved;
}

uint32_t Shards::turn(Nanos now) {
  uint32_t work = 0;
  for (uint32_t number = 0; number < count(); ++number) work += turn(number, now);
  return work;
}

void Shards::at(uint32_t number, const std::function<void(Shard&)>& work) {
  Shard& shard = shards_[number];
  constexpr std::chrono::milliseconds kPatience{1'000};
  const std::function<void()> job = [&] { work(shard); };
  if (running()) return threads_[number]->call(job);
  if (!shard.mailbox.call(job, kPatience)) throw StackBusy(number);
}

void Shards::each(const std::function<void(Shard&)>& work) {
  for (uint32_t number = 0; number < count(); ++number) at(number, work);
}

int Shards::listen(const ListenerConfig& config) {
  int listener = 0;
  for (uint32_t number = 0; number < count(); ++number) {
    const int before = listener;
    at(number, [&](Shard& shard) {
      listener = shard.stack.listen(config);
      if (listener >= 0) shard.rings.set_framing(static_cast<uint16_t>(listener), config);
    });
    assert(number == 0 || listener < 0 || listener == before);
    if (listener >= 0) continue;
    if (number > 0) forget(config, number, before);
    break;
  }
  return listener;
}

/// Those before `refused_by` have opened it; the others keep its number free, so that the next one is the same in all.
void Shards::forget(const ListenerConfig& config, uint32_t refused_by, int listener) {
  for (uint32_t number = 0; number < count(); ++number) {
    at(number, [&](Shard& shard) {
      if (number < refused_by) {
        shard.stack.unlisten(static_cast<uint16_t>(listener));
      } else {
        shard.stack.reserve(config);
      }
    });
  }
}

void Shards::unlisten(uint16_t listener) {
  each([listener](Shard& shard) { shard.stack.unlisten(listener); });
}

int Shards::add_framing(const ListenerConfig& config) {
  uint16_t number = 0;
  each([&](Shard& shard) { number = shard.rings.add_framing(config); });
  return number == 0 ? -ENOBUFS : number;
}

/// Books are made and freed here, not between two turns.
std::vector<uint64_t> Shards::classify(const Classifier& classifier) {
  std::vector<std::unique_ptr<RuleBook>> books;
  for (uint32_t number = 0; number < count(); ++number) books.push_back(std::make_unique<RuleBook>(classifier));
  std::vector<uint64_t> hits;
  for (uint32_t number = 0; number < count(); ++number) {
    std::unique_ptr<RuleBook>& book = books[number];
    at(number, [&book](Shard& shard) { book = shard.stack.replace_rules(std::move(book)); });
    add_hits(hits, book.get());
  }
  return hits;
}

std::vector<uint64_t> Shards::rule_hits() {
  std::vector<uint64_t> hits;
  each([&](Shard& shard) { add_hits(hits, shard.stack.rules()); });
  return hits;
}

void Shards::schedule(const PolicyConfig& policy) {
  each([&](Shard& shard) {
    shard.stack.schedule(policy);
    shard.rings.schedule(policy);
  });
}

std::vector<StackFigures> Shards::figures() {
  std::vector<StackFigures> out;
  each([&](Shard& shard) { out.push_back(figures_of(shard)); });
  return out;
}

Sojourn Shards::sojourn() {
  Sojourn out;
  each([&](Shard& shard) { out += shard.stack.counters().sojourn; });
  return out;
}

HiccupProbe::Summary Shards::hiccups(bool reset) {
  if (!running()) return last_hiccups_;
  HiccupProbe::Summary worst;
  for (const auto& thread : threads_) worst = worst_of(worst, thread->hiccups(reset));
  return worst;
}

uint32_t Shards::reclaim(uint32_t app) {
  uint32_t reset = 0;
  for (uint32_t number = 0; number < count(); ++number) {
    at(number, [&](Shard& shard) {
      reset += shard.rings.reclaim(shard.stack, app, monotonic_now());
      if (!running() && !shard.mailbox.served()) send_rest(number);  // the lost app was the one that drove it
    });
  }
  return reset;
}

void Shards::attach(uint32_t app, int wake_fd) {
  each([&](Shard& shard) { shard.rings.attach(app, wake_fd); });
}

}  // namespace qstack
