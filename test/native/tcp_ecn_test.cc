// ECN from the SYN to the reduced window (RFC 3168), and DCTCP's accurate echo (RFC 8257 3.2).
#include <doctest/doctest.h>

#include "test/native/tcp_path.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr uint64_t kOneWay = 5'000;
constexpr uint32_t kMss = 1'448;

struct Scene {
  World world;
  Path path{world, kOneWay};
  Handle c, s;

  explicit Scene(Congestion congestion = Congestion::cubic, EcnMode client = EcnMode::on, EcnMode server = EcnMode::accept)
      : world(options(2, congestion, client), options(1, congestion, server)) {
    world.listen();
    std::tie(c, s) = path.open();
  }
  static HostOptions options(uint32_t host, Congestion congestion, EcnMode ecn) {
    HostOptions options{host_config(host)};
    options.stack.tcp.congestion = congestion;
    options.stack.tcp.ecn = ecn;
    return options;
  }
  const Busy* busy() { return world.client.stack.engine().inspect_busy(*world.client.tcb(c)); }
};

}  // namespace

TEST_CASE("RFC 3168 6.1.1: who asks and who accepts: the matrix of negotiation, and the bits of SYN and SYN-ACK") {
  constexpr uint8_t kBits = kEce | kCwr;
  for (const EcnMode client : {EcnMode::off, EcnMode::accept, EcnMode::on}) {
    for (const EcnMode server : {EcnMode::off, EcnMode::accept, EcnMode::on}) {
      CAPTURE(static_cast<int>(client));
      CAPTURE(static_cast<int>(server));
      World world(Scene::options(2, Congestion::cubic, client), Scene::options(1, Congestion::cubic, server));
      world.listen();
      Path path(world, kOneWay);
      uint8_t syn = 0, syn_ack = 0;
      path.to_server = [&](PairPort::Frame& frame, const TcpSegment& s) {
        if (s.flags & kSyn) {
          syn = s.flags & kBits;
          CHECK(ecn_in(frame) == kEcnNotCapable);
        }
        return kOneWay;
      };
      path.to_client = [&](PairPort::Frame& frame, const TcpSegment& s) {
        if (s.flags & kSyn) {
          syn_ack = s.flags & kBits;
          CHECK(ecn_in(frame) == kEcnNotCapable);
        }
        return kOneWay;
      };
      const auto [c, s] = path.open();
      const bool both = client == EcnMode::on && server != EcnMode::off;
      CHECK(syn == (client == EcnMode::on ? kBits : 0));
      CHECK(syn_ack == (both ? kEce : 0));
      CHECK(world.client.tcb(c)->has(kEcn) == both);
      CHECK(world.server.tcb(s)->has(kEcn) == both);
    }
  }
}

TEST_CASE("RFC 3168 6.1.1: a SYN that is sent again does not ask, and ECN is not used whatever the answer says") {
  World world(Scene::options(2, Congestion::cubic, EcnMode::on), Scene::options(1, Congestion::cubic, EcnMode::on));
  world.listen();
  Path path(world, kOneWay);
  std::vector<uint8_t> asked;
  path.to_server = [&](PairPort::Frame&, const TcpSegment& s) {
    if (s.flags & kSyn) asked.push_back(s.flags & (kEce | kCwr));
    return (s.flags & kSyn) && asked.size() == 1 ? Path::kLost : kOneWay;
  };
  const auto [c, s] = path.open();
  CHECK(asked == std::vector<uint8_t>{kEce | kCwr, 0});
  CHECK(!world.client.tcb(c)->has(kEcn));
  CHECK(!world.server.tcb(s)->has(kEcn));
}

TEST_CASE("RFC 3168 6.1.2 to 6.1.5: a mark is echoed until CWR, reduces the window once, and only new data are ECN-capable") {
  for (const Congestion congestion : {Congestion::cubic, Congestion::newreno}) {
    Scene scene(congestion);
    size_t data = 0, cwr = 0, echoes = 0;
    bool echo_after_cwr = false, other_capable = false;
    Seq highest = 0;
    scene.path.to_server = [&](PairPort::Frame& frame, const TcpSegment& s) {
      if (s.payload_length == 0) {
        other_capable |= ecn_in(frame) != kEcnNotCapable;
        return kOneWay;
      }
      const bool fresh = data == 0 || seq_gt(s.seq, highest);
      if (fresh) highest = s.seq;
      CHECK((ecn_in(frame) == kEcnCapable) == fresh);
      if (s.flags & kCwr) ++cwr;
      if (data == 4 || data == 6) mark_congestion(frame);
      return data++ == 30 ? Path::kLost : kOneWay;  // so that one is sent again
    };
    scene.path.to_client = [&](PairPort::Frame& frame, const TcpSegment& s) {
      other_capable |= ecn_in(frame) != kEcnNotCapable;
      if (s.flags & kEce) {
        ++echoes;
        echo_after_cwr |= cwr != 0 && data > 25;
      }
      return kOneWay;
    };
    const std::string bytes = pattern(60 * kMss);
    scene.path.send(scene.c, bytes);
    REQUIRE(scene.path.run_until([&] { return scene.busy()->recovery == RecoveryKind::reduced; }, 100));
    const uint32_t reduced = scene.busy()->congestion.ssthresh;
    CHECK(reduced == (congestion == Congestion::cubic ? kMss * 10 * 7 / 10 : kMss * 10 / 2));
    CHECK(scene.busy()->congestion.cwnd == reduced);
    REQUIRE(scene.path.run_until([&] { return scene.busy()->recovery == RecoveryKind::none; }, 100));
    CHECK(scene.busy()->congestion.ssthresh == reduced);
    CHECK(cwr == 1);
    scene.path.run_ms(1'000);
    CHECK(scene.world.server.app.of(scene.s).bytes == bytes);
    CHECK(scene.world.client.count(Counter::retransmits) == 1);
    CHECK(echoes >= 1);
    CHECK(!echo_after_cwr);
    CHECK(!other_capable);
    CHECK(cwr == 2);  // the loss is answered by CWR as well
    CHECK(scene.world.server.count(Counter::ce_in) == 2);
  }
}

TEST_CASE("RFC 8257 3.2: DCTCP's receiver echoes each change of marking at once, and never waits for CWR") {
  // M: marked, '.': not. An ACK speaks for the segments since the last one, which are all of one kind.
  for (const std::string_view marks : {"....", "MMMM", "..MM", "M.M.", ".MM.", "...M", "M..."}) {
    CAPTURE(marks);
    Scene scene(Congestion::dctcp);
    const Seq start = scene.world.client.tcb(scene.c)->snd_nxt;
    for (size_t i = 0; i < marks.size(); ++i) scene.world.client.send(scene.c, pattern(1'000));
    auto frames = scene.world.capture(scene.world.client);
    REQUIRE(frames.size() == marks.size());
    for (size_t i = 0; i < frames.size(); ++i) {
      if (marks[i] == 'M') mark_congestion(frames[i]);
    }
    World::deliver(scene.world.server, frames);
    // What each ACK says about the bytes that it newly acknowledges.
    std::string said;
    for (int turn = 0; turn < 600; ++turn) {
      for (const auto& ack : scene.world.capture(scene.world.server)) {
        const TcpSegment s = segment_of(ack);
        const size_t upto = (s.ack - start) / 1'000;
        while (said.size() < upto) said += s.flags & kEce ? 'M' : '.';
      }
    }
    CHECK(said == marks);
  }
}

TEST_CASE("RFC 8257: where all is marked DCTCP falls to half in one round trip, where little is marked it hardly falls") {
  const auto run = [](size_t every) {
    Scene scene(Congestion::dctcp);
    size_t data = 0;
    scene.path.to_server = [&](PairPort::Frame& frame, const TcpSegment& s) {
      if (s.payload_length != 0 && ++data % every == 0) mark_congestion(frame);
      return kOneWay;
    };
    scene.path.send(scene.c, pattern(150 * kMss));
    scene.path.run_ms(3'000);
    CHECK(scene.world.server.app.of(scene.s).bytes.size() == 150 * kMss);
    CHECK(scene.world.client.count(Counter::retransmits) == 0);
    return scene.world.client.tcb(scene.c)->cwnd;
  };
  CHECK(run(1) <= 3);
  CHECK(run(40) >= 8);
}
