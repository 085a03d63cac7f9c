// Priority on the way out: which bytes get the next sequence numbers of a connection, and which frames leave first.
#include <doctest/doctest.h>

#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr size_t kPacket = 400;
constexpr int kPackets = 10;
constexpr uint8_t kHigh = 0, kLow = 3;

/// Peers whose windows let one packet out with each ACK.
struct Scene {
  Scene() : world({host_config(2)}, server_for_peer()), bulk(world, 5'000), other(world, 5'001) {
    world.listen();
    bulk_handle = bulk.open();
    other_handle = other.open();
    bulk.take();
    acknowledge(bulk, 0);
  }
  void acknowledge(Peer& peer, uint16_t window = kPacket) {
    peer.send({.seq = peer.seq, .ack = peer.ack, .window = window});
    take();
  }
  void send(Handle handle, char letter, uint8_t level, bool message_end = true) {
    REQUIRE(world.server.send(handle, std::string(kPacket, letter), level, message_end));
  }
  void send_bulk() {
    for (int i = 0; i < kPackets; ++i) send(bulk_handle, 'B', kLow, i + 1 == kPackets);
  }
  /// An ACK lets segments of the bulk into the TX queue; before the port is given any, the other peer is answered.
  void reply_while_leaving(uint32_t window, const std::vector<std::pair<char, uint8_t>>& replies) {
    world.server.app.on_message = [&, replies](const Message& m, const std::string&) {
      for (const auto& [letter, level] : replies) send(m.handle, letter, level);
    };
    bulk.put({.seq = bulk.seq, .ack = bulk.ack, .window = static_cast<uint16_t>(window)});
    other.put({.seq = other.seq, .ack = other.ack, .payload = "?"});
    bulk.turn();
    take();
  }
  /// What has left the server, by the first letter, in the order of the wire.
  void take() {
    for (const Incoming& in : bulk.take()) {
      if (in.payload.empty()) continue;
      Peer& peer = in.segment.destination_port == bulk.port ? bulk : other;
      CHECK(in.segment.seq == peer.ack);  // without a gap, once
      peer.ack += static_cast<uint32_t>(in.payload.size());
      wire += in.payload[0];
    }
  }

  World world;
  Peer bulk, other;
  Handle bulk_handle, other_handle;
  std::string wire;
};

}  // namespace

TEST_CASE("a low bulk message is overtaken by high messages of its own connection at its end only") {
  for (int out = 0; out <= kPackets + 1; ++out) {
    Scene scene;
    scene.send_bulk();
    scene.send(scene.bulk_handle, 'l', kLow);
    for (int i = 0; i < out; ++i) scene.acknowledge(scene.bulk);
    scene.send(scene.bulk_handle, 'H', kHigh);
    scene.send(scene.bulk_handle, 'h', kHigh);
    for (int i = 0; i < kPackets + 3; ++i) scene.acknowledge(scene.bulk);
    const std::string whole(kPackets, 'B');
    CHECK(scene.wire == (out == 0 ? "Hh" + whole + "l" : out <= kPackets ? whole + "Hhl" : whole + "lHh"));
    scene.world.run_ms(100);
  }
}

TEST_CASE("a message of several packets is not cut by a higher one, although the app has not written its end yet") {
  Scene scene;
  scene.send(scene.bulk_handle, 'M', 2, false);
  scene.acknowledge(scene.bulk);
  scene.send(scene.bulk_handle, 'H', kHigh);
  for (int i = 0; i < 3; ++i) scene.acknowledge(scene.bulk);
  CHECK(scene.wire == "M");
  scene.send(scene.bulk_handle, 'm', 2, true);
  for (int i = 0; i < 3; ++i) scene.acknowledge(scene.bulk);
  CHECK(scene.wire == "MmH");
}

TEST_CASE("a low bulk message is overtaken by high messages of other connections at every segment") {
  for (int out = 0; out < kPackets; ++out) {
    Scene scene;
    scene.send_bulk();
    for (int i = 0; i < out; ++i) scene.acknowledge(scene.bulk);
    REQUIRE(scene.wire == std::string(static_cast<size_t>(out), 'B'));
    scene.reply_while_leaving(kPacket, {{'H', kHigh}});
    CHECK(scene.wire == std::string(static_cast<size_t>(out), 'B') + "HB");
  }
}

TEST_CASE("the oldest segment is sent again before higher ones of its connection: all of them wait for it at the peer") {
  Scene scene;
  scene.acknowledge(scene.bulk, 60'000);
  for (const auto& [letter, level] : {std::pair{'l', kLow}, std::pair{'m', uint8_t{2}}, std::pair{'H', kHigh}}) {
    REQUIRE(scene.world.server.send(scene.bulk_handle, std::string(50, letter), level));
    scene.bulk.turn();
    scene.take();
  }
  CHECK(scene.wire == "lmH");
  std::string again;  // all are lost
  for (int ms = 0; ms < 4'000 && again.size() < 3; ++ms) {
    scene.bulk.turn(1'000'000);
    for (const Incoming& in : scene.bulk.take()) again += in.payload.substr(0, 1);
  }
  CHECK(again.substr(0, 1) == "l");
}

TEST_CASE("what the port has not taken is overtaken frame by frame, in the lanes of the TX queue") {
  Scene scene;
  scene.send_bulk();
  scene.reply_while_leaving(kPacket * kPackets, {{'H', kHigh}, {'m', 1}});
  CHECK(scene.wire == "Hm" + std::string(kPackets, 'B'));
}

TEST_CASE("whatever the policy of the TX queue is, a FIN or RST leaves behind the data of its connection") {
  StackConfig config = host_config(2);
  config.policy.kind = PolicyKind::deadline;
  config.policy.budgets.fill(to_stamp(kSecond));
  config.policy.budgets[config.tcp.levels - 1] = 0;
  World world({config});
  world.listen();
  const auto [client, server] = world.open();
  for (const int level : {0, 2, 1}) REQUIRE(world.client.send(client, "data", static_cast<uint8_t>(level)));
  uint8_t last = kRst;
  SUBCASE("shutdown") {
    world.client.stack.shutdown(client, world.now);
    last = kFin;
  }
  SUBCASE("abort") { world.client.stack.abort(client, CloseReason::aborted, world.now); }
  const auto frames = world.capture(world.client);
  const auto flags = [&](size_t i) { return frames[i][14 + 20 + kTcpFlagsAt]; };
  REQUIRE(frames.size() == 4);
  for (size_t i = 0; i < 3; ++i) CHECK((flags(i) & (kFin | kRst)) == 0);
  CHECK((flags(3) & last) != 0);
}
