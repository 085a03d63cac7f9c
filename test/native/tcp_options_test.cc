#include <doctest/doctest.h>

#include "test/native/tcp_path.hh"
#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

/// A connection of the server with a scripted peer.
struct Scene {
  explicit Scene(const ListenerConfig& listener = {0, World::kPort}, TcpOptions syn = {}, HostOptions server = server_for_peer())
      : world({host_config(2)}, server), peer(world) {
    ListenerConfig config = listener;
    config.port = World::kPort;
    world.server.stack.listen(config);
    handle = peer.open(syn);
    peer.take();
  }
  int set(TcpOption option, uint32_t value) { return world.server.stack.set_option(handle, option, value, world.now); }
  uint32_t get(TcpOption option) { return world.server.stack.option(handle, option).value_or(kOptionUnset); }
  TcpInfo info() { return world.server.stack.info(handle).value(); }
  bool open() { return world.server.tcb(handle) != nullptr; }
  /// The peer acknowledges all that it has seen.
  void acknowledge(uint16_t window = 60'000) { peer.send({.seq = peer.seq, .ack = peer.ack, .window = window}); }
  std::vector<Incoming> take() {
    auto all = peer.take();
    for (const Incoming& in : all) {
      const Seq end = in.segment.seq + in.segment.sequence_length();
      if (seq_gt(end, peer.ack)) peer.ack = end;
    }
    return all;
  }

  World world;
  Peer peer;
  Handle handle;
};

TcpOptions mss(uint16_t value) {
  TcpOptions options;
  options.mss = value;
  return options;
}

ListenerConfig with(std::initializer_list<std::pair<TcpOption, uint32_t>> options) {
  ListenerConfig config;
  for (const auto& [option, value] : options) REQUIRE(config.options.set(option, value) == 0);
  return config;
}

}  // namespace

TEST_CASE("an option has the stack's value, else the listener's, else the connection's own") {
  HostOptions server = server_for_peer();
  server.stack.tcp.rto_min_ms = 300;
  server.stack.tcp.options.put(TcpOption::keepalive_count, 3);
  Scene scene(with({{TcpOption::ttl, 7}}), {}, server);
  CHECK(scene.get(TcpOption::rto_min_ms) == 300);
  CHECK(scene.get(TcpOption::keepalive_count) == 3);
  CHECK(scene.get(TcpOption::ttl) == 7);
  CHECK(scene.get(TcpOption::linger_ms) == kOptionUnset);
  CHECK(scene.set(TcpOption::ttl, 9) == 0);
  CHECK(scene.get(TcpOption::ttl) == 9);
  Peer other(scene.world, 5'001);
  const Handle second = other.open();
  CHECK(scene.world.server.stack.option(second, TcpOption::ttl) == 7);
  CHECK(scene.set(TcpOption::ttl, kOptionUnset) == 0);
  CHECK(scene.get(TcpOption::ttl) == kTtl);
}

TEST_CASE("a number that is no option, a value out of its range and a dead handle are told apart") {
  Scene scene;
  CHECK(scene.set(static_cast<TcpOption>(kTcpOptions), 1) == -ENOPROTOOPT);
  CHECK(scene.set(static_cast<TcpOption>(255), 1) == -ENOPROTOOPT);
  CHECK(scene.set(TcpOption::ttl, 256) == -EINVAL);
  CHECK(scene.set(TcpOption::ttl, 0) == -EINVAL);
  CHECK_FALSE(scene.world.server.stack.option(scene.handle, static_cast<TcpOption>(kTcpOptions)).has_value());
  const Handle dead = {scene.handle.slot, scene.handle.generation + 1};
  CHECK(scene.world.server.stack.set_option(dead, TcpOption::ttl, 9, scene.world.now) == -ENOTCONN);
  CHECK_FALSE(scene.world.server.stack.option(dead, TcpOption::ttl).has_value());
  CHECK_FALSE(scene.world.server.stack.info(dead).has_value());
}

TEST_CASE("every option takes its smallest and its largest value, and keeps the connection usable") {
  for (uint32_t number = 0; number < kTcpOptions; ++number) {
    for (const uint32_t value : abi::kSocketOptionRanges[number]) {
      Scene scene;
      const auto option = static_cast<TcpOption>(number);
      CAPTURE(number);
      CAPTURE(value);
      CHECK(scene.set(option, value) == 0);
      CHECK(scene.get(option) == value);
      scene.world.server.send(scene.handle, "hello");
      scene.peer.turn();
      CHECK(scene.take().size() == 1);
    }
  }
}

TEST_CASE("options are shared: equal sets take one place, which is free again when the last connection is gone") {
  World world;
  world.listen();
  const size_t before = world.server.stack.engine().profiles_used();
  std::vector<Handle> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(world.open().second);
  for (const Handle handle : handles) CHECK(world.server.stack.set_option(handle, TcpOption::dscp, 46, world.now) == 0);
  CHECK(world.server.stack.engine().profiles_used() == before + 1);
  for (uint32_t i = 0; i < 20; ++i) world.server.stack.set_option(handles[i], TcpOption::dscp, i, world.now);
  CHECK(world.server.stack.engine().profiles_used() == before + 19);  // dscp 0 is the listener's own
  for (const Handle handle : handles) world.server.stack.abort(handle, CloseReason::aborted, world.now);
  CHECK(world.server.stack.engine().profiles_used() == before);
}

TEST_CASE("an active open has its options from its SYN on, and messages and events name the listener they came from") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  const ListenerConfig config = with({{TcpOption::max_segment, 600}, {TcpOption::ttl, 33}, {TcpOption::dscp, 10}});
  const Handle c = world.client.stack.connect({World::kClient, 0}, {World::kServer, World::kPort}, config, 7, world.now);
  REQUIRE(world.run_until([&] { return world.client.app.of(c).opened && world.server.app.opened_count == 1; }));
  CHECK(world.client.app.of(c).info.listener == 0xffff);
  CHECK(world.client.stack.info(c)->advmss == 600);
  const Handle s = world.server.app.last;
  CHECK(world.server.stack.info(s)->snd_mss == 588);  // less the timestamps
  std::vector<uint16_t> named;
  world.server.app.on_message = [&](const Message& m, const std::string&) { named.push_back(m.listener); };
  world.server.stack.set_option(s, TcpOption::dscp, 1, world.now);
  world.client.send(c, "hi");
  world.run_ms(5);
  CHECK(named == std::vector<uint16_t>{0});
}

TEST_CASE("dscp and ttl are in every segment of the connection, beside the bits of ECN") {
  Scene scene(with({{TcpOption::dscp, 46}, {TcpOption::ttl, 3}}));
  Peer second(scene.world, 5'001);
  second.send({.flags = kSyn, .seq = second.seq});
  const auto syn_ack = second.take();
  REQUIRE(syn_ack.size() == 1);
  CHECK(syn_ack[0].ttl == 3);
  CHECK(syn_ack[0].tos == 46 << 2);
  scene.world.server.send(scene.handle, "data");
  scene.peer.send({.seq = scene.peer.seq, .ack = scene.peer.ack, .payload = "x"});
  ++scene.peer.seq;
  scene.peer.wait(50);
  const auto all = scene.take();
  REQUIRE(all.size() == 2);
  for (const Incoming& in : all) CHECK(in.ttl == 3);
  for (const Incoming& in : all) CHECK(in.tos == 46 << 2);
  CHECK(scene.set(TcpOption::ttl, 200) == 0);
  scene.world.server.stack.abort(scene.handle, CloseReason::aborted, scene.world.now);
  scene.peer.turn();
  const auto reset = scene.take();
  REQUIRE(reset.size() == 1);
  CHECK(reset[0].ttl == 200);
}

TEST_CASE("max_segment bounds what is sent, and lowers it on an open connection") {
  Scene scene({}, mss(1'400));
  CHECK(scene.info().snd_mss == 1'400);
  CHECK(scene.set(TcpOption::max_segment, 500) == 0);
  scene.world.server.send(scene.handle, pattern(1'200));
  scene.peer.turn();
  const auto sent = scene.take();
  REQUIRE(sent.size() == 3);
  CHECK(sent[0].payload.size() == 500);
  CHECK(sent[2].payload.size() == 200);
  CHECK(scene.set(TcpOption::max_segment, 0) == 0);
  CHECK(scene.info().snd_mss == 500);
}

TEST_CASE("quick_ack acknowledges at once what else would wait for delayed_ack_ms") {
  Scene scene(with({{TcpOption::delayed_ack_ms, 200}}));
  const auto data = [&] {
    scene.peer.send({.seq = scene.peer.seq, .ack = scene.peer.ack, .payload = "x"});
    ++scene.peer.seq;
  };
  data();
  scene.peer.wait(198);
  CHECK(scene.take().empty());
  scene.peer.wait(4);
  CHECK(scene.take().size() == 1);
  data();
  CHECK(scene.take().empty());
  CHECK(scene.set(TcpOption::quick_ack, 1) == 0);  // what is owed leaves as well
  scene.peer.turn();
  CHECK(scene.take().size() == 1);
  data();
  CHECK(scene.take().size() == 1);
  CHECK(scene.info().ato_us == 0);
}

TEST_CASE("linger 0: close is a reset at once") {
  Scene scene;
  CHECK(scene.set(TcpOption::linger_ms, 0) == 0);
  for (int i = 0; i < 4; ++i) scene.world.server.send(scene.handle, pattern(1'400));
  scene.world.server.stack.close(scene.handle, scene.world.now);
  scene.peer.turn();
  CHECK(scene.take().back().has(kRst));
  CHECK_FALSE(scene.open());
  CHECK(scene.world.server.app.of(scene.handle).reason == CloseReason::aborted);
}

TEST_CASE("linger 500 ms: a close that is not acknowledged by then is a reset; one that is goes on as ever") {
  Scene late;
  CHECK(late.set(TcpOption::linger_ms, 500) == 0);
  late.world.server.send(late.handle, "data");
  late.world.server.stack.close(late.handle, late.world.now);
  late.peer.wait(490);
  CHECK(late.open());
  late.take();
  late.peer.wait(15);
  CHECK(late.take().back().has(kRst));
  CHECK(late.world.server.app.of(late.handle).reason == CloseReason::aborted);

  Scene timely;
  timely.set(TcpOption::linger_ms, 500);
  timely.world.server.send(timely.handle, "data");
  timely.world.server.stack.close(timely.handle, timely.world.now);
  timely.peer.turn();
  timely.take();
  timely.acknowledge();
  CHECK(timely.world.server.tcb(timely.handle)->state == TcpState::fin_wait_2);
  timely.peer.wait(2'000);
  CHECK(timely.open());
  CHECK(timely.take().empty());
  timely.peer.send({.flags = kAck | kFin, .seq = timely.peer.seq, .ack = timely.peer.ack});
  CHECK(timely.world.server.app.of(timely.handle).reason == CloseReason::finished);
}

TEST_CASE("RFC 5482: data that stay unacknowledged for the user timeout end the connection, not sooner and not much later") {
  Scene scene(with({{TcpOption::user_timeout_ms, 5'000}}));
  scene.world.server.send(scene.handle, "data");
  scene.peer.wait(4'990);
  CHECK(scene.open());
  scene.peer.wait(20);
  CHECK_FALSE(scene.open());
  CHECK(scene.world.server.app.of(scene.handle).reason == CloseReason::timed_out);
}

TEST_CASE("RFC 5482: an ACK of new data begins the user timeout anew; it may be longer than R2 would allow") {
  HostOptions server = server_for_peer();
  server.stack.tcp.retries_max = 2;
  Scene scene(with({{TcpOption::user_timeout_ms, 60'000}}), {}, server);
  scene.world.server.send(scene.handle, pattern(1'000));
  scene.peer.wait(50'000);
  CHECK(scene.open());
  scene.take();
  scene.peer.ack -= 500;
  scene.acknowledge();
  scene.peer.wait(50'000);
  CHECK(scene.open());
  scene.peer.wait(10'100);
  CHECK_FALSE(scene.open());
}

TEST_CASE("a user timeout that is set while data wait applies to them at once") {
  Scene scene;
  scene.world.server.send(scene.handle, "data");
  scene.peer.wait(10'000);
  CHECK(scene.open());
  CHECK(scene.set(TcpOption::user_timeout_ms, 3'000) == 0);
  scene.peer.wait(10);
  CHECK_FALSE(scene.open());
}

TEST_CASE("RFC 6429 4: a user timeout also ends a connection whose peer answers but never opens its window") {
  for (const uint32_t limit_ms : {0u, 30'000u}) {
    Scene scene(with({{TcpOption::user_timeout_ms, limit_ms}}));
    scene.acknowledge(0);
    scene.world.server.send(scene.handle, "data");
    for (int i = 0; i < 600 && scene.open(); ++i) {
      scene.peer.wait(100);
      if (!scene.take().empty()) scene.acknowledge(0);
    }
    CHECK(scene.open() == (limit_ms == 0));
  }
}

TEST_CASE("RFC 9293 3.8.3: R2 is the number of retransmissions that a connection, or its SYN, is told") {
  Scene scene(with({{TcpOption::retries, 3}, {TcpOption::rto_min_ms, 50}}));
  scene.world.server.send(scene.handle, "data");
  scene.peer.wait(30'000);
  CHECK(scene.take().size() == 1 + 3);
  CHECK(scene.world.server.app.of(scene.handle).reason == CloseReason::timed_out);

  HostOptions client{host_config(2)};
  client.stack.ip.neighbors = {{World::kServer, 1, {2, 0, 0, 0, 0, 1}}};
  World lonely(client);
  const Handle c = lonely.client.stack.connect({World::kClient, 0}, {World::kServer, 99}, with({{TcpOption::syn_retries, 1}}), 7,
                                               lonely.now);
  size_t syns = 0;
  for (int i = 0; i < 100; ++i) {
    for (const auto& frame : lonely.capture(lonely.client, 100'000)) syns += segment_of(frame).flags == kSyn;
  }
  CHECK(syns == 2);
  CHECK(lonely.client.app.of(c).reason == CloseReason::timed_out);
}

TEST_CASE("the shortest RTO is the connection's own") {
  HostOptions client{host_config(2)};
  World world(client);
  world.listen();
  const auto [c, s] = world.open();
  CHECK(world.client.stack.info(c)->rto_us == 200'000);
  CHECK(world.client.stack.set_option(c, TcpOption::rto_min_ms, 20, world.now) == 0);
  CHECK(world.client.stack.info(c)->rto_us == 20'000);
}

TEST_CASE("the congestion control of an open connection can be changed, its window goes on from where it is") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  for (const auto which : {Congestion::newreno, Congestion::dctcp, Congestion::cubic}) {
    for (int i = 0; i < 30; ++i) world.client.send(c, pattern(1'448));
    const uint32_t before = world.client.stack.info(c)->snd_cwnd;
    CHECK(world.client.stack.set_option(c, TcpOption::congestion, static_cast<uint32_t>(which), world.now) == 0);
    CHECK(world.client.stack.info(c)->snd_cwnd == before);
    world.run_ms(50);
    CHECK(world.client.stack.unsent(c) == 0);
  }
  CHECK(world.server.app.of(s).bytes.size() == 3 * 30 * 1'448);
}

TEST_CASE("a pacing rate can be set, changed and taken away while data wait") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  CHECK(world.client.stack.set_option(c, TcpOption::pacing_rate, 100'000, world.now) == 0);
  for (int i = 0; i < 100; ++i) world.client.send(c, pattern(1'000));
  world.run_ms(200);
  CHECK(world.server.app.of(s).bytes.size() == doctest::Approx(20'000).epsilon(0.2));
  CHECK(world.client.stack.info(c)->pacing_rate == 100'000);
  CHECK(world.client.stack.set_option(c, TcpOption::pacing_rate, 0, world.now) == 0);
  world.run_ms(50);
  CHECK(world.server.app.of(s).bytes.size() == 100'000);
}

TEST_CASE("a receive buffer of its own bounds the window; larger on an open connection, as far as the scale goes") {
  Scene scene(with({{TcpOption::receive_buffer, 10'000}}), mss(1'400));
  scene.world.server.app.keep = true;
  CHECK(scene.info().rcv_wnd == 10'000);
  for (int i = 0; i < 10; ++i) {
    scene.peer.send({.seq = scene.peer.seq, .ack = scene.peer.ack, .payload = pattern(1'000)});
    scene.peer.seq += 1'000;
  }
  scene.peer.wait(100);
  CHECK(scene.take().back().segment.window == 0);
  CHECK(scene.set(TcpOption::receive_buffer, 30'000) == 0);
  scene.peer.turn();
  const auto update = scene.take();
  REQUIRE(update.size() == 1);
  CHECK(update[0].segment.window == 20'000);
  CHECK(scene.info().unread_bytes == 10'000);
}

TEST_CASE("writable is what send_buffer and not_sent_low_water leave") {
  Scene scene(with({{TcpOption::send_buffer, 20'000}}), mss(1'000));
  const auto writable = [&] { return scene.world.server.stack.writable(scene.handle); };
  CHECK(writable() == 20'000);
  for (int i = 0; i < 15; ++i) scene.world.server.send(scene.handle, pattern(1'000));
  CHECK(writable() == 5'000);
  CHECK(scene.info().notsent_bytes == 5'000);  // ten segments are the first window
  CHECK(scene.set(TcpOption::not_sent_low_water, 6'000) == 0);
  CHECK(writable() == 1'000);
  CHECK(scene.set(TcpOption::not_sent_low_water, 4'000) == 0);
  CHECK(writable() == 0);
  scene.peer.turn();
  scene.take();
  scene.acknowledge();
  CHECK(writable() == 4'000);
}
