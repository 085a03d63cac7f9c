#include "native/stack/rx_queue.hh"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/wire/tcp.hh"

using namespace qstack;

namespace {

struct Source {
  HeapRegion region{4096};
  HeapPool pool{region.region(), 0, 4096};
  uint32_t arrival = 0;
  Stamp now = 0;

  Packet* segment(uint8_t level, uint16_t payload, uint8_t flags = kAck) {
    Packet* const packet = pool.allocate();
    packet->l4 = 34;
    packet->payload_length = payload;
    packet->length = static_cast<uint16_t>(54 + payload);
    packet->data[packet->l4 + kTcpFlagsAt] = flags;
    packet->level = level;
    packet->arrival = arrival++;
    packet->rx_stamp = now;
    return packet;
  }
};

std::vector<uint32_t> arrivals(RxQueue& queue, uint32_t n) {
  std::vector<Packet*> packets(n);
  packets.resize(queue.take(packets.data(), n, 0));
  std::vector<uint32_t> numbers;
  for (const Packet* packet : packets) numbers.push_back(packet->arrival);
  return numbers;
}

/// A batch; returns how many of `low` were in it.
uint32_t take_round(Source& source, RxQueue& queue, uint8_t low) {
  Packet* packets[64];
  const uint32_t n = queue.take(packets, 64, source.now);
  uint32_t lows = 0;
  for (uint32_t i = 0; i < n; ++i) {
    lows += packets[i]->level == low;
    source.pool.release(packets[i]);
  }
  return lows;
}

/// The same while level 0 always has a whole batch.
uint32_t serve_round(Source& source, RxQueue& queue, uint8_t low) {
  for (int i = 0; i < 64; ++i) queue.push(source.segment(0, 100));
  return take_round(source, queue, low);
}

}  // namespace

TEST_CASE("control goes first, then the levels from the highest, SYNs after level 0, each in order") {
  Source source;
  RxQueue queue(3);
  queue.push(source.segment(2, 100));
  queue.push(source.segment(1, 100));
  queue.push(source.segment(0, 0, kSyn));
  queue.push(source.segment(0, 100));
  queue.push(source.segment(1, 0));
  queue.push(source.segment(0, 100));
  queue.push(source.segment(2, 100));
  CHECK(arrivals(queue, 64) == std::vector<uint32_t>{4, 3, 5, 2, 1, 0, 6});
  CHECK(queue.size() == 0);
}

TEST_CASE("beside other work a turn takes a bounded number of SYNs; without it all there is time for") {
  Source source;
  RxQueue queue(2);
  Packet* packets[64];
  const auto syns_of_turn = [&] {
    uint32_t syns = 0;
    for (uint32_t batch = 0; batch < 8; ++batch) {
      const uint32_t n = queue.take(packets, 64, source.now);
      for (uint32_t i = 0; i < n; ++i) {
        syns += packets[i]->payload_length == 0;
        source.pool.release(packets[i]);
      }
    }
    return syns;
  };
  for (int i = 0; i < 1'000; ++i) CHECK(queue.push(source.segment(0, 0, kSyn)));
  for (int i = 0; i < 500; ++i) queue.push(source.segment(1, 100));
  queue.begin_turn();
  CHECK(syns_of_turn() == RxQueue::kSynsPerTurn);
  queue.begin_turn();
  CHECK(syns_of_turn() > RxQueue::kSynsPerTurn + 256);
}

TEST_CASE("SYNs that wait are bounded, and nothing else is") {
  Source source;
  RxQueue queue(2, {}, 100);
  for (uint32_t i = 0; i < 100; ++i) CHECK(queue.push(source.segment(0, 0, kSyn)));
  Packet* const one_more = source.segment(0, 0, kSyn);
  CHECK_FALSE(queue.push(one_more));
  CHECK(queue.push(source.segment(1, 100)));
  CHECK(queue.size() == 101);
  Packet* taken;
  CHECK(queue.take(&taken, 1, source.now) == 1);
  CHECK(queue.push(one_more));
}

TEST_CASE("urgent are control and level 0, until they are taken") {
  Source source;
  RxQueue queue(3);
  queue.push(source.segment(0, 0));
  queue.push(source.segment(1, 100));
  queue.push(source.segment(0, 0, kSyn));
  queue.push(source.segment(0, 100));
  queue.push(source.segment(0, 100));
  CHECK(queue.urgent() == 3);
  CHECK(arrivals(queue, 2) == std::vector<uint32_t>{3, 4});  // of a batch of two none is left for control
  CHECK(queue.urgent() == 1);
  arrivals(queue, 64);
  CHECK(queue.urgent() == 0);
}

TEST_CASE("SYNs that wait keep no FIN back, and mark no data as overtaking") {
  Source source;
  RxQueue queue(2);
  for (int i = 0; i < 300; ++i) queue.push(source.segment(0, 0, kSyn));
  queue.push(source.segment(1, 100));
  queue.push(source.segment(1, 0, kAck | kFin));
  Packet* packets[256];
  REQUIRE(queue.take(packets, 256, source.now) == 256);
  CHECK(packets[128]->payload_length == 100);
  CHECK((packets[128]->tx_flags & kRxOvertakes) == 0);
  CHECK(packets[129]->arrival == 301);
}

TEST_CASE("FIN and RST overtake no data of their connection, whatever its level") {
  Source source;
  for (const uint32_t levels : {1u, 2u, 8u}) {
    RxQueue queue(levels);
    queue.push(source.segment(static_cast<uint8_t>(levels - 1), 100));
    queue.push(source.segment(0, 0, kFin | kAck));
    queue.push(source.segment(0, 0, kRst));
    const auto order = arrivals(queue, 64);
    CHECK(order == std::vector<uint32_t>{order[0], order[0] + 1, order[0] + 2});
  }
}

TEST_CASE("pure ACKs take a quarter of a batch while others wait, and all of it when alone") {
  Source source;
  RxQueue queue(2);
  for (int i = 0; i < 64; ++i) queue.push(source.segment(0, 0));
  for (int i = 0; i < 64; ++i) queue.push(source.segment(1, 100));
  const auto first = arrivals(queue, 64);
  CHECK(std::count_if(first.begin(), first.end(), [](uint32_t arrival) { return arrival < 64; }) == 16);
  CHECK(arrivals(queue, 16).size() == 16);
  CHECK(arrivals(queue, 64).size() == 48);
}

TEST_CASE("strict: a lower level that has waited for the bound gets a quantum, also where stamps wrap") {
  Source source;
  PolicyConfig policy;
  const Stamp start = 0u - policy.bound / 2;
  source.now = start;
  RxQueue queue(2, policy);
  for (uint32_t i = 0; i < 3 * RxQueue::kQuantum; ++i) queue.push(source.segment(1, 100));
  std::vector<Stamp> times;
  for (; source.now - start < 5 * policy.bound / 2; source.now += policy.bound / 20) {
    const uint32_t lows = serve_round(source, queue, 1);
    if (lows == 0) continue;
    CHECK(lows == RxQueue::kQuantum);
    times.push_back(source.now - start);
  }
  CHECK(times == std::vector<Stamp>{policy.bound, 2 * policy.bound});
}

TEST_CASE("weighted: segments of levels that always wait reach TCP by their weights") {
  Source source;
  PolicyConfig policy;
  policy.kind = PolicyKind::weighted;
  policy.weights = {3, 1};
  RxQueue queue(2, policy);
  for (uint32_t i = 0; i < 256; ++i) queue.push(source.segment(i % 2, 100));
  uint32_t all = 0;
  for (int round = 0; round < 1'000; ++round) {
    const uint32_t lows = take_round(source, queue, 1);
    for (uint32_t i = 0; i < 64; ++i) queue.push(source.segment(i < lows, 100));
    all += lows;
  }
  CHECK(std::abs(all / 64'000.0 - 0.25) < 0.01);
}

TEST_CASE("another policy takes over with the next batch, and what waits is kept") {
  Source source;
  RxQueue queue(2);
  for (int i = 0; i < 3; ++i) queue.push(source.segment(1, 100));
  for (int i = 0; i < 3; ++i) queue.push(source.segment(0, 100));
  queue.push(source.segment(0, 0, kSyn));
  CHECK(arrivals(queue, 1) == std::vector<uint32_t>{3});
  PolicyConfig deadline;
  deadline.kind = PolicyKind::deadline;
  deadline.budgets = {1'000, 10};
  queue.schedule(deadline);
  CHECK(arrivals(queue, 2) == std::vector<uint32_t>{0, 1});
  queue.schedule({});
  CHECK(arrivals(queue, 64) == std::vector<uint32_t>{4, 5, 6, 2});
  CHECK(queue.size() == 0);
}

TEST_CASE("deadline: the segment that is due first reaches TCP first") {
  Source source;
  PolicyConfig policy;
  policy.kind = PolicyKind::deadline;
  policy.budgets = {10, 30};
  RxQueue queue(2, policy);
  source.now = 0xfffffff0;
  queue.push(source.segment(1, 100));  // 0, due at 14
  source.now = 3;
  queue.push(source.segment(0, 100));  // 1, due at 13
  source.now = 5;
  queue.push(source.segment(0, 0, kSyn));  // 2, due at 15
  CHECK(arrivals(queue, 1) == std::vector<uint32_t>{1});
  CHECK(arrivals(queue, 1) == std::vector<uint32_t>{0});
  CHECK(arrivals(queue, 1) == std::vector<uint32_t>{2});
}

TEST_CASE("a FIN whose level goes first waits for data that arrived earlier, whatever the policy says") {
  Source source;
  PolicyConfig policy;
  policy.kind = PolicyKind::deadline;
  policy.budgets = {1'000, 1};
  RxQueue queue(2, policy);
  queue.push(source.segment(0, 100));             // 0
  queue.push(source.segment(0, 0, kFin | kAck));  // 1
  queue.push(source.segment(0, 100));             // 2
  CHECK(arrivals(queue, 1) == std::vector<uint32_t>{0});
  CHECK(arrivals(queue, 1) == std::vector<uint32_t>{1});
  CHECK(arrivals(queue, 1) == std::vector<uint32_t>{2});
}

TEST_CASE("a segment that comes before an earlier arrival says so, the others do not") {
  Source source;
  RxQueue queue(2);
  queue.push(source.segment(0, 100));  // 0
  queue.push(source.segment(1, 100));  // 1
  queue.push(source.segment(0, 100));  // 2
  queue.push(source.segment(1, 100));  // 3
  Packet* packets[4];
  REQUIRE(queue.take(packets, 2, 0) == 2);
  CHECK(packets[0]->arrival == 0);
  CHECK((packets[0]->tx_flags & kRxOvertakes) == 0);
  CHECK(packets[1]->arrival == 2);
  CHECK((packets[1]->tx_flags & kRxOvertakes) != 0);
  REQUIRE(queue.take(packets, 4, 0) == 2);
  for (int i = 0; i < 2; ++i) CHECK((packets[i]->tx_flags & kRxOvertakes) == 0);
}

TEST_CASE("a header that is cut off is nobody's flags") {
  Source source;
  RxQueue queue(2);
  Packet* const packet = source.segment(0, 0, kSyn);
  packet->length = 40;
  queue.push(packet);
  queue.push(source.segment(0, 0));
  CHECK(arrivals(queue, 2) == std::vector<uint32_t>{0, 1});
}
