#include <doctest/doctest.h>

#include "test/native/tcp_world.hh"

using namespace qstack;
using namespace qstack::test;

TEST_CASE("RFC 9293 3.5: three segments open a connection, and both sides are told once") {
  World world;
  REQUIRE(world.listen() >= 0);
  const auto [c, s] = world.open();
  CHECK(world.client.app.of(c).opened);
  CHECK(world.client.app.of(c).info.token == 7);
  CHECK(world.server.app.of(s).info.remote.address == World::kClient);
  CHECK(world.server.app.opened_count == 1);
  CHECK(world.client.tcb(c)->state == TcpState::established);
  CHECK(world.server.stack.engine().half_open_used() == 0);
  world.run_ms(200);
  CHECK(world.nothing_leaked());
}

TEST_CASE("an idle connection holds no busy block and no packet") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.client.send(c, "hello");
  world.run_ms(200);
  CHECK(world.server.app.of(s).bytes == "hello");
  CHECK(world.client.stack.engine().busy_used() == 0);
  CHECK(world.server.stack.engine().busy_used() == 0);
  CHECK(world.nothing_leaked());
}

TEST_CASE("RFC 7323, RFC 2018: options that both sides offer are used, others are not") {
  for (const bool timestamps : {true, false}) {
    for (const bool sack : {true, false}) {
      HostOptions server{host_config(1)};
      server.stack.tcp.timestamps = timestamps;
      server.stack.tcp.sack = sack;
      World world({host_config(2)}, server);
      world.listen();
      const auto [c, s] = world.open();
      CHECK(world.client.tcb(c)->has(kTimestamps) == timestamps);
      CHECK(world.server.tcb(s)->has(kSackPermitted) == sack);
      CHECK(world.client.tcb(c)->mss == (timestamps ? 1448 : 1460));
    }
  }
}

TEST_CASE("bytes arrive complete and in order, both ways, whatever their number") {
  for (const size_t size : {size_t{1}, size_t{1448}, size_t{1449}, size_t{100'000}}) {
    World world;
    world.listen();
    const auto [c, s] = world.open();
    const std::string bytes = pattern(size);
    size_t sent = 0;
    REQUIRE(world.run_until([&, &c = c, &s = s] {
      while (sent < size && world.client.stack.unsent(c) < 60'000) {
        const size_t part = std::min<size_t>(1448, size - sent);
        if (!world.client.send(c, std::string_view(bytes).substr(sent, part))) break;
        sent += part;
      }
      return world.server.app.of(s).bytes.size() == size;
    }));
    CHECK(world.server.app.of(s).bytes == bytes);
    world.server.send(s, "reply");
    world.run_ms(300);
    CHECK(world.client.app.of(c).bytes == "reply");
    CHECK(world.nothing_leaked());
  }
}

TEST_CASE("RFC 9293 3.6: close by the client ends in TIME-WAIT, the slots are free at once, the record after 2 MSL") {
  HostOptions client{host_config(2)};
  client.stack.tcp.time_wait_ms = 1'000;
  World world(client, {host_config(1)});
  world.server.app.close_on_end = true;
  world.listen();
  const auto [c, s] = world.open();
  world.client.send(c, "last words");
  world.client.stack.close(c, world.now);
  world.run_ms(300);
  CHECK(world.server.app.of(s).bytes == "last words");
  CHECK(world.server.app.of(s).ended);
  CHECK(world.client.app.of(c).closed);
  CHECK(world.client.app.of(c).reason == CloseReason::finished);
  CHECK(world.server.app.of(s).reason == CloseReason::finished);
  CHECK(world.client.stack.engine().connections_used() == 0);
  CHECK(world.client.stack.engine().time_wait_used() == 1);
  CHECK(world.server.stack.engine().time_wait_used() == 0);
  world.run_ms(1'500);
  CHECK(world.client.stack.engine().time_wait_used() == 0);
  CHECK(world.nothing_leaked());
}

TEST_CASE("RFC 9293 3.6: after a half close the other side may still send") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.client.stack.shutdown(c, world.now);
  world.run_ms(100);
  CHECK(world.server.app.of(s).ended);
  CHECK(world.client.tcb(c)->state == TcpState::fin_wait_2);
  world.server.send(s, "still here");
  world.run_ms(100);
  CHECK(world.client.app.of(c).bytes == "still here");
  world.server.stack.close(s, world.now);
  world.run_ms(100);
  CHECK(world.client.app.of(c).closed);
  CHECK(world.server.app.of(s).closed);
  CHECK(world.nothing_leaked());
}

TEST_CASE("RFC 9293 3.6: simultaneous close ends on both sides") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.client.stack.close(c, world.now);
  world.server.stack.close(s, world.now);
  world.run_ms(500);
  CHECK(world.client.app.of(c).reason == CloseReason::finished);
  CHECK(world.server.app.of(s).reason == CloseReason::finished);
  CHECK(world.client.stack.engine().connections_used() == 0);
  CHECK(world.server.stack.engine().connections_used() == 0);
}

TEST_CASE("RFC 9293 3.10.7.1: a SYN to a closed port is answered by RST") {
  World world;
  const Handle c = world.client.stack.connect({World::kClient, 0}, {World::kServer, 81}, {}, 0, world.now);
  world.run_ms(100);
  CHECK(world.client.app.of(c).closed);
  CHECK(world.client.app.of(c).reason == CloseReason::refused);
  CHECK(world.server.count(Counter::resets_out) == 1);
  CHECK(world.nothing_leaked());
}

TEST_CASE("abort sends RST, and the peer learns of it") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.client.stack.abort(c, CloseReason::aborted, world.now);
  world.run_ms(50);
  CHECK(world.client.app.of(c).reason == CloseReason::aborted);
  CHECK(world.server.app.of(s).reason == CloseReason::reset);
  CHECK(world.nothing_leaked());
}

TEST_CASE("a handle is dead after closed, and its slot may serve another connection") {
  HostOptions small{host_config(1)};
  small.stack.tcp.connections = 1;
  World world({host_config(2)}, small);
  world.listen();
  const auto [c, s] = world.open();
  world.client.stack.abort(c, CloseReason::aborted, world.now);
  world.run_ms(50);
  CHECK_FALSE(world.server.stack.alive(s));
  const auto [c2, s2] = world.open();
  CHECK(s2.slot == s.slot);
  CHECK(s2.generation != s.generation);
  CHECK_FALSE(world.server.send(s, "to the dead"));
  CHECK(world.server.count(Counter::stale_records) == 1);
  CHECK(world.server.stack.alive(s2));
}

TEST_CASE("with all slots taken a SYN is dropped and counted, and succeeds when a slot is free") {
  HostOptions small{host_config(1)};
  small.stack.tcp.connections = 1;
  World world({host_config(2)}, small);
  world.listen();
  const auto [c, s] = world.open();
  const Handle waiting = world.client.stack.connect({World::kClient, 0}, {World::kServer, 80}, {}, 0, world.now);
  world.run_ms(500);
  CHECK(world.server.count(Counter::drop_syn_no_slot) >= 1);
  CHECK_FALSE(world.client.app.of(waiting).opened);
  world.client.stack.abort(c, CloseReason::aborted, world.now);
  world.run_ms(3'000);
  CHECK(world.client.app.of(waiting).opened);
}

TEST_CASE("RFC 9293 3.8.6: a reader that does not read closes the window, a probe finds it open again") {
  HostOptions server{host_config(1)};
  server.stack.tcp.receive_buffer = 8'000;
  World world({host_config(2)}, server);
  world.server.app.keep = true;
  world.listen();
  const auto [c, s] = world.open();
  const std::string bytes = pattern(30'000);
  for (size_t at = 0; at < bytes.size(); at += 1'000) world.client.send(c, std::string_view(bytes).substr(at, 1'000));
  world.run_ms(2'000);
  CHECK(world.server.app.of(s).bytes.size() <= 8'000);
  CHECK(world.server.app.of(s).bytes.size() >= 6'000);
  CHECK(world.client.count(Counter::zero_window_probes) >= 1);
  world.run_ms(5'000);
  world.server.app.keep = false;
  world.server.app.release_kept(s);
  CHECK(world.run_until([&, &s = s] { return world.server.app.of(s).bytes.size() == bytes.size(); }, 20'000));
  CHECK(world.server.app.of(s).bytes == bytes);
  world.run_ms(1'000);
  CHECK(world.nothing_leaked());
}

TEST_CASE("RFC 6298: a lost segment is sent again after the time-out, doubled each time") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(100);
  world.client.wire.set_link(false);
  world.client.send(c, "lost for a while");
  world.run_ms(1'900);
  // RTO 200 ms: 200, 600, 1400 after the first transmission.
  CHECK(world.client.count(Counter::timeouts) == 3);
  world.client.wire.set_link(true);
  world.run_ms(3'000);
  CHECK(world.server.app.of(s).bytes == "lost for a while");
  CHECK(world.nothing_leaked());
}

TEST_CASE("RFC 9293 3.8.3: a peer that is gone ends the connection with timed_out") {
  HostOptions client{host_config(2)};
  client.stack.tcp.retries_max = 3;
  World world(client, {host_config(1)});
  world.listen();
  const auto [c, s] = world.open();
  world.server.wire.set_link(false);
  world.client.send(c, "anyone?");
  world.run_ms(10'000);
  CHECK(world.client.app.of(c).reason == CloseReason::timed_out);
}

TEST_CASE("an unanswered ARP request fails the active open as unreachable") {
  World world;
  const Handle c = world.client.stack.connect({World::kClient, 0}, {0x0a000063, 80}, {}, 0, world.now);
  world.run_ms(20'000);
  CHECK(world.client.app.of(c).reason == CloseReason::unreachable);
}

TEST_CASE("RFC 9293 3.8.3: three retransmissions without an answer, and IP asks whether its neighbour is still there") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  const auto alone = [&](uint32_t ms) {  // what the client sends is lost
    for (uint32_t i = 0; i < ms; ++i) world.capture(world.client, 1'000);
  };
  alone(500);
  world.client.send(c, "lost");
  while (world.client.stack.info(c)->retransmits < 3) alone(1);
  CHECK(world.client.count(Counter::arp_out) == 1);  // of the handshake
  while (world.client.stack.info(c)->retransmits < 4) alone(1);
  CHECK(world.client.count(Counter::arp_out) == 2);
}

TEST_CASE("an idle connection is reset after the idle time-out, and both apps are told") {
  HostOptions server{host_config(1)};
  server.stack.tcp.idle_timeout_ms = 2'000;
  World world({host_config(2)}, server);
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(1'500);
  world.client.send(c, "alive");
  world.run_ms(1'500);
  CHECK(world.server.stack.alive(s));
  world.run_ms(1'500);
  CHECK(world.server.app.of(s).reason == CloseReason::idle);
  CHECK(world.client.app.of(c).reason == CloseReason::reset);
}

TEST_CASE("fixed framing: messages come whole, whether coalesced, split or across segments") {
  World world;
  world.listen(Framing::fixed, 64);
  const auto [c, s] = world.open(Framing::stream);
  const std::string bytes = pattern(64 * 50);
  size_t at = 0;
  for (const size_t part : {64, 128, 1, 63, 65, 127, 640, 700, 100, 312, 1000}) {
    world.client.send(c, std::string_view(bytes).substr(at, part));
    at += part;
    world.run_ms(2);
  }
  REQUIRE(at == bytes.size());
  world.run_ms(300);
  CHECK(world.server.app.of(s).bytes == bytes);
  CHECK(world.server.app.of(s).messages.size() == 50);
  for (const std::string& message : world.server.app.of(s).messages) CHECK(message.size() == 64);
  CHECK(world.server.stack.engine().busy_used() == 0);
  CHECK(world.nothing_leaked());
}

TEST_CASE("an app without room gets each event later, once, and nothing was acknowledged that it had not taken") {
  for (const Framing framing : {Framing::stream, Framing::segment, Framing::fixed}) {
    World world;
    world.listen(framing, 10);
    const auto [c, s] = world.open();
    world.server.app.refuse = true;
    for (int i = 0; i < 5; ++i) world.client.send(c, "0123456789");
    world.client.stack.shutdown(c, world.now);
    world.run_ms(50);
    CHECK(world.server.app.of(s).bytes.empty());
    CHECK(world.client.stack.unsent(c) >= 50);
    world.server.app.refuse = false;
    world.run_ms(2'000);
    CHECK(world.server.app.of(s).bytes.size() == 50);
    CHECK(world.server.app.of(s).ended);
    world.server.stack.close(s, world.now);
    world.run_ms(1'000);
    CHECK(world.client.app.of(c).closed);
    CHECK(world.nothing_leaked());
  }
}

TEST_CASE("levels: what waits is sent highest level first, and a message is never cut by another") {
  World world;
  world.listen(Framing::segment);
  const auto [c, s] = world.open(Framing::segment);
  world.client.wire.set_link(false);
  for (int i = 0; i < 12; ++i) world.client.send(c, std::string(1'400, 'x'), 3);  // fills the congestion window
  world.client.send(c, "low-1", 3, false);
  world.client.send(c, "low-2", 3, true);
  world.client.send(c, "high", 0);
  world.client.send(c, "mid", 1);
  world.client.wire.set_link(true);
  world.run_ms(2'000);
  const auto& got = world.server.app.of(s).messages;
  std::vector<std::string> order;
  for (const std::string& message : got) {
    if (message.size() < 100) order.push_back(message);
  }
  CHECK(order == std::vector<std::string>{"high", "mid", "low-1", "low-2"});
}

TEST_CASE("drained is told to each who waits, when the unacknowledged bytes are below its mark") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  for (int i = 0; i < 40; ++i) world.client.send(c, std::string(1'400, 'y'));
  world.client.stack.request_drain(c, 1'000, 99, world.now);
  world.client.stack.request_drain(c, 30'000, 98, world.now);
  CHECK(world.client.app.of(c).drained.empty());
  world.run_ms(1'000);
  CHECK(world.client.app.of(c).drained == std::vector<uint32_t>{98, 99});
  CHECK(world.server.app.of(s).bytes.size() == 56'000);
}

TEST_CASE("RFC 1122 4.2.3.2: a lone segment is acknowledged after the delay, every second one at once") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(200);
  const uint64_t before = world.server.count(Counter::acks_out);
  world.client.send(c, "one");
  world.run_ms(20);
  CHECK(world.server.count(Counter::acks_out) == before);
  world.run_ms(40);
  CHECK(world.server.count(Counter::acks_out) == before + 1);
  world.client.send(c, "two");
  world.client.send(c, "three");
  world.run_ms(2);
  CHECK(world.server.count(Counter::acks_out) == before + 2);
}

TEST_CASE("a reply within the delay carries the ACK") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(200);
  const uint64_t before = world.server.count(Counter::acks_out);
  world.server.app.on_message = [&](const Message& m, const std::string&) { world.server.send(m.handle, "pong"); };
  world.client.send(c, "ping");
  world.run_ms(20);
  CHECK(world.client.app.of(c).bytes == "pong");
  CHECK(world.server.count(Counter::acks_out) == before);
}

TEST_CASE("an app that holds all it was given does not keep ACKs out: what it sent is acknowledged, and its packets come back") {
  HostOptions server{host_config(1)};
  server.rx_packets = 256;
  World world({host_config(2)}, server);
  world.server.app.keep = true;
  world.listen(Framing::segment);
  const auto [c, s] = world.open();
  world.run_ms(100);
  for (int i = 0; i < 400; ++i) {
    world.client.send(c, "held");
    world.run_us(100);
  }
  REQUIRE(world.server.count(Counter::rx_deferred) > 0);
  world.server.send(s, "reply");
  world.run_ms(100);
  CHECK(world.client.app.of(c).bytes == "reply");
  CHECK(world.server.stack.unsent(s) == 0);
  world.server.app.keep = false;
  world.server.app.release_kept(s);
  CHECK(world.run_until([&, &s = s] { return world.server.app.of(s).messages.size() >= 400; }));
}

TEST_CASE("RFC 9293 3.7.4: with Nagle's algorithm small writes wait while data are in flight, and leave in one segment then") {
  World world;
  world.listen();
  ListenerConfig nagle;
  nagle.options.put(TcpOption::no_delay, 0);
  const Handle c = world.client.stack.connect({World::kClient, 0}, {World::kServer, World::kPort}, nagle, 7, world.now);
  REQUIRE(world.run_until([&] { return world.server.app.opened_count == 1; }));
  const Handle s = world.server.app.last;
  world.run_ms(100);
  const std::string bytes = pattern(1'000);
  for (size_t at = 0; at < bytes.size(); at += 100) world.client.send(c, std::string_view(bytes).substr(at, 100));
  world.run_ms(200);
  CHECK(world.server.app.of(s).bytes == bytes);
  REQUIRE(world.server.app.of(s).messages.size() == 2);
  CHECK(world.server.app.of(s).messages[1].size() == 900);
  CHECK(world.run_until([&] { return world.client.stack.unsent(c) == 0; }));
  CHECK(world.nothing_leaked());
}
