#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "native/wire/checksum.hh"
#include "native/wire/ipv4.hh"
#include "test/native/tcp_world.hh"

using namespace qstack;
using namespace qstack::test;

namespace {

/// What a peer's conversation looks like on the wire: the stock that mutations are made of.
std::vector<PairPort::Frame> record_conversation() {
  World world;
  world.listen(Framing::fixed, 32);
  world.server.app.on_message = [&](const Message& m, const std::string& bytes) { world.server.send(m.handle, bytes); };
  std::vector<PairPort::Frame> frames;
  const Handle c = world.client.stack.connect({World::kClient, 1234}, {World::kServer, 80}, {}, 0, world.now);
  for (int turn = 0; turn < 3'000; ++turn) {
    world.now += 100'000;
    world.client.stack.turn(world.now);
    std::vector<PairPort::Frame> sent;
    while (auto frame = world.client.wire.take()) sent.push_back(*frame);
    for (const auto& frame : sent) {
      frames.push_back(frame);
      world.server.wire.inject(frame);
    }
    world.server.stack.turn(world.now);
    if (turn == 100) world.client.send(c, pattern(100));
    if (turn == 800) world.client.stack.close(c, world.now);
  }
  return frames;
}

/// Makes the checksums right again, so that the mutation gets past the first door.
void repair(PairPort::Frame& frame) {
  if (frame.size() < 54 || frame[12] != 8 || frame[13] != 0) return;
  uint8_t* const ip = frame.data() + 14;
  const size_t header = (ip[0] & 15) * 4u;
  if (header < 20 || 14 + header + 20 > frame.size()) return;
  store_be16(ip + 2, static_cast<uint16_t>(frame.size() - 14));
  std::memset(ip + 10, 0, 2);
  const uint16_t ip_sum = internet_checksum(ip, header);
  std::memcpy(ip + 10, &ip_sum, 2);
  const auto length = static_cast<uint16_t>(frame.size() - 14 - header);
  uint8_t* const tcp = ip + header;
  std::memset(tcp + 16, 0, 2);
  const uint16_t sum = internet_checksum(tcp, length, checksum_pseudo(load_be32(ip + 12), load_be32(ip + 16), 6, length));
  std::memcpy(tcp + 16, &sum, 2);
}

class Attacker {
 public:
  Attacker(uint64_t seed, std::vector<PairPort::Frame> stock) : random_(seed), stock_(std::move(stock)) {}

  PairPort::Frame next(const Tcb* victim) {
    switch (random_() % 8) {
      case 0:
        return noise();
      case 1:
        return mutated(false);
      case 2:
        return mutated(true);
      case 3:
        return third_segment();
      default:
        return aimed(victim);
    }
  }

  /// What the server has sent: of its SYN-ACKs the latest are remembered.
  void see(const PairPort::Frame& frame) {
    constexpr size_t kRemembered = 64;
    TcpSegment segment;
    if (frame.size() < 54 || frame[12] != 8 || frame[13] != 0) return;
    if (!parse_tcp(frame.data() + 34, static_cast<uint16_t>(frame.size() - 34), segment)) return;
    if ((segment.flags & (kSyn | kAck)) != (kSyn | kAck)) return;
    if (syn_acks_.size() < kRemembered) syn_acks_.push_back(segment);
    syn_acks_[random_() % syn_acks_.size()] = segment;
  }

 private:
  PairPort::Frame noise() {
    PairPort::Frame frame(random_() % 200);
    for (uint8_t& byte : frame) byte = static_cast<uint8_t>(random_());
    return frame;
  }

  PairPort::Frame mutated(bool repaired) {
    PairPort::Frame frame = stock_[random_() % stock_.size()];
    const size_t changes = random_() % 6;
    for (size_t i = 0; i < changes && !frame.empty(); ++i) frame[random_() % frame.size()] = static_cast<uint8_t>(random_());
    if (random_() % 8 == 0) frame.resize(random_() % 120);
    if (repaired) repair(frame);
    return frame;
  }

  /// A segment near the window of a real connection, with random flags, options and payload: reaches every state.
  PairPort::Frame aimed(const Tcb* victim) {
    const bool known = victim != nullptr && random_() % 4 != 0;
    const uint8_t options = static_cast<uint8_t>((random_() % 11) * 4);
    const auto near = [&](Seq at) { return at + static_cast<uint32_t>(random_() % 400) - 200; };
    const auto flags = static_cast<uint8_t>(random_() % 3 == 0 ? random_() : kAck);
    PairPort::Frame frame = segment(options, known ? victim->key.remote_port : static_cast<uint16_t>(1000 + random_() % 64),
                                    known ? near(victim->rcv_nxt) : static_cast<uint32_t>(random_()),
                                    known ? near(victim->snd_nxt) : static_cast<uint32_t>(random_()), flags);
    if (known && options >= 12 && random_() % 2 == 0) write_timestamps(frame.data() + 54, victim->ts_recent + 1, 0);
    repair(frame);
    return frame;
  }

  /// What a SYN-ACK of the server asks for, or nearly: many of them are cookies.
  PairPort::Frame third_segment() {
    if (syn_acks_.empty()) return noise();
    const TcpSegment& s = syn_acks_[random_() % syn_acks_.size()];
    const auto off = [&] { return random_() % 4 == 0 ? static_cast<Seq>(random_() % 20) : 0; };
    PairPort::Frame frame = segment(12, s.destination_port, s.ack + off(), s.seq + 1 + off(), kAck);
    write_timestamps(frame.data() + 54, static_cast<uint32_t>(random_()), s.options.ts_value + off());
    repair(frame);
    return frame;
  }

  /// From the client to the server; payload, options and window are random.
  PairPort::Frame segment(uint8_t options, uint16_t port, Seq seq, Seq ack, uint8_t flags) {
    PairPort::Frame frame(54 + options + random_() % 200);
    const uint8_t server_mac[6] = {2, 0, 0, 0, 0, 1}, client_mac[6] = {2, 0, 0, 0, 0, 2};
    std::memcpy(frame.data(), server_mac, 6);
    std::memcpy(frame.data() + 6, client_mac, 6);
    frame[12] = 8;
    frame[13] = 0;
    uint8_t* const ip = frame.data() + 14;
    std::memset(ip, 0, 20);
    ip[0] = 0x45;
    ip[8] = 64;
    ip[9] = 6;
    store_be32(ip + 12, World::kClient);
    store_be32(ip + 16, World::kServer);
    uint8_t* const tcp = ip + 20;
    write_tcp_header(tcp, port, 80, seq, ack, static_cast<uint8_t>(20 + options), flags, static_cast<uint16_t>(random_()));
    for (size_t i = 54; i < frame.size(); ++i) frame[i] = static_cast<uint8_t>(random_());
    return frame;
  }

  std::mt19937_64 random_;
  std::vector<PairPort::Frame> stock_;
  std::vector<TcpSegment> syn_acks_;
};

}  // namespace

TEST_CASE("a million random and mutated packets: nothing ends, nothing leaks, and an honest client is still served") {
  const char* const given = std::getenv("QSTACK_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const char* const wanted = std::getenv("QSTACK_PACKETS");
  const uint32_t packets = wanted != nullptr ? static_cast<uint32_t>(std::strtoul(wanted, nullptr, 10)) : 1'000'000;
  MESSAGE("seed " << seed);
  HostOptions server{host_config(1)};
  server.stack.tcp.time_wait_ms = 500;
  server.stack.tcp.idle_timeout_ms = 5'000;
  server.stack.tcp.half_open = 8;  // most of the time SYN cookies keep the door open
  server.stack.tcp.connections = 65'600;
  // ARP believes what it is told: the static entry keeps the honest client reachable while ARP is attacked as well.
  server.stack.ip.neighbors = {{World::kClient, 1, {2, 0, 0, 0, 0, 2}}};
  World world({host_config(2)}, server);
  world.server.app.close_on_end = true;
  world.server.app.on_message = [&](const Message& m, const std::string& bytes) { world.server.send(m.handle, bytes); };
  world.listen(Framing::fixed, 32);
  Attacker attacker(seed, record_conversation());
  Handle honest = world.open().first;
  for (uint32_t i = 0; i < packets; ++i) {
    const Tcb* const victim = world.server.tcb(world.server.app.last);
    const auto frame = attacker.next(victim);
    if (frame.size() <= kRoom) world.server.wire.inject(frame);
    if (i % 8 != 0) continue;
    world.now += 100'000;
    world.server.stack.turn(world.now);
    while (const auto sent = world.server.wire.take()) {
      attacker.see(*sent);
      world.client.wire.inject(*sent);
    }
    world.client.stack.turn(world.now);
    // A connection that the attacker has ended is opened again, so that every state is reached many times.
    const bool ended = world.server.tcb(world.server.app.last) == nullptr && i % 1'024 == 0;
    if (ended && world.client.stack.alive(honest)) world.client.stack.abort(honest, CloseReason::aborted, world.now);
    if (!world.client.stack.alive(honest)) {
      honest = world.client.stack.connect({World::kClient, 0}, {World::kServer, 80}, {}, 0, world.now);
    } else if (i % 512 == 0) {
      world.client.send(honest, pattern(32));
    }
  }
  world.client.stack.abort(honest, CloseReason::aborted, world.now);
  // Half-open records, TIME-WAIT records and what attackers opened go away by themselves.
  world.run_ms(200'000);
  CHECK(world.server.stack.engine().connections_used() == 0);
  CHECK(world.server.stack.engine().half_open_used() == 0);
  CHECK(world.server.stack.engine().time_wait_used() == 0);
  CHECK(world.server.stack.engine().busy_used() == 0);
  CHECK(world.nothing_leaked());
  CHECK(world.server.count(Counter::connections_opened) > packets / 20'000);
  CHECK(world.server.count(Counter::syn_cookies_accepted) > packets / 1'000);
  CHECK(world.server.count(Counter::syn_cookies_rejected) > packets / 1'000);
  CHECK(world.server.count(Counter::syn_cookies_engaged) > 0);
  const auto [c, s] = world.open();
  world.client.send(c, pattern(32));
  world.run_ms(1'000);
  CHECK(world.client.app.of(c).bytes == pattern(32));
  MESSAGE("opened " << world.server.count(Counter::connections_opened) << ", by cookie " << world.server.count(Counter::syn_cookies_accepted) << ", resets in " << world.server.count(Counter::resets_in)
                    << ", checksum " << world.server.count(Counter::drop_tcp_checksum) << ", seed " << seed);
}
