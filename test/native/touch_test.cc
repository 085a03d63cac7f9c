// Mapping and touch(): where memory for pools lies, and when its pages come.
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <array>
#include <new>
#include <vector>

#include "native/stack/touch.hh"

using namespace qstack;

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kHugeBytes = size_t{2} << 20;

size_t pages_there(const MemoryRegion& region) {
  std::vector<unsigned char> there(region.bytes / kPageBytes);
  REQUIRE(mincore(region.base, region.bytes, there.data()) == 0);
  size_t count = 0;
  for (const unsigned char page : there) count += page & 1;
  return count;
}

}  // namespace

TEST_CASE("a mapping from one huge page on begins at a huge page, and is no longer than its last small one") {
  for (const size_t bytes : {kHugeBytes, kHugeBytes + 1, 3 * kHugeBytes - kPageBytes}) {
    const Mapping mapping(bytes);
    CHECK(reinterpret_cast<uintptr_t>(mapping.data()) % kHugeBytes == 0);
    CHECK(mapping.size() == (bytes + kPageBytes - 1) / kPageBytes * kPageBytes);
    mapping.data()[mapping.size() - 1] = 1;
  }
  CHECK(Mapping(1).size() == kPageBytes);
  CHECK(Mapping(0).data() == nullptr);
}

TEST_CASE("a mapping takes no memory before it is touched, and all of it afterwards, with what was in it") {
  const Mapping small(8 * kPageBytes), large(70 << 20);
  small.data()[5 * kPageBytes] = 7;
  large.data()[large.size() - 1] = 9;
  CHECK(pages_there(small.region()) == 1);
  CHECK(pages_there(large.region()) < large.size() / kPageBytes);
  for (const uint32_t threads : {1u, 3u}) {
    CHECK(touch(std::array{small.region(), MemoryRegion{}, large.region()}, threads) == small.size() + large.size());
    CHECK(pages_there(small.region()) == small.size() / kPageBytes);
    CHECK(pages_there(large.region()) == large.size() / kPageBytes);
  }
  CHECK(small.data()[5 * kPageBytes] == 7);
  CHECK(large.data()[large.size() - 1] == 9);
  CHECK(large.data()[0] == 0);
}

TEST_CASE("part of a mapping may be touched, wherever it begins") {
  const Mapping mapping(16 * kPageBytes);
  touch(std::array{MemoryRegion{mapping.data() + 3 * kPageBytes + 100, 2 * kPageBytes}}, 1);
  CHECK(pages_there(mapping.region()) == 3);
}

TEST_CASE("memory that nobody may write to cannot be touched: told as memory that is short") {
  const Mapping mapping(4 * kPageBytes);
  REQUIRE(mprotect(mapping.data(), mapping.size(), PROT_NONE) == 0);
  CHECK_THROWS_AS(touch(std::array{mapping.region()}, 1), std::bad_alloc);
}
