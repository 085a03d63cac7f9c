#include <doctest/doctest.h>

#include <tuple>

#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

/// Sends `size` bytes from one end while the other echoes them; true when all came back unharmed.
void echo_under(const FaultConfig& fault, bool sack, bool timestamps, uint64_t seed, size_t size) {
  HostOptions client{host_config(2)}, server{host_config(1)};
  client.stack.tcp.sack = server.stack.tcp.sack = sack;
  client.stack.tcp.timestamps = timestamps;
  client.rx_fault = client.tx_fault = fault;
  client.seed = seed;
  World world(client, server);
  world.listen();
  const auto [c, s] = world.open();
  std::string pending;
  world.server.app.on_message = [&](const Message&, const std::string& bytes) { pending += bytes; };
  const std::string bytes = pattern(size, static_cast<uint32_t>(seed));
  size_t sent = 0;
  const auto push = [](Host& host, Handle handle, std::string_view all, size_t& at) {
    while (at < all.size() && host.stack.unsent(handle) < 100'000) {
      const size_t part = std::min<size_t>(1'448, all.size() - at);
      if (!host.send(handle, all.substr(at, part))) return;
      at += part;
    }
  };
  size_t echoed = 0;
  const bool done = world.run_until(
      [&, &c = c, &s = s] {
        push(world.client, c, bytes, sent);
        push(world.server, s, pending, echoed);
        return world.client.app.of(c).bytes.size() >= size;
      },
      600'000);
  CAPTURE(seed);
  REQUIRE(done);
  CHECK(world.client.app.of(c).bytes == bytes);
  CHECK(world.server.app.of(s).bytes == bytes);
  world.client.stack.close(c, world.now);
  world.server.stack.close(s, world.now);
  world.run_ms(120'000);
  CHECK(world.client.stack.engine().connections_used() == 0);
  CHECK(world.server.stack.engine().connections_used() == 0);
  CHECK(world.nothing_leaked());
}

}  // namespace

TEST_CASE("bytes survive loss, reordering and duplication in both directions, with and without SACK and timestamps") {
  FaultConfig fault;
  fault.drop = 0.05;
  fault.duplicate = 0.02;
  fault.reorder = 0.05;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    for (const bool sack : {true, false}) {
      for (const bool timestamps : {true, false}) echo_under(fault, sack, timestamps, seed, 200'000);
    }
  }
}

TEST_CASE("damaged frames are dropped by their checksum, never delivered") {
  FaultConfig fault;
  fault.corrupt = 0.05;
  echo_under(fault, true, true, 5, 200'000);
}

TEST_CASE("RFC 6582: three duplicate ACKs repair a single loss without the timer") {
  for (const bool sack : {true, false}) {
    HostOptions client{host_config(2)};
    client.stack.tcp.sack = sack;
    World world(client, {host_config(1)});
    world.listen();
    const auto [c, s] = world.open();
    world.run_ms(100);
    const std::string bytes = pattern(10 * 1'448);
    for (size_t i = 0; i < 10; ++i) world.client.send(c, std::string_view(bytes).substr(i * 1'448, 1'448));
    const auto frames = world.capture(world.client);
    REQUIRE(frames.size() == 10);
    World::deliver(world.server, frames, {2});
    world.run_ms(50);
    CHECK(world.server.app.of(s).bytes == bytes);
    CHECK(world.client.count(Counter::timeouts) == 0);
    CHECK(world.client.count(Counter::fast_retransmits) == 1);
    CHECK(world.client.count(Counter::retransmits) == 1);
  }
}

TEST_CASE("RFC 6675: with SACK several losses of one window are repaired, each once, without the timer") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(100);
  const std::string bytes = pattern(10 * 1'448);
  for (size_t i = 0; i < 10; ++i) world.client.send(c, std::string_view(bytes).substr(i * 1'448, 1'448));
  const auto frames = world.capture(world.client);
  REQUIRE(frames.size() == 10);
  World::deliver(world.server, frames, {1, 3, 4});
  world.run_ms(50);
  CHECK(world.server.app.of(s).bytes == bytes);
  CHECK(world.client.count(Counter::timeouts) == 0);
  CHECK(world.client.count(Counter::retransmits) == 3);
}

TEST_CASE("RFC 6298 5.4: the earliest lost segment is sent again although a FIN behind it is unacknowledged") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(100);
  const std::string bytes = pattern(1'448);
  world.client.send(c, bytes);
  world.client.stack.close(c, world.now);
  REQUIRE(world.capture(world.client).size() == 2);  // lost
  world.run_ms(5'000);
  CHECK((world.server.app.of(s).bytes == bytes));
  CHECK(world.server.app.of(s).ended);
}

TEST_CASE("RFC 9293 3.10.7.4: what acknowledges something new brings its window along, in a retransmission as well") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(100);
  world.server.app.keep = true;
  const Seq first = world.server.tcb(s)->snd_nxt;
  world.server.send(s, pattern(100));
  REQUIRE(world.capture(world.server).size() == 1);  // lost
  world.server.send(s, pattern(100));
  World::deliver(world.client, world.capture(world.server));
  REQUIRE(world.capture(world.client).size() == 1);  // the SACK is lost too: the timer has to repair it
  const std::string segment = pattern(1'448);
  for (int i = 0; i < 10; ++i) world.client.send(c, segment);
  // Of what the server sends only the lost segment arrives, when it is sent again.
  for (int ms = 0; ms < 3'000; ++ms) {
    world.now += 1'000'000;
    world.client.stack.turn(world.now);
    world.server.stack.turn(world.now);
    while (const auto frame = world.server.wire.take()) {
      if (load_be32(frame->data() + kEthernetHeader + kIpv4Header + 4) == first) world.client.wire.inject(*frame);
    }
  }
  const Tcb& sender = *world.client.tcb(c);
  REQUIRE(sender.snd_una == world.server.tcb(s)->rcv_nxt);
  CHECK(seq_le(sender.snd_una + sender.snd_wnd, world.server.tcb(s)->rcv_adv));
}

TEST_CASE("an ACK from the right edge of our window counts: a peer that has used the window up sends no other") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(100);
  world.server.app.keep = true;
  const Tcb& sender = *world.client.tcb(c);
  const std::string bytes = pattern(1'448);
  for (int i = 0; i < 45; ++i) {
    // The window field counts in twos: an odd byte makes what is left of the window even.
    world.client.send(c, std::string_view(bytes).substr(i == 0 ? 1 : 0));
    world.run_ms(50);
  }
  const uint32_t rest = world.server.tcb(s)->rcv_adv - sender.snd_nxt;
  REQUIRE((rest > 0 && rest < 1'448));
  world.client.send(c, std::string_view(bytes).substr(0, rest));
  world.capture(world.client);  // lost
  REQUIRE(sender.snd_nxt == world.server.tcb(s)->rcv_adv);
  REQUIRE(world.server.tcb(s)->rcv_nxt != world.server.tcb(s)->rcv_adv);
  const uint64_t before = world.server.count(Counter::drop_tcp_sequence);
  world.server.send(s, pattern(100));
  world.run_ms(50);
  CHECK(world.server.tcb(s)->snd_una == world.server.tcb(s)->snd_nxt);
  CHECK(world.server.count(Counter::drop_tcp_sequence) == before);
}

TEST_CASE("lost SYN, SYN-ACK and third ACK are repaired") {
  for (int lost = 0; lost < 3; ++lost) {
    World world;
    world.listen();
    const Handle c = world.client.stack.connect({World::kClient, 0}, {World::kServer, 80}, {}, 0, world.now);
    // ARP first, so that frame number `lost` of the handshake is the one that goes.
    world.run_us(300);
    int seen = 0;
    for (int turn = 0; turn < 100'000 && !world.client.app.of(c).opened; ++turn) {
      world.now += 100'000;
      world.client.stack.turn(world.now);
      if (world.client.wire.sent() > 0 && seen++ == lost) (void)world.client.wire.take();
      world.server.stack.turn(world.now);
      if (world.server.wire.sent() > 0 && seen++ == lost) (void)world.server.wire.take();
    }
    CHECK(world.client.app.of(c).opened);
    world.client.send(c, "data");
    world.run_ms(5'000);
    CHECK(world.server.app.opened_count == 1);
    CHECK(world.server.app.of(world.server.app.last).bytes == "data");
  }
}

TEST_CASE("a burst that fills the receive pool by itself is not refused as a whole, time and again") {
  HostOptions client{host_config(2)}, server{host_config(1)};
  client.stack.tcp.sack = false;
  server.rx_packets = 64;
  World world(client, server);
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(200);
  // The window that grows meanwhile lets more small segments out at once than the peer has packets.
  const std::string bytes = pattern(400 * 100 + 1);
  for (size_t at = 0; at < 40'000; at += 100) {
    world.client.send(c, std::string_view(bytes).substr(at, 100));
    if (at % 8'000 == 0) world.run_ms(5);
  }
  auto frames = world.capture(world.client);
  World::deliver(world.server, frames, {0});
  world.client.send(c, std::string_view(bytes).substr(40'000));
  CHECK(world.run_until([&, &s = s] { return world.server.app.of(s).bytes.size() == bytes.size(); }, 120'000));
  CHECK(world.server.app.of(s).bytes == bytes);
}

TEST_CASE("what lies far beyond a hole does not keep out what fills it: the farthest goes, unless SACK may have reported it") {
  constexpr uint32_t kPiece = 10, kPackets = 64;
  for (const bool sack : {false, true}) {
    CAPTURE(sack);
    HostOptions server = server_for_peer();
    server.rx_packets = kPackets;
    World world({host_config(2)}, server);
    world.listen();
    Peer peer(world);
    TcpOptions syn;
    syn.sack_permitted = sack;
    peer.open(syn);
    const std::string piece(kPiece, 'x');
    const auto send = [&](uint32_t number) {
      peer.send({.seq = peer.seq + number * kPiece, .ack = peer.ack, .payload = piece});
    };
    for (uint32_t far = 1'000; far < 1'000 + kPackets; ++far) send(far);
    const uint64_t refused = world.server.count(Counter::rx_deferred);
    REQUIRE(refused > 0);
    for (uint32_t near = 1; near < 40; ++near) send(near);
    peer.take();
    send(0);
    const auto answer = peer.take();
    REQUIRE(!answer.empty());
    const uint32_t filled = (answer.back().segment.ack - peer.seq) / kPiece;
    CHECK(filled == (sack ? 1 + kPackets / 8 : 40));
    // Nothing that was reported is missing: what comes between completes it.
    for (uint32_t rest = filled; rest < 1'000; ++rest) send(rest);
    const uint32_t kept = sack ? kPackets - static_cast<uint32_t>(refused) : 0;
    peer.take();
    if (sack) {
      send(999);
      CHECK(peer.take().back().segment.ack == peer.seq + (1'000 + kept) * kPiece);
    }
  }
}

namespace {

/// Two connections of a client whose port takes nothing any more: a segment of the first stands in the way, and one of the
/// second waits in our own queue.
struct BlockedPort {
  World world;
  Handle client, server;

  explicit BlockedPort(std::string_view waits) {
    world.listen();
    const Handle first = world.open().first;
    std::tie(client, server) = world.open();
    world.run_ms(1'000);
    world.client.wire.set_link(false);
    REQUIRE(world.client.send(first, "first"));
    world.run_ms(1);
    REQUIRE(world.client.send(client, waits));
  }

  uint16_t retransmits() const { return world.client.tcb(client)->retransmits; }
  std::string received() { return world.server.app.of(server).bytes; }
};

}  // namespace

TEST_CASE("what waits for the port is not sent again: it is late, and leaves once") {
  BlockedPort blocked("late");
  World& world = blocked.world;
  world.run_ms(3'000);
  CHECK(world.client.count(Counter::timeouts) >= 2);
  CHECK(blocked.retransmits() == 0);
  world.client.wire.set_link(true);
  world.run_ms(1'000);
  CHECK(blocked.received() == "late");
  CHECK(blocked.retransmits() == 0);
  const uint64_t timeouts = world.client.count(Counter::timeouts);
  world.run_ms(60'000);
  CHECK(world.client.count(Counter::timeouts) == timeouts);
}

TEST_CASE("a segment that was late and is then lost is repaired like any other") {
  BlockedPort blocked("lost");
  World& world = blocked.world;
  world.run_ms(1'000);
  world.client.wire.set_link(true);
  CHECK(world.capture(world.client).size() >= 2);
  world.run_ms(10'000);
  CHECK(blocked.retransmits() >= 1);
  CHECK(blocked.received() == "lost");
}

TEST_CASE("a port that never takes anything ends the connection in the end") {
  BlockedPort blocked("never");
  World& world = blocked.world;
  world.run_us(1'500'000'000, 20'000);
  CHECK(world.client.app.of(blocked.client).closed);
  CHECK(world.client.app.of(blocked.client).reason == CloseReason::timed_out);
}
