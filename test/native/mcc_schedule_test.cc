// Arrival processes: intended times in nanoseconds, every connection is sent to, nothing is rounded away.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
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

TEST_CASE("window: the connections take turns as those of a paced load do") {
  Plan plan;
  plan.connections = 100;
  plan.rate = 100;
  plan.window = 1;
  plan.seed = 7;
  PacedArrivals paced(plan, 0);
  WindowArrivals window(plan, 0);
  std::vector<uint32_t> seen;
  for (const Due& expected : all(paced)) {
    Due due;
    REQUIRE(window.next(0, 0, due));
    CHECK(due.connection == expected.connection);
    seen.push_back(due.connection);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
  CHECK(seen.size() == 100);
}

namespace {

Plan poisson(uint64_t rate, Nanos duration, uint64_t seed) {
  Plan plan;
  plan.kind = ArrivalKind::poisson;
  plan.connections = 50;
  plan.rate = rate;
  plan.duration = duration;
  plan.seed = seed;
  return plan;
}

Plan replay(Trace trace, Nanos duration, uint32_t connections) {
  Plan plan;
  plan.kind = ArrivalKind::replay;
  plan.connections = connections;
  plan.duration = duration;
  plan.trace = std::make_shared<const Trace>(std::move(trace));
  return plan;
}

}  // namespace

TEST_CASE("poisson: exponential gaps of the rate's mean, as many in a second as a Poisson process has, on all connections") {
  const auto arrivals = make_arrivals(poisson(100'000, kSecond, 7), 100);
  const auto due = all(*arrivals);
  CHECK(due.size() > 100'000 - 5 * 317);  // five standard deviations, by this seed
  CHECK(due.size() < 100'000 + 5 * 317);
  std::set<uint32_t> seen;
  uint32_t above_mean = 0, above_three = 0;
  Nanos before = 100;
  for (const Due& d : due) {
    seen.insert(d.connection);
    above_mean += d.intended - before > 10'000;
    above_three += d.intended - before > 30'000;
    CHECK(d.intended >= before);
    before = d.intended;
  }
  CHECK(seen.size() == 50);
  CHECK(before < 100 + kSecond);
  const auto share = [&](uint32_t count) { return count / static_cast<double>(due.size()); };
  CHECK(share(above_mean) == doctest::Approx(0.3679).epsilon(0.03));
  CHECK(share(above_three) == doctest::Approx(0.0498).epsilon(0.1));
}

TEST_CASE("poisson: the same seed gives the same times, another seed others") {
  const auto times = [](uint64_t seed) {
    std::vector<Nanos> out;
    for (const Due& d : all(*make_arrivals(poisson(1000, kSecond, seed), 0))) out.push_back(d.intended);
    return out;
  };
  CHECK(times(1) == times(1));
  CHECK(times(1) != times(2));
}

TEST_CASE("poisson: gaps below a nanosecond's fraction are not rounded away") {
  // 3 × 10^8 a second: gaps of 3.33 ns on average. Truncated to whole nanoseconds they would come to a fifth more messages.
  CHECK(all(*make_arrivals(poisson(300'000'000, 1'000'000, 3), 0)).size() == doctest::Approx(300'000).epsilon(0.01));
}

TEST_CASE("replay: the trace's times in each round, exactly, up to the end of the duration") {
  const auto due = all(*make_arrivals(replay({{0, 5, 5, 11}, 20, {}, {}}, 45, 8), 1000));
  std::vector<Nanos> times;
  std::set<uint32_t> seen;
  for (const Due& d : due) {
    times.push_back(d.intended);
    seen.insert(d.connection);
    CHECK(d.length == 0);
  }
  CHECK(times == std::vector<Nanos>{1000, 1005, 1005, 1011, 1020, 1025, 1025, 1031, 1040});
  CHECK(seen.size() == 8);
}

TEST_CASE("replay: messages of one flow take one connection, with the lengths that were seen") {
  const auto due = all(*make_arrivals(replay({{0, 1, 2}, 3, {10, 200, 30}, {0, 1, 4}}, 6, 4), 0));
  REQUIRE(due.size() == 6);
  for (size_t n = 0; n < 6; ++n) {
    CHECK(due[n].connection == std::array{0u, 1u, 0u}[n % 3]);
    CHECK(due[n].length == std::array{10, 200, 30}[n % 3]);
  }
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

TEST_CASE("a template is filled in: the counter in each of its forms, cut off or with zeros behind it") {
  MessageTemplate message;
  message.bytes.assign(12, 0xee);
  message.counter_at = 2;
  uint8_t bytes[16];
  const auto written = [&](CounterForm form, uint16_t length) {
    message.counter_form = form;
    MessageBuilder({message}).write(bytes, length, 0x0a0b0c0d, 0, 0);
    return std::string(reinterpret_cast<char*>(bytes), length);
  };
  CHECK(written(CounterForm::little_endian, 7) == "\xee\xee\x0d\x0c\x0b\x0a\xee");
  CHECK(written(CounterForm::big_endian, 7) == "\xee\xee\x0a\x0b\x0c\x0d\xee");
  CHECK(written(CounterForm::hexadecimal, 14) == std::string("\xee\xee" "0a0b0c0d" "\xee\xee\0\0", 14));
  for (CounterForm form : {CounterForm::little_endian, CounterForm::big_endian, CounterForm::hexadecimal}) {
    written(form, 12);
    uint32_t counter = 0;
    CHECK(read_counter(bytes + 2, form, counter));
    CHECK(counter == 0x0a0b0c0d);
  }
  uint32_t counter = 0;
  CHECK_FALSE(read_counter(reinterpret_cast<const uint8_t*>("0000000g"), CounterForm::hexadecimal, counter));
}
