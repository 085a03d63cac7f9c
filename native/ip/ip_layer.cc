#include "native/ip/ip_layer.hh"

#include "native/ip/tx_queue.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/icmp.hh"
#include "native/wire/tcp.hh"

namespace qstack {

namespace {

constexpr uint16_t kL4 = kEthernetHeader + kIpv4Header;
/// Enough for `ping -f`, far too little to be a reflector.
constexpr uint32_t kEchoesPerSecond = 10'000;
constexpr uint32_t kEchoBurst = 256;

uint32_t prefix_mask(uint8_t length) { return length == 0 ? 0 : ~0u << (32 - length); }

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

IpLayer::IpLayer(const IpConfig& config, PacketPool& rx, PacketPool& tx, TxQueue& queue, Counters& counters)
    : config_(config),
      rx_(rx),
      outlet_{tx, queue, counters},
      mask_(prefix_mask(config.prefix_length)),
      resolver_(config, outlet_),
      echoes_(kEchoesPerSecond, kEchoBurst) {}

IpLayer::Verdict IpLayer::input(Packet* packet, Nanos now) {
  if (packet->length < kEthernetHeader) return drop(packet, Counter::drop_too_short);
  const uint16_t type = ethernet_type(packet->data);
  if (type == kEtherTypeIpv4) [[likely]]
    return input_ipv4(packet, now);
  if (type == kEtherTypeArp) return input_arp(packet, now);
  return drop(packet, Counter::drop_not_ip);
}

/// RFC 1122 3.3.6 and RFC 9293 3.9.2.3: nothing that we own is a broadcast address, so a datagram in a link-layer
/// broadcast is not for us, whatever it says.
IpLayer::Verdict IpLayer::input_ipv4(Packet* packet, Nanos now) {
  if (ethernet_destination(packet->data) != config_.mac) return drop(packet, Counter::drop_not_ours);
  Ipv4Header header;
  const auto room = static_cast<uint16_t>(packet->length - kEthernetHeader);
  const Ipv4Fault fault = parse_ipv4(packet->data + kEthernetHeader, room, header);
  if (fault != Ipv4Fault::none) return drop(packet, reason_of(fault));
  if (!local(header.destination)) return drop(packet, Counter::drop_not_ours);
  if (header.fragment) return drop(packet, Counter::drop_ip_fragment);
  if (!acceptable_source(header.source)) return drop(packet, Counter::drop_ip_header);
  packet->l3 = kEthernetHeader;
  packet->l4 = static_cast<uint16_t>(kEthernetHeader + header.header_length);
  packet->length = static_cast<uint16_t>(kEthernetHeader + header.total_length);
  if (header.protocol == kProtocolTcp) [[likely]]
    return Verdict::tcp;
  if (header.protocol == kProtocolIcmp) return input_icmp(packet, header, now);
  return drop(packet, Counter::drop_protocol);
}

/// RFC 1122 3.2.1.3: a source that names no single host is dropped. One of our own comes from a forger or a loop.
bool IpLayer::acceptable_source(uint32_t address) const {
  return is_unicast_ipv4(address) && !local(address) && !(connected(address) && subnet_broadcast(address));
}

IpLayer::Verdict IpLayer::input_arp(Packet* packet, Nanos now) {
  const MacAddress destination = ethernet_destination(packet->data);
  if (destination != config_.mac && destination != kBroadcast) return drop(packet, Counter::drop_not_ours);
  resolver_.input(packet->data + kEthernetHeader, static_cast<uint16_t>(packet->length - kEthernetHeader), now);
  rx_.release(packet);
  return Verdict::consumed;
}

IpLayer::Verdict IpLayer::input_icmp(Packet* packet, const Ipv4Header& header, Nanos now) {
  outlet_.counters.add(Counter::icmp_in);
  const auto length = static_cast<uint16_t>(packet->length - packet->l4);
  if (!is_echo_request(packet->data + packet->l4, length) || is_group(ethernet_source(packet->data)) ||
      !echoes_.take(now)) {
    return drop(packet, Counter::drop_icmp);
  }
  answer_echo(packet, header);
  rx_.release(packet);
  return Verdict::consumed;
}

/// The answer goes to the station that the question came from: an echo leaves no trace in the neighbour table.
void IpLayer::answer_echo(const Packet* request, const Ipv4Header& header) {
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return;
  const auto length = static_cast<uint16_t>(request->length - request->l4);
  write_ethernet(packet->data, ethernet_source(request->data), config_.mac, kEtherTypeIpv4);
  write_ipv4(packet->data + kEthernetHeader, header.destination, header.source, kProtocolIcmp,
             static_cast<uint16_t>(kIpv4Header + length));
  write_echo_reply(packet->data + kL4, request->data + request->l4, length);
  packet->length = static_cast<uint16_t>(kL4 + length);
  if (outlet_.send(packet)) outlet_.counters.add(Counter::icmp_out);
}

IpLayer::Verdict IpLayer::drop(Packet* packet, Counter reason) {
  outlet_.counters.add(reason);
  rx_.release(packet);
  return Verdict::consumed;
}

uint32_t IpLayer::route(uint32_t destination, Nanos now) {
  if (!is_unicast_ipv4(destination) || local(destination)) return kNoIndex;
  if (resolver_.known(destination)) return resolver_.resolve(destination, now);
  if (connected(destination)) return subnet_broadcast(destination) ? kNoIndex : resolver_.resolve(destination, now);
  return resolver_.has_gateway() ? resolver_.resolve_gateway(now) : kNoIndex;
}

bool IpLayer::routable(uint32_t destination) const {
  if (!is_unicast_ipv4(destination) || local(destination)) return false;
  if (connected(destination)) return !subnet_broadcast(destination);
  return resolver_.known(destination) || resolver_.has_gateway();
}

/// All of the frame but its destination.
uint8_t* IpLayer::write_headers(Packet* packet, uint32_t source, uint32_t destination, uint8_t protocol,
                                uint16_t l4_length) {
  uint8_t* const frame = packet->data + packet->l4 - kL4;
  packet->payload = static_cast<uint16_t>(packet->payload + (packet->data - frame));
  packet->data = frame;
  packet->l3 = kEthernetHeader;
  packet->l4 = kL4;
  packet->length = static_cast<uint16_t>(kL4 + l4_length);
  store_mac(frame + 6, config_.mac);
  store_be16(frame + 12, kEtherTypeIpv4);
  write_ipv4(frame + kEthernetHeader, source, destination, protocol, static_cast<uint16_t>(kIpv4Header + l4_length));
  return frame;
}

void IpLayer::answer(Packet* packet, const Packet& request, uint8_t protocol, uint16_t l4_length) {
  const uint8_t* const ip = request.data + request.l3;
  uint8_t* const frame = write_headers(packet, load_be32(ip + 16), load_be32(ip + 12), protocol, l4_length);
  const MacAddress station = ethernet_source(request.data);
  if (is_group(station)) return outlet_.drop(packet, Counter::drop_unresolved);
  store_mac(frame, station);
  outlet_.send(packet);
}

void IpLayer::output(Packet* packet, uint32_t source, uint32_t destination, uint32_t neighbor, uint8_t protocol,
                     uint16_t l4_length, Nanos now) {
  write_headers(packet, source, destination, protocol, l4_length);
  if (!resolver_.serves(neighbor, destination)) [[unlikely]] {
    neighbor = route(destination, now);
    if (neighbor == kNoIndex) return outlet_.drop(packet, Counter::drop_unresolved);
  }
  resolver_.send(packet, neighbor, now);
}

}  // namespace qstack
