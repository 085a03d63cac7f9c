#include "native/wire/ipv6.hh"

#include <random>

#include "native/wire/icmp.hh"
#include "native/wire/ndp.hh"
#include "native/wire/tcp.hh"
#include "test/native/ip_bench.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr IpAddress kOurs{0xfd00'0000'0000'0000, 1};   // fd00::1 … fd00::4
constexpr IpAddress kPeer{0xfd00'0000'0000'0000, 0x64};
constexpr IpAddress kRouter{0xfe80'0000'0000'0000, 0xfe};
constexpr IpAddress kFar{0x2001'0db8'0000'0000, 5};
constexpr IpAddress kOurLinkLocal = link_local_of(kOurMac);
constexpr IpAddress kPeerLinkLocal = link_local_of(kPeerMac);

constexpr auto kTcp = IpLayer::Verdict::tcp;
constexpr auto kConsumed = IpLayer::Verdict::consumed;

/// Addresses are ours at once, unless a test is about their detection.
IpConfig config_of(uint8_t dad_transmits = 0) {
  IpConfig config;
  config.mac = kOurMac;
  config.neighbors_max = 8;
  config.secret = 77;
  config.ipv6.address = kOurs;
  config.ipv6.address_count = 4;
  config.ipv6.dad_transmits = dad_transmits;
  return config;
}

struct Bench : IpBench {
  explicit Bench(const IpConfig& config = config_of()) : IpBench(config) {}

  void output(const IpAddress& destination, uint32_t neighbor) {
    Packet* const packet = tx.allocate();
    packet->l4 = 0;
    ip.output_ipv6(packet, ip.source_for(destination), destination, neighbor, kProtocolTcp, 20, now);
  }
  MacAddress first_hop() {
    const auto frames = sent();
    REQUIRE(frames.size() == 1);
    return ethernet_destination(frames[0].data());
  }
};

Frame ipv6_frame(uint8_t next_header, std::vector<uint8_t> payload, const IpAddress& source = kPeer,
                 const IpAddress& destination = kOurs, uint8_t hop_limit = 64) {
  Frame frame(54);
  write_ethernet(frame.data(), destination.multicast() ? multicast_mac(destination) : kOurMac, kPeerMac, kEtherTypeIpv6);
  write_ipv6(frame.data() + 14, source, destination, next_header, static_cast<uint16_t>(payload.size()), hop_limit);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

Frame icmp_frame(std::vector<uint8_t> icmp, const IpAddress& source = kPeer, const IpAddress& destination = kOurs,
                 uint8_t hop_limit = 64) {
  icmp[2] = icmp[3] = 0;
  const auto length = static_cast<uint16_t>(icmp.size());
  const uint16_t sum = internet_checksum(icmp.data(), length, checksum_pseudo(source, destination, kProtocolIcmpv6, length));
  std::memcpy(icmp.data() + 2, &sum, 2);
  return ipv6_frame(kProtocolIcmpv6, icmp, source, destination, hop_limit);
}

Frame neighbor_frame(const NeighborMessage& message, const IpAddress& source, const IpAddress& destination,
                     uint8_t hop_limit = 255) {
  std::vector<uint8_t> icmp(32);
  icmp.resize(write_neighbor_message(icmp.data(), message));
  return icmp_frame(icmp, source, destination, hop_limit);
}

Frame solicitation(const IpAddress& target, const IpAddress& source = kPeer, uint8_t hop_limit = 255) {
  NeighborMessage message{};
  message.target = target;
  if (!source.unspecified()) message.mac = kPeerMac;
  return neighbor_frame(message, source, solicited_node(target), hop_limit);
}

Frame advertisement(const IpAddress& target, const MacAddress& mac, bool solicited = true, bool override_flag = true) {
  NeighborMessage message{};
  message.advertisement = true;
  message.solicited = solicited;
  message.override_flag = override_flag;
  message.target = target;
  message.mac = mac;
  return neighbor_frame(message, target, solicited ? kOurs : kAllNodes);
}

Frame router_advertisement(uint16_t lifetime_s, const IpAddress& source = kRouter) {
  std::vector<uint8_t> icmp(24);
  icmp[0] = kRouterAdvertisement;
  store_be16(icmp.data() + 6, lifetime_s);
  icmp[16] = icmp[17] = 1;
  store_mac(icmp.data() + 18, kOtherMac);
  return icmp_frame(icmp, source, kAllNodes, 255);
}

NeighborMessage read_neighbor(const Frame& frame) {
  NeighborMessage message{};
  REQUIRE(frame.size() >= 54 + 24);
  const auto length = static_cast<uint16_t>(frame.size() - 54);
  const uint64_t pseudo =
      checksum_pseudo(load_ipv6(frame.data() + 22), load_ipv6(frame.data() + 38), kProtocolIcmpv6, length);
  REQUIRE(internet_checksum(frame.data() + 54, length, pseudo) == 0);
  REQUIRE(parse_neighbor_message(frame.data() + 54, length, message));
  CHECK(frame[14 + 7] == 255);
  return message;
}

/// An extension header of one unit whose option is of `type`.
std::vector<uint8_t> options_header(uint8_t next, uint8_t type) { return {next, 0, type, 4, 0, 0, 0, 0}; }

std::vector<uint8_t> operator+(std::vector<uint8_t> a, const std::vector<uint8_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("RFC 4291: an address of IPv4 is none of IPv6, and ranges and prefixes are what they say") {
  CHECK(IpAddress(0x0a000001).is_ipv4());
  CHECK(IpAddress(0).unspecified());
  CHECK_FALSE(kOurs.is_ipv4());
  CHECK(distance(kOurs, following(kOurs, 7)) == 7);
  CHECK(distance(following(kOurs, 1), kOurs) == 0xffffffff);
  CHECK(distance(kOurs, IpAddress(0x0a000001)) == 0xffffffff);
  CHECK(same_prefix(kOurs, kPeer, 64));
  CHECK(same_prefix(kOurs, kPeer, 120));
  CHECK_FALSE(same_prefix(kOurs, kPeer, 122));
  CHECK(same_prefix(kOurs, kFar, 0));
  CHECK(kOurLinkLocal == IpAddress{0xfe80'0000'0000'0000, 0x0000'00ff'fe00'0001});
}

TEST_CASE("RFC 8200 3: a TCP segment for us is found behind the header; another version, length or address is dropped") {
  Bench bench;
  const Frame frame = ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20));
  REQUIRE(bench.feed(frame) == kTcp);
  CHECK(bench.accepted->l3 == 14);
  CHECK(bench.accepted->l4 == 54);
  Frame padded = frame;
  padded.resize(90, 0xee);
  REQUIRE(bench.feed(padded) == kTcp);
  CHECK(bench.accepted->length == 74);
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20), kPeer, following(kOurs, i))) == kTcp);
  }
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20), kPeer, following(kOurs, 4))) == kConsumed);
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20), kPeerLinkLocal, kOurLinkLocal)) == kTcp);
  Frame other = frame;
  other[14] = 0x45;
  CHECK(bench.feed(other) == kConsumed);
  other = frame;
  store_be16(other.data() + 18, 21);
  CHECK(bench.feed(other) == kConsumed);
  CHECK(bench.count(Counter::drop_ip_header) == 2);
}

TEST_CASE("without an IPv6 address of its own a stack speaks no IPv6") {
  IpConfig config = config_of();
  config.ipv6.address = {};
  config.address = 0x0a000001;
  Bench bench(config);
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20))) == kConsumed);
  CHECK(bench.count(Counter::drop_not_ip) == 1);
  CHECK(bench.ip.route(kPeer, bench.now) == kNoIndex);
}

TEST_CASE("RFC 4291 2.5: groups, loopback, mapped and our own addresses are no sources") {
  Bench bench;
  for (const IpAddress& source : {kAllNodes, IpAddress{0, 1}, IpAddress{}, IpAddress(0x0a000002), kOurs, kOurLinkLocal}) {
    CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20), source)) == kConsumed);
  }
  CHECK(bench.count(Counter::drop_ip_header) == 6);
}

TEST_CASE("RFC 8200 4: extension headers are skipped in order, and what cannot be skipped drops the packet") {
  Bench bench;
  const std::vector<uint8_t> tcp(20);
  const auto hop = options_header(kProtocolTcp, 1);
  CHECK(bench.feed(ipv6_frame(kProtocolHopByHop, hop + tcp)) == kTcp);
  CHECK(bench.accepted->l4 == 62);
  CHECK(bench.feed(ipv6_frame(kProtocolDestination, options_header(kProtocolTcp, 0x1e) + tcp)) == kTcp);
  const std::vector<uint8_t> route_done = {kProtocolTcp, 0, 0, 0, 0, 0, 0, 0};
  CHECK(bench.feed(ipv6_frame(kProtocolRouting, route_done + tcp)) == kTcp);
  const std::vector<uint8_t> route_left = {kProtocolTcp, 0, 0, 1, 0, 0, 0, 0};
  CHECK(bench.feed(ipv6_frame(kProtocolRouting, route_left + tcp)) == kConsumed);
  // 0x5e, 0x9e, 0xde: an unknown option that must not be skipped.
  for (const uint8_t option : {0x5e, 0x9e, 0xde}) {
    CHECK(bench.feed(ipv6_frame(kProtocolDestination, options_header(kProtocolTcp, option) + tcp)) == kConsumed);
  }
  // Hop-by-hop options in second place; a header that ends outside; nine headers.
  CHECK(bench.feed(ipv6_frame(kProtocolDestination, options_header(kProtocolHopByHop, 1) + hop + tcp)) == kConsumed);
  CHECK(bench.feed(ipv6_frame(kProtocolDestination, {kProtocolTcp, 9, 0, 0, 0, 0, 0, 0})) == kConsumed);
  std::vector<uint8_t> many;
  for (int i = 0; i < 9; ++i) many = options_header(i == 0 ? kProtocolTcp : kProtocolDestination, 1) + many;
  CHECK(bench.feed(ipv6_frame(kProtocolDestination, many + tcp)) == kConsumed);
  CHECK(bench.count(Counter::drop_ip_header) == 7);
}

TEST_CASE("walking the headers of random bytes ends inside the packet") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 100'000; ++round) {
    std::vector<uint8_t> bytes(kIpv6Header + random() % 64);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % 3 == 0 ? 60 : random() % 61);
    const auto length = static_cast<uint16_t>(bytes.size());
    const Ipv6Chain chain = walk_ipv6(bytes.data(), length, bytes[6]);
    if (chain.fault == Ipv6Fault::none) REQUIRE(chain.l4 <= length);
  }
}

TEST_CASE("RFC 4861 7.2.4: who asks for one of our addresses is answered, and known from then on") {
  Bench bench;
  CHECK(bench.feed(solicitation(following(kOurs, 3))) == kConsumed);
  auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  const NeighborMessage answer = read_neighbor(frames[0]);
  CHECK(answer.advertisement);
  CHECK(answer.solicited);
  CHECK(answer.override_flag);
  CHECK(answer.target == following(kOurs, 3));
  CHECK(answer.mac == kOurMac);
  CHECK(ethernet_destination(frames[0].data()) == kPeerMac);
  CHECK(load_ipv6(frames[0].data() + 38) == kPeer);
  bench.output(kPeer, bench.ip.route(kPeer, bench.now));
  CHECK(bench.first_hop() == kPeerMac);
  CHECK(bench.feed(solicitation(kOurLinkLocal, kPeerLinkLocal)) == kConsumed);
  CHECK(read_neighbor(bench.sent().at(0)).target == kOurLinkLocal);
}

TEST_CASE("RFC 4861 7.1: messages from behind a router, with a wrong checksum or an option of length 0 are ignored") {
  Bench bench;
  bench.feed(solicitation(kOurs, kPeer, 254));
  Frame broken = solicitation(kOurs);
  broken.back() ^= 1;
  bench.feed(broken);
  std::vector<uint8_t> icmp(32);
  NeighborMessage message{};
  message.target = kOurs;
  message.mac = kPeerMac;
  write_neighbor_message(icmp.data(), message);
  icmp[25] = 0;
  bench.feed(icmp_frame(icmp, kPeer, solicited_node(kOurs), 255));
  bench.feed(icmp_frame(std::vector<uint8_t>{kNeighborSolicitation, 0, 0, 0, 0, 0, 0, 0}, kPeer, kOurs, 255));
  CHECK(bench.sent().empty());
  CHECK(bench.count(Counter::drop_ndp) + bench.count(Counter::drop_icmp) == 4);
}

TEST_CASE("RFC 4861 7.2.2: an unknown neighbour is asked for by its group, its frames wait, and three go out") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  REQUIRE(neighbor != kNoIndex);
  for (int i = 0; i < 5; ++i) bench.output(kPeer, neighbor);
  auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  CHECK(ethernet_destination(frames[0].data()) == multicast_mac(solicited_node(kPeer)));
  CHECK(load_ipv6(frames[0].data() + 38) == solicited_node(kPeer));
  CHECK(load_ipv6(frames[0].data() + 22) == kOurs);
  const NeighborMessage question = read_neighbor(frames[0]);
  CHECK_FALSE(question.advertisement);
  CHECK(question.target == kPeer);
  CHECK(question.mac == kOurMac);
  CHECK(bench.count(Counter::drop_unresolved) == 2);
  bench.feed(advertisement(kPeer, kPeerMac));
  frames = bench.sent();
  REQUIRE(frames.size() == 3);
  for (const Frame& frame : frames) CHECK(ethernet_destination(frame.data()) == kPeerMac);
}

TEST_CASE("RFC 4861 7.2.2: three questions, one a second, then the neighbour is unreachable") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  bench.output(kPeer, neighbor);
  bench.wait(3 * kSecond + kSecond / 20);
  CHECK(bench.sent().size() == 3);
  CHECK(bench.ip.unreachable(neighbor));
  CHECK(bench.tx.available() == bench.tx.capacity());
}

TEST_CASE("RFC 4861 7.2.5: an advertisement without the override flag changes no MAC, one with it does") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  bench.feed(advertisement(kPeer, kPeerMac));
  bench.sent();
  bench.feed(advertisement(kPeer, kOtherMac, false, false));
  bench.output(kPeer, neighbor);
  CHECK(bench.first_hop() == kPeerMac);
  bench.feed(advertisement(kPeer, kOtherMac, false, true));
  bench.output(kPeer, neighbor);
  CHECK(bench.first_hop() == kOtherMac);
  bench.feed(advertisement(following(kPeer, 1), kPeerMac));  // nobody asked: nothing is learnt
  bench.ip.route(following(kPeer, 1), bench.now);
  CHECK_FALSE(read_neighbor(bench.sent().at(0)).advertisement);
}

TEST_CASE("RFC 4861 7.3: a neighbour is asked by unicast when used after 30 s, and its MAC stays in use meanwhile") {
  Bench bench;
  const uint32_t neighbor = bench.ip.route(kPeer, bench.now);
  bench.feed(advertisement(kPeer, kPeerMac));
  bench.sent();
  bench.wait(29 * kSecond);
  bench.output(kPeer, neighbor);
  CHECK(bench.first_hop() == kPeerMac);
  bench.wait(2 * kSecond);
  bench.output(kPeer, neighbor);
  const auto frames = bench.sent();
  REQUIRE(frames.size() == 2);
  CHECK(ethernet_destination(frames[0].data()) == kPeerMac);
  CHECK(read_neighbor(frames[0]).target == kPeer);
  CHECK(ethernet_destination(frames[1].data()) == kPeerMac);
}

TEST_CASE("RFC 4862 5.4: addresses are tentative until nobody has answered for a second; then they are ours") {
  Bench bench(config_of(1));
  bench.ip.tick(bench.now);
  const auto probes = bench.sent();
  REQUIRE(probes.size() == 5);  // the link-local address and four of the range
  for (const Frame& probe : probes) {
    CHECK(load_ipv6(probe.data() + 22).unspecified());
    CHECK_FALSE(read_neighbor(probe).mac);
  }
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20))) == kConsumed);
  bench.feed(solicitation(kOurs));
  bench.ip.route(kPeer, bench.now);
  CHECK(bench.sent().empty());
  CHECK(bench.ip.owns(kOurs));
  bench.wait(kSecond + kSecond / 20);
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20))) == kTcp);
  CHECK(read_neighbor(bench.sent().at(0)).target == kPeer);  // the question that had to wait
}

TEST_CASE("RFC 4862 5.4.3 and 5.4.4: an address that another station has, or wants, is not ours") {
  Bench bench(config_of(1));
  bench.ip.tick(bench.now);
  bench.feed(advertisement(kOurs, kPeerMac, false));
  bench.feed(solicitation(following(kOurs, 1), {}));
  bench.wait(2 * kSecond);
  CHECK(bench.count(Counter::dad_conflicts) == 2);
  const std::vector<uint8_t> tcp(20);
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, tcp, kPeer, kOurs)) == kConsumed);
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, tcp, kPeer, following(kOurs, 1))) == kConsumed);
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, tcp, kPeer, following(kOurs, 2))) == kTcp);
}

TEST_CASE("RFC 4862 5.4.5: without its link-local address a stack speaks no IPv6") {
  Bench bench(config_of(1));
  bench.ip.tick(bench.now);
  bench.feed(advertisement(kOurLinkLocal, kPeerMac, false));
  bench.wait(2 * kSecond);
  CHECK_FALSE(bench.ip.has_ipv6());
  CHECK(bench.feed(ipv6_frame(kProtocolTcp, std::vector<uint8_t>(20), kPeer, following(kOurs, 2))) == kConsumed);
}

TEST_CASE("RFC 4862 5.4.3: a probe for an address of ours is answered to all nodes") {
  Bench bench;
  bench.feed(solicitation(kOurs, {}));
  const auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  const NeighborMessage answer = read_neighbor(frames[0]);
  CHECK_FALSE(answer.solicited);
  CHECK(answer.target == kOurs);
  CHECK(load_ipv6(frames[0].data() + 38) == kAllNodes);
}

TEST_CASE("what is not on the link goes to the gateway of its family, and without one there is no route") {
  IpConfig config = config_of();
  config.address = 0x0a000001;
  config.gateway = 0x0a0000fe;
  config.prefix_length = 24;
  Bench bench(config);
  CHECK(bench.ip.route(kFar, bench.now) == kNoIndex);
  CHECK(bench.ip.route(kPeerLinkLocal, bench.now) != kNoIndex);
  config.ipv6.gateway = kRouter;
  Bench routed(config);
  const uint32_t neighbor = routed.ip.route(kFar, routed.now);
  REQUIRE(neighbor != kNoIndex);
  CHECK(neighbor != routed.ip.route(0xc0a80505, routed.now));
  CHECK(read_neighbor(routed.sent().at(0)).target == kRouter);
  routed.feed(advertisement(kRouter, kOtherMac));
  routed.output(kFar, neighbor);
  CHECK(routed.first_hop() == kOtherMac);
}

TEST_CASE("RFC 4861 6.3.4: a router that advertises itself is the gateway for its lifetime, where that is wanted") {
  IpConfig config = config_of();
  Bench deaf(config);
  deaf.feed(router_advertisement(1800));
  CHECK(deaf.ip.route(kFar, deaf.now) == kNoIndex);
  config.ipv6.router_advertisements = true;
  Bench bench(config);
  bench.ip.tick(bench.now);
  auto frames = bench.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0][54] == kRouterSolicitation);
  CHECK(load_ipv6(frames[0].data() + 38) == kAllRouters);
  bench.feed(router_advertisement(1800, kPeer));  // not from a link-local address
  CHECK(bench.ip.route(kFar, bench.now) == kNoIndex);
  bench.feed(router_advertisement(60));
  const uint32_t neighbor = bench.ip.route(kFar, bench.now);
  REQUIRE(neighbor != kNoIndex);
  bench.output(kFar, neighbor);
  CHECK(bench.first_hop() == kOtherMac);
  bench.wait(61 * kSecond);
  CHECK(bench.ip.route(kFar, bench.now) == kNoIndex);
  bench.feed(router_advertisement(60));
  CHECK(bench.ip.route(kFar, bench.now) != kNoIndex);
  bench.feed(router_advertisement(0));
  bench.ip.tick(bench.now);
  CHECK(bench.ip.route(kFar, bench.now) == kNoIndex);
}

TEST_CASE("a static range of IPv6 addresses needs no NDP, no prefix, and is not changed by NDP") {
  IpConfig config = config_of();
  config.neighbors = {{kFar, 1000, kPeerMac}};
  Bench bench(config);
  const uint32_t neighbor = bench.ip.route(following(kFar, 999), bench.now);
  REQUIRE(neighbor != kNoIndex);
  bench.feed(advertisement(kFar, kOtherMac));
  bench.output(following(kFar, 999), neighbor);
  CHECK(bench.first_hop() == kPeerMac);
  CHECK(bench.ip.route(following(kFar, 1000), bench.now) == kNoIndex);
}

TEST_CASE("there is no route to ourselves, to groups, to loopback and to nowhere") {
  Bench bench;
  for (const IpAddress& to : {kOurs, kOurLinkLocal, kAllNodes, IpAddress{0, 1}, IpAddress{}}) {
    CHECK(bench.ip.route(to, bench.now) == kNoIndex);
  }
}

TEST_CASE("RFC 4443 4.2: an echo request comes back with its data; one to all nodes from one of our addresses") {
  Bench bench;
  for (const uint16_t data : {0, 1, 56, 1232}) {
    std::vector<uint8_t> icmp(8u + data, 0x5a);
    icmp[0] = kIcmpv6EchoRequest;
    icmp[1] = 0;
    for (const IpAddress& to : {kOurs, kAllNodes}) {
      CHECK(bench.feed(icmp_frame(icmp, kPeer, to)) == kConsumed);
      const Frame reply = bench.sent().at(0);
      REQUIRE(reply.size() == 54u + 8 + data);
      CHECK(load_ipv6(reply.data() + 22) == kOurs);
      CHECK(load_ipv6(reply.data() + 38) == kPeer);
      CHECK(reply[54] == kIcmpv6EchoReply);
      const auto length = static_cast<uint16_t>(8 + data);
      CHECK(internet_checksum(reply.data() + 54, length, checksum_pseudo(kOurs, kPeer, kProtocolIcmpv6, length)) == 0);
      CHECK(std::equal(reply.begin() + 58, reply.end(), icmp.begin() + 4));
    }
  }
  CHECK(bench.count(Counter::icmp_out) == 8);
}
