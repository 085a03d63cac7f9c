// The generator in its own thread against a server in another, joined by rings: real time, a short run.
#include <doctest/doctest.h>
#include <time.h>

#include "native/mcc/host.hh"
#include "native/mempool/heap_pool.hh"
#include "native/port/ring_port.hh"
#include "test/native/mcc_server.hh"

using namespace qstack;
using namespace qstack::mcc;
using namespace qstack::test;

namespace {

void wait_for(Host& host, Phase phase) {
  const timespec nap{0, 5'000'000};
  for (int i = 0; i < 4000 && host.view().phase != static_cast<uint64_t>(phase); ++i) nanosleep(&nap, nullptr);
  REQUIRE(host.view().phase == static_cast<uint64_t>(phase));
}

/// How many latencies control sees in the cells.
uint64_t seen(const Host& host) {
  uint64_t sum = 0;
  for (uint8_t level = 0; level < 2; ++level) {
    for (uint32_t cell = 0; cell < Histogram::kCells; ++cell) sum += host.latency(level).at(cell);
  }
  return sum;
}

/// Looks while the engine counts: what was seen once stays.
uint64_t watch_until(const Host& host, Phase phase) {
  const timespec nap{0, 5'000'000};
  uint64_t before = 0, looks = 0;
  for (; looks < 4000 && host.view().phase != static_cast<uint64_t>(phase); ++looks) {
    const uint64_t now = seen(host);
    CHECK(now >= before);
    before = now;
    nanosleep(&nap, nullptr);
  }
  REQUIRE(host.view().phase == static_cast<uint64_t>(phase));
  return looks;
}

EngineConfig engine_config() {
  EngineConfig config;
  config.connections = 100;
  config.slots = 600;
  config.first_address = kClient;
  config.addresses = 4;
  config.message_length = 64;
  config.shares = {0.5, 0.5};
  config.answered_all = true;
  config.think_time = 1'000;
  config.clock = monotonic_now;
  return config;
}

}  // namespace

TEST_CASE("control connects, runs, reads and closes while the two stacks run in threads of their own") {
  HeapRegion region(4096);
  HeapPool server_rx(region.region(), 0, 1024), server_tx(region.region(), 1024, 1024);
  HeapPool client_rx(region.region(), 2048, 1024), client_tx(region.region(), 3072, 1024);
  RingWire wire(1024);
  RingPort server_port(wire, 0, server_rx, server_tx, MacAddress{{2, 0, 0, 0, 0, 1}});
  RingPort client_port(wire, 1, client_rx, client_tx, MacAddress{{2, 0, 0, 0, 0, 2}});
  Server server(server_port, server_rx, server_tx);
  StackThread server_thread([&](Nanos now) { return server.turn(now); }, {.name = "server"});
  {
    Host host(std::make_unique<StackGenerator>(engine_config(), stack_config(kClient, 4, 2), client_port, client_rx,
                                               client_tx, Endpoint{kServer, 80}),
              {.name = "mcc"});
    CHECK_FALSE(host.run(Plan{}));
    host.connect();
    wait_for(host, Phase::ready);
    CHECK(host.view().connected == 100);
    Plan plan;
    plan.kind = ArrivalKind::paced;
    plan.rate = 500;
    plan.duration = kSecond / 2;
    REQUIRE(host.run(plan));
    CHECK(watch_until(host, Phase::ready) > 1);
    CHECK(seen(host) == 250);
    const Nanos p99 = host.hiccups().p99;  // before the greatest one: the engine goes on counting
    CHECK(host.hiccups().max >= p99);
    RunResult result = host.result();
    CHECK(result.counts[0].answered + result.counts[1].answered == 250);
    CHECK(result.latency[0].count() == result.counts[0].answered);
    CHECK(host.view().mismatched == 0);
    CHECK(host.counters().at("messages_in") >= 250);
    host.close();
    wait_for(host, Phase::closed);
  }
  server_thread.stop();
  CHECK(server.messages == 250);
}
