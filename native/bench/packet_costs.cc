#include "native/bench/packet_costs.hh"

#include <array>
#include <stdexcept>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/port/ring_port.hh"
#include "native/stack/stack.hh"

namespace qstack::bench {

namespace {

constexpr uint32_t kConnections = 64;
/// Requests of a connection.
constexpr uint32_t kRequests = 8;
constexpr uint32_t kPackets = 2'048;
constexpr uint16_t kPort = 5201, kRequest = 200, kReply = 64;
constexpr uint32_t kServerAddress = 0x0a000001, kClientAddress = 0x0a000002;
constexpr Nanos kGrain = 10'000;
/// Longer than an ACK is delayed, and than TIME-WAIT.
constexpr Nanos kAckDelay = 100'000'000, kAfterClose = 3'000'000'000;

enum Kind : size_t { syn, handshake_ack, data_in, reply_out, ack_in, fin, kKinds };
constexpr std::array<const char*, kKinds> kNames = {"syn", "handshake_ack", "data_in", "reply_out", "ack_in", "fin"};

/// Notes what happens, and does nothing about it.
class Notes final : public App {
 public:
  bool opened(const Opened& event) override {
    open.push_back(event.handle);
    return true;
  }
  bool message(const Message& event) override {
    messages.push_back(event);
    return true;
  }
  bool ended(Handle handle) override {
    over.push_back(handle);
    return true;
  }
  bool closed(Handle, CloseReason) override { return true; }
  bool drained(Handle, uint32_t) override { return true; }

  std::vector<Handle> open, over;
  std::vector<Message> messages;
};

StackConfig config_of(uint32_t address) {
  StackConfig config;
  config.ip.address = address;
  config.ip.prefix_length = 24;
  config.ip.mac = {2, 0, 0, 0, 0, static_cast<uint8_t>(address)};
  config.tcp.connections = config.tcp.busy = 2 * kConnections;
  config.tcp.half_open = config.tcp.time_wait = 2 * kConnections;
  config.tcp.levels = 2;
  config.tcp.secret = {address, 2, 3, 4};
  return config;
}

struct End {
  End(uint32_t address, RingWire& wire, uint32_t end)
      : region(2 * kPackets),
        rx(region.region(), 0, kPackets),
        tx(region.region(), kPackets, kPackets),
        config(config_of(address)),
        port(wire, end, rx, tx, config.ip.mac),
        stack(config, port, rx, tx, notes) {}

  void send(Handle handle, uint16_t length, Nanos now) {
    Packet* const packet = tx.allocate();
    if (packet == nullptr) throw std::runtime_error("no packet is free");
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = length;
    packet->level = 0;
    stack.send(handle, packet, now);
  }
  void release_all(Nanos now) {
    for (const Message& message : notes.messages) stack.release(message.handle, message.packet, message.length, now);
    notes.messages.clear();
  }

  HeapRegion region;
  HeapPool rx, tx;
  StackConfig config;
  Notes notes;
  RingPort port;
  Stack stack;
};

class Course {
 public:
  Course() : server_(kServerAddress, wire_, 0), client_(kClientAddress, wire_, 1) {
    framing_.port = kPort;
    framing_.framing = Framing::fixed;
    framing_.fixed_length = kRequest;
    if (server_.stack.listen(framing_) < 0) throw std::runtime_error("the server cannot listen");
    framing_.fixed_length = kReply;
    // The first one asks for the other's address as well.
    open(1);
    for (uint32_t i = 0; i < 8; ++i) both();
    close();
  }

  PacketCounts run(uint32_t rounds) {
    for (uint32_t round = 0; round < rounds; ++round) {
      open(kConnections);
      client_turn();
      measured<syn>(kConnections);
      client_turn();
      client_turn();  // the ACK of a SYN-ACK waits a turn for data
      measured<handshake_ack>(kConnections);
      expect(server_.notes.open.size() == kConnections, "connections open");
      for (uint32_t i = 0; i < kRequests; ++i) ask();
      close();
    }
    PacketCounts named;
    for (size_t kind = 0; kind < kKinds; ++kind) named[kNames[kind]] = counts_[kind];
    return named;
  }

 private:
  static void expect(bool true_, const char* what) {
    if (!true_) throw std::runtime_error(std::string("not as many as expected: ") + what);
  }

  /// The body differs by kind, so that no two of them become one.
  template <Kind kind>
  [[gnu::noinline]] void measured(uint64_t packets) {
    counts_[kind] += packets;
    now_ += kGrain;
    if constexpr (kind == reply_out) {
      for (const Message& message : server_.notes.messages) server_.send(message.handle, kReply, now_);
      server_.release_all(now_);
    }
    server_.stack.turn(now_);
  }

  void client_turn() { client_.stack.turn(now_ += kGrain); }
  void both() {
    client_turn();
    server_.stack.turn(now_);
  }

  void open(uint32_t count) {
    const Endpoint local{IpAddress(kClientAddress), 0}, remote{IpAddress(kServerAddress), kPort};
    for (uint32_t i = 0; i < count; ++i) client_.stack.connect(local, remote, framing_, 0, now_);
  }

  void ask() {
    for (const Handle handle : client_.notes.open) client_.send(handle, kRequest, now_);
    client_turn();
    measured<data_in>(kConnections);
    expect(server_.notes.messages.size() == kConnections, "requests");
    measured<reply_out>(kConnections);
    client_turn();
    expect(client_.notes.messages.size() == kConnections, "replies");
    client_.release_all(now_);
    now_ += kAckDelay;
    client_turn();
    measured<ack_in>(kConnections);
  }

  void close() {
    for (const Handle handle : client_.notes.open) client_.stack.close(handle, now_);
    client_turn();
    measured<fin>(client_.notes.open.size());
    for (const Handle handle : server_.notes.over) server_.stack.close(handle, now_);
    for (uint32_t i = 0; i < 8; ++i) both();
    now_ += kAfterClose;
    both();
    client_.notes.open.clear();
    server_.notes.open.clear();
    server_.notes.over.clear();
  }

  RingWire wire_;
  End server_, client_;
  ListenerConfig framing_;
  Nanos now_ = 1'000'000'000;
  std::array<uint64_t, kKinds> counts_{};
};

}  // namespace

PacketCounts packet_costs(uint32_t rounds) {
  Course course;
  return course.run(rounds);
}

}  // namespace qstack::bench
