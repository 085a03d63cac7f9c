#include <doctest/doctest.h>

#include "test/native/tcp_world.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr IpAddress kServer6{0xfd00'0000'0000'0000, 1}, kClient6{0xfd00'0000'0000'0000, 2};

HostOptions dual(uint32_t last_byte) {
  HostOptions options{host_config(last_byte)};
  options.stack.ip.ipv6.address = {0xfd00'0000'0000'0000, last_byte};
  options.stack.ip.ipv6.dad_transmits = 0;
  return options;
}

struct World6 : World {
  World6() : World(dual(2), dual(1)) {}

  std::pair<Handle, Handle> open6(const IpAddress& to = kServer6) {
    const Handle c = client.stack.connect({}, {to, kPort}, {}, 7, now);
    const uint32_t before = server.app.opened_count;
    run_until([&] { return client.app.of(c).opened && server.app.opened_count > before; }, 10'000);
    return {c, server.app.last};
  }
};

}  // namespace

TEST_CASE("a listener without an address accepts both families, and each side knows the other's address") {
  World6 world;
  REQUIRE(world.listen() >= 0);
  const auto [c, s] = world.open6();
  CHECK(world.server.app.of(s).info.remote.address == kClient6);
  CHECK(world.server.app.of(s).info.local == Endpoint{kServer6, World::kPort});
  CHECK(world.client.app.of(c).info.remote.address == kServer6);
  const auto [c4, s4] = world.open();
  CHECK(world.server.app.of(s4).info.remote.address == World::kClient);
  CHECK(world.server.stack.engine().ipv6_used() == 1);
  const IpAddress link_local = link_local_of({2, 0, 0, 0, 0, 1});
  const auto [cl, sl] = world.open6(link_local);
  CHECK(world.server.app.of(sl).info.local.address == link_local);
  CHECK(world.server.app.of(sl).info.remote.address == link_local_of({2, 0, 0, 0, 0, 2}));
}

TEST_CASE("RFC 9293 3.7.1: the MSS leaves room for the longer header, and bytes arrive whole both ways") {
  World6 world;
  world.listen();
  const auto [c, s] = world.open6();
  CHECK(world.client.tcb(c)->mss == 1500 - 60 - 12);
  const std::string bytes = pattern(200'000);
  for (size_t at = 0; at < bytes.size(); at += 1'000) {
    REQUIRE(world.run_until([&] { return world.client.stack.send_ready(0) && world.client.tx.available() > 100; }));
    world.client.send(c, std::string_view(bytes).substr(at, 1'000));
    world.server.send(s, std::string_view(bytes).substr(at, 1'000));
  }
  REQUIRE(world.run_until([&, &s = s, &c = c] {
    return world.server.app.of(s).bytes.size() == bytes.size() && world.client.app.of(c).bytes.size() == bytes.size();
  }));
  CHECK(world.server.app.of(s).bytes == bytes);
  CHECK(world.client.app.of(c).bytes == bytes);
}

TEST_CASE("listeners on one address take its family only, and addresses that are not ours are refused") {
  World6 world;
  CHECK(world.server.stack.listen({kServer6, 81, Framing::stream, 0}) >= 0);
  CHECK(world.server.stack.listen({World::kServer, 81, Framing::stream, 0}) >= 0);
  CHECK(world.server.stack.listen({kServer6, 81, Framing::stream, 0}) == -EADDRINUSE);
  CHECK(world.server.stack.listen({{}, 81, Framing::stream, 0}) == -EADDRINUSE);
  CHECK(world.server.stack.listen({kClient6, 82, Framing::stream, 0}) == -EADDRNOTAVAIL);
  CHECK(world.client.stack.connect({World::kClient, 0}, {kServer6, 81}, {}, 0, world.now).slot == kNoIndex);
}

TEST_CASE("a port that is closed answers by RST over IPv6 as well") {
  World6 world;
  const Handle c = world.client.stack.connect({}, {kServer6, 9}, {}, 0, world.now);
  world.run_ms(20);
  CHECK(world.client.app.of(c).closed);
  CHECK(world.client.app.of(c).reason == CloseReason::refused);
}

TEST_CASE("addresses of IPv6 connections return to their pool: closed, reset, refused, half open, TIME-WAIT over") {
  World6 world;
  world.listen();
  for (int round = 0; round < 40; ++round) {
    const auto [c, s] = world.open6();
    if (round % 2 == 0) {
      world.client.stack.close(c, world.now);
      world.server.stack.close(s, world.now);
    } else {
      world.client.stack.abort(c, CloseReason::aborted, world.now);
    }
    world.client.stack.connect({}, {kServer6, 9}, {}, 0, world.now);
    world.run_ms(5);
  }
  CHECK(world.client.stack.engine().ipv6_used() > 0);  // TIME-WAIT
  world.run_ms(70'000);
  CHECK(world.client.stack.engine().ipv6_used() == 0);
  CHECK(world.server.stack.engine().ipv6_used() == 0);
  CHECK(world.nothing_leaked());
}

TEST_CASE("an idle IPv4 connection costs what it did: its control block has no room for IPv6") {
  CHECK(sizeof(Tcb) == 128);
  World6 world;
  world.listen();
  world.open();
  CHECK(world.server.stack.engine().ipv6_used() == 0);
}
