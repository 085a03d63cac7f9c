#include <doctest/doctest.h>

#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

/// A connection that the server has closed first, and that waits in TIME-WAIT there.
struct Waiting {
  explicit Waiting(TcpOptions options = {}) : world({host_config(2)}, server_for_peer()), peer(world) {
    world.listen();
    handle = peer.open(options);
    world.server.stack.close(handle, world.now);
    peer.turn();
    peer.take();
    peer.send({.flags = kAck | kFin, .seq = peer.seq, .ack = peer.ack + 1, .options = options});
    ++peer.seq;
    ++peer.ack;
    REQUIRE(world.server.stack.engine().time_wait_used() == 1);
    peer.wait(600);
    peer.take();
  }
  /// What the server answers to a SYN.
  std::vector<Incoming> syn(Seq seq, TcpOptions options = {}) {
    peer.send({.flags = kSyn, .seq = seq, .options = options});
    return peer.take();
  }
  bool opens(Seq seq, TcpOptions options = {}) {
    const auto answer = syn(seq, options);
    return answer.size() == 1 && answer[0].has(kSyn | kAck);
  }

  World world;
  Peer peer;
  Handle handle;
};

TcpOptions at_time(uint32_t value) {
  TcpOptions options;
  options.has_timestamps = true;
  options.ts_value = value;
  return options;
}

}  // namespace

TEST_CASE("RFC 6191 2: without timestamps before, a SYN opens anew with a higher number, or with timestamps") {
  CHECK_FALSE(Waiting{}.opens(500));
  CHECK(Waiting{}.opens(50'000));
  CHECK(Waiting{}.opens(500, at_time(1)));
}

TEST_CASE("RFC 6191 2: with timestamps before, a SYN opens anew with a later time; with the same time, or none, by its number") {
  CHECK(Waiting(at_time(5'000)).opens(500, at_time(5'001)));
  CHECK_FALSE(Waiting(at_time(5'000)).opens(50'000, at_time(4'999)));
  CHECK_FALSE(Waiting(at_time(5'000)).opens(500, at_time(5'000)));
  CHECK(Waiting(at_time(5'000)).opens(50'000, at_time(5'000)));
  CHECK_FALSE(Waiting(at_time(5'000)).opens(500));
  CHECK(Waiting(at_time(5'000)).opens(50'000));
}

TEST_CASE("RFC 9293 3.6.1: the new connection's number is above all that was sent on the old one") {
  Waiting w;
  const auto answer = w.syn(50'000);
  REQUIRE(answer.size() == 1);
  CHECK(seq_gt(answer[0].segment.seq, w.peer.ack));
  CHECK(w.world.server.stack.engine().time_wait_used() == 0);
}

TEST_CASE("RFC 1337: a RST does not end TIME-WAIT") {
  Waiting w;
  w.peer.send({.flags = kRst, .seq = w.peer.seq});
  CHECK(w.peer.take().empty());
  CHECK(w.world.server.stack.engine().time_wait_used() == 1);
}

TEST_CASE("RFC 9293 3.10.7.4: in TIME-WAIT the FIN again is acknowledged each time and starts 2 MSL anew") {
  Waiting w;
  w.peer.wait(59'000);
  for (int i = 0; i < 3; ++i) w.peer.send({.flags = kAck | kFin, .seq = w.peer.seq - 1, .ack = w.peer.ack});
  const auto answer = w.peer.take();
  REQUIRE(answer.size() == 3);
  CHECK(answer[0].segment.flags == kAck);
  CHECK(answer[0].segment.ack == w.peer.seq);
  w.peer.wait(30'000);
  CHECK(w.world.server.stack.engine().time_wait_used() == 1);
  w.peer.wait(31'000);
  CHECK(w.world.server.stack.engine().time_wait_used() == 0);
}

TEST_CASE("other segments in TIME-WAIT are acknowledged, but not each, and do not prolong it") {
  Waiting w;
  for (int i = 0; i < 10; ++i) w.peer.send({.flags = kAck | kFin, .seq = w.peer.seq + 100, .ack = w.peer.ack});
  CHECK(w.peer.take().size() == 1);
  w.peer.wait(60'000);
  CHECK(w.world.server.stack.engine().time_wait_used() == 0);
}

TEST_CASE("RFC 9293 3.6.1: closing while received data wait sends RST; so does data that comes after close") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  Handle handle = peer.open();
  peer.take();
  world.server.app.refuse_messages = true;
  peer.send({.seq = peer.seq, .ack = peer.ack, .payload = "never read"});
  world.server.stack.close(handle, world.now);
  peer.turn();
  auto answer = peer.take();
  REQUIRE(!answer.empty());
  CHECK(answer.back().has(kRst));
  CHECK(world.server.app.of(handle).reason == CloseReason::aborted);

  world.server.app.refuse_messages = false;
  Peer second(world, 5'001);
  handle = second.open();
  world.server.stack.close(handle, world.now);
  second.turn();
  second.take();
  second.send({.seq = second.seq, .ack = second.ack + 1, .payload = "too late"});
  answer = second.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].has(kRst));
  CHECK(world.server.rx.available() == world.rx_free.second);
}

TEST_CASE("RFC 9293 3.6 case 3: FINs that cross end on both sides in TIME-WAIT, through CLOSING") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  const Handle handle = peer.open();
  world.server.stack.close(handle, world.now);
  peer.turn();
  peer.send({.flags = kAck | kFin, .seq = peer.seq, .ack = peer.ack});
  CHECK(world.server.tcb(handle)->state == TcpState::closing);
  peer.send({.seq = peer.seq + 1, .ack = peer.ack + 1});
  CHECK(world.server.app.of(handle).reason == CloseReason::finished);
  CHECK(world.server.stack.engine().time_wait_used() == 1);
}

TEST_CASE("the ACK of a FIN goes with ours where the app closes within a turn, and otherwise alone in the next one") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  for (const bool closes : {true, false}) {
    Peer peer(world, closes ? 5'000 : 5'001);
    const Handle handle = peer.open();
    peer.take();
    peer.send({.flags = kAck | kFin, .seq = peer.seq, .ack = peer.ack});
    CHECK(world.server.app.of(handle).ended);
    CHECK(peer.take().empty());
    if (closes) world.server.stack.close(handle, world.now);
    peer.turn();
    const auto sent = peer.take();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].has(kFin) == closes);
    CHECK(sent[0].segment.ack == peer.seq + 1);
  }
}

TEST_CASE("fixed framing: a message that the app refuses is not acknowledged, and the end of the connection comes after it") {
  World world;
  world.listen(Framing::fixed, 16);
  const auto [c, s] = world.open();
  world.client.send(c, "12345678");
  world.run_ms(100);
  world.server.app.refuse_messages = true;
  world.client.send(c, "87654321");
  world.client.stack.shutdown(c, world.now);
  world.run_ms(100);
  CHECK(world.client.stack.unsent(c) == 8 + 1);
  CHECK_FALSE(world.server.app.of(s).ended);
  world.server.app.refuse_messages = false;
  CHECK(world.run_until([&, &s = s] { return world.server.app.of(s).ended; }));
  REQUIRE(world.server.app.of(s).messages.size() == 1);
  CHECK(world.server.app.of(s).messages[0] == "1234567887654321");
  CHECK(world.run_until([&, &c = c] { return world.client.stack.unsent(c) == 0; }));
}
