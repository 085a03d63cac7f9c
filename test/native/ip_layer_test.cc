#include "native/wire/arp.hh"
#include "native/wire/icmp.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"
#include "test/native/ip_bench.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr uint32_t kOurs = 0x0a000001;     // 10.0.0.1 … 10.0.0.4
constexpr uint32_t kPeer = 0x0a000064;     // 10.0.0.100
constexpr uint32_t kGateway = 0x0a0000fe;  // 10.0.0.254
constexpr uint32_t kFar = 0xc0a80505;      // 192.168.5.5

IpConfig basic_config() {
  IpConfig config;
  config.address = kOurs;
  config.address_count = 4;
  config.prefix_length = 24;
  config.gateway = kGateway;
  config.neighbors_max = 8;
  config.mac = kOurMac;
  return config;
}

struct Bench : IpBench {
  explicit Bench(const IpConfig& config = basic_config()) : IpBench(config) {}

  void output(uint32_t destination, uint32_t neighbor, uint8_t mark = 0) {
    Packet* const packet = tx.allocate();
    packet->data[20] = mark;
    packet->payload = 20;
    ip.output(packet, kOurs, destination, neighbor, kProtocolTcp, 21, now);
  }
};

Frame tcp_frame(uint32_t source = kPeer, uint32_t destination = kOurs, uint16_t l4 = 20) {
  Frame frame(14 + 20 + l4);
  write_ethernet(frame.data(), kOurMac, kPeerMac, kEtherTypeIpv4);
  write_ipv4(frame.data() + 14, source, destination, kProtocolTcp, 20 + l4);
  return frame;
}

void fix_checksum(Frame& frame) {
  uint8_t* const header = frame.data() + 14;
  header[10] = header[11] = 0;
  const uint16_t checksum = internet_checksum(header, (header[0] & 0x0f) * 4);
  std::memcpy(header + 10, &checksum, 2);
}

/// A frame with one byte of its IP header changed, and the checksum right again.
Frame altered(size_t offset, uint8_t value) {
  Frame frame = tcp_frame();
  frame[14 + offset] = value;
  fix_checksum(frame);
  return frame;
}

Frame arp_frame(ArpOperation operation, uint32_t sender, uint32_t target, const MacAddress& mac = kPeerMac,
                const MacAddress& to = kBroadcast) {
  Frame frame(60);
  write_ethernet(frame.data(), to, mac, kEtherTypeArp);
  write_arp(frame.data() + 14, {operation, mac, sender, {}, target});
  return frame;
}

ArpPacket read_arp(const Frame& frame) {
  ArpPacket arp{};
  REQUIRE(ethernet_type(frame.data()) == kEtherTypeArp);
  REQUIRE(parse_arp(frame.data() + 14, static_cast<uint16_t>(frame.size() - 14), arp));
  return arp;
}

Frame echo_frame(uint16_t data = 56) {
  Frame frame = tcp_frame(kPeer, kOurs, 8 + data);
  frame[14 + 9] = kProtocolIcmp;
  fix_checksum(frame);
  uint8_t* const icmp = frame.data() + 34;
  icmp[0] = kIcmpEchoRequest;
  store_be16(icmp + 4, 0x1234);
  store_be16(icmp + 6, 7);
  for (uint16_t i = 0; i < data; ++i) icmp[8 + i] = static_cast<uint8_t>(i);
  const uint16_t checksum = internet_checksum(icmp, 8 + data);
  std::memcpy(icmp + 2, &checksum, 2);
  return frame;
}

constexpr auto kTcp = IpLayer::Verdict::tcp;
constexpr auto kConsumed = IpLayer::Verdict::consumed;

}  // namespace

TEST_CASE("RFC 791 3.1: a TCP segment for us is found behind the IP header") {
  Bench bench;
  REQUIRE(bench.feed(tcp_frame()) == kTcp);
  CHECK(bench.accepted->l3 == 14);
  CHECK(bench.accepted->l4 == 34);
  CHECK(bench.accepted->length == 54);
}

TEST_CASE("padding behind the IP packet is cut off") {
  Bench bench;
  Frame frame = tcp_frame();
  frame.resize(60, 0xee);
  REQUIRE(bench.feed(frame) == kTcp);
  CHECK(bench.accepted->length == 54);
}

TEST_CASE("RFC 1122 3.2.1.8: options are skipped") {
  Bench bench;
  Frame frame = tcp_frame(kPeer, kOurs, 28);
  frame[14] = 0x47;
  fix_checksum(frame);
  REQUIRE(bench.feed(frame) == kTcp);
  CHECK(bench.accepted->l4 == 14 + 28);
}

TEST_CASE("every address of the range is ours, and its neighbours are not") {
  Bench bench;
  for (uint32_t i = 0; i < 4; ++i) CHECK(bench.feed(tcp_frame(kPeer, kOurs + i)) == kTcp);
  CHECK(bench.feed(tcp_frame(kPeer, kOurs + 4)) == kConsumed);
  CHECK(bench.feed(tcp_frame(kPeer, kOurs - 1)) == kConsumed);
  CHECK(bench.count(Counter::drop_not_ours) == 2);
}

TEST_CASE("frames of every length up to a whole header are dropped as too short") {
  Bench bench;
  const Frame whole = tcp_frame();
  for (size_t length = 0; length < 34; ++length) {
    CHECK(bench.feed(Frame(whole.begin(), whole.begin() + static_cast<long>(length))) == kConsumed);
  }
  CHECK(bench.count(Counter::drop_too_short) == 34);
}

TEST_CASE("RFC 1122 3.2.1.1 and 3.2.1.2: a wrong version, header length, total length or checksum is dropped") {
  Bench bench;
  CHECK(bench.feed(altered(0, 0x65)) == kConsumed);
  CHECK(bench.feed(altered(0, 0x44)) == kConsumed);
  CHECK(bench.feed(altered(3, 19)) == kConsumed);
  CHECK(bench.feed(altered(3, 41)) == kConsumed);
  CHECK(bench.count(Counter::drop_ip_header) == 4);
  Frame broken = tcp_frame();
  broken[14 + 8] ^= 1;
  CHECK(bench.feed(broken) == kConsumed);
  CHECK(bench.count(Counter::drop_ip_checksum) == 1);
}

TEST_CASE("fragments are no segments, first, middle and last; DF is no fragment") {
  Bench bench;
  CHECK(bench.feed(altered(6, 0x20)) == kConsumed);
  CHECK(bench.feed(altered(7, 0x01)) == kConsumed);
  CHECK(bench.feed(altered(6, 0x1f)) == kConsumed);
  CHECK(bench.count(Counter::fragments_in) == 3);
  CHECK(bench.feed(altered(6, 0x00)) == kTcp);
  CHECK(bench.feed(altered(6, 0x40)) == kTcp);
}

TEST_CASE("RFC 1122 3.2.1.7: a datagram that reached us is taken whatever its TTL") {
  Bench bench;
  CHECK(bench.feed(altered(8, 1)) == kTcp);
}

TEST_CASE("RFC 1122 3.2.1.3: sources that name no single host are dropped") {
  Bench bench;
  for (const uint32_t source : {0u, 0x7f000001u, 0xe0000001u, 0xffffffffu, 0x0a0000ffu, kOurs}) {
    CHECK(bench.feed(tcp_frame(source)) == kConsumed);
  }
  CHECK(bench.count(Counter::drop_ip_header) == 6);
}

TEST_CASE("a frame for another station is dropped, and so is IPv4 in an Ethernet broadcast") {
  Bench bench;
  Frame frame = tcp_frame();
  store_mac(frame.data(), kOtherMac);
  CHECK(bench.feed(frame) == kConsumed);
  store_mac(frame.data(), kBroadcast);
  CHECK(bench.feed(frame) == kConsumed);
  CHECK(bench.count(Counter::drop_not_ours) == 2);
}

TEST_CASE("other EtherTypes and protocols are dropped and counted") {
  Bench bench;
  Frame frame = tcp_frame();
  store_be16(frame.data() + 12, 0x86dd);
  CHECK(bench.feed(frame) == kConsumed);
  CHECK(bench.count(Counter::drop_not_ip) == 1);
  CHECK(bench.feed(altered(9, 17)) == kConsumed);
  CHECK(bench.count(Counter::drop_protocol) == 1);
}

TEST_CASE("no single flipped bit of the IP header gets through") {
  Bench bench;
  for (size_t bit = 0; bit < 20 * 8; ++bit) {
    Frame frame = tcp_frame();
    frame[14 + bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    CHECK(bench.feed(frame) == kConsumed);
  }
}

TEST_CASE("RFC 826: a request for any address that we own is answered to the one who asked") {
  Bench bench;
  for (uint32_t i = 0; i < 4; ++i) {
    bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs + i));
    const auto frames = bench.sent();
    REQUIRE(frames.size() == 1);
    CHECK(ethernet_destination(frames[0].data()) == kPeerMac);
    const ArpPacket reply = read_arp(frames[0]);
    CHECK(reply.operation == ArpOperation::reply);
    CHECK(reply.sender == kOurs + i);
    CHECK(reply.sender_mac == kOurMac);
    CHECK(reply.target == kPeer);
    CHECK(reply.target_mac == kPeerMac);
  }
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs + 4));
  CHECK(bench.sent().empty());
}

TEST_CASE("RFC 826: who asks for us is known from then on") {
  Bench bench;
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs));
  bench.sent();
  bench.output(kPeer, bench.ip.route(kPeer, bench.now));
  const auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  CHECK(ethernet_destination(frames[0].data()) == kPeerMac);
}

TEST_CASE("a request for another, a gratuitous reply of a stranger and a probe teach nothing") {
  Bench bench;
  bench.feed(arp_frame(ArpOperation::request, kPeer, kPeer + 1));
  bench.feed(arp_frame(ArpOperation::reply, kPeer, kPeer));
  bench.output(kPeer, bench.ip.route(kPeer, bench.now));
  auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  CHECK(read_arp(frames[0]).target == kPeer);
  bench.feed(arp_frame(ArpOperation::request, 0, kOurs));
  frames = bench.sent();
  REQUIRE(frames.size() == 1);
  CHECK(read_arp(frames[0]).operation == ArpOperation::reply);
}

TEST_CASE("RFC 826: a known neighbour that tells a new MAC is believed, even gratuitously") {
  Bench bench;
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs));
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  bench.feed(arp_frame(ArpOperation::reply, kPeer, kPeer, kOtherMac));
  bench.sent();
  bench.output(kPeer, neighbor);
  CHECK(ethernet_destination(bench.sent().at(0).data()) == kOtherMac);
}

TEST_CASE("ARP of another kind, from a group address or from one of our own addresses is dropped") {
  Bench bench;
  Frame other = arp_frame(ArpOperation::request, kPeer, kOurs);
  other[14 + 4] = 8;
  bench.feed(other);
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs, {3, 0, 0, 0, 0, 1}));
  bench.feed(arp_frame(ArpOperation::request, kOurs, kOurs));
  bench.feed(arp_frame(static_cast<ArpOperation>(3), kPeer, kOurs));
  Frame shorter = arp_frame(ArpOperation::request, kPeer, kOurs);
  shorter.resize(41);
  bench.feed(shorter);
  CHECK(bench.count(Counter::drop_arp) == 5);
  CHECK(bench.sent().empty());
}

TEST_CASE("an unknown neighbour is asked for once, three frames wait for the answer, and go out in order") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  REQUIRE(neighbor != kNoIndex);
  for (uint8_t i = 0; i < 5; ++i) bench.output(kPeer, neighbor, i);
  auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  const ArpPacket request = read_arp(frames[0]);
  CHECK(ethernet_destination(frames[0].data()) == kBroadcast);
  CHECK(request.operation == ArpOperation::request);
  CHECK(request.sender == kOurs);
  CHECK(request.target == kPeer);
  CHECK(bench.count(Counter::drop_unresolved) == 2);
  bench.feed(arp_frame(ArpOperation::reply, kPeer, kOurs, kPeerMac, kOurMac));
  frames = bench.sent();
  REQUIRE(frames.size() == 3);
  for (uint8_t i = 0; i < 3; ++i) {
    CHECK(ethernet_destination(frames[i].data()) == kPeerMac);
    CHECK(frames[i][34 + 20] == i);
  }
}

TEST_CASE(
    "RFC 1122 2.3.2.1: three requests, one a second, then the neighbour is unreachable and its frames are dropped") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  bench.output(kPeer, neighbor);
  CHECK(bench.sent().size() == 1);
  bench.wait(kSecond - kSecond / 50);
  CHECK(bench.sent().empty());
  bench.wait(kSecond / 25);
  CHECK(bench.sent().size() == 1);
  bench.wait(kSecond);
  CHECK(bench.sent().size() == 1);
  CHECK_FALSE(bench.ip.unreachable(neighbor));
  bench.wait(kSecond);
  CHECK(bench.sent().empty());
  CHECK(bench.ip.unreachable(neighbor));
  CHECK(bench.count(Counter::drop_unresolved) == 1);
  CHECK(bench.tx.available() == bench.tx.capacity());
}

TEST_CASE("an unreachable neighbour is left alone for a second, then the next use asks again") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  bench.wait(3 * kSecond + kSecond / 20);
  REQUIRE(bench.ip.unreachable(neighbor));
  bench.sent();
  bench.output(kPeer, neighbor);
  CHECK(bench.sent().empty());
  CHECK(bench.count(Counter::drop_unresolved) == 1);
  bench.wait(kSecond);
  CHECK(bench.ip.route(kPeer, bench.now) == neighbor);
  CHECK_FALSE(bench.ip.unreachable(neighbor));
  CHECK(bench.sent().size() == 1);
  bench.feed(arp_frame(ArpOperation::reply, kPeer, kOurs, kPeerMac, kOurMac));
  bench.output(kPeer, neighbor);
  CHECK(bench.sent().size() == 1);
}

TEST_CASE("a neighbour that was learnt a minute ago is asked by unicast when used, and stays valid") {
  Bench bench;
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs));
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  bench.wait(61 * kSecond);
  CHECK(bench.sent().size() == 1);  // the reply of the beginning: time alone asks nothing
  for (int second = 0; second < 4; ++second) {
    bench.output(kPeer, neighbor);
    bench.output(kPeer, neighbor);
    const auto frames = bench.sent();
    REQUIRE(frames.size() == 3);
    CHECK(read_arp(frames[0]).target == kPeer);
    CHECK(ethernet_destination(frames[0].data()) == (second < 3 ? kPeerMac : kBroadcast));
    CHECK(ethernet_destination(frames[1].data()) == kPeerMac);
    bench.wait(kSecond);
  }
  bench.output(kPeer, neighbor);
  CHECK(bench.sent().size() == 1);
}

TEST_CASE("what is not connected goes to the gateway, and without a gateway there is no route") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kFar, bench.now);
  REQUIRE(neighbor != kNoIndex);
  CHECK(read_arp(bench.sent().at(0)).target == kGateway);
  CHECK(bench.ip.route(kFar + 1, bench.now) == neighbor);
  bench.feed(arp_frame(ArpOperation::reply, kGateway, kOurs, kOtherMac, kOurMac));
  bench.output(kFar, neighbor);
  const auto frame = bench.sent().at(0);
  CHECK(ethernet_destination(frame.data()) == kOtherMac);
  CHECK(load_be32(frame.data() + 30) == kFar);

  IpConfig alone = basic_config();
  alone.gateway = 0;
  Bench island(alone);
  CHECK(island.ip.route(kFar, island.now) == kNoIndex);
}

TEST_CASE("there is no route to ourselves, to broadcast, to groups and to loopback") {
  Bench bench;
  for (const uint32_t to : {kOurs, kOurs + 3, 0u, 0xffffffffu, 0x0a0000ffu, 0xe0000001u, 0x7f000001u}) {
    CHECK(bench.ip.route(to, bench.now) == kNoIndex);
  }
}

TEST_CASE("a static range needs no ARP, no prefix, and is not changed by ARP") {
  IpConfig config = basic_config();
  config.neighbors = {{kFar, 1000, kPeerMac}, {kPeer, 1, kPeerMac}};
  Bench bench(config);
  const uint32_t neighbor = bench.ip.route(kFar + 999, bench.now);
  CHECK(bench.ip.route(kFar, bench.now) == neighbor);
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs, kOtherMac));
  bench.sent();
  bench.wait(100 * kSecond);
  bench.output(kFar + 999, neighbor);
  bench.output(kPeer, bench.ip.route(kPeer, bench.now));
  const auto frames = bench.sent();
  REQUIRE(frames.size() == 2);
  for (const Frame& frame : frames) CHECK(ethernet_destination(frame.data()) == kPeerMac);
}

TEST_CASE("a full table refuses and counts; neighbours that never answered make room after their second") {
  Bench bench;
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs));
  const uint32_t known = bench.ip.route(kPeer, bench.now);
  for (uint32_t i = 1; i < 8; ++i) REQUIRE(bench.ip.route(kPeer + i, bench.now) != kNoIndex);
  CHECK(bench.ip.route(kPeer + 8, bench.now) == kNoIndex);
  CHECK(bench.count(Counter::drop_neighbor_full) == 1);
  bench.sent();
  bench.wait(5 * kSecond);
  bench.sent();
  const uint32_t old = bench.ip.route(kPeer + 1, bench.now);
  CHECK(old != kNoIndex);
  for (uint32_t i = 8; i < 14; ++i) CHECK(bench.ip.route(kPeer + i, bench.now) != kNoIndex);
  CHECK(bench.ip.route(kPeer + 14, bench.now) == kNoIndex);
  CHECK(bench.ip.route(kPeer, bench.now) == known);
  CHECK(bench.ip.route(kPeer + 1, bench.now) == old);
}

TEST_CASE("an index that was given to another address finds its own way again") {
  Bench bench;
  const uint32_t index = bench.ip.route(kPeer, bench.now);
  for (uint32_t i = 1; i < 8; ++i) bench.ip.route(kPeer + i, bench.now);
  bench.wait(5 * kSecond);
  uint32_t thief = kPeer + 8;
  while (bench.ip.route(thief, bench.now) != index) REQUIRE(++thief < kPeer + 16);
  bench.feed(arp_frame(ArpOperation::reply, thief, kOurs, kOtherMac, kOurMac));
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs, kPeerMac));
  bench.sent();
  bench.output(kPeer, index);
  const auto frames = bench.sent();
  for (const Frame& frame : frames) CHECK(ethernet_destination(frame.data()) != kOtherMac);
}

TEST_CASE("output writes headers that input accepts, and keeps the payload's place") {
  Bench bench;
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs));
  bench.sent();
  Packet* const packet = bench.tx.allocate();
  packet->payload = 20;
  uint8_t* const payload = packet->data + packet->payload;
  bench.tx.hold(packet);
  bench.ip.output(packet, kOurs + 2, kPeer, bench.ip.route(kPeer, bench.now), kProtocolTcp, 27, bench.now);
  CHECK(packet->data + packet->payload == payload);
  CHECK(packet->length == 34 + 27);
  CHECK(packet->l4 == 34);
  bench.ip.output(packet, kOurs + 2, kPeer, bench.ip.route(kPeer, bench.now), kProtocolTcp, 27, bench.now);
  CHECK(packet->data + packet->payload == payload);
  const auto frames = bench.sent();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0] == frames[1]);
  Ipv4Header header;
  REQUIRE(parse_ipv4(frames[0].data() + 14, 47, header) == Ipv4Fault::none);
  CHECK(header.source == kOurs + 2);
  CHECK(header.destination == kPeer);
  CHECK(header.total_length == 47);
  CHECK(load_be16(frames[0].data() + 18) == 0);
  CHECK(load_be16(frames[0].data() + 20) == 0x4000);
}

TEST_CASE("a full transmit queue drops and counts, and loses no packet of the pool") {
  Bench bench;
  bench.feed(arp_frame(ArpOperation::request, kPeer, kOurs));
  bench.sent();
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  for (int i = 0; i < 130; ++i) bench.output(kPeer, neighbor);
  CHECK(bench.count(Counter::drop_tx_full) == 2);
  CHECK(bench.count(Counter::tx_packets) == 1 + 128);
  CHECK(bench.count(Counter::tx_bytes) == 42 + 128 * 55);
  bench.sent();
  CHECK(bench.tx.available() == bench.tx.capacity());
}

TEST_CASE("RFC 792: an echo request comes back with its data, as a reply, to the station that sent it") {
  Bench bench;
  for (const uint16_t data : {0, 1, 56, 1472}) {
    const Frame request = echo_frame(data);
    CHECK(bench.feed(request) == kConsumed);
    const Frame reply = bench.sent().at(0);
    REQUIRE(reply.size() == request.size());
    CHECK(ethernet_destination(reply.data()) == kPeerMac);
    Ipv4Header header;
    REQUIRE(parse_ipv4(reply.data() + 14, static_cast<uint16_t>(reply.size() - 14), header) == Ipv4Fault::none);
    CHECK(header.source == kOurs);
    CHECK(header.destination == kPeer);
    CHECK(reply[34] == kIcmpEchoReply);
    CHECK(internet_checksum(reply.data() + 34, reply.size() - 34) == 0);
    CHECK(std::equal(reply.begin() + 38, reply.end(), request.begin() + 38));
  }
  CHECK(bench.count(Counter::icmp_out) == 4);
}

TEST_CASE("other ICMP and damaged echo requests are ignored and counted") {
  Bench bench;
  Frame damaged = echo_frame();
  damaged[50] ^= 1;
  CHECK(bench.feed(damaged) == kConsumed);
  Frame unreachable = echo_frame();
  unreachable[34] = 3;
  CHECK(bench.feed(unreachable) == kConsumed);
  CHECK(bench.count(Counter::drop_icmp) + bench.count(Counter::drop_icmp_error) == 2);
  CHECK(bench.sent().empty());
}

TEST_CASE("echo replies are bounded: a burst of 256, then 10,000 a second") {
  Bench bench;
  uint64_t replies = 0;
  for (int i = 0; i < 400; ++i) {
    bench.feed(echo_frame());
    replies += bench.sent().size();
  }
  CHECK(replies == 256);
  bench.now += kSecond / 100;
  for (int i = 0; i < 400; ++i) {
    bench.feed(echo_frame());
    replies += bench.sent().size();
  }
  CHECK(replies == 356);
}
