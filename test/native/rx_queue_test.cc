#include "native/stack/rx_queue.hh"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/wire/tcp.hh"

using namespace qstack;

namespace {

struct Source {
  HeapRegion region{4096};
  HeapPool pool{region.region(), 0, 4096};
  uint32_t arrival = 0;

  Packet* segment(uint8_t level, uint16_t payload, uint8_t flags = kAck) {
    Packet* const packet = pool.allocate();
    packet->l4 = 34;
    packet->payload_length = payload;
    packet->length = static_cast<uint16_t>(54 + payload);
    packet->data[packet->l4 + kTcpFlagsAt] = flags;
    packet->level = level;
    packet->arrival = arrival++;
    return packet;
  }
};

std::vector<uint32_t> arrivals(RxQueue& queue, uint32_t n) {
  std::vector<Packet*> packets(n);
  packets.resize(queue.take(packets.data(), n));
  std::vector<uint32_t> numbers;
  for (const Packet* packet : packets) numbers.push_back(packet->arrival);
  return numbers;
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

TEST_CASE("a lower level is passed over kPasses times at most") {
  Source source;
  RxQueue queue(2);
  queue.push(source.segment(1, 100));
  uint32_t batches = 0;
  for (bool seen = false; !seen; ++batches) {
    REQUIRE(batches <= RxQueue::kPasses + 1);
    while (queue.size() < 100) queue.push(source.segment(0, 100));
    Packet* packets[64];
    const uint32_t n = queue.take(packets, 64);
    for (uint32_t i = 0; i < n; ++i) {
      seen = seen || packets[i]->level == 1;
      source.pool.release(packets[i]);
    }
  }
  CHECK(batches > RxQueue::kPasses);
}

TEST_CASE("a segment that comes before an earlier arrival says so, the others do not") {
  Source source;
  RxQueue queue(2);
  queue.push(source.segment(0, 100));  // 0
  queue.push(source.segment(1, 100));  // 1
  queue.push(source.segment(0, 100));  // 2
  queue.push(source.segment(1, 100));  // 3
  Packet* packets[4];
  REQUIRE(queue.take(packets, 2) == 2);
  CHECK(packets[0]->arrival == 0);
  CHECK((packets[0]->tx_flags & kRxOvertakes) == 0);
  CHECK(packets[1]->arrival == 2);
  CHECK((packets[1]->tx_flags & kRxOvertakes) != 0);
  REQUIRE(queue.take(packets, 4) == 2);
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
