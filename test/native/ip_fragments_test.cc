#include <algorithm>
#include <random>

#include "native/ip/fragments.hh"
#include "native/wire/ecn.hh"
#include "test/native/ip_frames.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

struct Bench : IpBench {
  explicit Bench(const IpConfig& config = dual_config()) : IpBench(config) {}

  /// Feeds pieces of `whole`, the last of `ranges` being the last of the datagram; the verdict about the last fed.
  IpLayer::Verdict feed_pieces(const Frame& whole, const std::vector<Range>& ranges, bool ipv6, uint32_t identification = 7) {
    IpLayer::Verdict verdict = kConsumed;
    const uint32_t end = static_cast<uint32_t>(whole.size()) - kEthernetHeader - (ipv6 ? kIpv6Header : kIpv4Header);
    for (const Range& range : ranges) {
      const bool more = range.end != end;
      verdict = feed(ipv6 ? piece_of_ipv6(whole, range, more, identification)
                          : piece_of(whole, range, more, static_cast<uint16_t>(identification)));
    }
    return verdict;
  }
  Bytes accepted_bytes() const { return {accepted->data, accepted->data + accepted->length}; }
};

/// Takes what it is offered, as long as it wants it.
struct Others final : OtherStacks {
  explicit Others(PacketPool*& pool) : pool(pool) {}
  bool take(Packet* packet) override {
    offered.emplace_back(packet->data, packet->data + packet->length);
    if (takes) pool->release(packet);
    return takes;
  }
  PacketPool*& pool;
  bool takes = true;
  std::vector<Bytes> offered;
};

}  // namespace

TEST_CASE("RFC 791 3.2 and RFC 8200 4.5: a segment in pieces is put together, in whatever order they come") {
  std::vector<Range> ranges = {{0, 400}, {400, 800}, {800, 1'000}, {1'000, 1'220}};
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  do {
    for (const bool ipv6 : {false, true}) {
      Bench bench;
      const Frame whole = ipv6 ? ipv6_frame(kProtocolTcp, segment(1'200)) : ipv4_frame(kProtocolTcp, segment(1'200));
      REQUIRE(bench.feed_pieces(whole, ranges, ipv6) == kTcp);
      CHECK(bench.accepted->l3 == 14);
      CHECK(bench.accepted->l4 == (ipv6 ? 54 : 34));
      Frame expected = whole;
      if (!ipv6) change_ipv4(expected.data() + 14, static_cast<uint16_t>(whole.size() - 14), {});
      CHECK(bench.accepted_bytes() == expected);
      CHECK(bench.count(Counter::fragments_in) == 4);
      CHECK(bench.count(Counter::datagrams_reassembled) == 1);
    }
  } while (std::next_permutation(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; }));
}

TEST_CASE("what is whole again is offered to the other stacks that have our addresses, and goes on here if it is not theirs") {
  for (const bool ipv6 : {false, true}) {
    for (const bool takes : {false, true}) {
      PacketPool* pool = nullptr;
      Others others(pool);
      others.takes = takes;
      IpConfig config = dual_config();
      config.others = &others;
      Bench bench(config);
      pool = &bench.rx;
      const Frame whole = ipv6 ? ipv6_frame(kProtocolTcp, segment(180)) : ipv4_frame(kProtocolTcp, segment(180));
      CHECK(bench.feed(whole) == kTcp);
      CHECK(others.offered.empty());
      CHECK(bench.feed_pieces(whole, {{0, 96}, {96, 200}}, ipv6) == (takes ? kConsumed : kTcp));
      if (ipv6) CHECK(bench.feed(piece_of_ipv6(whole, {0, 200}, false)) == (takes ? kConsumed : kTcp));
      Frame expected = whole;
      if (!ipv6) change_ipv4(expected.data() + 14, static_cast<uint16_t>(whole.size() - 14), {});
      CHECK(others.offered == std::vector<Bytes>(ipv6 ? 2 : 1, expected));
    }
  }
}

TEST_CASE("pieces of different datagrams do not mix: source, destination, number and, with IPv4, protocol tell them apart") {
  Bench bench;
  const Frame whole = ipv4_frame(kProtocolTcp, segment(180));
  const Frame other = ipv4_frame(kProtocolTcp, segment(180), kPeerIpv4 + 1);
  const Frame udp = ipv4_frame(kProtocolUdp, segment(180));
  bench.feed(piece_of(whole, {0, 96}, true));
  CHECK(bench.feed(piece_of(whole, {96, 200}, false, 8)) == kConsumed);
  CHECK(bench.feed(piece_of(other, {96, 200}, false)) == kConsumed);
  CHECK(bench.feed(piece_of(udp, {96, 200}, false)) == kConsumed);
  CHECK(bench.count(Counter::datagrams_reassembled) == 0);
  CHECK(bench.feed(piece_of(whole, {96, 200}, false)) == kTcp);
}

TEST_CASE("RFC 5722 3: fragments that overlap drop the whole datagram, and what still comes of it") {
  const std::vector<Range> overlaps[] = {
      {{0, 200}, {192, 400}, {400, 820}},              // into the one before
      {{400, 820}, {200, 408}, {0, 200}},              // into the one behind
      {{0, 600}, {200, 400}, {600, 820}},              // inside
      {{200, 400}, {0, 600}, {600, 820}},              // around
  };
  for (const bool ipv6 : {false, true}) {
    for (const auto& ranges : overlaps) {
      Bench bench;
      const Frame whole = ipv6 ? ipv6_frame(kProtocolTcp, segment(800)) : ipv4_frame(kProtocolTcp, segment(800));
      CHECK(bench.feed_pieces(whole, ranges, ipv6) == kConsumed);
      CHECK(bench.count(Counter::drop_fragment_overlap) == 3);
      // The missing pieces, and a later datagram of the same number: nothing of it is taken before its time is over.
      CHECK(bench.feed_pieces(whole, {{0, 400}, {400, 820}}, ipv6) == kConsumed);
      CHECK(bench.count(Counter::drop_fragment_overlap) == 5);
      bench.wait(61 * kSecond);
      CHECK(bench.sent().empty());
      CHECK(bench.feed_pieces(whole, {{0, 400}, {400, 820}}, ipv6) == kTcp);
    }
  }
}

TEST_CASE("a piece that comes twice is dropped alone; one of the same place with other bytes is an overlap") {
  Bench bench;
  const Frame whole = ipv4_frame(kProtocolTcp, segment(800));
  bench.feed(piece_of(whole, {0, 400}, true));
  bench.feed(piece_of(whole, {0, 400}, true));
  CHECK(bench.count(Counter::drop_ip_fragment) == 1);
  CHECK(bench.feed(piece_of(whole, {400, 820}, false)) == kTcp);
  Frame changed = piece_of(whole, {0, 400}, true, 9);
  bench.feed(changed);
  changed.back() ^= 1;
  bench.feed(changed);
  CHECK(bench.count(Counter::drop_fragment_overlap) == 2);
  CHECK(bench.feed(piece_of(whole, {400, 820}, false, 9)) == kConsumed);
}

TEST_CASE("two last pieces, and pieces behind the last one, contradict each other: all are dropped") {
  const Frame whole = ipv4_frame(kProtocolTcp, segment(800));
  const std::pair<Frame, Frame> pairs[] = {
      {piece_of(whole, {400, 800}, false), piece_of(whole, {8, 320}, false)},
      {piece_of(whole, {8, 320}, false), piece_of(whole, {400, 800}, true)},
      {piece_of(whole, {400, 800}, true), piece_of(whole, {8, 320}, false)},
      {piece_of(whole, {400, 800}, true), piece_of(whole, {400, 800}, false)}};
  for (const auto& [first, second] : pairs) {
    Bench bench;
    bench.feed(first);
    bench.feed(second);
    CHECK(bench.count(Counter::drop_fragment_overlap) == 2);
  }
}

TEST_CASE("impossible pieces are dropped: empty, not in units of 8 bytes, or beyond 65,535 bytes (the ping of death)") {
  Bench bench;
  const Frame whole = ipv4_frame(kProtocolIcmp, icmp(kIcmpEchoRequest, 0, 1, Bytes(1'400)));
  bench.feed(piece_of(whole, {0, 100}, true));
  bench.feed(piece_of(whole, {8, 8}, true));
  Frame last = piece_of(whole, {0, 1'400}, false);
  change_ipv4(last.data() + 14, static_cast<uint16_t>(last.size() - 14), {7, 65'528, false});
  bench.feed(last);
  CHECK(bench.count(Counter::drop_ip_fragment) == 3);
  CHECK(bench.sent().empty());
}

TEST_CASE("a datagram of too many tiny pieces is dropped, and so is what comes of it later") {
  Bench bench;
  const Frame whole = ipv4_frame(kProtocolTcp, segment(800));
  for (uint32_t at = 0; at < 800; at += 8) bench.feed(piece_of(whole, {at, at + 8}, true));
  CHECK(bench.feed(piece_of(whole, {800, 820}, false)) == kConsumed);
  CHECK(bench.count(Counter::drop_ip_fragment) == Fragments::kPieces + 1);
  CHECK(bench.count(Counter::drop_ip_fragment) + bench.count(Counter::drop_fragment_overlap) == 101);
}

TEST_CASE("RFC 1122 3.3.2 and RFC 8200 4.5: what is not whole after 60 s is dropped, and its sender told if it sent the beginning") {
  for (const bool ipv6 : {false, true}) {
    Bench bench;
    const Frame whole = ipv6 ? ipv6_frame(kProtocolTcp, segment(800)) : ipv4_frame(kProtocolTcp, segment(800));
    bench.feed_pieces(whole, {{0, 400}}, ipv6, 1);
    bench.feed_pieces(whole, {{400, 800}}, ipv6, 2);
    bench.wait(59 * kSecond);
    CHECK(bench.count(Counter::drop_fragment_timeout) == 0);
    bench.wait(2 * kSecond);
    CHECK(bench.count(Counter::drop_fragment_timeout) == 2);
    const auto frames = bench.sent();
    REQUIRE(frames.size() == 1);
    const uint32_t at = ipv6 ? 54 : 34;
    CHECK(frames[0][at] == (ipv6 ? 3 : 11));
    CHECK(frames[0][at + 1] == 1);
    CHECK(ethernet_destination(frames[0].data()) == kPeerMac);
    const Frame first = ipv6 ? piece_of_ipv6(whole, {0, 400}, true, 1) : piece_of(whole, {0, 400}, true, 1);
    const auto quoted = frames[0].begin() + at + 8;
    CHECK(std::equal(quoted, frames[0].end(), first.begin() + 14));
    CHECK(bench.count(Counter::icmp_errors_out) == 1);
  }
}

TEST_CASE("a flood of first pieces takes a bounded pool, and a datagram that comes as a burst gets through it") {
  Bench bench;
  const Frame whole = ipv4_frame(kProtocolTcp, segment(800));
  for (uint32_t i = 0; i < 10'000; ++i) {
    const Frame forged = ipv4_frame(kProtocolTcp, segment(800), 0x0a000080 + i % 64);
    bench.feed(piece_of(forged, {0, 400}, true, static_cast<uint16_t>(i)));
    if (i % 1'000 != 0) continue;
    bench.feed(piece_of(whole, {0, 400}, true, static_cast<uint16_t>(i)));
    CHECK(bench.feed(piece_of(whole, {400, 820}, false, static_cast<uint16_t>(i))) == kTcp);
  }
  CHECK(bench.count(Counter::drop_fragment_full) == 10'000 - Fragments::kDatagrams);
  bench.wait(61 * kSecond);
  CHECK(bench.count(Counter::drop_fragment_timeout) == Fragments::kDatagrams);
}

TEST_CASE("RFC 3168 5.3: a mark on one piece marks the datagram, and is not mixed with pieces that cannot be marked") {
  const Frame whole = ipv4_frame(kProtocolTcp, segment(400));
  const auto verdict = [&](uint8_t first, uint8_t second, uint8_t& out) {
    Bench bench;
    for (const auto& [range, ecn] : {std::pair{Range{0, 200}, first}, std::pair{Range{200, 420}, second}}) {
      Frame frame = piece_of(whole, range, range.first == 0);
      frame[15] = ecn;
      change_ipv4(frame.data() + 14, static_cast<uint16_t>(frame.size() - 14), piece_of_ipv4(frame.data() + 14));
      const auto result = bench.feed(frame);
      if (range.first != 0) {
        if (bench.accepted != nullptr) out = ecn_of(bench.accepted->data + 14);
        return result;
      }
    }
    return kConsumed;
  };
  uint8_t merged = 99;
  CHECK(verdict(kEcnCapable, kEcnCongestion, merged) == kTcp);
  CHECK(merged == kEcnCongestion);
  CHECK(verdict(kEcnCapable, kEcnCapable, merged) == kTcp);
  CHECK(merged == kEcnCapable);
  CHECK(verdict(kEcnNotCapable, kEcnCongestion, merged) == kConsumed);
}

TEST_CASE("RFC 6946: a fragment that is a whole datagram waits for no other, even with one under way under its number") {
  Bench bench;
  const Frame whole = ipv6_frame(kProtocolTcp, segment(800));
  bench.feed(piece_of_ipv6(whole, {0, 400}, true));
  REQUIRE(bench.feed(piece_of_ipv6(whole, {0, 820}, false)) == kTcp);
  CHECK(bench.accepted_bytes() == whole);
  CHECK(bench.feed(piece_of_ipv6(whole, {400, 820}, false)) == kTcp);
}

TEST_CASE("RFC 8200 4.5: a piece of IPv6 with odd length, or beyond the largest payload, is a parameter problem") {
  Bench bench;
  const Frame whole = ipv6_frame(kProtocolTcp, segment(800));
  bench.feed(piece_of_ipv6(whole, {0, 100}, true));
  auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0][54] == kIcmpv6ParameterProblem);
  CHECK(frames[0][55] == kErroneousHeader);
  CHECK(load_be32(frames[0].data() + 58) == 4);
  Frame last = piece_of_ipv6(whole, {0, 800}, false);
  write_ipv6_piece(last.data() + 54, kProtocolTcp, {7, 65'528, false});
  bench.feed(last);
  frames = bench.sent();
  REQUIRE(frames.size() == 1);
  CHECK(load_be32(frames[0].data() + 58) == 42);
  CHECK(bench.count(Counter::drop_ip_fragment) == 2);
}

TEST_CASE("a fragment inside of a reassembled datagram is dropped, and NDP in pieces is ignored (RFC 6980 5)") {
  Bench bench;
  const Frame whole = ipv6_frame(kProtocolTcp, segment(800));
  const Frame inner = piece_of_ipv6(whole, {0, 400}, true, 9);
  const Bytes payload(inner.begin() + 54, inner.end());
  const Frame outer = ipv6_frame(kProtocolFragment, payload);
  CHECK(bench.feed_pieces(outer, {{0, 200}, {200, 408}}, true) == kConsumed);
  CHECK(bench.count(Counter::datagrams_reassembled) == 1);
  CHECK(bench.count(Counter::drop_ip_fragment) == 1);
  Bytes message(32);
  NeighborMessage solicitation{};
  solicitation.target = kOurIpv6;
  solicitation.mac = kPeerMac;
  write_neighbor_message(message.data(), solicitation);
  write_icmp_checksum(message.data(), 32, checksum_pseudo(kPeerIpv6, kOurIpv6, kProtocolIcmpv6, 32));
  Frame frame = ipv6_frame(kProtocolIcmpv6, message);
  frame[21] = 255;
  bench.feed(frame);
  CHECK(bench.sent().size() == 1);
  bench.feed(piece_of_ipv6(frame, {0, 32}, false));
  CHECK(bench.sent().empty());
  CHECK(bench.count(Counter::drop_ndp) == 1);
}

TEST_CASE("an echo request of 4,000 bytes comes in pieces and is answered in pieces, with the same data") {
  for (const bool ipv6 : {false, true}) {
    Bench bench, peer;
    const Bytes data = counting(4'000);
    const Frame whole = ipv6 ? ipv6_frame(kProtocolIcmpv6, icmpv6(kIcmpv6EchoRequest, 0, 5, data))
                             : ipv4_frame(kProtocolIcmp, icmp(kIcmpEchoRequest, 0, 5, data));
    bench.feed_pieces(whole, {{0, 1'448}, {1'448, 2'896}, {2'896, 4'008}}, ipv6);
    const auto frames = bench.sent();
    const size_t pieces = ipv6 ? 4 : 3;  // RFC 8200 5: of 1,280 bytes, since no path MTU is known
    REQUIRE(frames.size() == pieces);
    CHECK(bench.count(Counter::fragments_out) == pieces);
    CHECK(bench.count(Counter::icmp_out) == 1);
    Counters counters;
    Fragments fragments(counters);
    const Fragments::Datagram* answer = nullptr;
    for (const Frame& frame : frames) {
      REQUIRE(frame.size() <= 1'514);
      const uint8_t* const ip = frame.data() + 14;
      Fragment fragment;
      if (ipv6) {
        const Ipv6Piece piece = piece_of_ipv6(ip + 40);
        fragment = {{{}, {}, piece.identification, 0}, piece.offset, piece.more, 0, {}, {ip, 48}, {ip + 48, frame.data() + frame.size()}};
      } else {
        Ipv4Header header;
        REQUIRE(parse_ipv4(ip, static_cast<uint16_t>(frame.size() - 14), header) == Ipv4Fault::none);
        const Ipv4Piece piece = piece_of_ipv4(ip);
        fragment = {{{}, {}, piece.identification, 0}, piece.offset, piece.more, 0, {}, {ip, 20}, {ip + 20, frame.data() + frame.size()}};
      }
      answer = fragments.add(fragment, bench.now);
    }
    REQUIRE(answer != nullptr);
    const Bytes bytes(answer->bytes.begin(), answer->bytes.end());
    CHECK(bytes == (ipv6 ? icmpv6(kIcmpv6EchoReply, 0, 5, data, kOurIpv6, kPeerIpv6) : icmp(kIcmpEchoReply, 0, 5, data)));
  }
}

TEST_CASE("a segment of TCP that is longer than the MTU, and a datagram longer than the pool has room for, are dropped") {
  Bench bench;
  const Frame whole = ipv4_frame(kProtocolTcp, segment(3'000));
  CHECK(bench.feed_pieces(whole, {{0, 1'480}, {1'480, 2'960}, {2'960, 3'020}}, false) == kConsumed);
  CHECK(bench.count(Counter::drop_ip_fragment) == 1);
  const Frame huge = ipv4_frame(kProtocolIcmp, Bytes(9'000));
  bench.feed(piece_of(huge, {7'400, 8'880}, true));
  CHECK(bench.count(Counter::drop_ip_fragment) == 2);
}

TEST_CASE("random fragments, in any order, with overlaps and gaps: never a byte that was not sent at its place") {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  Counters counters;
  Fragments fragments(counters);
  const Bytes bytes = counting(Fragments::kBytes);
  const uint8_t header[20] = {};
  Nanos now = kSecond;
  uint64_t wholes = 0;
  for (uint32_t round = 0; round < 300'000; ++round) {
    Fragment fragment;
    fragment.key = {kPeerIpv4, kOurIpv4, static_cast<uint32_t>(random() % 100), 6};
    fragment.offset = static_cast<uint32_t>(random() % 6) * 96;
    const auto length = static_cast<uint32_t>(96 * (1 + random() % 3) - (random() % 8 == 0 ? 5 : 0));
    fragment.more = random() % 4 != 0;
    fragment.headers = header;
    fragment.bytes = {bytes.data() + fragment.offset, length};
    now += random() % 8 == 0 ? kSecond : 1'000;
    if (const auto* const whole = fragments.add(fragment, now)) {
      ++wholes;
      REQUIRE(whole->bytes.size() <= 8 * 96);
      REQUIRE(std::equal(whole->bytes.begin(), whole->bytes.end(), bytes.begin()));
    }
    while (fragments.expire(now) != nullptr) {}
    REQUIRE(fragments.used() <= Fragments::kDatagrams);
  }
  CHECK(wholes > 1'000);
  CHECK(counters.get(Counter::drop_fragment_overlap) > 1'000);
  while (fragments.expire(now + 2 * Fragments::kPatience) != nullptr) {}
  CHECK(fragments.used() == 0);
  MESSAGE("seed " << seed);
}
