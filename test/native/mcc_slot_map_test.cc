// SlotMap: whose slot it is, and that all of it is memory that the generator tells of.
#include <doctest/doctest.h>

#include "native/mcc/closed_loop.hh"
#include "native/mcc/engine.hh"
#include "native/mcc/kernel_network.hh"
#include "native/mcc/slot_map.hh"

using namespace qstack;
using namespace qstack::mcc;

namespace {

constexpr uint32_t kSlots = 5'000'000;

/// How many regions are exactly as large as the map of so many slots.
size_t maps_in(const std::vector<MemoryRegion>& regions) {
  const size_t bytes = SlotMap(kSlots).memory().bytes;
  size_t found = 0;
  for (const MemoryRegion& region : regions) found += region.bytes == bytes ? 1 : 0;
  return found;
}

}  // namespace

TEST_CASE("a slot is nobody's until it is set, belongs to whoever had it last, and keeps its neighbours") {
  SlotMap map(4);
  for (uint32_t slot = 0; slot < 4; ++slot) CHECK(map.number_of(slot) == kNoIndex);
  map.set(0, 7);
  map.set(3, 0);
  CHECK(map.number_of(0) == 7);
  CHECK(map.number_of(1) == kNoIndex);
  CHECK(map.number_of(2) == kNoIndex);
  CHECK(map.number_of(3) == 0);
  map.set(0, 9);
  CHECK(map.number_of(0) == 9);
}

TEST_CASE("what is no slot is nobody's, and may be asked for") {
  SlotMap map(4);
  map.prefetch(4);
  map.prefetch(kNoIndex);
  CHECK(map.number_of(4) == kNoIndex);
  CHECK(map.number_of(kNoIndex) == kNoIndex);
  CHECK(SlotMap(0).number_of(0) == kNoIndex);
}

TEST_CASE("a large one begins at a huge page, takes four bytes for each slot, and holds the last of them") {
  constexpr size_t kHuge = size_t{2} << 20, kPage = 4096;
  SlotMap map(kSlots);
  CHECK(reinterpret_cast<uintptr_t>(map.memory().base) % kHuge == 0);
  CHECK(map.memory().bytes == (size_t{kSlots} * 4 + kPage - 1) / kPage * kPage);
  map.set(kSlots - 1, kSlots - 2);
  CHECK(map.number_of(kSlots - 1) == kSlots - 2);
}

TEST_CASE("both loads count theirs with the memory that is touched at the start") {
  KernelConfig sockets;
  sockets.packets = 1;
  KernelNetwork network(sockets);
  EngineConfig open;
  ClosedLoopConfig closed;
  open.slots = closed.slots = kSlots;
  CHECK(maps_in(Engine(open, network).memory()) == 1);
  CHECK(maps_in(ClosedLoop(closed, network).memory()) == 1);
}
