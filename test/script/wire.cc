#include "test/script/wire.hh"

#include <algorithm>

#include "native/wire/checksum.hh"
#include "native/wire/ecn.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/ipv6.hh"
#include "native/wire/tcp.hh"
#include "test/script/addresses.hh"

namespace qstack::script {
namespace {

constexpr MacAddress kStackMac = {2, 0, 0, 0, 0, 1}, kPeerMac = {2, 0, 0, 0, 0, 2};

void append_be32(std::vector<uint8_t>& bytes, uint32_t value) {
  bytes.resize(bytes.size() + 4);
  store_be32(bytes.data() + bytes.size() - 4, value);
}

uint64_t pseudo_of(const IpAddress& source, const IpAddress& destination, uint8_t protocol, size_t length) {
  const auto bytes = static_cast<uint16_t>(length);
  return source.is_ipv4() ? checksum_pseudo(source.ipv4(), destination.ipv4(), protocol, bytes)
                          : checksum_pseudo(source, destination, protocol, bytes);
}

/// One option from the wire; `at` has at least one byte.
Option parse_option(const uint8_t* at, size_t room, size_t& length) {
  length = 1;
  if (at[0] == kOptionNop || at[0] == kOptionEnd) return {at[0]};
  length = room < 2 || at[1] < 2 || at[1] > room ? room : at[1];
  const auto be32 = [&](size_t offset) { return load_be32(at + offset); };
  if (at[0] == kOptionMss && length == 4) return {kOptionMss, {load_be16(at + 2)}};
  if (at[0] == kOptionWindowScale && length == 3) return {kOptionWindowScale, {at[2]}};
  if (at[0] == kOptionSackPermitted && length == 2) return {kOptionSackPermitted};
  if (at[0] == kOptionTimestamps && length == 10) return {kOptionTimestamps, {be32(2), be32(6)}};
  if (at[0] == kOptionSack && length >= 10 && length % 8 == 2) {
    Option option{kOptionSack};
    for (size_t offset = 2; offset < length; offset += 4) option.numbers.push_back(be32(offset));
    return option;
  }
  return {kOptionRaw, {}, {at, at + length}};
}

/// What a peer checks in a TCP header before it believes it.
std::string header_fault(const uint8_t* tcp, size_t length, uint64_t pseudo) {
  if (length < kTcpHeader) return "no room for a TCP header";
  const auto header = static_cast<size_t>(tcp[12] >> 4) * 4;
  if (header < kTcpHeader || header > length) return "a wrong data offset";
  if ((tcp[12] & 15) != 0) return "reserved bits that are not zero (RFC 9293 3.1)";
  if (internet_checksum(tcp, length, pseudo) != 0) return "a wrong TCP checksum";
  return {};
}

void observe_tcp(Observed& out, const uint8_t* tcp, size_t length, uint64_t pseudo) {
  out.fault = header_fault(tcp, length, pseudo);
  if (!out.fault.empty()) return;
  out.local.port = load_be16(tcp);
  out.peer.port = load_be16(tcp + 2);
  Segment& s = out.segment;
  s.seq = load_be32(tcp + 4);
  s.ack = load_be32(tcp + 8);
  s.flags = tcp[kTcpFlagsAt];
  s.window = load_be16(tcp + 14);
  if (s.flags & kUrg) s.urgent = load_be16(tcp + 18);
  const auto header = static_cast<size_t>(tcp[12] >> 4) * 4;
  s.length = static_cast<uint32_t>(length - header);
  out.payload.assign(reinterpret_cast<const char*>(tcp + header), s.length);
  size_t step = 0;
  for (size_t at = kTcpHeader; at < header; at += step) {
    s.options.push_back(parse_option(tcp + at, header - at, step));
    if (s.options.back().kind != kOptionEnd) continue;
    const bool zero = std::all_of(tcp + at, tcp + header, [](uint8_t byte) { return byte == 0; });
    if (!zero) out.fault = "a header that is not padded by zeros (RFC 9293 3.1)";
    break;
  }
}

}  // namespace

/// The most frequent peer: that of the last connect, or the one that opens connections to us.
Endpoint Wire::resolve(const std::optional<Endpoint>& peer) const {
  Endpoint usual = {ipv6_ ? kPeerIpv6 : IpAddress(kPeerIpv4), kPeerPort};
  if (remote_) usual = *remote_;
  if (!peer) return usual;
  return {peer->address.unspecified() ? usual.address : peer->address, peer->port};
}

Wire::Conversation& Wire::conversation(const std::optional<Endpoint>& peer) { return conversation_at(resolve(peer)); }

Wire::Conversation& Wire::conversation_at(const Endpoint& peer) {
  const auto key = std::make_pair(peer.address.high, std::make_pair(peer.address.low, peer.port));
  const auto [place, made] = conversations_.try_emplace(key);
  if (made) {
    place->second.peer = peer;
    place->second.local = {ipv6_ ? kStackIpv6 : IpAddress(kStackIpv4), listen_port_};
  }
  return place->second;
}

void Wire::connecting(const Endpoint& remote) {
  remote_ = remote;
  Conversation& c = conversation_at(remote);
  c.isn.reset();
  c.ts_zero.reset();
  c.peer_syn.reset();
  c.begins_anew = false;
}

std::vector<uint8_t> Wire::options_of(const Segment& segment, const Conversation& c) const {
  std::vector<uint8_t> bytes;
  const bool opens = (segment.flags & (kSyn | kAck)) == kSyn;
  for (const Option& option : segment.options) {
    if (option.kind == kOptionRaw) {
      bytes.insert(bytes.end(), option.raw.begin(), option.raw.end());
      continue;
    }
    bytes.push_back(option.kind);
    if (option.kind == kOptionNop || option.kind == kOptionEnd) continue;
    const size_t width = option.kind == kOptionMss ? 2 : option.kind == kOptionWindowScale ? 1 : 4;
    bytes.push_back(static_cast<uint8_t>(2 + width * option.numbers.size()));
    for (size_t i = 0; i < option.numbers.size(); ++i) {
      uint32_t number = option.numbers[i];
      if (option.kind == kOptionSack) number += c.isn.value_or(0);
      if (option.kind == kOptionTimestamps && i == 1 && !opens) number += c.ts_zero.value_or(0);
      if (width == 4) append_be32(bytes, number);
      if (width == 2) bytes.push_back(static_cast<uint8_t>(number >> 8));
      if (width != 4) bytes.push_back(static_cast<uint8_t>(number));
    }
  }
  bytes.resize((bytes.size() + 3) / 4 * 4, 0);
  return bytes;
}

PairPort::Frame Wire::frame(const Headers& h, const std::vector<uint8_t>& body) {
  const bool ipv4 = h.source.is_ipv4();
  const size_t header = ipv4 ? kIpv4Header + h.options.size() : kIpv6Header;
  PairPort::Frame frame(kEthernetHeader + header);
  write_ethernet(frame.data(), kStackMac, kPeerMac, ipv4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  uint8_t* const ip = frame.data() + kEthernetHeader;
  if (ipv4) {
    write_ipv4(ip, h.source.ipv4(), h.destination.ipv4(), h.protocol, static_cast<uint16_t>(header + body.size()));
    std::copy(h.options.begin(), h.options.end(), ip + kIpv4Header);
    ip[0] = static_cast<uint8_t>(0x40 | header / 4);
    ip[1] = h.tos;
    ip[8] = h.ttl;
    ip[10] = ip[11] = 0;
    const uint16_t sum = internet_checksum(ip, header);
    std::memcpy(ip + 10, &sum, 2);
  } else {
    write_ipv6(ip, h.source, h.destination, h.protocol, static_cast<uint16_t>(body.size()), h.ttl);
    ip[0] = static_cast<uint8_t>(0x60 | h.tos >> 4);
    ip[1] = static_cast<uint8_t>(h.tos << 4);
  }
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

PairPort::Frame Wire::frame_of(const Segment& s) {
  Conversation& c = conversation(s.peer);
  Headers headers = {c.peer.address, c.local.address, kProtocolTcp, s.ip.options, 0, s.ip.ttl.value_or(kTtl)};
  headers.tos = static_cast<uint8_t>((s.ip.tos.value_or(0) & ~3) | s.ip.ecn.value_or(s.ip.tos.value_or(0) & 3));
  if (s.ip.to) {
    if (!s.ip.to->address.unspecified()) headers.destination = s.ip.to->address;
    if (s.ip.to->port != 0) c.local.port = s.ip.to->port;
  }
  if ((s.flags & (kSyn | kAck)) == kSyn) {
    c.begins_anew = c.begins_anew || (c.peer_syn && *c.peer_syn != s.seq);
    c.peer_syn = s.seq;
  }
  const std::vector<uint8_t> options = options_of(s, c);
  std::vector<uint8_t> tcp(kTcpHeader);
  write_tcp_header(tcp.data(), c.peer.port, c.local.port, s.seq + peer_isn_, s.flags & kAck ? s.ack + c.isn.value_or(0) : 0,
                   static_cast<uint8_t>(kTcpHeader + options.size()), s.flags, s.window.value_or(0xffff));
  store_be16(tcp.data() + 18, s.urgent.value_or(0));
  if (s.ip.reserved) tcp[12] |= 15;
  tcp.insert(tcp.end(), options.begin(), options.end());
  for (uint32_t i = 0; i < s.length; ++i) tcp.push_back(byte_at(s.seq + i + ((s.flags & kSyn) ? 1 : 0)));
  const uint64_t pseudo = pseudo_of(headers.source, headers.destination, kProtocolTcp, tcp.size());
  uint16_t sum = internet_checksum(tcp.data(), tcp.size(), pseudo);
  if (s.ip.damaged) sum ^= 0x0101;
  std::memcpy(tcp.data() + 16, &sum, 2);
  return frame(headers, tcp);
}

/// The error, the IP header of the segment that caused it, and the first 8 bytes behind that (RFC 792), or as much of it
/// as fits (RFC 4443): the TCP header.
PairPort::Frame Wire::frame_of(const Icmp& icmp) {
  const Conversation& c = conversation(icmp.peer);
  const bool ipv4 = c.peer.address.is_ipv4();
  std::vector<uint8_t> inner(kTcpHeader);
  write_tcp_header(inner.data(), c.local.port, c.peer.port, icmp.seq + c.isn.value_or(0), 0, kTcpHeader, kAck, 0);
  if (ipv4) inner.resize(8);
  const Headers caused = {c.local.address, c.peer.address, kProtocolTcp, {}, 0, kTtl};
  PairPort::Frame packet = frame(caused, inner);
  uint8_t* const ip = packet.data() + kEthernetHeader;
  const auto total = static_cast<uint16_t>(kTcpHeader + icmp.length);
  if (ipv4) {
    write_ipv4(ip, c.local.address.ipv4(), c.peer.address.ipv4(), kProtocolTcp, static_cast<uint16_t>(kIpv4Header + total));
  } else {
    store_be16(ip + 4, total);
  }
  std::vector<uint8_t> body = {icmp.type, icmp.code, 0, 0};
  append_be32(body, icmp.mtu);
  body.insert(body.end(), packet.begin() + kEthernetHeader, packet.end());
  const uint8_t protocol = ipv4 ? kProtocolIcmp : kProtocolIcmpv6;
  const uint64_t pseudo = ipv4 ? 0 : pseudo_of(c.peer.address, c.local.address, protocol, body.size());
  const uint16_t sum = internet_checksum(body.data(), body.size(), pseudo);
  std::memcpy(body.data() + 2, &sum, 2);
  return frame({c.peer.address, c.local.address, protocol, {}, 0, kTtl}, body);
}

Observed Wire::observe(const PairPort::Frame& frame, Nanos at) {
  Observed out;
  out.at = at;
  const uint16_t type = frame.size() < kEthernetHeader ? 0 : ethernet_type(frame.data());
  const uint8_t* const ip = frame.data() + kEthernetHeader;
  const size_t room = frame.size() - std::min<size_t>(frame.size(), kEthernetHeader);
  Ipv4Header v4;
  Ipv6Header v6;
  size_t header = 0, total = 0;
  const auto length = static_cast<uint16_t>(room);
  const bool ipv4 = type == kEtherTypeIpv4 && parse_ipv4(ip, length, v4) == Ipv4Fault::none;
  const bool ipv6 = type == kEtherTypeIpv6 && parse_ipv6(ip, length, v6);
  if (ipv4 && v4.protocol == kProtocolTcp) {
    out.local.address = v4.source;
    out.peer.address = v4.destination;
    header = v4.header_length;
    total = v4.total_length;
    out.segment.ip.tos = ip[1];
    out.segment.ip.ttl = ip[8];
  } else if (ipv6 && v6.next_header == kProtocolTcp) {
    out.local.address = v6.source;
    out.peer.address = v6.destination;
    header = kIpv6Header;
    total = v6.total_length;
    out.segment.ip.tos = static_cast<uint8_t>(ip[0] << 4 | ip[1] >> 4);
    out.segment.ip.ttl = v6.hop_limit;
  } else {
    out.fault = "a frame that is no TCP: Ethernet type " + std::to_string(type);
    return out;
  }
  out.segment.ip.ecn = static_cast<uint8_t>(*out.segment.ip.tos & 3);
  if (total != room) out.fault = "a frame that is longer than its packet";
  const uint64_t pseudo = pseudo_of(out.local.address, out.peer.address, kProtocolTcp, total - header);
  if (out.fault.empty()) observe_tcp(out, ip + header, total - header, pseudo);
  return out;
}

void Wire::learn(Conversation& c, const Observed& observed, const Segment* expected) {
  const Segment& s = observed.segment;
  if ((s.flags & kSyn) && (!c.isn || c.begins_anew)) {
    c.isn = s.seq - (expected != nullptr ? expected->seq : 0);
    c.begins_anew = false;
    c.local = observed.local;
  }
  if (c.ts_zero) return;
  for (const Option& option : s.options) {
    if (option.kind != kOptionTimestamps) continue;
    uint32_t value = static_cast<uint32_t>((observed.at - start_) / 1'000'000);
    if (expected != nullptr) {
      for (const Option& written : expected->options) {
        if (written.kind == kOptionTimestamps) value = written.numbers[0];
      }
    }
    c.ts_zero = option.numbers[0] - value;
  }
}

Segment Wire::translate(const Observed& observed, const Segment* expected) {
  Conversation& c = conversation_at(observed.peer);
  learn(c, observed, expected);
  Segment s = observed.segment;
  if (observed.peer != resolve({})) s.peer = observed.peer;
  s.seq -= c.isn.value_or(0);
  if (s.flags & kAck) s.ack -= peer_isn_;
  for (Option& option : s.options) {
    if (option.kind == kOptionTimestamps) option.numbers[0] -= c.ts_zero.value_or(0);
    if (option.kind != kOptionSack) continue;
    for (uint32_t& edge : option.numbers) edge -= peer_isn_;
  }
  return s;
}

std::optional<Seq> Wire::wrong_byte(const Observed& observed) const {
  const auto& peer = observed.peer;
  const auto found = conversations_.find(std::make_pair(peer.address.high, std::make_pair(peer.address.low, peer.port)));
  if (found == conversations_.end() || !found->second.isn) return {};
  const Seq first = observed.segment.seq - *found->second.isn;
  for (uint32_t i = 0; i < observed.payload.size(); ++i) {
    if (static_cast<uint8_t>(observed.payload[i]) != byte_at(first + i)) return first + i;
  }
  return {};
}

}  // namespace qstack::script
