#include "native/port/mirror_port.hh"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/port/pair_port.hh"

using namespace qstack;

namespace {

constexpr uint32_t kSnap = 100;
/// Records of that.
constexpr uint32_t kInPacket = (kMirrorPacketMax - sizeof(MirrorHead)) / (sizeof(MirrorRecord) + kSnap);

Nanos tick() {
  static Nanos now = 1'700'000'000 * kSecond;
  return ++now;
}

struct Told {
  MirrorHead head;
  uint16_t length;
};

/// far ═ near, which a mirror watches ═ reader.
struct Bench {
  HeapRegion region{1024};
  HeapPool near_pool{region.region(), 0, 256}, far_pool{region.region(), 256, 256};
  HeapPool mirror_pool, reader_pool{region.region(), 768, 256};
  PairPort near, far{far_pool, far_pool, {2, 0, 0, 0, 0, 2}}, outlet, reader{reader_pool, reader_pool, {}};
  MirrorPort watched{near, outlet, mirror_pool, kSnap, tick};

  explicit Bench(uint32_t mirror_packets = 128, uint32_t mirror_ring = 4096, uint32_t near_ring = 4096)
      : mirror_pool(region.region(), 512, mirror_packets),
        near(near_pool, near_pool, {2, 0, 0, 0, 0, 1}, near_ring),
        outlet(mirror_pool, mirror_pool, {}, mirror_ring) {
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

  /// What the reader gets, in order; `packets` of them.
  std::vector<Told> records(uint32_t* packets = nullptr) {
    std::vector<Told> out;
    Packet* packet;
    while (reader.rx_burst(&packet, 1, 1) == 1) {
      tell(*packet, out);
      reader_pool.release(packet);
      if (packets != nullptr) ++*packets;
    }
    return out;
  }

  static void tell(const Packet& packet, std::vector<Told>& out) {
    MirrorHead head;
    std::memcpy(&head, packet.data, sizeof(head));
    CHECK(packet.length <= kMirrorPacketMax);
    size_t at = sizeof(head);
    for (uint16_t i = 0; i < head.records; ++i) {
      MirrorRecord record;
      std::memcpy(&record, packet.data + at, sizeof(record));
      at += sizeof(record);
      CHECK(record.kept == std::min<uint32_t>(record.length, kSnap));
      CHECK(packet.data[at] == out.size() % 256);
      CHECK(packet.data[at + record.kept - 1u] == out.size() % 256);
      at += record.kept;
      out.push_back({head, record.length});
    }
    CHECK(at == packet.length);
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
  const Nanos first = received[0].head.time;
  for (const Told& told : received) {
    CHECK(told.head.type == MirrorHead::kType);
    CHECK(told.head.version == MirrorHead::kVersion);
    CHECK(told.head.way == MirrorWay::received);
    CHECK(told.length == 500);
    CHECK(told.head.time == first);
  }
  CHECK(first > 1'700'000'000 * kSecond);
  CHECK(sent[1].head.way == MirrorWay::sent);
  CHECK(sent[1].length == 60);
  CHECK(sent[0].head.time == first + 1);
  CHECK(bench.watched.counts().records == 5);
  CHECK(bench.watched.counts().dropped == 0);
  CHECK(bench.mirror_pool.available() == 128);
}

TEST_CASE("records of a burst share packets, as many as a frame of Ethernet holds") {
  Bench bench;
  Bench::send(bench.far, bench.far_pool, 32, 500);
  CHECK(Bench::drain(bench.watched, bench.near_pool) == 32);
  uint32_t packets = 0;
  CHECK(bench.records(&packets).size() == 32);
  CHECK(packets == (32 + kInPacket - 1) / kInPacket);
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

TEST_CASE("a full ring that nobody reads takes records, never a frame; the next ones say how many are missing") {
  Bench bench(128, 1);
  Bench::send(bench.far, bench.far_pool, 20, 200);
  CHECK(Bench::drain(bench.watched, bench.near_pool) == 20);
  Bench::send(bench.watched, bench.near_pool, 3, 200);
  CHECK(Bench::drain(bench.far, bench.far_pool) == 3);
  CHECK(bench.watched.counts().records == kInPacket);
  CHECK(bench.watched.counts().dropped == 23 - kInPacket);
  CHECK(bench.mirror_pool.available() == 128);
  REQUIRE(bench.records().size() == kInPacket);
  Bench::send(bench.watched, bench.near_pool, 1, 200);
  const auto next = bench.records();
  REQUIRE(next.size() == 1);
  CHECK(next[0].head.dropped == 23 - kInPacket);
  CHECK(bench.watched.counts().dropped == 23 - kInPacket);
}

TEST_CASE("of a burst the frames that the port takes are told of, no others") {
  constexpr uint32_t kFrames = 2 * kInPacket;
  for (uint32_t taken = 0; taken <= kFrames; ++taken) {
    Bench bench(128, 4096, taken);
    Packet* packets[kFrames];
    REQUIRE(bench.near_pool.allocate(packets, kFrames) == kFrames);
    for (uint32_t i = 0; i < kFrames; ++i) {
      packets[i]->length = 200;
      std::memset(packets[i]->data, static_cast<int>(i), 200);
    }
    CHECK(bench.watched.tx_burst(packets, kFrames, 1) == taken);
    CHECK(bench.records().size() == taken);
    CHECK(bench.watched.counts().records == taken);
    CHECK(bench.watched.counts().dropped == 0);
    CHECK(bench.mirror_pool.available() == 128);
    for (uint32_t i = taken; i < kFrames; ++i) bench.near_pool.release(packets[i]);
  }
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
