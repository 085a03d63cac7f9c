#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "native/tcp/timer_wheel.hh"

using namespace qstack;

namespace {

struct Nodes {
  std::vector<TimerNode>* all;
  TimerNode& operator()(uint32_t slot) const { return (*all)[slot]; }
};

}  // namespace

TEST_CASE("each timer fires once, at its tick, however far away, also over the wrap of the clock") {
  for (const uint32_t start : {0u, 1'000u, 0xffff0000u}) {
    std::vector<TimerNode> nodes(4'000);
    TimerWheel<Nodes> wheel{Nodes{&nodes}};
    wheel.start(start);
    std::mt19937 random(11);
    std::multimap<uint32_t, uint32_t> expected;  // delay → slot
    for (uint32_t slot = 0; slot < nodes.size(); ++slot) {
      const uint32_t delay = 1 + random() % (1u << (random() % 18));
      wheel.arm(slot, start + delay);
      expected.emplace(delay, slot);
    }
    std::set<uint32_t> fired;
    uint32_t passed = 0;
    while (passed < (1u << 18)) {
      passed += 1 + random() % 50;
      wheel.advance(start + passed, UINT32_MAX, [&](uint32_t slot) {
        REQUIRE(fired.insert(slot).second);
        REQUIRE(nodes[slot].tick - start <= passed);
      });
      while (!expected.empty() && expected.begin()->first <= passed) {
        REQUIRE(fired.contains(expected.begin()->second));
        expected.erase(expected.begin());
      }
      const uint32_t quiet = wheel.quiet_until() - start;
      REQUIRE((quiet > passed && quiet <= passed + 65));
      if (!expected.empty()) REQUIRE(quiet <= expected.begin()->first);
    }
    CHECK(fired.size() == nodes.size());
  }
}

TEST_CASE("a disarmed timer does not fire, and its neighbours do") {
  std::vector<TimerNode> nodes(3);
  TimerWheel<Nodes> wheel{Nodes{&nodes}};
  wheel.start(100);
  for (uint32_t slot = 0; slot < 3; ++slot) wheel.arm(slot, 150);
  wheel.disarm(1);
  std::set<uint32_t> fired;
  wheel.advance(200, UINT32_MAX, [&](uint32_t slot) { fired.insert(slot); });
  CHECK(fired == std::set<uint32_t>{0, 2});
}

TEST_CASE("a timer that arms itself again while firing fires again at its new tick") {
  std::vector<TimerNode> nodes(1);
  TimerWheel<Nodes> wheel{Nodes{&nodes}};
  wheel.start(0);
  wheel.arm(0, 10);
  std::vector<uint32_t> ticks;
  for (uint32_t now = 0; now < 100; ++now) {
    wheel.advance(now, UINT32_MAX, [&](uint32_t slot) {
      ticks.push_back(now);
      wheel.arm(slot, now + 30);
    });
  }
  CHECK(ticks == std::vector<uint32_t>{10, 40, 70});
}

TEST_CASE("what is due beyond the limit of a call fires in the next ones, each once and in order of its tick") {
  std::vector<TimerNode> nodes(10);
  TimerWheel<Nodes> wheel{Nodes{&nodes}};
  wheel.start(0);
  for (uint32_t slot = 0; slot < 10; ++slot) wheel.arm(slot, slot < 7 ? 256 : 258);
  std::vector<uint32_t> fired;
  const auto fire = [&](uint32_t slot) { fired.push_back(slot); };
  CHECK(wheel.advance(300, 4, fire) == 4);
  CHECK(wheel.advance(300, 4, fire) == 4);
  CHECK(std::count_if(fired.begin(), fired.begin() + 7, [](uint32_t slot) { return slot < 7; }) == 7);
  CHECK(wheel.advance(301, 4, fire) == 2);
  CHECK(std::set<uint32_t>(fired.begin(), fired.end()).size() == 10);
}
