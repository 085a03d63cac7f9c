#include "native/port/fault_port.hh"

#include <doctest/doctest.h>

#include <bit>
#include <numeric>

#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"
#include "native/wire/bytes.hh"

using namespace qstack;

namespace {

constexpr Nanos kMilli = 1'000'000;
constexpr uint64_t kSeed = 20240607;

/// left ═ wire ═ right, with faults before the left end.
struct Bench {
  HeapRegion region{2048};
  HeapPool left_rx{region.region(), 0, 512};
  HeapPool left_tx{region.region(), 512, 512};
  HeapPool right_rx{region.region(), 1024, 512};
  HeapPool right_tx{region.region(), 1536, 512};
  PairPort left{left_rx, left_tx, {2, 0, 0, 0, 0, 1}};
  PairPort right{right_rx, right_tx, {2, 0, 0, 0, 0, 2}};
  FaultPort faulty;
  Nanos now = kMilli;

  explicit Bench(const FaultConfig& receive, const FaultConfig& send, uint64_t seed = kSeed)
      : faulty(left, left_rx, left_tx, seed, receive, send) {
    PairPort::connect(left, right);
  }

  static Packet* frame(HeapPool& pool, uint32_t number) {
    Packet* const packet = pool.allocate();
    packet->length = 64;
    std::memset(packet->data, 0, packet->length);
    store_be32(packet->data, number);
    return packet;
  }

  void send(uint32_t number) {
    Packet* packet = frame(left_tx, number);
    REQUIRE(faulty.tx_burst(&packet, 1, now) == 1);
  }

  static std::vector<uint32_t> numbers(Port& port, HeapPool& pool, Nanos now) {
    std::vector<uint32_t> result;
    Packet* burst[32];
    while (const uint32_t n = port.rx_burst(burst, 32, now)) {
      for (uint32_t i = 0; i < n; ++i) {
        result.push_back(load_be32(burst[i]->data));
        pool.release(burst[i]);
      }
    }
    return result;
  }

  std::vector<uint32_t> at_right() { return numbers(right, right_rx, now); }
  std::vector<uint32_t> at_left() { return numbers(faulty, left_rx, now); }

  /// Sends numbered frames, one every 100 µs, and returns what the right end saw until all is over.
  std::vector<uint32_t> run(uint32_t count) {
    std::vector<uint32_t> seen;
    const auto collect = [&] {
      const auto some = at_right();
      seen.insert(seen.end(), some.begin(), some.end());
    };
    for (uint32_t i = 0; i < count; ++i) {
      send(i);
      collect();
      now += kMilli / 10;
    }
    for (int i = 0; i < 100; ++i) {
      now += kMilli;
      at_left();
      collect();
    }
    return seen;
  }

  bool all_returned() const {
    return left_rx.available() == 512 && left_tx.available() == 512 && right_rx.available() == 512 &&
           right_tx.available() == 512;
  }
};

std::vector<uint32_t> ascending(uint32_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

}  // namespace

TEST_CASE("without faults every frame passes, in order, in both directions") {
  Bench bench({}, {});
  CHECK(bench.run(300) == ascending(300));
  for (uint32_t i = 0; i < 100; ++i) {
    Packet* packet = Bench::frame(bench.right_tx, i);
    REQUIRE(bench.right.tx_burst(&packet, 1, bench.now) == 1);
  }
  CHECK(bench.at_left() == ascending(100));
  CHECK(bench.all_returned());
}

TEST_CASE("the same seed does the same damage, another seed another") {
  const FaultConfig all{.drop = 0.1, .duplicate = 0.1, .corrupt = 0.1, .reorder = 0.1, .delay = 0.1};
  Bench first({}, all, 1), again({}, all, 1), other({}, all, 2);
  const auto seen = first.run(500);
  CHECK(seen == again.run(500));
  CHECK(seen != other.run(500));
  CHECK(first.all_returned());
}

TEST_CASE("dropped frames do not arrive, and their number is the one counted") {
  Bench bench({}, {.drop = 0.25});
  const auto seen = bench.run(1000);
  CHECK(seen.size() == 1000 - bench.faulty.sent().dropped);
  CHECK(bench.faulty.sent().dropped > 180);
  CHECK(bench.faulty.sent().dropped < 320);
  CHECK(bench.all_returned());
}

TEST_CASE("a duplicate follows its original") {
  Bench bench({}, {.duplicate = 1});
  const auto seen = bench.run(50);
  REQUIRE(seen.size() == 100);
  for (uint32_t i = 0; i < 50; ++i) {
    CHECK(seen[2 * i] == i);
    CHECK(seen[2 * i + 1] == i);
  }
  CHECK(bench.faulty.sent().duplicated == 50);
}

TEST_CASE("a reordered frame arrives after three later ones, and after 5 ms when nothing follows") {
  Bench bench({}, {.reorder = 0.02});
  const auto seen = bench.run(500);
  REQUIRE(seen.size() == 500);
  CHECK(bench.faulty.sent().reordered > 0);
  CHECK(seen != ascending(500));
  for (uint32_t i = 0; i < seen.size(); ++i) CHECK(std::abs(static_cast<int>(seen[i]) - static_cast<int>(i)) <= 6);

  Bench lonely({}, {.reorder = 1});
  lonely.send(7);
  lonely.now += 4 * kMilli;
  lonely.at_left();
  CHECK(lonely.at_right().empty());
  lonely.now += kMilli;
  lonely.at_left();
  CHECK(lonely.at_right() == std::vector<uint32_t>{7});
}

TEST_CASE("a delayed frame comes neither before its shortest nor after its longest time") {
  Bench bench({}, {.delay = 1, .delay_us_min = 2000, .delay_us_max = 6000});
  for (uint32_t i = 0; i < 100; ++i) bench.send(i);
  bench.now += 2 * kMilli - 1;
  bench.at_left();
  CHECK(bench.at_right().empty());
  bench.now += 4 * kMilli + 1;
  bench.at_left();
  CHECK(bench.at_right().size() == 100);
  CHECK(bench.all_returned());
}

TEST_CASE("corruption flips one bit of the frame on the wire and none of the sender's copy") {
  Bench bench({}, {.corrupt = 1});
  for (uint32_t i = 0; i < 200; ++i) {
    Packet* packet = Bench::frame(bench.left_tx, 0);
    bench.left_tx.hold(packet);
    REQUIRE(bench.faulty.tx_burst(&packet, 1, bench.now) == 1);
    CHECK(std::all_of(packet->data, packet->data + 64, [](uint8_t byte) { return byte == 0; }));
    CHECK_FALSE(bench.left_tx.shared(packet));
    bench.left_tx.release(packet);
    const auto frame = bench.left.take();
    REQUIRE(frame);
    CHECK(std::accumulate(frame->begin(), frame->end(), 0,
                          [](int sum, uint8_t byte) { return sum + std::popcount(byte); }) == 1);
  }
  CHECK(bench.faulty.sent().corrupted == 200);
  CHECK(bench.all_returned());
}

TEST_CASE("a frame held back does not stay shared with its sender") {
  Bench bench({}, {.delay = 1, .delay_us_min = 1000});
  Packet* packet = Bench::frame(bench.left_tx, 1);
  bench.left_tx.hold(packet);
  REQUIRE(bench.faulty.tx_burst(&packet, 1, bench.now) == 1);
  CHECK_FALSE(bench.left_tx.shared(packet));
  bench.left_tx.release(packet);
}

TEST_CASE("faults of the receiving direction are its own") {
  Bench bench({.drop = 1}, {});
  CHECK(bench.run(10).size() == 10);
  Packet* packet = Bench::frame(bench.right_tx, 1);
  REQUIRE(bench.right.tx_burst(&packet, 1, bench.now) == 1);
  CHECK(bench.at_left().empty());
  CHECK(bench.faulty.received().dropped == 1);
  CHECK(bench.faulty.sent().dropped == 0);
  CHECK(bench.all_returned());
}

TEST_CASE("frames still held at the end go back to their pools") {
  Bench bench({}, {});
  {
    FaultPort port(bench.left, bench.left_rx, bench.left_tx, kSeed, {}, {.delay = 1, .delay_us_min = 1000});
    for (uint32_t i = 0; i < 20; ++i) {
      Packet* packet = Bench::frame(bench.left_tx, i);
      REQUIRE(port.tx_burst(&packet, 1, bench.now) == 1);
    }
    CHECK(bench.left_tx.available() == 492);
  }
  CHECK(bench.all_returned());
}

TEST_CASE("without a packet for the copy the frame passes undamaged, counted") {
  Bench bench({}, {.corrupt = 1});
  std::vector<Packet*> all(512);
  REQUIRE(bench.left_tx.allocate(all.data(), 512) == 512);
  Packet* packet = all[0];
  packet->length = 64;
  std::memset(packet->data, 0, 64);
  bench.left_tx.hold(packet);
  REQUIRE(bench.faulty.tx_burst(&packet, 1, bench.now) == 1);
  CHECK(*bench.left.take() == PairPort::Frame(64, 0));
  CHECK(bench.faulty.sent().spared == 1);
  for (Packet* const each : all) bench.left_tx.release(each);
}
