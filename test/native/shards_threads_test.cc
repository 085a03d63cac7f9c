// Two stacks and two app threads behind one wire, the stacks in threads of their own or driven by the apps': ten thousand connections,
// and an app that is lost and comes back.
#include <doctest/doctest.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <thread>

#include "native/port/ring_port.hh"
#include "test/native/shards_bench.hh"

using namespace qstack;
using namespace qstack::rings_test;
using qstack::test::host_config;

namespace {

constexpr uint32_t kConnections = 10'000, kLength = 16;
constexpr uint32_t kServer = 0x0a000001;
constexpr uint16_t kPort = 80;

/// An app thread: sends back what it gets, and closes what the peer has closed. With `driven` it takes the turns of its stack.
class EchoApp {
 public:
  EchoApp(Arena& arena, uint32_t app, Shards* driven) : arena_(arena), app_(app), driven_(driven) {
    for (uint32_t stack = 0; stack < arena.config().stacks; ++stack) sides_.emplace_back(arena, app, stack);
    thread_ = std::thread([this] { run(); });
  }
  /// Connections that it was given.
  uint32_t stop() {
    over_ = true;
    thread_.join();
    return opened_;
  }

 private:
  struct Side {
    Side(Arena& arena, uint32_t app, uint32_t stack) : end(arena, app, stack) {}
    AppEnd end;
    std::deque<abi::EventRecord> waiting;  ///< messages that wait for an empty packet
  };

  void run() {
    if (driven_ != nullptr) REQUIRE(driven_->begin_driving(app_));
    while (!over_.load(std::memory_order_relaxed)) {
      uint32_t work = driven_ == nullptr ? 0 : driven_->drive(app_, monotonic_now());
      for (Side& side : sides_) work += turn(side);
      if (work == 0) sched_yield();
    }
    if (driven_ != nullptr) driven_->end_driving(app_);
  }

  uint32_t turn(Side& side) {
    uint32_t work = 0;
    for (size_t level = side.end.events.size(); level-- > 0;) side.end.events[level].refresh();
    abi::EventRecord record;
    for (RingConsumer<abi::EventRecord>& events : side.end.events) {
      for (; events.take(record); ++work) handle(side, record);
      events.publish();
    }
    side.end.empty.refresh();
    uint32_t packet;
    while (!side.waiting.empty() && side.end.empty.take(packet)) {
      answer(side.end, side.waiting.front(), packet);
      side.waiting.pop_front();
    }
    side.end.empty.publish();
    return work;
  }

  void handle(Side& side, const abi::EventRecord& record) {
    const auto type = static_cast<abi::EventType>(record.type);
    if (type == abi::EventType::opened) ++opened_;
    if (type == abi::EventType::message) side.waiting.push_back(record);
    if (type != abi::EventType::ended) return;
    const abi::SendRecord close = send_record(abi::SendType::close, {record.slot, record.generation});
    push(side.end.sends.back(), close);
  }

  void answer(AppEnd& end, const abi::EventRecord& message, uint32_t packet) {
    std::memcpy(PacketRegion::payload_start(arena_.region().at(packet)), arena_.base() + message.offset, message.length);
    const Handle handle = {message.slot, message.generation};
    push(end.sends[0], send_record(abi::SendType::send, handle, packet, static_cast<uint16_t>(message.length)));
    push(end.releases, abi::ReleaseRecord{message.packet, message.slot, message.generation, message.length});
  }

  /// A ring of the app's always finds room: there are as many records as packets, and the close records of a burst.
  template <typename T>
  void push(RingProducer<T>& ring, const T& record) {
    while (!ring.push(record)) sched_yield();
    ring.publish();
  }

  Arena& arena_;
  uint32_t app_;
  Shards* driven_;
  std::deque<Side> sides_;
  uint32_t opened_ = 0;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

/// The other end of the wire, in a thread of its own: opens connections, sends on each what no other one does, and looks
/// whether that comes back.
class Client final : public App {
 public:
  explicit Client(RingWire& wire)
      : port_(wire, 1, rx_, tx_, {2, 0, 0, 0, 0, 2}), stack_(config(), port_, rx_, tx_, *this) {}

  struct Progress {
    uint32_t opened = 0, echoed = 0, wrong = 0, finished = 0, reset = 0, failed = 0;
  };

  void start() {
    thread_.emplace([this](Nanos now) { return turn(now); }, StackThreadConfig{.name = "client"});
  }
  void stop() { thread_.reset(); }
  void open(uint32_t count) {
    thread_->call([&] { wanted_ += count; });
  }
  void close_all() {
    thread_->call([&] { closing_ = true; });
  }
  Progress progress() {
    Progress out;
    thread_->call([&] { out = progress_; });
    return out;
  }

  bool opened(const Opened& event) override {
    ++progress_.opened;
    open_.push_back(event.handle);
    unsent_.push_back(event.handle);
    return true;
  }
  bool message(const Message& event) override {
    Handle told;
    std::memcpy(&told, event.packet->data + event.offset, sizeof(told));
    ++(event.length == kLength && told == event.handle ? progress_.echoed : progress_.wrong);
    stack_.release(event.handle, event.packet, event.length, now_);
    --under_way_;
    return true;
  }
  bool ended(Handle) override { return true; }
  bool closed(Handle, CloseReason reason) override {
    ++(reason == CloseReason::finished ? progress_.finished
       : reason == CloseReason::reset  ? progress_.reset
                                       : progress_.failed);
    return true;
  }
  bool drained(Handle, uint32_t) override { return true; }

 private:
  static constexpr uint32_t kPackets = 4'096, kWindow = 256, kClosesPerTurn = 16;

  static StackConfig config() {
    StackConfig config = host_config(2);
    config.tcp.connections = config.tcp.busy = 2 * kConnections;
    config.tcp.time_wait = 2 * kConnections;
    config.tcp.levels = 2;
    return config;
  }

  uint32_t turn(Nanos now) {
    now_ = now;
    uint32_t work = 0;
    const uint32_t window = known_ ? kWindow : 1;  // no more than three SYNs wait for ARP
    for (; wanted_ > 0 && under_way_ < window; ++work) {
      const Handle handle = stack_.connect({}, {kServer, kPort}, {0, 0, Framing::stream}, 7, now);
      ++(handle.slot == kNoIndex ? progress_.failed : under_way_);
      --wanted_;
    }
    known_ = known_ || progress_.opened > 0;
    for (; !unsent_.empty() && send(unsent_.back()); ++work) unsent_.pop_back();
    for (uint32_t i = 0; closing_ && i < kClosesPerTurn && !open_.empty(); ++i) {
      stack_.close(open_.back(), now);
      open_.pop_back();
    }
    return work + stack_.turn(now);
  }

  bool send(Handle handle) {
    Packet* const packet = tx_.allocate();
    if (packet == nullptr) return false;
    packet->data = PacketRegion::payload_start(packet);
    packet->payload = 0;
    packet->payload_length = kLength;
    std::memset(packet->data, 0, kLength);
    std::memcpy(packet->data, &handle, sizeof(handle));
    stack_.send(handle, packet, now_);
    return true;
  }

  HeapRegion region_{2 * kPackets};
  HeapPool rx_{region_.region(), 0, kPackets}, tx_{region_.region(), kPackets, kPackets};
  RingPort port_;
  Stack stack_;
  Nanos now_ = 0;
  uint32_t wanted_ = 0, under_way_ = 0;
  bool known_ = false, closing_ = false;
  std::vector<Handle> open_, unsent_;
  Progress progress_;
  std::optional<StackThread> thread_;
};

/// Looks once in a while; false after a minute.
bool wait_for(const std::function<bool()>& done) {
  for (uint32_t i = 0; i < 12'000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

TEST_CASE("two stacks and two app threads: each of ten thousand connections has its own bytes back, with an app that is lost in "
          "between") {
  bool driven = false;
  SUBCASE("stack threads") {}
  SUBCASE("stacks that the app threads drive") { driven = true; }
  RingWire wire;
  ShardsBench server({.stacks = 2, .apps = 2, .connections = kConnections, .packets = 8'192}, [&](PacketPool& rx, PacketPool& tx) {
    return std::make_unique<RingPort>(wire, 0, rx, tx, MacAddress{2, 0, 0, 0, 0, 1});
  });
  Shards& shards = *server.shards;
  Client client(wire);
  CHECK(shards.listen({0, kPort, Framing::stream}) == 0);
  if (!driven) shards.run({.name = "stack"});
  Shards* const drive = driven ? &shards : nullptr;
  EchoApp first(server.memory, 0, drive);
  std::optional<EchoApp> second(std::in_place, server.memory, 1, drive);
  client.start();

  client.open(kConnections);
  CHECK(wait_for([&] { return client.progress().echoed == kConnections; }));
  for (const StackFigures& figures : shards.figures()) {
    CHECK(figures.counters.get(Counter::connections_opened) > kConnections / 4);
    CHECK(figures.counters.get(Counter::connections_opened) < kConnections / 4 * 3);
  }

  const uint32_t lost = second->stop();
  CHECK(lost > kConnections / 3);
  CHECK(shards.reclaim(1) == lost);
  CHECK(wait_for([&] { return client.progress().reset == lost; }));
  shards.attach(1, -1);
  second.emplace(server.memory, 1, drive);
  client.open(lost);
  CHECK(wait_for([&] { return client.progress().echoed == kConnections + lost; }));

  client.close_all();
  CHECK(wait_for([&] { return client.progress().finished == kConnections; }));
  CHECK(wait_for([&] { return server.count(Counter::connections_open) == 0; }));
  const Client::Progress progress = client.progress();
  CHECK(progress.wrong == 0);
  CHECK(progress.failed == 0);
  CHECK(progress.reset == lost);
  CHECK(second->stop() > lost / 3);
  first.stop();
  client.stop();
  CHECK(!shards.driven());
  shards.stop();
  CHECK(server.count(Counter::bad_records) == 0);
  CHECK(server.count(Counter::resets_out) >= lost);
  CHECK(server.all_home());
}
