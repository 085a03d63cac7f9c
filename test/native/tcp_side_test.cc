// What few connections have beside their control blocks: sums (TCP_INFO) and RCV.UP (RFC 9293 3.8.5). What each of them
// says segment by segment is in test/script/tcp-info and test/script/rfc9293-3.8.5-urgent.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "native/tcp/side_table.hh"
#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

TEST_CASE("a side table finds each record by its slot, whatever came and went before") {
  constexpr uint32_t kCapacity = 37;
  const uint32_t seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  SideTable<uint32_t> table(kCapacity);
  std::map<uint32_t, uint32_t> known;
  for (int i = 0; i < 20'000; ++i) {
    const uint32_t slot = random() % 200 * 64;  // many share a bucket
    const auto found = known.find(slot);
    if (found == known.end()) {
      uint32_t* const record = table.add(slot);
      CHECK((record == nullptr) == (known.size() == kCapacity));
      if (record == nullptr) continue;
      CHECK(*record == 0);
      *record = known[slot] = random();
    } else {
      CHECK(table.at(slot) == found->second);
      if (random() % 2 != 0) continue;
      table.remove(slot);
      known.erase(found);
    }
  }
  CHECK(table.used() == known.size());
  CHECK(SideTable<uint32_t>(0).add(5) == nullptr);
}

namespace {

/// A listener whose connections have their sums kept, in a stack that can keep those of two.
struct Summed {
  Summed() : world({host_config(2)}, server_options()) {
    ListenerConfig listener{0, World::kPort};
    listener.options.put(TcpOption::sums, 1);
    world.server.stack.listen(listener);
  }
  static HostOptions server_options() {
    HostOptions options{host_config(1)};
    options.stack.tcp.sums = 2;
    return options;
  }
  bool kept(Handle handle) { return world.server.stack.info(handle)->sums == 1; }
  uint64_t refused() { return world.server.count(Counter::sums_refused); }

  World world;
};

}  // namespace

TEST_CASE("sums are kept for as many connections as the stack was told; the others go on without, and it is counted") {
  Summed t;
  const auto [c1, s1] = t.world.open();
  const auto [c2, s2] = t.world.open();
  const auto [c3, s3] = t.world.open();
  CHECK(t.kept(s1));
  CHECK(t.kept(s2));
  CHECK(!t.kept(s3));
  CHECK(t.refused() == 1);
  t.world.client.send(c3, "all the same");
  t.world.run_ms(100);
  CHECK(t.world.server.app.of(s3).bytes == "all the same");
  t.world.client.stack.abort(c1, CloseReason::aborted, t.world.now);
  t.world.run_ms(10);
  CHECK(!t.world.server.stack.alive(s1));
  CHECK(t.world.server.stack.set_option(s3, TcpOption::sums, 1, t.world.now) == 0);  // its place is free now
  CHECK(t.kept(s3));
  CHECK(t.refused() == 1);
  CHECK(t.world.server.stack.set_option(s2, TcpOption::sums, 0, t.world.now) == 0);
  CHECK(!t.kept(s2));
  const auto [c4, s4] = t.world.open();
  CHECK(t.kept(s4));
}

TEST_CASE("sums survive the times without a Busy block, and add up over losses") {
  HostOptions client{host_config(2)};
  client.tx_fault.drop = 0.05;
  client.seed = 5;
  World world(client, Summed::server_options());
  ListenerConfig listener{0, World::kPort};
  listener.options.put(TcpOption::sums, 1);
  world.server.stack.listen(listener);
  const auto both = world.open();
  const Handle c = both.first, s = both.second;
  world.client.stack.set_option(c, TcpOption::sums, 1, world.now);
  uint64_t sent = 0;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 40; ++i) {
      const std::string bytes = pattern(500 + static_cast<size_t>(i));
      sent += bytes.size();
      world.client.send(c, bytes);
    }
    CHECK(world.run_until([&] { return world.client.stack.info(c)->unacked_bytes == 0 && world.client.stack.unsent(c) == 0; }));
    world.run_ms(1'000);
    CHECK(world.client.stack.engine().busy_used() == 0);
  }
  const TcpInfo ours = *world.client.stack.info(c), theirs = *world.server.stack.info(s);
  CHECK(ours.bytes_acked == sent);
  CHECK(theirs.bytes_received == sent);
  CHECK(ours.bytes_sent == sent + ours.bytes_retrans);
  CHECK(ours.bytes_retrans > 0);
  CHECK(ours.delivered == 200);
  CHECK(ours.data_segs_out == 200 + ours.total_retrans);
  CHECK(theirs.rcv_ooopack > 0);
}

TEST_CASE("an urgent pointer that the app could not be told of is told later, once") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  const Handle handle = peer.open();
  world.server.app.keep = true;
  peer.send({.flags = kAck, .seq = peer.seq, .ack = peer.ack, .payload = "calm"});
  world.server.app.refuse = true;
  peer.send({.flags = kAck | kUrg, .seq = peer.seq + 4, .ack = peer.ack, .payload = "hurry", .urgent = 5});
  CHECK(world.server.app.of(handle).urgent == 0);
  CHECK(world.server.stack.urgent(handle) == 9);
  world.server.app.refuse = false;
  peer.wait(10);
  CHECK(world.server.app.of(handle).urgent == 1);
  CHECK(world.server.app.of(handle).bytes == "calmhurry");
  CHECK(world.server.stack.urgent(handle) == 9);
  world.server.app.release_kept(handle);
  CHECK(world.server.stack.urgent(handle) == 0);
  CHECK(world.server.stack.urgent({}) == 0);
}

TEST_CASE("beyond 256 connections with urgent data their apps are not told, the bytes come all the same, and it is counted") {
  HostOptions server = server_for_peer();
  server.stack.tcp.connections = 300;
  server.stack.tcp.busy = 300;
  World world({host_config(2)}, server);
  ListenerConfig listener{0, World::kPort};
  listener.options.put(TcpOption::quick_ack, 1);  // else late ACKs come between the handshakes
  world.server.stack.listen(listener);
  std::vector<std::pair<Peer, Handle>> all;
  for (uint16_t i = 0; i < 260; ++i) {
    Peer peer(world, static_cast<uint16_t>(6'000 + i));
    const Handle handle = peer.open();
    peer.send({.flags = kAck | kUrg, .seq = peer.seq, .ack = peer.ack, .payload = "x", .urgent = 9});
    peer.take();
    all.emplace_back(peer, handle);
  }
  CHECK(world.server.count(Counter::urgent_untold) == 4);
  for (size_t i = 0; i < all.size(); ++i) {
    CHECK(world.server.app.of(all[i].second).urgent == (i < 256 ? 1 : 0));
    CHECK(world.server.app.of(all[i].second).bytes == "x");
  }
  auto& [peer, handle] = all[0];
  peer.send({.flags = kAck | kRst, .seq = peer.seq + 1, .ack = peer.ack});
  auto& [late, late_handle] = all[259];
  late.send({.flags = kAck | kUrg, .seq = late.seq + 1, .ack = late.ack, .payload = "y", .urgent = 8});
  CHECK(world.server.app.of(late_handle).urgent == 1);
  CHECK(world.server.stack.urgent(late_handle) == 7);
}
