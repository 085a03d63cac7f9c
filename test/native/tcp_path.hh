// A path between the two stacks of a World: it takes time, and a test may drop, hold back or mark what travels on it.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>

#include "native/wire/ethernet.hh"
#include "native/wire/ipv4.hh"
#include "native/wire/tcp.hh"
#include "test/native/tcp_world.hh"

namespace qstack::test {

/// The segment in a frame of the World; ARP has no ports.
inline TcpSegment segment_of(const PairPort::Frame& frame) {
  TcpSegment s{};
  const uint8_t* const ip = frame.data() + kEthernetHeader;
  if (load_be16(frame.data() + 12) != kEtherTypeIpv4) return s;
  parse_tcp(ip + kIpv4Header, static_cast<uint16_t>(load_be16(ip + 2) - kIpv4Header), s);
  return s;
}

inline uint8_t ecn_in(const PairPort::Frame& frame) { return ecn_of(frame.data() + kEthernetHeader); }

/// What a router does that would rather mark than drop.
inline void mark_congestion(PairPort::Frame& frame) {
  uint8_t* const ip = frame.data() + kEthernetHeader;
  ip[1] |= kEcnCongestion;
  std::memset(ip + 10, 0, 2);
  const uint16_t sum = internet_checksum(ip, kIpv4Header);
  std::memcpy(ip + 10, &sum, 2);
}

class Path {
 public:
  /// Microseconds that this frame takes; kLost: it never arrives. May change the frame.
  using Fate = std::function<uint64_t(PairPort::Frame& frame, const TcpSegment& segment)>;
  static constexpr uint64_t kLost = ~0ull;

  Path(World& world, uint64_t one_way_us) : world_(world), one_way_us_(one_way_us) {}

  /// In turns of 100 µs.
  void run_ms(double ms) {
    for (uint64_t us = 0; us < static_cast<uint64_t>(ms * 1'000); us += 100) {
      world_.now += 100'000;
      world_.client.stack.turn(world_.now);
      carry(world_.client, world_.server, upward_, to_server);  // before the server could poll it
      world_.server.stack.turn(world_.now);
      carry(world_.server, world_.client, downward_, to_client);
    }
  }
  bool run_until(const std::function<bool()>& done, uint64_t ms_max) {
    for (uint64_t i = 0; i < 10 * ms_max && !done(); ++i) run_ms(0.1);
    return done();
  }
  double now_ms() const { return static_cast<double>(world_.now) / 1e6; }

  /// Over this path, so that both ends know its RTT.
  std::pair<Handle, Handle> open(const ListenerConfig& config = {}) {
    const Handle c = world_.client.stack.connect({World::kClient, 0}, {World::kServer, World::kPort}, config, 7, world_.now);
    const uint32_t before = world_.server.app.opened_count;
    run_until([&] { return world_.client.app.of(c).opened && world_.server.app.opened_count > before; }, 30'000);
    run_ms(100);  // the ACK of the handshake, and ARP, are over
    return {c, world_.server.app.last};
  }

  /// All at once, in segments of `size`.
  void send(Handle handle, std::string_view bytes, size_t size = 1'448) {
    for (size_t at = 0; at < bytes.size(); at += size) world_.client.send(handle, bytes.substr(at, size));
  }

  Fate to_server, to_client;

 private:
  struct Travelling {
    Nanos due;
    PairPort::Frame frame;
  };

  void carry(Host& from, Host& to, std::deque<Travelling>& under_way, const Fate& fate) {
    while (auto frame = from.wire.take()) {
      const uint64_t us = fate ? fate(*frame, segment_of(*frame)) : one_way_us_;
      if (us != kLost) under_way.push_back({world_.now + us * 1'000, std::move(*frame)});
    }
    // Those that are due, in the order of their time.
    while (true) {
      auto next = std::min_element(under_way.begin(), under_way.end(),
                                   [](const Travelling& a, const Travelling& b) { return a.due < b.due; });
      if (next == under_way.end() || next->due > world_.now) return;
      to.wire.inject(next->frame);
      under_way.erase(next);
    }
  }

  World& world_;
  uint64_t one_way_us_;
  std::deque<Travelling> upward_, downward_;
};

}  // namespace qstack::test
