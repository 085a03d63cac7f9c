#include <doctest/doctest.h>

#include "native/flow/siphash.hh"
#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

/// The server opens actively towards the peer, and its SYN is taken from the wire.
struct ActiveOpen {
  explicit ActiveOpen(World& world, Peer& peer) {
    handle = world.server.stack.connect({World::kServer, World::kPort}, {World::kClient, peer.port}, {}, 9, world.now);
    peer.turn();
    const auto sent = peer.take();
    REQUIRE(sent.size() == 1);
    REQUIRE(sent[0].segment.flags == kSyn);
    iss = sent[0].segment.seq;
  }
  Handle handle;
  Seq iss;
};

}  // namespace

TEST_CASE("SipHash-2-4 gives the value of its authors' test vector") {
  CHECK(siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x0706050403020100, 0x0f0e0d0c0b0a0908) == 0x3f2acc7f57c29bdb);
}

TEST_CASE("RFC 6528 3: initial sequence numbers grow by 250 a millisecond for one flow, and are unrelated between flows") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  const auto iss_of = [&](uint16_t port) {
    Peer peer(world, port);
    peer.send({.flags = kSyn, .seq = 1});
    const Seq iss = peer.take().at(0).segment.seq;
    peer.send({.flags = kRst, .seq = 2});
    return iss;
  };
  const Seq first = iss_of(5'000);
  const Nanos then = world.now;
  world.now += 50'000'000;
  const Seq second = iss_of(5'000);
  CHECK(second - first == (world.now - then) / 4'000);
  const Seq other = iss_of(5'001), third = iss_of(5'002);
  CHECK(other - second > 100'000);
  CHECK(third - other > 100'000);
}

TEST_CASE("RFC 9293 3.5 figure 7: two SYNs that cross open one connection, both sides told once") {
  World world;
  const Handle c = world.client.stack.connect({World::kClient, 700}, {World::kServer, 701}, {}, 1, world.now);
  const Handle s = world.server.stack.connect({World::kServer, 701}, {World::kClient, 700}, {}, 2, world.now);
  world.run_ms(20);
  CHECK(world.client.app.of(c).opened);
  CHECK(world.server.app.of(s).opened);
  CHECK(world.client.app.of(c).info.token == 1);
  CHECK(world.client.tcb(c)->has(kTimestamps));
  CHECK(world.client.tcb(c)->has(kSackPermitted));
  world.client.send(c, "from one");
  world.server.send(s, "from the other");
  world.run_ms(100);
  CHECK(world.server.app.of(s).bytes == "from one");
  CHECK(world.client.app.of(c).bytes == "from the other");
  CHECK(world.client.app.opened_count + world.server.app.opened_count == 2);
  world.client.stack.close(c, world.now);
  world.server.stack.close(s, world.now);
  world.run_ms(200);
  CHECK(world.nothing_leaked());
}

TEST_CASE("RFC 9293 3.5: a simultaneous open survives the loss of any one of its segments") {
  for (int lost = 0; lost < 4; ++lost) {
    World world({host_config(2)}, server_for_peer());
    const Handle c = world.client.stack.connect({World::kClient, 700}, {World::kServer, 701}, {}, 1, world.now);
    const Handle s = world.server.stack.connect({World::kServer, 701}, {World::kClient, 700}, {}, 2, world.now);
    int seen = 0;
    for (int turn = 0; turn < 100'000 && !(world.client.app.of(c).opened && world.server.app.of(s).opened); ++turn) {
      world.now += 100'000;
      for (Host* const host : {&world.client, &world.server}) {
        host->stack.turn(world.now);
        if (host->wire.sent() > 0 && seen++ == lost) (void)host->wire.take();
      }
    }
    CAPTURE(lost);
    CHECK(world.client.app.of(c).opened);
    CHECK(world.server.app.of(s).opened);
  }
}

TEST_CASE("RFC 9293 3.10.4: close and abort end a simultaneous open in SYN-RECEIVED") {
  for (const bool abort : {false, true}) {
    World world({host_config(2)}, server_for_peer());
    Peer peer(world, 5'000);
    const ActiveOpen open(world, peer);
    peer.send({.flags = kSyn, .seq = 77});
    const auto answer = peer.take();
    REQUIRE(answer.size() == 1);
    CHECK(answer[0].segment.flags == (kSyn | kAck));
    CHECK(answer[0].segment.seq == open.iss);
    CHECK(answer[0].segment.ack == 78);
    CHECK(world.server.tcb(open.handle)->state == TcpState::syn_received);
    if (abort) {
      world.server.stack.abort(open.handle, CloseReason::aborted, world.now);
      peer.turn();
      CHECK(peer.take().at(0).has(kRst));
      CHECK(world.server.app.of(open.handle).closed);
      continue;
    }
    world.server.stack.shutdown(open.handle, world.now);
    peer.turn();
    CHECK(peer.take().empty());  // the FIN waits for ESTABLISHED
    peer.send({.flags = kSyn | kAck, .seq = 77, .ack = open.iss + 1});
    const auto fin = peer.take();
    REQUIRE(!fin.empty());
    CHECK(fin.back().has(kFin));
    CHECK(world.server.tcb(open.handle)->state == TcpState::fin_wait_1);
  }
}

TEST_CASE("RFC 9293 3.10.7.4: RST in SYN-RECEIVED of a simultaneous open is a refusal, a wrong ACK is answered by RST") {
  World world({host_config(2)}, server_for_peer());
  Peer peer(world, 5'000);
  const ActiveOpen open(world, peer);
  peer.send({.flags = kSyn, .seq = 77});
  peer.take();
  peer.send({.flags = kAck, .seq = 78, .ack = open.iss + 50});
  const auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kRst);
  CHECK(answer[0].segment.seq == open.iss + 50);
  CHECK(world.server.tcb(open.handle)->state == TcpState::syn_received);
  peer.send({.flags = kRst, .seq = 78});
  CHECK(world.server.app.of(open.handle).reason == CloseReason::refused);
  world.run_ms(20);
  CHECK(world.nothing_leaked());
}

TEST_CASE("RFC 9293 3.10.7.3: in SYN-SENT a wrong ACK is answered by RST, a RST counts only with the right one") {
  World world({host_config(2)}, server_for_peer());
  Peer peer(world, 5'000);
  const ActiveOpen open(world, peer);
  peer.send({.flags = kSyn | kAck, .seq = 77, .ack = open.iss});
  auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kRst);
  CHECK(answer[0].segment.seq == open.iss);
  peer.send({.flags = kRst | kAck, .seq = 0, .ack = open.iss});
  peer.send({.flags = kRst, .seq = 0});
  peer.send({.flags = kAck, .seq = 0, .ack = open.iss + 1});
  CHECK(peer.take().empty());
  CHECK(world.server.stack.alive(open.handle));
  peer.send({.flags = kRst | kAck, .seq = 0, .ack = open.iss + 1});
  CHECK(world.server.app.of(open.handle).reason == CloseReason::refused);
}

TEST_CASE("RFC 9293 3.10.7.3: text and FIN in a SYN-ACK are taken once the connection stands") {
  World world({host_config(2)}, server_for_peer());
  Peer peer(world, 5'000);
  const ActiveOpen open(world, peer);
  peer.send({.flags = kSyn | kAck | kFin, .seq = 77, .ack = open.iss + 1, .payload = "early"});
  CHECK(world.server.app.of(open.handle).bytes == "early");
  CHECK(world.server.app.of(open.handle).ended);
  CHECK(peer.take().empty());
  peer.turn();
  const auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.ack == 77 + 1 + 5 + 1);
}

TEST_CASE("what the app sends within a turn takes the ACK of a SYN-ACK along; otherwise that leaves in the next turn") {
  World world({host_config(2)}, server_for_peer());
  for (const bool sends : {true, false}) {
    Peer peer(world, sends ? 5'000 : 5'001);
    const ActiveOpen open(world, peer);
    peer.send({.flags = kSyn | kAck, .seq = 77, .ack = open.iss + 1});
    CHECK(world.server.app.of(open.handle).opened);
    CHECK(peer.take().empty());
    if (sends) world.server.send(open.handle, "request");
    peer.turn();
    const auto sent = peer.take();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].payload == (sends ? "request" : ""));
    CHECK(sent[0].segment.ack == 78);
    peer.wait(5);
    CHECK(peer.take().empty());
  }
}

TEST_CASE("TCP_QUICKACK: the ACK of a SYN-ACK does not wait a turn") {
  World world({host_config(2)}, server_for_peer());
  Peer peer(world, 5'000);
  ListenerConfig quick;
  quick.options.put(TcpOption::quick_ack, 1);
  world.server.stack.connect({World::kServer, World::kPort}, {World::kClient, peer.port}, quick, 9, world.now);
  peer.turn();
  const auto syn = peer.take();
  REQUIRE(syn.size() == 1);
  peer.send({.flags = kSyn | kAck, .seq = 77, .ack = syn[0].segment.seq + 1});
  CHECK(peer.take().size() == 1);
}

TEST_CASE("RFC 9293 3.4: text in a SYN is not delivered before the handshake is over; the peer sends it again") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  peer.send({.flags = kSyn, .seq = 1'000, .payload = "early"});
  const auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.ack == 1'001);
  CHECK(world.server.app.opened_count == 0);
  peer.send({.seq = 1'001, .ack = answer[0].segment.seq + 1, .payload = "early"});
  CHECK(world.server.app.of(world.server.app.last).bytes == "early");
}

TEST_CASE("RFC 9293 3.10.7.2: LISTEN ignores RST, answers ACK by RST, and drops what is neither SYN nor those") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  peer.send({.flags = kRst, .seq = 5});
  peer.send({.flags = kRst | kAck, .seq = 5, .ack = 6});
  CHECK(peer.take().empty());
  peer.send({.flags = kAck, .seq = 5, .ack = 600});
  auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kRst);
  CHECK(answer[0].segment.seq == 600);
  peer.send({.flags = kSyn | kAck, .seq = 5, .ack = 700});
  answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.seq == 700);
}

TEST_CASE("RFC 9293 3.5.2: a reset for a segment without ACK has sequence number 0 and acknowledges the segment") {
  World world({host_config(2)}, server_for_peer());
  Peer peer(world);
  peer.send({.flags = kSyn, .seq = 5, .payload = "abc"});
  const auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == (kRst | kAck));
  CHECK(answer[0].segment.seq == 0);
  CHECK(answer[0].segment.ack == 5 + 1 + 3);
}

TEST_CASE("RFC 9293 3.10.7.4: in SYN-RECEIVED a SYN again gets the SYN-ACK again, a RST ends the record") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  peer.send({.flags = kSyn, .seq = 1'000});
  const Seq iss = peer.take().at(0).segment.seq;
  peer.send({.flags = kSyn, .seq = 1'000});
  const auto again = peer.take();
  REQUIRE(again.size() == 1);
  CHECK(again[0].segment.flags == (kSyn | kAck));
  CHECK(again[0].segment.seq == iss);
  CHECK(world.server.stack.engine().half_open_used() == 1);
  peer.send({.flags = kRst, .seq = 1'001});
  CHECK(world.server.stack.engine().half_open_used() == 0);
}

TEST_CASE("a client that starts anew with another number is told by a challenge, and gets in after its RST") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  peer.send({.flags = kSyn, .seq = 1'000});
  peer.take();
  peer.wait(600);
  peer.send({.flags = kSyn, .seq = 900'000'000});
  auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kAck);
  CHECK(answer[0].segment.ack == 1'001);
  peer.send({.flags = kRst, .seq = answer[0].segment.ack});
  peer.seq = 900'000'000;
  CHECK(peer.open().slot != kNoIndex);
}
