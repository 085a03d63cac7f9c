// AppRings against a stack that only notes what it is asked: records out, records in, every check, and the end of an
// app.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "test/native/app_rings_bench.hh"

using namespace qstack;
using namespace qstack::rings_test;

namespace {

/// With as many packets as a turn takes records, and more.
ArenaConfig wide_config(uint32_t levels) {
  ArenaConfig config = Bench::config(1, levels, 16, 4'096);
  config.empty_records = 4'096;
  return config;
}

PolicyConfig weighted_policy(std::initializer_list<double> weights) {
  PolicyConfig policy;
  policy.kind = PolicyKind::weighted;
  std::copy(weights.begin(), weights.end(), policy.weights.begin());
  return policy;
}

PolicyConfig deadline_policy(std::initializer_list<uint32_t> budgets_ms) {
  PolicyConfig policy;
  policy.kind = PolicyKind::deadline;
  std::transform(budgets_ms.begin(), budgets_ms.end(), policy.budgets.begin(),
                 [](uint32_t ms) { return to_stamp(ms * Nanos{1'000'000}); });
  return policy;
}

}  // namespace

TEST_CASE("the header page says where everything is") {
  Bench bench(2, 3);
  const abi::ArenaHeader& h = bench.arena.header();
  CHECK(h.magic == abi::kArenaMagic);
  CHECK(h.levels == 3);
  CHECK(h.apps == 2);
  CHECK(h.rx_packets == 16);
  CHECK(h.packets == 80);
  CHECK(bench.arena.base() + h.region_at + 5 * h.stride + h.payload_at ==
        PacketRegion::payload_start(bench.arena.region().at(5)));
  CHECK(h.stacks == 1);
  CHECK(h.slots_per_stack == 8);
  CHECK(h.rx_packets_per_stack == 16);
  CHECK(h.tx_packets_per_stack == 64);
  CHECK(bench.arena.stack_line(0).stamp == to_stamp(kNow));
  CHECK(bench.arena.stack_line(0).turns == 1);
}

TEST_CASE("an arena of 4 GiB or more is refused with a sentence") {
  ArenaConfig config = Bench::config(1, 1, 16, 16);
  config.region_bytes = uint64_t{4} << 30;
  CHECK_THROWS_WITH_AS(plan_arena(config), doctest::Contains("the limit is 4095 MiB"), std::length_error);
}

TEST_CASE("a message travels in the ring of its level, with its bytes' place in the arena") {
  Bench bench;
  bench.open(2);
  Packet* const packet = bench.receive(2, 20, 1);
  bench.turn();
  abi::EventRecord record;
  CHECK(bench.ends[0].next(0, record));
  CHECK(record.type == static_cast<uint8_t>(abi::EventType::opened));
  CHECK(record.local_port == 80);
  CHECK_FALSE(bench.ends[0].next(0, record));
  CHECK(bench.ends[0].next(1, record));
  CHECK(record.type == static_cast<uint8_t>(abi::EventType::message));
  CHECK(bench.arena.base() + record.offset == packet->data + 4);
  CHECK(record.length == 20);
  CHECK(record.packet == packet->index);
  CHECK(record.listener == 3);
  CHECK(record.rx_stamp == 77);
  CHECK(packet->owner == PacketOwner::app0);
}

TEST_CASE("how long an app is behind is the age of its oldest event of that level when newer ones come") {
  Bench bench;
  bench.open(2);
  bench.receive(2, 20, 1);
  CHECK(bench.rings->waited(2, 1) == 0);
  bench.turn();
  bench.now += 50'000'000;
  bench.turn();
  bench.receive(2, 20, 1);
  CHECK(bench.rings->waited(2, 1) == to_stamp(50'000'000));
  CHECK(bench.rings->waited(2, 0) == 0);
  CHECK(bench.rings->waited(3, 1) == 0);  // nobody's
  abi::EventRecord record;
  while (bench.ends[0].next(1, record)) {
  }
  bench.turn();
  while (bench.ends[0].next(1, record)) {
  }
  bench.receive(2, 20, 1);
  CHECK(bench.rings->waited(2, 1) == 0);
}

TEST_CASE("an app that claims to have taken what is not published yet is not behind") {
  Bench bench;
  bench.open(2);
  bench.turn();
  abi::RingHeader& header = *bench.arena.ring<abi::EventRecord>(0, 0, abi::kRingEvent + 1).header;
  store_release(header.head, load_acquire(header.tail) + 1);
  bench.receive(2, 20, 1);
  CHECK(bench.rings->waited(2, 1) == 0);
}

TEST_CASE("each message of a packet is one reference and needs one release record") {
  Bench bench;
  bench.open(0);
  Packet* const packet = bench.receive(0, 10, 0);
  packet->owner = PacketOwner::stack;
  bench.rx->hold(packet);
  CHECK(bench.rings->message({.handle = {0, 1}, .remote = {}, .packet = packet, .offset = 14, .length = 10}));
  CHECK(bench.rings->rx_with_apps() == 2);
  for (int i = 0; i < 2; ++i) bench.ends[0].give_back({packet->index, 0, 1, 10});
  bench.turn();
  CHECK(bench.stack->released == 2);
  CHECK(bench.rx->available() == 16);
  bench.ends[0].give_back({packet->index, 0, 1, 10});
  bench.turn();
  CHECK(bench.stack->released == 2);
  CHECK(bench.rings->bad_records() == 1);
}

TEST_CASE("a level whose packets are with apps up to its budget is refused, the others are not; a packet counts once") {
  ArenaConfig config = Bench::config(1, 2, 16, 64);
  config.rx_budgets[1] = 3;
  Bench bench(config);
  bench.open(0);
  std::vector<Packet*> held;
  for (int i = 0; i < 3; ++i) held.push_back(bench.receive(0, 10, 1));
  bench.rx->hold(held[0]);
  CHECK(bench.rings->message({.handle = {0, 1}, .remote = {}, .packet = held[0], .offset = 14, .length = 10, .level = 1}));
  CHECK(bench.rings->rx_with_apps(1) == 3);
  CHECK_FALSE(bench.rings->has_budget(1));
  Packet* const fourth = bench.rx->allocate();
  CHECK_FALSE(bench.rings->message({.handle = {0, 1}, .remote = {}, .packet = fourth, .offset = 4, .length = 10, .level = 1}));
  CHECK(bench.rings->has_budget(0));
  bench.receive(0, 10, 0);
  bench.ends[0].give_back({held[1]->index, 0, 1, 10});
  bench.turn();
  CHECK(bench.rings->has_budget(1));
  CHECK(bench.rings->message({.handle = {0, 1}, .remote = {}, .packet = fourth, .offset = 4, .length = 10, .level = 1}));
  bench.rings->reclaim(*bench.stack, 0, kNow);
  CHECK(bench.rings->rx_with_apps(0) == 0);
  CHECK(bench.rings->rx_with_apps(1) == 0);
  CHECK(bench.rx->available() == 16);
}

TEST_CASE("a full event ring refuses, and takes the event again when the app has drained it") {
  Bench bench;
  for (int i = 0; i < 16; ++i) bench.open(1);
  CHECK_FALSE(bench.rings->opened({.handle = {2, 1}, .local = {}, .remote = {}}));
  bench.turn();
  abi::EventRecord record;
  CHECK(bench.ends[0].next(0, record));
  CHECK(bench.rings->opened({.handle = {2, 1}, .local = {}, .remote = {}}));
}

TEST_CASE("empty buffers reach the app, come back as a send, and are topped up") {
  Bench bench;
  bench.open(1);
  CHECK(bench.rings->tx_with_apps() == 16);
  const uint32_t index = bench.ends[0].take_empty();
  Packet* const packet = bench.arena.region().at(index);
  CHECK(packet->owner == PacketOwner::app0);
  std::memcpy(PacketRegion::payload_start(packet) + 2, "hello", 5);
  abi::SendRecord record = send_record(abi::SendType::send, {1, 1}, index, 5);
  record.offset = 2;
  record.level = 1;
  record.rx_stamp = 123;
  record.flags = static_cast<uint16_t>(abi::SendFlag::more);
  bench.ends[0].put(1, record);
  CHECK(bench.turn() == 1);
  REQUIRE(bench.stack->sent.size() == 1);
  CHECK(bench.stack->sent[0].packet == packet);
  CHECK_FALSE(bench.stack->sent[0].message_end);
  CHECK(std::memcmp(packet->data + packet->payload, "hello", 5) == 0);
  CHECK(packet->payload_length == 5);
  CHECK(packet->level == 1);
  CHECK(packet->rx_stamp == 123);
  CHECK(packet->owner == PacketOwner::stack);
  CHECK(bench.rings->tx_with_apps() == 16);
}

TEST_CASE("a send that fails a check sends nothing and loses no buffer") {
  Bench bench(2);
  bench.open(0);
  bench.open(1);
  const uint32_t mine = bench.ends[0].take_empty(), foreign = bench.ends[1].take_empty();
  const Handle handle{0, 1};
  SUBCASE("packet beyond the region") { bench.ends[0].put(0, send_record(abi::SendType::send, handle, 80)); }
  SUBCASE("packet of the RX pool") { bench.ends[0].put(0, send_record(abi::SendType::send, handle, 3)); }
  SUBCASE("packet of another app") { bench.ends[0].put(0, send_record(abi::SendType::send, handle, foreign)); }
  SUBCASE("packet of nobody") { bench.ends[0].put(0, send_record(abi::SendType::send, handle, 79)); }
  SUBCASE("no bytes") { bench.ends[0].put(0, send_record(abi::SendType::send, handle, mine, 0)); }
  SUBCASE("beyond the room") { bench.ends[0].put(0, send_record(abi::SendType::send, handle, mine, kRoom + 1)); }
  SUBCASE("offset beyond the room") {
    abi::SendRecord record = send_record(abi::SendType::send, handle, mine, 10);
    record.offset = 0xffff;
    bench.ends[0].put(0, record);
  }
  SUBCASE("level that does not exist") {
    abi::SendRecord record = send_record(abi::SendType::send, handle, mine);
    record.level = 2;
    bench.ends[0].put(0, record);
  }
  SUBCASE("unknown type") { bench.ends[0].put(0, send_record(static_cast<abi::SendType>(9), handle, mine)); }
  bench.turn();
  CHECK(bench.stack->sent.empty());
  CHECK(bench.rings->bad_records() == 1);
  CHECK(bench.tx->available() + bench.rings->tx_with_apps() == 64);
}

TEST_CASE("a record for another app's connection, or for one that is gone, is stale") {
  Bench bench(2);
  bench.open(0);
  bench.open(1);
  const uint32_t index = bench.ends[0].take_empty();
  SUBCASE("send to another app's connection") { bench.ends[0].put(0, send_record(abi::SendType::send, {1, 1}, index)); }
  SUBCASE("send to an old generation") { bench.ends[0].put(0, send_record(abi::SendType::send, {0, 9}, index)); }
  SUBCASE("send to no slot") { bench.ends[0].put(0, send_record(abi::SendType::send, {4'000'000, 1}, index)); }
  SUBCASE("close of another app's connection") { bench.ends[0].put(0, send_record(abi::SendType::close, {1, 1})); }
  SUBCASE("abort of an old generation") { bench.ends[0].put(0, send_record(abi::SendType::abort, {0, 9})); }
  bench.turn();
  CHECK(bench.stack->sent.empty());
  CHECK(bench.stack->calls.empty());
  CHECK(bench.stale() == 1);
}

TEST_CASE("sends published before a close are executed before it, whatever their level") {
  Bench bench;
  bench.open(0);
  const uint32_t first = bench.ends[0].take_empty();
  bench.ends[0].put(0, send_record(abi::SendType::send, {0, 1}, first));
  bench.ends[0].put(1, send_record(abi::SendType::close, {0, 1}));
  bench.turn();
  CHECK(bench.stack->sent.size() == 1);
  REQUIRE(bench.stack->calls.size() == 1);
  CHECK(std::string(bench.stack->calls[0].name) == "close");
}

TEST_CASE("strict: sends go by level, but what has waited for the starvation bound gets a quantum first") {
  Bench bench(wide_config(2));
  bench.now = 10 * kSecond;
  bench.open(0);
  for (int i = 0; i < 100; ++i) bench.put_send(1, {0, 1}, 10, 21'000'000);
  for (int i = 0; i < 100; ++i) bench.put_send(0, {0, 1}, 10, 30'000'000);
  bench.turn();
  const uint32_t quantum = AppRings::kSendQuantum;
  CHECK(bench.order() == std::string(quantum, '1') + std::string(100, '0') + std::string(100 - quantum, '1'));
}

TEST_CASE("strict: a reply waits since the message that it answers came") {
  Bench bench(wide_config(2));
  bench.now = 10 * kSecond;
  bench.open(0);
  abi::SendRecord reply = send_record(abi::SendType::send, {0, 1}, bench.ends[0].take_empty(), 10);
  reply.level = 1;
  reply.send_stamp = to_stamp(bench.now);
  reply.rx_stamp = to_stamp(bench.now - 21'000'000);
  bench.ends[0].put(1, reply);
  bench.put_send(0, {0, 1}, 10);
  bench.turn();
  CHECK(bench.order() == "10");
}

TEST_CASE("weighted: while all levels have sends each gets its share of the bytes") {
  Bench bench(wide_config(3), weighted_policy({4, 2, 1}));
  bench.open(0);
  for (int i = 0; i < 600; ++i) {
    for (uint32_t level = 0; level < 3; ++level) bench.put_send(level, {0, 1}, level == 2 ? 700 : 1'400);
  }
  bench.turn();
  double bytes[3] = {};
  for (const FakeStack::Sent& one : bench.stack->sent) bytes[one.packet->level] += one.packet->payload_length;
  CHECK(bench.stack->sent.size() == AppRings::kRecordsPerTurn);
  const double all = bytes[0] + bytes[1] + bytes[2];
  CHECK(bytes[0] / all == doctest::Approx(4.0 / 7).epsilon(0.1));
  CHECK(bytes[2] / all == doctest::Approx(1.0 / 7).epsilon(0.2));
}

TEST_CASE("deadline: sends that are due first go first") {
  Bench bench(wide_config(2), deadline_policy({50, 5}));
  bench.now = 10 * kSecond;
  bench.open(0);
  for (int i = 0; i < 4; ++i) bench.put_send(0, {0, 1}, 10);
  for (int i = 0; i < 4; ++i) bench.put_send(1, {0, 1}, 10);
  bench.turn();
  CHECK(bench.order() == "11110000");
}

TEST_CASE("another policy takes over with the next turn, for what waits already and for an app that comes back") {
  Bench bench(wide_config(2));
  bench.now = 10 * kSecond;
  bench.open(0);
  const auto put = [&bench] {
    for (int i = 0; i < 4; ++i) bench.put_send(0, {0, 1}, 10);
    for (int i = 0; i < 4; ++i) bench.put_send(1, {0, 1}, 10);
  };
  put();
  bench.rings->schedule(deadline_policy({50, 5}));
  bench.turn();
  CHECK(bench.order() == "11110000");
  bench.rings->reclaim(*bench.stack, 0, bench.now);
  bench.rings->attach(0, -1);
  bench.ends.clear();
  bench.ends.emplace_back(bench.arena, 0);
  bench.turn();
  bench.open(0);
  put();
  bench.turn();
  CHECK(bench.order() == "1111000011110000");
}

TEST_CASE("an active open to an IPv6 address, which has no stamp, is due at once") {
  Bench bench(wide_config(2), deadline_policy({50, 5}));
  bench.now = 10 * kSecond;
  bench.open(0);
  abi::SendRecord record = send_record(abi::SendType::connect_ipv6, {5, 80u | 4000u << 16}, bench.rings->add_framing({}));
  record.send_stamp = to_stamp(bench.now) + (1u << 29);  // a part of the address
  bench.ends[0].put(0, record);
  for (uint32_t i = 0; i < AppRings::kRecordsPerTurn; ++i) bench.put_send(1, {0, 1}, 10, 10'000'000);
  bench.turn();
  CHECK(bench.stack->connected.size() == 1);
}

TEST_CASE("whatever the policy is, a close waits for sends that were published before it, and its ring with it") {
  Bench bench(wide_config(3), deadline_policy({60'000, 50'000, 1}));
  bench.open(0);
  bench.open(1);
  for (int i = 0; i < 20; ++i) bench.put_send(0, {0, 1}, 10);
  bench.put_send(1, {0, 1}, 10);
  bench.put_send(2, {1, 1}, 10);
  bench.ends[0].put(2, send_record(abi::SendType::close, {0, 1}));
  bench.put_send(2, {1, 1}, 10);
  bench.stack->full = 0;
  bench.turn();
  CHECK(bench.order() == "21");
  CHECK(bench.stack->calls.empty());
  bench.put_send(0, {1, 1}, 10);
  bench.stack->full = kNoIndex;
  bench.turn();
  REQUIRE(bench.stack->calls.size() == 1);
  CHECK(bench.stack->calls[0].sends_before >= 22);
  CHECK(bench.stack->sent.size() == 24);
}

TEST_CASE("a higher level that never rests holds no close up for longer than what was there before it") {
  Bench bench(wide_config(2), weighted_policy({1, 1}));
  bench.open(0);
  for (int i = 0; i < 600; ++i) bench.put_send(0, {0, 1}, 1'400);
  uint32_t turns = 0;
  for (uint32_t closes = 0; closes < 3; ++turns) {
    REQUIRE(turns < 20);
    bench.ends[0].put(1, send_record(abi::SendType::close, {0, 1}));
    while (bench.rings->tx_with_apps() > 0 && bench.ends[0].sends[0].room() > 4096 - 600) bench.put_send(0, {0, 1}, 1'400);
    bench.turn();
    for (FakeStack::Sent& one : bench.stack->sent) bench.tx->release(one.packet);
    bench.stack->sent.clear();
    closes = static_cast<uint32_t>(bench.stack->calls.size());
  }
  CHECK(bench.ends[0].sends[0].size() > 0);
}

TEST_CASE("random policies: sends of a level stay in order, and no drain request comes before a send of its connection") {
  std::random_device device;
  const uint32_t seed = device();
  std::mt19937 engine(seed);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(engine() % n); };
  for (int run = 0; run < 200; ++run) {
    PolicyConfig policy;
    policy.kind = static_cast<PolicyKind>(below(3));
    policy.bound = below(2) * below(1'000);
    for (uint32_t level = 0; level < kLevelsMax; ++level) {
      policy.weights[level] = 1 + below(100);
      policy.budgets[level] = below(100'000);
    }
    const uint32_t levels = 1 + below(kLevelsMax);
    Bench bench(Bench::config(1, levels, 16, 256), policy);
    for (uint32_t slot = 0; slot < 4; ++slot) bench.open(slot);
    uint32_t sent[4] = {};
    std::vector<uint32_t> put[4], done[4];
    for (auto& one : put) one.assign(levels, 0);
    for (auto& one : done) one.assign(levels, 0);
    for (int round = 0; round < 60; ++round) {
      for (uint32_t n = below(12); n > 0; --n) {
        const uint32_t slot = below(4), level = below(levels);
        if (below(4) == 0) {
          bench.ends[0].put(levels - 1, send_record(abi::SendType::drain, {slot, 1}, sent[slot]));
          continue;
        }
        abi::SendRecord record = send_record(abi::SendType::send, {slot, 1}, bench.ends[0].take_empty());
        if (record.packet == kNoIndex) continue;
        record.level = static_cast<uint8_t>(level);
        record.rx_stamp = ++put[slot][level];
        record.send_stamp = to_stamp(bench.now) - below(10);
        bench.ends[0].put(level, record);
        ++sent[slot];
      }
      bench.stack->full = below(2) == 0 ? below(levels) : kNoIndex;
      bench.now += 64 * below(5'000);
      bench.turn();
      size_t next = 0;
      const auto take_until = [&](size_t end) {
        for (; next < end; ++next) {
          const FakeStack::Sent& one = bench.stack->sent[next];
          REQUIRE(one.packet->rx_stamp == ++done[one.handle.slot][one.packet->level]);
          bench.tx->release(one.packet);
        }
      };
      for (const FakeStack::Call& call : bench.stack->calls) {
        take_until(call.sends_before);
        const std::vector<uint32_t>& of = done[call.handle.slot];
        REQUIRE(std::accumulate(of.begin(), of.end(), 0u) >= call.low_water);
      }
      take_until(bench.stack->sent.size());
      bench.stack->sent.clear();
      bench.stack->calls.clear();
    }
  }
  MESSAGE("seed " << seed);
}

TEST_CASE("while the stack has no room for sends they wait in their rings, in order") {
  Bench bench;
  bench.open(0);
  bench.ends[0].put(0, send_record(abi::SendType::send, {0, 1}, bench.ends[0].take_empty()));
  bench.ends[0].put(1, send_record(abi::SendType::close, {0, 1}));
  bench.stack->ready = false;
  CHECK(bench.turn() == 0);
  CHECK(bench.stack->calls.empty());
  bench.stack->ready = true;
  CHECK(bench.turn() == 2);
  CHECK(bench.stack->sent.size() == 1);
  CHECK(bench.stack->calls.size() == 1);
}

TEST_CASE("an active open belongs to the app that asked, and its failure is told with its cookie") {
  Bench bench(2);
  const uint16_t framing = bench.rings->add_framing({});
  abi::SendRecord record = send_record(abi::SendType::connect, {0x0a000009, 80u | 4000u << 16}, framing);
  record.cookie = 42;
  abi::EventRecord event;
  SUBCASE("established") {
    bench.stack->next_connect = {5, 1};
    bench.ends[1].put(0, record);
    bench.turn();
    REQUIRE(bench.stack->connected.size() == 1);
    CHECK(bench.stack->connected[0].remote == Endpoint{0x0a000009, 80});
    CHECK(bench.stack->connected[0].local == Endpoint{{}, 4000});  // the stack chooses the address
    CHECK(bench.rings->opened({.handle = {5, 1}, .local = {}, .remote = {}, .listener = 0xffff, .token = 42}));
    bench.turn();
    CHECK(bench.ends[1].next(0, event));
    CHECK(event.token_low == 42);
  }
  SUBCASE("to an IPv6 address, in the words of slot, offset and length, and stamps") {
    const IpAddress to{0xfd00'0102'0304'0506, 0x0708'090a'0b0c'0d0e};
    uint8_t bytes[16];
    store_ipv6(bytes, to);
    uint32_t words[4];
    std::memcpy(words, bytes, sizeof(words));
    record.type = static_cast<uint8_t>(abi::SendType::connect_ipv6);
    record.slot = words[0];
    record.offset = static_cast<uint16_t>(words[1]);
    record.length = static_cast<uint16_t>(words[1] >> 16);
    record.rx_stamp = words[2];
    record.send_stamp = words[3];
    bench.ends[1].put(0, record);
    bench.turn();
    REQUIRE(bench.stack->connected.size() == 1);
    CHECK(bench.stack->connected[0].remote == Endpoint{to, 80});
  }
  SUBCASE("refused by the peer") {
    bench.stack->next_connect = {5, 1};
    bench.ends[1].put(0, record);
    bench.turn();
    CHECK(bench.rings->closed({5, 1}, CloseReason::refused));
    bench.turn();
    CHECK(bench.ends[1].next(1, event));
    CHECK(event.token_low == 42);
    CHECK(event.reason == static_cast<uint32_t>(abi::CloseCode::refused));
  }
  SUBCASE("of another stack") {
    bench.stack->other = 3;
    bench.stack->next_connect = {5, 1};
    bench.ends[1].put(0, record);
    bench.turn();
    CHECK(bench.stack->connected.empty());
    REQUIRE(bench.ends[1].next(1, event));
    CHECK(event.type == static_cast<uint8_t>(abi::EventType::closed));
    CHECK(event.slot == kNoIndex);
    CHECK(event.token_low == 42);
    CHECK(event.reason == static_cast<uint32_t>(abi::CloseCode::elsewhere));
    CHECK(event.length == 3);
  }
  SUBCASE("cannot begin") {
    bench.ends[1].put(0, record);
    bench.turn();
    CHECK(bench.ends[1].next(1, event));
    CHECK(event.slot == kNoIndex);
    CHECK(event.token_low == 42);
  }
}

TEST_CASE("an option record sets an option; a number or a value that no option takes is a bad record") {
  Bench bench;
  bench.open(0);
  const auto put = [&](uint32_t number, uint32_t value) {
    abi::SendRecord record = send_record(abi::SendType::option, {0, 1}, number);
    record.cookie = value;
    bench.ends[0].put(1, record);
    bench.turn();
  };
  put(static_cast<uint32_t>(TcpOption::ttl), 7);
  CHECK(bench.stack->options[TcpOption::ttl] == 7);
  CHECK(bench.rings->bad_records() == 0);
  put(static_cast<uint32_t>(TcpOption::ttl), 256);
  put(kTcpOptions, 1);
  put(256 + static_cast<uint32_t>(TcpOption::ttl), 1);
  CHECK(bench.stack->options[TcpOption::ttl] == 7);
  CHECK(bench.rings->bad_records() == 3);
}

TEST_CASE("an info record is answered in the place that it names, and again as soon as the ring has room") {
  Bench bench;
  bench.open(0);
  bench.turn();
  bench.stack->state.rtt_us = 1'234;
  bench.stack->options.set(TcpOption::dscp, 46);
  const auto ask = [&](uint32_t place, uint32_t cookie) {
    abi::SendRecord record = send_record(abi::SendType::info, {0, 1}, place);
    record.cookie = cookie;
    bench.ends[0].put(1, record);
    bench.turn();
  };
  ask(3, 42);
  abi::EventRecord event;
  REQUIRE(bench.ends[0].next(1, event));
  CHECK(event.type == static_cast<uint8_t>(abi::EventType::info));
  CHECK(event.cookie == 42);
  const uint8_t* const place = bench.arena.base() + event.offset;
  CHECK(place == bench.arena.info(0, 3));
  CHECK(event.length == sizeof(TcpInfo) + 4 * kTcpOptions);
  CHECK(reinterpret_cast<const TcpInfo*>(place)->rtt_us == 1'234);
  CHECK(reinterpret_cast<const uint32_t*>(place + sizeof(TcpInfo))[static_cast<size_t>(TcpOption::dscp)] == 46);
  ask(abi::kInfosPerApp, 43);
  CHECK(bench.rings->bad_records() == 1);
  while (bench.rings->drained({0, 1}, 9)) {
  }
  ask(0, 44);
  while (bench.ends[0].next(1, event)) CHECK(event.cookie == 9);
  bench.turn();
  bench.turn();
  REQUIRE(bench.ends[0].next(1, event));
  CHECK(event.cookie == 44);
}

TEST_CASE("an urgent pointer is told in the lowest ring; a full one refuses it, so that it is told later") {
  Bench bench;
  bench.open(0);
  bench.turn();
  CHECK(bench.rings->urgent({0, 1}));
  bench.turn();
  abi::EventRecord event;
  REQUIRE(bench.ends[0].next(1, event));
  CHECK(event.type == static_cast<uint8_t>(abi::EventType::urgent));
  CHECK(event.slot == 0);
  CHECK(event.generation == 1);
  while (bench.rings->drained({0, 1}, 9)) {
  }
  CHECK(!bench.rings->urgent({0, 1}));
}

TEST_CASE("IPv6 addresses lie in the arena by slot, with the generation that they belong to") {
  Bench bench;
  const IpAddress local{0xfd00'0000'0000'0000, 1}, remote{0xfd00'0000'0000'0000, 2};
  REQUIRE(bench.rings->opened({.handle = {3, 9}, .local = {local, 80}, .remote = {remote, 5000}}));
  bench.turn();
  abi::EventRecord event;
  REQUIRE(bench.ends[0].next(0, event));
  CHECK(event.remote_address == 0);
  CHECK(event.local_address == 0);
  CHECK(event.remote_port == 5000);
  const abi::AddressEntry& entry = bench.arena.addresses(3);
  CHECK(entry.generation == 9);
  CHECK(load_ipv6(reinterpret_cast<const uint8_t*>(&entry.remote_0)) == remote);
  CHECK(load_ipv6(reinterpret_cast<const uint8_t*>(&entry.local_0)) == local);
}

TEST_CASE("passive connections are spread over the apps, except over a lost one") {
  Bench bench(3);
  CHECK(bench.rings->reclaim(*bench.stack, 1, kNow) == 0);
  for (uint32_t slot = 0; slot < 4; ++slot) bench.open(slot);
  bench.turn();
  abi::EventRecord record;
  for (const uint32_t app : {0u, 2u}) {
    for (int i = 0; i < 2; ++i) CHECK(bench.ends[app].next(0, record));
  }
  CHECK_FALSE(bench.ends[1].next(0, record));
}

TEST_CASE("when an app is lost its connections are reset and every packet comes back") {
  Bench bench(2);
  bench.open(0);
  bench.open(1);
  bench.receive(0, 10, 0);
  bench.receive(1, 10, 0);
  bench.turn();
  const uint32_t index = bench.ends[0].take_empty();
  bench.ends[0].put(0, send_record(abi::SendType::send, {0, 1}, index));
  CHECK(bench.rings->reclaim(*bench.stack, 0, kNow) == 1);
  REQUIRE(bench.stack->calls.size() == 1);
  CHECK(bench.stack->calls[0].handle == Handle{0, 1});
  CHECK(bench.rx->available() == 15);
  CHECK(bench.rings->rx_with_apps() == 1);
  CHECK(bench.tx->available() == 48);
  bench.rings->attach(0, -1);
  bench.turn();
  CHECK(bench.rings->tx_with_apps() == 32);
  AppEnd again(bench.arena, 0);
  abi::EventRecord record;
  CHECK_FALSE(again.next(0, record));
  bench.open(4);
  bench.turn();
  CHECK(again.next(0, record));
  CHECK(record.slot == 4);
}

TEST_CASE("random records from an app end nothing and lose no packet") {
  std::random_device device;
  const uint32_t seed = device();
  std::mt19937 engine(seed);
  const auto random = [&] { return static_cast<uint32_t>(engine()); };
  Bench bench(1, 2, 16, 64);
  bench.open(0);
  for (int round = 0; round < 20'000; ++round) {
    abi::SendRecord send;
    for (size_t i = 0; i < sizeof(send) / 4; ++i)
      reinterpret_cast<uint32_t*>(&send)[i] = random() % 3 ? random() : random() % 90;
    send.type = static_cast<uint8_t>(random() % 11);
    bench.ends[0].put(random() % 2, send);
    bench.ends[0].give_back({random() % 90, random(), random(), random()});
    if (bench.rx->available() > 4) bench.receive(0, 10, random() % 2);
    bench.turn();
    for (FakeStack::Sent& sent : bench.stack->sent) bench.tx->release(sent.packet);
    bench.stack->sent.clear();
    bench.stack->calls.clear();
    bench.stack->connected.clear();
    bench.stack->app = nullptr;
    bench.ends[0].take_empty();
    abi::EventRecord record;
    while (bench.ends[0].next(0, record) || bench.ends[0].next(1, record)) {
    }
  }
  CHECK(bench.tx->available() + bench.rings->tx_with_apps() == 64);
  bench.rings->reclaim(*bench.stack, 0, kNow);
  CHECK(bench.rx->available() == 16);
  CHECK(bench.tx->available() == 64);
  MESSAGE("seed " << seed);
}

TEST_CASE("an app that sleeps is woken, and only then: no wake-up is lost") {
  constexpr uint32_t kEvents = 20'000;
  Bench bench;
  bench.open(0);
  bench.turn();
  const int fd = eventfd(0, EFD_NONBLOCK);
  bench.rings->attach(0, fd);
  uint32_t got = 0, sleeps = 0, lost = 0;
  std::thread sleeper([&] {
    AppEnd end(bench.arena, 0);
    abi::EventRecord record;
    end.next(0, record);
    while (got < kEvents) {
      end.events[1].refresh();
      while (end.events[1].take(record)) ++got;
      end.events[1].publish();
      store_relaxed(end.line.waiting, ++sleeps);
      full_fence();
      if (end.events[1].refresh() == 0 && got < kEvents) {
        pollfd waiter{fd, POLLIN, 0};
        if (poll(&waiter, 1, 5000) == 0) ++lost;
        uint64_t value;
        [[maybe_unused]] const ssize_t n = read(fd, &value, sizeof(value));
      }
      store_relaxed(end.line.waiting, 0u);
    }
  });
  for (uint32_t i = 0; i < kEvents;) {
    if (bench.rings->drained({0, 1}, i)) ++i;
    bench.turn();
    if (i % 16 == 0) std::this_thread::yield();
  }
  sleeper.join();
  close(fd);
  CHECK(got == kEvents);
  CHECK(lost == 0);
}
