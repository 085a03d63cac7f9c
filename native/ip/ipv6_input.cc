// IPv6 frames that arrive: RFC 8200 3 and 4, RFC 4291 2.8.
#include "native/ip/ip_layer.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ndp.hh"
#include "native/wire/tcp.hh"

namespace qstack {

IpLayer::Verdict IpLayer::input_ipv6(Packet* packet, Nanos now, bool may_be_piece) {
  Ipv6Header header;
  const uint8_t* const ip = packet->data + kEthernetHeader;
  const auto room = static_cast<uint16_t>(packet->length - kEthernetHeader);
  if (room < kIpv6Header) return drop(packet, Counter::drop_too_short);
  if (!parse_ipv6(ip, room, header)) return drop(packet, Counter::drop_ip_header);
  if (!for_us(packet, header.destination)) return drop(packet, Counter::drop_not_ours);
  const Ipv6Chain chain = walk_ipv6(ip, header.total_length, header.next_header);
  packet->length = static_cast<uint16_t>(kEthernetHeader + header.total_length);
  if (chain.fault != Ipv6Fault::none) return reject_chain(packet, chain, now);
  if (!acceptable_source(header.source, chain.protocol)) return drop(packet, Counter::drop_ip_header);
  if (chain.fragment_header != 0) {
    return may_be_piece ? input_fragment(packet, header, chain, now) : drop(packet, Counter::drop_ip_fragment);
  }
  packet->l3 = kEthernetHeader;
  packet->l4 = static_cast<uint16_t>(kEthernetHeader + chain.l4);
  if (chain.protocol == kProtocolTcp && !header.destination.multicast()) [[likely]]
    return Verdict::tcp;
  if (chain.protocol != kProtocolIcmpv6) return refuse_ipv6(packet, chain, now);
  const IcmpMessage message = {packet->data + packet->l4, static_cast<uint16_t>(packet->length - packet->l4), header.source,
                               header.destination, ethernet_source(packet->data),
                               may_be_piece ? header.hop_limit : uint8_t{0}};
  return input_icmpv6(packet, message, now);
}

/// To one of our addresses in a frame to us, or to one of our groups in a frame to that group. A tentative address
/// hears NDP alone, which comes by its group or is about it (RFC 4862 5.4).
bool IpLayer::for_us(const Packet* packet, const IpAddress& destination) const {
  const MacAddress mac = ethernet_destination(packet->data);
  if (destination.multicast()) return mac == multicast_mac(destination) && own_.member(destination);
  return mac == mac_ && own_.local(destination);
}

/// One of our own comes from a forger or a loop. `::` may only ask who has an address (RFC 4861 7.1.1).
bool IpLayer::acceptable_source(const IpAddress& address, uint8_t protocol) const {
  if (address.unspecified()) return protocol == kProtocolIcmpv6;
  return is_unicast_ipv6(address) && !own_.local(address);
}

}  // namespace qstack
