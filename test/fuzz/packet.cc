// The packet target: one stack, four peers, one script. Every operation is a byte and its arguments.
#include "test/fuzz/packet.hh"

#include <algorithm>
#include <functional>

#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"
#include "native/stack/stack.hh"
#include "native/wire/arp.hh"
#include "native/wire/icmp.hh"
#include "native/wire/ndp.hh"
#include "test/fuzz/app.hh"
#include "test/fuzz/targets.hh"
#include "test/native/message_rules.hh"

namespace qstack::fuzz {
namespace {

constexpr uint32_t kRxPackets = 96, kTxPackets = 96;
constexpr uint16_t kPort = 80, kActivePort = 5000;
constexpr uint32_t kFirstPeer = 0x0a000010, kStranger = 0x0a000020;
constexpr uint32_t kPeers = 4, kLiar = 2;
constexpr uint16_t kVlan = 5;
constexpr IpAddress kPeerIpv6{0xfd00'0000'0000'0000, 0x10}, kStrangerIpv6{0xfd00'0000'0000'0000, 0x20};

PacketReach reach;

/// The first bytes of the script choose what kind of stack it meets.
struct Setup {
  StackConfig stack;
  ListenerConfig listener;

  explicit Setup(Script& script) {
    const uint8_t mode = script.u8();
    const uint8_t sizes = script.u8();
    stack.ip.address = kStackAddress;
    stack.ip.prefix_length = 24;
    stack.ip.mac = kStackMac;
    stack.ip.neighbors = {{kFirstPeer, kPeers, kPeerMac}, {kPeerIpv6, kPeers, kPeerMac}};
    stack.ip.ipv6.address = kStackIpv6;
    stack.ip.ipv6.dad_transmits = 0;
    stack.ip.vlan = mode & 128 ? kVlan : 0;
    stack.ip.neighbors_max = 16;
    TcpConfig& tcp = stack.tcp;
    tcp.connections = sizes & 1 ? 2 : 8;
    tcp.half_open = sizes & 2 ? 1 : 8;
    tcp.time_wait = sizes & 4 ? 1 : 4;
    tcp.busy = sizes & 8 ? 2 : 16;
    tcp.receive_buffer = sizes & 16 ? 2'800 : sizes & 32 ? 262'144 : 65'536;
    tcp.time_wait_ms = sizes & 64 ? 0 : 500;
    tcp.idle_timeout_ms = sizes & 128 ? 2'000 : 0;
    tcp.rto_min_ms = 20;
    tcp.rto_max_ms = 2'000;
    tcp.retries_max = 4;
    tcp.syn_retries_max = 2;
    tcp.timestamps = !(mode & 1);
    tcp.sack = !(mode & 2);
    tcp.delayed_ack_ms = mode & 4 ? 0 : 40;
    tcp.levels = mode & 8 ? 4 : 1;
    tcp.secret = {1, 22, 333, 4444};
    const Framing framings[] = {Framing::stream, Framing::length_prefix, Framing::segment, Framing::fixed};
    listener = {0, kPort, framings[mode >> 4 & 3], 48};
    listener.prefix = {0, 1, false, 4, 200};
    listener.unordered = sizes & 1;
    listener.options.put(TcpOption::no_delay, (mode & 64) == 0).put(TcpOption::sums, 1);
    tcp.sums = 2;  // and those of others are not kept
  }
};

class PacketWorld {
 public:
  explicit PacketWorld(Script& script);
  void run();

 private:
  void step(uint8_t operation);
  void app_step();
  void connect();
  void raw();
  void arp();
  void other_frame(uint8_t kind);
  Frame segment_of_any_peer(uint8_t how);
  void pieces(const Frame& whole);
  Frame echo(uint8_t how);
  Frame raw_ipv6();
  Frame unknown_protocol();
  Frame icmp_error(uint8_t how);
  void inject(const Frame& frame);
  void heard(const Frame& frame);
  void turn();
  void look();
  void finish();
  void abort_all();

  Script& script_;
  Setup setup_;
  HeapRegion region_{kRxPackets + kTxPackets};
  HeapPool rx_{region_.region(), 0, kRxPackets};
  HeapPool tx_{region_.region(), kRxPackets, kTxPackets};
  PairPort port_{rx_, tx_, kStackMac};
  FuzzApp app_;
  Stack stack_;
  Nanos now_ = 1'000'000'000;
  Peer peers_[kPeers];
  int listener_ = 0;
  Handle connecting_;  ///< of the latest active open
  Frame last_sent_, last_sent_ipv6_;  ///< segments of the stack, for errors about them
};

PacketWorld::PacketWorld(Script& script)
    : script_(script),
      setup_(script),
      stack_(setup_.stack, port_, rx_, tx_, app_),
      peers_{{kFirstPeer, 2000, kPort},
             {kFirstPeer + 1, 2001, kPort},
             {kFirstPeer + 2, 2002, kPort},
             {kFirstPeer + 3, 2003, kActivePort}} {
  for (Peer& peer : peers_) peer.levels = setup_.stack.tcp.levels;
  peers_[kLiar].lies = true;
  app_.liar = peers_[kLiar].address();
  app_.stack = &stack_;
  app_.now = &now_;
  const Framing framing = setup_.listener.framing;
  app_.framed = framing == Framing::fixed || framing == Framing::length_prefix;
  app_.overtakes = framing != Framing::stream && setup_.stack.tcp.levels > 1;
  if (setup_.stack.tcp.levels > 1) stack_.replace_rules(test::rules_by_byte(0, setup_.stack.tcp.levels));
  listener_ = stack_.listen(setup_.listener);
}

void PacketWorld::run() {
  stack_.turn(now_);
  while (!script_.done()) step(script_.u8());
  finish();
}

void PacketWorld::step(uint8_t operation) {
  constexpr Nanos kSteps[] = {1'000, 100'000, 1'000'000, 5'000'000, 45'000'000, 250'000'000, 1'100'000'000, 3'000'000'000};
  Peer& peer = peers_[operation >> 4 & (kPeers - 1)];
  switch (operation & 15) {
    case 0:
      return inject(peer.syn(script_));
    case 1: case 2: case 3: case 4:
      inject(peer.segment(script_));
      if (!(operation & 64)) turn();
      return;
    case 5: case 6: case 7:
      return app_step();
    case 8:
      app_.refuse = operation & 16;
      app_.keep = operation & 32;
      app_.refuse_low = operation & 64;
      return;
    case 9:
      return connect();
    case 10:
      return raw();
    case 11:
      return operation & 128 ? other_frame(operation >> 4 & 7) : arp();
    default:
      now_ += kSteps[operation >> 4 & 7];
      return turn();
  }
}

void PacketWorld::app_step() {
  const uint8_t how = script_.u8();
  FuzzApp::Connection* const c = app_.choose(how >> 4);
  if (c == nullptr) return;
  const Handle handle = c->handle;
  switch (how & 15) {
    case 0: return stack_.shutdown(handle, now_);
    case 1: return stack_.close(handle, now_);
    case 2: return stack_.abort(handle, CloseReason::aborted, now_);
    case 3: return stack_.request_drain(handle, script_.u16(), how, now_);
    case 4: return app_.release(*c);
    default: {
      const auto length = static_cast<uint16_t>(1 + script_.u8() * 6);
      const auto level = static_cast<uint8_t>((how & 3) % setup_.stack.tcp.levels);
      return app_.send(*c, tx_, length, level, (how & 15) != 15);
    }
  }
}

/// To the last peer as a client does; to another one from the port that it talks to: that is a simultaneous open.
void PacketWorld::connect() {
  const uint8_t how = script_.u8();
  const Peer& peer = peers_[how & (kPeers - 1)];
  ListenerConfig framing = {{}, 0, setup_.listener.framing, setup_.listener.fixed_length};
  framing.prefix = setup_.listener.prefix;
  framing.unordered = setup_.listener.unordered;
  if (how & 4) {
    connecting_ = stack_.connect({}, {kPeerIpv6, peer.port()}, framing, how, now_);
    return;
  }
  connecting_ = stack_.connect({kStackAddress, peer.stack_port()}, {peer.address(), peer.port()}, framing, how, now_);
}

/// Any bytes behind a destination that is ours, from somebody else; most with right checksums.
void PacketWorld::raw() {
  const uint8_t how = script_.u8();
  const auto body = script_.bytes(how & 127);
  Frame frame(kEthernetHeader);
  write_ethernet(frame.data(), kStackMac, kPeerMac, how & 1 ? script_.u16() : uint16_t{kEtherTypeIpv4});
  frame.insert(frame.end(), body.begin(), body.end());
  if (!(how & 2) && frame.size() >= kTcpAt) {
    frame[kEthernetHeader] = 0x45;
    store_be32(frame.data() + kEthernetHeader + 12, kStranger);
    store_be32(frame.data() + kEthernetHeader + 16, kStackAddress);
  }
  if (!(how & 128)) repair(frame);
  inject(frame);
}

void PacketWorld::arp() {
  const uint8_t how = script_.u8();
  Frame frame(kEthernetHeader + kArpLength);
  write_ethernet(frame.data(), kStackMac, kPeerMac, kEtherTypeArp);
  const auto operation = how & 1 ? ArpOperation::request : ArpOperation::reply;
  const uint32_t sender = how & 2 ? kStranger + script_.u8() : script_.u32();
  write_arp(frame.data() + kEthernetHeader, {operation, kPeerMac, sender, kStackMac, how & 4 ? kStackAddress : sender});
  inject(frame);
}

/// What is no whole segment in a frame of its own.
void PacketWorld::other_frame(uint8_t kind) {
  const uint8_t how = script_.u8();
  switch (kind) {
    case 0: case 1:
      return pieces(segment_of_any_peer(how));
    case 2:
      return pieces(echo(how));
    case 3:
      return inject(icmp_error(how));
    case 4:
      return port_.inject(tagged(segment_of_any_peer(how), how & 8 ? script_.u16() : kVlan));
    case 5:
      return inject(raw_ipv6());
    case 6:
      return how & 1 ? pieces(raw_ipv6()) : inject(unknown_protocol());
    default:
      now_ += 61'000'000'000;  // the patience with fragments
      return turn();
  }
}

Frame PacketWorld::segment_of_any_peer(uint8_t how) {
  Peer& peer = peers_[how & (kPeers - 1)];
  return how & 4 ? peer.syn(script_) : peer.segment(script_);
}

/// Cuts a frame and sends the pieces; each bit bends one part of it.
void PacketWorld::pieces(const Frame& whole) {
  const uint8_t how = script_.u8();
  const uint32_t step = 8 * (1 + script_.below(190));
  const uint32_t headers =
      kEthernetHeader + (ethernet_type(whole.data()) == kEtherTypeIpv4 ? kIpv4Header : kIpv6Header);
  if (whole.size() <= headers) return;  // nothing to cut
  const uint32_t end = static_cast<uint32_t>(whole.size()) - headers;
  const uint8_t identification = how & 16 ? script_.u8() : 1;
  std::vector<Frame> frames;
  for (uint32_t first = 0; first < end; first += step) {
    const uint32_t overlap = (how & 1) && first != 0 ? 8 : 0;
    const uint32_t last = std::min(first + step, end);
    frames.push_back(piece_of(whole, first - overlap, last, last != end || (how & 32), identification));
  }
  if (how & 2) std::reverse(frames.begin(), frames.end());
  if (how & 4) frames.push_back(frames.front());
  if (how & 8) frames.erase(frames.begin() + script_.u8() % frames.size());
  for (const Frame& frame : frames) {
    if (frame.size() <= kRoom) inject(frame);
  }
  if (!(how & 64)) turn();
}

/// An echo request of up to 9,000 bytes, so that the longest ones are refused.
Frame PacketWorld::echo(uint8_t how) {
  const size_t length = kIcmpHeader + script_.u16() % 9'000;
  const bool ipv4 = how & 1;
  Frame frame(kEthernetHeader + (ipv4 ? kIpv4Header : kIpv6Header) + length);
  uint8_t* const ip = frame.data() + kEthernetHeader;
  write_ethernet(frame.data(), kStackMac, kPeerMac, ipv4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  if (ipv4) {
    write_ipv4(ip, kStranger, kStackAddress, kProtocolIcmp, 0);
    ip[kIpv4Header] = kIcmpEchoRequest;
    repair(frame);
  } else {
    write_ipv6(ip, kStrangerIpv6, kStackIpv6, kProtocolIcmpv6, 0);
    ip[kIpv6Header] = kIcmpv6EchoRequest;
    repair_ipv6(frame);
  }
  return frame;
}

/// Any bytes behind an IPv6 header to us, or to a group of ours.
Frame PacketWorld::raw_ipv6() {
  constexpr uint8_t kNext[] = {kProtocolTcp, kProtocolIcmpv6, kProtocolFragment, kProtocolDestination, kProtocolHopByHop,
                               kProtocolRouting, kProtocolUdp, kProtocolNone};
  const uint8_t how = script_.u8();
  const auto body = script_.bytes(script_.u8());
  const IpAddress destination = how & 8 ? solicited_node(kStackIpv6) : kStackIpv6;
  const IpAddress source = how & 16 ? IpAddress{} : how & 32 ? kPeerIpv6 : kStrangerIpv6;
  Frame frame(kEthernetHeader + kIpv6Header);
  write_ethernet(frame.data(), how & 8 ? multicast_mac(destination) : kStackMac, kPeerMac, kEtherTypeIpv6);
  write_ipv6(frame.data() + kEthernetHeader, source, destination, kNext[how & 7], 0, how & 64 ? kNdpHopLimit : kTtl);
  frame.insert(frame.end(), body.begin(), body.end());
  if (!(how & 128)) repair_ipv6(frame);
  return frame;
}

Frame PacketWorld::unknown_protocol() {
  const uint8_t protocol = script_.u8();
  const auto body = script_.bytes(script_.u8());
  Frame frame(kEthernetHeader + kIpv4Header);
  write_ethernet(frame.data(), kStackMac, kPeerMac, kEtherTypeIpv4);
  write_ipv4(frame.data() + kEthernetHeader, kStranger, kStackAddress, protocol == kProtocolTcp ? kProtocolUdp : protocol, 0);
  frame.insert(frame.end(), body.begin(), body.end());
  repair(frame);
  return frame;
}

/// A router's word about a segment of the stack, or about one that is nearly one.
Frame PacketWorld::icmp_error(uint8_t how) {
  constexpr std::pair<uint8_t, uint8_t> kErrors[] = {{3, 4}, {3, 4}, {3, 3}, {3, 1}, {11, 0}, {12, 0}, {3, 13}, {3, 2}};
  constexpr std::pair<uint8_t, uint8_t> kErrorsIpv6[] = {{2, 0}, {2, 0}, {1, 4}, {1, 3}, {3, 0}, {4, 1}, {1, 1}, {4, 0}};
  const bool ipv4 = !(how & 1);
  const Frame& about = ipv4 ? last_sent_ : last_sent_ipv6_;
  const uint32_t place = how >> 1 & 7;
  const std::pair<uint8_t, uint8_t> error = ipv4 ? kErrors[place] : kErrorsIpv6[place];
  const uint32_t at = kEthernetHeader + (ipv4 ? kIpv4Header : kIpv6Header);
  Frame frame(at + kIcmpHeader);
  write_ethernet(frame.data(), kStackMac, kPeerMac, ipv4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  uint8_t* const ip = frame.data() + kEthernetHeader;
  if (ipv4) {
    write_ipv4(ip, kStranger, kStackAddress, kProtocolIcmp, 0);
  } else {
    write_ipv6(ip, kStrangerIpv6, kStackIpv6, kProtocolIcmpv6, 0);
  }
  frame[at] = error.first;
  frame[at + 1] = error.second;
  store_be16(frame.data() + at + 6, script_.u16() % 1'600);
  const size_t most = how & 128 ? script_.u8() : 68;
  if (about.size() > kEthernetHeader) {
    frame.insert(frame.end(), about.begin() + kEthernetHeader,
                 about.begin() + static_cast<long>(std::min(about.size(), kEthernetHeader + most)));
  }
  if ((how & 64) && frame.size() > at + kIcmpHeader) frame[at + kIcmpHeader + script_.u8() % (frame.size() - at - kIcmpHeader)] ^= script_.u8();
  ipv4 ? repair(frame) : repair_ipv6(frame);
  return frame;
}

void PacketWorld::inject(const Frame& frame) {
  port_.inject(setup_.stack.ip.vlan == 0 ? frame : tagged(frame, kVlan));
}

void PacketWorld::turn() {
  stack_.turn(now_);
  while (auto frame = port_.take()) {
    if (setup_.stack.ip.vlan != 0) {
      require(ethernet_type(frame->data()) == kEtherTypeVlan && vlan_of(frame->data()) == kVlan, "frames leave with our tag");
      remove_tag(frame->data());
      frame->erase(frame->begin(), frame->begin() + kVlanTag);
    }
    heard(*frame);
  }
  look();
}

void PacketWorld::heard(const Frame& frame) {
  SentSegment segment;
  const bool tcp = read_sent(frame, segment);
  const bool ipv6 = ethernet_type(frame.data()) == kEtherTypeIpv6;
  if (ipv6 && frame[kEthernetHeader + 6] == kProtocolTcp) last_sent_ipv6_ = frame;
  if (!tcp) return;
  last_sent_ = frame;
  for (Peer& peer : peers_) {
    const TcpSegment& s = segment.header;
    const bool its = peer.address() == segment.destination && peer.port() == s.destination_port;
    if (its && peer.stack_port() == s.source_port) peer.on_sent(segment);
  }
}

void PacketWorld::look() {
  const Tcb* const connecting = stack_.engine().inspect(connecting_);
  reach.states.set(static_cast<size_t>(connecting == nullptr ? TcpState::closed : connecting->state));
  app_.check_connections([](const Tcb& c, const Busy* b) {
    reach.states.set(static_cast<size_t>(c.state));
    reach.active_open |= c.has(kActiveOpen);
    reach.timestamps |= c.has(kTimestamps);
    reach.sack |= c.has(kSackPermitted);
    reach.scaled |= c.has(kWindowScaled);
    if (b == nullptr) return;
    reach.persisting |= b->rto_deadline_ms != 0 && b->timer == TimerKind::persist;
    reach.fast_recovery |= b->recovery == RecoveryKind::fast;
    reach.timeout_recovery |= b->recovery == RecoveryKind::timeout;
  });
  reach.half_open |= stack_.engine().half_open_used() != 0;
  reach.time_wait |= stack_.engine().time_wait_used() != 0;
}

/// A frame that waited may open one more: who asks again later finds it.
void PacketWorld::abort_all() {
  while (!app_.open.empty()) {
    stack_.abort(app_.open.begin()->second.handle, CloseReason::aborted, now_);
    turn();
  }
}

/// With one level, and while the connection lives, the peers have a prefix of what the app sent. Then all is closed:
/// nothing may be left anywhere.
void PacketWorld::finish() {
  turn();
  for (const Peer& peer : peers_) {
    const std::string& bytes = peer.received();
    for (size_t i = 0; setup_.stack.tcp.levels == 1 && i < bytes.size(); ++i) {
      require(static_cast<uint8_t>(bytes[i]) == app_byte(i), "the peer gets what the app sent, in order");
    }
  }
  app_.refuse = app_.refuse_low = app_.keep = false;
  stack_.unlisten(static_cast<uint16_t>(listener_));
  app_.release_all();
  turn();
  for (int second = 0; second < 16; ++second) {
    abort_all();
    now_ += 1'000'000'000;
    turn();
  }
  const Counters& counted = stack_.counters();
  for (size_t i = 0; i < kCounters; ++i) reach.counters.values[i] += counted.values[i];
  const TcpEngine& engine = stack_.engine();
  require(engine.connections_used() == 0 && engine.busy_used() == 0, "every connection is given back");
  require(engine.early_used() == 0, "every record of early messages is given back");
  require(engine.half_open_used() == 0 && engine.time_wait_used() == 0, "every record is given back");
  require(engine.ipv6_used() == 0, "every pair of addresses is given back");
  require(rx_.available() == kRxPackets, "every received packet is given back");
  require(tx_.available() == kTxPackets, "every packet to send is given back");
}

}  // namespace

const PacketReach& packet_reach() { return reach; }

void packet(std::span<const uint8_t> input) {
  if (input.size() > 4096) return;
  Script script(input);
  PacketWorld(script).run();
}

}  // namespace qstack::fuzz
