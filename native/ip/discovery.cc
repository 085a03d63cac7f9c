#include "native/ip/discovery.hh"

#include "native/wire/ipv6.hh"

namespace qstack {
namespace {

constexpr uint16_t kIcmpAt = kEthernetHeader + kIpv6Header;

}  // namespace

void Discovery::arp(const ArpPacket& arp, const MacAddress& to) {
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return;
  write_ethernet(packet->data, to, mac_, kEtherTypeArp);
  write_arp(packet->data + kEthernetHeader, arp);
  packet->length = kEthernetHeader + kArpLength;
  if (outlet_.send(packet)) outlet_.counters.add(Counter::arp_out);
}

void Discovery::solicit(const IpAddress& source, const IpAddress& target, const MacAddress* to) {
  NeighborMessage message{};
  message.target = target;
  if (!source.unspecified()) message.mac = mac_;
  const IpAddress group = solicited_node(target);
  neighbor_message(message, source, to == nullptr ? group : target, to == nullptr ? multicast_mac(group) : *to);
}

void Discovery::advertise(const IpAddress& target, const IpAddress& to, const MacAddress& to_mac) {
  NeighborMessage message{};
  message.advertisement = message.override_flag = true;
  message.solicited = !to.multicast();
  message.target = target;
  message.mac = mac_;
  neighbor_message(message, target, to, to_mac);
}

void Discovery::solicit_routers(const IpAddress& source) {
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return;
  const uint16_t length = write_router_solicitation(packet->data + kIcmpAt, mac_);
  send(packet, source, kAllRouters, multicast_mac(kAllRouters), length);
}

void Discovery::neighbor_message(const NeighborMessage& message, const IpAddress& source, const IpAddress& to,
                                 const MacAddress& to_mac) {
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return;
  const uint16_t length = write_neighbor_message(packet->data + kIcmpAt, message);
  send(packet, source, to, to_mac, length);
}

void Discovery::send(Packet* packet, const IpAddress& source, const IpAddress& to, const MacAddress& to_mac,
                     uint16_t length) {
  uint8_t* const icmp = packet->data + kIcmpAt;
  const uint16_t sum = internet_checksum(icmp, length, checksum_pseudo(source, to, kProtocolIcmpv6, length));
  std::memcpy(icmp + 2, &sum, 2);
  write_ethernet(packet->data, to_mac, mac_, kEtherTypeIpv6);
  write_ipv6(packet->data + kEthernetHeader, source, to, kProtocolIcmpv6, length, kNdpHopLimit);
  packet->length = static_cast<uint16_t>(kIcmpAt + length);
  if (outlet_.send(packet)) outlet_.counters.add(Counter::ndp_out);
}

}  // namespace qstack
