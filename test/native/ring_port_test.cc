#include "native/port/ring_port.hh"

#include <doctest/doctest.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "native/mempool/heap_pool.hh"
#include "native/wire/bytes.hh"

using namespace qstack;

namespace {

struct End {
  HeapRegion region{128};
  HeapPool rx{region.region(), 0, 64};
  HeapPool tx{region.region(), 64, 64};
  bool all_returned() const { return rx.available() == 64 && tx.available() == 64; }
};

Packet* frame(HeapPool& pool, uint32_t number) {
  Packet* const packet = pool.allocate();
  if (packet == nullptr) return nullptr;
  packet->length = 64;
  store_be32(packet->data, number);
  return packet;
}

/// Sends and receives `count` numbered frames; returns the number of those that came out of order.
uint32_t exchange(End& end, RingPort& port, uint32_t count) {
  uint32_t sent = 0, received = 0, wrong = 0;
  while (sent < count || received < count) {
    if (Packet* packet = sent < count ? frame(end.tx, sent) : nullptr) {
      if (port.tx_burst(&packet, 1, 0) == 1) {
        ++sent;
      } else {
        end.tx.release(packet);
      }
    }
    Packet* burst[16];
    const uint32_t n = port.rx_burst(burst, 16, 0);
    for (uint32_t i = 0; i < n; ++i) {
      if (load_be32(burst[i]->data) != received++) ++wrong;
      end.rx.release(burst[i]);
    }
    if (n == 0) sched_yield();
  }
  return wrong;
}

}  // namespace

TEST_CASE("frames cross in order, and the sender's packets come home") {
  End a, b;
  RingWire wire(16);
  RingPort left(wire, 0, a.rx, a.tx, {2, 0, 0, 0, 0, 1}), right(wire, 1, b.rx, b.tx, {2, 0, 0, 0, 0, 2});
  for (uint32_t i = 0; i < 1000; ++i) {
    Packet* packet = frame(a.tx, i);
    REQUIRE(packet != nullptr);
    REQUIRE(left.tx_burst(&packet, 1, 0) == 1);
    Packet* received = nullptr;
    REQUIRE(right.rx_burst(&received, 1, 6400) == 1);
    CHECK(load_be32(received->data) == i);
    CHECK(received->arrival == i);
    CHECK(received->rx_stamp == 100);
    b.rx.release(received);
  }
  Packet* none = nullptr;
  left.rx_burst(&none, 1, 0);
  CHECK(a.all_returned());
  CHECK(b.all_returned());
}

TEST_CASE("a full wire takes no more, and an empty pool leaves the frames on it") {
  End a, b;
  RingWire wire(16);
  RingPort left(wire, 0, a.rx, a.tx, {}), right(wire, 1, b.rx, b.tx, {});
  Packet* packets[20];
  for (uint32_t i = 0; i < 20; ++i) packets[i] = frame(a.tx, i);
  CHECK(left.tx_burst(packets, 20, 0) == 16);
  for (uint32_t i = 16; i < 20; ++i) a.tx.release(packets[i]);
  Packet* held[64];
  REQUIRE(b.rx.allocate(held, 60) == 60);
  Packet* received[32];
  REQUIRE(right.rx_burst(received, 32, 0) == 4);
  CHECK(right.rx_burst(received + 4, 28, 0) == 0);
  for (uint32_t i = 0; i < 60; ++i) b.rx.release(held[i]);
  CHECK(right.rx_burst(received + 4, 28, 0) == 12);
  for (uint32_t i = 0; i < 16; ++i) {
    CHECK(load_be32(received[i]->data) == i);
    b.rx.release(received[i]);
  }
}

TEST_CASE("a frame that its sender keeps is still its own after the other end has read it") {
  End a, b;
  RingWire wire(16);
  RingPort left(wire, 0, a.rx, a.tx, {}), right(wire, 1, b.rx, b.tx, {});
  Packet* packet = frame(a.tx, 7);
  a.tx.hold(packet);
  REQUIRE(left.tx_burst(&packet, 1, 0) == 1);
  CHECK(a.tx.shared(packet));
  Packet* received = nullptr;
  REQUIRE(right.rx_burst(&received, 1, 0) == 1);
  CHECK(received != packet);
  b.rx.release(received);
  Packet* none = nullptr;
  left.rx_burst(&none, 1, 0);
  CHECK_FALSE(a.tx.shared(packet));
  a.tx.release(packet);
}

TEST_CASE("frames that nobody took go back when the port ends") {
  End a, b;
  RingWire wire(16);
  {
    RingPort left(wire, 0, a.rx, a.tx, {});
    for (uint32_t i = 0; i < 10; ++i) {
      Packet* packet = frame(a.tx, i);
      REQUIRE(left.tx_burst(&packet, 1, 0) == 1);
    }
  }
  CHECK(a.all_returned());
}

TEST_CASE("two threads move 50,000 frames each way, in order") {
  End a, b;
  {
    RingWire wire(32);
    RingPort left(wire, 0, a.rx, a.tx, {}), right(wire, 1, b.rx, b.tx, {});
    std::atomic<uint32_t> wrong{0};
    std::thread far([&] { wrong += exchange(b, right, 50'000); });
    wrong += exchange(a, left, 50'000);
    far.join();
    CHECK(wrong == 0);
  }
  CHECK(a.all_returned());
  CHECK(b.all_returned());
}
