// ICMP errors: those of others about our segments, and ours about what comes here.
// Read first: RFC 1122 3.2.2, RFC 1191 4, RFC 4443 2.4 (e), RFC 8201 4; RFC 5927 for why TCP believes little of them.
#include <algorithm>
#include <cstring>

#include "native/ip/ip_layer.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/icmp.hh"
#include "native/wire/tcp.hh"

namespace qstack {
namespace {

using Kind = IcmpError::Kind;

/// What an error must quote of a segment: ports and sequence number (RFC 792).
constexpr uint16_t kQuotedSegment = 8;
/// Quotes are cut so that the error fits into what everybody takes: RFC 1812 4.3.2.3, RFC 4443 2.4 (c).
constexpr uint16_t kErrorMax = 576, kErrorMaxIpv6 = kIpv6MtuMin;

Kind kind_of_unreachable(uint8_t code) {
  switch (code) {
    case kFragmentationNeeded:
      return Kind::too_big;
    case kPortUnreachable:
      return Kind::refused;
    case kProtocolUnreachable:
    case kNetProhibited:
    case kHostProhibited:
    case kFilterProhibited:
      return Kind::prohibited;
    default:
      return Kind::soft;
  }
}

Kind kind_of_ipv6(uint8_t type, uint8_t code) {
  if (type == kIcmpv6PacketTooBig) return Kind::too_big;
  if (type == kIcmpv6ParameterProblem) return code == kUnknownNextHeader ? Kind::prohibited : Kind::soft;
  if (type != kIcmpv6Unreachable) return Kind::soft;
  if (code == kIcmpv6PortUnreachable) return Kind::refused;
  return code == kIcmpv6Prohibited || code == kIcmpv6PolicyProhibited || code == kIcmpv6RouteRejected ? Kind::prohibited
                                                                                                      : Kind::soft;
}

/// RFC 1191 5 and 7.1: an old router does not say what would fit; the next plateau below what did not is tried.
uint16_t plateau_below(uint16_t length) {
  for (const uint16_t plateau : {1492, 1006, 508, 296}) {
    if (plateau < length) return plateau;
  }
  return 68;
}

void read_segment(const uint8_t* tcp, IcmpError& out) {
  out.local_port = load_be16(tcp);
  out.remote_port = load_be16(tcp + 2);
  out.seq = load_be32(tcp + 4);
}

/// False: it quotes no segment that could be one of ours. A router has changed TTL and checksum of the header, so that
/// the latter says nothing.
bool read_ipv4_error(const uint8_t* icmp, uint16_t length, IcmpError& out) {
  const uint8_t* const ip = icmp + kIcmpHeader;
  const uint32_t room = length - kIcmpHeader;
  if (room < kIpv4Header || ip[0] >> 4 != 4) return false;
  const uint32_t header = (ip[0] & 0x0fu) * 4;
  if (header < kIpv4Header || room < header + kQuotedSegment) return false;
  if (ip[9] != kProtocolTcp || piece_of_ipv4(ip).offset != 0) return false;
  out.kind = icmp[0] == kIcmpUnreachable ? kind_of_unreachable(icmp[1]) : Kind::soft;
  out.local = load_be32(ip + 12);
  out.remote = load_be32(ip + 16);
  out.length = load_be16(ip + 2);
  const uint16_t told = load_be16(icmp + 6);
  out.mtu = told == 0 ? plateau_below(out.length) : told;
  read_segment(ip + header, out);
  return is_unicast_ipv4(out.remote.ipv4());
}

bool read_ipv6_error(const uint8_t* icmp, uint16_t length, IcmpError& out) {
  const uint8_t* const ip = icmp + kIcmpHeader;
  if (length < kIcmpHeader + kIpv6Header + kQuotedSegment || ip[0] >> 4 != 6 || ip[6] != kProtocolTcp) return false;
  out.kind = kind_of_ipv6(icmp[0], icmp[1]);
  out.local = load_ipv6(ip + 8);
  out.remote = load_ipv6(ip + 24);
  out.length = static_cast<uint16_t>(std::min<uint32_t>(kIpv6Header + load_be16(ip + 4), UINT16_MAX));
  out.mtu = static_cast<uint16_t>(std::min<uint32_t>(load_be32(icmp + 4), UINT16_MAX));
  read_segment(ip + kIpv6Header, out);
  return is_unicast_ipv6(out.local) && is_unicast_ipv6(out.remote);
}

}  // namespace

IpLayer::Verdict IpLayer::input_error(Packet* packet, const IcmpMessage& message) {
  outlet_.counters.add(Counter::icmp_errors_in);
  const bool read = message.source.is_ipv4() ? read_ipv4_error(message.at, message.length, error_)
                                             : read_ipv6_error(message.at, message.length, error_);
  if (!read || !own_.local(error_.local)) return drop(packet, Counter::drop_icmp_error);
  rx_.release(packet);
  return Verdict::error;
}

/// RFC 1122 3.2.2 and RFC 4443 2.4 (e): nothing about what came to many, or from nobody in particular; and a bounded
/// number in a second. What is about ICMP itself never gets here.
void IpLayer::report(const Cause& cause, const Notice& notice, Nanos now) {
  const bool ipv4 = cause.source.is_ipv4();
  const bool from_one = ipv4 || (is_unicast_ipv6(cause.source) && !own_.local(cause.source) && !own_.tentative());
  const bool to_one = notice.even_to_groups || !cause.destination.multicast();
  if (!from_one || !to_one || is_group(cause.station)) return;
  if (!errors_.take(now)) return outlet_.counters.add(Counter::icmp_errors_limited);
  const IpAddress source = own_answer_address(cause.source, cause.destination);
  std::array<uint8_t, kErrorMaxIpv6> icmp;
  icmp[0] = notice.type;
  icmp[1] = notice.code;
  store_be32(icmp.data() + 4, notice.rest);
  const size_t most = ipv4 ? kErrorMax - kIpv4Header : kErrorMaxIpv6 - kIpv6Header;
  size_t length = kIcmpHeader;
  for (const auto& part : {cause.headers, cause.bytes}) {
    const size_t taken = std::min(part.size(), most - length);
    if (taken != 0) std::memcpy(icmp.data() + length, part.data(), taken);
    length += taken;
  }
  const auto size = static_cast<uint16_t>(length);
  write_icmp_checksum(icmp.data(), size, ipv4 ? 0 : checksum_pseudo(source, cause.source, kProtocolIcmpv6, size));
  const Receiver to = {cause.station, source, cause.source, ipv4 ? kProtocolIcmp : kProtocolIcmpv6};
  if (send_datagram(to, {icmp.data(), size})) outlet_.counters.add(Counter::icmp_errors_out);
}

IpLayer::Cause IpLayer::cause_of(const Packet* packet) {
  const uint8_t* const ip = packet->data + kEthernetHeader;
  Cause cause{ethernet_source(packet->data), {}, {}, {ip, size_t{packet->length} - kEthernetHeader}, {}};
  const bool ipv4 = ip[0] >> 4 == 4;
  cause.source = ipv4 ? IpAddress(load_be32(ip + 12)) : load_ipv6(ip + 8);
  cause.destination = ipv4 ? IpAddress(load_be32(ip + 16)) : load_ipv6(ip + 24);
  return cause;
}

/// RFC 1122 3.2.2.1: no port of UDP is open here, and other protocols are unknown.
IpLayer::Verdict IpLayer::refuse_ipv4(Packet* packet, uint8_t protocol, Nanos now) {
  report(cause_of(packet), {kIcmpUnreachable, protocol == kProtocolUdp ? kPortUnreachable : kProtocolUnreachable}, now);
  return drop(packet, Counter::drop_protocol);
}

/// RFC 8200 4 and RFC 4443 3.1. Behind "no next header" there is nothing to complain about.
IpLayer::Verdict IpLayer::refuse_ipv6(Packet* packet, const Ipv6Chain& chain, Nanos now) {
  if (chain.protocol == kProtocolUdp) {
    report(cause_of(packet), {kIcmpv6Unreachable, kIcmpv6PortUnreachable}, now);
  } else if (chain.protocol != kProtocolNone && chain.protocol != kProtocolTcp) {
    report(cause_of(packet), {kIcmpv6ParameterProblem, kUnknownNextHeader, chain.next_header_at}, now);
  }
  return drop(packet, Counter::drop_protocol);
}

/// A chain of headers that we do not go along with (RFC 8200 4.1, 4.2, 4.4).
IpLayer::Verdict IpLayer::reject_chain(Packet* packet, const Ipv6Chain& chain, Nanos now) {
  switch (chain.fault) {
    case Ipv6Fault::bad_header:
      report(cause_of(packet), {kIcmpv6ParameterProblem, kErroneousHeader, chain.pointer}, now);
      break;
    case Ipv6Fault::unknown_next_header:
      report(cause_of(packet), {kIcmpv6ParameterProblem, kUnknownNextHeader, chain.pointer}, now);
      break;
    case Ipv6Fault::unknown_option:
    case Ipv6Fault::unknown_option_unicast: {
      const bool even_to_groups = chain.fault == Ipv6Fault::unknown_option;
      report(cause_of(packet), {kIcmpv6ParameterProblem, kUnknownOption, chain.pointer, even_to_groups}, now);
      break;
    }
    default:
      break;
  }
  return drop(packet, Counter::drop_ip_header);
}

}  // namespace qstack
