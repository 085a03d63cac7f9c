// Two stacks with one address behind one device, of one queue or of two: together they answer as one, each for its own flows.
#include <doctest/doctest.h>

#include <deque>
#include <optional>

#include "native/steer/queue_ports.hh"
#include "test/native/ip_frames.hh"
#include "test/native/tcp_world.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

constexpr IpAddress ipv6_of(uint8_t last_byte) { return {0xfd00'0000'0000'0000, last_byte}; }

struct Pools {
  static constexpr uint32_t kPackets = 1'024;
  HeapRegion region{2 * kPackets};
  HeapPool rx{region.region(), 0, kPackets};
  HeapPool tx{region.region(), kPackets, kPackets};
  bool all_home() const { return rx.available() == kPackets && tx.available() == kPackets; }
};

/// Speaks both families.
StackConfig dual_host(uint8_t last_byte) {
  StackConfig config = host_config(last_byte);
  config.tcp.half_open = 64;
  config.ip.ipv6.address = ipv6_of(last_byte);
  config.ip.ipv6.dad_transmits = 0;
  return config;
}

enum class Sharing { one_queue, a_queue_each };

Sharing any_sharing() {
  Sharing sharing = Sharing::one_queue;
  SUBCASE("a device of one queue") {}
  SUBCASE("a queue for each stack") { sharing = Sharing::a_queue_each; }
  return sharing;
}

/// A client, and a server of two stacks that send back what they get.
struct Bench {
  static constexpr uint32_t kServer = 0x0a000001, kClient = 0x0a000002;
  static constexpr uint16_t kPort = 80;

  explicit Bench(Sharing sharing) {
    if (sharing == Sharing::one_queue) {
      PairPort::connect(client.wire, device);
      ports.emplace(device, steering, std::vector<StackPorts::Pools>{{&pools[0].rx, &pools[0].tx}, {&pools[1].rx, &pools[1].tx}});
    } else {
      queue_ports.emplace(std::vector<Port*>{&device, &second_queue}, steering, std::vector<PacketPool*>{&pools[0].rx, &pools[1].rx});
    }
    for (uint32_t i = 0; i < 2; ++i) {
      stacks.emplace_back(config_of(i), port(i), pools[i].rx, pools[i].tx, apps[i]);
      apps[i].stack = &stacks[i];
      apps[i].now = &now;
      apps[i].close_on_end = true;
      apps[i].on_message = [this, i](const Message& event, const std::string& bytes) { send(i, event.handle, bytes); };
      stacks[i].listen({0, kPort, Framing::stream});
    }
  }

  StackConfig config_of(uint32_t stack) {
    StackConfig own = config;
    own.tcp.steering = &steering;
    own.tcp.stack = stack;
    if (stack == 0) own.ip.others = ports ? ports->steerer(0) : queue_ports->steerer(0);
    return own;
  }
  Port& port(uint32_t stack) { return ports ? ports->port(stack) : queue_ports->port(stack); }
  uint64_t dropped() { return ports ? ports->counts().dropped : queue_ports->counts(0).dropped + queue_ports->counts(1).dropped; }

  /// To the queue that has nothing to do with the frame's flow, where there are two.
  void inject(const Bytes& frame) { (ports ? device : second_queue).inject(frame); }
  std::optional<PairPort::Frame> take() {
    auto frame = device.take();
    return frame ? frame : second_queue.take();
  }
  /// Between the client and two queues: a device that spreads what comes by something else than our hash.
  void carry() {
    while (const auto frame = client.wire.take()) {
      const size_t last_of_port = (*frame)[12] == 0x86 ? kEthernetHeader + kIpv6Header + 1 : kEthernetHeader + kIpv4Header + 1;
      ((*frame)[last_of_port] % 2 == 0 ? device : second_queue).inject(*frame);
    }
    while (const auto frame = take()) client.wire.inject(*frame);
  }

  void send(uint32_t stack, Handle handle, const std::string& bytes) {
    Packet* const packet = pools[stack].tx.allocate();
    REQUIRE(packet != nullptr);
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = static_cast<uint16_t>(bytes.size());
    bytes.copy(reinterpret_cast<char*>(packet->data), bytes.size());
    stacks[stack].send(handle, packet, now);
  }

  Handle connect(uint16_t port) {
    return client.stack.connect({kClient, port}, {kServer, kPort}, {0, 0, Framing::stream}, 7, now);
  }
  uint32_t stack_of(uint16_t port) const { return steering.stack_of(kClient, port, kServer, kPort); }
  /// A port of the client whose connection is this stack's.
  uint16_t port_of(uint32_t stack) const {
    uint16_t port = 20'000;
    while (stack_of(port) != stack) ++port;
    return port;
  }

  void server_turns() {
    for (Stack& stack : stacks) stack.turn(now);
  }
  void run_ms(uint32_t ms) {
    for (uint32_t step = 0; step < ms * 5; ++step) {
      now += 200'000;
      client.stack.turn(now);
      if (!ports) carry();
      server_turns();
    }
  }
  uint64_t count(uint32_t stack, Counter counter) { return stacks[stack].counters().get(counter); }

  Nanos now = kSecond;
  Host client{{dual_host(2)}, {2, 0, 0, 0, 0, 2}, &now};
  StackConfig config = dual_host(1);
  Pools pools[2];
  PairPort device{pools[0].rx, pools[0].tx, config.ip.mac, 1u << 14};
  FlowSteering steering{config.tcp.secret, 2};
  PairPort second_queue{pools[1].rx, pools[1].tx, config.ip.mac, 1u << 14};
  std::optional<StackPorts> ports;
  std::optional<QueuePorts> queue_ports;
  Recorder apps[2];
  std::deque<Stack> stacks;
};

}  // namespace

TEST_CASE("connections are opened, served and closed by the stack of their flow, and no segment meets another") {
  const Sharing sharing = any_sharing();
  Bench bench(sharing);
  std::vector<Handle> handles;
  uint32_t expected[2] = {};
  for (uint16_t port = 20'000; port < 20'040; ++port) {
    handles.push_back(bench.connect(port));
    ++expected[bench.stack_of(port)];
    if (handles.size() == 1) bench.run_ms(10);  // no more than three SYNs wait for ARP
  }
  bench.run_ms(50);
  for (size_t i = 0; i < handles.size(); ++i) bench.client.send(handles[i], pattern(1'000, static_cast<uint32_t>(i)));
  bench.run_ms(50);
  for (size_t i = 0; i < handles.size(); ++i) {
    CHECK(bench.client.app.of(handles[i]).bytes == pattern(1'000, static_cast<uint32_t>(i)));
    bench.client.stack.close(handles[i], bench.now);
  }
  bench.run_ms(100);
  for (uint32_t stack = 0; stack < 2; ++stack) {
    CHECK(expected[stack] > 10);
    CHECK(bench.apps[stack].opened_count == expected[stack]);
    CHECK(bench.apps[stack].closed_count == expected[stack]);
    CHECK(bench.count(stack, Counter::resets_out) == 0);
  }
  CHECK(bench.client.count(Counter::resets_in) == 0);
  CHECK(bench.dropped() == 0);
  CHECK(bench.pools[0].all_home());
  CHECK(bench.pools[1].all_home());
}

TEST_CASE("a question is answered once, and each stack learns its own neighbours") {
  const Sharing sharing = any_sharing();
  Bench bench(sharing);
  bench.connect(bench.port_of(0));
  bench.connect(bench.port_of(1));
  bench.run_ms(50);
  CHECK(bench.apps[0].opened_count == 1);
  CHECK(bench.apps[1].opened_count == 1);
  CHECK(bench.count(0, Counter::arp_out) == 1);  // the answer; it knows the client from its question
  CHECK(bench.count(1, Counter::arp_out) == 1);  // its own question
  CHECK(bench.client.count(Counter::arp_in) == 2);
  bench.inject(ipv4_frame(kProtocolIcmp, icmp(kIcmpEchoRequest, 0, 1, counting(20)), Bench::kClient));
  bench.run_ms(1);
  CHECK(bench.count(0, Counter::icmp_out) == 1);
  CHECK(bench.count(1, Counter::icmp_in) == 0);
}

TEST_CASE("what a router says about a segment reaches the stack that has sent it") {
  const Sharing sharing = any_sharing();
  Bench bench(sharing);
  bench.connect(bench.port_of(1));
  bench.run_ms(50);
  REQUIRE(bench.apps[1].opened_count == 1);
  bench.send(1, bench.apps[1].last, pattern(1'400));
  bench.now += 200'000;
  bench.server_turns();
  bench.server_turns();  // the first stack forwards what the second has sent
  const auto sent = bench.take();
  REQUIRE(sent);
  REQUIRE(sent->size() > 1'400);
  const Bytes quoted(sent->begin() + kEthernetHeader, sent->begin() + kEthernetHeader + kIpv4Header + 8);
  bench.inject(ipv4_frame(kProtocolIcmp, icmp(kIcmpUnreachable, kFragmentationNeeded, 600, quoted), 0x0a0000fe));
  bench.server_turns();
  CHECK(bench.count(1, Counter::icmp_errors_in) == 1);
  CHECK(bench.count(1, Counter::path_mtu_lowered) == 1);
  CHECK(bench.count(0, Counter::icmp_errors_in) == 0);
  bench.run_ms(500);
  CHECK(bench.client.app.of(bench.client.app.last).bytes == pattern(1'400));
}

TEST_CASE("a segment in pieces reaches the stack of its flow, and the one that puts it together does not answer it") {
  const Sharing sharing = any_sharing();
  for (const uint32_t stack : {0u, 1u}) {
    Bench bench(sharing);
    const Handle handle = bench.connect(bench.port_of(stack));
    bench.run_ms(50);
    REQUIRE(bench.apps[stack].opened_count == 1);
    bench.client.send(handle, pattern(1'000));
    bench.now += 200'000;
    bench.client.stack.turn(bench.now);
    const auto whole = bench.client.wire.take();
    REQUIRE(whole);
    const auto end = static_cast<uint32_t>(whole->size()) - kEthernetHeader - kIpv4Header;
    bench.inject(piece_of(*whole, {504, end}, false));
    bench.inject(piece_of(*whole, {0, 504}, true));
    bench.run_ms(50);
    CHECK(bench.count(0, Counter::datagrams_reassembled) == 1);
    CHECK(bench.apps[stack].of(bench.apps[stack].last).bytes == pattern(1'000));
    CHECK(bench.count(0, Counter::resets_out) + bench.count(1, Counter::resets_out) == 0);
    CHECK(bench.client.count(Counter::resets_in) == 0);
    CHECK(bench.client.count(Counter::retransmits) == 0);
  }
}

TEST_CASE("each stack opens from ports that no other one has, and the answers come home") {
  const Sharing sharing = any_sharing();
  const std::pair<IpAddress, IpAddress> families[] = {{Bench::kServer, Bench::kClient}, {ipv6_of(1), ipv6_of(2)}};
  for (const auto& [own, peer] : families) {
    Bench bench(sharing);
    bench.client.stack.listen({{}, Bench::kPort, Framing::stream});
    std::set<uint16_t> ports;
    for (uint32_t i = 0; i < 20; ++i) {
      for (uint32_t stack = 0; stack < 2; ++stack) {
        const Handle handle = bench.stacks[stack].connect({own, 0}, {peer, Bench::kPort}, {}, i, bench.now);
        const Tcb* const c = bench.stacks[stack].engine().inspect(handle);
        REQUIRE(c != nullptr);
        CHECK(bench.steering.stack_of(peer, Bench::kPort, own, c->key.local_port) == stack);
        ports.insert(c->key.local_port);
      }
      if (i == 0) bench.run_ms(10);  // no more than three SYNs wait for a neighbour
    }
    bench.run_ms(50);
    CHECK(ports.size() == 40);
    CHECK(bench.client.app.opened_count == 40);
    for (uint32_t stack = 0; stack < 2; ++stack) {
      CHECK(bench.apps[stack].opened_count == 20);
      CHECK(bench.count(stack, Counter::resets_out) == 0);
    }
  }
}

TEST_CASE("an open from a port of another stack fails, names that stack, and succeeds there") {
  const Sharing sharing = any_sharing();
  Bench bench(sharing);
  bench.client.stack.listen({{}, 90, Framing::stream});
  for (uint32_t stack = 0; stack < 2; ++stack) {
    const Endpoint remote = {Bench::kClient, 90};
    uint16_t port = 30'000;
    while (bench.steering.stack_of(remote.address, 90, Bench::kServer, port) != stack) ++port;
    const Endpoint local = {{}, port};  // the address is found as connect() finds it
    CHECK(bench.stacks[1 - stack].elsewhere(local, remote) == stack);
    CHECK(bench.stacks[stack].elsewhere(local, remote) == std::nullopt);
    CHECK(bench.stacks[1 - stack].elsewhere({{}, 0}, remote) == std::nullopt);
    CHECK(bench.stacks[1 - stack].connect(local, remote, {}, 7, bench.now).slot == kNoIndex);
    CHECK(bench.stacks[stack].connect(local, remote, {}, 7, bench.now).slot != kNoIndex);
    bench.run_ms(20);
    CHECK(bench.apps[stack].opened_count == 1);
  }
  CHECK(bench.client.stack.elsewhere({Bench::kClient, 5'000}, {Bench::kServer, Bench::kPort}) == std::nullopt);
}
