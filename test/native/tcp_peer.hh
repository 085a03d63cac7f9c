// Peer: a TCP that does exactly what a test writes, segment by segment, against the server of a World.
//
// In: segments to send, with any numbers, flags and options. Out: what the server answered, parsed, in order. Only the
// server takes turns, so nothing else is on the wire.
#pragma once

#include "native/wire/checksum.hh"
#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"
#include "test/native/tcp_world.hh"

namespace qstack::test {

/// What a Peer sends; what is left out is plausible.
struct Outgoing {
  uint8_t flags = kAck;
  Seq seq = 0;
  Seq ack = 0;
  std::string payload{};
  uint16_t window = 60'000;
  TcpOptions options{};  ///< a SYN carries all, another segment the timestamps
  uint16_t urgent = 0;
};

struct Incoming {
  TcpSegment segment;
  std::string payload;
  uint32_t destination;
  uint8_t tos, ttl;
  bool has(uint8_t flags) const { return (segment.flags & flags) == flags; }
};

/// A server that knows the peer's station, so that no ARP comes in between.
inline HostOptions server_for_peer() {
  HostOptions server{host_config(1)};
  server.stack.ip.neighbors = {{0x0a000002, 100, {2, 0, 0, 0, 0, 2}}};
  return server;
}

inline std::optional<Incoming> parse_frame(const PairPort::Frame& frame) {
  if (frame.size() < 54 || ethernet_type(frame.data()) != kEtherTypeIpv4) return std::nullopt;
  const uint8_t* const ip = frame.data() + kEthernetHeader;
  Incoming in{};
  const uint32_t header = (ip[0] & 15u) * 4, length = load_be16(ip + 2) - header;
  if (!parse_tcp(ip + header, static_cast<uint16_t>(length), in.segment)) return std::nullopt;
  in.payload.assign(reinterpret_cast<const char*>(ip + header + in.segment.header_length), in.segment.payload_length);
  in.destination = load_be32(ip + 16);
  in.tos = ip[1];
  in.ttl = ip[8];
  return in;
}

class Peer {
 public:
  explicit Peer(World& world, uint16_t port = 5'000, uint32_t address = World::kClient)
      : port(port), address(address), world_(world) {}

  /// Puts one segment on the server's wire, and lets the server take a turn.
  void send(const Outgoing& out) {
    put(out);
    turn();
  }

  void put(const Outgoing& out) {
    uint8_t options[40];
    uint8_t length = 0;
    if (out.flags & kSyn) {
      length = write_syn_options(options, out.options);
    } else if (out.options.has_timestamps) {
      length = write_timestamps(options, out.options.ts_value, out.options.ts_echo);
    }
    const auto tcp_length = static_cast<uint16_t>(kTcpHeader + length + out.payload.size());
    PairPort::Frame frame(kEthernetHeader + kIpv4Header + tcp_length);
    write_ethernet(frame.data(), {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, kEtherTypeIpv4);
    uint8_t* const ip = frame.data() + kEthernetHeader;
    write_ipv4(ip, address, World::kServer, kProtocolTcp, static_cast<uint16_t>(kIpv4Header + tcp_length));
    uint8_t* const tcp = ip + kIpv4Header;
    write_tcp_header(tcp, port, server_port, out.seq, out.ack, static_cast<uint8_t>(kTcpHeader + length), out.flags,
                     out.window);
    store_be16(tcp + 18, out.urgent);
    std::memcpy(tcp + kTcpHeader, options, length);
    out.payload.copy(reinterpret_cast<char*>(tcp + kTcpHeader + length), out.payload.size());
    const uint16_t sum = internet_checksum(tcp, tcp_length, checksum_pseudo(address, World::kServer, kProtocolTcp, tcp_length));
    std::memcpy(tcp + 16, &sum, 2);
    world_.server.wire.inject(frame);
  }

  /// The server alone goes on for `ms`.
  void wait(uint64_t ms) {
    for (uint64_t i = 0; i < ms; ++i) turn(1'000'000);
  }
  void turn(Nanos step = 100'000) {
    world_.now += step;
    world_.server.stack.turn(world_.now);
  }

  /// All that the server has sent since the last call.
  std::vector<Incoming> take() {
    std::vector<Incoming> all;
    while (const auto frame = world_.server.wire.take()) {
      if (const auto in = parse_frame(*frame)) all.push_back(*in);
    }
    return all;
  }

  /// Three segments. Afterwards `seq` and `ack` are what the next segment carries.
  Handle open(TcpOptions syn = {}) {
    send({.flags = kSyn, .seq = seq, .options = syn});
    const auto answer = take();
    if (answer.size() != 1 || !answer[0].has(kSyn | kAck)) return {};
    ++seq;
    ack = answer[0].segment.seq + 1;
    last_options = answer[0].segment.options;
    TcpOptions options;
    options.has_timestamps = syn.has_timestamps && last_options.has_timestamps;
    options.ts_value = syn.ts_value;
    options.ts_echo = last_options.ts_value;
    send({.seq = seq, .ack = ack, .options = options});
    return world_.server.app.last;
  }

  Seq seq = 1'000, ack = 0;
  TcpOptions last_options;  ///< of the SYN-ACK
  uint16_t port, server_port = World::kPort;
  uint32_t address;

 private:
  World& world_;
};

}  // namespace qstack::test
