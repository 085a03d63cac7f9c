#include <doctest/doctest.h>

#include <random>
#include <unordered_map>

#include "native/tcp/source_table.hh"
#include "native/tcp/syn_cookie.hh"
#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr std::array<uint64_t, 4> kSecret = {1, 22, 333, 4444};

/// A server whose half-open records are all taken, by SYNs from 10.0.0.50 on.
struct Flooded {
  explicit Flooded(HostOptions server = server_for_peer()) : world({host_config(2)}, server) {
    world.listen();
    for (uint16_t i = 0; i < 16; ++i) Peer(world, 1'000, World::kClient + 48 + i).send({.flags = kSyn, .seq = i});
    while (world.server.wire.take()) continue;
    REQUIRE(world.server.stack.engine().half_open_used() == 16);
  }
  World world;
};

TcpOptions all_options() {
  TcpOptions o;
  o.mss = 1'400;
  o.has_timestamps = true;
  o.ts_value = 5'000;
  o.sack_permitted = true;
  o.has_window_scale = true;
  o.window_scale = 9;
  return o;
}

TcpOptions timed(uint32_t value, uint32_t echo) {
  TcpOptions o;
  o.has_timestamps = true;
  o.ts_value = value;
  o.ts_echo = echo;
  return o;
}

}  // namespace

TEST_CASE("SYN cookies: 8 values of the MSS, and the one chosen is never above the peer's") {
  const SynCookies cookies(kSecret);
  std::vector<uint16_t> found;
  for (uint32_t mss = 64; mss <= 65'535; ++mss) {
    const Seq iss = cookies.make(99, 1'000, static_cast<uint16_t>(mss), 5'000);
    const auto got = cookies.check(99, 1'000, iss, 5'000);
    REQUIRE(got.has_value());
    REQUIRE(*got <= mss);
    if (found.empty() || found.back() != *got) found.push_back(*got);
  }
  CHECK(found.size() == 8);
}

TEST_CASE("SYN cookies: the previous secret is still valid, the one before is not, also where the clock wraps") {
  const SynCookies cookies(kSecret);
  for (const uint32_t start : {0u, 5 * SynCookies::kLifeMs, UINT32_MAX - SynCookies::kLifeMs / 2, UINT32_MAX}) {
    const Seq iss = cookies.make(99, 1'000, 1'460, start);
    CAPTURE(start);
    CHECK(cookies.check(99, 1'000, iss, start).has_value());
    CHECK(cookies.check(99, 1'000, iss, start + SynCookies::kLifeMs).has_value());
    CHECK_FALSE(cookies.check(99, 1'000, iss, start + 2 * SynCookies::kLifeMs).has_value());
    const Seq next = cookies.make(99, 1'000, 1'460, start + SynCookies::kLifeMs);
    CHECK((next >> 4) != (iss >> 4));
  }
}

TEST_CASE("SYN cookies: another flow, another number of the peer and a guess are refused") {
  const SynCookies cookies(kSecret);
  const Seq iss = cookies.make(99, 1'000, 1'460, 5'000);
  CHECK_FALSE(cookies.check(98, 1'000, iss, 5'000).has_value());
  CHECK_FALSE(cookies.check(99, 1'001, iss, 5'000).has_value());
  std::mt19937 random(1);
  int guessed = 0;
  for (int i = 0; i < 1'000'000; ++i) guessed += cookies.check(99, 1'000, random(), 5'000).has_value() ? 1 : 0;
  CHECK(guessed <= 1);
}

TEST_CASE("SYN cookies: six bits of a TSval carry the options, and it is never later than the clock") {
  for (uint32_t now : {0u, 1u, 63u, 64u, 1'000u, 0x7fffffffu, 0xffffffffu}) {
    for (uint8_t scale = 0; scale <= 15; ++scale) {
      for (int bits = 0; bits < 4; ++bits) {
        const CookieOptions o = {scale == 15 ? uint8_t{0} : scale, scale != 15, (bits & 1) != 0, (bits & 2) != 0};
        const uint32_t value = SynCookies::write_options(now, o);
        CHECK(SynCookies::read_options(value) == o);
        CHECK(now - value <= 64);
      }
    }
  }
}

TEST_CASE("DESIGN 5: with no half-open record left the handshake goes on by cookie, and data on the third segment counts") {
  Flooded f;
  Peer peer(f.world);
  peer.send({.flags = kSyn, .seq = 1'000, .options = all_options()});
  const auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].has(kSyn | kAck));
  CHECK(answer[0].segment.options.has_window_scale);
  CHECK(answer[0].segment.options.sack_permitted);
  CHECK(f.world.server.stack.engine().half_open_used() == 16);
  CHECK(f.world.server.count(Counter::syn_cookies_sent) == 1);
  CHECK(f.world.server.count(Counter::syn_cookies_engaged) == 1);
  const uint32_t echo = answer[0].segment.options.ts_value;
  peer.send({.seq = 1'001, .ack = answer[0].segment.seq + 1, .payload = "at once", .window = 100, .options = timed(5'001, echo)});
  REQUIRE(f.world.server.app.opened_count == 1);
  const Handle handle = f.world.server.app.last;
  CHECK(f.world.server.app.of(handle).bytes == "at once");
  CHECK(f.world.server.count(Counter::syn_cookies_accepted) == 1);
  const Tcb& c = *f.world.server.tcb(handle);
  CHECK(c.has(kTimestamps));
  CHECK(c.has(kSackPermitted));
  CHECK(c.snd_wscale() == 9);
  CHECK(c.snd_wnd == 100u << 9);
  CHECK(c.mss == 1'400 - 12);
  // Our clock goes on from where the cookie was: no segment of ours fails the peer's PAWS.
  f.world.server.send(handle, "reply");
  peer.turn();
  const auto reply = peer.take();
  REQUIRE(!reply.empty());
  CHECK(seq_ge(reply.back().segment.options.ts_value, echo));
  CHECK(reply.back().payload == "reply");
}

TEST_CASE("DESIGN 5: without timestamps a cookie keeps the MSS, and neither SACK nor a window scale") {
  Flooded f;
  Peer peer(f.world);
  TcpOptions syn = all_options();
  syn.has_timestamps = false;
  const Handle handle = peer.open(syn);
  REQUIRE(handle.slot != kNoIndex);
  CHECK_FALSE(peer.last_options.sack_permitted);
  CHECK_FALSE(peer.last_options.has_window_scale);
  const Tcb& c = *f.world.server.tcb(handle);
  CHECK_FALSE(c.has(kSackPermitted));
  CHECK(c.scales == 0);
  CHECK(c.mss == 1'400);
}

TEST_CASE("a forged third segment opens nothing; a minute after a cookie it is dropped in silence, later answered by RST") {
  Flooded f;
  Peer peer(f.world);
  peer.send({.flags = kSyn, .seq = 1'000});
  const Seq iss = peer.take().at(0).segment.seq;
  peer.send({.seq = 1'001, .ack = iss + 2});
  CHECK(peer.take().empty());
  CHECK(f.world.server.count(Counter::syn_cookies_rejected) == 1);
  peer.wait(64'000);
  peer.take();
  peer.send({.seq = 1'001, .ack = iss + 2});
  auto answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kRst);
  peer.wait(2 * SynCookies::kLifeMs + 1);
  peer.take();
  peer.send({.seq = 1'001, .ack = iss + 1});
  answer = peer.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].segment.flags == kRst);
  CHECK(f.world.server.app.opened_count == 0);
}

TEST_CASE("data that overtake the third segment of a handshake by cookie do not end the connection") {
  Flooded f;
  Peer peer(f.world);
  peer.send({.flags = kSyn, .seq = 1'000});
  const Seq iss = peer.take().at(0).segment.seq;
  peer.send({.flags = kAck | kPsh, .seq = 1'011, .ack = iss + 1, .payload = "behind"});
  CHECK(peer.take().empty());
  peer.send({.seq = 1'001, .ack = iss + 1});
  peer.take();
  CHECK(f.world.server.app.opened_count == 1);
}

TEST_CASE("cookies engage when the half-open set is full, and leave when half of it is free again") {
  Flooded f;
  Peer peer(f.world);
  peer.send({.flags = kSyn, .seq = 1});
  CHECK(f.world.server.count(Counter::syn_cookies_sent) == 1);
  peer.wait(10'000);  // in a flood records are given up after two repetitions
  CHECK(f.world.server.stack.engine().half_open_used() == 0);
  Peer(f.world, 6'000).send({.flags = kSyn, .seq = 1});
  CHECK(f.world.server.count(Counter::syn_cookies_sent) == 1);
  CHECK(f.world.server.stack.engine().half_open_used() == 1);
  CHECK(f.world.server.count(Counter::syn_cookies_engaged) == 1);
}

TEST_CASE("without SYN cookies a full set drops SYNs, and counts them") {
  HostOptions server = server_for_peer();
  server.stack.tcp.syn_cookies = false;
  Flooded f(server);
  Peer peer(f.world);
  peer.send({.flags = kSyn, .seq = 1});
  CHECK(peer.take().empty());
  CHECK(f.world.server.count(Counter::drop_syn_half_open) == 1);
}

TEST_CASE("a cookie that comes back when no slot is left is dropped and counted; the peer's next segment may succeed") {
  HostOptions server = server_for_peer();
  server.stack.tcp.connections = 17;
  Flooded f(server);
  Peer first(f.world, 5'000), second(f.world, 5'001);
  first.send({.flags = kSyn, .seq = 1});
  const Seq one = first.take().at(0).segment.seq;
  second.send({.flags = kSyn, .seq = 1});
  const Seq two = second.take().at(0).segment.seq;
  f.world.server.app.refuse = true;
  first.send({.seq = 2, .ack = one + 1});
  CHECK(f.world.server.count(Counter::drop_syn_no_slot) == 1);
  f.world.server.app.refuse = false;
  first.send({.seq = 2, .ack = one + 1, .payload = "x"});
  second.send({.seq = 2, .ack = two + 1, .payload = "y"});
  CHECK(f.world.server.app.opened_count == 2);
}

TEST_CASE("of the SYNs that a turn polls as many wait for it as are a sixteenth of the packets, and the rest is dropped and counted") {
  HostOptions server = server_for_peer();
  server.rx_packets = 2'048;
  Flooded f(server);
  Peer peer(f.world);
  for (uint16_t i = 0; i < 600; ++i) {
    peer.port = static_cast<uint16_t>(6'000 + i);
    peer.put({.flags = kSyn, .seq = i});
  }
  peer.turn();
  peer.turn();
  peer.turn();
  // Polled: 256, 256, 88.
  CHECK(peer.take().size() == 128 + 128 + 88);
  CHECK(f.world.server.count(Counter::drop_syn_flood) == 128 + 128);
}

TEST_CASE("in a flood TIME-WAIT is reopened by cookie only where timestamps tell old segments from new") {
  for (const bool timestamps : {true, false}) {
    World world({host_config(2)}, server_for_peer());
    world.listen();
    Peer peer(world);
    TcpOptions syn;
    syn.has_timestamps = timestamps;
    syn.ts_value = 10;
    const Handle handle = peer.open(syn);
    const TcpOptions later = timestamps ? timed(11, 0) : TcpOptions{};
    world.server.stack.close(handle, world.now);
    peer.turn();
    peer.send({.flags = kAck | kFin, .seq = peer.seq, .ack = peer.ack + 1, .options = later});
    for (uint16_t i = 0; i < 16; ++i) Peer(world, 1'000, World::kClient + 48 + i).send({.flags = kSyn, .seq = i});
    peer.take();
    syn.ts_value = 12;
    peer.send({.flags = kSyn, .seq = peer.seq + 70'000, .options = syn});
    CHECK(peer.take().size() == (timestamps ? 1 : 0));
    CHECK(world.server.stack.engine().time_wait_used() == (timestamps ? 0 : 1));
  }
}

TEST_CASE("a source table counts exactly what came and went, whatever the order and the collisions") {
  SourceTable table({3, 5}, 200, 7);
  std::unordered_map<uint64_t, std::array<uint32_t, 2>> truth;
  std::mt19937 random(4);
  uint32_t total = 0;
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t source = random() % 150;
    const uint32_t use = random() % 2;
    auto& counts = truth[source];
    if (random() % 2 == 0 && total < 200) {
      table.add(static_cast<SourceUse>(use), source);
      ++counts[use];
      ++total;
    } else if (counts[use] > 0) {
      table.remove(static_cast<SourceUse>(use), source);
      --counts[use];
      --total;
    }
    const uint64_t asked = random() % 150;
    REQUIRE(table.allows(SourceUse::half_open, asked) == (truth[asked][0] < 3));
    REQUIRE(table.allows(SourceUse::open, asked) == (truth[asked][1] < 5));
  }
}

TEST_CASE("limits per source: half-open and open connections of one address are bounded and counted, others get in") {
  HostOptions server = server_for_peer();
  server.stack.tcp.half_open_per_source = 2;
  server.stack.tcp.connections_per_source = 3;
  World world({host_config(2)}, server);
  world.listen();
  for (uint16_t port = 1; port <= 4; ++port) Peer(world, port).send({.flags = kSyn, .seq = 1});
  CHECK(world.server.stack.engine().half_open_used() == 2);
  CHECK(world.server.count(Counter::drop_syn_source) == 2);
  for (uint16_t port = 1; port <= 2; ++port) Peer(world, port).send({.flags = kRst, .seq = 2});
  CHECK(world.server.stack.engine().half_open_used() == 0);
  World fresh({host_config(2)}, server);
  fresh.listen();
  Handle last;
  for (uint16_t port = 10; port < 13; ++port) {
    Peer peer(fresh, port);
    last = peer.open();
    peer.take();
  }
  CHECK(fresh.server.app.opened_count == 3);
  Peer refused(fresh, 20), other(fresh, 20, World::kClient + 9);
  refused.send({.flags = kSyn, .seq = 1});
  CHECK(refused.take().empty());
  CHECK(other.open().slot != kNoIndex);
  fresh.server.stack.abort(last, CloseReason::aborted, fresh.now);
  refused.turn();
  refused.take();
  CHECK(refused.open().slot != kNoIndex);
}

TEST_CASE("answers to strangers go back to their station, and leave no neighbour behind") {
  World world;
  world.listen();
  Peer peer(world, 5'000, 0x0a000063);  // nobody at 10.0.0.99 would answer ARP
  peer.send({.flags = kSyn, .seq = 1});
  const auto syn_ack = peer.take();
  REQUIRE(syn_ack.size() == 1);
  CHECK(syn_ack[0].has(kSyn | kAck));
  CHECK(world.server.count(Counter::arp_out) == 0);
  peer.send({.flags = kAck, .seq = 2, .ack = 77});
  CHECK(peer.take().at(0).has(kRst));
  CHECK(world.server.count(Counter::arp_out) == 0);
  Peer nowhere(world, 5'000, 0xc0a80001);  // no route to 192.168.0.1
  nowhere.send({.flags = kSyn, .seq = 1});
  CHECK(nowhere.take().empty());
  CHECK(world.server.count(Counter::drop_unresolved) == 1);
}
