// The whole generator against a small server: two real stacks on a wire in memory, under explicit time.
#include <doctest/doctest.h>

#include "native/mcc/generator.hh"
#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"
#include "test/native/mcc_server.hh"

using namespace qstack;
using namespace qstack::mcc;
using namespace qstack::test;

namespace {

constexpr Nanos kTurn = 50'000;

Nanos wire_now = 0;

/// A machine on which a millisecond passes before the next line is reached.
Nanos slow_clock() { return wire_now += kSecond / 1'000; }

EngineConfig engine_config(uint32_t connections) {
  EngineConfig config;
  config.connections = connections;
  config.slots = 600;
  config.first_address = kClient;
  config.addresses = 4;
  config.message_length = 200;
  config.shares = {0.05, 0.95};
  config.answered_all = true;
  config.seed = 3;
  return config;
}

struct Wire {
  explicit Wire(const EngineConfig& config)
      : region(8192),
        server_rx(region.region(), 0, 2048),
        server_tx(region.region(), 2048, 2048),
        client_rx(region.region(), 4096, 2048),
        client_tx(region.region(), 6144, 2048),
        server_port(server_rx, server_tx, MacAddress{{2, 0, 0, 0, 0, 1}}),
        client_port(client_rx, client_tx, MacAddress{{2, 0, 0, 0, 0, 2}}),
        server(server_port, server_rx, server_tx),
        generator(config, stack_config(kClient, 4, 2), client_port, client_rx, client_tx, {kServer, 80}) {
    PairPort::connect(server_port, client_port);
  }

  void run_until(Phase phase, Nanos limit) {
    for (Nanos end = now + limit; now < end && generator.load().phase() != phase; now += kTurn) {
      server.turn(now);
      generator.turn(now);
    }
    REQUIRE(generator.load().phase() == phase);
  }
  void open() {
    generator.load().connect(now);
    run_until(Phase::ready, 5 * kSecond);
  }
  void run(ArrivalKind kind, uint32_t amount, Nanos duration) {
    Plan plan;
    plan.kind = kind;
    plan.rate = plan.burst = plan.window = amount;
    plan.duration = duration;
    generator.load().run(plan, now + 1000, now);
    run_until(Phase::ready, duration + 6 * kSecond);
  }

  HeapRegion region;
  HeapPool server_rx, server_tx, client_rx, client_tx;
  PairPort server_port, client_port;
  Server server;
  StackGenerator generator;
  Nanos& now = wire_now = kSecond;
};

}  // namespace

TEST_CASE("waves over a real stack: every message is answered, none lost, none mismatched, no packet left behind") {
  Wire wire(engine_config(500));
  wire.open();
  wire.run(ArrivalKind::wave, 100, kSecond);
  Load& engine = wire.generator.load();
  uint64_t sent = 0, answered = 0;
  for (uint8_t level = 0; level < 2; ++level) {
    sent += engine.level(level).counts.sent;
    answered += engine.level(level).counts.answered;
    CHECK(engine.level(level).latency.max() < 20'000'000);
  }
  CHECK(sent == 500);
  CHECK(answered == 500);
  CHECK(engine.level(0).counts.sent > 5);
  CHECK(wire.server.messages == 500);
  CHECK(wire.server.bytes == 500 * 200);
  CHECK(engine.view().mismatched == 0);
  engine.close(wire.now);
  wire.run_until(Phase::closed, 10 * kSecond);
  for (int i = 0; i < 40'000; ++i, wire.now += kTurn) wire.server.turn(wire.now), wire.generator.turn(wire.now);
  CHECK(wire.server.closes == 500);
  CHECK(wire.client_tx.available() == wire.client_tx.capacity());
  CHECK(wire.client_rx.available() == wire.client_rx.capacity());
  CHECK(wire.server_tx.available() == wire.server_tx.capacity());
}

TEST_CASE("what the port does not take waits in the plan, and is not said to be sent") {
  Wire wire(engine_config(600));
  wire.open();
  wire.generator.turn(wire.now);
  wire.client_port.set_link(false);
  Plan wave;
  wave.kind = ArrivalKind::wave;
  wave.burst = 600;
  wave.duration = kSecond;
  Load& engine = wire.generator.load();
  engine.run(wave, wire.now + 1000, wire.now);
  const auto sent = [&engine] { return engine.level(0).counts.sent + engine.level(1).counts.sent; };
  for (int i = 0; i < 100; ++i, wire.now += kTurn) wire.generator.turn(wire.now);
  CHECK(sent() == 512);
  wire.client_port.set_link(true);
  wire.run_until(Phase::ready, 7 * kSecond);
  CHECK(sent() == 600);
  CHECK(engine.level(1).extremes.send_delay >= 99 * kTurn);
  CHECK(wire.server.messages == 600);
  CHECK(engine.view().mismatched == 0);
}

TEST_CASE("a constant rate and a closed loop on the same connections, one after the other") {
  Wire wire(engine_config(50));
  wire.open();
  wire.run(ArrivalKind::paced, 1000, kSecond);
  Load& engine = wire.generator.load();
  CHECK(engine.level(0).counts.answered + engine.level(1).counts.answered == 1000);
  wire.run(ArrivalKind::window, 32, kSecond / 10);
  CHECK(engine.level(0).counts.answered + engine.level(1).counts.answered > 1000);
  CHECK(engine.view().mismatched == 0);
}

TEST_CASE("a reply is stamped when it was found, not when the turn began that found it") {
  EngineConfig config = engine_config(10);
  config.clock = slow_clock;
  Wire wire(config);
  wire.open();
  wire.run(ArrivalKind::paced, 100, kSecond);
  for (uint8_t level = 0; level < 2; ++level) {
    const LevelStats& stats = wire.generator.load().level(level);
    CHECK(stats.counts.answered == stats.counts.sent);
    CHECK(stats.latency.quantile(0.01) >= kSecond / 1'000);
  }
}

TEST_CASE("a server that answers twice is found out") {
  Wire wire(engine_config(10));
  wire.open();
  wire.server.doubling = true;
  wire.run(ArrivalKind::paced, 100, kSecond);
  Load& engine = wire.generator.load();
  CHECK(engine.level(0).counts.answered + engine.level(1).counts.answered == 100);
  CHECK(engine.view().mismatched + engine.view().late >= 99);
  CHECK(engine.view().mismatched >= 90);
}

TEST_CASE("a silent server: everything is lost, and the run ends 5 s after its last message") {
  Wire wire(engine_config(10));
  wire.open();
  wire.server.answering = false;
  Nanos begin = wire.now;
  wire.run(ArrivalKind::paced, 100, kSecond);
  CHECK(wire.now - begin >= 6 * kSecond);
  Load& engine = wire.generator.load();
  CHECK(engine.level(0).counts.sent + engine.level(1).counts.sent == 100);
  CHECK(engine.level(0).counts.answered + engine.level(1).counts.answered == 0);
}

TEST_CASE("a port without a listener refuses, and the open is tried again") {
  EngineConfig config = engine_config(3);
  Wire wire(config);
  StackConfig other = stack_config(kClient, 4, 2);
  StackGenerator wrong(config, other, wire.client_port, wire.client_rx, wire.client_tx, {kServer, 81});
  wrong.load().connect(wire.now);
  for (int i = 0; i < 50'000; ++i, wire.now += kTurn) {
    wire.server.turn(wire.now);
    wrong.turn(wire.now);
  }
  CHECK(wrong.load().view().retries >= 6);
  CHECK(wrong.load().view().connected == 0);
}
