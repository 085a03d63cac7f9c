#include "native/stack/app_rings.hh"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "native/wire/bytes.hh"

namespace qstack {

static_assert(static_cast<uint32_t>(CloseReason::app_lost) == static_cast<uint32_t>(abi::CloseCode::app_lost));
static_assert(static_cast<uint32_t>(CloseReason::bad_message) == static_cast<uint32_t>(abi::CloseCode::bad_message));
static_assert(static_cast<uint32_t>(CloseReason::elsewhere) == static_cast<uint32_t>(abi::CloseCode::elsewhere));
static_assert(static_cast<uint32_t>(CloseReason::refused) == static_cast<uint32_t>(abi::CloseCode::refused));
static_assert(sizeof(TcpInfo) + kTcpOptions * 4 <= abi::kInfoBytes);
static_assert(kNoIndex == abi::kNoIndex && kLevelsMax == abi::kLevelsMax);

namespace {

/// Records carry IPv4 addresses only; 0 stands for an IPv6 one.
uint32_t ipv4_or_zero(const Endpoint& endpoint) { return endpoint.address.is_ipv4() ? endpoint.address.ipv4() : 0; }

/// Where a message was sent to, read from its own headers; empty when the packet does not carry them (a reassembled
/// one).
Endpoint local_of(const Message& event) {
  const Packet& p = *event.packet;
  if (!event.remote.address.is_ipv4() || p.l3 < 14 || p.l4 < p.l3 + 20 || p.l4 + 20 > p.length) return {};
  if (load_be32(p.data + p.l3 + 12) != event.remote.address.ipv4() || load_be16(p.data + p.l4) != event.remote.port) return {};
  return {load_be32(p.data + p.l3 + 16), load_be16(p.data + p.l4 + 2)};
}

/// The thread that wrote it is gone; the other stacks may still look whether it sleeps.
void reset_line(abi::AppLine& line) {
  for (uint32_t* const word : {&line.stamp, &line.waiting, &line.turns, &line.deadline, &line.deadline_set,
                               &line.want_buffers, &line.quiet_levels}) {
    store_relaxed(*word, 0u);
  }
}

}  // namespace

AppRings::AppRings(Arena& arena, uint32_t stack, PacketPool& tx, const PolicyConfig& policy, bool own_app)
    : arena_(arena),
      region_(arena.region()),
      tx_(tx),
      fresh_policy_(policy, arena.config().levels, kSendQuantum, kSendBurst, kSendRound),
      stack_(stack),
      own_app_(own_app),
      levels_(arena.config().levels),
      connections_(arena.config().connections),
      first_slot_(arena.first_slot(stack)),
      rx_packets_(arena.config().rx_packets),
      first_rx_(arena.first_rx(stack)),
      tx_packets_(arena.config().tx_packets),
      first_tx_(arena.first_tx(stack)),
      rx_budgets_(arena.config().rx_budgets),
      tx_reserve_(tx_packets_ / 8),
      tx_share_(std::max(1u, tx_packets_ / 4 * 3 / arena.config().apps)),
      apps_memory_(connections_),
      apps_of_(apps_memory_.data()),
      generations_memory_(size_t{connections_} * sizeof(uint32_t)),
      generations_(reinterpret_cast<uint32_t*>(generations_memory_.data())),
      sides_(arena.config().apps, Side(fresh_policy_)) {
  std::memset(apps_of_, kNoApp, connections_);
  for (uint32_t app = 0; app < sides_.size(); ++app) open_rings(app);
}

void AppRings::schedule(const PolicyConfig& policy) {
  fresh_policy_ = SchedulingPolicy(policy, levels_, kSendQuantum, kSendBurst, kSendRound);
  for (Side& side : sides_) side.policy = fresh_policy_;
}

void AppRings::open_rings(uint32_t app) {
  Side& side = sides_[app];
  side.line = &arena_.line(app);
  for (uint32_t level = 0; level < levels_; ++level) {
    side.events[level] = RingProducer(arena_.ring<abi::EventRecord>(stack_, app, abi::kRingEvent + level));
    side.sends[level] = RingConsumer(arena_.ring<abi::SendRecord>(stack_, app, abi::kRingSend + level));
  }
  side.releases = RingConsumer(arena_.ring<abi::ReleaseRecord>(stack_, app, abi::kRingRelease));
  side.empty = RingProducer(arena_.ring<uint32_t>(stack_, app, abi::kRingEmpty));
}

void AppRings::reset_rings(uint32_t app) {
  for (uint32_t index = 0; index < abi::kRingsPerApp; ++index) {
    if (arena_.plan().ring(stack_, app, index).header_at == 0) continue;
    abi::RingHeader& header = *arena_.ring<uint8_t>(stack_, app, index).header;
    store_release(header.head, 0);
    store_release(header.tail, 0);
  }
  sides_[app] = Side(fresh_policy_);
  open_rings(app);
  if (stack_ == 0) reset_line(*sides_[app].line);
}

void AppRings::attach(uint32_t app, int wake_fd) {
  sides_[app].wake_fd = wake_fd;
  sides_[app].lost = false;
}

uint16_t AppRings::add_framing(const ListenerConfig& config) {
  if (next_framing_ < kFirstFraming) return 0;  // it has come round
  framings_[next_framing_] = config;
  return next_framing_++;
}

uint32_t AppRings::rx_with_apps() const {
  uint32_t sum = 0;
  for (const Side& side : sides_) sum += side.rx_held;
  return sum;
}

uint32_t AppRings::tx_with_apps() const {
  uint32_t sum = 0;
  for (const Side& side : sides_) sum += side.tx_held;
  return sum;
}

abi::EventRecord AppRings::record_of(abi::EventType type, Handle handle) const {
  abi::EventRecord record{};
  record.type = static_cast<uint8_t>(type);
  record.listener = abi::kNoListener;
  record.slot = handle.slot + first_slot_;
  record.generation = handle.generation;
  record.packet = kNoIndex;
  record.rx_stamp = record.tcp_stamp = record.ring_stamp = stamp_;
  return record;
}

bool AppRings::push(Side& side, uint32_t level, const abi::EventRecord& record) {
  RingProducer<abi::EventRecord>& events = side.events[level];
  if (!events.push(record)) return false;
  if (side.unpublished & (1u << level)) [[likely]] return true;
  side.unpublished |= 1u << level;
  events.room();  // what the app has taken since
  const abi::EventRecord* const oldest = events.oldest();  // none, says a head that lies
  side.waited[level] = oldest == nullptr ? 0 : stamp_ - oldest->ring_stamp;
  return true;
}

// An active open belongs to the app that asked for it, a passive one to the next app that lives, or to the stack's own.
uint32_t AppRings::choose_app(const Opened& event) {
  const uint8_t asked = apps_of_[event.handle.slot];
  if (asked != kNoApp) return asked;
  if (own_app_) return stack_;
  for (size_t tries = 0; tries < sides_.size(); ++tries) {
    const uint32_t app = next_app_;
    next_app_ = next_app_ + 1 == sides_.size() ? 0 : next_app_ + 1;
    if (!sides_[app].lost) return app;
  }
  return next_app_;
}

void AppRings::tell_addresses(const Opened& event) {
  if (arena_.plan().addresses_at == 0) return;
  abi::AddressEntry& entry = arena_.addresses(event.handle.slot + first_slot_);
  store_relaxed(entry.generation, event.handle.generation);
  full_fence();
  store_ipv6(reinterpret_cast<uint8_t*>(&entry.remote_0), event.remote.address);
  store_ipv6(reinterpret_cast<uint8_t*>(&entry.local_0), event.local.address);
}

bool AppRings::opened(const Opened& event) {
  const uint32_t slot = event.handle.slot;
  const uint32_t app = choose_app(event);
  abi::EventRecord record = record_of(abi::EventType::opened, event.handle);
  record.listener = event.listener;
  record.remote_address = ipv4_or_zero(event.remote);
  record.remote_port = event.remote.port;
  record.local_address = ipv4_or_zero(event.local);
  record.local_port = event.local.port;
  record.token_low = static_cast<uint32_t>(event.token);
  if (!event.remote.address.is_ipv4()) tell_addresses(event);
  if (!push(sides_[app], 0, record)) return false;
  apps_of_[slot] = static_cast<uint8_t>(app);
  generations_[slot] = event.handle.generation;
  if (!connecting_.empty()) connecting_.erase(slot);
  return true;
}

bool AppRings::message(const Message& event) {
  Side* const side = side_of(event.handle.slot);
  Packet* const packet = event.packet;
  if (side == nullptr || packet->refs == UINT8_MAX) return false;
  if (packet->refs == 0 && !has_budget(event.level)) return false;
  abi::EventRecord record = record_of(abi::EventType::message, event.handle);
  const Endpoint local = local_of(event);
  record.level = event.level;
  record.listener = event.listener;
  record.packet = packet->index;
  record.offset = static_cast<uint32_t>(packet->data - arena_.base()) + event.offset;
  record.length = event.length;
  record.remote_address = ipv4_or_zero(event.remote);
  record.remote_port = event.remote.port;
  record.local_address = ipv4_or_zero(local);
  record.local_port = local.port;
  record.rx_stamp = packet->rx_stamp;
  record.tcp_stamp = packet->tcp_stamp;
  if (!push(*side, std::min<uint32_t>(event.level, lowest()), record)) return false;
  packet->owner = owner_of(static_cast<uint32_t>(side - sides_.data()));
  if (packet->refs++ == 0) {
    packet->charged = event.level;
    ++rx_held_[event.level];
  }
  ++side->rx_held;
  return true;
}

Stamp AppRings::waited(uint32_t slot, uint8_t level) const {
  const Side* const side = side_of(slot);
  return side == nullptr ? 0 : side->waited[std::min<uint32_t>(level, lowest())];
}

bool AppRings::ended(Handle handle) {
  Side* const side = side_of(handle.slot);
  return side == nullptr || push(*side, lowest(), record_of(abi::EventType::ended, handle));
}

bool AppRings::closed(Handle handle, CloseReason reason) {
  Side* const side = side_of(handle.slot);
  if (side == nullptr) return true;
  if (!side->lost) {
    abi::EventRecord record = record_of(abi::EventType::closed, handle);
    record.reason = static_cast<uint32_t>(reason);
    const auto connecting = connecting_.find(handle.slot);
    if (connecting != connecting_.end()) record.token_low = connecting->second;
    if (!push(*side, lowest(), record)) return false;
  }
  apps_of_[handle.slot] = kNoApp;
  connecting_.erase(handle.slot);
  return true;
}

bool AppRings::drained(Handle handle, uint32_t cookie) {
  Side* const side = side_of(handle.slot);
  if (side == nullptr) return true;
  abi::EventRecord record = record_of(abi::EventType::drained, handle);
  record.cookie = cookie;
  return push(*side, lowest(), record);
}

bool AppRings::urgent(Handle handle) {
  Side* const side = side_of(handle.slot);
  return side == nullptr || push(*side, lowest(), record_of(abi::EventType::urgent, handle));
}

bool AppRings::tell_failed_connect(Side& side, const FailedConnect& failed) {
  abi::EventRecord record = record_of(abi::EventType::closed, Handle{});
  record.slot = kNoIndex;
  record.token_low = failed.cookie;
  record.reason = static_cast<uint32_t>(failed.reason);
  record.length = failed.stack;
  return push(side, lowest(), record);
}

/// A control record at the head of the lowest ring waits for sends that were published before it.
bool AppRings::fenced(Side& side) const {
  const abi::SendRecord* const head = side.sends[lowest()].peek();
  if (head == nullptr || head->type == static_cast<uint8_t>(abi::SendType::send)) return false;
  return !side.fence.open(lowest(), [&side](uint32_t level) { return side.sends[level].size(); });
}

/// Since when the oldest record of `level` waits: the arrival of the message that it answers, else the time of the record. That of
/// an active open to an IPv6 address has no place for a stamp: it counts as older than all others.
Stamp AppRings::send_since(const Side& side, uint32_t level) const {
  constexpr Stamp kLongAgo = 1u << 30;
  const abi::SendRecord& head = *side.sends[level].peek();
  if (head.type == static_cast<uint8_t>(abi::SendType::connect_ipv6)) return stamp_ - kLongAgo;
  return head.rx_stamp != 0 ? head.rx_stamp : head.send_stamp;
}

void AppRings::publish() {
  bool any = false;
  for (Side& side : sides_) {
    if (side.unpublished == 0) continue;
    any = true;
    for (uint32_t level = 0; level < levels_; ++level) {
      if (side.unpublished & (1u << level)) side.events[level].publish();
    }
    if (side.unpublished & kEmptyBit) side.empty.publish();
  }
  if (!any) return;
  // Dekker: we publish and then read `waiting`, the app writes `waiting` and then reads the tails; with a full fence on
  // both sides at least one of us sees the other.
  full_fence();
  for (Side& side : sides_) {
    if (side.unpublished != 0) wake(side);
    side.unpublished = 0;
  }
}

void AppRings::wake(Side& side) {
  const uint32_t sleep = load_relaxed(side.line->waiting);
  if (sleep == 0 || sleep == side.notified || side.wake_fd < 0) return;
  side.notified = sleep;
  const uint64_t one = 1;
  // The counter of an eventfd cannot be full here: the app reads it before each sleep. There is nothing to do on
  // failure.
  [[maybe_unused]] const ssize_t written = write(side.wake_fd, &one, sizeof(one));
}

Packet* AppRings::take_tx_packet(uint32_t app, uint32_t index) {
  if (index - first_tx_ >= tx_packets_) return nullptr;  // one before the first is as one far beyond the last
  Packet* const packet = region_.at(index);
  if (packet->owner != owner_of(app)) return nullptr;
  packet->owner = PacketOwner::stack;
  --sides_[app].tx_held;
  return packet;
}

Packet* AppRings::take_rx_packet(uint32_t app, uint32_t index) {
  if (index - first_rx_ >= rx_packets_) return nullptr;
  Packet* const packet = region_.at(index);
  if (packet->owner != owner_of(app) || packet->refs == 0) return nullptr;
  if (--packet->refs == 0) {
    packet->owner = PacketOwner::stack;
    --rx_held_[packet->charged];
  }
  --sides_[app].rx_held;
  return packet;
}

void AppRings::top_up(Side& side, uint32_t app) {
  constexpr uint32_t kChunk = 32;
  uint32_t room = std::min(side.empty.room(), tx_share_ - std::min(tx_share_, side.tx_held));
  while (room > 0) {
    const uint32_t available = tx_.available();
    if (available <= tx_reserve_) return;
    const uint32_t n = std::min({room, kChunk, available - tx_reserve_});
    Packet* packets[kChunk];
    if (tx_.allocate(packets, n) == 0) return;
    for (uint32_t i = 0; i < n; ++i) {
      packets[i]->owner = owner_of(app);
      side.empty.push(packets[i]->index);
    }
    side.tx_held += n;
    side.unpublished |= kEmptyBit;
    room -= n;
  }
}

}  // namespace qstack
