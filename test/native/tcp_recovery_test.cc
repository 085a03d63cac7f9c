// Loss recovery as it looks from outside: over a path with a round-trip time, segment by segment.
#include <doctest/doctest.h>

#include <memory>

#include "test/native/tcp_path.hh"
#include "test/native/tcp_peer.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr uint32_t kMss = 1'448;
constexpr uint64_t kOneWay = 20'000;  ///< µs; the RTT is 40 ms

/// Fate of the segments that carry data, by their number on the wire; retransmissions count as well.
Path::Fate data_fate(std::function<uint64_t(size_t number)> fate) {
  return [fate, number = size_t{0}](PairPort::Frame&, const TcpSegment& s) mutable {
    return s.payload_length == 0 ? kOneWay : fate(number++);
  };
}

Path::Fate lose(std::set<size_t> numbers) {
  return data_fate([numbers](size_t n) { return numbers.contains(n) ? Path::kLost : kOneWay; });
}

struct Scene {
  HostOptions client{host_config(2)}, server{host_config(1)};
  std::unique_ptr<World> world;
  std::unique_ptr<Path> path;
  Handle c, s;

  Scene() {
    // Without ARP, so that the handshake measures the path.
    client.stack.ip.neighbors = {{World::kServer, 1, server.stack.ip.mac}};
    server.stack.ip.neighbors = {{World::kClient, 1, client.stack.ip.mac}};
  }
  Scene& begin(const ListenerConfig& config = {}) {
    world = std::make_unique<World>(client, server);
    path = std::make_unique<Path>(*world, kOneWay);
    world->listen();
    std::tie(c, s) = path->open(config);
    return *this;
  }
  const Tcb& tcb() const { return *world->client.tcb(c); }
  const Busy* busy() const { return world->client.stack.engine().inspect_busy(tcb()); }
  uint64_t count(Counter counter) { return world->client.count(counter); }
  const std::string& received() { return world->server.app.of(s).bytes; }
  /// Milliseconds until the server has all of them.
  double transfer(const std::string& bytes) {
    const size_t before = received().size();
    const double start = path->now_ms();
    path->send(c, bytes);
    const bool done = path->run_until([&] { return received().size() - before >= bytes.size(); }, 20'000);
    REQUIRE(done);
    REQUIRE(received().substr(before) == bytes);
    return path->now_ms() - start;
  }
};

}  // namespace

TEST_CASE("RFC 8985: one window with losses and reordering, by scenario: what is sent again, and how long it takes") {
  struct Scenario {
    std::string_view name;
    size_t segments;
    std::function<uint64_t(size_t)> fate;
    uint64_t retransmits, probes, timeouts;
    double ms_max;  ///< until the server has all; the way there takes 20
  };
  const Scenario scenarios[] = {
      {"nothing happens", 10, [](size_t) { return kOneWay; }, 0, 0, 0, 25},
      {"one segment overtakes another: it is within a quarter of the RTT", 10,
       [](size_t n) { return n == 7 ? kOneWay + 5'000 : kOneWay; }, 0, 0, 0, 30},
      {"the last but one is lost: one SACK and the reordering timer", 10,
       [](size_t n) { return n == 8 ? Path::kLost : kOneWay; }, 1, 0, 0, 100},
      {"three are lost: one SACK tells", 10, [](size_t n) { return n == 1 || n == 4 || n == 5 ? Path::kLost : kOneWay; }, 3, 0, 0, 70},
      {"a retransmission is lost too: the segments sent after it tell, and again those after that", 20,
       [](size_t n) { return n == 2 || n == 10 ? Path::kLost : kOneWay; }, 2, 0, 0, 150},
      {"the last two are lost: a probe after two RTT, and what its SACK tells", 10,
       [](size_t n) { return n == 8 || n == 9 ? Path::kLost : kOneWay; }, 2, 1, 0, 190},
      {"the last one is lost: its ACK might be delayed, so the timer is no later than the probe", 10,
       [](size_t n) { return n == 9 ? Path::kLost : kOneWay; }, 1, 0, 1, 270},
      {"all are lost: the probe brings nothing, the timer the first, the rest follows", 10,
       [](size_t n) { return n < 11 ? Path::kLost : kOneWay; }, 11, 1, 1, 600},
  };
  for (const Scenario& scenario : scenarios) {
    CAPTURE(scenario.name);
    Scene scene;
    scene.begin();
    scene.path->to_server = data_fate(scenario.fate);
    CHECK(scene.transfer(pattern(scenario.segments * kMss)) <= scenario.ms_max);
    scene.path->run_ms(1'000);
    CHECK(scene.count(Counter::retransmits) == scenario.retransmits);
    CHECK(scene.count(Counter::loss_probes) == scenario.probes);
    CHECK(scene.count(Counter::timeouts) == scenario.timeouts);
    CHECK(scene.busy() == nullptr);
  }
}

TEST_CASE("RFC 8985 6.2: once the network was seen to reorder, more than three segments may overtake one") {
  Scene scene;
  scene.begin();
  const auto reorder = data_fate([](size_t n) { return n % 10 == 2 ? kOneWay + 6'000 : kOneWay; });
  scene.path->to_server = reorder;
  scene.transfer(pattern(10 * kMss));
  scene.path->run_ms(100);
  CHECK(scene.count(Counter::retransmits) == 1);  // three SACKs, and no reason to wait yet
  // The same busy time: the block, with what it knows, lives while bytes are in flight.
  Scene later;
  later.begin();
  later.path->to_server = data_fate([](size_t n) { return n % 10 == 2 ? kOneWay + 6'000 : kOneWay; });
  later.path->send(later.c, pattern(60 * kMss));
  later.path->run_until([&] { return later.received().size() == 60 * kMss; }, 5'000);
  CHECK(later.count(Counter::retransmits) <= 2);
  CHECK(later.count(Counter::timeouts) == 0);
}

TEST_CASE("RFC 2883 4: what arrives twice is reported, below what is acknowledged and within what is held") {
  World world;
  world.listen();
  const auto [c, s] = world.open();
  world.run_ms(100);
  for (int i = 0; i < 4; ++i) world.client.send(c, pattern(100));
  const auto frames = world.capture(world.client);
  REQUIRE(frames.size() == 4);
  const Seq first = segment_of(frames[0]).seq;
  World::deliver(world.server, {frames[0]});
  world.capture(world.server);
  World::deliver(world.server, {frames[0]});
  auto acks = world.capture(world.server);
  REQUIRE(acks.size() == 1);
  TcpSegment ack = segment_of(acks[0]);
  CHECK(ack.options.sack_count == 1);
  CHECK(ack.options.sack[0].first == first);
  CHECK(ack.options.sack[0].end == first + 100);
  CHECK(ack.ack == first + 100);

  World::deliver(world.server, {frames[2], frames[3]});
  world.capture(world.server);
  World::deliver(world.server, {frames[3]});
  acks = world.capture(world.server);
  REQUIRE(acks.size() == 1);
  ack = segment_of(acks[0]);
  REQUIRE(ack.options.sack_count == 2);
  CHECK(ack.options.sack[0].first == first + 300);
  CHECK(ack.options.sack[0].end == first + 400);
  CHECK(ack.options.sack[1].first == first + 200);
  CHECK(ack.options.sack[1].end == first + 400);
}

TEST_CASE("RFC 2883 5, RFC 3522: a reduction for what was only late is taken back, by D-SACK or by timestamps") {
  for (const bool timestamps : {true, false}) {
    CAPTURE(timestamps);
    Scene scene;
    scene.client.stack.tcp.timestamps = timestamps;
    scene.begin();
    // The third segment comes after all others; 20 more keep the connection busy while the D-SACK travels.
    scene.path->to_server = data_fate([](size_t n) { return n == 2 ? kOneWay + 15'000 : kOneWay; });
    scene.path->send(scene.c, pattern(30 * kMss));
    REQUIRE(scene.path->run_until([&] { return scene.count(Counter::fast_retransmits) == 1; }, 1'000));
    const uint32_t reduced = scene.busy()->congestion.ssthresh;
    CHECK(reduced < 11 * kMss);
    REQUIRE(scene.path->run_until([&] { return scene.count(Counter::recoveries_undone) == 1; }, 1'000));
    CHECK(scene.busy()->congestion.ssthresh == kNoThreshold);
    CHECK(scene.busy()->congestion.cwnd >= 10 * kMss);
    CHECK(scene.busy()->recovery == RecoveryKind::none);
    scene.path->run_ms(1'000);
    CHECK(scene.received().size() == 30 * kMss);
    CHECK(scene.count(Counter::timeouts) == 0);
  }
}

TEST_CASE("RFC 4015: after a time-out that a delay caused, the window is what it was and nothing else is sent again") {
  Scene scene;
  scene.begin();
  const double clear = scene.path->now_ms() + 500;  // until then everything is held back
  scene.path->to_server = [&, clear](PairPort::Frame&, const TcpSegment&) {
    return std::max(kOneWay, static_cast<uint64_t>(std::max(0.0, clear - scene.path->now_ms()) * 1'000));
  };
  scene.path->send(scene.c, pattern(10 * kMss));
  REQUIRE(scene.path->run_until([&] { return scene.count(Counter::recoveries_undone) == 1; }, 2'000));
  CHECK(scene.count(Counter::timeouts) >= 1);
  scene.path->run_ms(1'000);
  CHECK(scene.received() == pattern(10 * kMss));
  CHECK(scene.tcb().ssthresh == kNoThreshold);
  CHECK(scene.tcb().cwnd >= 10);
}

TEST_CASE("RFC 6937: the window ends a recovery at ssthresh, and what is sent in it is its share of what was delivered") {
  Scene scene;
  scene.begin();
  uint32_t in_recovery = 0;
  const auto loss = lose({0});
  scene.path->to_server = [&, loss](PairPort::Frame& frame, const TcpSegment& s) mutable {
    if (s.payload_length != 0 && scene.busy() != nullptr && scene.busy()->recovery == RecoveryKind::fast) ++in_recovery;
    return loss(frame, s);
  };
  scene.path->send(scene.c, pattern(40 * kMss));
  REQUIRE(scene.path->run_until([&] { return scene.count(Counter::fast_retransmits) == 1; }, 1'000));
  const uint32_t ssthresh = scene.busy()->congestion.ssthresh;
  const uint32_t flight = scene.busy()->episode.flight;
  CHECK(ssthresh == doctest::Approx(flight * 0.7).epsilon(0.01));
  REQUIRE(scene.path->run_until([&] { return scene.busy()->recovery == RecoveryKind::none; }, 1'000));
  CHECK(scene.busy()->congestion.cwnd >= ssthresh);
  CHECK(scene.busy()->congestion.cwnd <= ssthresh + 2 * kMss);
  CHECK(in_recovery * kMss <= ssthresh + 2 * kMss);
  CHECK(in_recovery * kMss + 2 * kMss >= ssthresh);
}

TEST_CASE("RFC 3042: the first two duplicate ACKs send one new segment each, also without SACK") {
  Scene scene;
  scene.client.stack.tcp.sack = false;
  scene.begin();
  scene.transfer(pattern(100));  // the window is what it will stay
  scene.path->run_ms(100);
  const std::string bytes = pattern(20 * kMss);
  scene.path->send(scene.c, bytes);
  const auto frames = scene.world->capture(scene.world->client);
  REQUIRE(frames.size() == 10);
  World::deliver(scene.world->server, frames, {0, 3, 4, 5, 6, 7, 8, 9});
  const auto acks = scene.world->capture(scene.world->server);
  REQUIRE(acks.size() == 2);
  World::deliver(scene.world->client, acks);
  const auto more = scene.world->capture(scene.world->client);
  REQUIRE(more.size() == 2);
  CHECK(segment_of(more[0]).seq == segment_of(frames[9]).seq + kMss);
  CHECK(scene.count(Counter::retransmits) == 0);
}

TEST_CASE("RFC 8985 7.4: a probe that repaired a loss reduces the window, one that only the ACK's loss caused does not") {
  for (const bool data_lost : {true, false}) {
    CAPTURE(data_lost);
    Scene scene;
    scene.client.stack.tcp.rto_min_ms = 1'000;  // a lone segment's probe waits for a delayed ACK
    scene.begin();
    if (data_lost) {
      scene.path->to_server = lose({9});
    } else {
      // Every ACK of the first window is lost; the probe is a duplicate, and the D-SACK says so.
      const double until = scene.path->now_ms() + 70;
      scene.path->to_client = [&, until](PairPort::Frame&, const TcpSegment&) {
        return scene.path->now_ms() < until ? Path::kLost : kOneWay;
      };
    }
    scene.path->send(scene.c, pattern(10 * kMss));
    REQUIRE(scene.path->run_until([&] { return scene.count(Counter::loss_probes) == 1; }, 1'000));
    scene.path->send(scene.c, pattern(2 * kMss));  // more, so that an ACK goes beyond the probe
    scene.path->run_ms(500);
    CHECK((scene.tcb().ssthresh < kNoThreshold) == data_lost);
    CHECK(scene.count(Counter::timeouts) == 0);
    CHECK(scene.received().size() == 12 * kMss);
  }
}

TEST_CASE("RFC 8985 7.4.2: a probe that repaired the last loss before a silence reduces the window, one for nothing does not") {
  for (const bool data_lost : {true, false}) {
    CAPTURE(data_lost);
    Scene scene;
    scene.client.stack.tcp.rto_min_ms = 1'000;
    scene.begin();
    // The last segment is lost, or its ACK comes after the probe has left.
    scene.path->to_server = data_lost ? lose({1}) : Path::Fate{};
    const double until = scene.path->now_ms() + 320;
    scene.path->to_client = [&, until](PairPort::Frame&, const TcpSegment&) {
      if (data_lost || scene.count(Counter::loss_probes) != 0) return kOneWay;
      return static_cast<uint64_t>(std::max(until - scene.path->now_ms(), 0.0) * 1'000);
    };
    scene.path->send(scene.c, pattern(2 * kMss));
    REQUIRE(scene.path->run_until([&] { return scene.count(Counter::loss_probes) == 1; }, 1'000));
    REQUIRE(scene.path->run_until([&] { return scene.busy() == nullptr; }, 1'000));
    scene.path->run_ms(500);
    CHECK(scene.tcb().ssthresh == kNoThreshold);
    scene.path->send(scene.c, pattern(2 * kMss));
    scene.path->run_ms(500);
    REQUIRE(scene.busy() == nullptr);
    CHECK((scene.tcb().ssthresh < kNoThreshold) == data_lost);
    CHECK(scene.count(Counter::timeouts) == 0);
    CHECK(scene.received().size() == 4 * kMss);
  }
}

TEST_CASE("RFC 6298 3 and 5.7: a segment sent twice gives no sample, and the backoff stays until there is one") {
  Scene scene;
  scene.client.stack.tcp.timestamps = false;
  scene.begin();
  const uint32_t srtt = scene.tcb().srtt_us;
  scene.path->to_server = lose({0, 1});  // the segment, and what is sent instead of it
  scene.path->send(scene.c, pattern(100));
  REQUIRE(scene.path->run_until([&] { return scene.count(Counter::timeouts) == 2; }, 3'000));
  CHECK(scene.busy()->backoff == 2);
  scene.path->send(scene.c, pattern(100));
  // The ACK of the retransmission comes before the new segment is answered: nothing was learned from it.
  const Seq first = scene.tcb().snd_una;
  REQUIRE(scene.path->run_until([&] { return scene.tcb().snd_una != first; }, 1'000));
  if (scene.busy() != nullptr && scene.tcb().snd_una != scene.tcb().snd_nxt) CHECK(scene.busy()->backoff == 2);
  CHECK(scene.tcb().srtt_us == srtt);
  scene.path->run_ms(500);
  scene.transfer(pattern(100));
  scene.path->run_ms(500);
  CHECK(scene.tcb().srtt_us != srtt);
}

TEST_CASE("RFC 7323 4.1: with timestamps a segment sent twice gives a sample all the same") {
  Scene scene;
  scene.begin();
  const uint32_t srtt = scene.tcb().srtt_us;
  scene.path->to_server = lose({0});
  scene.transfer(pattern(100));
  scene.path->run_ms(500);
  CHECK(scene.count(Counter::retransmits) == 1);
  CHECK(scene.tcb().srtt_us != srtt);
  CHECK(scene.tcb().srtt_us < 80'000);
}

TEST_CASE("RFC 6298 5.7, RFC 6928 2: a handshake that needed its timer leaves 3 s, and one segment after two time-outs") {
  for (const uint32_t losses : {1u, 2u}) {
    Scene scene;
    scene.client.stack.tcp.timestamps = false;
    scene.world = std::make_unique<World>(scene.client, scene.server);
    scene.path = std::make_unique<Path>(*scene.world, kOneWay);
    scene.world->listen();
    uint32_t left = losses;
    scene.path->to_server = [&](PairPort::Frame&, const TcpSegment& s) {
      return (s.flags & kSyn) && left > 0 && left-- > 0 ? Path::kLost : kOneWay;
    };
    std::tie(scene.c, scene.s) = scene.path->open();
    scene.path->send(scene.c, pattern(4 * kMss));
    CHECK(scene.busy()->rto_us == 3'000'000);
    const uint32_t in_flight = scene.tcb().snd_nxt - scene.tcb().snd_una;
    CHECK(in_flight == (losses == 2 ? kMss : 4 * kMss));
  }
}

TEST_CASE("RFC 9293 3.10.4: FIN rides on the last segment, and both come back with one time-out") {
  Scene scene;
  scene.begin();
  const std::string bytes = pattern(12 * kMss);
  scene.path->send(scene.c, bytes);  // two more than the window admits
  scene.world->client.stack.close(scene.c, scene.world->now);
  std::vector<TcpSegment> last;
  scene.path->to_server = [&](PairPort::Frame&, const TcpSegment& s) {
    const bool tail = s.payload_length != 0 && seq_ge(s.seq + s.payload_length, scene.tcb().snd_una) && (s.flags & kFin);
    if (tail) last.push_back(s);
    return tail && last.size() == 1 ? Path::kLost : kOneWay;
  };
  const double start = scene.path->now_ms();
  REQUIRE(scene.path->run_until([&] { return scene.world->server.app.of(scene.s).ended; }, 5'000));
  CHECK(scene.received() == bytes);
  REQUIRE(last.size() == 2);
  for (const TcpSegment& s : last) CHECK(s.payload_length == kMss);
  CHECK(scene.count(Counter::timeouts) == 1);
  CHECK(scene.path->now_ms() - start < 400);
}

TEST_CASE("RFC 9293 3.8.6.2.1: a window that is too small for the segment is used from half of the largest on, or late") {
  Scene scene;
  scene.server.stack.tcp.receive_buffer = 4'096;
  scene.begin();
  scene.world->server.app.keep = true;
  const std::string bytes = pattern(5 * 1'000);
  scene.path->send(scene.c, bytes, 1'000);
  scene.path->run_ms(150);
  // Four fit; 96 bytes of window are left, and no segment of 96 bytes is sent into it before the timer.
  CHECK(scene.received().size() == 4'000);
  scene.path->run_ms(400);
  CHECK(scene.received().size() == 4'096);
  scene.world->server.app.release_kept(scene.s);
  scene.path->run_ms(1'000);
  CHECK(scene.received() == bytes);
}

TEST_CASE("RFC 5681 4.1: the window outlives an idle moment, and is the restart window at most after a long one") {
  Scene scene;
  scene.begin();
  scene.transfer(pattern(60 * kMss));
  scene.path->run_ms(60);
  REQUIRE(scene.busy() == nullptr);
  const uint16_t grown = scene.tcb().cwnd;
  CHECK(grown > 20);
  scene.path->send(scene.c, pattern(100));
  CHECK(scene.busy()->congestion.cwnd == uint32_t{grown} * kMss);
  scene.path->run_ms(2'000);
  scene.path->send(scene.c, pattern(100));
  CHECK(scene.busy()->congestion.cwnd == 10 * kMss);
}

TEST_CASE("a window below the initial one is not widened by idleness") {
  Scene scene;
  scene.begin();
  scene.path->to_server = lose({2});
  scene.transfer(pattern(10 * kMss));
  scene.path->run_ms(3'000);
  REQUIRE(scene.busy() == nullptr);
  const uint16_t small = scene.tcb().cwnd;
  CHECK(small < 9);
  scene.path->send(scene.c, pattern(100));
  CHECK(scene.busy()->congestion.cwnd == uint32_t{small} * kMss);
}

TEST_CASE("a rate limit holds for one connection, over idle moments too") {
  ListenerConfig limited;
  limited.options.put(TcpOption::pacing_rate, 100'000);
  Scene scene;
  scene.begin(limited);
  CHECK(scene.transfer(pattern(100'000)) == doctest::Approx(1'000).epsilon(0.08));
  const double start = scene.path->now_ms();
  for (int i = 0; i < 10; ++i) scene.transfer(pattern(kMss));
  CHECK(scene.path->now_ms() - start >= 9 * kMss / 100.0);
  scene.path->run_ms(500);
  CHECK(scene.busy() == nullptr);
}

TEST_CASE("with pacing a window is spread over its round trip, without it leaves at once") {
  for (const bool pacing : {true, false}) {
    Scene scene;
    scene.client.stack.tcp.pacing = pacing;
    scene.begin();
    size_t frames = 0;
    scene.path->to_server = [&](PairPort::Frame&, const TcpSegment& s) {
      frames += s.payload_length != 0;
      return kOneWay;
    };
    scene.path->send(scene.c, pattern(10 * kMss));
    scene.path->run_ms(5);
    CHECK(frames == doctest::Approx(pacing ? 4 : 10).epsilon(0.3));
    scene.path->run_ms(30);
    CHECK(frames == 10);
  }
}

TEST_CASE("RFC 6298 5: the timer starts anew with the repetition of the oldest segment, however close to the RTO the RTT is") {
  Scene scene;
  scene.client.stack.tcp.pacing = false;
  scene.world = std::make_unique<World>(scene.client, scene.server);
  scene.path = std::make_unique<Path>(*scene.world, 125'000);
  scene.world->listen();
  std::tie(scene.c, scene.s) = scene.path->open();
  for (int i = 0; i < 30; ++i) {  // RTTVAR decays: the RTO comes down to the RTT
    scene.path->send(scene.c, pattern(4 * kMss));
    scene.path->run_ms(300);
  }
  const uint64_t before = scene.world->client.count(Counter::timeouts);
  scene.path->to_server = [number = 0](PairPort::Frame&, const TcpSegment& s) mutable -> uint64_t {
    return s.payload_length != 0 && number++ == 2 ? Path::kLost : 125'000;
  };
  scene.path->send(scene.c, pattern(10 * kMss));
  scene.path->run_ms(2'000);
  CHECK(scene.world->server.app.of(scene.s).bytes.size() == 130 * kMss);
  CHECK(scene.world->client.count(Counter::fast_retransmits) == 1);
  CHECK(scene.world->client.count(Counter::timeouts) == before);
}

TEST_CASE("RFC 3522 3.2: the ACK of what an earlier episode repeated does not undo the next one") {
  Scene scene;
  scene.client.stack.tcp.receive_buffer = scene.server.stack.tcp.receive_buffer = 1'000'000;
  scene.begin();
  scene.path->to_server = data_fate([](size_t n) { return n % 20 == 7 ? Path::kLost : kOneWay; });
  scene.path->send(scene.c, pattern(1'000 * kMss));
  CHECK(scene.path->run_until([&] { return scene.busy() == nullptr; }, 120'000));
  CHECK(scene.count(Counter::fast_retransmits) > 10);
  CHECK(scene.count(Counter::recoveries_undone) == 0);
  CHECK(scene.count(Counter::spurious_retransmits) == 0);
}

TEST_CASE("RFC 6582 3.2: duplicate ACKs of a window that was repaired before a silence repeat nothing of the next one") {
  World world({host_config(2)}, server_for_peer());
  world.listen();
  Peer peer(world);
  const Handle handle = peer.open();
  const auto send = [&](int segments) {
    for (int i = 0; i < segments; ++i) world.server.send(handle, pattern(100));
    peer.turn();
  };
  const auto duplicates = [&] {
    for (int i = 0; i < 3; ++i) peer.send({.seq = peer.seq, .ack = peer.ack});
  };
  send(4);
  duplicates();
  REQUIRE(world.server.count(Counter::fast_retransmits) == 1);
  peer.ack += 400;
  peer.send({.seq = peer.seq, .ack = peer.ack});
  REQUIRE(world.server.stack.engine().inspect_busy(*world.server.tcb(handle)) == nullptr);
  peer.wait(100);
  send(4);
  duplicates();
  CHECK(world.server.count(Counter::fast_retransmits) == 1);
  peer.ack += 200;
  peer.send({.seq = peer.seq, .ack = peer.ack});
  duplicates();
  CHECK(world.server.count(Counter::fast_retransmits) == 2);
}

TEST_CASE("RFC 6937 3: pacing goes on in a recovery that takes the window down to a byte") {
  Scene scene;
  scene.client.stack.tcp.pacing = true;
  scene.begin();
  const std::string bytes = pattern(kMss + 9);
  const std::string_view all = bytes;
  // The first segment is lost each time that it is sent, until the timer; what tells of it are single bytes behind it.
  scene.path->to_server = lose({0, 9, 11});
  scene.path->send(scene.c, all.substr(0, kMss));
  scene.path->send(scene.c, all.substr(kMss, 4), 1);
  scene.path->run_ms(10);
  scene.path->send(scene.c, all.substr(kMss + 4, 4), 1);
  scene.path->run_ms(50);
  scene.path->send(scene.c, all.substr(kMss + 8));
  CHECK(scene.path->run_until([&] { return scene.received() == bytes; }, 5'000));
}
