#include "native/monitor/mirror_source.hh"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "native/mempool/heap_pool.hh"
#include "native/port/mirror_port.hh"
#include "native/port/pair_port.hh"

using namespace qstack;
using namespace qstack::monitor;

namespace {

struct Seen {
  Nanos time;
  uint32_t length;
  std::vector<uint8_t> bytes;
};

/// A wire whose other end the test writes to by hand.
struct Bench {
  HeapRegion region{256};
  HeapPool pool{region.region(), 0, 256};
  PairPort port{pool, pool, {}};
  MirrorSource source{port, pool};
  std::vector<Seen> seen;

  int read() {
    return source.read([this](Nanos time, uint32_t length, std::span<const uint8_t> bytes) {
      seen.push_back({time, length, {bytes.begin(), bytes.end()}});
    });
  }

  void record(uint32_t dropped, std::span<const uint8_t> frame = {}, uint8_t version = MirrorRecord::kVersion,
              uint16_t type = MirrorRecord::kType) {
    const MirrorRecord head{.destination = {}, .source = {}, .type = type, .version = version, .way = MirrorWay::received,
                            .length = 900, .reserved = 0, .dropped = dropped, .time = 7'000'000'123};
    std::vector<uint8_t> bytes(sizeof(head) + frame.size());
    std::memcpy(bytes.data(), &head, sizeof(head));
    std::copy(frame.begin(), frame.end(), bytes.begin() + sizeof(head));
    port.inject(bytes);
  }

  std::string refusal() {
    try {
      read();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }
};

}  // namespace

TEST_CASE("a record is a frame with the server's time, its whole length and its first bytes") {
  Bench bench;
  const std::vector<uint8_t> frame{1, 2, 3, 4};
  bench.record(0, frame);
  CHECK(bench.read() == 1);
  REQUIRE(bench.seen.size() == 1);
  CHECK(bench.seen[0].time == 7'000'000'123);
  CHECK(bench.seen[0].length == 900);
  CHECK(bench.seen[0].bytes == frame);
}

TEST_CASE("what the server dropped between two records is missed, modulo 2^32, and what it dropped before the first is not") {
  Bench bench;
  bench.record(0xffff'fffe);
  bench.read();
  CHECK(bench.source.missed() == 0);
  bench.record(3);
  bench.read();
  CHECK(bench.source.missed() == 5);
}

TEST_CASE("a server that takes another one's place counts from zero, and what was missed stays") {
  Bench bench;
  bench.record(10);
  bench.record(14);
  bench.read();
  CHECK(bench.source.missed() == 4);
  bench.port.set_link(false);
  CHECK_FALSE(bench.source.connected());
  CHECK(bench.read() == 0);
  bench.port.set_link(true);
  CHECK(bench.source.connected());
  bench.record(0);
  bench.record(2);
  bench.read();
  CHECK(bench.source.missed() == 6);
}

TEST_CASE("records of another version are refused with both versions, and their packets go back") {
  Bench bench;
  bench.record(0);
  bench.record(0, {}, MirrorRecord::kVersion + 1);
  bench.record(0);
  CHECK(bench.refusal() == "the mirror's records have version 2, this monitor reads 1: use the one of the server's release");
  CHECK(bench.seen.size() == 1);
  CHECK(bench.pool.available() == 256);
}

TEST_CASE("other frames and torn records are no mirror's") {
  const std::string sentence = "these are no records of a mirror, but other frames";
  Bench other;
  other.record(0, {}, MirrorRecord::kVersion, 0x0008);
  CHECK(other.refusal() == sentence);
  Bench torn;
  torn.port.inject(std::vector<uint8_t>(sizeof(MirrorRecord) - 1));
  CHECK(torn.refusal() == sentence);
  CHECK(torn.pool.available() == 256);
}
