// The generator on the kernel's TCP, over loopback: the same engine, counts and checks as on our stack; and the closed loops.
#include <doctest/doctest.h>

#include <algorithm>

#include "native/mcc/generator.hh"
#include "native/stack/stack_thread.hh"
#include "test/native/socket_server.hh"

using namespace qstack;
using namespace qstack::mcc;
using namespace qstack::test;

namespace {

constexpr uint32_t kLoopback = 0x7f000001;

std::string echo(const std::string& bytes, bool&) { return bytes; }

std::string http(const std::string& request, bool& end) {
  end = request.find("Connection: close") != std::string::npos;
  const bool found = request.find("GET / ") == 0;
  const std::string body = "hello";
  return std::string(found ? "HTTP/1.1 200 OK" : "HTTP/1.1 404 Not Found") + (end ? "\r\nConnection: close" : "") +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

KernelConfig kernel_config(uint16_t port, uint32_t slots) {
  KernelConfig config;
  config.remote = {kLoopback, port};
  config.slots = slots;
  config.packets = 256;
  return config;
}

struct Scene {
  Scene(SocketServer::Answer answer, const LoadConfig& load, std::vector<uint32_t> sources = {0}, uint32_t slots = 200)
      : server(std::move(answer)), generator(load, config(server.port(), slots, std::move(sources))) {}

  static KernelConfig config(uint16_t port, uint32_t slots, std::vector<uint32_t> sources) {
    KernelConfig config = kernel_config(port, slots);
    config.sources = std::move(sources);
    return config;
  }
  Load& load() { return generator.load(); }
  void turns(Nanos time) {
    for (const Nanos end = monotonic_now() + time; monotonic_now() < end;) turn();
  }
  void turn() {
    generator.turn(monotonic_now());
    server.turn();
  }
  void until(Phase phase, Nanos limit = 8 * kSecond) {
    for (const Nanos end = monotonic_now() + limit; load().phase() != phase && monotonic_now() < end;) turn();
    REQUIRE(load().phase() == phase);
  }
  void open() {
    load().connect(monotonic_now());
    until(Phase::ready);
  }
  void run(Plan plan) {
    const Nanos now = monotonic_now();
    load().run(plan, now + 1'000, now);
    until(Phase::ready);
  }
  void close() {
    load().close(monotonic_now());
    until(Phase::closed);
    turns(kSecond / 100);
  }

  SocketServer server;
  KernelGenerator generator;
};

EngineConfig engine_config(uint32_t connections) {
  EngineConfig config;
  config.connections = connections;
  config.slots = 200;
  config.message_length = 200;
  config.shares = {0.2, 0.8};
  config.answered_all = true;
  config.reply.kind = ReplyKind::echo;
  config.connector.retry_ms = 20;
  config.drain_pause = kSecond / 2;
  return config;
}

ClosedLoopConfig loop_config(uint32_t connections, uint32_t messages) {
  ClosedLoopConfig config;
  config.connections = connections;
  config.slots = 200;
  config.messages = messages;
  config.length = 64;
  config.retry = kSecond / 50;
  config.drain_pause = kSecond / 2;
  return config;
}

/// Counts opens of its own, and ends in order.
struct Ends final : App {
  bool opened(const Opened& event) override { return opens += event.token == 7, true; }
  bool message(const Message&) override { return true; }
  bool ended(Handle) override { return true; }
  bool closed(Handle, CloseReason reason) override { return closes += reason == CloseReason::finished, true; }
  bool drained(Handle, uint32_t) override { return true; }
  int opens = 0, closes = 0;
};

Plan for_time(Nanos duration) {
  Plan plan;
  plan.duration = duration;
  return plan;
}

const LevelCounts& counts(Scene& scene, uint8_t level) { return scene.load().level(level).counts; }

}  // namespace

TEST_CASE("a constant rate over kernel sockets: every message is answered, checked, and timed from its intended time") {
  Scene scene(echo, engine_config(50));
  scene.open();
  CHECK(scene.load().view().connected == 50);
  Plan plan = for_time(kSecond / 5);
  plan.kind = ArrivalKind::paced;
  plan.rate = 5'000;
  scene.run(plan);
  CHECK(counts(scene, 0).sent + counts(scene, 1).sent == 1'000);
  CHECK(counts(scene, 0).answered + counts(scene, 1).answered == 1'000);
  CHECK(scene.load().level(1).latency.count() == counts(scene, 1).answered);
  CHECK(scene.load().view().mismatched == 0);
  CHECK(scene.generator.counters().at("sockets") == 50);
  CHECK(scene.generator.counters().at("bytes_in") == 1'000 * 200);
  scene.close();
  CHECK(scene.server.open() == 0);
}

TEST_CASE("connections take turns with the local addresses") {
  Scene scene(echo, [] {
    EngineConfig config = engine_config(6);
    config.addresses = 3;
    return config;
  }(), {kLoopback, kLoopback + 1, kLoopback + 7});
  scene.open();
  CHECK(scene.server.sources() == std::set<uint32_t>{kLoopback, kLoopback + 1, kLoopback + 7});
}

TEST_CASE("what a socket has no room for waits in order, counts as on its way, and its FIN comes last") {
  std::string received;
  SocketServer server([&](const std::string& bytes, bool&) { return received += bytes, std::string(); });
  KernelNetwork network(kernel_config(server.port(), 1));
  Ends app;
  const Handle handle = network.connect({0, 0}, 7, 0);
  const auto turns_until = [&](const auto& over) {
    for (const Nanos end = monotonic_now() + 8 * kSecond; !over() && monotonic_now() < end;) {
      network.turn(app, 0);
      server.turn();
    }
    REQUIRE(over());
  };
  turns_until([&] { return app.opens == 1; });
  server.reading = false;
  std::string sent;
  while (Packet* const packet = network.allocate()) {
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = 1'000;
    std::fill_n(packet->data, 1'000, static_cast<uint8_t>('a' + sent.size() / 1'000 % 26));
    sent.append(reinterpret_cast<const char*>(packet->data), 1'000);
    REQUIRE(network.send(handle, packet, 0));
    REQUIRE(sent.size() < 64'000'000);  // the socket must have had enough by then
  }
  CHECK(network.in_transit() == 1);
  network.close(handle, 0);
  CHECK(app.closes == 0);
  server.reading = true;
  turns_until([&] { return app.closes == 1; });
  CHECK(received == sent);
  CHECK(network.in_transit() == 0);
  CHECK(network.allocate() != nullptr);
}

TEST_CASE("a server that is not there refuses each open, by the kernel's name, and is found when it comes") {
  Scene scene(echo, engine_config(3));
  scene.server.stop_listening();
  scene.load().connect(monotonic_now());
  scene.turns(kSecond / 10);
  CHECK(scene.load().phase() == Phase::connecting);
  CHECK(scene.generator.counters().at("connect_ECONNREFUSED") >= 3);
}

TEST_CASE("an address that is not ours is refused at once") {
  KernelConfig config = kernel_config(9, 1);
  config.sources = {0xc0000201};  // 192.0.2.1 (RFC 5737)
  KernelNetwork network(config);
  CHECK(network.connect({0, 0}, 1, 0).slot == kNoIndex);
  CHECK(network.counters().at("connect_EADDRNOTAVAIL") == 1);
}

TEST_CASE("a server that ends its connections is left in order, and the connections are opened again") {
  Scene scene([](const std::string& bytes, bool& end) { return end = true, bytes; }, engine_config(4));
  scene.open();
  Plan plan = for_time(kSecond / 5);
  plan.kind = ArrivalKind::paced;
  plan.rate = 100;
  scene.run(plan);
  CHECK(scene.load().view().reconnects >= 4);
  CHECK(counts(scene, 0).answered + counts(scene, 1).answered >= 4);
}

TEST_CASE("echo: ping-pong without end, each reply compared byte by byte") {
  Scene scene(echo, loop_config(20, 0));
  scene.open();
  scene.run(for_time(kSecond / 10));
  CHECK(counts(scene, kRequests).answered > 20);
  CHECK(counts(scene, kRequests).answered == counts(scene, kRequests).sent);
  CHECK(counts(scene, kConnections).offered == 0);
  CHECK(scene.load().bytes_received() == counts(scene, kRequests).answered * 64);
  CHECK(scene.server.accepted == 20);
  scene.close();
  CHECK(scene.server.open() == 0);
}

TEST_CASE("an echo that differs in one byte is a mismatch, and its connection is given up") {
  Scene scene([](std::string bytes, bool&) { return ++bytes.back(), bytes; }, loop_config(2, 0));
  scene.open();
  scene.run(for_time(kSecond / 20));
  CHECK(scene.load().view().mismatched >= 2);
  CHECK(counts(scene, kRequests).answered == 0);
}

TEST_CASE("connections of n requests each: they are opened again and again, and counted as wholes") {
  ClosedLoopConfig config = loop_config(5, 3);
  config.random_length = true;
  Scene scene(echo, config);
  scene.open();
  scene.run(for_time(kSecond / 5));
  const LevelCounts whole = counts(scene, kConnections);
  CHECK(whole.answered > 5);
  CHECK(whole.answered == whole.sent);
  CHECK(whole.errors == 0);
  CHECK(counts(scene, kRequests).answered >= 3 * whole.answered);
  CHECK(scene.load().level(kConnections).latency.quantile(0.5) > scene.load().level(kRequests).latency.quantile(0.5));
}

TEST_CASE("so many flows in all, one GET each: the run ends with the last one") {
  ClosedLoopConfig config = loop_config(4, 1);
  config.flows = 30;
  config.request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  Scene scene(http, config);
  scene.open();
  const Nanos start = monotonic_now();
  scene.run(for_time(60 * kSecond));
  CHECK(monotonic_now() - start < 8 * kSecond);
  CHECK(counts(scene, kConnections).answered == 30);
  CHECK(counts(scene, kRequests).answered == 30);
  CHECK(scene.server.accepted == 31);  // and the one that looked whether the server is there
}

TEST_CASE("a reply without a length ends with its connection, which is no error") {
  ClosedLoopConfig config = loop_config(2, 1);
  config.flows = 10;
  config.request = "GET / HTTP/1.0\r\n\r\n";
  Scene scene([](const std::string&, bool& end) { return end = true, std::string("HTTP/1.0 200 OK\r\n\r\nall of it"); }, config);
  scene.open();
  scene.run(for_time(60 * kSecond));
  CHECK(counts(scene, kRequests).answered == 10);
  CHECK(counts(scene, kConnections).answered == 10);
  CHECK(counts(scene, kConnections).errors == 0);
  scene.load().close(monotonic_now());
  scene.until(Phase::closed, kSecond);
}

TEST_CASE("an error status is an error, not an answer") {
  ClosedLoopConfig config = loop_config(2, 0);
  config.request = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n";
  Scene scene(http, config);
  scene.open();
  scene.run(for_time(kSecond / 20));
  CHECK(counts(scene, kRequests).errors > 0);
  CHECK(counts(scene, kRequests).errors == counts(scene, kRequests).sent);
}

TEST_CASE("connections of a Poisson process come at their rate, whatever the server does") {
  ClosedLoopConfig config = loop_config(100, 1);
  config.opens_per_s = 1'000;
  config.seed = 5;
  Scene scene(echo, config);
  scene.open();
  scene.run(for_time(kSecond / 2));
  const LevelCounts whole = counts(scene, kConnections);
  // 500 are expected; five standard deviations. The end cuts a hundred at most.
  CHECK(whole.offered > 288);
  CHECK(whole.offered < 612);
  CHECK(whole.offered == whole.sent + whole.unsent);
  CHECK(whole.answered > 0);
}

TEST_CASE("opens that were due before the end, and found no place or no time, were offered and never sent") {
  ClosedLoopConfig config = loop_config(1, 1);
  config.opens_per_s = 1'000;
  config.seed = 5;
  Scene scene([](const std::string&, bool&) { return std::string(); }, config);
  scene.open();
  scene.run(for_time(kSecond / 2));
  // The one that takes the only place is cut by the end.
  CHECK(counts(scene, kConnections).sent == 0);
  CHECK(counts(scene, kConnections).unsent > 388);
  CHECK(counts(scene, kConnections).unsent < 612);
  CHECK(counts(scene, kConnections).offered == counts(scene, kConnections).unsent);
}

TEST_CASE("of so many flows in all no more are offered than there are") {
  ClosedLoopConfig config = loop_config(1, 1);
  config.opens_per_s = 1'000;
  config.flows = 20;
  Scene scene([](const std::string&, bool&) { return std::string(); }, config);
  scene.open();
  scene.run(for_time(kSecond / 2));
  CHECK(counts(scene, kConnections).unsent == 19);
}

TEST_CASE("a server that falls silent ends the run, and what it owes is lost") {
  Scene scene([](const std::string&, bool&) { return std::string(); }, loop_config(3, 0));
  scene.open();
  scene.run(for_time(kSecond / 20));
  CHECK(counts(scene, kRequests).sent == 3);
  CHECK(counts(scene, kRequests).answered == 0);
  CHECK(scene.load().view().in_flight == 0);
}
