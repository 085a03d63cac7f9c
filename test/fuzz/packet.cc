// The packet target: one stack, four peers, one script. Every operation is a byte and its arguments.
#include "test/fuzz/packet.hh"

#include <functional>

#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"
#include "native/stack/stack.hh"
#include "native/wire/arp.hh"
#include "test/fuzz/app.hh"
#include "test/fuzz/targets.hh"

namespace qstack::fuzz {
namespace {

constexpr uint32_t kRxPackets = 96, kTxPackets = 96;
constexpr uint16_t kPort = 80, kActivePort = 5000;
constexpr uint32_t kFirstPeer = 0x0a000010, kStranger = 0x0a000020;
constexpr uint32_t kPeers = 4;

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
    stack.ip.neighbors = {{kFirstPeer, kPeers, kPeerMac}};
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
    const Framing framings[] = {Framing::stream, Framing::stream, Framing::segment, Framing::fixed};
    listener = {0, kPort, framings[mode >> 4 & 3], 48, (mode & 64) != 0};
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
  void turn();
  void look();
  void finish();

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
  app_.stack = &stack_;
  app_.now = &now_;
  app_.framed = setup_.listener.framing == Framing::fixed;
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
      return port_.inject(peer.syn(script_));
    case 1: case 2: case 3: case 4:
      port_.inject(peer.segment(script_));
      if (!(operation & 64)) turn();
      return;
    case 5: case 6: case 7:
      return app_step();
    case 8:
      app_.refuse = operation & 16;
      app_.keep = operation & 32;
      return;
    case 9:
      return connect();
    case 10:
      return raw();
    case 11:
      return arp();
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
  const ListenerConfig framing = {0, 0, setup_.listener.framing, setup_.listener.fixed_length, false};
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
  port_.inject(frame);
}

void PacketWorld::arp() {
  const uint8_t how = script_.u8();
  Frame frame(kEthernetHeader + kArpLength);
  write_ethernet(frame.data(), kStackMac, kPeerMac, kEtherTypeArp);
  const auto operation = how & 1 ? ArpOperation::request : ArpOperation::reply;
  const uint32_t sender = how & 2 ? kStranger + script_.u8() : script_.u32();
  write_arp(frame.data() + kEthernetHeader, {operation, kPeerMac, sender, kStackMac, how & 4 ? kStackAddress : sender});
  port_.inject(frame);
}

void PacketWorld::turn() {
  stack_.turn(now_);
  while (const auto frame = port_.take()) {
    SentSegment segment;
    if (!read_sent(*frame, segment)) continue;
    for (Peer& peer : peers_) {
      const TcpSegment& s = segment.header;
      const bool its = peer.address() == segment.destination && peer.port() == s.destination_port;
      if (its && peer.stack_port() == s.source_port) peer.on_sent(segment);
    }
  }
  look();
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
  app_.refuse = app_.keep = false;
  stack_.unlisten(static_cast<uint16_t>(listener_));
  app_.release_all();
  turn();
  while (!app_.open.empty()) {
    stack_.abort(app_.open.begin()->second.handle, CloseReason::aborted, now_);
    turn();
  }
  for (int second = 0; second < 16; ++second) {
    now_ += 1'000'000'000;
    turn();
  }
  const Counters& counted = stack_.counters();
  for (size_t i = 0; i < kCounters; ++i) reach.counters.values[i] += counted.values[i];
  const TcpEngine& engine = stack_.engine();
  require(engine.connections_used() == 0 && engine.busy_used() == 0, "every connection is given back");
  require(engine.half_open_used() == 0 && engine.time_wait_used() == 0, "every record is given back");
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
