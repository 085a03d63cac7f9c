// ICMP and ICMPv6 that arrive, and their answers: RFC 792, RFC 4443; RFC 4861 for what Ndp reads.
// Errors, ours and those of others, are in icmp_errors.cc.
#include "native/ip/ip_layer.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/icmp.hh"
#include "native/wire/ndp.hh"

namespace qstack {

IpLayer::Verdict IpLayer::input_icmp(Packet* packet, const IcmpMessage& message, Nanos now) {
  outlet_.counters.add(Counter::icmp_in);
  const bool intact = message.length >= kIcmpHeader && internet_checksum(message.at, message.length) == 0;
  if (!intact) return drop(packet, Counter::drop_icmp);
  if (is_icmp_error(message.at[0])) return input_error(packet, message);
  if (message.at[0] != kIcmpEchoRequest) return drop(packet, Counter::drop_icmp);
  return input_echo(packet, message, kIcmpEchoReply, now);
}

IpLayer::Verdict IpLayer::input_icmpv6(Packet* packet, const IcmpMessage& message, Nanos now) {
  const uint64_t pseudo = checksum_pseudo(message.source, message.destination, kProtocolIcmpv6, message.length);
  const bool intact = message.length >= kIcmpHeader && internet_checksum(message.at, message.length, pseudo) == 0;
  const uint8_t type = intact ? message.at[0] : 0;
  if (type >= kRouterSolicitation && type <= kRedirect) return input_discovery(packet, message, now);
  outlet_.counters.add(Counter::icmp_in);
  if (!intact || message.source.unspecified() || own_.tentative()) return drop(packet, Counter::drop_icmp);
  if (is_icmpv6_error(type)) return input_error(packet, message);
  if (type != kIcmpv6EchoRequest) return drop(packet, Counter::drop_icmp);
  return input_echo(packet, message, kIcmpv6EchoReply, now);
}

IpLayer::Verdict IpLayer::input_discovery(Packet* packet, const IcmpMessage& message, Nanos now) {
  outlet_.counters.add(Counter::ndp_in);
  const Ndp::Origin origin = {message.source, message.destination, message.station};
  const bool from_link = message.hop_limit == kNdpHopLimit && !is_group(origin.mac);
  if (!from_link || !ndp_.input(message.at, message.length, origin, now)) return drop(packet, Counter::drop_ndp);
  rx_.release(packet);
  return Verdict::consumed;
}

/// The answer goes to the station that the question came from: an echo leaves no trace in the neighbour table. What was
/// asked of a group is answered from one of our own addresses (RFC 4443 4.2).
IpLayer::Verdict IpLayer::input_echo(Packet* packet, const IcmpMessage& message, uint8_t reply, Nanos now) {
  if (message.at[1] != 0 || is_group(message.station) || !echoes_.take(now)) return drop(packet, Counter::drop_icmp);
  const IpAddress source = own_answer_address(message.source, message.destination);
  const bool ipv4 = source.is_ipv4();
  const uint64_t pseudo = ipv4 ? 0 : checksum_pseudo(source, message.source, kProtocolIcmpv6, message.length);
  turn_into_echo_reply(message.at, message.length, reply, pseudo);
  const Receiver to = {message.station, source, message.source, ipv4 ? kProtocolIcmp : kProtocolIcmpv6};
  if (send_datagram(to, {message.at, message.length})) outlet_.counters.add(Counter::icmp_out);
  rx_.release(packet);
  return Verdict::consumed;
}

IpAddress IpLayer::own_answer_address(const IpAddress& source, const IpAddress& destination) const {
  return destination.multicast() ? own_.source_for(source) : destination;
}

}  // namespace qstack
