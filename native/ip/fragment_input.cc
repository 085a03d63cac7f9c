// Fragments that arrive, datagrams of several frames that leave: RFC 791 3.2, RFC 8200 4.5.
//
// The packet of the fragment that completes a datagram carries it on, as if it had come whole, to another stack if its flow is
// there. One that is longer than a packet has room for can only be an echo request: it is answered out of the pool of fragments.
#include <algorithm>
#include <cstring>

#include "native/ip/ip_layer.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/icmp.hh"

namespace qstack {

IpLayer::Verdict IpLayer::input_fragment(Packet* packet, const Ipv4Header& header, Nanos now) {
  uint8_t* const ip = packet->data + kEthernetHeader;
  const Ipv4Piece piece = piece_of_ipv4(ip);
  Fragment fragment;
  fragment.key = {header.source, header.destination, piece.identification, header.protocol};
  fragment.offset = piece.offset;
  fragment.more = piece.more;
  fragment.ecn = ecn_of(ip);
  fragment.station = ethernet_source(packet->data);
  fragment.headers = {ip, header.header_length};
  fragment.bytes = {ip + header.header_length, size_t{header.total_length} - header.header_length};
  const Fragments::Datagram* const whole = fragments_.add(fragment, now);
  if (whole == nullptr) return release(packet);
  if (!carry(packet, *whole)) return input_long(packet, *whole, header.protocol, now);
  uint8_t* const carried = packet->data + kEthernetHeader;
  carried[1] = static_cast<uint8_t>((carried[1] & ~3) | whole->ecn);
  change_ipv4(carried, static_cast<uint16_t>(packet->length - kEthernetHeader), {});
  return another_takes(packet) ? Verdict::consumed : input_ipv4(packet, now);
}

/// RFC 8200 4.5: the unfragmentable part of the first piece, with the next header that the fragment header names.
IpLayer::Verdict IpLayer::input_fragment(Packet* packet, const Ipv6Header& header, const Ipv6Chain& chain, Nanos now) {
  uint8_t* const ip = packet->data + kEthernetHeader;
  const Ipv6Piece piece = piece_of_ipv6(ip + chain.fragment_header);
  const uint32_t length = header.total_length - chain.l4;
  if (piece.more && length % 8 != 0) {
    constexpr uint16_t kPayloadLengthAt = 4;
    report(cause_of(packet), {kIcmpv6ParameterProblem, kErroneousHeader, kPayloadLengthAt}, now);
  } else if (chain.fragment_header - kIpv6Header + piece.offset + length > UINT16_MAX) {
    report(cause_of(packet), {kIcmpv6ParameterProblem, kErroneousHeader, chain.fragment_header + 2u}, now);
  }
  if (piece.offset == 0 && !piece.more) return input_atomic(packet, chain, now);
  Fragment fragment;
  fragment.key = {header.source, header.destination, piece.identification, 0};
  fragment.offset = piece.offset;
  fragment.more = piece.more;
  fragment.ecn = ecn_of(ip);
  fragment.station = ethernet_source(packet->data);
  fragment.headers = {ip, chain.l4};
  fragment.bytes = {ip + chain.l4, length};
  const Fragments::Datagram* const whole = fragments_.add(fragment, now);
  if (whole == nullptr) return release(packet);
  Fragments::Datagram datagram = *whole;
  const auto headers = static_cast<uint16_t>(datagram.headers.size());
  const Ipv6Chain first = walk_ipv6(datagram.headers.data(), headers, datagram.headers[6]);
  datagram.headers = datagram.headers.first(first.fragment_header);
  if (!carry(packet, datagram)) return input_long(packet, datagram, first.protocol, now);
  uint8_t* const carried = packet->data + kEthernetHeader;
  carried[first.before_fragment] = first.protocol;
  carried[1] = static_cast<uint8_t>((carried[1] & 0xcf) | datagram.ecn << 4);
  store_be16(carried + 4, static_cast<uint16_t>(packet->length - kEthernetHeader - kIpv6Header));
  return another_takes(packet) ? Verdict::consumed : input_ipv6(packet, now, false);
}

/// RFC 6946: a fragment that is all of its datagram waits for no other, and is in nobody's way.
IpLayer::Verdict IpLayer::input_atomic(Packet* packet, const Ipv6Chain& chain, Nanos now) {
  outlet_.counters.add(Counter::fragments_in);
  packet->data[kEthernetHeader + chain.before_fragment] = chain.protocol;
  std::memmove(packet->data + kIpv6FragmentHeader, packet->data, kEthernetHeader + chain.fragment_header);
  packet->data += kIpv6FragmentHeader;
  packet->length = static_cast<uint16_t>(packet->length - kIpv6FragmentHeader);
  store_be16(packet->data + kEthernetHeader + 4, static_cast<uint16_t>(packet->length - kEthernetHeader - kIpv6Header));
  return another_takes(packet) ? Verdict::consumed : input_ipv6(packet, now, false);
}

IpLayer::Verdict IpLayer::release(Packet* packet) {
  rx_.release(packet);
  return Verdict::consumed;
}

/// The packet is ours alone, so its frame may be written over. False: the datagram does not fit.
bool IpLayer::carry(Packet* packet, const Fragments::Datagram& datagram) {
  const size_t headers = kEthernetHeader + datagram.headers.size();
  if (headers + datagram.bytes.size() > kRoom) return false;
  uint8_t* const frame = PacketRegion::payload_start(packet);
  std::memmove(frame, packet->data, kEthernetHeader);
  std::memcpy(frame + kEthernetHeader, datagram.headers.data(), datagram.headers.size());
  std::memcpy(frame + headers, datagram.bytes.data(), datagram.bytes.size());
  packet->data = frame;
  packet->length = static_cast<uint16_t>(headers + datagram.bytes.size());
  return true;
}

/// No segment for us is longer than our MTU; nothing else has a reader.
IpLayer::Verdict IpLayer::input_long(Packet* packet, const Fragments::Datagram& datagram, uint8_t protocol, Nanos now) {
  const IcmpMessage message = {datagram.bytes.data(), static_cast<uint16_t>(datagram.bytes.size()), datagram.key.source,
                               datagram.key.destination, datagram.station, 0};
  const bool ipv4 = message.source.is_ipv4();
  if (ipv4 && protocol == kProtocolIcmp) return input_icmp(packet, message, now);
  if (!ipv4 && protocol == kProtocolIcmpv6) return input_icmpv6(packet, message, now);
  return drop(packet, Counter::drop_ip_fragment);
}

/// RFC 792, RFC 8200 4.5: told where the first piece is known.
void IpLayer::expire_fragments(Nanos now) {
  while (const Fragments::Datagram* const late = fragments_.expire(now)) {
    const uint8_t type = late->key.source.is_ipv4() ? kIcmpTimeExceeded : kIcmpv6TimeExceeded;
    report({late->station, late->key.source, late->key.destination, late->headers, late->bytes},
           {type, kReassemblyTimeExceeded}, now);
  }
}

/// To the station it names, in as many pieces as it takes. No path MTU is known here: routers may cut what leaves over IPv4,
/// and what leaves over IPv6 fits every link (RFC 8200 5). True: it is queued, as a whole.
bool IpLayer::send_datagram(const Receiver& to, std::span<const uint8_t> payload) {
  const bool ipv4 = to.destination.is_ipv4();
  const uint32_t room = ipv4 ? mtu_ - kIpv4Header : std::min(mtu_, kIpv6MtuMin) - kIpv6Header;
  ++identification_;
  if (payload.size() <= room) return send_piece(to, payload, 0, false);
  const uint32_t piece = (room - (ipv4 ? 0 : kIpv6FragmentHeader)) / 8 * 8;
  for (uint32_t offset = 0; offset < payload.size(); offset += piece) {
    const auto bytes = payload.subspan(offset, std::min<size_t>(piece, payload.size() - offset));
    outlet_.counters.add(Counter::fragments_out);
    if (!send_piece(to, bytes, static_cast<uint16_t>(offset), offset + bytes.size() < payload.size())) return false;
  }
  return true;
}

bool IpLayer::send_piece(const Receiver& to, std::span<const uint8_t> bytes, uint16_t offset, bool more) {
  Packet* const packet = outlet_.make();
  if (packet == nullptr) return false;
  const bool ipv4 = to.destination.is_ipv4();
  const bool cut = offset != 0 || more;
  uint8_t* const ip = packet->data + kEthernetHeader;
  uint16_t header = ipv4 ? kIpv4Header : kIpv6Header;
  write_ethernet(packet->data, to.station, mac_, ipv4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  if (ipv4) {
    const auto total = static_cast<uint16_t>(kIpv4Header + bytes.size());
    write_ipv4(ip, to.source.ipv4(), to.destination.ipv4(), to.protocol, total);
    change_ipv4(ip, total, {static_cast<uint16_t>(identification_), offset, more});
  } else {
    const auto length = static_cast<uint16_t>(bytes.size() + (cut ? kIpv6FragmentHeader : 0));
    write_ipv6(ip, to.source, to.destination, cut ? kProtocolFragment : to.protocol, length);
    if (cut) write_ipv6_piece(ip + kIpv6Header, to.protocol, {identification_, offset, more});
    if (cut) header += kIpv6FragmentHeader;
  }
  std::memcpy(ip + header, bytes.data(), bytes.size());
  packet->length = static_cast<uint16_t>(kEthernetHeader + header + bytes.size());
  return outlet_.send(packet);
}

}  // namespace qstack
