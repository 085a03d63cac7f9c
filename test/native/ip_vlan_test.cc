#include "native/classify/locate.hh"
#include "native/wire/arp.hh"
#include "native/wire/vlan.hh"
#include "test/native/ip_frames.hh"
#include "test/native/tcp_world.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

IpConfig vlan_config(uint16_t vlan) {
  IpConfig config = dual_config();
  config.vlan = vlan;
  return config;
}

Frame tagged(const Frame& frame, uint16_t tci) {
  Frame out(4);
  out.insert(out.end(), frame.begin(), frame.end());
  insert_tag(out.data(), tci);
  return out;
}

Frame untagged(Frame frame) {
  remove_tag(frame.data());
  frame.erase(frame.begin(), frame.begin() + 4);
  return frame;
}

}  // namespace

TEST_CASE("802.1Q: frames of our VLAN are taken as if they had no tag, whatever their priority; others are dropped") {
  IpBench bench(vlan_config(5));
  for (const Frame& frame : {ipv4_frame(kProtocolTcp, segment(10)), ipv6_frame(kProtocolTcp, segment(10))}) {
    for (const uint16_t tci : {0x0005, 0xe005, 0x1005}) {
      REQUIRE(bench.feed(tagged(frame, tci)) == kTcp);
      CHECK(bench.accepted->l3 == 14);
      CHECK(Frame(bench.accepted->data, bench.accepted->data + bench.accepted->length) == frame);
    }
  }
  const Frame frame = ipv4_frame(kProtocolTcp, segment(10));
  CHECK(bench.feed(frame) == kConsumed);
  for (const uint16_t tci : {0, 4, 6, 0x1005 ^ 0x0100}) CHECK(bench.feed(tagged(frame, tci)) == kConsumed);
  CHECK(bench.feed(Frame(frame.begin(), frame.begin() + 14)) == kConsumed);
  CHECK(bench.count(Counter::drop_vlan) == 6);
  CHECK(bench.feed(tagged(tagged(frame, 5), 5)) == kConsumed);
  CHECK(bench.count(Counter::drop_not_ip) == 1);
}

TEST_CASE("802.1Q 9.6: an untagged stack takes frames tagged with priority alone, and drops those of every VLAN") {
  IpBench bench(vlan_config(0));
  const Frame frame = ipv4_frame(kProtocolTcp, segment(10));
  CHECK(bench.feed(frame) == kTcp);
  CHECK(bench.feed(tagged(frame, 0xe000)) == kTcp);
  CHECK(bench.accepted->l4 == 34);
  CHECK(bench.feed(tagged(frame, 1)) == kConsumed);
  CHECK(bench.feed(tagged(frame, 4'095)) == kConsumed);
  for (size_t length = 14; length < 18; ++length) {
    const Frame whole = tagged(frame, 0);
    CHECK(bench.feed(Frame(whole.begin(), whole.begin() + static_cast<long>(length))) == kConsumed);
  }
  CHECK(bench.count(Counter::drop_vlan) == 6);
}

TEST_CASE("whatever a stack with a VLAN sends has its tag: ARP, NDP, ICMP, and segments that keep their payload's place") {
  IpBench bench(vlan_config(5));
  Frame question(14 + kArpLength);
  write_ethernet(question.data(), kBroadcast, kPeerMac, kEtherTypeArp);
  write_arp(question.data() + 14, {ArpOperation::request, kPeerMac, kPeerIpv4, {}, kOurIpv4});
  bench.feed(tagged(question, 5));
  bench.feed(tagged(ipv4_frame(kProtocolIcmp, icmp(kIcmpEchoRequest, 0, 1, counting(3'000 % 1'400))), 5));
  bench.feed(tagged(ipv4_frame(kProtocolUdp, counting(40)), 5));
  bench.ip.route(kPeerIpv6, bench.now);
  Packet* const packet = bench.tx.allocate();
  packet->data = PacketRegion::buffer(packet);
  packet->l4 = 54;
  packet->payload = 74;
  uint8_t* const payload = packet->data + packet->payload;
  bench.tx.hold(packet);
  for (int i = 0; i < 2; ++i) {  // sent twice: the tag must not stay in between
    bench.ip.output(packet, kOurIpv4, kPeerIpv4, bench.ip.route(kPeerIpv4, bench.now), kProtocolTcp, 40, bench.now);
    CHECK(packet->data + packet->payload == payload);
  }
  const auto frames = bench.sent();
  REQUIRE(frames.size() == 6);
  for (const Frame& frame : frames) {
    CHECK(ethernet_type(frame.data()) == kEtherTypeVlan);
    CHECK(load_be16(frame.data() + 14) == 5);
  }
  const uint16_t types[] = {kEtherTypeArp, kEtherTypeIpv4, kEtherTypeIpv4, kEtherTypeIpv6, kEtherTypeIpv4, kEtherTypeIpv4};
  for (size_t i = 0; i < frames.size(); ++i) CHECK(ethernet_type(untagged(frames[i]).data()) == types[i]);
  CHECK(frames[4] == frames[5]);
  CHECK(frames[4].size() == 18 + 20 + 40);
}

TEST_CASE("two stacks of one VLAN speak TCP over it, with losses; one of another VLAN hears nothing") {
  HostOptions client{host_config(2)}, server{host_config(1)};
  client.stack.ip.vlan = server.stack.ip.vlan = 7;
  client.tx_fault.drop = server.tx_fault.drop = 0.1;
  World world(client, server);
  world.listen();
  const auto [c, s] = world.open();
  const std::string bytes = pattern(100'000);
  for (size_t at = 0; at < bytes.size(); at += 1'400) {
    REQUIRE(world.run_until([&] { return world.client.stack.send_ready(0) && world.client.tx.available() > 100; }));
    world.client.send(c, std::string_view(bytes).substr(at, 1'400));
  }
  REQUIRE(world.run_until([&, &s = s] { return world.server.app.of(s).bytes.size() == bytes.size(); }));
  CHECK(world.server.app.of(s).bytes == bytes);
  CHECK(world.client.count(Counter::retransmits) > 0);
  CHECK(world.client.tcb(c)->mss == 1'448);

  HostOptions stranger{host_config(2)};
  stranger.stack.ip.vlan = 8;
  World other(stranger, HostOptions{host_config(1)});
  other.listen();
  const Handle lost = other.client.stack.connect({World::kClient, 0}, {World::kServer, World::kPort}, {}, 7, other.now);
  other.run_ms(1'500);
  CHECK_FALSE(other.client.app.of(lost).opened);
  CHECK(other.server.count(Counter::drop_vlan) >= 2);
}

TEST_CASE("a frame is judged without its tag: headers and length are those of the frame that the stack sees") {
  const Frame plain4 = ipv4_frame(kProtocolTcp, segment(10)), plain6 = ipv6_frame(kProtocolTcp, segment(10));
  for (const Frame& plain : {plain4, plain6}) {
    const uint16_t l4 = &plain == &plain4 || plain.size() == plain4.size() ? 34 : 54;
    for (Frame frame : {plain, tagged(plain, 0x2005)}) {
      frame[frame.size() - 30 + 12] = 0x50;
      frame.resize(frame.size() + 6);  // padding
      Packet packet{};
      packet.data = frame.data();
      packet.length = static_cast<uint16_t>(frame.size());
      REQUIRE(locate_tcp(packet));
      CHECK(packet.l3 == 14);
      CHECK(packet.l4 == l4);
      CHECK(packet.payload == l4 + 20);
      CHECK(packet.payload_length == 10);
      CHECK(packet.length == plain.size());
      CHECK(ethernet_source(packet.data) == kPeerMac);
    }
  }
}
