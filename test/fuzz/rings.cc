// Ring records: two app threads of one stack that write what a script says, most of it sensible, into memory that the
// stack reads. A kernel of sense is needed to get anywhere: they know the handles, packets and buffers they were given.
//
// Checked: nothing outside of the pools' rules happens (their own asserts), and when both apps are gone and all is
// closed, every packet and every connection is given back, whatever they wrote.
#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"
#include "native/stack/app_commands.hh"
#include "native/stack/stack.hh"
#include "test/fuzz/require.hh"
#include "test/fuzz/script.hh"
#include "test/fuzz/targets.hh"

namespace qstack::fuzz {
namespace {

constexpr uint32_t kStride = sizeof(Packet) + kHeadroom + kRoom;
constexpr uint32_t kRx = 32, kTx = 64, kApps = 2, kLevels = 2, kConnections = 8;
constexpr uint32_t kServer = 0x0a000001, kClient = 0x0a000002;
constexpr MacAddress kMacs[] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

StackConfig config_of(uint32_t address) {
  StackConfig config;
  config.ip.address = address;
  config.ip.prefix_length = 24;
  config.ip.mac = kMacs[address - kServer];
  config.ip.neighbors = {{kServer, 1, kMacs[0]}, {kClient, 1, kMacs[1]}};
  config.ip.neighbors_max = 16;
  config.tcp.connections = kConnections;
  config.tcp.half_open = kConnections;
  config.tcp.time_wait = 4;
  config.tcp.busy = kConnections;
  config.tcp.time_wait_ms = 200;
  config.tcp.retries_max = 3;
  config.tcp.rto_max_ms = 1'000;
  config.tcp.syn_retries_max = 1;
  config.tcp.levels = kLevels;
  return config;
}

/// The memory of the stack under test, with its packets in place.
struct PacketArena : Arena {
  PacketArena()
      : Arena({.levels = kLevels,
               .apps = kApps,
               .connections = kConnections,
               .rx_packets = kRx,
               .tx_packets = kTx,
               .empty_records = 16,
               .region_bytes = uint64_t{kStride} * (kRx + kTx)}) {
    set_region({region_memory(), kStride, 0, kRx + kTx});
  }
};

/// The other side of the wire: takes everything, answers nothing by itself.
class Client final : public App {
 public:
  Client(PairPort& port, PacketPool& rx, PacketPool& tx) : stack(config_of(kClient), port, rx, tx, *this), tx_(tx) {}

  bool opened(const Opened&) override { return true; }
  bool message(const Message& event) override {
    stack.release(event.handle, event.packet, event.length, now);
    return true;
  }
  bool ended(Handle) override { return true; }
  bool closed(Handle, CloseReason) override { return true; }
  bool drained(Handle, uint32_t) override { return true; }

  void send(Handle handle, uint16_t length) {
    Packet* const packet = stack.send_ready(0) ? tx_.allocate() : nullptr;
    if (packet == nullptr) return;
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = length;
    stack.send(handle, packet, now);
  }

  Nanos now = 1'000'000'000;
  Stack stack;

 private:
  PacketPool& tx_;
};

/// One app thread: raw access to its rings, and what it was told.
class RingApp {
 public:
  RingApp(Arena& arena, uint32_t app) : arena_(arena), app_(app) {}

  /// Reads what is new, from wherever the head stands.
  void read() {
    for (uint32_t level = 0; level < kLevels; ++level) {
      RingConsumer events(arena_.ring<abi::EventRecord>(0, app_, abi::kRingEvent + level));
      abi::EventRecord record;
      events.refresh();
      while (events.take(record)) note(record);
      events.publish();
    }
    RingConsumer empty(arena_.ring<uint32_t>(0, app_, abi::kRingEmpty));
    uint32_t index = 0;
    empty.refresh();
    while (empties_.size() < kTx && empty.take(index)) empties_.push_back(index);
    empty.publish();
  }

  Handle handle(uint8_t number) const {
    return handles_.empty() ? Handle{number, 0} : handles_[number % handles_.size()];
  }
  uint32_t empty(uint8_t number) const { return empties_.empty() ? number : empties_[number % empties_.size()]; }
  abi::ReleaseRecord message(uint8_t number) const {
    return messages_.empty() ? abi::ReleaseRecord{} : messages_[number % messages_.size()];
  }

  /// Writes a record at the tail, whether there is room or not.
  template <typename T>
  void write(uint32_t ring, const T& record) {
    const RingView<T> view = arena_.ring<T>(0, app_, ring);
    const uint32_t tail = load_relaxed(view.header->tail);
    view.records[tail & (view.capacity - 1)] = record;
    store_release(view.header->tail, tail + 1);
  }

  void bend(uint32_t ring, bool head, uint32_t value) {
    abi::RingHeader& header = *arena_.ring<uint8_t>(0, app_, ring).header;
    store_release(head ? header.head : header.tail, value);
  }

  void forget() {
    handles_.clear();
    messages_.clear();
    empties_.clear();
  }

 private:
  void note(const abi::EventRecord& record) {
    if (record.type == static_cast<uint8_t>(abi::EventType::opened)) handles_.push_back({record.slot, record.generation});
    if (record.type != static_cast<uint8_t>(abi::EventType::message)) return;
    messages_.push_back({record.packet, record.slot, record.generation, record.length});
  }

  Arena& arena_;
  uint32_t app_;
  std::vector<Handle> handles_;
  std::vector<abi::ReleaseRecord> messages_;
  std::vector<uint32_t> empties_;
};

class RingWorld {
 public:
  explicit RingWorld(Script& script);
  void run();

 private:
  void step(uint8_t operation);
  void client_step(uint8_t how);
  void send_record(RingApp& app, uint8_t how);
  void release_record(RingApp& app, uint8_t how);
  void bend(RingApp& app);
  void restart(uint32_t app);
  void turn(Nanos step);
  void finish();

  Script& script_;
  HeapRegion client_region_{kRx + kTx};
  HeapPool client_rx_{client_region_.region(), 0, kRx}, client_tx_{client_region_.region(), kRx, kTx};
  PacketArena arena_;
  HeapPool rx_{arena_.region(), 0, kRx}, tx_{arena_.region(), kRx, kTx};
  PairPort client_port_{client_rx_, client_tx_, kMacs[1]}, port_{rx_, tx_, kMacs[0]};
  Client client_{client_port_, client_rx_, client_tx_};
  AppRings rings_{arena_, 0, tx_};
  Stack stack_{config_of(kServer), port_, rx_, tx_, rings_};
  std::vector<RingApp> apps_;
  std::vector<Handle> connected_;
};

RingWorld::RingWorld(Script& script) : script_(script) {
  PairPort::connect(client_port_, port_);
  for (uint32_t app = 0; app < kApps; ++app) apps_.emplace_back(arena_, app);
  const ListenerConfig listener = {0, 80, script.below(2) == 0 ? Framing::stream : Framing::fixed, 24};
  rings_.set_framing(static_cast<uint16_t>(stack_.listen(listener)), listener);
  ListenerConfig client = listener;
  client.port = 90;
  client_.stack.listen(client);
}

void RingWorld::run() {
  turn(0);
  while (!script_.done()) step(script_.u8());
  finish();
}

void RingWorld::step(uint8_t operation) {
  constexpr Nanos kSteps[] = {1'000, 1'000'000, 60'000'000, 1'100'000'000};
  RingApp& app = apps_[operation >> 4 & 1];
  switch (operation & 15) {
    case 0: case 1: return client_step(operation >> 4);
    case 2: case 3: return app.read();
    case 4: case 5: case 6: return send_record(app, operation >> 5);
    case 7: case 8: return release_record(app, operation >> 5);
    case 9: return bend(app);
    case 10: return (operation & 32) ? restart(operation >> 4 & 1) : void();
    default: return turn(kSteps[operation >> 4 & 3]);
  }
}

void RingWorld::client_step(uint8_t how) {
  const Nanos now = client_.now;
  if ((how & 3) == 0 || connected_.empty()) {
    const Handle handle = client_.stack.connect({kClient, 0}, {kServer, 80}, {}, 0, now);
    if (handle.slot != kNoIndex) connected_.push_back(handle);
    return;
  }
  const Handle handle = connected_[script_.u8() % connected_.size()];
  if ((how & 3) == 1) client_.send(handle, static_cast<uint16_t>(1 + script_.u8() * 5));
  if ((how & 3) == 2) client_.stack.close(handle, now);
  if ((how & 3) == 3) client_.stack.abort(handle, CloseReason::aborted, now);
}

/// Each bit of `how` bends a part; the rest is what an honest app would write.
void RingWorld::send_record(RingApp& app, uint8_t how) {
  abi::SendRecord record{};
  record.type = static_cast<uint8_t>(how & 1 ? script_.u8() : uint8_t{1});
  record.level = static_cast<uint8_t>(how & 2 ? script_.u8() : uint8_t{0});
  record.flags = how & 2 ? script_.u8() : 0;
  const Handle handle = app.handle(script_.u8());
  record.slot = handle.slot;
  record.generation = how & 4 ? handle.generation + script_.u8() : handle.generation;
  record.packet = how & 4 ? script_.u32() : app.empty(script_.u8());
  record.offset = how & 2 ? script_.u16() : 0;
  record.length = how & 2 ? script_.u16() : static_cast<uint16_t>(1 + script_.u8());
  if (record.type == static_cast<uint8_t>(abi::SendType::connect)) {
    record.slot = kClient + script_.below(2);
    record.generation = 90;
    record.packet = script_.u8();
  }
  record.cookie = script_.u8();
  if (record.type == static_cast<uint8_t>(abi::SendType::option)) {
    record.packet = script_.below(kTcpOptions + 1);
    if (how & 4) record.cookie = script_.u32();
  }
  if (record.type == static_cast<uint8_t>(abi::SendType::info)) record.packet = script_.below(abi::kInfosPerApp + 1);
  app.write(abi::kRingSend + script_.below(kLevels), record);
}

void RingWorld::release_record(RingApp& app, uint8_t how) {
  abi::ReleaseRecord record = app.message(script_.u8());
  if (how & 1) record.packet = script_.u16();
  if (how & 2) record.length = script_.u32();
  if (how & 4) record.generation += script_.u8();
  app.write(abi::kRingRelease, record);
}

/// An index of one ring that says something else.
void RingWorld::bend(RingApp& app) {
  const uint8_t how = script_.u8();
  const uint32_t rings[] = {abi::kRingEvent,    abi::kRingEvent + 1, abi::kRingSend,
                            abi::kRingSend + 1, abi::kRingRelease,   abi::kRingEmpty};
  app.bend(rings[how % 6], how & 128, how & 64 ? script_.u32() : script_.u8());
}

/// The thread has died and there is a new one.
void RingWorld::restart(uint32_t app) {
  rings_.reclaim(stack_, app, client_.now);
  rings_.attach(app, -1);
  apps_[app].forget();
}

void RingWorld::turn(Nanos step) {
  client_.now += step;
  rings_.drain(stack_, client_.now);
  stack_.turn(client_.now);
  rings_.publish();
  client_.stack.turn(client_.now);
}

void RingWorld::finish() {
  for (const Handle handle : connected_) client_.stack.abort(handle, CloseReason::aborted, client_.now);
  for (uint32_t app = 0; app < kApps; ++app) restart(app);
  for (int i = 0; i < 4; ++i) turn(1'000'000);
  for (uint32_t app = 0; app < kApps; ++app) restart(app);
  for (int i = 0; i < 8; ++i) turn(1'000'000'000);
  const TcpEngine& engine = stack_.engine();
  require(engine.connections_used() == 0 && engine.busy_used() == 0, "every connection is given back");
  require(engine.half_open_used() == 0 && engine.time_wait_used() == 0, "every record is given back");
  require(rings_.rx_with_apps() == 0 && rx_.available() == kRx, "every received packet is given back");
  require(rings_.tx_with_apps() + tx_.available() == kTx, "every packet to send is given back");
}

}  // namespace

void rings(std::span<const uint8_t> input) {
  if (input.size() > 4096) return;
  Script script(input);
  RingWorld(script).run();
}

}  // namespace qstack::fuzz
