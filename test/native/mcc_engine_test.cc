// The generator against a fake network under explicit time: what is counted, what waits, and who goes first.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "native/mcc/engine.hh"
#include "native/mempool/heap_pool.hh"

using namespace qstack;
using namespace qstack::mcc;

namespace {

struct Sent {
  Handle handle;
  uint32_t counter;
  uint8_t level;
  Nanos at;
  uint16_t length = 0;
};

class FakeNetwork final : public Network {
 public:
  explicit FakeNetwork(uint32_t packets) : region_(packets), pool_(region_.region(), 0, packets) {}

  Handle connect(Endpoint local, uint64_t token, Nanos) override {
    if (slots_left == 0) return {};
    --slots_left;
    locals.push_back(local);
    connects.push_back({Handle{next_slot_, ++generation_}, local, {}, 0xffff, token});
    ++next_slot_;
    return connects.back().handle;
  }
  Packet* allocate() override { return room-- > 0 ? pool_.allocate() : nullptr; }
  bool send(Handle handle, Packet* packet, Nanos now) override {
    uint8_t* bytes = packet->data + packet->payload;
    uint32_t counter;
    std::memcpy(&counter, bytes, 4);
    const uint8_t level = bytes[5] == 1 ? 0 : 1;  // a request is high
    sent.push_back({handle, counter, level, now, packet->payload_length});
    pool_.release(packet);
    return alive;
  }
  void prefetch(uint32_t) const override {}
  void release(Handle, Packet* packet, uint16_t length, Nanos) override {
    released += length;
    pool_.release(packet);
  }
  void close(Handle handle, Nanos) override { closes.push_back(handle); }
  void abort(Handle handle, Nanos) override { aborts.push_back(handle); }
  uint32_t in_transit() const override { return transit; }

  Packet* received(const std::string& bytes) {
    Packet* packet = pool_.allocate();
    packet->data = PacketRegion::payload_start(packet);
    std::memcpy(packet->data, bytes.data(), bytes.size());
    return packet;
  }
  uint32_t free() const { return pool_.available(); }

  std::vector<Opened> connects;
  std::vector<Endpoint> locals;
  std::vector<Sent> sent;
  std::vector<Handle> closes, aborts;
  int room = 1 << 30;
  uint32_t slots_left = 1 << 30, released = 0, transit = 0;
  bool alive = true;

 private:
  HeapRegion region_;
  HeapPool pool_;
  uint32_t next_slot_ = 0, generation_ = 0;
};

std::string reply(uint32_t counter, const char* status = "200") {
  char digits[9];
  std::snprintf(digits, sizeof(digits), "%08x", counter);
  std::string text = std::string("HTTP/1") + '\x03' + "1 " + status + " ";
  text.resize(126, 'x');
  text += digits;
  text.resize(146, '\0');
  return text;
}

EngineConfig config(uint32_t connections) {
  EngineConfig out;
  out.connections = connections;
  out.slots = 2 * connections;  // the fake network uses none twice
  out.first_address = 0x0a000002;
  out.addresses = 2;
  out.pending_max = 64;
  out.connector.connecting_first = 1024;
  return out;
}

struct Bench {
  explicit Bench(const EngineConfig& settings) : net(256), engine(settings, net) {}

  void open_all() {
    engine.connect(0);
    engine.step(0);
    for (const Opened& event : net.connects) engine.opened(event);
    engine.step(1);
  }
  void run(ArrivalKind kind, uint64_t rate_or_burst, Nanos duration, Nanos start) {
    Plan plan;
    plan.kind = kind;
    plan.rate = rate_or_burst;
    plan.burst = plan.window = static_cast<uint32_t>(rate_or_burst);
    plan.duration = duration;
    engine.run(plan, start, start);
  }
  /// All connections open, and so many messages sent at once; the run is over a second later.
  void send_wave(uint32_t messages) {
    open_all();
    run(ArrivalKind::wave, messages, kSecond, 0);
    engine.step(0);
  }
  void answer(Handle handle, const std::string& bytes, Nanos now) {
    engine.begin_turn(now);
    Message message;
    message.handle = handle;
    message.packet = net.received(bytes);
    message.length = static_cast<uint16_t>(bytes.size());
    engine.message(message);
  }
  LevelCounts counts(uint8_t level) { return engine.level(level).counts; }

  FakeNetwork net;
  Engine engine;
};

}  // namespace

TEST_CASE("the clock is read once a turn, at its first event; at each where a turn looks between its events; else not at all") {
  static Nanos time;
  const Clock clock = [] { return ++time; };
  ArrivalClock polled(clock, false), read(clock, true), still(nullptr, true);
  time = 100;
  for (ArrivalClock* arrival : {&polled, &read, &still}) arrival->begin_turn(90);
  CHECK(time == 100);
  CHECK(polled.at_event() == 101);
  CHECK(polled.at_event() == 101);
  CHECK(read.at_event() == 102);
  CHECK(read.at_event() == 103);
  CHECK(still.at_event() == 90);
  polled.begin_turn(104);
  time = 104;
  CHECK(polled.at_event() == 105);
}

TEST_CASE("connections open in equal batches, one a second, and all of them open") {
  EngineConfig settings = config(7);
  settings.connector.batches = 3;
  Bench bench(settings);
  bench.engine.connect(0);
  bench.engine.step(0);
  CHECK(bench.net.connects.size() == 2);
  bench.engine.step(kSecond);
  CHECK(bench.net.connects.size() == 4);
  bench.engine.step(2 * kSecond);
  CHECK(bench.net.connects.size() == 7);
  CHECK(bench.engine.phase() == Phase::connecting);
  for (const Opened& event : bench.net.connects) bench.engine.opened(event);
  bench.engine.step(3 * kSecond);
  CHECK(bench.engine.phase() == Phase::ready);
  CHECK(bench.engine.view().connected == 7);
}

TEST_CASE("never more than connecting_max opens are under way") {
  EngineConfig settings = config(10);
  settings.connector.connecting_max = 3;
  Bench bench(settings);
  bench.engine.connect(0);
  for (int i = 0; i < 5; ++i) bench.engine.step(i);
  CHECK(bench.net.connects.size() == 3);
  bench.engine.opened(bench.net.connects[0]);
  bench.engine.step(6);
  CHECK(bench.net.connects.size() == 4);
}

TEST_CASE("opens begin with a few and grow with the connections that stand") {
  EngineConfig settings = config(40);
  settings.connector.connecting_first = 2;
  Bench bench(settings);
  bench.engine.connect(0);
  bench.engine.step(0);
  CHECK(bench.net.connects.size() == 2);
  bench.engine.opened(bench.net.connects[0]);
  bench.engine.opened(bench.net.connects[1]);
  bench.engine.step(1);
  CHECK(bench.net.connects.size() == 6);
}

TEST_CASE("each connection has its own local address and port") {
  Bench bench(config(5));
  bench.open_all();
  for (size_t i = 0; i < 5; ++i) {
    for (size_t j = 0; j < i; ++j) CHECK_FALSE(bench.net.locals[i] == bench.net.locals[j]);
  }
}

TEST_CASE("a refused open is tried again after a rest, from another port, and counted") {
  Bench bench(config(1));
  bench.engine.connect(0);
  bench.engine.step(0);
  bench.engine.begin_turn(kSecond);
  bench.engine.closed(bench.net.connects[0].handle, CloseReason::refused);
  bench.engine.step(kSecond);
  CHECK(bench.net.connects.size() == 1);
  bench.engine.step(2 * kSecond);
  REQUIRE(bench.net.connects.size() == 2);
  CHECK_FALSE(bench.net.locals[0] == bench.net.locals[1]);
  bench.engine.opened(bench.net.connects[1]);
  bench.engine.step(2 * kSecond + 1);
  CHECK(bench.engine.phase() == Phase::ready);
  CHECK(bench.engine.view().retries == 1);
  CHECK(bench.engine.view().reconnects == 0);
}

TEST_CASE("latency counts from the intended time, not from the time of the send") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 1, kSecond, 1000);
  bench.engine.step(51'000);  // the generator is 50 us late
  REQUIRE(bench.net.sent.size() == 1);
  bench.answer(bench.net.sent[0].handle, reply(1), 101'000);
  bench.engine.step(101'000);
  CHECK(bench.counts(0).answered == 1);
  CHECK(bench.engine.level(0).latency.max() == 100'000);
  CHECK(bench.net.released == 146);
}

TEST_CASE("each level knows how late its last send was, and its longest time without an answer, of this run alone") {
  EngineConfig settings = config(1);
  settings.answered_all = true;
  Bench bench(settings);
  bench.open_all();
  bench.run(ArrivalKind::paced, 3, kSecond, 1000);
  for (uint32_t counter : {1u, 2u, 3u}) {
    const Nanos sent = 1000 + (counter - 1) * (kSecond / 3) + counter * 10'000;  // each 10 us later than the one before
    bench.engine.step(sent);
    REQUIRE(bench.net.sent.size() == counter);
    bench.answer(bench.net.sent[0].handle, reply(counter), sent + 5'000);
    bench.engine.step(sent + 5'000);
  }
  CHECK(bench.engine.level(0).extremes.send_delay / 1000 == 30);  // a third of a second is no whole number
  CHECK(bench.engine.level(0).extremes.silence / 1000 == 333'343);
  CHECK(bench.engine.level(1).extremes.silence == 0);
  bench.engine.step(kSecond + 2000);
  REQUIRE(bench.engine.phase() == Phase::ready);
  bench.run(ArrivalKind::paced, 1, kSecond, 5 * kSecond);
  CHECK(bench.engine.level(0).extremes.send_delay == 0);
}

TEST_CASE("a silence ends with the load: what is answered behind it makes none longer") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 2, kSecond, 1000);
  bench.engine.step(1000);
  bench.answer(bench.net.sent[0].handle, reply(1), 101'000);
  bench.engine.step(101'000);
  bench.engine.step(1000 + kSecond / 2);
  REQUIRE(bench.net.sent.size() == 2);
  bench.engine.step(1000 + kSecond);
  REQUIRE(bench.engine.phase() == Phase::draining);
  bench.answer(bench.net.sent[1].handle, reply(2), 3 * kSecond);
  bench.engine.step(3 * kSecond);
  CHECK(bench.counts(0).answered == 2);
  CHECK(bench.engine.level(0).extremes.silence == kSecond - 100'000);
}

TEST_CASE("messages leave in the order of the schedule, also those that waited for room: priorities are the server's") {
  EngineConfig settings = config(40);
  settings.shares = {0.3, 0.7};
  Bench bench(settings);
  bench.open_all();
  bench.net.room = 25;
  bench.run(ArrivalKind::wave, 40, kSecond, 10);
  bench.engine.step(20);
  CHECK(bench.net.sent.size() == 25);
  CHECK(bench.engine.next_deadline() == 0);
  bench.net.room = 1 << 30;
  bench.engine.step(30);
  REQUIRE(bench.net.sent.size() == 40);
  const auto high_behind_low = [&bench](size_t from, size_t to) {
    for (size_t i = from + 1; i < to; ++i) {
      if (bench.net.sent[i].level == 0 && bench.net.sent[i - 1].level == 1) return true;
    }
    return false;
  };
  CHECK(high_behind_low(0, 25));
  CHECK(high_behind_low(25, 40));
}

TEST_CASE("replies of one connection may come in another order") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 3, kSecond, 0);
  bench.engine.step(kSecond);
  REQUIRE(bench.net.sent.size() == 3);
  Handle handle = bench.net.sent[0].handle;
  for (uint32_t counter : {2u, 3u, 1u}) bench.answer(handle, reply(counter), kSecond);
  bench.engine.step(kSecond);
  CHECK(bench.counts(0).answered == 3);
  CHECK(bench.engine.view().mismatched == 0);
  CHECK(bench.engine.phase() == Phase::ready);
}

TEST_CASE("a doubled reply and one with a counter that was never sent are mismatched") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 2, 2 * kSecond, 0);
  bench.engine.step(10);
  Handle handle = bench.net.sent[0].handle;
  bench.answer(handle, reply(1), 20);
  bench.answer(handle, reply(1), 20);
  bench.answer(handle, reply(77), 20);
  bench.engine.step(kSecond + 10);  // publishes
  CHECK(bench.counts(0).answered == 1);
  CHECK(bench.engine.view().mismatched == 2);
}

TEST_CASE("replies that a segment splits or joins are matched") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 4, kSecond, 0);
  bench.engine.step(kSecond);
  Handle handle = bench.net.sent[0].handle;
  std::string stream = reply(1) + reply(2) + reply(3) + reply(4);
  SUBCASE("one byte at a time") {
    for (char byte : stream) {
      bench.answer(handle, std::string(1, byte), kSecond);
      bench.engine.step(kSecond);
    }
  }
  SUBCASE("in pieces of 200") {
    for (size_t at = 0; at < stream.size(); at += 200) bench.answer(handle, stream.substr(at, 200), kSecond);
    bench.engine.step(kSecond);
  }
  SUBCASE("all at once") {
    bench.answer(handle, stream, kSecond);
    bench.engine.step(kSecond);
  }
  CHECK(bench.counts(0).answered == 4);
  CHECK(bench.engine.view().mismatched == 0);
}

TEST_CASE("error replies are errors, neither answered nor lost") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 1, kSecond, 0);
  bench.engine.step(10);
  bench.answer(bench.net.sent[0].handle, reply(1, "503"), 20);
  bench.engine.step(kSecond);
  CHECK(bench.counts(0).errors == 1);
  CHECK(bench.counts(0).answered == 0);
  CHECK(bench.engine.level(0).latency.count() == 0);
  CHECK(bench.engine.phase() == Phase::ready);
}

TEST_CASE("bytes that are no reply end the connection, which is opened again") {
  Bench bench(config(1));
  bench.open_all();
  Handle handle = bench.net.connects[0].handle;
  bench.answer(handle, "SSH-2.0", 100);
  bench.engine.step(100);
  REQUIRE(bench.net.aborts.size() == 1);
  bench.engine.closed(handle, CloseReason::aborted);
  bench.engine.step(2 * kSecond);
  CHECK(bench.net.connects.size() == 2);
  CHECK(bench.engine.view().reconnects == 1);
  CHECK(bench.engine.view().mismatched == 1);
}

TEST_CASE("what a lost connection had in flight is lost, and due messages fail until it is open again") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 2, 2 * kSecond, 0);
  bench.engine.step(0);
  bench.engine.closed(bench.net.connects[0].handle, CloseReason::reset);
  bench.engine.step(kSecond / 2);
  CHECK(bench.counts(0).failed == 1);
  CHECK(bench.engine.view().in_flight == 0);
  bench.engine.step(kSecond);
  REQUIRE(bench.net.connects.size() == 2);
  bench.engine.opened(bench.net.connects[1]);
  bench.engine.step(kSecond + 1);
  CHECK(bench.net.sent.size() == 1);  // the one due at 1 s failed, the connection was still opening
  bench.engine.step(2 * kSecond);
  CHECK(bench.net.sent.size() == 2);
  LevelCounts counts = bench.counts(0);
  CHECK(counts.offered == 4);
  CHECK(counts.sent + counts.failed == 4);
}

TEST_CASE("the drain ends with the last answer, or 5 s after it, or after the run") {
  Bench bench(config(2));
  bench.send_wave(2);
  bench.answer(bench.net.sent[0].handle, reply(1), 10);
  bench.engine.step(kSecond);
  CHECK(bench.engine.phase() == Phase::draining);
  bench.engine.step(6 * kSecond - 1);
  CHECK(bench.engine.phase() == Phase::draining);
  bench.engine.step(6 * kSecond);
  CHECK(bench.engine.phase() == Phase::ready);
  LevelCounts counts = bench.counts(0);
  CHECK(counts.sent - counts.answered - counts.errors == 1);
}

TEST_CASE("as long as answers come the drain goes on, up to two minutes") {
  Bench bench(config(31));
  bench.send_wave(31);
  REQUIRE(bench.net.sent.size() == 31);
  for (uint32_t i = 0; i < 30; ++i) {
    const Nanos at = (i + 1) * 4 * kSecond;
    bench.answer(bench.net.sent[i].handle, reply(1), at);
    bench.engine.step(at);
    CHECK(bench.engine.phase() == Phase::draining);
  }
  bench.engine.step(121 * kSecond);
  CHECK(bench.engine.phase() == Phase::ready);
}

TEST_CASE("as long as something is in transit the drain goes on, and 5 s behind it") {
  Bench bench(config(2));
  bench.send_wave(2);
  bench.net.transit = 1;
  for (uint32_t second = 0; second <= 40; ++second) bench.engine.step(second * kSecond);
  CHECK(bench.engine.phase() == Phase::draining);
  bench.net.transit = 0;
  bench.engine.step(45 * kSecond - 1);
  CHECK(bench.engine.phase() == Phase::draining);
  bench.engine.step(45 * kSecond);
  CHECK(bench.engine.phase() == Phase::ready);
}

TEST_CASE("a reply to a message of an earlier run is late, not mismatched, and takes nothing from the new run") {
  Bench bench(config(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 1, kSecond, 0);
  bench.engine.step(0);
  bench.engine.step(6 * kSecond);
  REQUIRE(bench.engine.phase() == Phase::ready);
  bench.run(ArrivalKind::paced, 1, kSecond, 7 * kSecond);
  bench.engine.step(7 * kSecond);
  REQUIRE(bench.net.sent.size() == 2);
  bench.answer(bench.net.sent[0].handle, reply(1), 7 * kSecond + 5);
  bench.answer(bench.net.sent[0].handle, reply(2), 7 * kSecond + 9);
  bench.engine.step(8 * kSecond);
  CHECK(bench.engine.view().late == 1);
  CHECK(bench.engine.view().mismatched == 0);
  CHECK(bench.counts(0).answered == 1);
  CHECK(bench.engine.level(0).latency.max() == 9);
}

TEST_CASE("heartbeats wait for no reply unless all are answered") {
  EngineConfig settings = config(1);
  settings.shares = {0, 1.0};
  SUBCASE("requests only") {
    Bench bench(settings);
    bench.open_all();
    bench.run(ArrivalKind::paced, 1, kSecond, 0);
    bench.engine.step(0);
    CHECK(bench.engine.view().in_flight == 0);
    bench.answer(bench.net.sent[0].handle, reply(1), 5);
    bench.engine.step(kSecond);
    CHECK(bench.engine.phase() == Phase::ready);
    CHECK(bench.engine.view().unexpected == 1);
    CHECK(bench.engine.view().mismatched == 0);
  }
  SUBCASE("all") {
    settings.answered_all = true;
    Bench bench(settings);
    bench.open_all();
    bench.run(ArrivalKind::paced, 1, kSecond, 0);
    bench.engine.step(0);
    bench.answer(bench.net.sent[0].handle, reply(1), 5);
    bench.engine.step(kSecond);
    CHECK(bench.counts(1).answered == 1);
  }
}

TEST_CASE("a full pool makes arrivals wait with their intended times; what never left is unsent") {
  EngineConfig settings = config(4);
  settings.pending_max = 4;
  Bench bench(settings);
  bench.open_all();
  bench.run(ArrivalKind::paced, 100, kSecond, 0);
  bench.engine.step(kSecond);
  CHECK(bench.net.sent.size() == 4);
  bench.answer(bench.net.sent[0].handle, reply(bench.net.sent[0].counter), kSecond);
  bench.engine.step(kSecond);
  CHECK(bench.net.sent.size() == 5);
  bench.engine.step(6 * kSecond);
  CHECK(bench.engine.phase() == Phase::ready);
  LevelCounts counts = bench.counts(0);
  CHECK(counts.offered == 100);
  CHECK(counts.sent == 5);
  CHECK(counts.unsent == 95);
}

TEST_CASE("closing finishes every connection and opens none again") {
  Bench bench(config(3));
  bench.open_all();
  bench.engine.close(10);
  bench.engine.step(20);
  REQUIRE(bench.net.closes.size() == 3);
  for (const Opened& event : bench.net.connects) bench.engine.closed(event.handle, CloseReason::finished);
  bench.engine.step(30);
  CHECK(bench.engine.phase() == Phase::closed);
  bench.engine.step(5 * kSecond);
  CHECK(bench.net.connects.size() == 3);
  CHECK(bench.engine.view().connected == 0);
  CHECK(bench.net.free() == 256);
}

TEST_CASE("connections that do not close in time are aborted") {
  Bench bench(config(2));
  bench.open_all();
  bench.engine.close(10);
  bench.engine.step(20);
  bench.engine.step(10 + 10 * kSecond);
  CHECK(bench.engine.phase() == Phase::closed);
  CHECK(bench.net.aborts.size() == 2);
}

TEST_CASE("a peer that ends its side is answered by a close") {
  Bench bench(config(1));
  bench.open_all();
  bench.engine.ended(bench.net.connects[0].handle);
  bench.engine.step(10);
  CHECK(bench.net.closes.size() == 1);
}

TEST_CASE("events of handles that are not ours change nothing") {
  Bench bench(config(1));
  bench.open_all();
  bench.answer(Handle{99, 5}, reply(1), 10);
  bench.engine.closed(Handle{0, 77}, CloseReason::reset);
  bench.engine.step(10);
  CHECK(bench.engine.phase() == Phase::ready);
  CHECK(bench.net.free() == 256);
}

TEST_CASE("as many levels as there are shares, each with counts of its own") {
  EngineConfig settings = config(60);
  settings.shares = {0.2, 0.3, 0.5};
  settings.answered_all = true;
  Bench bench(settings);
  bench.send_wave(60);
  CHECK(bench.engine.view().level_count == 3);
  uint64_t sent = 0;
  for (uint8_t level = 0; level < 3; ++level) {
    CHECK(bench.counts(level).sent > 0);
    sent += bench.counts(level).sent;
  }
  CHECK(sent == 60);
  CHECK(bench.counts(3).offered == 0);
}

namespace {

EngineConfig fixed_replies(uint32_t connections) {
  EngineConfig settings = config(connections);
  settings.reply.kind = ReplyKind::fixed;
  settings.reply.length = 4;
  settings.answered_all = true;
  return settings;
}

}  // namespace

TEST_CASE("replies without a counter answer the messages of a connection in order") {
  Bench bench(fixed_replies(1));
  bench.open_all();
  bench.run(ArrivalKind::paced, 3, kSecond, 0);
  bench.engine.step(kSecond);
  REQUIRE(bench.net.sent.size() == 3);
  const Handle handle = bench.net.sent[0].handle;
  bench.answer(handle, "aaaabb", kSecond);
  bench.answer(handle, "bbcccc", kSecond);
  bench.engine.step(kSecond);
  CHECK(bench.counts(0).answered == 3);
  CHECK(bench.engine.phase() == Phase::ready);
  bench.answer(handle, "dddd", kSecond);
  bench.engine.step(2 * kSecond);
  CHECK(bench.engine.view().mismatched == 1);
}

TEST_CASE("a connection that is owed a reply when its run is over begins again: the reply would be taken for another's") {
  Bench bench(fixed_replies(2));
  bench.send_wave(2);
  bench.answer(bench.net.sent[0].handle, "aaaa", 10);
  bench.engine.step(6 * kSecond);
  REQUIRE(bench.engine.phase() == Phase::ready);
  bench.engine.step(6 * kSecond);
  REQUIRE(bench.net.aborts.size() == 1);
  CHECK(bench.net.aborts[0] == bench.net.sent[1].handle);
}

TEST_CASE("an echo is told by the counter of its template, and has the length of its message") {
  EngineConfig settings = config(1);
  settings.shares = {0.5, 0.5};
  settings.level_per_message = true;
  settings.answered_all = true;
  settings.reply.kind = ReplyKind::echo;
  settings.messages.resize(2);
  for (size_t level = 0; level < 2; ++level) {
    settings.messages[level].bytes.assign(level == 0 ? 20 : 40, 'm');
    settings.messages[level].counter_at = 0;
  }
  Bench bench(settings);
  bench.open_all();
  bench.run(ArrivalKind::paced, 20, kSecond, 0);
  bench.engine.step(kSecond);
  REQUIRE(bench.net.sent.size() == 20);
  std::string stream;
  for (const Sent& sent : bench.net.sent) {
    stream += std::string(reinterpret_cast<const char*>(&sent.counter), 4) + std::string(sent.length - 4, 'm');
  }
  for (size_t at = 0; at < stream.size(); at += 33) bench.answer(bench.net.sent[0].handle, stream.substr(at, 33), kSecond);
  bench.engine.step(kSecond);
  CHECK(bench.counts(0).answered + bench.counts(1).answered == 20);
  CHECK(bench.counts(0).answered > 0);
  CHECK(bench.counts(1).answered > 0);
  CHECK(bench.engine.view().mismatched == 0);
}

TEST_CASE("a replay's messages have the lengths of its trace") {
  Bench bench(config(1));
  bench.open_all();
  Plan plan;
  plan.kind = ArrivalKind::replay;
  plan.duration = 30;
  plan.trace = std::make_shared<const Trace>(Trace{{0, 10, 20}, 30, {10, 500, 12}, {}});
  bench.engine.run(plan, 100, 100);
  bench.engine.step(200);
  REQUIRE(bench.net.sent.size() == 3);
  CHECK(bench.net.sent[0].length == 10);
  CHECK(bench.net.sent[1].length == 500);
  CHECK(bench.net.sent[2].length == 12);
}

TEST_CASE("a connection that has had its messages is closed when all are answered, and opened anew at once") {
  EngineConfig settings = config(1);
  settings.reconnect_after = 3;
  Bench bench(settings);
  bench.open_all();
  bench.run(ArrivalKind::paced, 8, kSecond, 0);
  bench.engine.step(300'000'000);  // messages 1 to 3
  REQUIRE(bench.net.sent.size() == 3);
  const Handle first = bench.net.sent[0].handle;
  bench.answer(first, reply(1) + reply(3), 300'000'000);
  bench.engine.step(300'000'000);
  CHECK(bench.net.closes.empty());
  bench.answer(first, reply(2), 310'000'000);
  bench.engine.step(310'000'000);
  REQUIRE(bench.net.closes.size() == 1);
  bench.engine.step(380'000'000);  // the fourth is due while it is being closed
  CHECK(bench.counts(0).failed == 1);
  bench.engine.closed(first, CloseReason::finished);
  bench.engine.step(390'000'000);
  REQUIRE(bench.net.connects.size() == 2);
  CHECK_FALSE(bench.net.locals[0] == bench.net.locals[1]);
  bench.engine.opened(bench.net.connects[1]);
  bench.engine.step(880'000'000);  // 5 to 8
  CHECK(bench.net.sent.size() == 6);
  CHECK(bench.counts(0).failed == 2);  // one more behind the third of its messages
  bench.engine.step(kSecond + 1);
  CHECK(bench.engine.view().renewals == 1);
  CHECK(bench.engine.view().reconnects == 0);
}
