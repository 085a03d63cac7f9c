#include <doctest/doctest.h>

#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

TcpOptions mss_1000() {
  TcpOptions options;
  options.mss = 1'000;
  return options;
}

/// The server's connection with a scripted peer, whose MSS is 1,000.
struct Scene {
  explicit Scene(bool no_delay = true, Framing framing = Framing::stream, uint16_t fixed_length = 0)
      : world({host_config(2)}, server_for_peer()), peer(world) {
    ListenerConfig listener{0, World::kPort, framing, fixed_length};
    listener.options.put(TcpOption::no_delay, no_delay ? 1 : 0);
    world.server.stack.listen(listener);
    handle = peer.open(mss_1000());
    peer.take();
  }
  void send(size_t length, uint8_t level = 0) { world.server.send(handle, pattern(length), level); }
  void acknowledge(uint16_t window = 60'000) { peer.send({.seq = peer.seq, .ack = peer.ack, .window = window}); }
  void data(std::string bytes, uint8_t flags = kAck) {
    peer.send({.flags = flags, .seq = peer.seq, .ack = peer.ack, .payload = bytes});
    peer.seq += static_cast<uint32_t>(bytes.size());
  }
  /// Lengths of the segments that the server has sent; they count as seen by the peer.
  std::vector<size_t> take() {
    peer.turn();
    std::vector<size_t> lengths;
    for (const Incoming& in : peer.take()) {
      lengths.push_back(in.payload.size());
      const Seq end = in.segment.seq + in.segment.sequence_length();
      if (seq_gt(end, peer.ack)) peer.ack = end;
      last = in;
    }
    return lengths;
  }

  World world;
  Peer peer;
  Handle handle;
  Incoming last{};
};

using Lengths = std::vector<size_t>;

}  // namespace

TEST_CASE("RFC 1122 4.2.3.4: with Nagle small writes wait for the ACK of what is out, and then share a segment") {
  Scene scene(false);
  scene.send(10);
  CHECK(scene.take() == Lengths{10});
  for (int i = 0; i < 20; ++i) scene.send(30);
  CHECK(scene.take().empty());
  scene.acknowledge();
  CHECK(scene.take() == Lengths{600});
}

TEST_CASE("RFC 1122 4.2.3.4: with Nagle a full segment leaves at once, what is left of the writes waits") {
  Scene scene(false);
  scene.send(10);
  CHECK(scene.take() == Lengths{10});
  for (int i = 0; i < 4; ++i) scene.send(700);
  CHECK(scene.take() == Lengths{1'000, 1'000});
  scene.acknowledge();
  CHECK(scene.take() == Lengths{800});
}

TEST_CASE("with Nagle switched off on an open connection what waits leaves at once") {
  Scene scene(false);
  scene.send(10);
  scene.take();
  scene.send(20);
  CHECK(scene.take().empty());
  CHECK(scene.world.server.stack.set_option(scene.handle, TcpOption::no_delay, 1, scene.world.now) == 0);
  CHECK(scene.take() == Lengths{20});
}

TEST_CASE("with Nagle a close does not wait: the last small segment takes the FIN along") {
  Scene scene(false);
  scene.send(10);
  scene.take();
  scene.send(20);
  scene.world.server.stack.close(scene.handle, scene.world.now);
  CHECK(scene.take() == Lengths{20});
  CHECK(scene.last.has(kFin));
}

TEST_CASE("without Nagle, or where a segment is a message, each write is a segment of its own, also after it had to wait") {
  for (const bool no_delay : {true, false}) {
    Scene scene(no_delay, no_delay ? Framing::stream : Framing::segment);
    for (int i = 0; i < 3; ++i) scene.send(30);
    CHECK(scene.take() == Lengths{30, 30, 30});
    scene.acknowledge(0);
    for (int i = 0; i < 3; ++i) scene.send(50);
    CHECK(scene.take().empty());
    scene.acknowledge();
    CHECK(scene.take() == Lengths{50, 50, 50});
  }
}

TEST_CASE("writes of different levels share no segment, and no message is cut by one of another level") {
  Scene scene(false, Framing::fixed, 400);
  scene.acknowledge(0);
  for (int i = 0; i < 4; ++i) scene.send(400, 3);
  for (int i = 0; i < 2; ++i) scene.send(300, 1);
  scene.acknowledge();
  CHECK(scene.take() == Lengths{600, 1'000});
  scene.acknowledge();
  CHECK(scene.take() == Lengths{600});
}

TEST_CASE("bytes stay in order when writes of all sizes share segments through a small window") {
  Scene scene(false);
  std::string sent, got;
  for (size_t i = 0; i < 60; ++i) {
    const std::string bytes = pattern(1 + i * 37 % 1'400, static_cast<uint32_t>(i));
    sent += bytes;
    scene.world.server.send(scene.handle, bytes);
  }
  for (int round = 0; round < 2'000 && got.size() < sent.size(); ++round) {
    scene.peer.turn();
    for (const Incoming& in : scene.peer.take()) {
      if (in.segment.seq != scene.peer.ack) continue;
      got += in.payload;
      scene.peer.ack += static_cast<uint32_t>(in.payload.size());
    }
    scene.acknowledge(static_cast<uint16_t>(500 + round * 61 % 3'000));
  }
  CHECK(got == sent);
}

TEST_CASE("RFC 9293 3.8.6.2.1: a window too small for a good segment is not used until the override time-out") {
  Scene scene;
  scene.acknowledge(1'000);
  scene.send(1'000);
  CHECK(scene.take() == Lengths{1'000});
  scene.acknowledge(300);  // less than half of the largest window
  scene.send(1'000);
  CHECK(scene.take().empty());
  scene.peer.wait(1'500);
  const Lengths sent = scene.take();
  REQUIRE(!sent.empty());
  CHECK(sent[0] == 300);
}

TEST_CASE("RFC 9293 3.8.6.2.1: half of the largest window is used although it is no full segment") {
  Scene scene;
  scene.world.server.stack.abort(scene.handle, CloseReason::aborted, scene.world.now);
  Peer small(scene.world, 5'001);
  scene.world.server.stack.unlisten(0);
  scene.world.listen();
  small.send({.flags = kSyn, .seq = small.seq, .window = 800, .options = mss_1000()});
  const auto answer = small.take();
  small.ack = answer.back().segment.seq + 1;
  small.send({.seq = ++small.seq, .ack = small.ack, .window = 800});
  scene.world.server.send(scene.world.server.app.last, pattern(800));
  small.turn();
  auto sent = small.take();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].payload.size() == 800);
  small.ack += 800;
  small.send({.seq = small.seq, .ack = small.ack, .window = 150});
  scene.world.server.send(scene.world.server.app.last, pattern(1'000));
  small.turn();
  CHECK(small.take().empty());
  small.send({.seq = small.seq, .ack = small.ack, .window = 400});
  sent = small.take();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].payload.size() == 400);
}

TEST_CASE("RFC 9293 3.8.6.1: a closed window is probed after the RTO, then ever more seldom, for as long as it is answered") {
  Scene scene;
  scene.acknowledge(0);
  scene.send(100);
  std::vector<uint64_t> probes;
  for (uint64_t ms = 0; ms < 400'000; ms += 10) {
    scene.peer.wait(10);
    for (const Incoming& in : scene.peer.take()) {
      CHECK(in.segment.seq == scene.peer.ack - 1);
      CHECK(in.payload.empty());
      probes.push_back(ms);
      scene.acknowledge(0);
    }
  }
  REQUIRE(probes.size() >= 9);
  CHECK(probes[0] <= 1'100);
  for (size_t i = 2; i < probes.size(); ++i) CHECK(probes[i] - probes[i - 1] >= probes[i - 1] - probes[i - 2]);
  CHECK(probes.back() - probes[probes.size() - 2] <= 60'100);
  CHECK(scene.world.server.stack.info(scene.handle)->retransmits >= 8);
  scene.acknowledge();
  CHECK(scene.take() == Lengths{100});
}

TEST_CASE("RFC 9293 3.8.6.2.2: the window is not opened in small steps") {
  Scene scene;
  scene.world.server.app.keep = true;
  for (int i = 0; i < 60; ++i) scene.data(pattern(1'000));
  for (int i = 0; i < 6; ++i) scene.data(pattern(i < 5 ? 1'000 : 535));
  scene.peer.wait(100);
  scene.take();
  CHECK(scene.last.segment.window == 0);
  auto& kept = scene.world.server.app.of(scene.handle).kept;
  const auto release = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const Message message = kept.front();
      kept.erase(kept.begin());
      scene.world.server.stack.release(message.handle, message.packet, message.length, scene.world.now);
    }
  };
  release(1);  // less than a segment: the window stays closed, whoever asks
  scene.peer.send({.seq = scene.peer.seq - 1, .ack = scene.peer.ack});
  scene.take();
  CHECK(scene.last.segment.window == 0);
  release(16);
  CHECK(scene.take() == Lengths{0});
  CHECK(scene.last.segment.window >= 16'000);
}

TEST_CASE("RFC 5681 4.2: every second data segment is acknowledged at once, a single one within the delay") {
  Scene scene;
  scene.data("one");
  CHECK(scene.take().empty());
  scene.data("two");
  CHECK(scene.take() == Lengths{0});
  scene.data("three");
  scene.peer.wait(30);
  CHECK(scene.take().empty());
  scene.peer.wait(12);
  CHECK(scene.take() == Lengths{0});
  CHECK(scene.last.segment.ack == scene.peer.seq);
}

TEST_CASE("RFC 9293 3.8.6.3: a delayed ACK travels with data that go the other way") {
  Scene scene;
  scene.data("question");
  scene.send(50);
  CHECK(scene.take() == Lengths{50});
  CHECK(scene.last.segment.ack == scene.peer.seq);
  scene.peer.wait(100);
  CHECK(scene.world.server.count(Counter::acks_out) == 0);
}

TEST_CASE("an ACK does not wait for data where the app is behind by more than ACKs wait") {
  constexpr Stamp kDelay = to_stamp(40'000'000);
  for (const Stamp behind : {kDelay - 1, kDelay + 1}) {
    Scene scene;
    scene.world.server.app.behind[0] = behind;
    scene.data("question");
    CHECK(scene.take().size() == (behind > kDelay ? 1 : 0));
    scene.peer.wait(100);
    CHECK(scene.world.server.count(Counter::acks_out) == 1);
  }
}

TEST_CASE("no timer is left behind by a segment that is acknowledged") {
  World world;
  world.listen();
  const auto [client, server] = world.open();
  world.run_ms(1'000);
  CHECK(world.client.send(client, "question"));
  CHECK(world.client.tcb(client)->has(kTimerArmed));
  CHECK(world.run_until([&, handle = client] { return world.client.tcb(handle)->busy == kNoIndex; }, 100));
  CHECK(world.server.app.of(server).bytes == "question");
  CHECK_FALSE(world.client.tcb(client)->has(kTimerArmed));
}

TEST_CASE("RFC 6093: URG is delivered in line whatever its pointer says, out of order, repeated, with FIN, or without data") {
  for (const Framing framing : {Framing::stream, Framing::fixed}) {
    Scene scene(true, framing, framing == Framing::fixed ? 4 : 0);
    auto& seen = scene.world.server.app.of(scene.handle);
    scene.data("aaaabb", kAck | kUrg);
    CHECK(scene.peer.seq == 1'007);
    scene.peer.send({.flags = kAck | kUrg, .seq = scene.peer.seq + 2, .ack = scene.peer.ack, .payload = "cccc"});  // a hole
    CHECK(seen.bytes.find('c') == std::string::npos);
    scene.peer.send({.flags = kAck | kUrg, .seq = scene.peer.seq, .ack = scene.peer.ack});  // no data
    scene.peer.send({.flags = kAck | kUrg, .seq = scene.peer.seq - 6, .ack = scene.peer.ack, .payload = "aaaabb"});
    scene.data("bb", kAck | kUrg);
    scene.peer.seq += 4;
    scene.data("dddd", kAck | kUrg | kFin);
    CHECK(seen.bytes == "aaaabbbbccccdddd");
    CHECK(seen.ended);
    if (framing == Framing::fixed) CHECK(seen.messages == std::vector<std::string>{"aaaa", "bbbb", "cccc", "dddd"});
    CHECK(scene.world.server.count(Counter::urgent_in) == 5);
  }
}

TEST_CASE("a connection may send while every connection has bytes that its app has not read") {
  HostOptions options{host_config(1)};
  options.stack.tcp.connections = options.stack.tcp.busy = 2;
  World world({host_config(2)}, options);
  world.listen();
  world.server.app.keep = true;
  const Handle clients[] = {world.open().first, world.open().first};
  for (const Handle client : clients) REQUIRE(world.client.send(client, "question"));
  REQUIRE(world.run_until([&] { return world.server.stack.engine().busy_used() == 2; }));
  REQUIRE(world.server.stack.send_ready(0));
  REQUIRE(world.server.send(world.server.app.last, "answer"));
  CHECK(world.run_until([&] { return world.client.app.of(clients[1]).bytes == "answer"; }));
}
