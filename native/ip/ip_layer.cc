#include "native/ip/ip_layer.hh"

#include "native/ip/tx_queue.hh"
#include "native/wire/ethernet.hh"

namespace qstack {

namespace {

/// Enough for `ping -f`, far too little to be a reflector.
constexpr uint32_t kEchoesPerSecond = 10'000;
constexpr uint32_t kEchoBurst = 256;
/// RFC 1812 4.3.2.8 and RFC 4443 2.4 (f): errors are few, whatever causes them.
constexpr uint32_t kErrorsPerSecond = 1'000;
constexpr uint32_t kErrorBurst = 50;
/// No EtherType.
constexpr uint32_t kNoType = 0x1'0000;

}  // namespace

IpLayer::IpLayer(const IpConfig& config, PacketPool& rx, PacketPool& tx, TxQueue& queue, Counters& counters)
    : ipv4_type_(config.vlan == 0 ? kEtherTypeIpv4 : kNoType),
      mac_(config.mac),
      vlan_(config.vlan),
      mtu_(config.mtu),
      rx_(rx),
      outlet_{tx, queue, counters, config.vlan},
      own_(config),
      resolver_(config, own_, outlet_),
      ndp_(config, own_, resolver_, outlet_),
      echoes_(kEchoesPerSecond, kEchoBurst),
      errors_(kErrorsPerSecond, kErrorBurst),
      fragments_(counters),
      others_(config.others),
      identification_(static_cast<uint32_t>(config.secret >> 32)) {}

IpLayer::Verdict IpLayer::input(Packet* packet, Nanos now) {
  if (packet->length < kEthernetHeader) return drop(packet, Counter::drop_too_short);
  packet->tag = 0;
  const uint16_t type = ethernet_type(packet->data);
  if (type == ipv4_type_) [[likely]]
    return input_ipv4(packet, now);
  return input_other(packet, type, now);
}

/// A tag is taken off before anything else looks at the frame: what follows, rules about headers included, sees it as it
/// would come over a line of its own.
IpLayer::Verdict IpLayer::input_other(Packet* packet, uint16_t type, Nanos now) {
  if (vlan_ != 0 || type == kEtherTypeVlan) {
    if (!untag(packet)) return drop(packet, Counter::drop_vlan);
    type = ethernet_type(packet->data);
  }
  if (type == kEtherTypeIpv4) return input_ipv4(packet, now);
  if (type == kEtherTypeIpv6 && own_.has_ipv6()) return input_ipv6(packet, now);
  if (type == kEtherTypeArp) return input_arp(packet, now);
  return drop(packet, Counter::drop_not_ip);
}

/// False: it is of another VLAN, or of none. Number 0 is of none and may be tagged (802.1Q 9.6).
bool IpLayer::untag(Packet* packet) const {
  const bool tagged = packet->length >= kEthernetHeader + kVlanTag && ethernet_type(packet->data) == kEtherTypeVlan;
  if (!tagged || vlan_of(packet->data) != vlan_) return false;
  packet->tag = load_be32(packet->data + 12);
  remove_tag(packet->data);
  packet->data += kVlanTag;
  packet->length = static_cast<uint16_t>(packet->length - kVlanTag);
  return true;
}

IpLayer::Verdict IpLayer::drop(Packet* packet, Counter reason) {
  outlet_.counters.add(reason);
  rx_.release(packet);
  return Verdict::consumed;
}

void IpLayer::tick(Nanos now) {
  if (own_.has_ipv6()) ndp_.tick(now);
  if (fragments_.used() != 0) expire_fragments(now);
  resolver_.tick(now);  // last: what waited for our addresses may be asked now
}

uint32_t IpLayer::route(const IpAddress& destination, Nanos now) {
  if (!routable(destination)) return kNoIndex;
  const bool direct = own_.connected(destination) || resolver_.known(destination);
  return direct ? resolver_.resolve(destination, now) : resolver_.resolve_gateway(destination, now);
}

uint8_t* IpLayer::frame_before(Packet* packet, uint16_t header, uint16_t l4_length) {
  const auto l4 = static_cast<uint16_t>(kEthernetHeader + header);
  uint8_t* const frame = packet->data + packet->l4 - l4;
  packet->payload = static_cast<uint16_t>(packet->payload + (packet->data - frame));
  packet->data = frame;
  packet->l3 = kEthernetHeader;
  packet->l4 = l4;
  packet->length = static_cast<uint16_t>(l4 + l4_length);
  store_mac(frame + 6, mac_);
  return frame;
}

bool IpLayer::routable(const IpAddress& destination) const {
  const bool possible = destination.is_ipv4() ? is_unicast_ipv4(destination.ipv4()) && !own_.subnet_broadcast(destination.ipv4())
                                              : own_.has_ipv6() && is_unicast_ipv6(destination);
  if (!possible || own_.local(destination)) return false;
  return own_.connected(destination) || resolver_.known(destination) || resolver_.has_gateway(destination);
}

void IpLayer::answer(Packet* packet, const Packet& request, uint8_t protocol, uint16_t l4_length) {
  const uint8_t* const ip = request.data + request.l3;
  uint8_t* const frame = ip[0] >> 4 == 4
                             ? write_ipv4_headers(packet, load_be32(ip + 16), load_be32(ip + 12), protocol, l4_length)
                             : write_ipv6_headers(packet, load_ipv6(ip + 24), load_ipv6(ip + 8), protocol, l4_length);
  const MacAddress station = ethernet_source(request.data);
  if (is_group(station)) return outlet_.drop(packet, Counter::drop_unresolved);
  store_mac(frame, station);
  outlet_.send(packet);
}

/// All of the frame but its destination.
uint8_t* IpLayer::write_ipv4_headers(Packet* packet, uint32_t source, uint32_t destination, uint8_t protocol,
                                     uint16_t l4_length) {
  uint8_t* const frame = frame_before(packet, kIpv4Header, l4_length);
  store_be16(frame + 12, kEtherTypeIpv4);
  write_ipv4(frame + kEthernetHeader, source, destination, protocol, static_cast<uint16_t>(kIpv4Header + l4_length),
             packet->traffic_class, packet->ttl);
  return frame;
}

uint8_t* IpLayer::write_ipv6_headers(Packet* packet, const IpAddress& source, const IpAddress& destination,
                                     uint8_t protocol, uint16_t l4_length) {
  uint8_t* const frame = frame_before(packet, kIpv6Header, l4_length);
  store_be16(frame + 12, kEtherTypeIpv6);
  write_ipv6(frame + kEthernetHeader, source, destination, protocol, l4_length, packet->ttl, packet->traffic_class);
  return frame;
}

void IpLayer::output(Packet* packet, uint32_t source, uint32_t destination, uint32_t neighbor, uint8_t protocol,
                     uint16_t l4_length, Nanos now) {
  write_ipv4_headers(packet, source, destination, protocol, l4_length);
  send(packet, neighbor, destination, now);
}

void IpLayer::output_ipv6(Packet* packet, const IpAddress& source, const IpAddress& destination, uint32_t neighbor,
                          uint8_t protocol, uint16_t l4_length, Nanos now) {
  write_ipv6_headers(packet, source, destination, protocol, l4_length);
  send(packet, neighbor, destination, now);
}

void IpLayer::send(Packet* packet, uint32_t neighbor, const IpAddress& destination, Nanos now) {
  if (!resolver_.serves(neighbor, destination)) [[unlikely]] {
    neighbor = route(destination, now);
    if (neighbor == kNoIndex) return outlet_.drop(packet, Counter::drop_unresolved);
  }
  resolver_.send(packet, neighbor, now);
}

}  // namespace qstack
