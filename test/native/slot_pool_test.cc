#include <doctest/doctest.h>

#include <vector>

#include "native/mempool/slot_pool.hh"

using namespace qstack;

namespace {

struct Item {
  uint32_t link;
};

/// All slots in the order in which they are given out, after `freed` came back.
template <Reuse kReuse>
std::vector<uint32_t> order(uint32_t used, const std::vector<uint32_t>& freed) {
  SlotPool<Item, kReuse> pool(6);
  for (uint32_t i = 0; i < used; ++i) CHECK(pool.allocate() == i);
  for (const uint32_t slot : freed) pool.release(slot);
  CHECK(pool.used() == used - freed.size());
  CHECK(pool.available() == 6 - pool.used());
  std::vector<uint32_t> slots;
  for (uint32_t slot = pool.allocate(); slot != kNoIndex; slot = pool.allocate()) slots.push_back(slot);
  CHECK(pool.available() == 0);
  return slots;
}

}  // namespace

TEST_CASE("late: a slot comes again behind all that were never used, and behind those that came back before it") {
  CHECK(order<Reuse::late>(4, {2, 0, 3}) == std::vector<uint32_t>{4, 5, 2, 0, 3});
}

TEST_CASE("soon: the slot that came back last is next, and none is touched that was never needed") {
  CHECK(order<Reuse::soon>(4, {2, 0, 3}) == std::vector<uint32_t>{3, 0, 2, 4, 5});
}
