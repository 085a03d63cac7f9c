#include "native/ip/tx_queue.hh"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"

using namespace qstack;

namespace {

struct Wire {
  HeapRegion region{256};
  HeapPool rx{region.region(), 0, 16};
  HeapPool tx{region.region(), 16, 240};
  PairPort port;
  explicit Wire(uint32_t capacity) : port(rx, tx, {2, 0, 0, 0, 0, 1}, capacity) {}

  Packet* frame(uint8_t mark, uint8_t level = 0, uint16_t length = 60) {
    Packet* const packet = tx.allocate();
    packet->length = length;
    packet->level = level;
    packet->data[0] = mark;
    return packet;
  }
};

}  // namespace

TEST_CASE("frames leave in the order in which they came, over the end of the circle as well") {
  Wire wire(64);
  TxQueue queue(8);
  uint8_t next = 0;
  uint8_t expected = 0;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 5; ++i) REQUIRE(queue.push(wire.frame(next++)));
    CHECK(queue.flush(wire.port, 0) == 5);
    while (auto frame = wire.port.take()) CHECK((*frame)[0] == expected++);
  }
  CHECK(expected == 50);
  CHECK(wire.tx.available() == wire.tx.capacity());
}

TEST_CASE("a full queue refuses and the frame stays the caller's") {
  Wire wire(64);
  TxQueue queue(4);
  for (uint8_t i = 0; i < 4; ++i) REQUIRE(queue.push(wire.frame(i)));
  CHECK(queue.room(0) == 0);
  Packet* const extra = wire.frame(9);
  CHECK_FALSE(queue.push(extra));
  CHECK(queue.size() == 4);
  wire.tx.release(extra);
  queue.flush(wire.port, 0);
  CHECK(queue.room(0) == 4);
}

TEST_CASE("a higher level leaves first, and neither fills the other's lane") {
  Wire wire(64);
  TxQueue queue(4, 2);
  const auto push = [&](uint8_t mark, uint8_t level) {
    Packet* const packet = wire.frame(mark);
    packet->level = level;
    return queue.push(packet);
  };
  for (uint8_t i = 0; i < 4; ++i) REQUIRE(push(i, 1));
  CHECK(queue.room(1) == 0);
  CHECK(queue.room(0) == 4);
  REQUIRE(push(100, 0));
  REQUIRE(push(101, 0));
  CHECK(queue.size() == 6);
  CHECK(queue.flush(wire.port, 0) == 6);
  for (const uint8_t mark : {100, 101, 0, 1, 2, 3}) CHECK((*wire.port.take())[0] == mark);
}

TEST_CASE("strict: a lower level gets its quantum once per bound, also where stamps wrap and the port was full") {
  Wire wire(1);
  PolicyConfig policy;
  TxQueue queue(8, 2, nullptr, policy);
  const Nanos bound = Nanos{policy.bound} << 6, start = (Nanos{1} << 38) - bound / 2;
  queue.begin_turn(start);
  for (int i = 0; i < 4; ++i) REQUIRE(queue.push(wire.frame(200, 1)));
  std::vector<Nanos> times;
  for (Nanos now = start; now < start + 5 * bound / 2; now += bound / 20) {
    queue.begin_turn(now);
    while (queue.room(0) > 0) REQUIRE(queue.push(wire.frame(1)));
    queue.flush(wire.port, now);
    if (now == start + bound - bound / 20) continue;  // full when the quantum falls due: it is not lost
    while (auto frame = wire.port.take()) {
      if ((*frame)[0] == 200) times.push_back(now - start);
    }
  }
  CHECK(times == std::vector<Nanos>{bound + bound / 20, 2 * bound + bound / 20});
}

TEST_CASE("weighted: levels share the port by bytes, not by frames") {
  Wire wire(16);
  PolicyConfig policy;
  policy.kind = PolicyKind::weighted;
  policy.weights = {1, 1};
  TxQueue queue(64, 2, nullptr, policy);
  uint64_t bytes[2] = {};
  for (int round = 0; round < 4'000; ++round) {
    while (queue.room(0) > 0) REQUIRE(queue.push(wire.frame(0, 0, 1'400)));
    while (queue.room(1) > 0) REQUIRE(queue.push(wire.frame(1, 1, 200)));
    queue.flush(wire.port, 0);
    while (auto frame = wire.port.take()) bytes[(*frame)[0]] += frame->size();
  }
  CHECK(std::abs(static_cast<double>(bytes[0]) / static_cast<double>(bytes[0] + bytes[1]) - 0.5) < 0.02);
}

TEST_CASE("deadline: the frame that is due first leaves first") {
  Wire wire(1);
  PolicyConfig policy;
  policy.kind = PolicyKind::deadline;
  policy.budgets = {10, 30};
  TxQueue queue(8, 2, nullptr, policy);
  const auto push_at = [&](Stamp stamp, uint8_t mark, uint8_t level) {
    queue.begin_turn(Nanos{stamp} << 6);
    REQUIRE(queue.push(wire.frame(mark, level)));
  };
  push_at(100, 1, 1);  // due at 130
  push_at(119, 2, 0);  // due at 129
  push_at(121, 3, 0);  // due at 131
  for (const uint8_t mark : {2, 1, 3}) {
    CHECK(queue.flush(wire.port, Nanos{125} << 6) == 1);
    CHECK((*wire.port.take())[0] == mark);
  }
}

TEST_CASE("another policy takes over with the next flush, and what waits is kept") {
  Wire wire(1);
  TxQueue queue(8, 2);
  for (const uint8_t mark : {10, 11}) REQUIRE(queue.push(wire.frame(mark, 1)));
  for (const uint8_t mark : {1, 2, 3}) REQUIRE(queue.push(wire.frame(mark, 0)));
  const auto next = [&] {
    CHECK(queue.flush(wire.port, 0) == 1);
    return (*wire.port.take())[0];
  };
  CHECK(next() == 1);
  PolicyConfig deadline;
  deadline.kind = PolicyKind::deadline;
  deadline.budgets = {1'000, 10};
  queue.schedule(deadline);
  CHECK(next() == 10);
  CHECK(next() == 11);
  REQUIRE(queue.push(wire.frame(12, 1)));
  queue.schedule({});
  for (const uint8_t mark : {2, 3, 12}) CHECK(next() == mark);
  CHECK(queue.size() == 0);
}

TEST_CASE("a FIN or RST that the policy lets go first waits for what came before it, and for nothing that came later") {
  Wire wire(256);
  PolicyConfig policy;
  SUBCASE("deadline") {
    policy.kind = PolicyKind::deadline;
    policy.budgets = {1'000'000, 1'000'000, 0};
  }
  SUBCASE("weighted") {
    policy.kind = PolicyKind::weighted;
    policy.weights = {0.001, 0.001, 1};
  }
  SUBCASE("strict, starved") { policy.bound = 1; }
  TxQueue queue(64, 3, nullptr, policy);
  const auto push_at = [&](Stamp stamp, uint8_t mark, uint8_t level, uint8_t flags = 0) {
    queue.begin_turn(Nanos{stamp} << 6);
    Packet* const packet = wire.frame(mark, level);
    packet->tx_flags = flags;
    REQUIRE(queue.push(packet));
  };
  push_at(1'000, 1, 2);
  for (uint8_t i = 0; i < 20; ++i) push_at(1'001, 2, 0);
  push_at(1'002, 3, 1);
  push_at(1'003, 100, 2, kTxCloses);
  push_at(1'004, 4, 2);
  for (uint8_t i = 0; i < 20; ++i) push_at(1'005, 5, 1);
  queue.begin_turn(Nanos{2'000} << 6);
  CHECK(queue.flush(wire.port, Nanos{2'000} << 6) == 44);
  std::vector<uint8_t> marks;
  while (auto frame = wire.port.take()) marks.push_back((*frame)[0]);
  const auto close = std::find(marks.begin(), marks.end(), 100);
  CHECK(std::count(marks.begin(), close, 1) == 1);
  CHECK(std::count(marks.begin(), close, 2) == 20);
  CHECK(std::count(marks.begin(), close, 3) == 1);
  CHECK(std::count(marks.begin(), close, 4) == 0);
  if (policy.kind == PolicyKind::deadline) CHECK(std::count(close, marks.end(), 5) > 0);
}

TEST_CASE("a FIN or RST that waits costs the port nothing, and the quantum of its level is not lost") {
  Wire wire(8);
  PolicyConfig policy;
  TxQueue queue(64, 2, nullptr, policy);
  const Nanos bound = Nanos{policy.bound} << 6, start = kSecond;
  queue.begin_turn(start);
  for (uint8_t i = 0; i < 12; ++i) REQUIRE(queue.push(wire.frame(1, 0)));
  Packet* const close = wire.frame(100, 1);
  close->tx_flags = kTxCloses;
  REQUIRE(queue.push(close));
  queue.begin_turn(start + 2 * bound);
  for (uint8_t i = 0; i < 20; ++i) REQUIRE(queue.push(wire.frame(2, 0)));
  CHECK(queue.flush(wire.port, start + 2 * bound) == 8);
  while (auto frame = wire.port.take()) CHECK((*frame)[0] == 1);
  CHECK(queue.flush(wire.port, start + 2 * bound) == 8);
  std::vector<uint8_t> marks;
  while (auto frame = wire.port.take()) marks.push_back((*frame)[0]);
  CHECK(std::count(marks.begin(), marks.end(), 1) == 4);
  CHECK(queue.flush(wire.port, start + 2 * bound) == 8);
  CHECK((*wire.port.take())[0] == 100);
}

TEST_CASE("a port that takes fewer leaves the rest queued, in order") {
  Wire wire(3);
  TxQueue queue(8);
  for (uint8_t i = 0; i < 5; ++i) REQUIRE(queue.push(wire.frame(i)));
  CHECK(queue.flush(wire.port, 0) == 3);
  CHECK(queue.size() == 2);
  CHECK(queue.flush(wire.port, 0) == 0);
  for (uint8_t i = 0; i < 3; ++i) CHECK((*wire.port.take())[0] == i);
  CHECK(queue.flush(wire.port, 0) == 2);
  CHECK((*wire.port.take())[0] == 3);
  CHECK((*wire.port.take())[0] == 4);
}

TEST_CASE("a frame is marked for as long as it waits, and the port never sees the mark") {
  Wire wire(2);
  TxQueue queue(8);
  std::vector<Packet*> packets;
  for (uint8_t i = 0; i < 4; ++i) {
    packets.push_back(wire.frame(i));
    wire.tx.hold(packets.back());
    REQUIRE(queue.push(packets.back()));
    CHECK((packets.back()->tx_flags & kTxQueued) != 0);
  }
  CHECK(queue.flush(wire.port, 0) == 2);
  for (size_t i = 0; i < 4; ++i) CHECK(((packets[i]->tx_flags & kTxQueued) != 0) == (i >= 2));
  while (wire.port.take()) {
  }
  CHECK(queue.flush(wire.port, 0) == 2);
  for (Packet* const packet : packets) {
    CHECK((packet->tx_flags & kTxQueued) == 0);
    wire.tx.release(packet);
  }
}

TEST_CASE("the first departure of a reply is timed when the port has taken it") {
  Wire wire(2);
  Sojourn sojourn;
  TxQueue queue(8, 2, &sojourn);
  const auto times = [&sojourn](Stage stage, uint32_t level) {
    const auto& cells = sojourn.of(static_cast<uint32_t>(stage), level);
    return std::accumulate(cells.begin(), cells.end(), uint64_t{0});
  };
  for (uint8_t i = 0; i < 3; ++i) {
    Packet* const reply = wire.frame(i);
    reply->level = 1;
    reply->rx_stamp = 10;
    reply->tcp_stamp = 14;
    reply->tx_count = 1;
    REQUIRE(queue.push(reply));
  }
  const Nanos now = Nanos{17} << 6;
  CHECK(queue.flush(wire.port, now) == 2);
  CHECK(times(Stage::tx, 1) == 2);
  CHECK(sojourn.of(static_cast<uint32_t>(Stage::tx), 1)[3] == 2);
  CHECK(sojourn.of(static_cast<uint32_t>(Stage::wire), 1)[7] == 2);
  while (wire.port.take()) {
  }
  CHECK(queue.flush(wire.port, now) == 1);
  CHECK(times(Stage::wire, 1) == 3);
  while (wire.port.take()) {
  }
  Packet* const again = wire.frame(9);  // a retransmission
  again->rx_stamp = 10;
  again->tx_count = 2;
  Packet* const ack = wire.frame(10);  // answers no message
  REQUIRE(queue.push(again));
  REQUIRE(queue.push(ack));
  CHECK(queue.flush(wire.port, now) == 2);
  CHECK(times(Stage::wire, 0) + times(Stage::wire, 1) == 3);
}
