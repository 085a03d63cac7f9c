#include <doctest/doctest.h>

#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

/// An established connection whose last challenge ACK is long ago.
struct Victim {
  explicit Victim(TcpOptions options = {}) : world({host_config(2)}, server_for_peer()), peer(world) {
    world.listen();
    handle = peer.open(options);
    REQUIRE(world.server.app.opened_count == 1);
    peer.wait(1'000);
    peer.take();
  }
  bool alive() { return world.server.stack.alive(handle); }

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

TEST_CASE("RFC 5961 3.2: a RST counts exactly at RCV.NXT; in the window it is challenged, outside it is dropped") {
  Victim v;
  v.peer.send({.flags = kRst, .seq = v.peer.seq + 1});
  auto answer = v.peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kAck);
  CHECK(answer[0].segment.ack == v.peer.seq);
  CHECK(v.world.server.count(Counter::challenge_acks) == 1);
  CHECK(v.alive());
  v.peer.wait(600);
  v.peer.send({.flags = kRst, .seq = v.peer.seq - 1});
  v.peer.send({.flags = kRst, .seq = v.peer.seq + 100'000});
  CHECK(v.peer.take().empty());
  CHECK(v.alive());
  v.peer.send({.flags = kRst, .seq = v.peer.seq});
  CHECK(v.world.server.app.of(v.handle).reason == CloseReason::reset);
}

TEST_CASE("RFC 5961 4.2: a SYN on a connection is challenged, whatever its number, and a peer that restarted then resets") {
  Victim v;
  for (const Seq seq : {v.peer.seq, v.peer.seq + 5, v.peer.seq - 1, v.peer.seq + 0x40000000}) {
    v.peer.send({.flags = kSyn, .seq = seq});
    const auto answer = v.peer.take();
    CAPTURE(seq);
    REQUIRE(answer.size() == 1);
    CHECK(answer[0].segment.flags == kAck);
    CHECK(answer[0].segment.seq == v.peer.ack);
    CHECK(answer[0].segment.ack == v.peer.seq);
    CHECK(v.alive());
    v.peer.wait(600);
  }
}

TEST_CASE("RFC 5961 5.2: an ACK older than the largest window, or of what was never sent, is challenged and brings no data") {
  Victim v;
  for (const Seq ack : {v.peer.ack + 1, v.peer.ack - 60'001, v.peer.ack + 0x7fff0000}) {
    v.peer.send({.seq = v.peer.seq, .ack = ack, .payload = "forged"});
    const auto answer = v.peer.take();
    CAPTURE(ack);
    REQUIRE(answer.size() == 1);
    CHECK(answer[0].segment.ack == v.peer.seq);
    v.peer.wait(600);
  }
  CHECK(v.world.server.app.of(v.handle).bytes.empty());
  v.peer.send({.seq = v.peer.seq, .ack = v.peer.ack - 60'000, .payload = "old but possible"});
  CHECK(v.world.server.app.of(v.handle).bytes == "old but possible");
}

TEST_CASE("RFC 5961 7: challenges are limited per connection, and counted") {
  Victim v;
  for (int i = 0; i < 100; ++i) v.peer.send({.flags = kRst, .seq = v.peer.seq + 1});
  CHECK(v.peer.take().size() == 1);
  CHECK(v.world.server.count(Counter::challenge_acks_limited) == 99);
  Peer other(v.world, 5'001);
  other.open();
  other.take();
  other.wait(600);
  v.peer.wait(600);
  v.peer.send({.flags = kRst, .seq = v.peer.seq + 1});
  CHECK(v.peer.take().size() == 1);
  other.send({.flags = kRst, .seq = other.seq + 1});
  CHECK(other.take().size() == 1);
}

TEST_CASE("two ends that disagree about their numbers do not answer each other for ever") {
  Victim v;
  for (int i = 0; i < 100; ++i) v.peer.send({.seq = v.peer.seq - 500, .ack = v.peer.ack});
  CHECK(v.peer.take().size() == 1);
}

TEST_CASE("RFC 9293 3.8.4: a keep-alive of the peer, one below RCV.NXT, is answered each time, with and without an octet") {
  Victim v;
  for (int i = 0; i < 3; ++i) {
    v.peer.send({.seq = v.peer.seq - 1, .ack = v.peer.ack});
    v.peer.send({.seq = v.peer.seq - 1, .ack = v.peer.ack, .payload = "x"});
  }
  CHECK(v.peer.take().size() == 6);
  CHECK(v.world.server.app.of(v.handle).bytes.empty());
}

TEST_CASE("RFC 5961: half-open records challenge a RST and a SYN that are not exact, and go on") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  peer.send({.flags = kSyn, .seq = 1'000});
  const Seq iss = peer.take().at(0).segment.seq;
  peer.send({.flags = kRst, .seq = 1'002});
  auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kAck);
  CHECK(answer[0].segment.seq == iss + 1);
  CHECK(world.server.stack.engine().half_open_used() == 1);
  peer.send({.seq = 1'001, .ack = iss + 1});
  CHECK(world.server.app.opened_count == 1);
}

TEST_CASE("RFC 7323 5.3: a segment older than TS.Recent is acknowledged and dropped, a RST is not judged by its time") {
  Victim v(at_time(5'000));
  v.peer.send({.seq = v.peer.seq, .ack = v.peer.ack, .payload = "old", .options = at_time(4'999)});
  CHECK(v.peer.take().size() == 1);
  CHECK(v.world.server.app.of(v.handle).bytes.empty());
  CHECK(v.world.server.count(Counter::drop_paws) == 1);
  v.peer.send({.seq = v.peer.seq, .ack = v.peer.ack, .payload = "equal", .options = at_time(5'000)});
  CHECK(v.world.server.app.of(v.handle).bytes == "equal");
  v.peer.send({.flags = kRst, .seq = v.peer.seq + 5, .options = at_time(1)});
  CHECK(v.world.server.app.of(v.handle).reason == CloseReason::reset);
}

TEST_CASE("RFC 7323 3.2: where timestamps were negotiated a segment without them is dropped in silence, but a RST is not") {
  Victim v(at_time(5'000));
  v.peer.send({.seq = v.peer.seq, .ack = v.peer.ack, .payload = "bare"});
  CHECK(v.peer.take().empty());
  CHECK(v.world.server.app.of(v.handle).bytes.empty());
  v.peer.send({.flags = kRst, .seq = v.peer.seq});
  CHECK_FALSE(v.alive());
}

TEST_CASE("RFC 7323 5.5: after 24 days of silence TS.Recent is out of date, and a smaller time is taken") {
  Victim v(at_time(0x80000000));
  v.world.now += 25ull * 24 * 3600 * 1'000'000'000;
  v.peer.send({.seq = v.peer.seq, .ack = v.peer.ack, .payload = "after a holiday", .options = at_time(0x7fffff00)});
  CHECK(v.world.server.app.of(v.handle).bytes == "after a holiday");
  CHECK(v.world.server.tcb(v.handle)->ts_recent == 0x7fffff00);
}

TEST_CASE("RFC 7323 4.3: TS.Recent follows segments that cover the last ACK sent, not those beyond a hole") {
  Victim v(at_time(5'000));
  v.peer.send({.seq = v.peer.seq + 10, .ack = v.peer.ack, .payload = "later", .options = at_time(6'000)});
  CHECK(v.world.server.tcb(v.handle)->ts_recent == 5'000);
  v.peer.send({.seq = v.peer.seq, .ack = v.peer.ack, .payload = "0123456789", .options = at_time(5'500)});
  CHECK(v.world.server.tcb(v.handle)->ts_recent == 5'500);
  CHECK(v.world.server.app.of(v.handle).bytes == "0123456789later");
}

TEST_CASE("RFC 7323 5.3: PAWS holds in SYN-RECEIVED too: an old third segment opens nothing") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  peer.send({.flags = kSyn, .seq = 1'000, .options = at_time(5'000)});
  const Seq iss = peer.take().at(0).segment.seq;
  peer.send({.seq = 1'001, .ack = iss + 1, .options = at_time(4'000)});
  peer.send({.seq = 1'001, .ack = iss + 1});
  CHECK(world.server.app.opened_count == 0);
  CHECK(world.server.count(Counter::drop_paws) == 2);
  peer.send({.seq = 1'001, .ack = iss + 1, .options = at_time(5'001)});
  CHECK(world.server.app.opened_count == 1);
}

TEST_CASE("RFC 9293 3.8.5: urgent data are delivered in line, in their place, and counted") {
  Victim v;
  v.peer.send({.seq = v.peer.seq, .ack = v.peer.ack, .payload = "before "});
  v.peer.send({.flags = kAck | kUrg, .seq = v.peer.seq + 7, .ack = v.peer.ack, .payload = "urgent"});
  v.peer.send({.seq = v.peer.seq + 13, .ack = v.peer.ack, .payload = " after"});
  CHECK(v.world.server.app.of(v.handle).bytes == "before urgent after");
  CHECK(v.world.server.count(Counter::urgent_in) == 1);
}
