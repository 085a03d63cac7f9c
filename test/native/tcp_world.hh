// Two stacks on one wire, with a clock of their own: what TCP tests are written against.
//
// Tests go through the wire: World::step moves time and lets both stacks take turns; frames can be dropped, changed or
// injected between them. Nothing here is faster or slower on a loaded machine.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/port/fault_port.hh"
#include "native/port/pair_port.hh"
#include "native/stack/stack.hh"

namespace qstack::test {

/// Remembers what the stack told it; releases messages at once unless told to keep them.
class Recorder final : public App {
 public:
  struct Seen {
    std::string bytes;
    std::vector<std::string> messages;
    std::vector<uint8_t> levels;
    bool opened = false, ended = false, closed = false;
    uint32_t urgent = 0;
    CloseReason reason{};
    std::vector<uint32_t> drained;
    Opened info;
    std::vector<Message> kept;
  };

  bool opened(const Opened& event) override {
    if (refuse) return false;
    last = event.handle;
    Seen& seen = of(event.handle);
    seen = Seen{};
    seen.opened = true;
    seen.info = event;
    ++opened_count;
    return true;
  }
  bool message(const Message& event) override {
    if (refuse || refuse_messages || (on_refusal && on_refusal(event))) return false;
    Seen& seen = of(event.handle);
    const auto* at = reinterpret_cast<const char*>(event.packet->data + event.offset);
    seen.bytes.append(at, event.length);
    seen.messages.emplace_back(at, event.length);
    seen.levels.push_back(event.level);
    if (keep) {
      seen.kept.push_back(event);
    } else {
      stack->release(event.handle, event.packet, event.length, *now);
    }
    if (on_message) on_message(event, seen.messages.back());
    return true;
  }
  bool has_budget(uint8_t level) const override { return !spent[level]; }
  Stamp waited(uint32_t, uint8_t level) const override { return behind[level]; }
  bool ended(Handle handle) override {
    if (refuse) return false;
    of(handle).ended = true;
    if (close_on_end) stack->close(handle, *now);
    return true;
  }
  bool closed(Handle handle, CloseReason reason) override {
    if (refuse) return false;
    of(handle).closed = true;
    of(handle).reason = reason;
    ++closed_count;
    return true;
  }
  bool drained(Handle handle, uint32_t cookie) override {
    if (refuse) return false;
    of(handle).drained.push_back(cookie);
    return true;
  }
  bool urgent(Handle handle) override {
    if (refuse) return false;
    ++of(handle).urgent;
    return true;
  }
  void release_kept(Handle handle) {
    for (const Message& m : of(handle).kept) stack->release(m.handle, m.packet, m.length, *now);
    of(handle).kept.clear();
  }
  Seen& of(Handle handle) { return seen_[{handle.slot, handle.generation}]; }

  Stack* stack = nullptr;
  const Nanos* now = nullptr;
  Handle last;
  bool keep = false, refuse = false, refuse_messages = false, close_on_end = false;
  uint32_t opened_count = 0, closed_count = 0;
  std::function<void(const Message&, const std::string&)> on_message;
  bool spent[kLevelsMax] = {};  ///< levels without budget
  Stamp behind[kLevelsMax] = {};  ///< how long their oldest events have waited
  std::function<bool(const Message&)> on_refusal;  ///< true: there is no room for this one

 private:
  std::map<std::pair<uint32_t, uint32_t>, Seen> seen_;
};

struct HostOptions {
  StackConfig stack;
  FaultConfig rx_fault{}, tx_fault{};
  uint64_t seed = 1;
  uint32_t rx_packets = 2048, tx_packets = 2048;
};

/// One stack with its memory, port and app.
class Host {
 public:
  Host(const HostOptions& options, const MacAddress& mac, const Nanos* now)
      : region(options.rx_packets + options.tx_packets),
        rx(region.region(), 0, options.rx_packets),
        tx(region.region(), options.rx_packets, options.tx_packets),
        wire(rx, tx, mac, 1u << 14),
        port(wire, rx, tx, options.seed, options.rx_fault, options.tx_fault),
        stack(options.stack, port, rx, tx, app),
        clock(now) {
    app.stack = &stack;
    app.now = now;
  }

  bool send(Handle handle, std::string_view bytes, uint8_t level = 0, bool message_end = true) {
    Packet* const packet = tx.allocate();
    if (packet == nullptr) return false;
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = static_cast<uint16_t>(bytes.size());
    packet->level = level;
    bytes.copy(reinterpret_cast<char*>(packet->data), bytes.size());
    return stack.send(handle, packet, *clock, message_end);
  }
  uint64_t count(Counter counter) { return stack.counters().get(counter); }
  const Tcb* tcb(Handle handle) const { return stack.engine().inspect(handle); }

  HeapRegion region;
  HeapPool rx, tx;
  PairPort wire;
  FaultPort port;
  Recorder app;
  Stack stack;
  const Nanos* clock;
};

inline StackConfig host_config(uint32_t last_byte) {
  StackConfig config;
  config.ip.address = 0x0a000000 + last_byte;
  config.ip.prefix_length = 24;
  config.ip.mac = {2, 0, 0, 0, 0, static_cast<uint8_t>(last_byte)};
  config.tcp.connections = 64;
  config.tcp.half_open = 16;
  config.tcp.time_wait = 16;
  config.tcp.busy = 64;
  config.tcp.levels = 4;
  config.tcp.secret = {last_byte, 22, 333, 4444};
  return config;
}

/// `client` is 10.0.0.2, `server` 10.0.0.1.
class World {
 public:
  static constexpr uint32_t kServer = 0x0a000001, kClient = 0x0a000002;
  static constexpr uint16_t kPort = 80;

  explicit World(HostOptions client_options = {host_config(2)}, HostOptions server_options = {host_config(1)})
      : client(client_options, client_options.stack.ip.mac, &now), server(server_options, server_options.stack.ip.mac, &now) {
    PairPort::connect(client.wire, server.wire);
    rx_free = {client.rx.available(), server.rx.available()};
    tx_free = {client.tx.available(), server.tx.available()};
  }

  /// Both stacks take turns for `us` microseconds, in steps of `grain_us`.
  void run_us(uint64_t us, uint64_t grain_us = 100) {
    for (uint64_t done = 0; done < us; done += grain_us) {
      now += grain_us * 1'000;
      client.stack.turn(now);
      server.stack.turn(now);
    }
  }
  void run_ms(uint64_t ms) { run_us(ms * 1'000, ms > 2'000 ? 1'000 : 100); }
  bool run_until(const std::function<bool()>& done, uint64_t ms_max = 60'000) {
    for (uint64_t i = 0; i < ms_max * 5 && !done(); ++i) run_us(200, 200);
    return done();
  }

  /// What `host` sends within the next turn, taken off the wire.
  std::vector<PairPort::Frame> capture(Host& host, uint64_t us = 100) {
    now += us * 1'000;
    host.stack.turn(now);
    std::vector<PairPort::Frame> frames;
    while (auto frame = host.wire.take()) frames.push_back(std::move(*frame));
    return frames;
  }
  /// Puts frames before `host` but for those with these numbers.
  static void deliver(Host& host, const std::vector<PairPort::Frame>& frames, const std::set<size_t>& lost = {}) {
    for (size_t i = 0; i < frames.size(); ++i) {
      if (!lost.contains(i)) host.wire.inject(frames[i]);
    }
  }

  int listen(Framing framing = Framing::stream, uint16_t fixed_length = 0, uint16_t port = kPort) {
    return server.stack.listen({0, port, framing, fixed_length});
  }
  /// Connects and returns {client's handle, server's handle}.
  std::pair<Handle, Handle> open(Framing framing = Framing::stream, uint16_t fixed_length = 0) {
    const Handle c = client.stack.connect({kClient, 0}, {kServer, kPort}, {0, 0, framing, fixed_length}, 7, now);
    const uint32_t before = server.app.opened_count;
    run_until([&] { return client.app.of(c).opened && server.app.opened_count > before; }, 10'000);
    return {c, server.app.last};
  }
  /// All packets are back in their pools.
  bool nothing_leaked() const {
    return client.rx.available() == rx_free.first && server.rx.available() == rx_free.second &&
           client.tx.available() == tx_free.first && server.tx.available() == tx_free.second;
  }

  Nanos now = 1'000'000'000;
  Host client, server;
  std::pair<uint32_t, uint32_t> rx_free, tx_free;
};

inline std::string pattern(size_t length, uint32_t seed = 1) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

}  // namespace qstack::test
