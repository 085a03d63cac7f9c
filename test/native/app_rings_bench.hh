// What the tests of AppRings stand on: a stack that only notes what it is asked, and the app's ends of the rings.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/stack/app_commands.hh"

namespace qstack::rings_test {

inline constexpr uint32_t kStride = sizeof(Packet) + kHeadroom + kRoom;
inline constexpr Nanos kNow = 1'000'000;

/// Notes what it is asked.
struct FakeStack {
  struct Sent {
    Handle handle;
    Packet* packet;
    bool message_end;
  };

  explicit FakeStack(PacketPool& rx, PacketPool& tx) : rx(rx), tx(tx) {}

  void prefetch(uint32_t) const {}
  void prefetch_busy(uint32_t) const {}
  bool send_ready(uint8_t level) const { return ready && full != level; }
  bool send(Handle handle, Packet* packet, Nanos, bool message_end) {
    if (!alive(handle)) {
      tx.release(packet);
      ++stale;
      return false;
    }
    sent.push_back({handle, packet, message_end});
    return true;
  }
  void shutdown(Handle handle, Nanos) { calls.push_back({"shutdown", handle}); }
  void close(Handle handle, Nanos) { calls.push_back({"close", handle, sent.size()}); }
  void abort(Handle handle, CloseReason reason, Nanos) {
    calls.push_back({"abort", handle});
    if (app != nullptr) app->closed(handle, reason);
  }
  void request_drain(Handle handle, uint32_t low_water, uint32_t, Nanos) {
    calls.push_back({"drain", handle, sent.size(), low_water});
  }
  void release(Handle, Packet* packet, uint16_t, Nanos) {
    ++released;
    rx.release(packet);
  }
  Handle connect(Endpoint local, Endpoint remote, const ListenerConfig&, uint64_t token, Nanos) {
    connected.push_back({Handle{}, local, remote, 0, token});
    return next_connect;
  }
  std::optional<uint32_t> elsewhere(const Endpoint&, const Endpoint&) const { return other; }
  bool alive(Handle handle) const { return handle.generation == 1; }
  int set_option(Handle, TcpOption option, uint32_t value, Nanos) { return options.set(option, value); }
  std::optional<uint32_t> option(Handle, TcpOption option) const { return options[option]; }
  std::optional<TcpInfo> info(Handle) const { return state; }

  struct Call {
    const char* name;
    Handle handle;
    size_t sends_before = 0;
    uint32_t low_water = 0;
  };
  PacketPool& rx;
  PacketPool& tx;
  App* app = nullptr;
  std::vector<Sent> sent;
  std::vector<Call> calls;
  std::vector<Opened> connected;
  Handle next_connect;
  std::optional<uint32_t> other;  ///< the stack that connections must be asked of
  SocketOptions options;
  TcpInfo state{};
  uint32_t released = 0;
  uint32_t stale = 0;
  bool ready = true;
  uint32_t full = kNoIndex;  ///< level whose lane is
};

/// What JavaScript does, in C++: the other end of an app's rings with one stack.
struct AppEnd {
  AppEnd(Arena& arena, uint32_t app, uint32_t stack = 0) : line(arena.line(app)) {
    for (uint32_t level = 0; level < arena.config().levels; ++level) {
      events.push_back(RingConsumer(arena.ring<abi::EventRecord>(stack, app, abi::kRingEvent + level)));
      sends.push_back(RingProducer(arena.ring<abi::SendRecord>(stack, app, abi::kRingSend + level)));
    }
    releases = RingProducer(arena.ring<abi::ReleaseRecord>(stack, app, abi::kRingRelease));
    empty = RingConsumer(arena.ring<uint32_t>(stack, app, abi::kRingEmpty));
  }
  uint32_t take_empty() {
    uint32_t index = kNoIndex;
    empty.refresh();
    empty.take(index);
    empty.publish();
    return index;
  }
  bool next(uint32_t level, abi::EventRecord& record) {
    events[level].refresh();
    const bool taken = events[level].take(record);
    events[level].publish();
    return taken;
  }
  void put(uint32_t level, const abi::SendRecord& record) {
    CHECK(sends[level].push(record));
    sends[level].publish();
  }
  void give_back(const abi::ReleaseRecord& record) {
    CHECK(releases.push(record));
    releases.publish();
  }

  abi::AppLine& line;
  std::vector<RingConsumer<abi::EventRecord>> events;
  std::vector<RingProducer<abi::SendRecord>> sends;
  RingProducer<abi::ReleaseRecord> releases;
  RingConsumer<uint32_t> empty;
};

inline abi::SendRecord send_record(abi::SendType type, Handle handle, uint32_t packet = 0, uint16_t length = 10) {
  abi::SendRecord record{};
  record.type = static_cast<uint8_t>(type);
  record.slot = handle.slot;
  record.generation = handle.generation;
  record.packet = packet;
  record.length = length;
  return record;
}

/// The memory of all stacks.
struct PacketArena : Arena {
  explicit PacketArena(const ArenaConfig& config) : Arena(config) {
    const uint32_t packets = config.stacks * (config.rx_packets + config.tx_packets);
    set_region({region_memory(), kStride, 0, packets});
  }
};

/// One of its stacks, with its rings and their ends in the apps.
struct Bench {
  explicit Bench(uint32_t apps = 1, uint32_t levels = 2, uint32_t rx_packets = 16, uint32_t tx_packets = 64)
      : Bench(config(apps, levels, rx_packets, tx_packets)) {}
  explicit Bench(const ArenaConfig& config, const PolicyConfig& policy = {})
      : Bench(std::make_shared<PacketArena>(config), 0, policy) {}
  Bench(const std::shared_ptr<PacketArena>& memory, uint32_t number, const PolicyConfig& policy = {})
      : memory(memory), arena(*memory) {
    const ArenaConfig& config = arena.config();
    rx = std::make_unique<HeapPool>(arena.region(), arena.first_rx(number), config.rx_packets);
    tx = std::make_unique<HeapPool>(arena.region(), arena.first_tx(number), config.tx_packets);
    rings = std::make_unique<AppRings>(arena, number, *tx, policy);
    stack = std::make_unique<FakeStack>(*rx, *tx);
    stack->app = rings.get();
    for (uint32_t app = 0; app < config.apps; ++app) ends.emplace_back(arena, app, number);
    turn();
  }
  static ArenaConfig config(uint32_t apps, uint32_t levels, uint32_t rx_packets, uint32_t tx_packets,
                            uint32_t stacks = 1) {
    return {.stacks = stacks,
            .levels = levels,
            .apps = apps,
            .connections = 8,
            .rx_packets = rx_packets,
            .tx_packets = tx_packets,
            .empty_records = 16,
            .region_bytes = uint64_t{kStride} * stacks * (rx_packets + tx_packets),
            .ipv6 = true};
  }
  uint32_t turn() {
    const uint32_t handled = rings->drain(*stack, now);
    rings->publish();
    return handled;
  }
  void open(uint32_t slot) {
    CHECK(rings->opened({.handle = {slot, 1}, .local = {0x0a000001, 80}, .remote = {0x0a000002, 5000}}));
  }
  Packet* receive(uint32_t slot, uint16_t length, uint8_t level) {
    Packet* const packet = rx->allocate();
    REQUIRE(packet != nullptr);
    packet->rx_stamp = 77;
    CHECK(rings->message({.handle = {slot, 1},
                          .remote = {0x0a000002, 5000},
                          .packet = packet,
                          .offset = 4,
                          .length = length,
                          .listener = 3,
                          .level = level}));
    return packet;
  }
  uint64_t stale() const { return rings->stale_records() + stack->stale; }
  /// A send of `length` bytes that has waited for `age`.
  void put_send(uint32_t level, Handle handle, uint16_t length, Nanos age = 0) {
    abi::SendRecord record = send_record(abi::SendType::send, handle, ends[0].take_empty(), length);
    record.level = static_cast<uint8_t>(level);
    record.send_stamp = to_stamp(now - age);
    ends[0].put(level, record);
  }
  /// Levels of what was sent, in order.
  std::string order() const {
    std::string levels;
    for (const FakeStack::Sent& one : stack->sent) levels += static_cast<char>('0' + one.packet->level);
    return levels;
  }

  Nanos now = kNow;
  std::shared_ptr<PacketArena> memory;
  Arena& arena;
  std::unique_ptr<HeapPool> rx, tx;
  std::unique_ptr<AppRings> rings;
  std::unique_ptr<FakeStack> stack;
  std::vector<AppEnd> ends;
};

}  // namespace qstack::rings_test
