#include "native/steer/frame_target.hh"

#include <doctest/doctest.h>

#include "native/wire/arp.hh"
#include "native/wire/vlan.hh"
#include "test/native/ip_frames.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

const FlowHash kHash(rss_key({5, 6, 7, 8}));
constexpr uint16_t kPeerPort = 40'000, kOurPort = 80;

/// From memory that ends with the frame.
FrameTarget target(const Frame& frame) {
  const Frame exact(frame);
  return frame_target(exact.data(), static_cast<uint16_t>(exact.size()), kHash);
}

Bytes tcp(uint16_t source, uint16_t destination, size_t payload = 0) {
  Bytes bytes = segment(payload);
  store_be16(bytes.data(), source);
  store_be16(bytes.data() + 2, destination);
  return bytes;
}

const Frame kTcpIpv4 = ipv4_frame(kProtocolTcp, tcp(kPeerPort, kOurPort, 3'000));
const Frame kTcpIpv6 = ipv6_frame(kProtocolTcp, tcp(kPeerPort, kOurPort));
uint32_t flow_ipv4() { return kHash.flow(kPeerIpv4, kPeerPort, kOurIpv4, kOurPort); }
uint32_t flow_ipv6() { return kHash.flow(kPeerIpv6, kPeerPort, kOurIpv6, kOurPort); }

void check_flow(const Frame& frame, uint32_t hash) {
  CHECK(target(frame).reader == FrameReader::flow);
  CHECK(target(frame).hash == hash);
}

bool is_first(const Frame& frame) { return target(frame).reader == FrameReader::first; }
bool is_all(const Frame& frame) { return target(frame).reader == FrameReader::all; }

Frame tagged(const Frame& frame, uint16_t vlan) {
  Frame out(kVlanTag);
  out.insert(out.end(), frame.begin(), frame.end());
  insert_tag(out.data(), vlan);
  return out;
}

/// What a router quotes: the packet's headers and 8 bytes.
Bytes quote(const Frame& frame, uint16_t header) {
  return Bytes(frame.begin() + kEthernetHeader, frame.begin() + kEthernetHeader + header + 8);
}

Frame arp_frame(ArpOperation operation, uint32_t sender, uint32_t target) {
  Frame frame(kEthernetHeader + kArpLength);
  write_ethernet(frame.data(), kBroadcast, kPeerMac, kEtherTypeArp);
  write_arp(frame.data() + kEthernetHeader,
            {.operation = operation, .sender_mac = kPeerMac, .sender = sender, .target_mac = {}, .target = target});
  return frame;
}

}  // namespace

TEST_CASE("a TCP segment is for the stack of its flow, with and without a tag, options or extension headers") {
  check_flow(kTcpIpv4, flow_ipv4());
  check_flow(kTcpIpv6, flow_ipv6());
  check_flow(tagged(kTcpIpv4, 7), flow_ipv4());
  check_flow(tagged(kTcpIpv6, 7), flow_ipv6());
  Frame options = ipv4_frame(kProtocolTcp, Bytes{1, 1, 1, 0} + tcp(kPeerPort, kOurPort));
  options[kEthernetHeader] = 0x46;
  check_flow(options, flow_ipv4());
  const Bytes hop_by_hop = {kProtocolTcp, 0, 1, 4, 0, 0, 0, 0};
  check_flow(ipv6_frame(kProtocolHopByHop, hop_by_hop + tcp(kPeerPort, kOurPort)), flow_ipv6());
}

TEST_CASE("an ICMP error is for the stack whose segment it quotes") {
  const Frame ours = ipv4_frame(kProtocolTcp, tcp(kOurPort, kPeerPort), kOurIpv4, kPeerIpv4);
  constexpr uint32_t kRouter = 0x0a0000fe;
  const Bytes error = icmp(kIcmpUnreachable, kFragmentationNeeded, 1'400, quote(ours, kIpv4Header));
  check_flow(ipv4_frame(kProtocolIcmp, error, kRouter), flow_ipv4());
  const Frame ours_ipv6 = ipv6_frame(kProtocolTcp, tcp(kOurPort, kPeerPort), kOurIpv6, kPeerIpv6);
  const Bytes too_big = icmpv6(kIcmpv6PacketTooBig, 0, 1'400, quote(ours_ipv6, kIpv6Header));
  check_flow(ipv6_frame(kProtocolIcmpv6, too_big, {0xfd00'0000'0000'0000, 0xfe}), flow_ipv6());
}

TEST_CASE("an ICMP error about something else, or cut short, is for the first stack") {
  const Frame udp = ipv4_frame(kProtocolUdp, tcp(kOurPort, kPeerPort), kOurIpv4, kPeerIpv4);
  CHECK(is_first(ipv4_frame(kProtocolIcmp, icmp(kIcmpUnreachable, 3, 0, quote(udp, kIpv4Header)))));
  const Frame ours = ipv4_frame(kProtocolTcp, tcp(kOurPort, kPeerPort), kOurIpv4, kPeerIpv4);
  const Frame whole = ipv4_frame(kProtocolIcmp, icmp(kIcmpUnreachable, 3, 0, quote(ours, kIpv4Header)));
  for (size_t length = 0; length < whole.size() - 4; ++length) {
    CAPTURE(length);
    CHECK(is_first(Frame(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length))));
  }
}

TEST_CASE("fragments are for the first stack, which puts them together") {
  CHECK(is_first(piece_of(kTcpIpv4, {0, 1'480}, true)));
  CHECK(is_first(piece_of(kTcpIpv4, {1'480, 3'020}, false)));
  CHECK(is_first(piece_of_ipv6(kTcpIpv6, {0, 16}, true)));
  CHECK(is_first(piece_of_ipv6(kTcpIpv6, {16, 20}, false)));
}

TEST_CASE("what the first stack answers for all is for it alone") {
  CHECK(is_first(ipv4_frame(kProtocolIcmp, icmp(kIcmpEchoRequest, 0, 1, counting(20)))));
  CHECK(is_first(ipv6_frame(kProtocolIcmpv6, icmpv6(kIcmpv6EchoRequest, 0, 1, counting(20)))));
  CHECK(is_first(ipv4_frame(kProtocolUdp, counting(20))));
  CHECK(is_first(ipv6_frame(kProtocolUdp, counting(20))));
  CHECK(is_first(arp_frame(ArpOperation::request, kPeerIpv4, kOurIpv4)));
  CHECK(is_first(ipv6_frame(kProtocolIcmpv6, icmpv6(kNeighborSolicitation, 0, 0, counting(24)))));
}

TEST_CASE("what teaches a neighbour or contests an address is for every stack") {
  CHECK(is_all(arp_frame(ArpOperation::reply, kPeerIpv4, kOurIpv4)));
  CHECK(is_all(arp_frame(ArpOperation::request, kPeerIpv4, kPeerIpv4)));
  CHECK(is_all(ipv6_frame(kProtocolIcmpv6, icmpv6(kNeighborAdvertisement, 0, 0, counting(24)))));
  CHECK(is_all(ipv6_frame(kProtocolIcmpv6, icmpv6(kRouterAdvertisement, 0, 0, counting(24)), kPeerIpv6, kAllNodes)));
  CHECK(is_all(ipv6_frame(kProtocolIcmpv6, icmpv6(kNeighborSolicitation, 0, 0, counting(24)), IpAddress{})));
  CHECK(is_all(tagged(arp_frame(ArpOperation::reply, kPeerIpv4, kOurIpv4), 7)));
}

TEST_CASE("whatever bytes come, nothing outside of the frame is read, and what is cut short is for the first stack") {
  for (const Frame* whole : {&kTcpIpv4, &kTcpIpv6}) {
    const size_t headers = kEthernetHeader + (whole == &kTcpIpv4 ? kIpv4Header : kIpv6Header);
    for (size_t length = 0; length < headers + 8; ++length) {
      CAPTURE(length);
      CHECK(is_first(Frame(whole->begin(), whole->begin() + static_cast<ptrdiff_t>(length))));
    }
  }
  uint64_t state = 1;
  for (uint32_t round = 0; round < 20'000; ++round) {
    Frame frame = round % 2 == 0 ? kTcpIpv6 : piece_of(kTcpIpv4, {0, 40}, false);
    frame.resize(frame.size() - round % 23);
    for (uint32_t change = 0; change < 4; ++change) {
      state = state * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
      frame[(state >> 33) % frame.size()] = static_cast<uint8_t>(state >> 20);
    }
    target(frame);
  }
}
