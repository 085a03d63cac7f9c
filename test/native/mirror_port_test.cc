#include "native/port/mirror_port.hh"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"

using namespace qstack;

namespace {

constexpr uint32_t kSnap = 100;

Nanos tick() {
  static Nanos now = 1'700'000'000 * kSecond;
  return ++now;
}

/// far ═ near, which a mirror watches ═ reader.
struct Bench {
  HeapRegion region{1024};
  HeapPool near_pool{region.region(), 0, 256}, far_pool{region.region(), 256, 256};
  HeapPool mirror_pool, reader_pool{region.region(), 768, 256};
  PairPort near{near_pool, near_pool, {2, 0, 0, 0, 0, 1}}, far{far_pool, far_pool, {2, 0, 0, 0, 0, 2}};
  PairPort outlet, reader{reader_pool, reader_pool, {}};
  MirrorPort watched{near, outlet, mirror_pool, kSnap, tick};

  explicit Bench(uint32_t mirror_packets = 128, uint32_t mirror_ring = 4096)
      : mirror_pool(region.region(), 512, mirror_packets), outlet(mirror_pool, mirror_pool, {}, mirror_ring) {
    PairPort::connect(near, far);
    PairPort::connect(outlet, reader);
  }

  static void send(Port& port, HeapPool& pool, uint32_t count, uint16_t length) {
    for (uint32_t i = 0; i < count; ++i) {
      Packet* packet = pool.allocate();
      REQUIRE(packet != nullptr);
      packet->length = length;
      std::memset(packet->data, static_cast<int>(i), length);
      REQUIRE(port.tx_burst(&packet, 1, 1) == 1);
    }
  }

  static uint32_t drain(Port& port, HeapPool& pool) {
    Packet* burst[32];
    uint32_t total = 0;
    while (const uint32_t n = port.rx_burst(burst, 32, 1)) {
      for (uint32_t i = 0; i < n; ++i) pool.release(burst[i]);
      total += n;
    }
    return total;
  }

  std::vector<MirrorRecord> records() {
    std::vector<MirrorRecord> out;
    Packet* packet;
    while (reader.rx_burst(&packet, 1, 1) == 1) {
      MirrorRecord record;
      std::memcpy(&record, packet->data, sizeof(record));
      CHECK(packet->length == sizeof(record) + std::min<uint32_t>(record.length, kSnap));
      CHECK(packet->data[sizeof(record)] == out.size() % 256);
      out.push_back(record);
      reader_pool.release(packet);
    }
    return out;
  }
};

}  // namespace

TEST_CASE("each frame that comes or goes is told, cut, with its length, direction and time") {
  Bench bench;
  Bench::send(bench.far, bench.far_pool, 3, 500);
  CHECK(Bench::drain(bench.watched, bench.near_pool) == 3);
  const auto received = bench.records();
  Bench::send(bench.watched, bench.near_pool, 2, 60);
  CHECK(Bench::drain(bench.far, bench.far_pool) == 2);
  const auto sent = bench.records();
  REQUIRE(received.size() == 3);
  REQUIRE(sent.size() == 2);
  for (const MirrorRecord& record : received) {
    CHECK(record.type == MirrorRecord::kType);
    CHECK(record.version == MirrorRecord::kVersion);
    CHECK(record.way == MirrorWay::received);
    CHECK(record.length == 500);
    CHECK(record.time == 1'700'000'000 * kSecond + 1);
  }
  CHECK(sent[1].way == MirrorWay::sent);
  CHECK(sent[1].length == 60);
  CHECK(sent[0].time == received[2].time + 1);
  CHECK(bench.watched.counts().records == 5);
  CHECK(bench.watched.counts().dropped == 0);
  CHECK(bench.mirror_pool.available() == 128);
}

TEST_CASE("records for which there is no room are counted, the next one says how many, and no frame is lost") {
  Bench bench(0);
  Bench::send(bench.far, bench.far_pool, 5, 200);
  CHECK(Bench::drain(bench.watched, bench.near_pool) == 5);
  Bench::send(bench.watched, bench.near_pool, 4, 200);
  CHECK(Bench::drain(bench.far, bench.far_pool) == 4);
  CHECK(bench.watched.counts().dropped == 9);
  CHECK(bench.records().empty());
}

TEST_CASE("a full ring that nobody reads takes records, never a frame; the next record says how many are missing") {
  Bench bench(128, 4);
  Bench::send(bench.far, bench.far_pool, 10, 200);
  CHECK(Bench::drain(bench.watched, bench.near_pool) == 10);
  Bench::send(bench.watched, bench.near_pool, 3, 200);
  CHECK(Bench::drain(bench.far, bench.far_pool) == 3);
  CHECK(bench.watched.counts().records == 4);
  CHECK(bench.watched.counts().dropped == 9);
  CHECK(bench.mirror_pool.available() == 128);
  REQUIRE(bench.records().size() == 4);
  Bench::send(bench.watched, bench.near_pool, 1, 200);
  const auto next = bench.records();
  REQUIRE(next.size() == 1);
  CHECK(next[0].dropped == 9);
  CHECK(bench.watched.counts().dropped == 9);
}

TEST_CASE("frames that the port does not take are not told of") {
  Bench bench;
  bench.near.set_link(false);
  Packet* packet = bench.near_pool.allocate();
  packet->length = 60;
  CHECK(bench.watched.tx_burst(&packet, 1, 1) == 0);
  bench.near_pool.release(packet);
  CHECK(bench.records().empty());
  CHECK(bench.watched.counts().records == 0);
  CHECK(bench.watched.counts().dropped == 0);
  CHECK(bench.mirror_pool.available() == 128);
}
