#include <doctest/doctest.h>

#include <random>
#include <unordered_map>

#include "native/flow/flow_key.hh"
#include "native/flow/flow_table.hh"

using namespace qstack;

TEST_CASE("what was inserted is found, what was erased is not, at full load and in any order") {
  constexpr uint32_t kFlows = 50'000;
  FlowTable table(kFlows);
  std::mt19937_64 random(7);
  std::unordered_map<uint32_t, uint64_t> hash_of;
  for (uint32_t value = 0; value < kFlows; ++value) {
    hash_of[value] = random();
    REQUIRE(table.insert(hash_of[value], value));
  }
  CHECK(table.size() == kFlows);
  const auto found = [&](uint32_t value) {
    return table.find(hash_of[value], [&](uint32_t candidate) { return candidate == value; }) == value;
  };
  for (uint32_t value = 0; value < kFlows; value += 2) REQUIRE(table.erase(hash_of[value], value));
  for (uint32_t value = 0; value < kFlows; ++value) REQUIRE(found(value) == (value % 2 == 1));
  for (uint32_t value = 0; value < kFlows; value += 2) REQUIRE(table.insert(hash_of[value], value));
  for (uint32_t value = 0; value < kFlows; ++value) REQUIRE(found(value));
  REQUIRE(table.replace(hash_of[3], 3, 999'999));
  hash_of[999'999] = hash_of[3];
  CHECK(found(999'999));
  CHECK_FALSE(table.erase(hash_of[3], 3));
}

TEST_CASE("flows that share one bucket are refused when their chain is full, and nothing else is harmed") {
  FlowTable table(10'000);
  const uint64_t hash = 0x123456789abcdef0;
  uint32_t inserted = 0;
  while (inserted < 1'000 && table.insert(hash, inserted)) ++inserted;
  CHECK(inserted == FlowTable::kWays * FlowTable::kChainMax);
  CHECK(table.insert(~hash, 7));
  REQUIRE(table.erase(hash, 0));
  CHECK(table.insert(hash, 5'000));
}

TEST_CASE("the hash of a flow depends on each field and on the secret") {
  const std::array<uint64_t, 4> secret = {1, 2, 3, 4}, other = {1, 2, 3, 5};
  const FlowKey key = {0x0a000001, 0x0a000002, 1000, 80};
  const uint64_t hash = hash_flow(key, secret);
  CHECK(hash_flow({0x0a000003, 0x0a000002, 1000, 80}, secret) != hash);
  CHECK(hash_flow({0x0a000001, 0x0a000003, 1000, 80}, secret) != hash);
  CHECK(hash_flow({0x0a000001, 0x0a000002, 1001, 80}, secret) != hash);
  CHECK(hash_flow({0x0a000001, 0x0a000002, 1000, 81}, secret) != hash);
  CHECK(hash_flow(key, other) != hash);
}

TEST_CASE("neighbouring addresses and ports spread evenly over the table") {
  const std::array<uint64_t, 4> secret = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0x2545f4914f6cdd1d};
  constexpr uint32_t kFlows = 230u * 4'000;
  FlowTable table(kFlows);
  uint32_t value = 0;
  for (uint32_t address = 0; address < 230; ++address) {
    for (uint16_t port = 1025; port < 5025; ++port) {
      REQUIRE(table.insert(hash_flow({0x0a000100 + address, 0x0a000001, port, 80}, secret), value++));
    }
  }
}
