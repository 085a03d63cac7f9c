#include <doctest/doctest.h>

#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

/// A connection of a listener whose connections are probed after 8 s of silence: every second, four times.
struct Probed {
  explicit Probed(std::initializer_list<std::pair<TcpOption, uint32_t>> more = {}, TcpOptions syn = {})
      : world({host_config(2)}, server_for_peer()), peer(world) {
    ListenerConfig listener{0, World::kPort};
    listener.options.put(TcpOption::keepalive, 1).put(TcpOption::keepalive_idle_ms, 8'000);
    listener.options.put(TcpOption::keepalive_interval_ms, 1'000).put(TcpOption::keepalive_count, 4);
    for (const auto& [option, value] : more) listener.options.put(option, value);
    world.server.stack.listen(listener);
    handle = peer.open(syn);
    peer.take();
  }
  TcpEngine& engine() { return const_cast<TcpEngine&>(world.server.stack.engine()); }
  bool open() { return world.server.tcb(handle) != nullptr; }
  CloseReason reason() { return world.server.app.of(handle).reason; }
  void answer() { peer.send({.seq = peer.seq, .ack = peer.ack}); }

  World world;
  Peer peer;
  Handle handle;
};

bool is_probe(const Incoming& in, Seq next) {
  return in.segment.flags == kAck && in.segment.seq == next - 1 && in.payload.empty();
}

}  // namespace

TEST_CASE("RFC 9293 3.8.4: keepalive is off unless asked for, and then not before two hours unless told") {
  Probed off({{TcpOption::keepalive, 0}});
  off.peer.wait(60'000);
  CHECK(off.peer.take().empty());
  CHECK(off.open());
  World world;
  CHECK(world.listen() >= 0);
  const auto [c, s] = world.open();
  CHECK(world.server.stack.option(s, TcpOption::keepalive) == 0);
  CHECK(world.server.stack.option(s, TcpOption::keepalive_idle_ms) == 7'200'000);
}

TEST_CASE("RFC 1122 4.2.3.6: a silent peer is probed below the window, and an answer ends the probing") {
  Probed p;
  p.peer.wait(7'900);
  CHECK(p.peer.take().empty());
  p.peer.wait(200);
  const auto probes = p.peer.take();
  REQUIRE(probes.size() == 1);
  CHECK(is_probe(probes[0], p.peer.ack));
  CHECK(p.world.server.stack.info(p.handle)->probes == 1);
  p.answer();
  CHECK(p.world.server.stack.info(p.handle)->probes == 0);
  p.peer.wait(7'900);
  CHECK(p.peer.take().empty());
  p.peer.wait(200);
  CHECK(p.peer.take().size() == 1);
  CHECK(p.world.server.count(Counter::keepalive_probes) == 2);
  CHECK(p.open());
}

TEST_CASE("RFC 1122 4.2.3.6: one lost probe, or three, are no dead connection") {
  Probed p;
  p.peer.wait(8'100);
  p.peer.wait(3'000);
  const auto probes = p.peer.take();
  CHECK(probes.size() == 4);
  for (const Incoming& probe : probes) CHECK(is_probe(probe, p.peer.ack));
  p.answer();
  p.peer.wait(5'000);
  CHECK(p.peer.take().empty());
  CHECK(p.open());
}

TEST_CASE("a peer that answers no probe is given up: the app is told that it timed out, the peer gets RST") {
  Probed p;
  p.peer.wait(8'100 + 4'000);
  const auto sent = p.peer.take();
  REQUIRE(sent.size() == 5);
  CHECK(sent.back().has(kRst));
  CHECK(sent.back().segment.seq == p.peer.ack);
  CHECK_FALSE(p.open());
  CHECK(p.reason() == CloseReason::timed_out);
  CHECK(p.world.server.count(Counter::keepalive_closed) == 1);
  CHECK(p.world.nothing_leaked());
}

TEST_CASE("RFC 9293 3.8.4: no probe is sent while data come, or wait to be acknowledged") {
  Probed p;
  for (int i = 0; i < 10; ++i) {
    p.peer.wait(3'000);
    p.peer.send({.seq = p.peer.seq, .ack = p.peer.ack, .payload = "x"});
    ++p.peer.seq;
  }
  for (const Incoming& in : p.peer.take()) CHECK(in.segment.seq == p.peer.ack);
  p.world.server.send(p.handle, "is anybody there");
  p.peer.wait(30'000);
  CHECK(p.world.server.count(Counter::keepalive_probes) == 0);
  CHECK(p.world.server.count(Counter::timeouts) > 2);
}

TEST_CASE("data that are sent while a peer is probed take over the question") {
  Probed p;
  p.peer.wait(8'100);
  CHECK(p.world.server.stack.info(p.handle)->probes == 1);
  p.world.server.send(p.handle, "data");
  p.peer.wait(20'000);
  CHECK(p.world.server.stack.info(p.handle)->probes == 0);
  CHECK(p.world.server.count(Counter::keepalive_probes) == 1);
  CHECK(p.open());
}

TEST_CASE("keepalive can be switched on and off while a connection is open, and takes no Busy block") {
  Probed p({{TcpOption::keepalive, 0}});
  p.peer.wait(20'000);
  CHECK(p.peer.take().empty());
  CHECK(p.world.server.stack.set_option(p.handle, TcpOption::keepalive, 1, p.world.now) == 0);
  p.peer.wait(100);
  CHECK(p.peer.take().size() == 1);
  CHECK(p.world.server.tcb(p.handle)->busy == kNoIndex);
  CHECK(p.world.server.stack.engine().busy_used() == 0);
  CHECK(p.world.server.stack.set_option(p.handle, TcpOption::keepalive, 0, p.world.now) == 0);
  p.peer.wait(20'000);
  CHECK(p.peer.take().empty());
  CHECK(p.open());
}

TEST_CASE("with a user timeout the silence counts, not the number of probes (RFC 5482)") {
  Probed p({{TcpOption::user_timeout_ms, 20'000}, {TcpOption::keepalive_count, 2}});
  p.peer.wait(19'000);
  CHECK(p.open());
  CHECK(p.peer.take().size() >= 9);
  p.peer.wait(2'000);
  CHECK(p.reason() == CloseReason::timed_out);
}

TEST_CASE("a connection that is half closed is probed as well; one whose app has closed is not") {
  Probed p;
  p.world.server.stack.shutdown(p.handle, p.world.now);
  p.peer.turn();
  p.peer.send({.seq = p.peer.seq, .ack = ++p.peer.ack});
  CHECK(p.world.server.tcb(p.handle)->state == TcpState::fin_wait_2);
  p.peer.take();
  p.peer.wait(8'100);
  auto probes = p.peer.take();
  REQUIRE(probes.size() == 1);
  CHECK(is_probe(probes[0], p.peer.ack));
  p.answer();
  p.world.server.stack.close(p.handle, p.world.now);
  p.peer.wait(30'000);
  CHECK(p.world.server.count(Counter::keepalive_probes) == 1);
}

TEST_CASE("two stacks of ours keep each other's idle connections open for a day, and each probe costs one ACK") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  for (const auto& [option, value] : {std::pair{TcpOption::keepalive, 1u}, {TcpOption::keepalive_idle_ms, 7'200'000u}}) {
    CHECK(world.client.stack.set_option(c, option, value, world.now) == 0);
  }
  const uint64_t before = world.server.count(Counter::acks_out);
  for (int minute = 0; minute < 24 * 60; ++minute) {
    world.run_us(60'000'000, 10'000'000);
  }
  const uint64_t probes = world.client.count(Counter::keepalive_probes);
  CHECK(probes >= 10);
  CHECK(probes <= 12);
  CHECK(world.server.count(Counter::acks_out) - before == probes);
  CHECK(world.client.stack.alive(c));
}

TEST_CASE("segments outside the window, which anybody can forge, do not keep a silent peer's connection open") {
  Probed p;
  for (int second = 0; second < 13; ++second) {
    p.peer.wait(1'000);
    p.peer.put({.seq = p.peer.seq + 1'000'000, .ack = p.peer.ack, .payload = "forged"});
    p.peer.put({.seq = p.peer.seq - 100, .ack = p.peer.ack});
    p.peer.put({.seq = p.peer.seq, .ack = p.peer.ack + 1'000'000});
  }
  CHECK(!p.open());
  CHECK(p.reason() == CloseReason::timed_out);
}

TEST_CASE("RFC 9293 3.8.4: a peer that probes us is heard, although its probe lies below the window") {
  Probed p;
  for (int second = 0; second < 20; second += 5) {
    p.peer.wait(5'000);
    p.peer.send({.seq = p.peer.seq - 1, .ack = p.peer.ack});
  }
  CHECK(p.world.server.count(Counter::keepalive_probes) == 0);
  CHECK(p.open());
}
