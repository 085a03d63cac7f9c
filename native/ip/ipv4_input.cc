// IPv4 and ARP frames that arrive: RFC 791 3.1, RFC 1122 3.2.1.
#include "native/ip/ip_layer.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/icmp.hh"
#include "native/wire/tcp.hh"

namespace qstack {

namespace {

Counter reason_of(Ipv4Fault fault) {
  switch (fault) {
    case Ipv4Fault::too_short:
      return Counter::drop_too_short;
    case Ipv4Fault::checksum:
      return Counter::drop_ip_checksum;
    default:
      return Counter::drop_ip_header;
  }
}

}  // namespace

/// RFC 1122 3.3.6 and RFC 9293 3.9.2.3: nothing that we own is a broadcast address, so a datagram in a link-layer
/// broadcast is not for us, whatever it says.
IpLayer::Verdict IpLayer::input_ipv4(Packet* packet, Nanos now) {
  if (ethernet_destination(packet->data) != mac_) return drop(packet, Counter::drop_not_ours);
  Ipv4Header header;
  const auto room = static_cast<uint16_t>(packet->length - kEthernetHeader);
  const Ipv4Fault fault = parse_ipv4(packet->data + kEthernetHeader, room, header);
  if (fault != Ipv4Fault::none) return drop(packet, reason_of(fault));
  if (!own_.local(header.destination)) return drop(packet, Counter::drop_not_ours);
  if (!acceptable_source(header.source)) return drop(packet, Counter::drop_ip_header);
  if (header.fragment) [[unlikely]]
    return input_fragment(packet, header, now);
  packet->l3 = kEthernetHeader;
  packet->l4 = static_cast<uint16_t>(kEthernetHeader + header.header_length);
  packet->length = static_cast<uint16_t>(kEthernetHeader + header.total_length);
  if (header.protocol == kProtocolTcp) [[likely]]
    return Verdict::tcp;
  return input_other_ipv4(packet, header, now);
}

IpLayer::Verdict IpLayer::input_other_ipv4(Packet* packet, const Ipv4Header& header, Nanos now) {
  if (header.protocol != kProtocolIcmp) return refuse_ipv4(packet, header.protocol, now);
  const IcmpMessage message = {packet->data + packet->l4, static_cast<uint16_t>(packet->length - packet->l4), header.source,
                               header.destination, ethernet_source(packet->data), 0};
  return input_icmp(packet, message, now);
}

/// RFC 1122 3.2.1.3: a source that names no single host is dropped. One of our own comes from a forger or a loop.
bool IpLayer::acceptable_source(uint32_t address) const {
  return is_unicast_ipv4(address) && !own_.local(address) && !own_.subnet_broadcast(address);
}

IpLayer::Verdict IpLayer::input_arp(Packet* packet, Nanos now) {
  const MacAddress destination = ethernet_destination(packet->data);
  if (destination != mac_ && destination != kBroadcast) return drop(packet, Counter::drop_not_ours);
  resolver_.input(packet->data + kEthernetHeader, static_cast<uint16_t>(packet->length - kEthernetHeader), now);
  rx_.release(packet);
  return Verdict::consumed;
}

}  // namespace qstack
