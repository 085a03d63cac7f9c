#include "test/native/ip_frames.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr IpAddress kGroup = kAllNodes;

struct Bench : IpBench {
  explicit Bench(const IpConfig& config = dual_config()) : IpBench(config) {}

  /// The one ICMP message that was sent, its checksum right.
  Bytes answer() {
    const auto frames = sent();
    REQUIRE(frames.size() == 1);
    const Frame& frame = frames[0];
    CHECK(ethernet_destination(frame.data()) == kPeerMac);
    const bool ipv4 = ethernet_type(frame.data()) == kEtherTypeIpv4;
    const uint32_t at = ipv4 ? 34 : 54;
    const auto length = static_cast<uint16_t>(frame.size() - at);
    const uint64_t pseudo =
        ipv4 ? 0 : checksum_pseudo(load_ipv6(frame.data() + 22), load_ipv6(frame.data() + 38), kProtocolIcmpv6, length);
    CHECK(internet_checksum(frame.data() + at, length, pseudo) == 0);
    CHECK(frame[ipv4 ? 23 : 20] == (ipv4 ? kProtocolIcmp : kProtocolIcmpv6));
    return {frame.begin() + at, frame.end()};
  }
};

/// A packet of ours that a router quotes.
Bytes our_segment(uint16_t payload = 1'000, uint32_t remote = kPeerIpv4) {
  Bytes packet(kIpv4Header + kTcpHeader);
  write_ipv4(packet.data(), kOurIpv4, remote, kProtocolTcp, static_cast<uint16_t>(kIpv4Header + kTcpHeader + payload));
  write_tcp_header(packet.data() + kIpv4Header, 80, 5'000, 0x01020304, 9, kTcpHeader, kAck, 100);
  return packet;
}

Bytes our_segment_ipv6(const IpAddress& remote = kPeerIpv6) {
  Bytes packet(kIpv6Header + kTcpHeader);
  write_ipv6(packet.data(), kOurIpv6, remote, kProtocolTcp, 1'020);
  write_tcp_header(packet.data() + kIpv6Header, 80, 5'000, 0x01020304, 9, kTcpHeader, kAck, 100);
  return packet;
}

}  // namespace

TEST_CASE("RFC 1122 3.2.2.1: a datagram for a port of UDP, or of another protocol, is answered as unreachable, and quoted") {
  Bench bench;
  const Frame udp = ipv4_frame(kProtocolUdp, counting(100));
  bench.feed(udp);
  Bytes answer = bench.answer();
  CHECK(answer[0] == kIcmpUnreachable);
  CHECK(answer[1] == kPortUnreachable);
  CHECK(Bytes(answer.begin() + 8, answer.end()) == Bytes(udp.begin() + 14, udp.end()));
  bench.feed(ipv4_frame(132, counting(100)));
  CHECK(bench.answer()[1] == kProtocolUnreachable);
  bench.feed(ipv4_frame(kProtocolUdp, counting(1'400)));
  CHECK(bench.answer().size() == 576 - 20);
  CHECK(bench.count(Counter::icmp_errors_out) == 3);
  CHECK(bench.count(Counter::drop_protocol) == 3);
}

TEST_CASE("RFC 4443 3.1 and 3.4: UDP over IPv6 meets no port, and another next header is a problem at its octet") {
  Bench bench;
  const Frame udp = ipv6_frame(kProtocolUdp, counting(100));
  bench.feed(udp);
  Bytes answer = bench.answer();
  CHECK(answer[0] == kIcmpv6Unreachable);
  CHECK(answer[1] == kIcmpv6PortUnreachable);
  CHECK(Bytes(answer.begin() + 8, answer.end()) == Bytes(udp.begin() + 14, udp.end()));
  bench.feed(ipv6_frame(kProtocolDestination, Bytes{132, 0, 1, 4, 0, 0, 0, 0} + counting(40)));
  answer = bench.answer();
  CHECK(answer[0] == kIcmpv6ParameterProblem);
  CHECK(answer[1] == kUnknownNextHeader);
  CHECK(load_be32(answer.data() + 4) == 40);
  bench.feed(ipv6_frame(kProtocolUdp, counting(1'400)));
  CHECK(bench.answer().size() == 1'280 - 40);
  bench.feed(ipv6_frame(kProtocolNone, {}));
  CHECK(bench.sent().empty());
}

TEST_CASE("RFC 8200 4: headers that cannot be followed are parameter problems, as their options ask for it") {
  Bench bench;
  const auto options = [](uint8_t type) { return Bytes{kProtocolTcp, 0, type, 4, 0, 0, 0, 0} + segment(0); };
  bench.feed(ipv6_frame(kProtocolRouting, Bytes{kProtocolTcp, 0, 0, 1, 0, 0, 0, 0} + segment(0)));
  Bytes answer = bench.answer();
  CHECK(answer[1] == kErroneousHeader);
  CHECK(load_be32(answer.data() + 4) == 42);
  bench.feed(ipv6_frame(kProtocolDestination, Bytes{kProtocolHopByHop, 0, 1, 4, 0, 0, 0, 0} + options(1)));
  answer = bench.answer();
  CHECK(answer[1] == kUnknownNextHeader);
  CHECK(load_be32(answer.data() + 4) == 40);
  bench.feed(ipv6_frame(kProtocolDestination, options(0x5e)));  // 01: in silence
  CHECK(bench.sent().empty());
  for (const uint8_t type : {0x9e, 0xde}) {
    bench.feed(ipv6_frame(kProtocolDestination, options(type)));
    answer = bench.answer();
    CHECK(answer[1] == kUnknownOption);
    CHECK(load_be32(answer.data() + 4) == 42);
  }
  // 10: also in answer to multicast, from one of our own addresses; 11: not.
  bench.feed(ipv6_frame(kProtocolDestination, options(0x9e), kPeerIpv6, kGroup));
  CHECK(bench.answer()[1] == kUnknownOption);
  bench.feed(ipv6_frame(kProtocolDestination, options(0xde), kPeerIpv6, kGroup));
  CHECK(bench.sent().empty());
}

TEST_CASE("RFC 1122 3.2.2, RFC 4443 2.4: no error about what came to many, from nobody in particular, or about ICMP") {
  Bench bench;
  bench.feed(ipv6_frame(kProtocolUdp, counting(40), kPeerIpv6, kGroup));
  bench.feed(ipv6_frame(kProtocolRouting, Bytes{kProtocolTcp, 0, 0, 1, 0, 0, 0, 0} + segment(0), kGroup, kOurIpv6));
  Frame group = ipv4_frame(kProtocolUdp, counting(40));
  store_mac(group.data(), kBroadcast);
  bench.feed(group);
  group = ipv4_frame(kProtocolUdp, counting(40));
  group[6] |= 1;  // a station that is none
  bench.feed(group);
  for (const uint32_t source : {0x0a0000ffu, 0xe0000001u, 0u, kOurIpv4}) bench.feed(ipv4_frame(kProtocolUdp, counting(40), source));
  for (int type = 0; type < 256; ++type) {
    if (type == kIcmpEchoRequest) continue;
    bench.feed(ipv4_frame(kProtocolIcmp, icmp(static_cast<uint8_t>(type), 0, 0, counting(40))));
  }
  for (int type = 0; type < 256; ++type) {
    if (type == kIcmpv6EchoRequest) continue;
    bench.feed(ipv6_frame(kProtocolIcmpv6, icmpv6(static_cast<uint8_t>(type), 0, 0, counting(40))));
  }
  CHECK(bench.sent().empty());
}

TEST_CASE("errors are bounded: a burst of 50, then 1,000 a second, and the rest is counted") {
  Bench bench;
  uint64_t errors = 0;
  for (int i = 0; i < 100; ++i) {
    bench.feed(ipv4_frame(kProtocolUdp, counting(40)));
    errors += bench.sent().size();
  }
  CHECK(errors == 50);
  bench.now += kSecond / 100;
  for (int i = 0; i < 100; ++i) {
    bench.feed(ipv6_frame(kProtocolUdp, counting(40)));
    errors += bench.sent().size();
  }
  CHECK(errors == 60);
  CHECK(bench.count(Counter::icmp_errors_limited) == 140);
}

TEST_CASE("RFC 792, RFC 1122 3.2.2.1: an error about a segment of ours says which and why") {
  using Kind = IcmpError::Kind;
  Bench bench;
  const std::pair<std::pair<uint8_t, uint8_t>, Kind> cases[] = {
      {{3, 0}, Kind::soft},     {{3, 1}, Kind::soft},        {{3, 2}, Kind::prohibited}, {{3, 3}, Kind::refused},
      {{3, 4}, Kind::too_big},  {{3, 5}, Kind::soft},        {{3, 9}, Kind::prohibited}, {{3, 10}, Kind::prohibited},
      {{3, 13}, Kind::prohibited}, {{11, 0}, Kind::soft},    {{12, 0}, Kind::soft}};
  for (const auto& [type_and_code, kind] : cases) {
    const auto what = type_and_code;
    INFO(int{what.first} << "/" << int{what.second});
    REQUIRE(bench.feed(ipv4_frame(kProtocolIcmp, icmp(what.first, what.second, 1'300, our_segment()), 0x0a0000fe)) == kError);
    const IcmpError& error = bench.ip.error();
    CHECK(error.kind == kind);
    CHECK(error.local == kOurIpv4);
    CHECK(error.remote == kPeerIpv4);
    CHECK(error.local_port == 80);
    CHECK(error.remote_port == 5'000);
    CHECK(error.seq == 0x01020304);
    CHECK(error.length == 1'040);
    CHECK(error.mtu == 1'300);
  }
  CHECK(bench.count(Counter::icmp_errors_in) == 11);
  CHECK(bench.count(Counter::drop_icmp_error) == 0);
}

TEST_CASE("RFC 4443: an error about a segment of ours over IPv6 says which and why") {
  using Kind = IcmpError::Kind;
  Bench bench;
  const std::pair<std::pair<uint8_t, uint8_t>, Kind> cases[] = {
      {{1, 0}, Kind::soft}, {{1, 1}, Kind::prohibited}, {{1, 3}, Kind::soft},       {{1, 4}, Kind::refused}, {{1, 5}, Kind::prohibited},
      {{2, 0}, Kind::too_big}, {{3, 0}, Kind::soft},    {{4, 1}, Kind::prohibited}, {{4, 0}, Kind::soft},    {{100, 0}, Kind::soft}};
  for (const auto& [type_and_code, kind] : cases) {
    const auto what = type_and_code;
    INFO(int{what.first} << "/" << int{what.second});
    const Bytes message = icmpv6(what.first, what.second, 1'300, our_segment_ipv6());
    REQUIRE(bench.feed(ipv6_frame(kProtocolIcmpv6, message)) == kError);
    const IcmpError& error = bench.ip.error();
    CHECK(error.kind == kind);
    CHECK(error.local == kOurIpv6);
    CHECK(error.remote == kPeerIpv6);
    CHECK(error.local_port == 80);
    CHECK(error.seq == 0x01020304);
    CHECK(error.length == 1'060);
    CHECK(error.mtu == 1'300);
  }
}

TEST_CASE("RFC 1191 5: a router that does not say what would fit is taken to mean the next plateau") {
  Bench bench;
  for (const auto& [length, plateau] : {std::pair{1'500, 1'492}, {1'492, 1'006}, {1'006, 508}, {508, 296}, {296, 68}}) {
    const auto payload = static_cast<uint16_t>(length - 40);
    REQUIRE(bench.feed(ipv4_frame(kProtocolIcmp, icmp(3, 4, 0, our_segment(payload)))) == kError);
    CHECK(bench.ip.error().mtu == plateau);
  }
}

TEST_CASE("an error that quotes no segment of ours, or cuts it too short, is dropped and counted") {
  Bench bench;
  uint64_t fed = 0;
  const auto refused = [&](const Bytes& quoted) {
    ++fed;
    CHECK(bench.feed(ipv4_frame(kProtocolIcmp, icmp(3, 4, 1'300, quoted))) == kConsumed);
  };
  Bytes packet = our_segment();
  for (size_t length = 0; length < 28; ++length) refused(Bytes(packet.begin(), packet.begin() + static_cast<long>(length)));
  packet[9] = kProtocolUdp;
  refused(packet);
  packet = our_segment();
  packet[0] = 0x65;
  refused(packet);
  packet[0] = 0x4f;
  refused(packet);
  packet = our_segment();
  packet[7] = 1;  // a later piece
  refused(packet);
  packet = our_segment();
  store_be32(packet.data() + 12, kPeerIpv4);
  refused(packet);
  for (const uint32_t remote : {0xf0000001u, 0xe0000001u, 0u, 0x7f000001u}) refused(our_segment(100, remote));
  for (const IpAddress& remote : {kGroup, IpAddress{}, IpAddress(0x0a000064)}) {
    ++fed;
    CHECK(bench.feed(ipv6_frame(kProtocolIcmpv6, icmpv6(2, 0, 1'300, our_segment_ipv6(remote)))) == kConsumed);
  }
  Bytes mapped = our_segment_ipv6();
  store_ipv6(mapped.data() + 8, IpAddress(kOurIpv4));
  ++fed;
  CHECK(bench.feed(ipv6_frame(kProtocolIcmpv6, icmpv6(2, 0, 1'300, mapped))) == kConsumed);
  const Bytes whole = our_segment_ipv6();
  for (size_t length = 0; length < 48; ++length) {
    ++fed;
    const Bytes quoted(whole.begin(), whole.begin() + static_cast<long>(length));
    CHECK(bench.feed(ipv6_frame(kProtocolIcmpv6, icmpv6(1, 4, 0, quoted))) == kConsumed);
  }
  CHECK(bench.count(Counter::drop_icmp_error) == fed);
}
