// ICMP and ICMPv6 that arrive, and their answers: RFC 792, RFC 4443; RFC 4861 for what Ndp reads.
#include "native/ip/ip_layer.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/icmp.hh"
#include "native/wire/ndp.hh"

namespace qstack {

IpLayer::Verdict IpLayer::input_icmp(Packet* packet, const Ipv4Header& header, Nanos now) {
  outlet_.counters.add(Counter::icmp_in);
  const auto length = static_cast<uint16_t>(packet->length - packet->l4);
  const uint8_t* const icmp = packet->data + packet->l4;
  const bool intact = length >= kIcmpHeader && internet_checksum(icmp, length) == 0;
  if (!intact || icmp[0] != kIcmpEchoRequest || icmp[1] != 0 || is_group(ethernet_source(packet->data)) ||
      !echoes_.take(now)) {
    return drop(packet, Counter::drop_icmp);
  }
  answer_echo(packet, header);
  rx_.release(packet);
  return Verdict::consumed;
}

IpLayer::Verdict IpLayer::input_icmpv6(Packet* packet, const Ipv6Header& header, Nanos now) {
  const auto length = static_cast<uint16_t>(packet->length - packet->l4);
  const uint8_t* const icmp = packet->data + packet->l4;
  const uint64_t pseudo = checksum_pseudo(header.source, header.destination, kProtocolIcmpv6, length);
  const bool intact = length >= kIcmpHeader && internet_checksum(icmp, length, pseudo) == 0;
  const bool discovery = intact && icmp[0] >= kRouterSolicitation && icmp[0] <= kRedirect;
  outlet_.counters.add(discovery ? Counter::ndp_in : Counter::icmp_in);
  if (discovery) {
    const Ndp::Origin origin = {header.source, header.destination, ethernet_source(packet->data)};
    const bool from_link = header.hop_limit == kNdpHopLimit && !is_group(origin.mac);
    if (!from_link || !ndp_.input(icmp, length, origin, now)) return drop(packet, Counter::drop_ndp);
  } else {
    const bool question = intact && icmp[0] == kIcmpv6EchoRequest && icmp[1] == 0 && !header.source.unspecified() && !own_.tentative();
    if (!question || is_group(ethernet_source(packet->data)) || !echoes_.take(now)) {
      return drop(packet, Counter::drop_icmp);
    }
    answer_echo(packet, header);
  }
  rx_.release(packet);
  return Verdict::consumed;
}

/// The answer goes to the station that the question came from: an echo leaves no trace in the neighbour table.
void IpLayer::answer_echo(const Packet* request, const Ipv4Header& header) {
  constexpr uint16_t kL4 = kEthernetHeader + kIpv4Header;
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return;
  const auto length = static_cast<uint16_t>(request->length - request->l4);
  write_ethernet(packet->data, ethernet_source(request->data), mac_, kEtherTypeIpv4);
  write_ipv4(packet->data + kEthernetHeader, header.destination, header.source, kProtocolIcmp,
             static_cast<uint16_t>(kIpv4Header + length));
  write_echo_reply(packet->data + kL4, request->data + request->l4, length, kIcmpEchoReply, 0);
  packet->length = static_cast<uint16_t>(kL4 + length);
  if (outlet_.send(packet)) outlet_.counters.add(Counter::icmp_out);
}

/// RFC 4443 4.2: what was asked of a group is answered from one of our own addresses.
void IpLayer::answer_echo(const Packet* request, const Ipv6Header& header) {
  constexpr uint16_t kL4 = kEthernetHeader + kIpv6Header;
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return;
  const auto length = static_cast<uint16_t>(request->length - request->l4);
  const IpAddress source = header.destination.multicast() ? own_.source_for(header.source) : header.destination;
  write_ethernet(packet->data, ethernet_source(request->data), mac_, kEtherTypeIpv6);
  write_ipv6(packet->data + kEthernetHeader, source, header.source, kProtocolIcmpv6, length);
  write_echo_reply(packet->data + kL4, request->data + request->l4, length, kIcmpv6EchoReply,
                   checksum_pseudo(source, header.source, kProtocolIcmpv6, length));
  packet->length = static_cast<uint16_t>(kL4 + length);
  if (outlet_.send(packet)) outlet_.counters.add(Counter::icmp_out);
}

}  // namespace qstack
