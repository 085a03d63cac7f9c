// Shards: several stacks as if they were one, in the calling thread, on a clock of the test's.
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>

#include "test/native/shards_bench.hh"

using namespace qstack;
using namespace qstack::rings_test;
using qstack::test::host_config;
using qstack::test::Host;

namespace {

constexpr uint32_t kServer = 0x0a000001, kClient = 0x0a000002;
constexpr uint16_t kPort = 80;

/// A client on the other end of the server's wire.
struct Scene {
  explicit Scene(const ShardSizes& sizes = {}) : server(sizes, [this](PacketPool& rx, PacketPool& tx) {
    auto port = std::make_unique<PairPort>(rx, tx, MacAddress{2, 0, 0, 0, 0, 1}, 1u << 14);
    PairPort::connect(client.wire, *port);
    return port;
  }) {}

  void run_ms(uint32_t ms) {
    for (uint32_t step = 0; step < ms * 5; ++step) {
      now += 200'000;
      client.stack.turn(now);
      server.shards->turn(now);
    }
  }
  uint32_t stack_of(uint16_t port) const { return server.steering.stack_of(kClient, port, kServer, kPort); }
  /// A port of the client whose connections are this stack's.
  uint16_t port_of(uint32_t stack) const {
    uint16_t port = 20'000;
    while (stack_of(port) != stack) ++port;
    return port;
  }
  Handle connect(uint16_t port) {
    return client.stack.connect({kClient, port}, {kServer, kPort}, {0, 0, Framing::stream}, 7, now);
  }
  abi::EventRecord event(uint32_t stack, uint32_t level) {
    AppEnd end(server.memory, 0, stack);
    abi::EventRecord record{};
    REQUIRE(end.next(level, record));
    return record;
  }

  Nanos now = kSecond;
  Host client{{host_config(2)}, {2, 0, 0, 0, 0, 2}, &now};
  ShardsBench server;
};

}  // namespace

TEST_CASE("shards: a listener is open in all stacks, under one number, and each app hears of its connections from both") {
  Scene scene;
  CHECK(scene.server.shards->listen({0, 8'080, Framing::stream}) == 0);
  CHECK(scene.server.shards->listen({0, kPort, Framing::stream}) == 1);
  for (const uint32_t stack : {0u, 1u}) scene.connect(scene.port_of(stack));
  scene.run_ms(50);
  CHECK(scene.client.app.opened_count == 2);
  for (const uint32_t stack : {0u, 1u}) {
    const abi::EventRecord opened = scene.event(stack, 0);
    CHECK(opened.type == static_cast<uint8_t>(abi::EventType::opened));
    CHECK(opened.listener == 1);
    CHECK(opened.slot == scene.server.memory.first_slot(stack));
    CHECK(scene.server.count(stack, Counter::connections_opened) == 1);
  }
  CHECK(scene.server.count(Counter::connections_open) == 2);
}

TEST_CASE("shards: a listener that one stack refuses is open in none, and the next has one number in all of them") {
  Scene scene;
  Shards& shards = *scene.server.shards;
  uint32_t refuses = 0;
  SUBCASE("the first refuses") { refuses = 0; }
  SUBCASE("the last refuses") { refuses = 1; }
  shards.at(refuses, [](Shard& shard) { CHECK(shard.stack.listen({0, 81, Framing::stream}) == 0); });
  shards.at(1 - refuses, [](Shard& shard) { CHECK(shard.stack.reserve({0, 81, Framing::stream}) == 0); });
  CHECK(shards.listen({0, 81, Framing::segment}) == -EADDRINUSE);
  const int next = shards.listen({0, kPort, Framing::stream});
  CHECK(next == (refuses == 0 ? 1 : 2));
  for (uint16_t port = 20'000; port < 20'016; ++port) {
    scene.client.stack.connect({kClient, port}, {kServer, 81}, {0, 0, Framing::stream}, 7, scene.now);
    scene.run_ms(5);  // no more than three SYNs wait for ARP
  }
  CHECK(scene.server.count(1 - refuses, Counter::connections_opened) == 0);
  CHECK(scene.server.count(1 - refuses, Counter::drop_no_listener) > 0);
  shards.at(refuses, [](Shard& shard) { shard.stack.unlisten(0); });
  CHECK(shards.listen({0, 81, Framing::segment}) == (refuses == 0 ? 2 : 1));
  CHECK(shards.listen({0, 82, Framing::stream}) == 3);
}

TEST_CASE("shards: a closed listener refuses in all stacks") {
  Scene scene;
  scene.server.shards->unlisten(static_cast<uint16_t>(scene.server.shards->listen({0, kPort, Framing::stream})));
  for (const uint32_t stack : {0u, 1u}) scene.connect(scene.port_of(stack));
  scene.run_ms(50);
  CHECK(scene.client.app.opened_count == 0);
  for (const uint32_t stack : {0u, 1u}) CHECK(scene.server.count(stack, Counter::drop_no_listener) == 1);
}

TEST_CASE("shards: framings have one number in all stacks") {
  Scene scene;
  CHECK(scene.server.shards->add_framing({}) == AppRings::kFirstFraming);
  CHECK(scene.server.shards->add_framing({}) == AppRings::kFirstFraming + 1);
}

TEST_CASE("shards: an active open whose port leads to another stack is told its number, and begins there") {
  Scene scene;
  const auto framing = static_cast<uint32_t>(scene.server.shards->add_framing({}));
  scene.client.stack.listen({0, 90, Framing::stream});
  uint32_t port = 30'000;
  while (scene.server.steering.stack_of(kClient, 90, kServer, static_cast<uint16_t>(port)) != 1) ++port;
  abi::SendRecord record = send_record(abi::SendType::connect, {kClient, 90u | port << 16}, framing);
  record.cookie = 42;
  AppEnd(scene.server.memory, 0, 0).put(0, record);
  scene.run_ms(20);
  const abi::EventRecord told = scene.event(0, 1);
  CHECK(told.type == static_cast<uint8_t>(abi::EventType::closed));
  CHECK(told.reason == static_cast<uint32_t>(abi::CloseCode::elsewhere));
  CHECK(told.length == 1);
  CHECK(told.token_low == 42);
  AppEnd(scene.server.memory, 0, 1).put(0, record);
  scene.run_ms(50);
  const abi::EventRecord opened = scene.event(1, 0);
  CHECK(opened.type == static_cast<uint8_t>(abi::EventType::opened));
  CHECK(opened.token_low == 42);
  CHECK(opened.slot == scene.server.memory.first_slot(1));
}

TEST_CASE("shards: rules are replaced in all stacks, and what matched is added up") {
  Scene scene;
  Shards& shards = *scene.server.shards;
  shards.listen({0, kPort, Framing::stream});
  CHECK(shards.rule_hits().empty());
  CHECK(shards.classify(Classifier()).empty());
  for (const uint32_t stack : {0u, 1u}) scene.connect(scene.port_of(stack));
  scene.run_ms(50);
  const std::vector<uint64_t> hits = shards.rule_hits();
  REQUIRE(hits.size() == 1);
  CHECK(hits[0] == 4);  // a SYN and an ACK for each
  CHECK(shards.classify(Classifier()) == hits);
  CHECK(shards.rule_hits()[0] == 0);
}

TEST_CASE("shards: a lost app's connections are reset in all stacks, and what it had comes back to each") {
  Scene scene;
  Shards& shards = *scene.server.shards;
  shards.listen({0, kPort, Framing::stream});
  for (const uint32_t stack : {0u, 1u}) {
    const Handle handle = scene.connect(scene.port_of(stack));
    scene.run_ms(20);
    scene.client.send(handle, "hello");
  }
  scene.run_ms(20);
  CHECK(shards.figures()[0].rx_with_apps + shards.figures()[1].rx_with_apps == 2);
  CHECK(shards.reclaim(0) == 2);
  scene.run_ms(20);
  CHECK(scene.client.app.closed_count == 2);
  CHECK(scene.server.count(Counter::connections_open) == 0);
  shards.attach(0, -1);
  scene.connect(scene.port_of(1) + 1u);
  scene.run_ms(20);
  CHECK(scene.client.app.opened_count == 3);
  CHECK(scene.server.all_home());
}

TEST_CASE("shards: the first stack is not idle while it moves frames for another, in either direction") {
  Scene scene;
  Shards& shards = *scene.server.shards;
  shards.listen({0, kPort, Framing::stream});
  const Handle handle = scene.connect(scene.port_of(1));
  scene.run_ms(100);
  REQUIRE(scene.client.app.opened_count == 1);
  scene.event(1, 0);  // an app that is behind would be acknowledged for at once
  CHECK(shards.turn(0, scene.now) == 0);
  scene.client.send(handle, "hello");
  scene.client.stack.turn(scene.now);
  CHECK(shards.turn(0, scene.now) == 1);
  CHECK(shards.turn(0, scene.now) == 0);
  CHECK(shards.turn(1, scene.now) > 0);
  shards.at(1, [&](Shard& shard) { shard.rings.reclaim(shard.stack, 0, scene.now); });
  shards.turn(1, scene.now);
  CHECK(shards.turn(0, scene.now) == 1);
}

TEST_CASE("shards: one stack needs no steering") {
  Scene scene({.stacks = 1});
  CHECK(scene.server.shards->count() == 1);
  scene.server.shards->listen({0, kPort, Framing::stream});
  scene.connect(20'000);
  scene.run_ms(50);
  CHECK(scene.client.app.opened_count == 1);
  CHECK(scene.event(0, 0).slot == 0);
  CHECK(scene.server.all_home());
}

TEST_CASE("shards: what the others have sent leaves before the first stack ends") {
  Scene scene;
  Shards& shards = *scene.server.shards;
  shards.listen({0, kPort, Framing::stream});
  scene.connect(scene.port_of(1));
  scene.run_ms(50);
  REQUIRE(scene.server.count(1, Counter::connections_opened) == 1);
  Shard* second = nullptr;
  shards.at(1, [&](Shard& shard) { second = &shard; });
  std::vector<std::string> ended;
  const auto reset_at_the_end = [&] {
    char name[16];
    pthread_getname_np(pthread_self(), name, sizeof(name));
    ended.emplace_back(name);
    if (ended.size() > 1) return;
    second->rings.reclaim(second->stack, 0, monotonic_now());
    second->stack.turn(monotonic_now());
  };
  shards.run({.name = "ends", .poll = PollMode::sleep, .on_stop = reset_at_the_end});
  shards.stop();
  CHECK_FALSE(shards.running());
  CHECK(ended == std::vector<std::string>{"ends1", "ends0"});
  scene.now = monotonic_now();
  scene.client.stack.turn(scene.now);
  CHECK(scene.client.count(Counter::resets_in) == 1);
}

TEST_CASE("shards: each thread has the name and its stack's number, and control runs in it") {
  Scene scene;
  Shards& shards = *scene.server.shards;
  shards.run({.name = "shard", .poll = PollMode::sleep});
  char names[2][16] = {};
  for (const uint32_t stack : {0u, 1u}) {
    shards.at(stack, [&](Shard&) { pthread_getname_np(pthread_self(), names[stack], sizeof(names[stack])); });
  }
  shards.stop();
  CHECK(std::string(names[0]) == "shard0");
  CHECK(std::string(names[1]) == "shard1");
}

TEST_CASE("shards: where one thread cannot start none runs") {
  Scene scene;
  std::atomic<int> started{0}, stopped{0};
  const StackThreadConfig config = {.name = "none",
                                    .on_start = [&] {
                                      if (++started == 2) throw std::runtime_error("refused");
                                    },
                                    .on_stop = [&] { ++stopped; }};
  CHECK_THROWS_WITH(scene.server.shards->run(config), "refused");
  CHECK_FALSE(scene.server.shards->running());
  CHECK(stopped == 1);
}
