#include "native/sched/scheduling_policy.hh"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace qstack;

namespace {

constexpr Stamp ms(double value) { return static_cast<Stamp>(std::lround(value * 15'625)); }

SchedulingPolicy policy_of(std::istringstream& line) {
  std::string kind;
  uint32_t levels, bound_ms;
  line >> kind >> levels >> bound_ms;
  PolicyConfig config;
  config.kind = kind == "strict" ? PolicyKind::strict : kind == "weighted" ? PolicyKind::weighted : PolicyKind::deadline;
  config.bound = ms(bound_ms);
  double value;
  for (uint32_t level = 0; line >> value; ++level) {
    config.weights[level] = value;
    config.budgets[level] = ms(value);
  }
  return {config, levels, 32, 16, 100};
}

PolicyConfig weighted(std::initializer_list<double> weights) {
  PolicyConfig config;
  config.kind = PolicyKind::weighted;
  std::copy(weights.begin(), weights.end(), config.weights.begin());
  return config;
}

}  // namespace

TEST_CASE("native policies name the same levels as those of TypeScript, by the table that both read") {
  std::ifstream file(QSTACK_POLICY_CASES);
  PolicyConfig none;
  SchedulingPolicy policy(none, 1, 32, 16, 100);
  uint32_t cases = 0, rounds = 0;
  for (std::string text; std::getline(file, text);) {
    if (text.starts_with('#')) continue;
    if (text.starts_with("case ")) {
      std::istringstream line(text.substr(5));
      policy = policy_of(line);
      ++cases;
      continue;
    }
    std::istringstream line(text);
    uint32_t mask, now, work, expected, value;
    line >> mask >> now >> work >> expected;
    std::vector<Stamp> heads;
    while (line >> value) heads.push_back(value);
    const auto since = [&heads](uint32_t level) { return heads.at(level); };
    policy.begin(mask, now, since);
    const uint32_t level = policy.next(mask, since).level;
    CAPTURE(cases);
    CAPTURE(text);
    REQUIRE(level == expected);
    policy.charge(level, work);
    ++rounds;
  }
  CHECK(cases == 24);
  CHECK(rounds == 480);
}

TEST_CASE("weighted: levels that always have work share it by their weights, whatever one piece costs") {
  const uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    const double a = 1 + random() % 9, b = 1 + random() % 9, c = 1 + random() % 9;
    SchedulingPolicy policy(weighted({a, b, c}), 3, 32, 16, 100);
    double done[3] = {}, all = 0;
    const double cost[3] = {1.0 + random() % 400, 1.0 + random() % 400, 1.0 + random() % 400};
    while (all < 2'000'000) {
      const uint32_t level = policy.next(7, [](uint32_t) { return Stamp{0}; }).level;
      policy.charge(level, cost[level]);
      done[level] += cost[level];
      all += cost[level];
    }
    CHECK(std::abs(done[0] / all - a / (a + b + c)) < 0.01);
    CHECK(std::abs(done[1] / all - b / (a + b + c)) < 0.01);
  }
}

TEST_CASE("strict: a starved level whose quantum could not go has it in the next round") {
  PolicyConfig config;
  SchedulingPolicy policy(config, 2, 32, 16, 100);
  const auto since = [](uint32_t) { return Stamp{1}; };
  const Stamp now = 1 + ms(20);
  policy.begin(3, now, since);
  CHECK(policy.next(3, since).level == 1);
  policy.give_back(1);
  policy.begin(3, now + 1, since);
  CHECK(policy.next(3, since).level == 1);
  CHECK(policy.next(3, since).level == 0);
  CHECK(policy.next(2, since).level == 1);
  policy.give_back(1);  // in its ordinary turn: it has had its quantum
  policy.begin(3, now + 2, since);
  CHECK(policy.next(3, since).level == 0);
}
