// Huge pages in memory that was allocated by others: which part of a range they are asked for.
#include <doctest/doctest.h>

#include "native/node/huge_pages.hh"

using namespace qstack;
using namespace qstack::node;

namespace {

constexpr size_t kHuge = kHugePageBytes;

/// Never touched: only its addresses count.
struct Room {
  Mapping mapping{8 * kHuge};
  uint8_t* base = mapping.data();
};

bool same(const MemoryRegion& region, const uint8_t* base, size_t bytes) {
  return region.base == base && region.bytes == bytes;
}

}  // namespace

TEST_CASE("a range that begins and ends at huge pages is asked for as it is") {
  const Room room;
  CHECK(same(whole_huge_pages({room.base, kHuge}), room.base, kHuge));
  CHECK(same(whole_huge_pages({room.base + kHuge, 3 * kHuge}), room.base + kHuge, 3 * kHuge));
}

TEST_CASE("of a range that begins and ends anywhere, the whole huge pages in between are asked for") {
  const Room room;
  CHECK(same(whole_huge_pages({room.base + 16, 3 * kHuge}), room.base + kHuge, 2 * kHuge));
  CHECK(same(whole_huge_pages({room.base + 16, 3 * kHuge - 16}), room.base + kHuge, 2 * kHuge));
  CHECK(same(whole_huge_pages({room.base + 16, 3 * kHuge - 17}), room.base + kHuge, kHuge));
  CHECK(same(whole_huge_pages({room.base, 3 * kHuge - 1}), room.base, 2 * kHuge));
  CHECK(same(whole_huge_pages({room.base + kHuge - 1, kHuge + 1}), room.base + kHuge, kHuge));
}

TEST_CASE("in a range that has no whole huge page there is nothing to ask for, however it lies") {
  const Room room;
  CHECK(whole_huge_pages({}).bytes == 0);
  CHECK(whole_huge_pages({room.base, 0}).bytes == 0);
  CHECK(whole_huge_pages({room.base, kHuge - 1}).bytes == 0);
  CHECK(whole_huge_pages({room.base + 1, 100}).bytes == 0);
  CHECK(whole_huge_pages({room.base + kHuge - 16, 32}).bytes == 0);
  CHECK(whole_huge_pages({room.base + 1, 2 * kHuge - 2}).bytes == 0);
  CHECK_FALSE(advise_huge_pages({room.base + 1, 2 * kHuge - 2}));
}
