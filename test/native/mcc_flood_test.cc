#include <doctest/doctest.h>

#include <set>

#include "native/mcc/flood_port.hh"
#include "native/wire/ethernet.hh"
#include "test/native/tcp_world.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr Nanos kMillisecond = 1'000'000;

/// A client whose port floods the server between its own frames.
struct Flood {
  explicit Flood(uint32_t connections = 64, uint16_t vlan = 0)
      : region(4'096),
        rx(region.region(), 0, 2'048),
        tx(region.region(), 2'048, 2'048),
        wire(rx, tx, {2, 0, 0, 0, 0, 2}, 1u << 14),
        port(flood_config(vlan), wire, rx, tx),
        client(client_config(vlan), port, rx, tx, app),
        server(server_options(connections, vlan), {2, 0, 0, 0, 0, 1}, &now) {
    app.stack = &client;
    app.now = &now;
    PairPort::connect(wire, server.wire);
    server.stack.listen({0, 80, Framing::stream, 0});
  }

  static mcc::FloodConfig flood_config(uint16_t vlan) {
    return {.first_address = 0x0a000001, .addresses = 254, .spared = World::kClient, .spared_count = 1,
            .destination = World::kServer, .port = 80, .vlan = vlan, .seed = 3};
  }
  static StackConfig client_config(uint16_t vlan) {
    StackConfig config = host_config(2);
    config.ip.vlan = vlan;
    return config;
  }
  static HostOptions server_options(uint32_t connections, uint16_t vlan) {
    HostOptions options{host_config(1)};
    options.stack.ip.vlan = vlan;
    options.stack.tcp.connections = connections;
    return options;
  }

  void run_ms(uint32_t ms) {
    for (uint32_t i = 0; i < 10 * ms; ++i) {
      now += kMillisecond / 10;
      client.turn(now);
      server.stack.turn(now);
    }
  }
  Handle open() {
    const Handle handle = client.connect({World::kClient, 0}, {World::kServer, 80}, {}, 0, now);
    run_ms(20);
    return handle;
  }

  Nanos now = 1'000'000'000;
  HeapRegion region;
  HeapPool rx, tx;
  PairPort wire;
  mcc::FloodPort port;
  Recorder app;
  Stack client;
  Host server;
};

}  // namespace

TEST_CASE("the flood waits until it knows the server's station, keeps its rate, and stops when told") {
  Flood f;
  f.port.set_rate(100'000);
  f.run_ms(10);
  CHECK(f.port.sent() == 0);
  f.open();
  const uint64_t before = f.port.sent();
  f.run_ms(100);
  CHECK(f.port.sent() - before >= 9'990);
  CHECK(f.port.sent() - before <= 10'010);
  f.port.set_rate(0);
  f.run_ms(1);
  const uint64_t stopped = f.port.sent();
  f.run_ms(10);
  CHECK(f.port.sent() == stopped);
}

TEST_CASE("in a VLAN the SYNs of the flood carry its tag, and their answers are found behind it") {
  Flood f(64, 5);
  f.open();
  f.port.set_rate(10'000);
  const uint64_t before = f.server.count(Counter::syn_in);
  f.run_ms(50);
  CHECK(f.port.sent() > 400);
  CHECK(f.server.count(Counter::syn_in) - before > 400);
  CHECK(f.server.count(Counter::drop_vlan) == 0);
  CHECK(f.server.count(Counter::drop_tcp_checksum) == 0);
  CHECK(f.port.answered() > 0);
}

TEST_CASE("SYNs of the flood are whole, come from many addresses, never from ours or the server's") {
  Flood f;
  f.open();
  f.port.set_rate(100'000);
  std::set<uint32_t> sources;
  for (int i = 0; i < 100; ++i) {
    f.now += kMillisecond / 10;
    f.client.turn(f.now);
    std::vector<PairPort::Frame> frames;
    while (const auto frame = f.wire.take()) frames.push_back(*frame);
    for (const auto& frame : frames) {
      if (frame.size() == 74) sources.insert(load_be32(frame.data() + 26));
      f.server.wire.inject(frame);
    }
    f.server.stack.turn(f.now);
  }
  CHECK(sources.size() > 200);
  CHECK(sources.count(World::kClient) == 0);
  CHECK(sources.count(World::kServer) == 0);
  CHECK(f.server.count(Counter::syn_in) >= 900);
  CHECK(f.server.count(Counter::drop_tcp_checksum) + f.server.count(Counter::drop_ip_checksum) == 0);
}

TEST_CASE("under a flood new connections are served by cookie, old ones go on, and answers to forgers end in the port") {
  Flood f;
  f.server.app.on_message = [&](const Message& m, const std::string& bytes) { f.server.send(m.handle, bytes); };
  const Handle old = f.open();
  f.port.set_rate(100'000);
  f.run_ms(50);
  REQUIRE(f.server.stack.engine().half_open_used() == 16);
  for (int i = 0; i < 20; ++i) CHECK(f.app.of(f.open()).opened);
  const Handle handle = f.open();
  for (const Handle h : {old, handle}) {
    Packet* const packet = f.tx.allocate();
    packet->data = PacketRegion::payload_start(packet);
    packet->payload_length = 4;
    std::memcpy(packet->data, "ping", 4);
    f.client.send(h, packet, f.now);
  }
  f.run_ms(50);
  CHECK(f.app.of(old).bytes == "ping");
  CHECK(f.app.of(handle).bytes == "ping");
  CHECK(f.port.answered() > 1'000);
  CHECK(f.client.counters().get(Counter::drop_not_ours) == 0);
  CHECK(f.server.count(Counter::syn_cookies_accepted) >= 20);
}
