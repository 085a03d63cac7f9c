// A router between the two stacks of a World that carries less than they think, and the ICMP errors of others.
#include "test/native/ip_frames.hh"
#include "test/native/tcp_path.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr uint32_t kRouter = 0x0a0000fe;
constexpr IpAddress kServer6{0xfd00'0000'0000'0000, 1}, kClient6{0xfd00'0000'0000'0000, 2};
constexpr IpAddress kRouter6{0xfd00'0000'0000'0000, 0xfe};

HostOptions dual(uint32_t last_byte) {
  HostOptions options{host_config(last_byte)};
  options.stack.ip.ipv6.address = {0xfd00'0000'0000'0000, last_byte};
  options.stack.ip.ipv6.dad_transmits = 0;
  return options;
}

/// The ICMP error about `frame`, a frame of the client, as a router sends it to the client.
Frame error_about(const Frame& frame, uint8_t type, uint8_t code, uint32_t rest) {
  const bool ipv4 = ethernet_type(frame.data()) == kEtherTypeIpv4;
  const Bytes quoted(frame.begin() + 14, frame.begin() + std::min<long>(static_cast<long>(frame.size()), ipv4 ? 42 : 200));
  Frame error = ipv4 ? ipv4_frame(kProtocolIcmp, icmp(type, code, rest, quoted), kRouter, World::kClient)
                     : ipv6_frame(kProtocolIcmpv6, icmpv6(type, code, rest, quoted, kRouter6, kClient6), kRouter6, kClient6);
  store_mac(error.data(), {2, 0, 0, 0, 0, 2});
  return error;
}

struct Narrow : World {
  explicit Narrow(uint16_t mtu_of_path, bool tells_sender = true, HostOptions client_options = dual(2))
      : World(client_options, dual(1)), mtu(mtu_of_path), tells(tells_sender) {
    path.to_server = [this](Frame& frame, const TcpSegment&) -> uint64_t {
      const auto length = static_cast<uint16_t>(frame.size() - 14);
      if (ethernet_type(frame.data()) == kEtherTypeIpv4 && length > 40) dont_fragment &= (frame[20] & 0x40) != 0;
      if (length <= mtu) return 1'000;
      ++swallowed;
      if (tells) client.wire.inject(ipv4(frame) ? error_about(frame, 3, 4, says_mtu ? mtu : 0) : error_about(frame, 2, 0, mtu));
      return Path::kLost;
    };
    listen();
  }

  static bool ipv4(const Frame& frame) { return ethernet_type(frame.data()) == kEtherTypeIpv4; }

  /// Sends `bytes` and waits until they are there.
  bool carry(Handle c, Handle s, const std::string& bytes, uint64_t ms_max = 60'000) {
    const size_t before = server.app.of(s).bytes.size();
    for (size_t at = 0; at < bytes.size();) {
      if (client.stack.send_ready(0) && client.tx.available() > 100) {
        client.send(c, std::string_view(bytes).substr(at, 1'448));
        at += 1'448;
      } else {
        path.run_ms(1);
      }
    }
    path.run_until([&] { return server.app.of(s).bytes.size() >= before + bytes.size(); }, ms_max);
    return server.app.of(s).bytes.substr(before) == bytes;
  }

  /// Nobody has anything to say: a few turns are enough.
  void idle(uint64_t seconds) { run_us(seconds * 1'000'000, 100'000); }

  Path path{*this, 1'000};
  uint16_t mtu;
  bool tells, says_mtu = true, dont_fragment = true;
  uint32_t swallowed = 0;
};

}  // namespace

TEST_CASE("RFC 1191 6.4: what a router finds too big is cut and sent again at once, and nothing is taken for congestion") {
  Narrow world(1'300);
  const auto [c, s] = world.path.open();
  REQUIRE(world.client.tcb(c)->mss == 1'448);
  const double before = world.path.now_ms();
  REQUIRE(world.carry(c, s, pattern(10 * 1'448)));
  CHECK(world.path.now_ms() - before < 20);
  CHECK(world.client.tcb(c)->mss == 1'300 - 40 - 12);
  CHECK(world.swallowed == 10);
  CHECK(world.client.count(Counter::path_mtu_lowered) == 1);
  CHECK(world.client.count(Counter::timeouts) + world.client.count(Counter::fast_retransmits) == 0);
  CHECK(world.client.count(Counter::path_mtu_black_holes) == 0);
  REQUIRE(world.carry(c, s, pattern(100'000, 2)));
  CHECK(world.swallowed == 10);
  CHECK(world.dont_fragment);
}

TEST_CASE("a path that becomes narrower in the middle of a transfer, twice, loses no byte; each step is one error's work") {
  Narrow world(1'500);
  const auto [c, s] = world.path.open();
  REQUIRE(world.carry(c, s, pattern(50'000)));
  world.mtu = 1'280;
  REQUIRE(world.carry(c, s, pattern(50'000, 2)));
  world.mtu = 600;
  world.says_mtu = false;  // an old router: by plateaus
  REQUIRE(world.carry(c, s, pattern(50'000, 3)));
  CHECK(world.client.tcb(c)->mss == 508 - 40 - 12);
  CHECK(world.client.count(Counter::path_mtu_lowered) == 3);  // 1280, 1006, 508
  CHECK(world.client.count(Counter::timeouts) == 0);
}

TEST_CASE("without SACK and timestamps, and at the end of a stream, a cut segment keeps its bytes and its FIN") {
  HostOptions client = dual(2);
  client.stack.tcp.sack = client.stack.tcp.timestamps = false;
  Narrow world(700, true, client);
  const auto [c, s] = world.path.open();
  for (const char seed : {1, 2}) world.client.send(c, pattern(1'448, static_cast<uint32_t>(seed)));
  world.client.stack.close(c, world.now);
  REQUIRE(world.path.run_until([&, &s = s] { return world.server.app.of(s).ended; }, 5'000));
  CHECK(world.server.app.of(s).bytes == pattern(1'448, 1) + pattern(1'448, 2));
  CHECK(world.client.count(Counter::path_mtu_lowered) == 1);
  world.server.stack.close(s, world.now);
  CHECK(world.path.run_until([&, &c = c] { return world.client.app.of(c).closed; }, 5'000));
  CHECK(world.client.app.of(c).reason == CloseReason::finished);
  world.path.run_ms(500);
  CHECK(world.nothing_leaked());
}

TEST_CASE("framed messages that are cut on the way arrive as the messages they were") {
  Narrow world(900);
  world.server.stack.listen({0, 81, Framing::fixed, 1'400});
  const Handle c = world.client.stack.connect({World::kClient, 0}, {World::kServer, 81}, {}, 7, world.now);
  REQUIRE(world.path.run_until([&] { return world.client.app.of(c).opened && world.server.app.opened_count > 0; }, 10'000));
  const Handle s = world.server.app.last;
  for (uint32_t i = 0; i < 20; ++i) world.client.send(c, pattern(1'400, i), static_cast<uint8_t>(i % 4));
  REQUIRE(world.path.run_until([&] { return world.server.app.of(s).messages.size() == 20; }, 10'000));
  std::set<std::string> expected, got(world.server.app.of(s).messages.begin(), world.server.app.of(s).messages.end());
  for (uint32_t i = 0; i < 20; ++i) expected.insert(pattern(1'400, i));
  CHECK(got == expected);
}

TEST_CASE("RFC 1191 6.3 and RFC 8201 4: after ten minutes the MSS of the handshake is tried again") {
  Narrow world(1'300);
  const auto [c, s] = world.path.open();
  REQUIRE(world.carry(c, s, pattern(5'000)));
  world.idle(300);
  world.mtu = 1'200;
  REQUIRE(world.carry(c, s, pattern(5'000)));
  CHECK(world.client.tcb(c)->mss == 1'148);
  world.idle(590);
  CHECK(world.client.tcb(c)->mss == 1'148);  // counted from the last error
  world.idle(15);
  CHECK(world.client.tcb(c)->mss == 1'448);
  CHECK(world.client.count(Counter::path_mtu_raised) == 1);
  REQUIRE(world.carry(c, s, pattern(5'000)));
  CHECK(world.client.tcb(c)->mss == 1'148);
  world.mtu = 1'500;
  world.idle(605);
  REQUIRE(world.carry(c, s, pattern(5'000)));
  CHECK(world.client.tcb(c)->mss == 1'448);
}

TEST_CASE("RFC 2923 2.1: a hole that swallows long segments in silence is found after some time-outs") {
  for (const auto& [mtu, mss, holes] : {std::tuple{1'400, 1'228, 1}, {1'000, 524, 2}}) {
    Narrow world(static_cast<uint16_t>(mtu), false);
    const auto [c, s] = world.path.open();
    REQUIRE(world.carry(c, s, pattern(30'000)));
    CHECK(world.client.tcb(c)->mss == mss);
    CHECK(world.client.count(Counter::path_mtu_black_holes) == holes);
    const uint64_t timeouts = world.client.count(Counter::timeouts);
    REQUIRE(world.carry(c, s, pattern(30'000, 2)));
    CHECK(world.client.count(Counter::timeouts) == timeouts);
  }
}

TEST_CASE("a peer that is gone while short segments are in flight is no black hole") {
  Narrow world(1'500, false);
  const auto [c, s] = world.path.open();
  world.mtu = 60;
  world.client.send(c, pattern(500));
  world.path.run_ms(20'000);
  CHECK(world.client.count(Counter::timeouts) > 5);
  CHECK(world.client.count(Counter::path_mtu_lowered) == 0);
}

TEST_CASE("RFC 8201: packet too big does the same for IPv6, and claims below what IPv6 guarantees are none") {
  Narrow world(1'400);
  const Handle c = world.client.stack.connect({}, {kServer6, World::kPort}, {}, 7, world.now);
  REQUIRE(world.path.run_until([&] { return world.client.app.of(c).opened && world.server.app.opened_count > 0; }, 10'000));
  const Handle s = world.server.app.last;
  REQUIRE(world.carry(c, s, pattern(30'000)));
  CHECK(world.client.tcb(c)->mss == 1'400 - 60 - 12);
  CHECK(world.client.count(Counter::timeouts) == 0);
  Frame seen;
  world.path.to_server = [&](Frame& frame, const TcpSegment&) -> uint64_t {
    if (frame.size() > 500) seen = frame;
    return frame.size() > 500 ? Path::kLost : 1'000;
  };
  world.client.send(c, pattern(1'000));
  world.path.run_ms(1);
  REQUIRE(!seen.empty());
  const uint64_t dropped = world.client.count(Counter::drop_icmp_error);
  world.client.wire.inject(error_about(seen, 2, 0, 1'279));
  world.path.run_ms(1);
  CHECK(world.client.tcb(c)->mss == 1'328);
  CHECK(world.client.count(Counter::drop_icmp_error) == dropped + 1);
  world.client.wire.inject(error_about(seen, 2, 0, 70'000));
  world.path.run_ms(1);
  CHECK(world.client.tcb(c)->mss == 1'328);
}

TEST_CASE("RFC 5927 4.1, 7.2: an error is believed about a segment in flight alone, only if it says less, and not too little") {
  Narrow world(1'500);
  const auto [c, s] = world.path.open();
  Frame seen;
  world.path.to_server = [&](Frame& frame, const TcpSegment&) -> uint64_t {
    if (frame.size() > 1'000) seen = frame;
    return Path::kLost;
  };
  world.client.send(c, pattern(1'448));
  world.path.run_ms(1);
  REQUIRE(!seen.empty());
  const auto altered = [&](uint32_t at, uint32_t by) {
    Frame frame = seen;
    store_be32(frame.data() + at, load_be32(frame.data() + at) + by);
    return frame;
  };
  const Frame forged[] = {
      error_about(altered(38, 1'448), 3, 4, 1'000),          // a sequence number beyond what was sent
      error_about(altered(38, ~0u), 3, 4, 1'000),            // or before what is unacknowledged
      error_about(altered(34, 1), 3, 4, 1'000),              // another port of the peer
      error_about(altered(30, 1), 3, 4, 1'000),              // another peer
      error_about(seen, 3, 4, 1'500),                        // it would have fitted
      error_about(seen, 3, 4, 9'000),
  };
  for (const Frame& frame : forged) world.client.wire.inject(frame);
  world.path.run_ms(1);
  CHECK(world.client.count(Counter::drop_icmp_error) == 6);
  CHECK(world.client.tcb(c)->mss == 1'448);
  world.client.wire.inject(error_about(seen, 3, 4, 68));
  world.path.run_ms(1);
  CHECK(world.client.tcb(c)->mss == 296 - 52);
  world.client.wire.inject(error_about(seen, 3, 4, 68));
  world.path.run_ms(1);
  CHECK(world.client.count(Counter::drop_icmp_error) == 7);
  CHECK(world.client.count(Counter::path_mtu_lowered) == 1);
}

TEST_CASE("with no packet left to cut with, what was too big waits for one and arrives all the same") {
  HostOptions client = dual(2);
  client.tx_packets = 40;
  Narrow world(1'500, true, client);
  const auto [c, s] = world.path.open();
  const std::string bytes = pattern(9 * 1'448);
  std::vector<Packet*> taken;
  for (size_t at = 0; at < bytes.size(); at += 1'448) world.client.send(c, std::string_view(bytes).substr(at, 1'448));
  world.mtu = 1'300;
  while (Packet* const packet = world.client.tx.allocate()) taken.push_back(packet);
  world.path.run_ms(10);
  CHECK(world.client.tcb(c)->mss == 1'248);
  CHECK(world.client.count(Counter::drop_no_packet) > 0);
  world.path.run_ms(2'000);
  CHECK(world.server.app.of(s).bytes.size() >= 1'448);  // its own packets are enough for it
  for (Packet* const packet : taken) world.client.tx.release(packet);
  REQUIRE(world.path.run_until([&, &s = s] { return world.server.app.of(s).bytes.size() == bytes.size(); }, 10'000));
  CHECK(world.server.app.of(s).bytes == bytes);
}

TEST_CASE("RFC 1122 4.2.3.9: errors about a SYN end the open where nothing will pass, with the reason") {
  for (const auto& [type, code, reason] : {std::tuple{3, 3, CloseReason::refused}, {3, 2, CloseReason::unreachable},
                                           {3, 13, CloseReason::unreachable}}) {
    Narrow world(1'500);
    Frame syn;
    world.path.to_server = [&](Frame& frame, const TcpSegment& s) -> uint64_t {
      if (!(s.flags & kSyn)) return 0;
      syn = frame;
      return Path::kLost;
    };
    const Handle c = world.client.stack.connect({World::kClient, 0}, {World::kServer, World::kPort}, {}, 7, world.now);
    world.path.run_until([&] { return !syn.empty(); }, 1'000);
    Frame other = syn;
    store_be32(other.data() + 38, load_be32(syn.data() + 38) + 1);
    world.client.wire.inject(error_about(other, static_cast<uint8_t>(type), static_cast<uint8_t>(code), 0));
    world.path.run_ms(1);
    CHECK_FALSE(world.client.app.of(c).closed);
    world.client.wire.inject(error_about(syn, static_cast<uint8_t>(type), static_cast<uint8_t>(code), 0));
    world.path.run_ms(1);
    REQUIRE(world.client.app.of(c).closed);
    CHECK(world.client.app.of(c).reason == reason);
  }
}

TEST_CASE("RFC 1122 4.2.3.9: a soft error ends nothing; when the time is over it is the reason") {
  HostOptions client = dual(2);
  client.stack.tcp.syn_retries_max = 1;
  for (const bool soft : {false, true}) {
    Narrow world(1'500, true, client);
    world.path.to_server = [&](Frame& frame, const TcpSegment& s) -> uint64_t {
      if (!(s.flags & kSyn)) return 0;
      if (soft) world.client.wire.inject(error_about(frame, 3, 1, 0));
      return Path::kLost;
    };
    const Handle c = world.client.stack.connect({World::kClient, 0}, {World::kServer, World::kPort}, {}, 7, world.now);
    world.path.run_ms(900);
    CHECK_FALSE(world.client.app.of(c).closed);
    REQUIRE(world.path.run_until([&] { return world.client.app.of(c).closed; }, 10'000));
    CHECK(world.client.app.of(c).reason == (soft ? CloseReason::unreachable : CloseReason::timed_out));
  }
}

TEST_CASE("RFC 5927 5.2: no error ends an open connection; one that is followed by silence is the reason in the end") {
  HostOptions client = dual(2);
  client.stack.tcp.retries_max = 4;
  Narrow world(1'500, true, client);
  const auto [c, s] = world.path.open();
  bool broken = true;
  world.path.to_server = [&](Frame& frame, const TcpSegment& segment) -> uint64_t {
    if (!broken || segment.payload_length == 0) return 1'000;
    world.client.wire.inject(error_about(frame, 3, 3, 0));
    world.client.wire.inject(error_about(frame, 3, 2, 0));
    return Path::kLost;
  };
  world.client.send(c, pattern(100));
  world.path.run_ms(500);
  broken = false;
  REQUIRE(world.path.run_until([&, &s = s] { return world.server.app.of(s).bytes.size() == 100; }, 5'000));
  // Errors of an episode that has passed are no reason for a later one.
  world.path.to_server = [](Frame&, const TcpSegment&) -> uint64_t { return Path::kLost; };
  world.client.send(c, pattern(100));
  REQUIRE(world.path.run_until([&, &c = c] { return world.client.app.of(c).closed; }, 60'000));
  CHECK(world.client.app.of(c).reason == CloseReason::timed_out);

  Narrow other(1'500, true, client);
  const auto [c2, s2] = other.path.open();
  other.path.to_server = [&](Frame& frame, const TcpSegment& segment) -> uint64_t {
    if (segment.payload_length != 0) other.client.wire.inject(error_about(frame, 3, 1, 0));
    return Path::kLost;
  };
  other.client.send(c2, pattern(100));
  REQUIRE(other.path.run_until([&, &c2 = c2] { return other.client.app.of(c2).closed; }, 60'000));
  CHECK(other.client.app.of(c2).reason == CloseReason::unreachable);
}

TEST_CASE("lowered sizes are remembered for a bounded number of connections, the newest ones") {
  LoweredMss lowered(3);
  for (uint32_t i = 0; i < 4; ++i) lowered.add({i, 0}, static_cast<uint16_t>(1'400 + i), 100 + i);
  CHECK(lowered.oldest()->handle == Handle{1, 0});
  lowered.add({2, 0}, 900, 200);  // once more: it waits anew, for what it had at first
  std::vector<std::pair<uint32_t, uint16_t>> left;
  for (; lowered.oldest() != nullptr; lowered.drop_oldest()) left.emplace_back(lowered.oldest()->handle.slot, lowered.oldest()->mss);
  CHECK(left == std::vector<std::pair<uint32_t, uint16_t>>{{kNoIndex, 1'402}, {3, 1'403}, {2, 1'402}});
}
