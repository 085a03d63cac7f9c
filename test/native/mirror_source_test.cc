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

constexpr MirrorHead kHead{.destination = {}, .source = {}, .type = MirrorHead::kType, .version = MirrorHead::kVersion,
                           .way = MirrorWay::received, .records = 0, .reserved = 0, .dropped = 0, .time = 7'000'000'123};

template <typename T>
void put(std::vector<uint8_t>& bytes, const T& value) {
  const size_t at = bytes.size();
  bytes.resize(at + sizeof(value));
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

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

  /// A packet with a record of each frame.
  void records(uint32_t dropped, const std::vector<std::vector<uint8_t>>& frames = {{}}, MirrorHead head = kHead) {
    head.records = static_cast<uint16_t>(frames.size());
    head.dropped = dropped;
    std::vector<uint8_t> bytes;
    put(bytes, head);
    for (const auto& frame : frames) {
      put(bytes, MirrorRecord{.length = 900, .kept = static_cast<uint16_t>(frame.size())});
      bytes.insert(bytes.end(), frame.begin(), frame.end());
    }
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

TEST_CASE("a packet holds frames with the server's time, their whole lengths and their first bytes") {
  Bench bench;
  const std::vector<std::vector<uint8_t>> frames{{1, 2, 3, 4}, {}, {5, 6}};
  bench.records(0, frames);
  CHECK(bench.read() == 1);
  REQUIRE(bench.seen.size() == frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    CHECK(bench.seen[i].time == 7'000'000'123);
    CHECK(bench.seen[i].length == 900);
    CHECK(bench.seen[i].bytes == frames[i]);
  }
}

TEST_CASE("what the server dropped between two records is missed, modulo 2^32, and what it dropped before the first is not") {
  Bench bench;
  bench.records(0xffff'fffe);
  bench.read();
  CHECK(bench.source.missed() == 0);
  bench.records(3);
  bench.read();
  CHECK(bench.source.missed() == 5);
}

TEST_CASE("a server that takes another one's place counts from zero, and what was missed stays") {
  Bench bench;
  bench.records(10);
  bench.records(14);
  bench.read();
  CHECK(bench.source.missed() == 4);
  bench.port.set_link(false);
  CHECK_FALSE(bench.source.connected());
  CHECK(bench.read() == 0);
  bench.port.set_link(true);
  CHECK(bench.source.connected());
  bench.records(0);
  bench.records(2);
  bench.read();
  CHECK(bench.source.missed() == 6);
}

TEST_CASE("records of another version are refused with both versions, and their packets go back") {
  Bench bench;
  MirrorHead next = kHead;
  next.version = MirrorHead::kVersion + 1;
  bench.records(0);
  bench.records(0, {{}}, next);
  bench.records(0);
  CHECK(bench.refusal() == "the mirror's records have version 3, this monitor reads 2: use the one of the server's release");
  CHECK(bench.seen.size() == 1);
  CHECK(bench.pool.available() == 256);
}

TEST_CASE("other frames and torn records are no mirror's") {
  const std::string sentence = "these are no records of a mirror, but other frames";
  Bench other;
  MirrorHead ipv4 = kHead;
  ipv4.type = 0x0008;
  other.records(0, {{}}, ipv4);
  CHECK(other.refusal() == sentence);
  std::vector<uint8_t> whole;
  MirrorHead two = kHead;
  two.records = 2;
  put(whole, two);
  put(whole, MirrorRecord{.length = 900, .kept = 3});
  whole.insert(whole.end(), 3, 7);
  put(whole, MirrorRecord{.length = 900, .kept = 1});
  for (size_t length = 0; length <= whole.size(); ++length) {
    Bench torn;
    torn.port.inject({whole.data(), length});
    CHECK(torn.refusal() == sentence);
    CHECK(torn.pool.available() == 256);
  }
}
