// Arrival processes: intended times in nanoseconds, every connection is sent to, nothing is rounded away.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>
#include <vector>

#include "native/mcc/message.hh"
#include "native/mcc/schedule.hh"

using namespace qstack;
using namespace qstack::mcc;

namespace {

std::vector<Due> all(Arrivals& arrivals) {
  std::vector<Due> out;
  Due due;
  while (arrivals.next(kNever - 1, 0, due)) out.push_back(due);
  return out;
}

Plan wave(uint32_t connections, uint32_t burst, Nanos epoch, Nanos duration) {
  Plan plan;
  plan.connections = connections;
  plan.burst = burst;
  plan.epoch = epoch;
  plan.duration = duration;
  return plan;
}

}  // namespace

TEST_CASE("wave: block i sends at start + i * interval, and again every epoch") {
  WaveArrivals arrivals(wave(6, 2, 3 * kSecond, 6 * kSecond), 100);
  auto due = all(arrivals);
  REQUIRE(due.size() == 12);
  for (size_t n = 0; n < due.size(); ++n) {
    CHECK(due[n].connection == n % 6);
    CHECK(due[n].intended == 100 + n / 2 * kSecond);
  }
}

TEST_CASE("wave: connections beyond blocks * burst send as well") {
  WaveArrivals arrivals(wave(7, 3, kSecond, kSecond), 0);
  auto due = all(arrivals);
  std::set<uint32_t> seen;
  for (const Due& d : due) seen.insert(d.connection);
  CHECK(due.size() == 7);
  CHECK(seen.size() == 7);
  CHECK(arrivals.blocks() == 3);
  CHECK(due.back().intended == 2 * kSecond / 3);
}

TEST_CASE("wave: more blocks than milliseconds in an epoch keep their distance") {
  WaveArrivals arrivals(wave(5000, 1, kSecond, kSecond), 0);
  auto due = all(arrivals);
  REQUIRE(due.size() == 5000);
  for (size_t n = 0; n < due.size(); ++n) CHECK(due[n].intended == n * 200'000);
}

TEST_CASE("wave: a burst larger than the connections is one block") {
  WaveArrivals arrivals(wave(3, 100, kSecond, 2 * kSecond), 0);
  CHECK(all(arrivals).size() == 6);
}

TEST_CASE("wave: README's benchmark gives one block of 172,800 a second, each connection once in 60 s") {
  WaveArrivals arrivals(wave(10'368'000, 172'800, 60 * kSecond, 60 * kSecond), 0);
  CHECK(arrivals.blocks() == 60);
  std::map<Nanos, uint32_t> blocks;
  Due due;
  uint32_t expected = 0;
  bool in_turn = true;  // ten million macros would take longer than all else
  while (arrivals.next(kNever - 1, 0, due)) {
    ++blocks[due.intended];
    in_turn = in_turn && due.connection == expected++;
  }
  CHECK(in_turn);
  CHECK(expected == 10'368'000);
  CHECK(blocks.size() == 60);
  CHECK(blocks[59 * kSecond] == 172'800);
}

TEST_CASE("nothing is due before its intended time") {
  WaveArrivals arrivals(wave(2, 1, kSecond, kSecond), 1000);
  Due due;
  CHECK_FALSE(arrivals.next(999, 0, due));
  CHECK(arrivals.next(1000, 0, due));
  CHECK_FALSE(arrivals.next(1000, 0, due));
  CHECK(arrivals.next_at() == 1000 + kSecond / 2);
}

TEST_CASE("paced: message n leaves at start + n / rate without drift") {
  Plan plan;
  plan.kind = ArrivalKind::paced;
  plan.connections = 10;
  plan.rate = 7;
  plan.duration = 3 * kSecond;
  PacedArrivals arrivals(plan, 5);
  auto due = all(arrivals);
  REQUIRE(due.size() == 21);
  CHECK(due[7].intended == 5 + kSecond);
  CHECK(due[1].intended == 5 + kSecond / 7);
  CHECK(due[20].intended == 5 + 2 * kSecond + 6 * kSecond / 7);
}

TEST_CASE("paced: every connection gets its turn before one gets a second, in an order that the seed decides") {
  for (uint32_t connections : {1u, 2u, 3u, 10u, 97u, 360u}) {
    Plan plan;
    plan.kind = ArrivalKind::paced;
    plan.connections = connections;
    plan.rate = connections;
    plan.seed = 42;
    PacedArrivals arrivals(plan, 0);
    std::set<uint32_t> seen;
    for (const Due& d : all(arrivals)) seen.insert(d.connection);
    CHECK(seen.size() == connections);
  }
}

TEST_CASE("paced: the same seed gives the same order, another seed another") {
  auto order = [](uint64_t seed) {
    Plan plan;
    plan.kind = ArrivalKind::paced;
    plan.connections = plan.rate = 100;
    plan.seed = seed;
    PacedArrivals arrivals(plan, 0);
    std::vector<uint32_t> out;
    for (const Due& d : all(arrivals)) out.push_back(d.connection);
    return out;
  };
  CHECK(order(1) == order(1));
  CHECK(order(1) != order(2));
}

TEST_CASE("window: a message is due only while fewer than the window are in flight, until the end") {
  Plan plan;
  plan.kind = ArrivalKind::window;
  plan.connections = 2;
  plan.window = 3;
  WindowArrivals arrivals(plan, 0);
  Due due;
  CHECK(arrivals.next(10, 2, due));
  CHECK(due.intended == 10);
  CHECK_FALSE(arrivals.next(10, 3, due));
  CHECK_FALSE(arrivals.next(kSecond, 0, due));
  CHECK(arrivals.next_at() == kNever);
}

TEST_CASE("levels per connection stay, levels per message change, both near the ratio") {
  const std::array shares{0.05, 0.95};
  LevelChoice flow(7, shares, false), message(7, shares, true);
  int flow_high = 0, message_high = 0;
  for (uint32_t c = 0; c < 20'000; ++c) {
    CHECK(flow.level(c, 1) == flow.level(c, 2));
    flow_high += flow.level(c, 1) == 0;
    message_high += message.level(1, c) == 0;
  }
  CHECK(flow_high > 850);
  CHECK(flow_high < 1150);
  CHECK(message_high > 850);
  CHECK(message_high < 1150);
}

TEST_CASE("ratio 0 has no request, ratio 1 has nothing else") {
  LevelChoice none(1, std::array{0.0, 1.0}, true), every(1, std::array{1.0, 0.0}, true);
  for (uint32_t c = 0; c < 1000; ++c) {
    CHECK(none.level(c, c) == 1);
    CHECK(every.level(c, c) == 0);
  }
}

TEST_CASE("each of eight levels gets its share of the messages, and the last one the rest") {
  const std::array shares{0.02, 0.03, 0.05, 0.1, 0.1, 0.0, 0.2, 0.5};
  LevelChoice choice(3, shares, true);
  std::array<double, 8> seen{};
  for (uint32_t c = 0; c < 50'000; ++c) seen[choice.level(c % 100, c)] += 1.0 / 50'000;
  for (size_t level = 0; level < 8; ++level) CHECK(seen[level] == doctest::Approx(shares[level]).epsilon(0.1));
  CHECK(LevelChoice(3, std::array{1.0}, true).level(1, 1) == 0);
}

TEST_CASE("byte 5 of an iot message tells levels apart: 1 is the highest, 0 the lowest, the others count on") {
  IotMessage builder(16, 4);
  std::vector<int> classes;
  for (uint8_t level = 0; level < 4; ++level) {
    uint8_t bytes[16];
    builder.write(bytes, 1, level, 0);
    classes.push_back(bytes[5]);
  }
  CHECK(classes == std::vector{1, 2, 3, 0});
}

TEST_CASE("an iot message has counter, class, direction and heartbeat mark at MCC's offsets") {
  IotMessage builder(16);
  uint8_t bytes[16];
  builder.write(bytes, 0x04030201, 0, 77);
  CHECK(bytes[0] == 1);
  CHECK(bytes[3] == 4);
  CHECK(bytes[5] == 1);
  CHECK(bytes[6] == 2);
  CHECK(bytes[8] == 0);
  CHECK(bytes[9] == 77);
  builder.write(bytes, 1, 1, 0);
  CHECK(bytes[5] == 0);
  CHECK(bytes[6] == 2);
  CHECK(bytes[8] == 8);
  CHECK(bytes[15] == 0);
}
