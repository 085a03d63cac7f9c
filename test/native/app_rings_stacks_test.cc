// AppRings of two stacks in one arena: records number slots and packets through both, and each stack has its own.
#include <doctest/doctest.h>

#include <algorithm>

#include "test/native/app_rings_bench.hh"

using namespace qstack;
using namespace qstack::rings_test;

namespace {

/// Two stacks with 8 slots, 16 RX and 64 TX packets each; two apps.
struct Pair {
  std::shared_ptr<PacketArena> memory = std::make_shared<PacketArena>(Bench::config(2, 2, 16, 64, 2));
  Bench first{memory, 0};
  Bench second{memory, 1};
};

}  // namespace

TEST_CASE("stacks: the header says what each has, and each has a line of its own") {
  Pair pair;
  const abi::ArenaHeader& h = pair.memory->header();
  CHECK(h.stacks == 2);
  CHECK(h.connections == 16);
  CHECK(h.slots_per_stack == 8);
  CHECK(h.packets == 160);
  CHECK(h.rx_packets == 32);
  CHECK(h.rx_packets_per_stack == 16);
  CHECK(h.tx_packets_per_stack == 64);
  pair.second.now += 640;
  pair.second.turn();
  CHECK(pair.memory->stack_line(0).stamp == to_stamp(kNow));
  CHECK(pair.memory->stack_line(0).turns == 1);
  CHECK(pair.memory->stack_line(1).stamp == to_stamp(kNow) + 10);
  CHECK(pair.memory->stack_line(1).turns == 2);
}

TEST_CASE("stacks: no two rings share a byte, and all lie before the packets") {
  Pair pair;
  struct Extent {
    uint64_t begin, end;
  };
  std::vector<Extent> extents;
  for (const abi::RingEntry& entry : pair.memory->plan().rings) {
    if (entry.header_at == 0) continue;
    extents.push_back({entry.header_at, entry.header_at + sizeof(abi::RingHeader)});
    extents.push_back({entry.records_at, entry.records_at + uint64_t{entry.capacity} * entry.record_bytes});
  }
  CHECK(extents.size() == 2 * 2 * 2 * (2 + 2 + 1 + 1));  // stacks, apps, header and records, rings
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  CHECK(extents.front().begin >= abi::kHeaderBytes);
  CHECK(extents.back().end <= pair.memory->plan().region_at);
  for (size_t i = 1; i < extents.size(); ++i) CHECK(extents[i - 1].end <= extents[i].begin);
}

TEST_CASE("stacks: the directory goes by stacks, then by apps") {
  Pair pair;
  const auto* const directory =
      reinterpret_cast<const abi::RingEntry*>(pair.memory->base() + abi::kRingDirectoryAt);
  for (uint32_t stack = 0; stack < 2; ++stack) {
    for (uint32_t app = 0; app < 2; ++app) {
      const abi::RingEntry& entry = directory[(stack * 2 + app) * abi::kRingsPerApp + abi::kRingRelease];
      const auto* const header = pair.memory->ring<abi::ReleaseRecord>(stack, app, abi::kRingRelease).header;
      CHECK(pair.memory->base() + entry.header_at == reinterpret_cast<const uint8_t*>(header));
      CHECK(entry.record_bytes == sizeof(abi::ReleaseRecord));
    }
  }
}

TEST_CASE("stacks: more of them, or of rings, than the header page describes are refused with a sentence") {
  CHECK_THROWS_WITH_AS(plan_arena(Bench::config(1, 1, 16, 16, 17)), doctest::Contains("stack threads: 1 to 16"),
                       std::length_error);
  CHECK_THROWS_WITH_AS(plan_arena(Bench::config(17, 1, 16, 16, 16)), doctest::Contains("at most 256"), std::length_error);
  CHECK_NOTHROW(plan_arena(Bench::config(16, 1, 16, 16, 16)));
}

TEST_CASE("stacks: an event of the second names its slot behind those of the first, and its own packet") {
  Pair pair;
  pair.second.open(2);
  Packet* const packet = pair.second.receive(2, 20, 1);
  pair.second.turn();
  abi::EventRecord record;
  REQUIRE(pair.second.ends[0].next(0, record));
  CHECK(record.slot == 8 + 2);
  REQUIRE(pair.second.ends[0].next(1, record));
  CHECK(record.slot == 8 + 2);
  CHECK(record.packet == packet->index);
  CHECK(record.packet >= 16);
  CHECK(record.packet < 32);
  CHECK(pair.memory->base() + record.offset == packet->data + 4);
  CHECK_FALSE(pair.first.ends[0].next(0, record));
}

TEST_CASE("stacks: what an app asks of a slot reaches the stack as that stack numbers it") {
  Pair pair;
  pair.second.open(3);
  const uint32_t index = pair.second.ends[0].take_empty();
  CHECK(index >= 32 + 64);
  pair.second.ends[0].put(0, send_record(abi::SendType::send, {8 + 3, 1}, index));
  pair.second.ends[0].put(1, send_record(abi::SendType::close, {8 + 3, 1}));
  pair.second.turn();
  REQUIRE(pair.second.stack->sent.size() == 1);
  CHECK(pair.second.stack->sent[0].handle == Handle{3, 1});
  REQUIRE(pair.second.stack->calls.size() == 1);
  CHECK(pair.second.stack->calls[0].handle == Handle{3, 1});
  CHECK(pair.second.rings->bad_records() + pair.second.stale() == 0);
}

TEST_CASE("stacks: a record for another stack's connection is stale, and its packet is kept") {
  Pair pair;
  pair.first.open(3);
  pair.second.open(3);
  Bench* bench = nullptr;
  Handle handle;
  SUBCASE("at the first stack") {
    bench = &pair.first;
    handle = {8 + 3, 1};
  }
  SUBCASE("at the second stack") {
    bench = &pair.second;
    handle = {3, 1};
  }
  bench->ends[0].put(0, send_record(abi::SendType::send, handle, bench->ends[0].take_empty()));
  bench->ends[0].put(1, send_record(abi::SendType::close, handle));
  bench->turn();
  CHECK(bench->stack->sent.empty());
  CHECK(bench->stack->calls.empty());
  CHECK(bench->stale() == 2);
  CHECK(bench->tx->available() + bench->rings->tx_with_apps() == 64);
}

TEST_CASE("stacks: another stack's packet is refused, whoever it is with") {
  Pair pair;
  pair.first.open(1);
  pair.second.open(1);
  Packet* const received = pair.first.receive(1, 10, 0);
  const uint32_t empty = pair.first.ends[0].take_empty();
  CHECK(received->owner == PacketOwner::app0);
  pair.second.ends[0].give_back({received->index, 8 + 1, 1, 10});
  pair.second.ends[0].put(0, send_record(abi::SendType::send, {8 + 1, 1}, empty));
  pair.second.turn();
  CHECK(pair.second.rings->bad_records() == 2);
  CHECK(pair.second.stack->released == 0);
  CHECK(received->owner == PacketOwner::app0);
  pair.first.ends[0].give_back({received->index, 1, 1, 10});
  pair.first.turn();
  CHECK(pair.first.stack->released == 1);
}

TEST_CASE("stacks: IPv6 addresses lie in the arena by the slot that records name") {
  Pair pair;
  const IpAddress local{0xfd00'0000'0000'0000, 1}, remote{0xfd00'0000'0000'0000, 2};
  REQUIRE(pair.second.rings->opened({.handle = {3, 9}, .local = {local, 80}, .remote = {remote, 5000}}));
  CHECK(pair.memory->addresses(8 + 3).generation == 9);
  CHECK(pair.memory->addresses(3).generation == 0);
  CHECK(load_ipv6(reinterpret_cast<const uint8_t*>(&pair.memory->addresses(8 + 3).remote_0)) == remote);
}

TEST_CASE("stacks: the failure of an active open names no slot, whichever stack it is told by") {
  Pair pair;
  const uint16_t framing = pair.second.rings->add_framing({});
  abi::SendRecord record = send_record(abi::SendType::connect, {0x0a000009, 80}, framing);
  record.cookie = 42;
  pair.second.ends[0].put(0, record);
  pair.second.turn();
  abi::EventRecord event;
  REQUIRE(pair.second.ends[0].next(1, event));
  CHECK(event.slot == kNoIndex);
  CHECK(event.token_low == 42);
}

TEST_CASE("stacks: each takes back its own packets and connections of a lost app, and leaves those of the others") {
  Pair pair;
  for (Bench* const bench : {&pair.first, &pair.second}) {
    bench->open(0);
    bench->receive(0, 10, 0);
    bench->turn();
  }
  pair.memory->line(0).quiet_levels = 3;
  CHECK(pair.second.rings->reclaim(*pair.second.stack, 0, kNow) == 1);
  CHECK(pair.second.rx->available() == 16);
  CHECK(pair.second.tx->available() == 48);
  CHECK(pair.memory->line(0).quiet_levels == 3);
  CHECK(pair.first.rx->available() == 15);
  CHECK(pair.first.tx->available() == 32);
  CHECK(pair.first.rings->reclaim(*pair.first.stack, 0, kNow) == 1);
  CHECK(pair.first.stack->calls[0].handle == Handle{0, 1});
  CHECK(pair.first.rx->available() == 16);
  CHECK(pair.first.tx->available() == 48);
  CHECK(pair.memory->line(0).quiet_levels == 0);
}
